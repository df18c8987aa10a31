/* Prints who it is and what a file holds. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char text[256] = "";
    FILE *file = fopen(argc > 1 ? argv[1] : "/etc/secret", "r");
    printf("%d %d %d ", (int)getuid(), (int)geteuid(), (int)getegid());
    if (!file) {
        perror("refused");
        puts("refused");
        return 1;
    }
    puts(fgets(text, sizeof text, file) ? text : "empty");
    return 0;
}
