#include "agent/names.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/address.h"
#include "util/clock.h"

struct look_up {
    struct names *names;
    struct look_up *next;
    char key[64];
    char host[256];
    int status, cause; /* getaddrinfo()'s, and errno */
    struct addrinfo *found;
    bool done, left; /* nobody waits for it */
};

struct names {
    int (*look_up)(const char *host, int flags, struct addrinfo **out);
    pthread_mutex_t lock; /* of all that follows, and of look-ups */
    pthread_cond_t changed;
    struct look_up *first;
    bool released;
};

int names_create(struct names **out,
                 int (*look_up)(const char *host, int flags, struct addrinfo **out),
                 struct error *err)
{
    struct names *names = calloc(1, sizeof *names);
    if (!names)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    names->look_up = look_up;
    pthread_mutex_init(&names->lock, NULL);
    pthread_cond_init(&names->changed, NULL);
    *out = names;
    return 0;
}

static void names_free(struct names *names)
{
    pthread_cond_destroy(&names->changed);
    pthread_mutex_destroy(&names->lock);
    free(names);
}

/* ---- with the lock ---- */

static bool is_full(const struct names *names, const char *key)
{
    unsigned all = 0, own = 0;
    for (const struct look_up *at = names->first; at; at = at->next) {
        all++;
        own += strcmp(at->key, key) == 0;
    }
    return all >= LOOK_UPS_MAX || own >= LOOK_UPS_A_CALLER;
}

static void take_out(struct look_up *look_up)
{
    struct look_up **at = &look_up->names->first;
    while (*at != look_up)
        at = &(*at)->next;
    *at = look_up->next;
}

/* Until something changed; false when there is nothing to be waited for any more. */
static bool await(const struct names_caller *caller)
{
    const struct timespec until = {.tv_sec = caller->until_ns / NS_PER_S,
                                   .tv_nsec = caller->until_ns % NS_PER_S};
    struct names *names = caller->names;
    return !atomic_load(&caller->gone) &&
           pthread_cond_clockwait(&names->changed, &names->lock, CLOCK_MONOTONIC, &until) == 0 &&
           !atomic_load(&caller->gone);
}

/* ---- a look-up's thread ---- */

static void look_up_free(struct look_up *look_up)
{
    if (look_up->found)
        freeaddrinfo(look_up->found);
    free(look_up);
}

static void *run(void *arg)
{
    struct look_up *look_up = arg;
    struct names *names = look_up->names;
    errno = 0;
    look_up->status = names->look_up(look_up->host, 0, &look_up->found);
    look_up->cause = errno;
    pthread_mutex_lock(&names->lock);
    look_up->done = true;
    take_out(look_up);
    pthread_cond_broadcast(&names->changed);
    const bool left = look_up->left, last = names->released && !names->first;
    pthread_mutex_unlock(&names->lock);
    if (left)
        look_up_free(look_up);
    if (last)
        names_free(names);
    return NULL;
}

/* With the lock.  NULL: there is neither memory nor a thread for it. */
static struct look_up *begin(struct names *names, const char *key, const char *host)
{
    pthread_t thread;
    struct look_up *look_up = calloc(1, sizeof *look_up);
    if (!look_up)
        return NULL;
    look_up->names = names;
    snprintf(look_up->key, sizeof look_up->key, "%s", key);
    snprintf(look_up->host, sizeof look_up->host, "%s", host);
    if (pthread_create(&thread, NULL, run, look_up)) {
        free(look_up);
        return NULL;
    }
    pthread_detach(thread);
    look_up->next = names->first;
    names->first = look_up;
    return look_up;
}

/* ---- callers ---- */

static const char *conclude(struct look_up *look_up, struct addrinfo **out)
{
    const char *why = NULL;
    if (look_up->status) {
        if (look_up->status == EAI_SYSTEM)
            why = strerrordesc_np(look_up->cause);
        why = why ? why : gai_strerror(look_up->status);
    } else {
        *out = look_up->found;
        look_up->found = NULL;
    }
    look_up_free(look_up);
    return why;
}

/* With the lock. */
static const char *find(struct names_caller *caller, const char *host, struct look_up **out)
{
    struct names *names = caller->names;
    while (is_full(names, caller->key))
        if (!await(caller))
            return "too many names are being looked up at once";
    struct look_up *look_up = begin(names, caller->key, host);
    if (!look_up)
        return "out of memory or threads";
    while (!look_up->done) {
        if (await(caller) || look_up->done)
            continue;
        look_up->left = true;
        return "the name server does not answer in time";
    }
    *out = look_up;
    return NULL;
}

const char *names_find(void *arg, const char *host, struct addrinfo **out)
{
    struct names_caller *caller = arg;
    struct look_up *look_up = NULL;
    if (host_lookup(host, AI_NUMERICHOST, out) == 0)
        return NULL;
    if (strlen(host) >= sizeof look_up->host)
        return "no name is so long";
    pthread_mutex_lock(&caller->names->lock);
    const char *why = find(caller, host, &look_up);
    pthread_mutex_unlock(&caller->names->lock);
    return why ? why : conclude(look_up, out);
}

void names_cancel(struct names_caller *caller)
{
    struct names *names = caller->names;
    pthread_mutex_lock(&names->lock);
    atomic_store(&caller->gone, true);
    pthread_cond_broadcast(&names->changed);
    pthread_mutex_unlock(&names->lock);
}

void names_release(struct names *names)
{
    if (!names)
        return;
    pthread_mutex_lock(&names->lock);
    names->released = true;
    const bool last = !names->first;
    pthread_mutex_unlock(&names->lock);
    if (last)
        names_free(names);
}
