/* How a call of the C library gets a second meaning.
 *
 * Linked: the linker's `--wrap=NAME` leads callers to `__wrap_NAME`, and
 * `__real_NAME` is the library's own. Carried: the loader finds `NAME` here
 * first, and the library's own is the next one (dlsym(3), RTLD_NEXT).
 */
#ifndef WHIT_CALLS_H
#define WHIT_CALLS_H

#ifndef WHIT_CARRIED
#define CALL(result, name, ...)          \
    extern result __real_##name(__VA_ARGS__); \
    result __wrap_##name(__VA_ARGS__)
#define REAL(name) __real_##name
/* A call that is answered without the library's own. */
#define WHOLE(result, name, ...) result __wrap_##name(__VA_ARGS__)
#define SELF(name) __wrap_##name
#else
#include <dlfcn.h>
#ifndef RTLD_NEXT
#define RTLD_NEXT ((void *)-1l) /* declared for _GNU_SOURCE only */
#endif
#define CALL(result, name, ...)                                        \
    static result (*real_##name)(__VA_ARGS__);                         \
    __attribute__((constructor(101))) static void find_##name(void) {  \
        *(void **)&real_##name = dlsym(RTLD_NEXT, #name);              \
    }                                                                  \
    __attribute__((visibility("default"))) result name(__VA_ARGS__)
#define REAL(name) real_##name
#define WHOLE(result, name, ...) __attribute__((visibility("default"))) result name(__VA_ARGS__)
#define SELF(name) name
#endif

#endif
