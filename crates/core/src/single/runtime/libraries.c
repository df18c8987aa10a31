/* Opening shared libraries (dlopen(3)): a static executable has none but itself.
 * `ctypes` asks for that as soon as it is imported. */
#include <stddef.h>
#include <string.h>

#include "calls.h"

static char self;
static _Thread_local const char *failure;

WHOLE(void *, dlopen, const char *path, int flags) {
    (void)flags;
    if (!path)
        return &self;
    failure = "this executable is static: it loads no shared libraries";
    return NULL;
}

WHOLE(void *, dlsym, void *library, const char *name) {
    (void)library;
    (void)name;
    failure = "this executable is static: it gives no functions out by name";
    return NULL;
}

WHOLE(int, dlclose, void *library) {
    (void)library;
    return 0;
}

WHOLE(char *, dlerror, void) {
    const char *told = failure;
    failure = NULL;
    return (char *)told;
}
