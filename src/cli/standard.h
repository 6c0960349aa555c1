/* The descriptors 0, 1 and 2. */
#ifndef CLI_STANDARD_H
#define CLI_STANDARD_H

/* Puts /dev/null where the caller left one closed, before a file or a socket gets its number, and
 * with it what is printed.  To use it is an error as before: input cannot be read, and output
 * not written, but for what goes to standard error.  Runs by itself before main(), too. */
void standard_open(void);

#endif
