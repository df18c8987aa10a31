/* What Debian's libstdc++ and libgcc_eh, built for glibc, want of their C library
   and musl does not have. To be linked with --eh-frame-hdr, by which exceptions find
   the tables of their functions. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stdlib.h>

char __libc_single_threaded;

/* As in glibc's <dlfcn.h>. */
struct object {
    unsigned long long flags;
    void *start, *end;
    void *map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search { void *address; struct object *object; int found; };

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    ElfW(Addr) address = (ElfW(Addr))search->address;
    void *table = NULL;
    int inside = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        ElfW(Addr) start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_GNU_EH_FRAME)
            table = (void *)start;
        if (part->p_type == PT_LOAD && address >= start && address < start + part->p_memsz) {
            inside = 1;
            search->object->start = (void *)start;
            search->object->end = (void *)(start + part->p_memsz);
        }
    }
    if (!inside || !table)
        return 0;
    search->object->eh_frame = table;
    search->found = 1;
    return 1;
}

int _dl_find_object(void *address, struct object *object)
{
    struct search search = {address, object, 0};
    dl_iterate_phdr(look, &search);
    return search.found ? 0 : -1;
}

/* Destructors of thread-local objects, the last one first. */
struct ending { void (*call)(void *); void *object; struct ending *next; };
static pthread_key_t endings;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void end(void *list)
{
    for (struct ending *one = list, *next; one; one = next) {
        next = one->next;
        one->call(one->object);
        free(one);
    }
}

static void prepare(void) { pthread_key_create(&endings, end); }

int __cxa_thread_atexit_impl(void (*call)(void *), void *object, void *library)
{
    struct ending *one = malloc(sizeof *one);
    (void)library;
    if (!one)
        return -1;
    pthread_once(&once, prepare);
    *one = (struct ending){call, object, pthread_getspecific(endings)};
    return pthread_setspecific(endings, one);
}
