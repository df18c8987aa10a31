#ifndef ROT_H
#define ROT_H

/* Turns a letter by 13; everything else stays. */
int rot13(int c);

#endif
