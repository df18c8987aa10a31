/* Which program of the archive a command means, and how this executable
 * becomes it. */
#ifndef WHIT_START_H
#define WHIT_START_H

#include "files.h"

/* The executable's own file, as a path that can be opened and executed. */
extern const char *whit_self;

/* The words with which the interpreter starts for the words that this process
 * was started with. */
char **whit_command(char **argv, int *argc);

/* What to execute in the place of a program of the archive. False if `path` is
 * none. `words` has room for as many words as `argv` has, and three. */
bool whit_program(const char *path, char *const argv[], char **words, struct whit_place *place);

/* Words before the NULL. */
int whit_count(char *const argv[]);

#endif
