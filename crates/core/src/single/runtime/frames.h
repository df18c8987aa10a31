/* Unpacking what zstd compressed. */
#ifndef WHIT_FRAMES_H
#define WHIT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Unpacks frames of zstd that lie one behind the other (RFC 8878, 3.1) into
 * memory of exactly their size. Where that is much, a second thread helps; none
 * is left at the end. False if they are damaged or there is no memory. */
bool whit_unpack_frames(char *bytes, size_t size, const char *stored, size_t stored_size);

#endif
