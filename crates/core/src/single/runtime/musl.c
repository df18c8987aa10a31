/* Where musl differs from glibc and Python shows it. */
#define _GNU_SOURCE
#include <locale.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
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

static bool is_unset(const char *name) {
    const char *value = getenv(name);
    return !value || !*value;
}

/* Where no variable names a locale, glibc's is C, which Python answers with
 * UTF-8 mode (PEP 538 and 540); musl's would be C.UTF-8. */
CALL(char *, setlocale, int category, const char *name) {
    static const char *const variables[] = {
        [LC_CTYPE] = "LC_CTYPE",     [LC_NUMERIC] = "LC_NUMERIC",   [LC_TIME] = "LC_TIME",
        [LC_COLLATE] = "LC_COLLATE", [LC_MONETARY] = "LC_MONETARY", [LC_MESSAGES] = "LC_MESSAGES",
    };
    if (!name || *name || category < 0 || category > LC_ALL)
        return REAL(setlocale)(category, name);
    bool all = category == LC_ALL;
    char *set = NULL;
    for (int one = all ? 0 : category; one < (all ? LC_ALL : category + 1); one++) {
        bool is_named = !is_unset("LC_ALL") || !is_unset(variables[one]) || !is_unset("LANG");
        set = REAL(setlocale)(one, is_named ? "" : "C");
    }
    return all ? REAL(setlocale)(LC_ALL, NULL) : set;
}

/* What POSIX says of processes and Linux does for threads; musl refuses to do
 * the one in place of the other, glibc does it. */
WHOLE(int, sched_getparam, pid_t pid, struct sched_param *param) {
    return (int)syscall(SYS_sched_getparam, pid, param);
}
WHOLE(int, sched_setparam, pid_t pid, const struct sched_param *param) {
    return (int)syscall(SYS_sched_setparam, pid, param);
}
WHOLE(int, sched_getscheduler, pid_t pid) { return (int)syscall(SYS_sched_getscheduler, pid); }
WHOLE(int, sched_setscheduler, pid_t pid, int policy, const struct sched_param *param) {
    return (int)syscall(SYS_sched_setscheduler, pid, policy, param);
}
