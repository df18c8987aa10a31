/* The archive as a segment of this executable. */
#ifndef WHIT_SEGMENT_H
#define WHIT_SEGMENT_H

#include <link.h>
#include <sys/auxv.h>

#include "archive.h"

/* The last segment is the archive; its header, or NULL where the executable has
 * none. (An earlier one may begin with the archive's magic by chance: the text
 * to compare with is among the executable's own constants.) */
static inline const ElfW(Phdr) *whit_find_segment(void) {
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR), *last = NULL;
    unsigned long count = getauxval(AT_PHNUM);
    for (unsigned long i = 0; headers && i < count; i++)
        if (headers[i].p_type == PT_LOAD)
            last = &headers[i];
    if (!last || whit_use_archive((const void *)last->p_vaddr, last->p_filesz) != 0)
        return NULL;
    return last;
}

#endif
