/* A program for images of the tests: static, so that it needs nothing. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void stop(int signal) {
    (void)signal;
    _exit(0);
}

static int serve(void) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 3\r\nConnection: close\r\n\r\nok\n";
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(8000)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    signal(SIGTERM, stop);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&place, sizeof place) || listen(listener, 16))
        return 1;
    for (;;) {
        char request[4096];
        int client = accept(listener, NULL, NULL);
        if (client >= 0 && read(client, request, sizeof request) > 0)
            (void)!write(client, answer, sizeof answer - 1);
        close(client);
    }
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "serve"))
        return serve();
    if (!strcmp(mode, "announce"))
        return fputs("serving\n", stderr) < 0 || serve();
    if (!strcmp(mode, "--version"))
        return puts("tiny 1") < 0;
    if (!strcmp(mode, "sum")) {
        long sum = 0, number;
        while (scanf("%ld", &number) == 1)
            sum += number;
        printf("%ld\n", sum);
        return 0;
    }
    char data[64] = "";
    FILE *file = fopen("/app/data.txt", "r");
    if (!file || !fgets(data, sizeof data, file))
        return 3;
    fputs(data, stdout);
    return 0;
}
