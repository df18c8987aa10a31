/* Programs of the archive: the interpreter, which is this executable, and
 * scripts that name it in their first line. */
#define _GNU_SOURCE
#include "start.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The longest first line of a script that Linux reads (binfmt_script). */
enum { FIRST_LINE = 256 };

const char *whit_self = "/proc/self/exe";

/* The interpreter and its argument, as a script's first line names them. */
struct shebang {
    char line[FIRST_LINE];
    char *program, *argument;
};

/* Reads without allocating: it may run between fork(2) and execve(2). */
static bool read_shebang(const struct whit_entry *script, struct shebang *shebang) {
    int fd = whit_open(script, O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, shebang->line, sizeof shebang->line - 1);
    close(fd);
    if (len < 3 || shebang->line[0] != '#' || shebang->line[1] != '!')
        return false;
    shebang->line[len] = '\0';
    shebang->line[strcspn(shebang->line, "\n")] = '\0';
    shebang->program = shebang->line + 2 + strspn(shebang->line + 2, " \t");
    char *end = shebang->program + strcspn(shebang->program, " \t");
    shebang->argument = end + strspn(end, " \t");
    *end = '\0';
    if (!*shebang->argument)
        shebang->argument = NULL;
    return true;
}

static bool is_interpreter(const char *path) {
    struct whit_place place;
    return whit_find(AT_FDCWD, path, true, &place) && place.entry && place.entry->kind == WHIT_INTERPRETER;
}

/* Searches `PATH` in the archive, for a name without slashes. */
static bool search(const char *name, char *path) {
    const char *folders = getenv("PATH");
    size_t len = strlen(name);
    for (const char *folder = folders ? folders : ""; *folder;) {
        size_t part = strcspn(folder, ":");
        if (part > 0 && part + 1 + len < PATH_MAX) {
            memcpy(path, folder, part);
            path[part] = '/';
            memcpy(path + part + 1, name, len + 1);
            struct whit_place place;
            if (whit_find(AT_FDCWD, path, true, &place) && place.entry && place.entry->kind != WHIT_DIR)
                return true;
        }
        folder += part + (folder[part] == ':');
    }
    return false;
}

bool whit_program(const char *path, char *const argv[], char **words, struct whit_place *place) {
    /* Kept for the caller: `words` points into it. */
    static _Thread_local struct shebang shebang;
    static _Thread_local char found[PATH_MAX];
    if (!whit_find(AT_FDCWD, path, true, place) || !place->entry)
        return false;
    size_t to = 0, from = argv[0] ? 1 : 0;
    if (place->entry->kind == WHIT_INTERPRETER) {
        words[to++] = is_interpreter(argv[0] ? argv[0] : "") ? argv[0] : (char *)path;
    } else if (place->entry->kind == WHIT_FILE && (place->entry->mode & 0111) && read_shebang(place->entry, &shebang)) {
        char *program = shebang.program, *argument = shebang.argument;
        if (argument && strcmp(program, "/usr/bin/env") == 0 && search(argument, found)) {
            program = found;
            argument = NULL;
        }
        if (!is_interpreter(program))
            return false;
        words[to++] = program;
        if (argument)
            words[to++] = argument;
        words[to++] = (char *)path;
    } else {
        return false;
    }
    while (argv[0] && argv[from])
        words[to++] = argv[from++];
    words[to] = NULL;
    return true;
}

int whit_count(char *const argv[]) {
    int words = 0;
    while (argv[words])
        words++;
    return words;
}

/* What an image would have in its configuration. */
static void set_variables(void) {
    const char *variable = whit_text(whit_archive->variables);
    for (uint32_t i = 0; i < whit_archive->settings; i++, variable += strlen(variable) + 1) {
        const char *value = strchr(variable, '=');
        char *name = value ? strndup(variable, (size_t)(value - variable)) : NULL;
        if (name)
            setenv(name, value + 1, 0);
        free(name);
    }
}

/* The app's modules are found in its folder, where it would start in an image. */
static void add_to_python_path(const char *folder) {
    const char *others = getenv("PYTHONPATH");
    char *path = malloc(strlen(folder) + 2 + (others ? strlen(others) : 0));
    if (!path || !*folder)
        return;
    strcpy(path, folder);
    if (others && *others)
        strcat(strcat(path, ":"), others);
    setenv("PYTHONPATH", path, 1);
    free(path);
}

char **whit_command(char **argv, int *argc) {
    struct whit_place place;
    char path[PATH_MAX];
    const char *program = argv[0] ? argv[0] : "";
    char **words = calloc((size_t)*argc + 4, sizeof *words);
    if (!words || !whit_archive)
        return argv;
    if (strchr(program, '/') == NULL && search(program, path))
        program = path;
    if (whit_program(program, argv, words, &place)) {
        /* The name that it was called by is what `sys.executable` is found by. */
        if (place.entry->kind == WHIT_INTERPRETER)
            words[0] = argv[0];
        else
            words[whit_count(words) - *argc] = strdup(program);
        *argc = whit_count(words);
        return words;
    }
    uint32_t own = whit_archive->words;
    if (own == 0)
        return argv;
    /* The app itself: its command, and what was typed behind this name. */
    set_variables();
    add_to_python_path(whit_text(whit_archive->workdir));
    char **command = calloc((size_t)*argc + own + 4, sizeof *command);
    char **full = calloc((size_t)*argc + own + 4, sizeof *full);
    if (!command || !full)
        return argv;
    const char *word = whit_text(whit_archive->command);
    for (uint32_t i = 0; i < own; i++, word += strlen(word) + 1)
        command[i] = (char *)word;
    memcpy(command + own, argv + 1, (size_t)(*argc) * sizeof *command);
    program = command[0];
    if (!whit_program(program, command, full, &place))
        return argv;
    *argc = whit_count(full);
    return full;
}
