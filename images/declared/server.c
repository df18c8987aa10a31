/* Answers every request with what a file holds, and who it is; SIGUSR1 ends it
 * with status 3, SIGTERM with 0. */
#include <arpa/inet.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int signal)
{
    _exit(signal == SIGUSR1 ? 3 : 0);
}

static void answer(int line, const char *path)
{
    char request[2048], body[1024], held[64] = "nothing";
    ssize_t got = read(line, request, sizeof request - 1);
    if (got <= 0)
        return;
    request[got] = 0;
    if (strncmp(request, "GET /health", 11) == 0) {
        snprintf(body, sizeof body, "fine\n");
    } else {
        FILE *file = fopen(path, "r");
        int count = 0;
        if (file) {
            if (fscanf(file, "%d", &count) == 1)
                snprintf(held, sizeof held, "%d", ++count);
            fclose(file);
        }
        if ((file = fopen(path, "w"))) {
            fprintf(file, "%d\n", count);
            fclose(file);
        }
        struct passwd *user = getpwuid(getuid());
        snprintf(body, sizeof body, "%s %s %s\n", held, user ? user->pw_name : "?",
                 user ? user->pw_dir : "?");
    }
    dprintf(line, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
            strlen(body), body);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    signal(SIGUSR1, end);
    signal(SIGTERM, end);
    int door = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&here, sizeof here) || listen(door, 16)) {
        perror("server");
        return 1;
    }
    for (;;) {
        int line = accept(door, 0, 0);
        if (line < 0)
            continue;
        answer(line, argv[2]);
        close(line);
    }
}
