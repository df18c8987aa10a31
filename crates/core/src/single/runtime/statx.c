/* statx(2). A file of its own, for headers declare the call only to those who
 * ask for GNU's names, and musl's do not at all. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"
#include "files.h"

/* `struct statx` of linux/stat.h, as far as the archive knows. */
struct whit_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare;
    uint64_t ino, size, blocks, attributes_mask;
    struct {
        int64_t sec;
        uint32_t nsec;
        int32_t reserved;
    } atime, btime, ctime, mtime;
    uint64_t rest[18];
};
enum { BASIC_STATS = 0x7ff };

WHOLE(int, statx, int dirfd, const char *path, int flags, unsigned mask, struct whit_statx *stx) {
    struct whit_place place;
    bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
    if (!whit_find(dirfd, path, follow, &place))
        return (int)syscall(SYS_statx, dirfd, path, flags, mask, stx);
    if (place.closed) {
        errno = ENOENT;
        return -1;
    }
    if (!place.entry || whit_asks_kernel(place.entry)) {
        int result = (int)syscall(SYS_statx, dirfd, place.real, flags, mask, stx);
        if (result == 0 || !place.entry)
            return result;
    }
    struct stat st;
    whit_stat_of(place.entry, &st);
    memset(stx, 0, sizeof *stx);
    stx->mask = BASIC_STATS;
    stx->blksize = (uint32_t)st.st_blksize;
    stx->nlink = (uint32_t)st.st_nlink;
    stx->uid = st.st_uid;
    stx->gid = st.st_gid;
    stx->mode = (uint16_t)st.st_mode;
    stx->ino = st.st_ino;
    stx->size = (uint64_t)st.st_size;
    stx->blocks = (uint64_t)st.st_blocks;
    stx->atime.sec = stx->ctime.sec = stx->mtime.sec = place.entry->mtime;
    return 0;
}
