/* Opening, asking about and reading links: calls that take a path.
 *
 * Without _GNU_SOURCE: the headers must not declare names for large files,
 * which are defined here and mean the same on 64-bit systems. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"
#include "files.h"
#include "start.h"

static int fail(int error) {
    errno = error;
    return -1;
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode) {
    struct whit_place place;
    bool follow = !(flags & (O_NOFOLLOW | O_EXCL));
    if (!whit_find(dirfd, path, follow, &place)) {
        int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
        if (fd >= 0 || errno != ENOENT || !(flags & O_CREAT) || !whit_make_parents(place.path))
            return fd;
        fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
        return fd < 0 && errno == ENOENT ? fail(EROFS) : fd;
    }
    if (place.closed)
        return fail(flags & O_CREAT ? EROFS : ENOENT);
    /* Not O_ACCMODE, which with musl has the bit of O_PATH. */
    int access = flags & (O_WRONLY | O_RDWR);
    bool writes = access || (flags & (O_TRUNC | O_CREAT));
    if (!whit_is_ours(&place, follow)) {
        if (flags & O_CREAT)
            whit_make_parents(place.path);
        return (int)syscall(SYS_openat, dirfd, place.real, flags, mode);
    }
    const struct whit_entry *entry = place.entry;
    if (entry->kind == WHIT_DIR) {
        if (writes)
            return fail(EISDIR);
        /* A descriptor of a folder is only to be had where it is real, too. */
        int fd = (int)syscall(SYS_openat, AT_FDCWD, place.real, flags, mode);
        return fd >= 0 || (flags & O_DIRECTORY) ? fd : fail(EISDIR);
    }
    if (entry->kind == WHIT_LINK)
        return fail(ELOOP);
    if (flags & O_DIRECTORY)
        return fail(ENOTDIR);
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return whit_is_lent(&place) ? (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode) : fail(EEXIST);
    if (entry->kind == WHIT_INTERPRETER)
        return (int)syscall(SYS_openat, AT_FDCWD, whit_self, flags & ~(O_NOFOLLOW | O_CREAT));
    if (writes) {
        int error = whit_copy_up(&place);
        /* What cannot be written to can still be read (O_RDONLY | O_CREAT). */
        if (error && access)
            return fail(error);
        if (!error)
            return (int)syscall(SYS_openat, AT_FDCWD, place.path, flags, mode);
    }
    return whit_open(entry, flags);
}

/* The mode, which is given only where a file may be made (open(2)). */
#define MODE_OF(flags, mode)                          \
    mode_t mode = 0;                                  \
    if ((flags) & (O_CREAT | __O_TMPFILE_BIT)) {      \
        va_list args;                                 \
        va_start(args, flags);                        \
        mode = (mode_t)va_arg(args, int);             \
        va_end(args);                                 \
    }
#define __O_TMPFILE_BIT 020000000

WHOLE(int, open, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
WHOLE(int, open64, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
WHOLE(int, openat, int dirfd, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_at(dirfd, path, flags, mode);
}
WHOLE(int, openat64, int dirfd, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_at(dirfd, path, flags, mode);
}
/* What _FORTIFY_SOURCE makes of open(2) where no mode is given. */
WHOLE(int, __open_2, const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
WHOLE(int, __open64_2, const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
WHOLE(int, __openat_2, int dirfd, const char *path, int flags) { return open_at(dirfd, path, flags, 0); }
WHOLE(int, __openat64_2, int dirfd, const char *path, int flags) { return open_at(dirfd, path, flags, 0); }

WHOLE(int, creat, const char *path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
WHOLE(int, creat64, const char *path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* The flags of fopen(3)'s mode; -1 if it is none. */
static int flags_of(const char *mode) {
    int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT | O_APPEND : -1;
    if (flags < 0)
        return -1;
    bool both = false;
    for (const char *letter = mode + 1; *letter && *letter != ','; letter++) {
        both |= *letter == '+';
        flags |= *letter == 'x' ? O_EXCL : *letter == 'e' ? O_CLOEXEC : 0;
    }
    return flags | (both ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY);
}

static FILE *open_stream(const char *path, const char *mode) {
    int flags = flags_of(mode);
    if (flags < 0) {
        errno = EINVAL;
        return NULL;
    }
    int fd = open_at(AT_FDCWD, path, flags, 0666);
    if (fd < 0)
        return NULL;
    FILE *stream = fdopen(fd, mode);
    if (!stream)
        close(fd);
    return stream;
}
WHOLE(FILE *, fopen, const char *path, const char *mode) { return open_stream(path, mode); }
WHOLE(FILE *, fopen64, const char *path, const char *mode) { return open_stream(path, mode); }

static int stat_at(int dirfd, const char *path, struct stat *st, int flags) {
    struct whit_place place;
    bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
    if (!whit_find(dirfd, path, follow, &place))
        return (int)syscall(SYS_newfstatat, dirfd, path, st, flags);
    if (place.closed)
        return fail(ENOENT);
    if (!place.entry || whit_asks_kernel(place.entry)) {
        int result = (int)syscall(SYS_newfstatat, dirfd, place.real, st, flags);
        if (result == 0 || !place.entry)
            return result;
    }
    whit_stat_of(place.entry, st);
    return 0;
}
WHOLE(int, stat, const char *path, struct stat *st) { return stat_at(AT_FDCWD, path, st, 0); }
WHOLE(int, stat64, const char *path, struct stat *st) { return stat_at(AT_FDCWD, path, st, 0); }
WHOLE(int, lstat, const char *path, struct stat *st) { return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW); }
WHOLE(int, lstat64, const char *path, struct stat *st) { return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW); }
WHOLE(int, fstatat, int dirfd, const char *path, struct stat *st, int flags) { return stat_at(dirfd, path, st, flags); }
WHOLE(int, fstatat64, int dirfd, const char *path, struct stat *st, int flags) { return stat_at(dirfd, path, st, flags); }
/* Names that programs built for glibc before 2.33 use. */
WHOLE(int, __xstat, int version, const char *path, struct stat *st) {
    (void)version;
    return stat_at(AT_FDCWD, path, st, 0);
}
WHOLE(int, __xstat64, int version, const char *path, struct stat *st) {
    (void)version;
    return stat_at(AT_FDCWD, path, st, 0);
}
WHOLE(int, __lxstat, int version, const char *path, struct stat *st) {
    (void)version;
    return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}
WHOLE(int, __lxstat64, int version, const char *path, struct stat *st) {
    (void)version;
    return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}
WHOLE(int, __fxstatat, int version, int dirfd, const char *path, struct stat *st, int flags) {
    (void)version;
    return stat_at(dirfd, path, st, flags);
}
WHOLE(int, __fxstatat64, int version, int dirfd, const char *path, struct stat *st, int flags) {
    (void)version;
    return stat_at(dirfd, path, st, flags);
}

/* The bits of access(2) as far as the mode tells them for this user. */
static int allowed(const struct whit_place *place, int wanted) {
    const struct whit_entry *entry = place->entry;
    uint32_t bits = entry->mode;
    if (geteuid() == 0)
        bits = (wanted & X_OK) && entry->kind != WHIT_DIR ? bits | bits >> 3 | bits >> 6 : 7;
    else if (geteuid() == entry->uid)
        bits >>= 6;
    else if (getegid() == entry->gid)
        bits >>= 3;
    if ((wanted & R_OK && !(bits & 4)) || (wanted & X_OK && !(bits & 1)))
        return fail(EACCES);
    if (!(wanted & W_OK))
        return 0;
    if (entry->kind != WHIT_DIR && !(entry->flags & WHIT_KERNEL_FIRST))
        return fail(EROFS);
    /* It would be written to in its folder. */
    char folder[PATH_MAX];
    strcpy(folder, place->path);
    *strrchr(folder, '/') = '\0';
    if (syscall(SYS_faccessat, AT_FDCWD, *folder ? folder : "/", W_OK) != 0)
        return fail(errno == EACCES ? EACCES : EROFS);
    return 0;
}

static int access_at(int dirfd, const char *path, int wanted, int flags) {
    struct whit_place place;
    bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
    bool found = whit_find(dirfd, path, follow, &place);
    if (found && place.closed)
        return fail(ENOENT);
    if (found && whit_is_ours(&place, follow))
        return allowed(&place, wanted);
    const char *real = found ? place.real : path;
#ifdef SYS_faccessat2
    if (flags) {
        int result = (int)syscall(SYS_faccessat2, dirfd, real, wanted, flags);
        if (result == 0 || errno != ENOSYS)
            return result;
    }
#endif
    return (int)syscall(SYS_faccessat, dirfd, real, wanted);
}
WHOLE(int, access, const char *path, int wanted) { return access_at(AT_FDCWD, path, wanted, 0); }
WHOLE(int, eaccess, const char *path, int wanted) { return access_at(AT_FDCWD, path, wanted, AT_EACCESS); }
WHOLE(int, euidaccess, const char *path, int wanted) { return access_at(AT_FDCWD, path, wanted, AT_EACCESS); }
WHOLE(int, faccessat, int dirfd, const char *path, int wanted, int flags) {
    return access_at(dirfd, path, wanted, flags);
}

static ssize_t read_link(int dirfd, const char *path, char *buffer, size_t size) {
    struct whit_place place;
    if (!whit_find(dirfd, path, false, &place))
        return syscall(SYS_readlinkat, dirfd, path, buffer, size);
    if (place.closed)
        return fail(ENOENT);
    if (!whit_is_ours(&place, false))
        return syscall(SYS_readlinkat, dirfd, place.real, buffer, size);
    if (place.entry->kind != WHIT_LINK)
        return fail(EINVAL);
    const char *target = whit_text(place.entry->block);
    size_t len = strlen(target) < size ? strlen(target) : size;
    memcpy(buffer, target, len);
    return (ssize_t)len;
}
WHOLE(ssize_t, readlink, const char *path, char *buffer, size_t size) {
    return read_link(AT_FDCWD, path, buffer, size);
}
WHOLE(ssize_t, readlinkat, int dirfd, const char *path, char *buffer, size_t size) {
    return read_link(dirfd, path, buffer, size);
}
WHOLE(ssize_t, __readlink_chk, const char *path, char *buffer, size_t size, size_t room) {
    return read_link(AT_FDCWD, path, buffer, size < room ? size : room);
}

CALL(char *, realpath, const char *path, char *resolved) {
    struct whit_place place;
    if (!whit_find(AT_FDCWD, path, true, &place))
        return REAL(realpath)(path, resolved);
    if (place.closed) {
        errno = ENOENT;
        return NULL;
    }
    if (!whit_is_ours(&place, true))
        return REAL(realpath)(place.real, resolved);
    return resolved ? strcpy(resolved, place.path) : strdup(place.path);
}
WHOLE(char *, __realpath_chk, const char *path, char *resolved, size_t room) {
    (void)room;
    return SELF(realpath)(path, resolved);
}
