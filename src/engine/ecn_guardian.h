/* Undoes what ECN changed on a host, when who changed it is dead. */
#ifndef ENGINE_ECN_GUARDIAN_H
#define ENGINE_ECN_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/error.h"

/* The hidden command of the program that calls ecn_guardian_run(). */
#define ECN_GUARDIAN_COMMAND "ecn-guardian"
#define ECN_GUARDIAN_PROGRAM "/proc/self/exe"
#define ECN_GUARDIAN_FD      3 /* its end of the socket pair */

/* Starts `program` as the guardian of the process that holds *token and of its network namespace.
 * *token never leaves that process.  0, or ERROR_SYSTEM. */
int ecn_guardian_spawn(const char *program, pid_t *pid, int *token, struct error *err);

/* A guardian's life. */
void ecn_guardian_run(void);

/* Puts back what the dead left in this network namespace, if no guardian was left to do it.
 * Whether there was anything; then text says what. */
bool ecn_repair(char *text, size_t size);

#endif
