/* Turns letters by 13 places. */
#include <string.h>
#include <unistd.h>

#include "rot.h"

static int say(int to, const char *text)
{
	return write(to, text, strlen(text)) < 0;
}

int main(int argc, char **argv)
{
	char buffer[4096];
	ssize_t n;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return say(1, "usage: rot13 [WORD]...\nTurns words, or the input.\n");
	if (argc > 1) {
		for (int i = 1; i < argc; i++) {
			for (char *c = argv[i]; *c; c++)
				*c = (char)rot13(*c);
			say(1, argv[i]);
			say(1, i + 1 < argc ? " " : "\n");
		}
		return 0;
	}
	while ((n = read(0, buffer, sizeof buffer)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			buffer[i] = (char)rot13(buffer[i]);
		if (write(1, buffer, (size_t)n) != n)
			return 1;
	}
	return n < 0;
}
