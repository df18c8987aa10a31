/* The archive at the end of an executable that whit made: a tree of files,
 * sorted by path, whose content lies in blocks that are compressed with zstd
 * or plain. All numbers are little endian; `core::single::archive` writes it.
 *
 *   header, entries, buckets, blocks, children, texts, content
 */
#ifndef WHIT_ARCHIVE_H
#define WHIT_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#define WHIT_MAGIC "WHITARC1"

/* Flags of the archive. */
#define WHIT_CLOSED 1u /* what a closed folder lacks is not asked of the kernel */

struct whit_header {
    char magic[8];
    uint32_t flags;
    uint32_t entries;
    uint32_t buckets; /* a power of two */
    uint32_t blocks;
    uint32_t command; /* texts: words that each end with NUL, as many as `words` */
    uint32_t words;   /* 0 where the executable is the interpreter itself */
    uint32_t workdir; /* texts: the folder of the app's own files; "" for none */
    uint32_t children;
    uint32_t variables; /* texts: NAME=VALUE for the environment, as many as `settings` */
    uint32_t settings;
    uint64_t at_buckets, at_blocks, at_children, at_texts, at_content;
    uint64_t size; /* of the whole archive */
};

enum whit_kind {
    WHIT_DIR,
    WHIT_FILE,
    WHIT_LINK,
    WHIT_MODULE,      /* an extension module: linked in, number `block` */
    WHIT_INTERPRETER, /* this executable itself */
};

/* Flags of an entry. */
#define WHIT_KERNEL_FIRST 1u /* the file system's own file of this name wins */
#define WHIT_CLOSED_DIR 2u   /* all that this folder holds is in the archive */

struct whit_entry {
    uint32_t path; /* texts; ends with NUL */
    uint16_t path_len;
    uint8_t kind;
    uint8_t flags;
    uint32_t mode; /* permission bits */
    uint32_t uid, gid;
    uint32_t block;  /* of a folder: its first child; of a link: its target in texts */
    uint32_t offset; /* in the unpacked block; of a folder: the number of children */
    uint32_t reserved;
    uint64_t size;
    int64_t mtime; /* seconds since 1970 */
};

struct whit_block {
    uint64_t offset; /* from `at_content` */
    uint32_t stored; /* bytes in the archive; equal to `size` where it is plain */
    uint32_t size;   /* bytes unpacked */
};

/* The archive of this process; NULL where there is none. */
extern const struct whit_header *whit_archive;

/* Takes the bytes as the archive of this process. 0, or -1 if they are none. */
int whit_use_archive(const void *bytes, size_t size);

const struct whit_entry *whit_entry_at(uint32_t number);
uint32_t whit_number(const struct whit_entry *entry);
const char *whit_text(uint32_t at);
const struct whit_entry *whit_child(const struct whit_entry *dir, uint32_t nth);

/* The entry of an absolute path without links, `.`, `..` or double slashes. */
const struct whit_entry *whit_look_up(const char *path, size_t len);

/* Hands a file's content over, piece by piece or at once; 0 or an errno. */
int whit_write_out(const struct whit_entry *file, int fd);

#endif
