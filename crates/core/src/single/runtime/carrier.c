/* The carried form begins here: a static program that unpacks the dynamic
 * interpreter, its loader and its libraries into memory files and becomes them.
 * Nothing is written to a disk, and the loader searches for nothing: it is
 * handed every library that the interpreter is linked to.
 *
 * In the archive, `/.whit/loader`, `/.whit/python` and `/.whit/first/0`, `1` …
 * are links to what is meant; the first of the libraries is whit's own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segment.h"
#include "start.h"

static void give_up(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(127);
}

/* The descriptors that are to be closed again, as text. */
static char opened[2048];

static void note(int fd) {
    size_t used = strlen(opened);
    snprintf(opened + used, sizeof opened - used, used ? ",%d" : "%d", fd);
}

static int unpack(const char *path) {
    struct whit_place place;
    if (!whit_find(AT_FDCWD, path, true, &place) || !place.entry)
        return -1;
    int fd = whit_open(place.entry, 0);
    if (fd < 0)
        give_up(place.path);
    note(fd);
    return fd;
}

int main(int argc, char **argv) {
    const ElfW(Phdr) *segment = whit_find_segment();
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char name[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", name, sizeof name - 1);
    if (!segment || self < 0 || len < 0)
        give_up("/proc/self/exe");
    name[len] = '\0';
    note(self);
    char **words = whit_command(argv, &argc);

    char first[4096] = "", path[64];
    size_t used = 0;
    for (int i = 0;; i++) {
        snprintf(path, sizeof path, "/.whit/first/%d", i);
        int fd = unpack(path);
        if (fd < 0)
            break;
        used += (size_t)snprintf(first + used, sizeof first - used, "%s/proc/self/fd/%d", used ? ":" : "", fd);
    }
    int loader = unpack("/.whit/loader"), python = unpack("/.whit/python");
    char program[64], start[64];
    snprintf(program, sizeof program, "/proc/self/fd/%d", python);
    snprintf(start, sizeof start, "/proc/self/fd/%d", loader);

    /* Taken out of the environment before the interpreter sees it. */
    char archive[PATH_MAX + sizeof opened + 64];
    snprintf(archive, sizeof archive, "%s %llu %llu %s", opened, (unsigned long long)segment->p_offset,
             (unsigned long long)segment->p_filesz, name);
    setenv("WHIT_ARCHIVE", archive, 1);
    fcntl(self, F_SETFD, 0);

    char **command = calloc((size_t)argc + 8, sizeof *command);
    char *own[] = {"ld.so", "--argv0", words[0] ? words[0] : "python", "--preload", first, program};
    memcpy(command, own, sizeof own);
    if (words[0])
        memcpy(command + 6, words + 1, (size_t)argc * sizeof *command);
    extern char **environ;
    execve(start, command, environ);
    give_up("the loader");
}
