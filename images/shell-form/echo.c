/* Answers every request on a port with the content of a file. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int door = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&here, sizeof here) || listen(door, 16)) {
        perror("echo");
        return 1;
    }
    for (;;) {
        char request[2048], text[256];
        int line = accept(door, 0, 0);
        if (line >= 0 && read(line, request, sizeof request) > 0) {
            FILE *file = fopen(argv[2], "r");
            size_t size = file ? fread(text, 1, sizeof text, file) : 0;
            if (file)
                fclose(file);
            dprintf(line, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
                    size, (int)size, text);
        }
        if (line >= 0)
            close(line);
    }
}
