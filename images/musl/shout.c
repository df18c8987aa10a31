#include <ctype.h>

void change(char *text)
{
    for (; *text; text++)
        *text = toupper((unsigned char)*text);
}
