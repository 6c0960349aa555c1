/* Which local users are trusted: those who may use an agent, or whose agents a master uses. */
#ifndef UTIL_USERS_H
#define UTIL_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/error.h"

#define USERS_MAX  64
#define USERS_NONE ((uid_t)-1)

struct users {
    uid_t ids[USERS_MAX + 3]; /* room for users_add_own() */
    size_t count;
};

/* Zero-initialised is nobody.  Adds this process's user, root, and if root asks, the user who
 * became it by sudo (SUDO_UID). */
void users_add_own(struct users *users);
/* Adds "NAME|UID,...".  0, or ERROR_INPUT: there is no such user, or too many. */
int users_add(struct users *users, const char *list, struct error *err);

/* "uid 1000 (alice)", or "uid 1000" of a user whom the database does not have.  It may be
 * elsewhere, and take its time.  Returns out. */
#define USERS_TEXT_MAX 64
char *users_text(uid_t uid, char out[USERS_TEXT_MAX]);

bool users_have(const struct users *users, uid_t uid);
/* Whether there is one beside this process's own and root. */
bool users_have_others(const struct users *users);

#endif
