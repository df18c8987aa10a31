/* Starting programs of the archive: for the kernel they are no files, and this
 * executable takes their part. Where there is a file of the same name, that is
 * started, which in an image is this executable under that name. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"
#include "start.h"

static bool is_file(const char *path) {
    return syscall(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
}

/* Exchanges `path` and `argv` if they mean a program that only the archive has.
 * No memory is allocated: a child may be here that shares its parent's. */
#define EXCHANGE(path, argv)                                                                       \
    struct whit_place place;                                                                       \
    char *words[whit_count(argv) + 4];                                                             \
    if (whit_archive && !is_file(path) && whit_program(path, argv, words, &place)) {               \
        path = whit_self;                                                                          \
        argv = words;                                                                              \
    }

CALL(int, execve, const char *path, char *const argv[], char *const envp[]) {
    EXCHANGE(path, argv)
    return REAL(execve)(path, argv, envp);
}

WHOLE(int, execv, const char *path, char *const argv[]) { return SELF(execve)(path, argv, environ); }

CALL(int, posix_spawn, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    EXCHANGE(path, argv)
    return REAL(posix_spawn)(pid, path, actions, attributes, argv, envp);
}
