/* This program once more, as a child process: gRPC's threads do not survive a fork. */
#ifndef UTIL_SELF_SPAWN_H
#define UTIL_SELF_SPAWN_H

#include <sys/types.h>

#define SELF_SPAWN_FD 3 /* what the child finds fd as; all but it and 0 to 2 are closed there */

/* Starts the program with the words argv (NULL-terminated; the first is its name), in a process
 * group of its own: Ctrl-C at the terminal is for the parent alone.  0, or an errno. */
int self_spawn(pid_t *pid, const char *const argv[], int fd);

#endif
