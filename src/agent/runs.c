#include "agent/runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/capacity.h"
#include "agent/errand.h"
#include "agent/own_process.h"
#include "agent/spool_place.h"
#include "model/packet.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"
#include "util/log.h"

#define TICK_MS      250
#define WATCHERS_MAX 16 /* of one run: masters, and what is left of streams that broke */

static struct hosted *find(const struct runs *runs, const char *id)
{
    for (size_t i = 0; i < runs->count; i++)
        if (!runs->items[i]->leaving && strcmp(run_id(runs->items[i]->run), id) == 0)
            return runs->items[i];
    return NULL;
}

struct hosted *runs_find(const struct runs *runs, const char *id, const void *secret, size_t size)
{
    struct hosted *hosted = find(runs, id);
    return hosted && secret_matches(hosted->secret, secret, size) ? hosted : NULL;
}

bool runs_have(const struct runs *runs, const char *id)
{
    return find(runs, id);
}

bool runs_are_busy(const struct runs *runs)
{
    for (size_t i = 0; i < runs->count; i++)
        if (!runs->items[i]->over)
            return true;
    return false;
}

uint32_t runs_with_flows(const struct runs *runs)
{
    uint32_t count = 0;
    for (size_t i = 0; i < runs->count; i++)
        count += run_has_flows(runs->items[i]->run);
    return count;
}

static void pump(struct hosted *hosted)
{
    const int64_t now = clock_now();
    if (hosted->watchers)
        hosted->watched_ns = rpc_loop_now(hosted->runs->loop);
    for (struct watcher **at = &hosted->watchers; *at;) {
        struct watcher *watcher = *at;
        if (watcher_pump(watcher, now)) {
            at = &watcher->next;
        } else {
            *at = watcher->next;
            free(watcher);
        }
    }
}

/* ---- a run's errands ---- */

/* An errand's work. */
static void destroy(void *arg)
{
    struct hosted *hosted = arg;
    run_destroy(hosted->run, hosted->remove_spool);
}

static void has_left(void *arg)
{
    struct hosted *hosted = arg;
    Tcpflowgen__RunReply reply = TCPFLOWGEN__RUN_REPLY__INIT;
    if (hosted->farewell)
        rpc_finish(hosted->farewell, &reply.base, RPC_OK, NULL);
    hosted->runs->leaving--;
    free(hosted);
}

/* Takes it out of the table, and destroys it. */
static void expel(struct hosted *hosted)
{
    struct runs *runs = hosted->runs;
    for (struct watcher *watcher = hosted->watchers, *next; watcher; watcher = next) {
        next = watcher->next;
        rpc_finish(watcher->call, NULL, RPC_NOT_FOUND, "the run was forgotten");
        free(watcher);
    }
    size_t index = 0;
    while (runs->items[index] != hosted)
        index++;
    memmove(&runs->items[index], &runs->items[index + 1],
            (runs->count - index - 1) * sizeof(*runs->items));
    runs->count--;
    runs->leaving++;
    errand_run(runs->loop, "the end of a run", destroy, has_left, hosted);
}

static void leave(struct hosted *hosted, bool remove_spool)
{
    hosted->leaving = true;
    responder_remove(hosted->runs->responder, hosted->secret);
    hosted->remove_spool = remove_spool;
    if (hosted->busy)
        run_hurry(hosted->run);
    else
        expel(hosted);
}

int hosted_start(struct hosted *hosted, const struct axis *axis, struct error *err)
{
    const struct runs *runs = hosted->runs;
    int failed = run_start(hosted->run, axis, err);
    for (size_t i = 0; !failed && i < runs->count; i++) {
        struct run *other = runs->items[i]->run;
        if (other == hosted->run || !run_has_flows(other))
            continue;
        run_meet_another(hosted->run);
        run_meet_another(other);
    }
    return failed;
}

void hosted_stop(struct hosted *hosted)
{
    hosted->stop = true;
    if (hosted->busy)
        run_hurry(hosted->run);
    else
        run_stop(hosted->run);
}

/* An errand is done: what was asked for meanwhile is due.  The run may be gone afterwards. */
void hosted_come_back(struct hosted *hosted)
{
    hosted->busy = false;
    hosted->watched_ns = rpc_loop_now(hosted->runs->loop);
    if (hosted->leaving)
        expel(hosted);
    else if (hosted->stop)
        run_stop(hosted->run);
    else
        run_take_time(hosted->run);
}

int hosted_lend(struct hosted *hosted, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    if (errand_try(hosted->runs->loop, "a run", work, done, arg))
        return -1;
    hosted->busy = true;
    return 0;
}

/* An errand's work. */
static void let_go(void *arg)
{
    run_let_go(((struct hosted *)arg)->run);
}

static void has_let_go(void *arg)
{
    hosted_come_back(arg);
}

/* ---- looking after runs ---- */

/* No master took its samples: says where they stay, once. */
static void tell_kept(struct hosted *hosted)
{
    const char *path = segment_path(run_spool(hosted->run));
    if (hosted->kept_told)
        return;
    hosted->kept_told = true;
    log_warning("run %s was not collected, its samples stay in %s: `tcp-flowgen recover -o FILE "
                "%s`, with those of the run's other agents, makes a result of them",
                run_id(hosted->run), path, path);
}

/* Whether its spool is of use to anybody. */
static bool has_measured(const struct hosted *hosted)
{
    return run_was_started(hosted->run) && (hosted->ends || run_is_sampled(hosted->run));
}

/* Takes out a run that no master comes for.  Its spool stays if it has measured anything. */
static void leave_uncollected(struct hosted *hosted)
{
    const bool stays = has_measured(hosted);
    if (stays)
        tell_kept(hosted);
    leave(hosted, !stays);
}

/* Sees to what a run's end, a failing disk or a vanished master ask for. */
static void look_after(struct hosted *hosted, int64_t orphan_ns)
{
    const char *failure = run_failure(hosted->run);
    if (failure && !hosted->failure_told) {
        log_error("run %s: %s", run_id(hosted->run), failure);
        hosted->failure_told = true;
    }
    pump(hosted);
    const bool unwatched = rpc_loop_now(hosted->runs->loop) - hosted->watched_ns > orphan_ns;
    const bool given_up = hosted->over && !hosted->busy && (hosted->orphaned || unwatched);
    if (given_up && !has_measured(hosted)) {
        leave_uncollected(hosted);
        return;
    }
    if (given_up)
        tell_kept(hosted);
    if (hosted->over || hosted->busy)
        return;
    hosted->over = run_settle(hosted->run);
    if (hosted->over) {
        log_info("run %s is over", run_id(hosted->run));
        hosted->busy = true;
        errand_run(hosted->runs->loop, "what a run leaves", let_go, has_let_go, hosted);
    } else if (unwatched) {
        log_warning("run %s: no master for %lld s, its flows are stopped", run_id(hosted->run),
                    (long long)(orphan_ns / NS_PER_S));
        hosted->orphaned = true;
        hosted_stop(hosted);
        responder_remove(hosted->runs->responder, hosted->secret);
        hosted->watched_ns = rpc_loop_now(hosted->runs->loop);
    }
}

void runs_look_after(void *arg)
{
    struct runs *runs = arg;
    for (size_t i = runs->count; i-- > 0;) /* backwards: one may leave the table */
        look_after(runs->items[i], runs->options->orphan_ns);
}

/* Also the watchers' heartbeat. */
static void tick(void *arg)
{
    struct runs *runs = arg;
    runs_look_after(runs);
    if (runs->count)
        rpc_loop_after(runs->loop, TICK_MS, tick, runs);
}

/* A recorder's thread: its spool has grown. */
static void spool_grew(void *arg)
{
    struct runs *runs = arg;
    rpc_loop_post(runs->loop, runs_look_after, runs);
}

static bool is_of(const struct hosted *hosted, const char *caller)
{
    return strcmp(hosted->caller, caller) == 0;
}

/* That gives way to a new run of the caller's; NULL: none does. */
static struct hosted *oldest_over(const struct runs *runs, const char *caller, bool of_caller)
{
    for (size_t i = 0; i < runs->count; i++) {
        struct hosted *hosted = runs->items[i];
        const bool gives_way = of_caller ? is_of(hosted, caller) : !hosted->watchers;
        if (hosted->over && !hosted->busy && gives_way)
            return hosted;
    }
    return NULL;
}

static size_t count_of(const struct runs *runs, const char *caller)
{
    size_t count = 0;
    for (size_t i = 0; i < runs->count; i++)
        count += is_of(runs->items[i], caller);
    return count;
}

/* Prepared, and left so: what a master that died leaves, or who wants to keep others out. */
static bool is_idle(const struct hosted *hosted, int64_t now_ns)
{
    return !hosted->over && !hosted->busy && !hosted->watchers && !hosted->stop &&
           !run_was_started(hosted->run) && now_ns - hosted->watched_ns >= RUNS_IDLE_NS;
}

/* That gives way in a full table to a caller who has so many places; NULL: none does. */
static struct hosted *idle_of_the_greediest(const struct runs *runs, size_t own)
{
    const int64_t now = rpc_loop_now(runs->loop);
    struct hosted *found = NULL;
    size_t most = own;
    for (size_t i = 0; i < runs->count; i++) {
        const size_t theirs = count_of(runs, runs->items[i]->caller);
        if (theirs <= most || !is_idle(runs->items[i], now))
            continue;
        most = theirs;
        found = runs->items[i];
    }
    return found;
}

/* What the runs that are not over have. */
struct held {
    uint64_t ends, open; /* that arrived, of which so many are open */
    uint64_t here;       /* that arrived, in this process */
    size_t captures;
};

static struct held add_up(const struct runs *runs)
{
    struct held held = {0};
    for (size_t i = 0; i < runs->count; i++) {
        const struct hosted *hosted = runs->items[i];
        if (hosted->over)
            continue;
        held.ends += hosted->ends;
        held.captures += hosted->captures;
        held.open += run_totals(hosted->run).ends;
        held.here += run_is_sharded(hosted->run) ? 0 : hosted->ends;
    }
    return held;
}

int hosted_capture(struct hosted *hosted, struct error *err)
{
    const size_t all = add_up(hosted->runs).captures;
    if (all < CAPTURES_MAX) {
        hosted->captures++;
        return 0;
    }
    error_set(err, ERROR_FLOW, NULL,
              "an agent captures %d ends at most, of all its runs together: %zu are in use by "
              "this run, %zu by others",
              CAPTURES_MAX, hosted->captures, all - hosted->captures);
    return error_cure(err, hosted->captures < all
                               ? "wait until the others are over, or leave \"capture\" out"
                               : "leave \"capture\" out of the other flows");
}

int hosted_reserve(struct hosted *hosted, uint64_t ends, struct error *err)
{
    const struct held held = add_up(hosted->runs);
    int failed = capacity_check(ends, held.ends, held.open, err);
    if (!failed && !run_is_sharded(hosted->run) && held.here + ends > own_process_ends_max()) {
        /* Both announced when there was room for either. */
        error_set(err, ERROR_AGENT, NULL,
                  "another run has taken the place of these %" PRIu64 " ends meanwhile", ends);
        failed = error_cure(err, "run it again");
    }
    hosted->ends += failed ? 0 : ends;
    return failed;
}

static int refuse_more(struct error *err, size_t count, const char *whose)
{
    error_set(err, ERROR_AGENT, NULL, "%zu runs%s are under way here, and an agent takes no more%s",
              count, whose, *whose ? " of one caller" : "");
    return error_cure(err, "wait until one of them is over; one whose master is gone is stopped "
                           "after a while");
}

/* Whether the table takes a run of the caller's: there is a place, or *leaver gives his (else
 * NULL).
 */
static int find_room(const struct runs *runs, const char *caller, struct hosted **leaver,
                     struct error *err)
{
    const size_t own = count_of(runs, caller);
    char whose[80];
    const bool has_his = own >= RUNS_OF_ONE_MAX;
    *leaver = NULL;
    if (runs->leaving >= RUNS_MAX) {
        error_set(err, ERROR_AGENT, NULL, "%zu runs are just being taken down here", runs->leaving);
        return error_cure(err, "try again in a moment");
    }
    if (!has_his && runs->count < RUNS_MAX)
        return 0;
    *leaver = oldest_over(runs, caller, has_his);
    if (!*leaver && !has_his)
        *leaver = idle_of_the_greediest(runs, own);
    if (*leaver)
        return 0;
    snprintf(whose, sizeof whose, " of %s", caller);
    return has_his ? refuse_more(err, own, whose) : refuse_more(err, runs->count, "");
}

static void give_way(struct hosted *leaver, const char *caller)
{
    if (leaver->over) {
        leave_uncollected(leaver);
        return;
    }
    log_warning("run %s of %s, which was not started and is not watched, gives way to one of %s",
                run_id(leaver->run), leaver->caller, caller);
    leave(leaver, true);
}

struct hosted *runs_add(struct runs *runs, struct run_settings *settings,
                        const struct run_owner *owner, struct error *err)
{
    const struct held held = add_up(runs);
    struct hosted *leaver;
    settings->ends_here = held.here;
    settings->watchdog = rpc_loop_watchdog(runs->loop);
    settings->limit = &runs->consents;
    snprintf(settings->caller, sizeof settings->caller, "%s", owner->caller);
    settings->caller_is_here = owner->is_here;
    if (spool_place_admit(runs->options, owner->caller, err) ||
        capacity_check(settings->ends, held.ends, held.open, err) ||
        find_room(runs, owner->caller, &leaver, err))
        return NULL;
    struct hosted *hosted = malloc(sizeof *hosted);
    if (!hosted) {
        error_set(err, ERROR_SYSTEM, NULL, "out of memory");
        return NULL;
    }
    *hosted = (struct hosted){.runs = runs, .watched_ns = rpc_loop_now(runs->loop)};
    memcpy(hosted->secret, owner->secret, SECRET_SIZE);
    snprintf(hosted->caller, sizeof hosted->caller, "%s", owner->caller);
    if (run_create(&hosted->run, settings, runs->options, spool_grew, runs, err)) {
        free(hosted);
        return NULL;
    }
    if (leaver) /* not before: there is a run to give way to */
        give_way(leaver, owner->caller);
    runs->items[runs->count++] = hosted;
    if (runs->count == 1) {
        rpc_loop_cancel(runs->loop, tick, runs); /* the last run's may still be to come */
        rpc_loop_after(runs->loop, TICK_MS, tick, runs);
    }
    return hosted;
}

void runs_fini(struct runs *runs)
{
    rpc_loop_cancel(runs->loop, tick, runs);
    for (size_t i = runs->count; i-- > 0;) {
        if (runs->items[i]->remove_spool)
            leave(runs->items[i], true);
        else
            leave_uncollected(runs->items[i]);
    }
    while (runs->count || runs->leaving)
        rpc_loop_run(runs->loop, -1);
}

/* ---- one run ---- */

bool hosted_watch(struct hosted *hosted, struct watcher *watcher)
{
    size_t count = 0;
    for (const struct watcher *other = hosted->watchers; other; other = other->next)
        count++;
    if (count == WATCHERS_MAX)
        return false;
    watcher->next = hosted->watchers;
    hosted->watchers = watcher;
    pump(hosted);
    return true;
}

void hosted_forget(struct hosted *hosted, struct rpc_call *farewell)
{
    hosted->farewell = farewell;
    leave(hosted, true);
}
