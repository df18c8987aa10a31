/* Reading the archive: looking paths up and unpacking blocks. */
#define _GNU_SOURCE
#include "archive.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frames.h"

const struct whit_header *whit_archive;

static const char *at(uint64_t offset) { return (const char *)whit_archive + offset; }

int whit_use_archive(const void *bytes, size_t size) {
    const struct whit_header *header = bytes;
    if (size < sizeof *header || memcmp(header->magic, WHIT_MAGIC, sizeof header->magic) != 0 ||
        header->size > size)
        return -1;
    whit_archive = header;
    return 0;
}

const struct whit_entry *whit_entry_at(uint32_t number) {
    return (const struct whit_entry *)at(sizeof(struct whit_header)) + number;
}

uint32_t whit_number(const struct whit_entry *entry) {
    return (uint32_t)(entry - whit_entry_at(0));
}

const char *whit_text(uint32_t offset) { return at(whit_archive->at_texts) + offset; }

const struct whit_entry *whit_child(const struct whit_entry *dir, uint32_t nth) {
    const uint32_t *children = (const uint32_t *)at(whit_archive->at_children);
    return whit_entry_at(children[dir->block + nth]);
}

/* FNV-1a, 32 bits (draft-eastlake-fnv). */
static uint32_t hash(const char *path, size_t len) {
    uint32_t value = 2166136261u;
    for (size_t i = 0; i < len; i++)
        value = (value ^ (unsigned char)path[i]) * 16777619u;
    return value;
}

const struct whit_entry *whit_look_up(const char *path, size_t len) {
    const uint32_t *buckets = (const uint32_t *)at(whit_archive->at_buckets);
    uint32_t mask = whit_archive->buckets - 1;
    for (uint32_t i = hash(path, len) & mask; buckets[i] != 0; i = (i + 1) & mask) {
        const struct whit_entry *entry = whit_entry_at(buckets[i] - 1);
        if (entry->path_len == len && memcmp(whit_text(entry->path), path, len) == 0)
            return entry;
    }
    return NULL;
}

/* The blocks that were unpacked last. Modules of a package lie together, but
 * packages take turns with the standard library when they are imported: all that
 * a start reads is to stay until it is over, which is 14 MiB with pandas. */
enum { KEPT = 8, LARGE = 1 << 16 };
struct kept {
    uint32_t number; /* of the block, and one */
    uint32_t used;   /* when, by the clock */
    char *bytes;
    size_t size;
};
static struct {
    pthread_mutex_t lock;
    uint32_t clock;
    struct kept blocks[KEPT];
} recent = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Unpacks into memory of the block's size. */
static bool unpack_into(char *bytes, const struct whit_block *block) {
    const char *stored = at(whit_archive->at_content) + block->offset;
    return whit_unpack_frames(bytes, block->size, stored, block->stored);
}

static char *unpack(const struct whit_block *block) {
    char *bytes = mmap(NULL, block->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return NULL;
    if (!unpack_into(bytes, block)) {
        munmap(bytes, block->size);
        errno = EIO;
        return NULL;
    }
    return bytes;
}

/* A file that fills its block, a large library say, is unpacked where it is to
 * be: no copy is made and none stays. -1 where that cannot be. */
static int unpack_to(int fd, const struct whit_block *block) {
    if (ftruncate(fd, (off_t)block->size) != 0)
        return -1;
    char *bytes = mmap(NULL, block->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        return -1;
    bool unpacked = unpack_into(bytes, block);
    munmap(bytes, block->size);
    return unpacked ? 0 : EIO;
}

/* The block, unpacked, in the place of the one that was not used for longest. */
static const char *keep(uint32_t number, const struct whit_block *block) {
    struct kept *oldest = &recent.blocks[0];
    recent.clock++;
    for (struct kept *one = recent.blocks; one < recent.blocks + KEPT; one++) {
        if (one->number == number + 1) {
            one->used = recent.clock;
            return one->bytes;
        }
        if (one->used < oldest->used)
            oldest = one;
    }
    if (oldest->number)
        munmap(oldest->bytes, oldest->size);
    *oldest = (struct kept){0};
    char *bytes = unpack(block);
    if (bytes)
        *oldest = (struct kept){number + 1, recent.clock, bytes, block->size};
    return bytes;
}

static int write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

int whit_write_out(const struct whit_entry *file, int fd) {
    if (file->kind != WHIT_FILE || file->size == 0)
        return 0;
    const struct whit_block *block = (const struct whit_block *)at(whit_archive->at_blocks) + file->block;
    if (block->stored == block->size)
        return write_all(fd, at(whit_archive->at_content) + block->offset + file->offset, file->size);
    int direct = file->size == block->size && file->size >= LARGE ? unpack_to(fd, block) : -1;
    if (direct >= 0)
        return direct;
    /* Never waits: after a fork the lock's owner may not exist any more. */
    if (pthread_mutex_trylock(&recent.lock) != 0) {
        char *bytes = unpack(block);
        if (!bytes)
            return errno;
        int result = write_all(fd, bytes + file->offset, file->size);
        munmap(bytes, block->size);
        return result;
    }
    const char *bytes = keep(file->block, block);
    int result = bytes ? write_all(fd, bytes + file->offset, file->size) : errno;
    pthread_mutex_unlock(&recent.lock);
    return result;
}
