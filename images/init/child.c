/* serve: leaves an orphan that ends at once, and waits for SIGTERM.
 * Anything else: prints it with the greeting. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void end(int signal)
{
    static const char text[] = "ended\n";
    (void)signal;
    if (write(1, text, sizeof text - 1) < 0)
        _exit(1);
    _exit(7);
}

int main(int argc, char **argv)
{
    const char *greeting = getenv("GREETING");
    setvbuf(stdout, 0, _IOLBF, 0);
    if (argc < 2 || strcmp(argv[1], "serve") != 0) {
        printf("%s %s\n", greeting ? greeting : "-", argc > 1 ? argv[1] : "");
        return argc > 1 ? 0 : 5;
    }
    signal(SIGTERM, end);
    if (fork() == 0) {
        if (fork() == 0) {
            usleep(100000);
            _exit(0);
        }
        _exit(0);
    }
    printf("%s serving as %s\n", greeting ? greeting : "-", getpid() == 1 ? "1" : "a child");
    for (;;)
        pause();
}
