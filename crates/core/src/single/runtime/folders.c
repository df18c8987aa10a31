/* Reading folders: what the archive has, and what the file system has there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "files.h"

/* Both C libraries call the same structure `dirent` and `dirent64`. */
struct stream {
    uint64_t magic;
    const struct whit_entry *dir;
    uint32_t next; /* child of the archive, after `.` and `..` */
    DIR *real;     /* NULL where the file system has no such folder */
    struct dirent entry;
};
/* No DIR of a C library begins with this. */
static const uint64_t MAGIC = 0x7ed1f4a9c35b0e62;

static struct stream *ours(DIR *dir) {
    struct stream *stream = (struct stream *)dir;
    return stream->magic == MAGIC ? stream : NULL;
}

CALL(DIR *, opendir, const char *path) {
    struct whit_place place;
    if (!whit_find(AT_FDCWD, path, true, &place))
        return REAL(opendir)(path);
    if (place.closed) {
        errno = ENOENT;
        return NULL;
    }
    const struct whit_entry *dir = place.entry;
    if (!dir || (dir->kind != WHIT_DIR && !whit_is_ours(&place, true)))
        return REAL(opendir)(place.real);
    if (dir->kind != WHIT_DIR) {
        errno = ENOTDIR;
        return NULL;
    }
    DIR *real = dir->flags & WHIT_CLOSED_DIR ? NULL : REAL(opendir)(place.real);
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->magic = MAGIC;
    stream->dir = dir;
    stream->real = real;
    errno = 0;
    return (DIR *)stream;
}

/* A folder by its descriptor: what the kernel calls it, the archive may know. */
CALL(DIR *, fdopendir, int fd) {
    struct whit_place place;
    DIR *real = REAL(fdopendir)(fd);
    if (!real || !whit_find(fd, ".", true, &place) || !place.entry || place.entry->kind != WHIT_DIR)
        return real;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return real;
    stream->magic = MAGIC;
    stream->dir = place.entry;
    stream->real = real;
    return (DIR *)stream;
}

/* The library's own readdir(3), which `next` asks. */
#ifndef WHIT_CARRIED
extern struct dirent *__real_readdir(DIR *);
#define real_readdir __real_readdir
#else
static struct dirent *(*real_readdir)(DIR *);
__attribute__((constructor(101))) static void find_readdir(void) {
    *(void **)&real_readdir = dlsym(RTLD_NEXT, "readdir");
}
#endif

static struct dirent *next(DIR *dir) {
    static const unsigned char types[] = {DT_DIR, DT_REG, DT_LNK, DT_REG, DT_REG};
    struct stream *stream = ours(dir);
    if (!stream)
        return real_readdir(dir);
    /* The file system's own, but for what the archive has, too. */
    while (stream->real) {
        struct dirent *entry = real_readdir(stream->real);
        if (!entry)
            break;
        char path[PATH_MAX];
        size_t len = stream->dir->path_len, name_len = strlen(entry->d_name);
        if (len + 1 + name_len >= sizeof path)
            return entry;
        memcpy(path, whit_text(stream->dir->path), len);
        path[len] = '/';
        memcpy(path + len + 1, entry->d_name, name_len);
        /* The root's path is "/". */
        bool is_root = len == 1;
        if (!whit_look_up(path + is_root, len + 1 + name_len - is_root))
            return entry;
    }
    uint32_t dots = stream->real ? 0 : 2;
    if (stream->next >= dots + stream->dir->offset)
        return NULL;
    const char *name;
    memset(&stream->entry, 0, sizeof stream->entry);
    if (stream->next < dots) {
        name = &".."[1 - stream->next];
        stream->entry.d_type = DT_DIR;
    } else {
        const struct whit_entry *child = whit_child(stream->dir, stream->next - dots);
        name = strrchr(whit_text(child->path), '/') + 1;
        stream->entry.d_type = types[child->kind];
        stream->entry.d_ino = whit_number(child) + 1;
    }
    stream->next++;
    stream->entry.d_off = stream->next;
    stream->entry.d_reclen = sizeof stream->entry;
    strncpy(stream->entry.d_name, name, sizeof stream->entry.d_name - 1);
    return &stream->entry;
}
WHOLE(struct dirent *, readdir, DIR *dir) { return next(dir); }
WHOLE(struct dirent *, readdir64, DIR *dir) { return next(dir); }

CALL(int, closedir, DIR *dir) {
    struct stream *stream = ours(dir);
    if (!stream)
        return REAL(closedir)(dir);
    if (stream->real)
        REAL(closedir)(stream->real);
    stream->magic = 0;
    free(stream);
    return 0;
}

CALL(void, rewinddir, DIR *dir) {
    struct stream *stream = ours(dir);
    if (!stream) {
        REAL(rewinddir)(dir);
        return;
    }
    stream->next = 0;
    if (stream->real)
        REAL(rewinddir)(stream->real);
}

CALL(int, dirfd, DIR *dir) {
    struct stream *stream = ours(dir);
    if (!stream)
        return REAL(dirfd)(dir);
    if (stream->real)
        return REAL(dirfd)(stream->real);
    errno = ENOTSUP;
    return -1;
}
