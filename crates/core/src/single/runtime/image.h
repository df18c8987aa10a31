/* A program that is compressed inside of an executable, as
 * `core::single::compressed` writes it: on the first page behind the archive. */
#ifndef WHIT_IMAGE_H
#define WHIT_IMAGE_H

#include <stdint.h>

#define WHIT_IMAGE 0x474f525054494857u /* "WHITPROG" */

/* One segment of the program. */
struct whit_part {
    uint64_t address;
    uint64_t memory; /* bytes in memory; those after `size` are zero */
    uint64_t size;   /* bytes unpacked */
    uint64_t offset; /* from the image */
    uint64_t stored; /* bytes, frames of zstd one behind the other */
    uint64_t flags;  /* PF_R, PF_W, PF_X */
};

struct whit_image {
    uint64_t magic;
    uint64_t entry;
    uint64_t headers; /* the address of the program's own headers */
    uint32_t header_count;
    uint32_t parts;
    struct whit_part part[];
};

#endif
