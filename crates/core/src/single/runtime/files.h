/* Paths of the archive's files, seen as a kernel would see them. */
#ifndef WHIT_FILES_H
#define WHIT_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "archive.h"

struct whit_place {
    const struct whit_entry *entry; /* NULL: the archive has no such file */
    const char *real;               /* what to ask the kernel for instead */
    bool closed;                    /* nor is the kernel to be asked */
    char path[PATH_MAX];            /* absolute, links of the archive followed */
};

/* True for a file of the app's folder that is meant by a name relative to the
 * caller's: it is read there, but what is written is written to the caller's. */
bool whit_is_lent(const struct whit_place *place);

/* Where a path leads. False if the archive has no say in it. */
bool whit_find(int dirfd, const char *path, bool follow, struct whit_place *place);

/* True if the archive's file counts: the kernel is asked first where a file of
 * its own would win. */
bool whit_is_ours(const struct whit_place *place, bool follow);

/* True if the file system knows better than the archive: the user's own files,
 * and folders that both have. */
bool whit_asks_kernel(const struct whit_entry *entry);

void whit_stat_of(const struct whit_entry *entry, struct stat *st);

/* A descriptor of a sealed memory file with the file's content; -1 and errno. */
int whit_open(const struct whit_entry *file, int flags);

/* Puts the archive's file into the file system, to be written to; 0 or an errno.
 * EROFS where the archive would hide it. */
int whit_copy_up(const struct whit_place *place);

/* Makes the folders above a path that only the archive has. False if there is
 * none of the archive's directly above. */
bool whit_make_parents(const char *path);

#endif
