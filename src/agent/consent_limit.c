#include "agent/consent_limit.h"

#include <stdio.h>
#include <string.h>

#include "util/clock.h"

#define MINUTE_NS (60 * NS_PER_S)

/* Of how many, and of how many of them by the caller. */
struct share {
    unsigned all, own;
};

static void count(struct share *share, const char *whose, const char *caller)
{
    share->all++;
    share->own += strcmp(whose, caller) == 0;
}

static bool is_spent(const struct consent_limit *limit, const char *caller, int64_t now_ns)
{
    struct share failed = {0};
    for (unsigned i = 0; i < CONSENT_FAILURES_MAX; i++) {
        const struct consent_failure *failure = &limit->failures[i];
        if (failure->at_ns && now_ns - failure->at_ns < MINUTE_NS)
            count(&failed, failure->caller, caller);
    }
    const unsigned half = CONSENT_FAILURES_MAX / 2;
    return failed.all == CONSENT_FAILURES_MAX ||
           (failed.all >= half && failed.own >= CONSENT_FEW_FAILURES);
}

/* A free place, or CONSENT_BUSY. */
static int find_place(const struct consent_limit *limit, const char *caller)
{
    struct share asked = {0};
    int place = CONSENT_BUSY;
    for (int i = 0; i < CONSENT_ASKED_MAX; i++) {
        if (limit->asked[i].used)
            count(&asked, limit->asked[i].caller, caller);
        else
            place = i;
    }
    return asked.own < CONSENT_ASKED_MAX / 2 ? place : CONSENT_BUSY;
}

int consent_limit_take(struct consent_limit *limit, const char *caller, int64_t now_ns)
{
    pthread_mutex_lock(&limit->lock);
    const int place = is_spent(limit, caller, now_ns) ? CONSENT_SPENT : find_place(limit, caller);
    if (place >= 0) {
        struct consent_asked *asked = &limit->asked[place];
        asked->used = true;
        snprintf(asked->caller, sizeof asked->caller, "%s", caller);
    }
    pthread_mutex_unlock(&limit->lock);
    return place;
}

void consent_limit_give(struct consent_limit *limit, int ticket, bool failed, int64_t now_ns)
{
    pthread_mutex_lock(&limit->lock);
    struct consent_asked *asked = &limit->asked[ticket];
    if (failed) {
        struct consent_failure *failure =
            &limit->failures[limit->next_failure++ % CONSENT_FAILURES_MAX];
        failure->at_ns = now_ns;
        memcpy(failure->caller, asked->caller, sizeof failure->caller);
    }
    asked->used = false;
    pthread_mutex_unlock(&limit->lock);
}
