/* The carried form's library, loaded before all others: it shows the archive to
 * the interpreter and to everything that is loaded into its process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "calls.h"
#include "start.h"

extern char *program_invocation_short_name;

/* Runs before the interpreter and the other constructors. */
__attribute__((constructor(102))) static void take_archive(void) {
    /* Descriptors with commas, the executable's first; the archive's place in
     * it, and its path. */
    const char *told = getenv("WHIT_ARCHIVE");
    const char *rest = told ? strchr(told, ' ') : NULL;
    unsigned long long offset, size;
    int at = 0;
    if (!rest || sscanf(rest, " %llu %llu %n", &offset, &size, &at) != 2)
        return;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, atoi(told), (off_t)offset);
    if (bytes != MAP_FAILED)
        whit_use_archive(bytes, size);
    whit_self = strdup(rest + at);
    /* The memory files are mapped by now. Between their numbers there may be
     * what the parent handed down. */
    while (told < rest) {
        char *end;
        close((int)strtol(told, &end, 10));
        told = end + 1;
    }
    unsetenv("WHIT_ARCHIVE");
    prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
}

/* The paths from which files were loaded, by number of their entries. */
static struct {
    pthread_mutex_t lock;
    char **paths;
    unsigned count;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *(*real_dlopen)(const char *, int);
__attribute__((constructor(101))) static void find_dlopen(void) {
    *(void **)&real_dlopen = dlsym(RTLD_NEXT, "dlopen");
}

/* Loads a file of the archive from a memory file. The loader knows a library by
 * the path that it was loaded from, and numbers of descriptors come again: each
 * path is spelled in a way of its own. */
static void *load(const struct whit_entry *file, int flags) {
    char **known = &loaded.paths[whit_number(file)];
    if (*known)
        return real_dlopen(*known, flags);
    int fd = whit_open(file, O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char path[128];
    size_t len = (size_t)snprintf(path, sizeof path, "/proc/self");
    for (unsigned bits = ++loaded.count | 1u << 16; bits > 1; bits >>= 1)
        len += (size_t)snprintf(path + len, sizeof path - len, bits & 1 ? "/." : "/");
    snprintf(path + len, sizeof path - len, "/fd/%d", fd);
    void *library = real_dlopen(path, flags);
    close(fd);
    if (library)
        *known = strdup(path);
    return library;
}

/* Libraries that `file` is linked to and the loader would not find:
 * `/.whit/needs/PATH/0`, `1` …, those first that others need. */
static void load_needs(const struct whit_entry *file) {
    char path[PATH_MAX + 32];
    for (int i = 0;; i++) {
        int len = snprintf(path, sizeof path, "/.whit/needs%s/%d", whit_text(file->path), i);
        const struct whit_entry *link = whit_look_up(path, (size_t)len);
        if (!link || link->kind != WHIT_LINK)
            return;
        const char *target = whit_text(link->block);
        const struct whit_entry *library = whit_look_up(target, strlen(target));
        if (library && !loaded.paths[whit_number(library)])
            load(library, RTLD_LAZY | RTLD_LOCAL);
    }
}

__attribute__((visibility("default"))) void *dlopen(const char *path, int flags) {
    struct whit_place place;
    char named[PATH_MAX];
    if (!path || !whit_archive)
        return real_dlopen(path, flags);
    const char *name = path;
    /* A library that is asked for by its soname. */
    if (!strchr(path, '/') && strlen(path) < PATH_MAX - 32) {
        snprintf(named, sizeof named, "/.whit/lib/%s", path);
        name = named;
    }
    if (!whit_find(AT_FDCWD, name, true, &place) || !place.entry || place.entry->kind != WHIT_FILE ||
        !whit_is_ours(&place, true))
        return real_dlopen(path, flags);
    /* Of what is loaded already, the loader knows the soname. */
    void *library = strchr(path, '/') ? NULL : real_dlopen(path, flags | RTLD_NOLOAD);
    if (library)
        return library;
    pthread_mutex_lock(&loaded.lock);
    if (!loaded.paths)
        loaded.paths = calloc(whit_archive->entries, sizeof *loaded.paths);
    if (loaded.paths) {
        load_needs(place.entry);
        library = load(place.entry, flags);
    }
    pthread_mutex_unlock(&loaded.lock);
    return library;
}
