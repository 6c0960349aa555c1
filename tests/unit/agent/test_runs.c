/* The table of runs: what they may take together, and that a long errand holds nobody up. */
#include <glob.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "agent/own_process.h"
#include "agent/runs.h"
#include "agent/shards.h"
#include "agent/spool_place.h"
#include "model/packet.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"
#include "util/log.h"

struct fixture {
    char directory[TEMPORARY_MAX];
    struct agent_options options;
    struct rpc_loop *loop;
    struct runs runs;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "runs-test") ||
        rpc_loop_create(&fixture->loop, NULL))
        return -1;
    log_set_level(LOG_QUIET);
    fixture->options = (struct agent_options){.spool_directory = fixture->directory,
                                              .interval_ns = 100 * NS_PER_MS,
                                              .orphan_ns = 60 * NS_PER_S,
                                              .workers = 1};
    fixture->runs = (struct runs){
        .loop = fixture->loop, .options = &fixture->options, .consents = CONSENT_LIMIT_NEW};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    runs_fini(&fixture->runs);
    rpc_loop_destroy(fixture->loop);
    int failed = rmdir(fixture->directory);
    free(fixture);
    return failed;
}

static const uint8_t secret[SECRET_SIZE] = {7};

static struct hosted *add_of(struct fixture *fixture, const char *caller, char name, uint64_t ends,
                             struct error *err)
{
    struct run_owner owner = {.caller = caller};
    struct run_settings settings = {.ends = ends};
    memcpy(owner.secret, secret, sizeof secret);
    memset(settings.id, name, sizeof settings.id - 1);
    return runs_add(&fixture->runs, &settings, &owner, err);
}

static struct hosted *add(struct fixture *fixture, char name, uint64_t ends, struct error *err)
{
    return add_of(fixture, "uid 1000", name, ends, err);
}

/* As its owner finds it. */
static struct hosted *find(struct fixture *fixture, const struct hosted *hosted)
{
    return runs_find(&fixture->runs, run_id(hosted->run), secret, sizeof secret);
}

static void forget(struct fixture *fixture, struct hosted *hosted)
{
    hosted_forget(hosted, NULL);
    while (fixture->runs.leaving)
        rpc_loop_run(fixture->loop, 100);
}

/* ---- what they may take ---- */

static void test_together_no_more_than_fits(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    const uint64_t most = shards_ends_max();
    assert_null(add(fixture, 'a', most + 1, &err));
    assert_int_equal(err.code, ERROR_AGENT);
    assert_non_null(strstr(err.what, "more than this agent can have"));

    struct hosted *first = add(fixture, 'a', most, &err);
    assert_non_null(first);
    struct hosted *second = add(fixture, 'b', most, &err); /* nothing has come yet */
    assert_non_null(second);
    assert_int_equal(hosted_reserve(first, 10, &err), 0);
    assert_null(add(fixture, 'c', most - 9, &err));
    assert_non_null(strstr(err.what, ": 10 of the "));
    assert_non_null(strstr(err.cure, "wait until other runs are over, or "));
    assert_int_equal(hosted_reserve(second, most - 9, &err), ERROR_AGENT);
    assert_int_equal(hosted_reserve(second, most - 10, &err), 0);
    assert_int_equal(hosted_reserve(second, 1, &err), ERROR_AGENT);
    forget(fixture, first);
    assert_int_equal(hosted_reserve(second, 10, &err), 0);
    forget(fixture, second);
}

/* Where the limit of descriptors is what it is on most machines. */
static void test_connections_have_theirs(void **state)
{
    (void)state;
    const size_t all = engine_ends_max(0);
    if (all < 2 * RPC_SERVER_DESCRIPTORS)
        skip();
    assert_int_equal(own_process_ends_max(), all - RPC_SERVER_DESCRIPTORS);
    assert_int_equal(own_process_descriptors(all - RPC_SERVER_DESCRIPTORS),
                     engine_descriptors(all));
}

/* Two that announced when there was room for either in the agent's own process. */
static void test_one_process_for_two(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    const uint64_t most = own_process_ends_max();
    struct hosted *first = add(fixture, 'a', most, &err), *second = add(fixture, 'b', most, &err);
    assert_false(run_is_sharded(first->run) || run_is_sharded(second->run));
    assert_int_equal(hosted_reserve(first, most - 1, &err), 0);
    assert_int_equal(hosted_reserve(second, 2, &err), ERROR_AGENT);
    assert_string_equal(err.cure, "run it again");
    assert_int_equal(hosted_reserve(second, 1, &err), 0);
    struct hosted *third = add(fixture, 'c', 2, &err);
    assert_true(run_is_sharded(third->run));
    assert_int_equal(hosted_reserve(third, 2, &err), 0);
    forget(fixture, first);
    forget(fixture, second);
    forget(fixture, third);
}

static void test_no_more_ends_than_announced(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct end_spec specs[3] = {0};
    struct end_ready answers[3];
    struct hosted *hosted = add(fixture, 'a', 2, &err);
    assert_int_equal(run_prepare(hosted->run, specs, 1, answers, &err), 0);
    assert_int_equal(run_prepare(hosted->run, specs, 2, answers, &err), ERROR_INPUT);
    assert_non_null(strstr(err.what, "more ends than the 2 announced"));
    assert_int_equal(run_prepare(hosted->run, specs, 1, answers, &err), 0);
    forget(fixture, hosted);
}

static void test_so_many_captures(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct hosted *first = add(fixture, 'a', 100, &err), *second = add(fixture, 'b', 100, &err);
    for (int i = 0; i < 24; i++)
        assert_int_equal(hosted_capture(first, &err), 0);
    for (int i = 0; i < CAPTURES_MAX - 24; i++)
        assert_int_equal(hosted_capture(second, &err), 0);
    assert_int_equal(hosted_capture(first, &err), ERROR_FLOW);
    assert_non_null(strstr(err.what, "64 ends at most"));
    assert_non_null(strstr(err.what, "24 are in use by this run, 40 by others"));
    assert_non_null(strstr(err.cure, "wait until the others are over"));

    first->captures--; /* one was refused for another reason */
    assert_int_equal(hosted_capture(second, &err), 0);
    assert_int_equal(hosted_capture(second, &err), ERROR_FLOW);
    forget(fixture, first);
    assert_int_equal(hosted_capture(second, &err), 0);
    forget(fixture, second);
}

static void test_so_many_watchers(void **state)
{
    struct fixture *fixture = *state;
    struct watcher watchers[17];
    struct hosted *hosted = add(fixture, 'a', 1, NULL);
    for (int i = 0; i < 17; i++) {
        watchers[i] = (struct watcher){.run = hosted->run, .follow = true, .blocked = true};
        assert_int_equal(hosted_watch(hosted, &watchers[i]), i < 16);
    }
    hosted->watchers = NULL; /* they have no calls */
    forget(fixture, hosted);
}

/* ---- errands ---- */

struct errand {
    struct hosted *hosted;
    int gate[2]; /* a pipe: the work ends when it is readable */
    bool done;
};

static void work(void *arg)
{
    struct errand *errand = arg;
    char byte;
    assert_int_equal(read(errand->gate[0], &byte, 1), 1);
}

static void done(void *arg)
{
    struct errand *errand = arg;
    errand->done = true;
    hosted_come_back(errand->hosted);
}

/* The loop turns, and what is asked for waits. */
static void test_busy(void **state)
{
    struct fixture *fixture = *state;
    struct errand errand = {.hosted = add(fixture, 'a', 1, NULL)};
    struct hosted *hosted = errand.hosted;
    char path[256];
    snprintf(path, sizeof path, "%s", segment_path(run_spool(hosted->run)));
    assert_int_equal(pipe(errand.gate), 0);
    assert_int_equal(hosted_lend(hosted, work, done, &errand), 0);
    assert_true(hosted->busy);
    hosted_stop(hosted);
    rpc_loop_run(fixture->loop, 50);
    assert_false(run_settle(hosted->run)); /* it was not stopped */
    assert_ptr_equal(find(fixture, hosted), hosted);
    hosted_forget(hosted, NULL);
    assert_null(find(fixture, hosted));
    assert_int_equal(fixture->runs.count, 1);
    assert_int_equal(access(path, F_OK), 0);

    assert_int_equal(write(errand.gate[1], "", 1), 1);
    while (fixture->runs.count || fixture->runs.leaving)
        rpc_loop_run(fixture->loop, 100);
    assert_true(errand.done);
    assert_int_equal(access(path, F_OK), -1);
    close(errand.gate[0]);
    close(errand.gate[1]);
}

/* The caller of one piece went away: the next piece is asked for all the same. */
static void test_hurry_is_for_one_errand(void **state)
{
    struct fixture *fixture = *state;
    struct errand errand = {.hosted = add(fixture, 'a', 2, NULL)};
    struct run *run = errand.hosted->run;
    struct end_spec spec = {.end = END_SRC,
                            .local_address = "127.0.0.1",
                            .peer_address = "127.0.0.1",
                            .peer_port = 1}; /* nobody listens there */
    struct end_ready answer = {0};
    assert_int_equal(pipe(errand.gate), 0);
    assert_int_equal(hosted_lend(errand.hosted, work, done, &errand), 0);
    run_hurry(run);
    assert_int_equal(write(errand.gate[1], "", 1), 1);
    while (!errand.done)
        rpc_loop_run(fixture->loop, 100);
    assert_int_equal(run_prepare(run, &spec, 1, &answer, NULL), 0);
    assert_non_null(strstr(answer.error, "no agent of this run listens there"));
    close(errand.gate[0]);
    close(errand.gate[1]);
    forget(fixture, errand.hosted);
}

/* A run that is over lets its threads go, and is there until it is forgotten. */
static void test_over(void **state)
{
    struct fixture *fixture = *state;
    struct hosted *hosted = add(fixture, 'a', 1, NULL);
    const int64_t deadline = clock_now() + 10 * NS_PER_S;
    assert_true(runs_are_busy(&fixture->runs));
    hosted_stop(hosted);
    while ((runs_are_busy(&fixture->runs) || hosted->busy) && clock_now() < deadline)
        rpc_loop_run(fixture->loop, 100);
    assert_false(hosted->busy);
    assert_true(hosted->over);
    assert_ptr_equal(find(fixture, hosted), hosted);
    forget(fixture, hosted);
}

/* ---- owners ---- */

static bool is_there(const struct fixture *fixture, char name)
{
    char id[RANDOM_ID_MAX] = "";
    memset(id, name, sizeof id - 1);
    return runs_have(&fixture->runs, id);
}

static void test_found_with_its_secret(void **state)
{
    struct fixture *fixture = *state;
    struct hosted *hosted = add(fixture, 'a', 1, NULL);
    const char *id = run_id(hosted->run);
    uint8_t wrong[SECRET_SIZE + 1];
    for (size_t i = 0; i < SECRET_SIZE; i++) {
        memcpy(wrong, secret, SECRET_SIZE);
        wrong[i] ^= 0x80;
        assert_null(runs_find(&fixture->runs, id, wrong, SECRET_SIZE));
    }
    memcpy(wrong, secret, SECRET_SIZE);
    wrong[SECRET_SIZE] = 0;
    assert_null(runs_find(&fixture->runs, id, NULL, 0));
    assert_null(runs_find(&fixture->runs, id, wrong, SECRET_SIZE - 1));
    assert_null(runs_find(&fixture->runs, id, wrong, SECRET_SIZE + 1));
    assert_ptr_equal(runs_find(&fixture->runs, id, wrong, SECRET_SIZE), hosted);
    assert_true(runs_have(&fixture->runs, id));
    forget(fixture, hosted);
    assert_false(is_there(fixture, 'a'));
}

static void end(struct fixture *fixture, struct hosted *hosted)
{
    const int64_t deadline = clock_now() + 10 * NS_PER_S;
    hosted_stop(hosted);
    while (!(hosted->over && !hosted->busy) && clock_now() < deadline)
        rpc_loop_run(fixture->loop, 20);
    assert_true(hosted->over && !hosted->busy);
}

/* Of one that gave way and had not been started. */
static void assert_no_spool(const struct fixture *fixture, char name)
{
    char id[RANDOM_ID_MAX] = "", pattern[TEMPORARY_PATH_MAX];
    glob_t found;
    memset(id, name, sizeof id - 1);
    snprintf(pattern, sizeof pattern, "%s/tcp-flowgen-%s-*", fixture->directory, id);
    assert_int_equal(glob(pattern, 0, NULL, &found), GLOB_NOMATCH);
}

static void settle(struct fixture *fixture)
{
    while (fixture->runs.leaving)
        rpc_loop_run(fixture->loop, 20);
}

static void test_so_many_of_one_caller(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct hosted *his[4], *other = add_of(fixture, "uid 7", 'x', 1, &err);
    end(fixture, other); /* another's gives no place to him */
    for (int i = 0; i < 4; i++)
        his[i] = add(fixture, (char)('a' + i), 1, &err);
    assert_null(add(fixture, 'e', 1, &err));
    assert_int_equal(err.code, ERROR_AGENT);
    assert_non_null(strstr(err.what, "4 runs of uid 1000 are under way"));
    assert_non_null(strstr(err.cure, "wait until one of them is over"));

    struct hosted *beside = add_of(fixture, "uid 8", 'y', 1, &err);
    assert_non_null(beside);
    end(fixture, his[2]); /* what is over gives way */
    struct hosted *next = add(fixture, 'e', 1, &err);
    assert_non_null(next);
    assert_false(is_there(fixture, 'c'));
    settle(fixture);
    assert_no_spool(fixture, 'c');
    assert_null(add(fixture, 'f', 1, &err));
    forget(fixture, his[0]); /* and so does what is forgotten */
    assert_non_null(his[0] = add(fixture, 'f', 1, &err));
    struct hosted *all[] = {his[0], his[1], his[3], next, beside, other};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        forget(fixture, all[i]);
}

/* One that cannot be made has nobody give way. */
static void test_none_goes_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct hosted *his[RUNS_OF_ONE_MAX];
    char id[RANDOM_ID_MAX] = "", path[SPOOL_PLACE_MAX];
    for (int i = 0; i < RUNS_OF_ONE_MAX; i++)
        his[i] = add(fixture, (char)('a' + i), 1, &err);
    end(fixture, his[2]);
    memset(id, 'x', sizeof id - 1);
    assert_int_equal(spool_place_path(fixture->directory, id, "uid 1000", path, NULL), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* where its spool would be */
    assert_null(add(fixture, 'x', 1, &err));
    assert_true(is_there(fixture, 'c'));
    assert_int_equal(rmdir(path), 0);
    assert_non_null(his[2] = add(fixture, 'x', 1, &err));
    assert_false(is_there(fixture, 'c'));
    settle(fixture);
    for (int i = 0; i < RUNS_OF_ONE_MAX; i++)
        forget(fixture, his[i]);
}

static void test_so_many_in_all(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct hosted *all[RUNS_MAX];
    char caller[16];
    for (int i = 0; i < RUNS_MAX; i++) {
        snprintf(caller, sizeof caller, "192.0.2.%d", i / RUNS_OF_ONE_MAX);
        assert_non_null(all[i] = add_of(fixture, caller, (char)('a' + i), 1, &err));
    }
    assert_null(add_of(fixture, "192.0.2.99", 'q', 1, &err));
    assert_non_null(strstr(err.what, "16 runs are under way"));
    struct watcher watcher = {.run = all[2]->run, .follow = true, .blocked = true};
    end(fixture, all[2]);
    end(fixture, all[5]);
    all[2]->watchers = &watcher; /* it is being read */
    struct hosted *next = add_of(fixture, "192.0.2.99", 'q', 1, &err);
    assert_non_null(next);
    assert_true(is_there(fixture, 'c') && !is_there(fixture, 'f'));
    assert_null(add_of(fixture, "192.0.2.99", 'r', 1, &err));
    all[2]->watchers = NULL;
    settle(fixture);
    assert_no_spool(fixture, 'f');
    all[5] = next;
    for (int i = 0; i < RUNS_MAX; i++)
        forget(fixture, all[i]);
}

static void pass(struct hosted *hosted, int64_t ns)
{
    hosted->watched_ns -= ns;
}

/* Of four callers who hold all the places, with runs that they only prepared. */
static void test_idle_ones_give_way(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct hosted *all[RUNS_MAX];
    char caller[16];
    const struct axis axis = {.local_ns = clock_now() + NS_PER_S};
    for (int i = 0; i < RUNS_MAX; i++) {
        snprintf(caller, sizeof caller, "192.0.2.%d", i / RUNS_OF_ONE_MAX);
        assert_non_null(all[i] = add_of(fixture, caller, (char)('a' + i), 1, &err));
        pass(all[i], RUNS_IDLE_NS - NS_PER_S);
    }
    assert_null(add_of(fixture, "192.0.2.99", 'q', 1, &err));
    assert_non_null(strstr(err.what, "16 runs are under way"));
    for (int i = 0; i < RUNS_MAX; i++)
        pass(all[i], NS_PER_S);
    struct watcher watcher = {.run = all[0]->run, .follow = true, .blocked = true};
    all[0]->watchers = &watcher;
    assert_int_equal(hosted_start(all[1], &axis, &err), 0);
    all[2]->busy = true;
    assert_null(add_of(fixture, "192.0.2.0", 'q', 1, &err)); /* he has his own */
    struct hosted *next[2];
    assert_non_null(next[0] = add_of(fixture, "192.0.2.99", 'q', 1, &err));
    assert_true(is_there(fixture, 'a') && is_there(fixture, 'b') && is_there(fixture, 'c'));
    assert_false(is_there(fixture, 'd'));
    /* Who has three places now keeps them, as others have four. */
    assert_non_null(next[1] = add_of(fixture, "192.0.2.98", 'r', 1, &err));
    assert_false(is_there(fixture, 'e'));
    settle(fixture);
    assert_no_spool(fixture, 'd');
    /* One is not exchanged for one. */
    for (int i = 5; i < RUNS_MAX; i++)
        all[i]->watched_ns = clock_now();
    pass(next[0], RUNS_IDLE_NS);
    assert_null(add_of(fixture, "192.0.2.98", 's', 1, &err));
    all[0]->watchers = NULL;
    all[2]->busy = false;
    all[3] = next[0];
    all[4] = next[1];
    for (int i = 0; i < RUNS_MAX; i++)
        forget(fixture, all[i]);
}

/* ---- pieces ---- */

static int admit(struct hosted *hosted, size_t ends, size_t about, struct error *err)
{
    Tcpflowgen__EndSpec spec = TCPFLOWGEN__END_SPEC__INIT, *specs[16];
    Tcpflowgen__PrepareRequest piece = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    Tcpflowgen__Run run = TCPFLOWGEN__RUN__INIT;
    char *scenario = malloc(about + 1);
    memset(scenario, 'x', about);
    scenario[about] = '\0';
    for (size_t i = 0; i < ends; i++)
        specs[i] = &spec;
    run.scenario = scenario;
    piece.ends = specs;
    piece.n_ends = ends;
    piece.about = about ? &run : NULL;
    spec.ccalg = scenario;
    int failed = run_admit(hosted->run, &piece, err);
    if (!failed)
        run_describe(hosted->run, &piece);
    free(scenario);
    return failed;
}

static void test_pieces_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct hosted *hosted = add(fixture, 'a', 10, NULL);
    struct segment *spool = run_spool(hosted->run);
    assert_int_equal(admit(hosted, 0, 1000, &err), 0); /* a host that is sampled */
    const uint64_t size = segment_size(spool);
    assert_in_range(size, 1000, 1100);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(admit(hosted, 0, 0, &err), ERROR_INPUT);
    assert_int_equal(admit(hosted, 1, 1000, &err), ERROR_INPUT); /* it is described */
    assert_non_null(strstr(err.what, "first piece"));
    assert_int_equal(admit(hosted, 11, 0, &err), ERROR_INPUT);
    assert_non_null(strstr(err.what, "more ends than the 10 announced"));
    assert_int_equal(segment_size(spool), size);
    assert_int_equal(admit(hosted, 10, 0, &err), 0);
    assert_true(segment_size(spool) > size);
    forget(fixture, hosted);
}

static void test_so_many_bytes_of_pieces(void **state)
{
    struct fixture *fixture = *state;
    static char address[3 << 20];
    struct error err = {0};
    struct hosted *hosted = add(fixture, 'a', 10, NULL);
    Tcpflowgen__EndSpec spec = TCPFLOWGEN__END_SPEC__INIT, *specs[] = {&spec};
    Tcpflowgen__PrepareRequest piece = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    memset(address, 'x', sizeof address - 1);
    spec.peer_address = address;
    piece.ends = specs;
    piece.n_ends = 1;
    int taken = 0;
    while (taken < 100 && run_admit(hosted->run, &piece, &err) == 0)
        taken++;
    assert_int_equal(taken, 21);
    assert_non_null(strstr(err.what, "larger than 64 MiB"));
    assert_non_null(strstr(err.cure, "more agents"));
    forget(fixture, hosted);
}

/* One leaves the table as nobody comes for it: the one behind it is looked after all the same. */
static void test_none_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct hosted *first = add(fixture, 'a', 1, NULL), *second = add(fixture, 'b', 1, NULL);
    end(fixture, first);
    first->orphaned = true;
    hosted_stop(second);
    const int64_t deadline = clock_now() + 5 * NS_PER_S;
    while (!run_settle(second->run) && clock_now() < deadline)
        sched_yield();
    runs_look_after(&fixture->runs);
    assert_false(is_there(fixture, 'a'));
    assert_true(second->over);
    settle(fixture);
    forget(fixture, second);
}

/* An agent that was stopped finds its run unwatched for long: its master may wait to be heard. */
static void test_a_pause_orphans_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    const struct timespec stands = {.tv_nsec = 500 * NS_PER_MS};
    fixture->options.orphan_ns = 250 * NS_PER_MS;
    struct hosted *hosted = add(fixture, 'a', 2, &err);
    assert_non_null(hosted);
    nanosleep(&stands, NULL);
    runs_look_after(&fixture->runs);
    assert_false(hosted->orphaned);
    const int64_t since = rpc_loop_now(fixture->loop);
    while (!hosted->orphaned)
        rpc_loop_run(fixture->loop, 1000);
    assert_true(rpc_loop_now(fixture->loop) - since >= 100 * NS_PER_MS);
    forget(fixture, hosted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_together_no_more_than_fits, setup, teardown),
        cmocka_unit_test(test_connections_have_theirs),
        cmocka_unit_test_setup_teardown(test_one_process_for_two, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_ends_than_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_so_many_captures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_so_many_watchers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hurry_is_for_one_errand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_pause_orphans_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_found_with_its_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_so_many_of_one_caller, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_goes_for_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_so_many_in_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_ones_give_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pieces_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_so_many_bytes_of_pieces, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
