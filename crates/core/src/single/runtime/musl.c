/* Where musl differs from glibc and Python shows it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "calls.h"

/* glibc calls the zone of universal time GMT, musl UTC. */
CALL(struct tm *, gmtime_r, const time_t *time, struct tm *tm) {
    tm = REAL(gmtime_r)(time, tm);
    if (tm)
        tm->tm_zone = "GMT";
    return tm;
}

/* musl prints the names of zones only that it knows itself: `%Z` is replaced by
 * the name. */
CALL(size_t, wcsftime, wchar_t *out, size_t max, const wchar_t *format, const struct tm *tm) {
    size_t zone = tm->tm_zone ? strlen(tm->tm_zone) : 0, n = 0;
    if (zone == 0 || !wcsstr(format, L"%Z"))
        return REAL(wcsftime)(out, max, format, tm);
    wchar_t *own = malloc((wcslen(format) * (1 + zone) + 1) * sizeof *own);
    if (!own)
        return 0;
    for (const wchar_t *next = format; *next; next++) {
        if (next[0] == '%' && next[1] == 'Z') {
            for (size_t i = 0; i < zone; i++)
                own[n++] = (unsigned char)tm->tm_zone[i];
            next++;
        } else {
            own[n++] = *next;
            if (next[0] == '%' && next[1])
                own[n++] = *++next;
        }
    }
    own[n] = L'\0';
    n = REAL(wcsftime)(out, max, own, tm);
    free(own);
    return n;
}

static int is_unset(const char *name) {
    const char *value = getenv(name);
    return !value || !*value;
}

/* Where no variable names a locale, glibc's is C, which Python answers with
 * UTF-8 mode (PEP 538 and 540); musl's would be C.UTF-8. */
__attribute__((constructor)) static void begin_as_glibc(void) {
    if (is_unset("LC_ALL") && is_unset("LC_CTYPE") && is_unset("LANG"))
        setenv("LC_CTYPE", "C", 1);
}
