/* Calls that change what a path means. The archive stays as it is: what only it
 * has can be neither removed nor renamed, and its files are put into the file
 * system before they are changed, where they are the user's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "files.h"

static int fail(int error) {
    errno = error;
    return -1;
}

/* What to hand to the kernel for a file whose attributes are to change; NULL
 * and errno where that cannot be. */
static const char *to_change(int dirfd, const char *path, bool follow, struct whit_place *place) {
    if (!whit_find(dirfd, path, follow, place))
        return path;
    if (!place->closed && !whit_is_ours(place, follow))
        return place->real;
    int error = place->closed ? ENOENT : place->entry->kind == WHIT_FILE ? whit_copy_up(place) : EROFS;
    if (!error)
        return place->path;
    errno = error;
    return NULL;
}

/* The same for a name that is to go away. */
static const char *to_remove(int dirfd, const char *path, struct whit_place *place) {
    if (!whit_find(dirfd, path, false, place))
        return path;
    if (!place->closed && !whit_is_ours(place, false))
        return place->real;
    errno = place->closed ? ENOENT : EROFS;
    return NULL;
}

/* The same for a name that is to be made; `replaces` if it may be there already.
 * A folder that only the archive has holds no new files: it is made first. */
static const char *to_make(int dirfd, const char *path, bool replaces, struct whit_place *place) {
    bool found = whit_find(dirfd, path, false, place);
    int error = 0;
    if (found && place->closed)
        error = EROFS;
    else if (found && !replaces && !whit_is_lent(place) && whit_is_ours(place, false))
        error = EEXIST;
    else if (found && replaces && place->entry && !whit_asks_kernel(place->entry))
        error = EROFS; /* the archive's would still be seen */
    if (error) {
        errno = error;
        return NULL;
    }
    if (whit_archive)
        whit_make_parents(place->path);
    return found ? place->real : path;
}

/* True for a folder that is not empty as long as there is the archive. */
static bool holds_files(const struct whit_place *place) {
    return place->entry && place->entry->kind == WHIT_DIR && place->entry->offset > 0;
}

/* Refuses to change such a folder; that the file system is read-only comes first. */
static int refuse(const struct whit_place *folder, int error) {
    struct statvfs st;
    bool is_read_only = statvfs(folder->path, &st) == 0 && (st.f_flag & ST_RDONLY);
    return fail(is_read_only ? EROFS : error);
}

static int change_mode(int dirfd, const char *path, mode_t mode) {
    struct whit_place place;
    path = to_change(dirfd, path, true, &place);
    return path ? (int)syscall(SYS_fchmodat, dirfd, path, mode) : -1;
}
WHOLE(int, chmod, const char *path, mode_t mode) { return change_mode(AT_FDCWD, path, mode); }
CALL(int, fchmodat, int dirfd, const char *path, mode_t mode, int flags) {
    if (flags)
        return REAL(fchmodat)(dirfd, path, mode, flags);
    return change_mode(dirfd, path, mode);
}

static int change_owner(int dirfd, const char *path, uid_t uid, gid_t gid, int flags) {
    struct whit_place place;
    path = to_change(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), &place);
    return path ? (int)syscall(SYS_fchownat, dirfd, path, uid, gid, flags) : -1;
}
WHOLE(int, chown, const char *path, uid_t uid, gid_t gid) { return change_owner(AT_FDCWD, path, uid, gid, 0); }
WHOLE(int, lchown, const char *path, uid_t uid, gid_t gid) {
    return change_owner(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
WHOLE(int, fchownat, int dirfd, const char *path, uid_t uid, gid_t gid, int flags) {
    return change_owner(dirfd, path, uid, gid, flags);
}

WHOLE(int, utimensat, int dirfd, const char *path, const struct timespec times[2], int flags) {
    struct whit_place place;
    /* Of a descriptor; musl's futimens(3) comes this way. */
    if (!path)
        return (int)syscall(SYS_utimensat, dirfd, NULL, times, flags);
    path = to_change(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), &place);
    return path ? (int)syscall(SYS_utimensat, dirfd, path, times, flags) : -1;
}

WHOLE(int, truncate, const char *path, off_t size) {
    struct whit_place place;
    path = to_change(AT_FDCWD, path, true, &place);
    return path ? (int)syscall(SYS_truncate, path, size) : -1;
}
WHOLE(int, truncate64, const char *path, off_t size) { return SELF(truncate)(path, size); }

static int unlink_at(int dirfd, const char *path, int flags) {
    struct whit_place place;
    path = to_remove(dirfd, path, &place);
    if (path && flags && holds_files(&place))
        return refuse(&place, ENOTEMPTY);
    return path ? (int)syscall(SYS_unlinkat, dirfd, path, flags) : -1;
}
WHOLE(int, unlink, const char *path) { return unlink_at(AT_FDCWD, path, 0); }
WHOLE(int, rmdir, const char *path) { return unlink_at(AT_FDCWD, path, AT_REMOVEDIR); }
WHOLE(int, unlinkat, int dirfd, const char *path, int flags) { return unlink_at(dirfd, path, flags); }
WHOLE(int, remove, const char *path) {
    int result = unlink_at(AT_FDCWD, path, 0);
    return result != 0 && errno == EISDIR ? unlink_at(AT_FDCWD, path, AT_REMOVEDIR) : result;
}

/* A folder of both is refused as one of an overlay is (EXDEV): who moves files
 * copies them then. */
static int rename_at(int from_fd, const char *from, int to_fd, const char *to) {
    struct whit_place place, other;
    if (!(from = to_remove(from_fd, from, &place)))
        return -1;
    if (holds_files(&place))
        return refuse(&place, EXDEV);
    to = to_make(to_fd, to, true, &other);
    return to ? (int)syscall(SYS_renameat, from_fd, from, to_fd, to) : -1;
}
WHOLE(int, rename, const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to); }
WHOLE(int, renameat, int from_fd, const char *from, int to_fd, const char *to) {
    return rename_at(from_fd, from, to_fd, to);
}

static int make_folder(int dirfd, const char *path, mode_t mode) {
    struct whit_place place;
    path = to_make(dirfd, path, false, &place);
    return path ? (int)syscall(SYS_mkdirat, dirfd, path, mode) : -1;
}
WHOLE(int, mkdir, const char *path, mode_t mode) { return make_folder(AT_FDCWD, path, mode); }
WHOLE(int, mkdirat, int dirfd, const char *path, mode_t mode) { return make_folder(dirfd, path, mode); }

static int make_link(const char *target, int dirfd, const char *path) {
    struct whit_place place;
    path = to_make(dirfd, path, false, &place);
    return path ? (int)syscall(SYS_symlinkat, target, dirfd, path) : -1;
}
WHOLE(int, symlink, const char *target, const char *path) { return make_link(target, AT_FDCWD, path); }
WHOLE(int, symlinkat, const char *target, int dirfd, const char *path) { return make_link(target, dirfd, path); }

/* Two names of one file. */
static int link_at(int from_fd, const char *from, int to_fd, const char *to, int flags) {
    struct whit_place place, other;
    from = to_change(from_fd, from, flags & AT_SYMLINK_FOLLOW, &place);
    if (!from || !(to = to_make(to_fd, to, false, &other)))
        return -1;
    return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
}
WHOLE(int, link, const char *from, const char *to) { return link_at(AT_FDCWD, from, AT_FDCWD, to, 0); }
WHOLE(int, linkat, int from_fd, const char *from, int to_fd, const char *to, int flags) {
    return link_at(from_fd, from, to_fd, to, flags);
}

/* Extended attributes: the archive's files have none. */
static ssize_t list_attributes(const char *path, char *list, size_t size, bool follow) {
    struct whit_place place;
    if (whit_find(AT_FDCWD, path, follow, &place)) {
        if (place.closed)
            return fail(ENOENT);
        if (whit_is_ours(&place, follow))
            return 0;
        path = place.real;
    }
    return syscall(follow ? SYS_listxattr : SYS_llistxattr, path, list, size);
}
WHOLE(ssize_t, listxattr, const char *path, char *list, size_t size) {
    return list_attributes(path, list, size, true);
}
WHOLE(ssize_t, llistxattr, const char *path, char *list, size_t size) {
    return list_attributes(path, list, size, false);
}

static ssize_t get_attribute(const char *path, const char *name, void *value, size_t size, bool follow) {
    struct whit_place place;
    if (whit_find(AT_FDCWD, path, follow, &place)) {
        if (place.closed)
            return fail(ENOENT);
        if (whit_is_ours(&place, follow))
            return fail(ENODATA);
        path = place.real;
    }
    return syscall(follow ? SYS_getxattr : SYS_lgetxattr, path, name, value, size);
}
WHOLE(ssize_t, getxattr, const char *path, const char *name, void *value, size_t size) {
    return get_attribute(path, name, value, size, true);
}
WHOLE(ssize_t, lgetxattr, const char *path, const char *name, void *value, size_t size) {
    return get_attribute(path, name, value, size, false);
}
WHOLE(int, setxattr, const char *path, const char *name, const void *value, size_t size, int flags) {
    struct whit_place place;
    path = to_change(AT_FDCWD, path, true, &place);
    return path ? (int)syscall(SYS_setxattr, path, name, value, size, flags) : -1;
}

/* What only the archive has lies nowhere: what is told is the root's. */
CALL(int, statvfs, const char *path, struct statvfs *st) {
    struct whit_place place;
    if (!whit_find(AT_FDCWD, path, true, &place))
        return REAL(statvfs)(path, st);
    if (place.closed)
        return fail(ENOENT);
    int result = REAL(statvfs)(place.real, st);
    return result != 0 && errno == ENOENT && place.entry ? REAL(statvfs)("/", st) : result;
}
WHOLE(int, statvfs64, const char *path, struct statvfs *st) { return SELF(statvfs)(path, st); }
