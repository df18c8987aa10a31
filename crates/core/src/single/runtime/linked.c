/* The linked form: Python's interpreter with its modules in this executable. */
#define _GNU_SOURCE
#include <Python.h>
#include <fcntl.h>
#include <string.h>

#include "modules.h"
#include "segment.h"
#include "start.h"

/* What Python's import calls where it would call dlopen(3): extension modules
 * lie in the archive as empty files, whose entries say which one is meant. */
typedef void (*dl_funcptr)(void);
const char *_PyImport_DynLoadFiletab[] = {WHIT_MODULE_SUFFIXES, NULL};

dl_funcptr _PyImport_FindSharedFuncptr(const char *prefix, const char *shortname, const char *pathname, FILE *fp) {
    (void)fp;
    struct whit_place place;
    if (whit_find(AT_FDCWD, pathname, true, &place) && place.entry && place.entry->kind == WHIT_MODULE) {
        /* A file could hold several modules; linked is the one that it is named
         * after. For others Python says that there is no such function. */
        const char *name = strrchr(place.path, '/') + 1;
        size_t len = strcspn(name, ".");
        bool is_asked_for = strncmp(name, shortname, len) == 0 && shortname[len] == '\0';
        return is_asked_for && strcmp(prefix, "PyInit") == 0 ? whit_modules[place.entry->block] : NULL;
    }
    PyErr_Format(PyExc_ImportError,
                 "%s: this executable is static and loads no extension modules but those linked into it",
                 pathname);
    return NULL;
}

int main(int argc, char **argv) {
    whit_find_segment();
    argv = whit_command(argv, &argc);
    return Py_BytesMain(argc, argv);
}
