/* From a path to a file of the archive, and from there to a descriptor. */
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "start.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif

/* As many links as Linux follows (path_resolution(7)). */
enum { MOST_LINKS = 40 };

/* Appends `more` to the path of `len` bytes; its new length, or 0 if it is too long. */
static size_t append(char *path, size_t len, const char *more, size_t more_len) {
    if (len + 1 + more_len >= PATH_MAX)
        return 0;
    path[len] = '/';
    memcpy(path + len + 1, more, more_len);
    path[len + 1 + more_len] = '\0';
    return len + 1 + more_len;
}

/* True for an absolute path that has no `.`, `..`, double or last slash. */
static bool is_plain(const char *path, size_t len) {
    if (path[0] != '/' || path[len - 1] == '/')
        return false;
    for (size_t i = 0; i + 1 < len; i++)
        if (path[i] == '/' && (path[i + 1] == '/' || path[i + 1] == '.'))
            return false;
    return true;
}

/* Walks through `path`, which is absolute, along the archive's links. The
 * length of the result in `place->path`, or 0 if there are too many or it gets
 * too long. */
static size_t walk(const char *path, bool follow, struct whit_place *place, int *links) {
    char rest[PATH_MAX];
    char *out = place->path;
    size_t len = 0, rest_len = strlen(path);
    if (rest_len >= sizeof rest)
        return 0;
    memcpy(rest, path, rest_len + 1);
    const char *next = rest;
    out[0] = '\0';
    while (*next) {
        while (*next == '/')
            next++;
        size_t part = strcspn(next, "/");
        if (part == 0)
            break;
        const char *name = next;
        next += part;
        if (part == 1 && name[0] == '.')
            continue;
        if (part == 2 && name[0] == '.' && name[1] == '.') {
            while (len > 0 && out[--len] != '/')
                ;
            out[len] = '\0';
            continue;
        }
        size_t parent = len;
        len = append(out, len, name, part);
        if (len == 0)
            return 0;
        const struct whit_entry *entry = whit_look_up(out, len);
        if (!entry || entry->kind != WHIT_LINK || (!*next && !follow))
            continue;
        if (++*links > MOST_LINKS)
            return 0;
        const char *target = whit_text(entry->block);
        size_t target_len = strlen(target), left = strlen(next);
        if (target_len + left >= sizeof rest)
            return 0;
        char joined[PATH_MAX];
        memcpy(joined, target, target_len);
        memcpy(joined + target_len, next, left + 1);
        memcpy(rest, joined, target_len + left + 1);
        next = rest;
        len = target[0] == '/' ? 0 : parent;
        out[len] = '\0';
    }
    if (len == 0) {
        memcpy(out, "/", 2);
        return 1;
    }
    return len;
}

static bool is_below(const char *path, const char *folder) {
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* True if the archive alone says what is in the folder of `path`. */
static bool in_closed_folder(const char *path, size_t len) {
    while (len > 0) {
        while (len > 0 && path[--len] != '/')
            ;
        const struct whit_entry *parent = whit_look_up(path, len);
        if (parent)
            return parent->kind == WHIT_DIR && (parent->flags & WHIT_CLOSED_DIR);
    }
    return false;
}

/* The path of an open folder, as the kernel knows it. Its length, or 0. */
static size_t folder_of(int dirfd, char *path) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    long len = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (len <= 0 || path[0] != '/')
        return 0;
    path[len] = '\0';
    return (size_t)len;
}

bool whit_find(int dirfd, const char *path, bool follow, struct whit_place *place) {
    place->entry = NULL;
    place->real = path;
    place->closed = false;
    place->path[0] = '\0';
    if (!whit_archive || !path || !*path)
        return false;
    size_t len = strlen(path);
    if (len < PATH_MAX && is_plain(path, len)) {
        const struct whit_entry *entry = whit_look_up(path, len);
        if (entry && (entry->kind != WHIT_LINK || !follow)) {
            memcpy(place->path, path, len + 1);
            place->entry = entry;
            return true;
        }
    }
    int links = 0;
    if (path[0] == '/') {
        len = walk(path, follow, place, &links);
    } else if (dirfd == AT_FDCWD) {
        char absolute[PATH_MAX];
        long cwd = syscall(SYS_getcwd, absolute, sizeof absolute);
        if (cwd <= 0 || absolute[0] != '/')
            return false;
        size_t at = absolute[1] ? (size_t)cwd - 1 : 0;
        if (append(absolute, at, path, len) == 0)
            return false;
        len = walk(absolute, follow, place, &links);
        const char *workdir = whit_text(whit_archive->workdir);
        bool is_there = len && whit_look_up(place->path, len);
        /* The app knows its own files by names relative to its folder. A folder
         * that is really there is the caller's, though. */
        if (len && !is_there && whit_archive->words && *workdir && !is_below(place->path, workdir)) {
            char inside[PATH_MAX];
            struct whit_place other;
            int more = 0;
            size_t folder = strlen(workdir);
            memcpy(inside, workdir, folder + 1);
            size_t other_len = append(inside, folder, path, strlen(path)) ? walk(inside, follow, &other, &more) : 0;
            const struct whit_entry *entry = other_len ? whit_look_up(other.path, other_len) : NULL;
            struct stat st;
            if (entry && !(entry->kind == WHIT_DIR && syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0)) {
                place->entry = entry;
                return true;
            }
        }
    } else {
        char absolute[PATH_MAX];
        size_t at = folder_of(dirfd, absolute);
        if (at == 0 || append(absolute, absolute[1] ? at : 0, path, len) == 0)
            return false;
        len = walk(absolute, follow, place, &links);
    }
    if (len == 0)
        return false;
    place->entry = whit_look_up(place->path, len);
    if (links > 0)
        place->real = place->path;
    if (!place->entry)
        place->closed = (whit_archive->flags & WHIT_CLOSED) && in_closed_folder(place->path, len);
    return place->entry || links > 0 || place->closed;
}

bool whit_is_lent(const struct whit_place *place) {
    const struct whit_entry *entry = place->entry;
    return entry && strcmp(whit_text(entry->path), place->path) != 0;
}

bool whit_asks_kernel(const struct whit_entry *entry) {
    return (entry->flags & WHIT_KERNEL_FIRST) || (entry->kind == WHIT_DIR && !(entry->flags & WHIT_CLOSED_DIR));
}

bool whit_is_ours(const struct whit_place *place, bool follow) {
    if (!place->entry)
        return false;
    if (!whit_asks_kernel(place->entry))
        return true;
    struct stat st;
    return syscall(SYS_newfstatat, AT_FDCWD, place->real, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0;
}

void whit_stat_of(const struct whit_entry *entry, struct stat *st) {
    static const mode_t types[] = {S_IFDIR, S_IFREG, S_IFLNK, S_IFREG, S_IFREG};
    memset(st, 0, sizeof *st);
    st->st_dev = 0x77686974; /* "whit": no device of the kernel has this number */
    st->st_ino = whit_number(entry) + 1;
    st->st_mode = types[entry->kind] | entry->mode;
    st->st_nlink = entry->kind == WHIT_DIR ? 2 : 1;
    st->st_uid = entry->uid;
    st->st_gid = entry->gid;
    struct stat own;
    bool is_self = entry->kind == WHIT_INTERPRETER && syscall(SYS_newfstatat, AT_FDCWD, whit_self, &own, 0) == 0;
    st->st_size = is_self ? own.st_size : (off_t)entry->size;
    st->st_blksize = 4096;
    st->st_blocks = (blkcnt_t)((st->st_size + 511) / 512);
    st->st_atim.tv_sec = st->st_mtim.tv_sec = st->st_ctim.tv_sec = (time_t)entry->mtime;
}

/* Bytecode is read once and asked nothing. */
static bool is_bytecode(const struct whit_entry *file) {
    return file->path_len > 4 && memcmp(whit_text(file->path) + file->path_len - 4, ".pyc", 4) == 0;
}

int whit_open(const struct whit_entry *file, int flags) {
    const char *path = whit_text(file->path);
    const char *name = strrchr(path, '/') + 1;
    int fd = memfd_create(name, MFD_ALLOW_SEALING | (flags & O_CLOEXEC ? MFD_CLOEXEC : 0));
    if (fd < 0)
        return -1;
    int error = whit_write_out(file, fd);
    if (error) {
        close(fd);
        errno = error;
        return -1;
    }
    lseek(fd, 0, SEEK_SET);
    if (is_bytecode(file))
        return fd;
    struct timespec times[2] = {{.tv_sec = file->mtime}, {.tv_sec = file->mtime}};
    fchmod(fd, file->mode);
    futimens(fd, times);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}

static const struct whit_entry *look_up_folder(const char *path, size_t len) {
    const struct whit_entry *entry = whit_look_up(path, len);
    return entry && entry->kind == WHIT_DIR ? entry : NULL;
}

bool whit_make_parents(const char *path) {
    const char *last = strrchr(path, '/');
    /* Else nothing is made and errno stays: the caller's own call tells why it failed. */
    if (!last || last == path || !look_up_folder(path, (size_t)(last - path)))
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        char parent[PATH_MAX];
        size_t len = (size_t)(slash - path);
        memcpy(parent, path, len);
        parent[len] = '\0';
        const struct whit_entry *folder = look_up_folder(parent, len);
        if (folder)
            syscall(SYS_mkdirat, AT_FDCWD, parent, folder->mode);
    }
    return true;
}

int whit_copy_up(const struct whit_place *place) {
    if (!(place->entry->flags & WHIT_KERNEL_FIRST))
        return EROFS;
    whit_make_parents(place->path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, place->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                          place->entry->mode);
    if (fd < 0)
        return errno == EEXIST ? 0 : errno == ENOENT ? EROFS : errno;
    int error = whit_write_out(place->entry, fd);
    fchmod(fd, place->entry->mode);
    close(fd);
    if (error)
        syscall(SYS_unlinkat, AT_FDCWD, place->path, 0);
    return error;
}
