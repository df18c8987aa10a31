/* Counts its arguments; shout: changes them with a plug-in; host: looks up a name. */
#include <dlfcn.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *word(int n);

int main(int argc, char **argv)
{
    char text[256];
    if (argc > 2 && !strcmp(argv[1], "shout")) {
        void *plugin = dlopen("/opt/speak/plugins/shout.so", RTLD_NOW);
        void (*change)(char *) = plugin ? (void (*)(char *))dlsym(plugin, "change") : 0;
        if (!change) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        snprintf(text, sizeof text, "%s", argv[2]);
        change(text);
        puts(text);
        return 0;
    }
    if (argc > 2 && !strcmp(argv[1], "host")) {
        struct addrinfo *found = 0;
        int status = getaddrinfo(argv[2], "80", 0, &found);
        puts(status ? gai_strerror(status) : "found");
        return status != 0;
    }
    if (argc > 1 && !strcmp(argv[1], "user")) {
        struct passwd *user = getpwuid(getuid());
        puts(user ? user->pw_name : "nobody knows");
        return 0;
    }
    puts(word(argc - 1));
    return 0;
}
