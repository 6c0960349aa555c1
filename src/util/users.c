#include "util/users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define ENTRY_BYTES 16384 /* of one user in the database */

/* A decimal of length bytes; USERS_NONE: it is none.  The last two numbers are no users: (uid_t)-1
 * means "unchanged" to the kernel. */
static uid_t read_uid(const char *text, size_t length)
{
    char figures[16];
    if (length < 1 || length > 10 || strspn(text, "0123456789") < length)
        return USERS_NONE;
    memcpy(figures, text, length);
    figures[length] = '\0';
    unsigned long long value = strtoull(figures, NULL, 10);
    return value < USERS_NONE ? (uid_t)value : USERS_NONE;
}

static void add(struct users *users, uid_t uid)
{
    if (!users_have(users, uid) && users->count < COUNT_OF(users->ids))
        users->ids[users->count++] = uid;
}

void users_add_own(struct users *users)
{
    const char *sudo = geteuid() == 0 ? getenv("SUDO_UID") : NULL;
    uid_t caller = sudo ? read_uid(sudo, strlen(sudo)) : USERS_NONE;
    add(users, geteuid());
    add(users, 0);
    if (caller != USERS_NONE)
        add(users, caller);
}

static uid_t find_uid(const char *name)
{
    struct passwd entry, *found = NULL;
    CLEANUP_FREE char *buffer = malloc(ENTRY_BYTES);
    if (!buffer || getpwnam_r(name, &entry, buffer, ENTRY_BYTES, &found) || !found)
        return USERS_NONE;
    return found->pw_uid;
}

static int add_one(struct users *users, const char *text, size_t length, struct error *err)
{
    CLEANUP_FREE char *name = strndup(text, length);
    uid_t uid = read_uid(text, length);
    if (uid == USERS_NONE && name && length)
        uid = find_uid(name);
    if (uid == USERS_NONE) {
        error_set(err, ERROR_INPUT, NULL, "there is no user \"%.64s\"", name ? name : "");
        return error_cure(err, "give names or numbers of users, with commas between them");
    }
    if (users->count >= USERS_MAX)
        return error_set(err, ERROR_INPUT, NULL, "more than %d users are named", USERS_MAX);
    add(users, uid);
    return 0;
}

char *users_text(uid_t uid, char out[USERS_TEXT_MAX])
{
    struct passwd entry, *found = NULL;
    CLEANUP_FREE char *buffer = malloc(ENTRY_BYTES);
    if (buffer && getpwuid_r(uid, &entry, buffer, ENTRY_BYTES, &found) == 0 && found)
        snprintf(out, USERS_TEXT_MAX, "uid %u (%.32s)", (unsigned)uid, found->pw_name);
    else
        snprintf(out, USERS_TEXT_MAX, "uid %u", (unsigned)uid);
    return out;
}

int users_add(struct users *users, const char *list, struct error *err)
{
    const char *name = list;
    for (;;) {
        size_t length = strcspn(name, ",");
        if (add_one(users, name, length, err))
            return ERROR_INPUT;
        if (!name[length])
            return 0;
        name += length + 1;
    }
}

bool users_have(const struct users *users, uid_t uid)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->ids[i] == uid)
            return true;
    return false;
}

bool users_have_others(const struct users *users)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->ids[i] != 0 && users->ids[i] != geteuid())
            return true;
    return false;
}
