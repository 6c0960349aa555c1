/* Clocks and networks made of numbers, so that the truth is known: whatever the delays are, no
 * converted time may be wrong by more than error_ns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/clock_fit.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define US          NS_PER_US
#define MS          NS_PER_MS
#define S           NS_PER_S
#define BURST       16
#define BURSTS_MAX  512
#define SEEDS       40
#define MASTER_ZERO (INT64_C(86400) * 30 * S) /* the master has been up for a month */

struct world {
    const char *name;
    int64_t offset_ns; /* agent - master at MASTER_ZERO */
    int64_t ppb;       /* and how much faster the agent's clock runs */
    int64_t turn_ns;   /* so long after MASTER_ZERO, 0: never, its rate changes */
    int64_t turn_ppb;  /* by this */
    double swing_ns;   /* it also wanders about that, as with the temperature, by so much */
    double period_s;   /* in so long a time */
    int64_t forth_ns, back_ns;
    int64_t jitter_ns; /* at most, on each way */
    int64_t loaded_ns; /* at most, on each way, while loaded */
    size_t loaded_from, loaded_to;
    size_t bursts;
    int64_t every_ns;
    int64_t error_max_ns; /* 0: not checked */
};

static const struct world worlds[] = {
    {.name = "quiet",
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 5 * US,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 80 * US},
    {.name = "drift and offset",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 20 * US,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 120 * US},
    {.name = "slower agent",
     .offset_ns = -3700 * MS,
     .ppb = -200000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 20 * US,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 120 * US},
    {.name = "far apart",
     .offset_ns = INT64_C(1000000000000000000),
     .ppb = 50000,
     .forth_ns = 10 * US,
     .back_ns = 12 * US,
     .jitter_ns = 3 * US,
     .bursts = 30,
     .every_ns = S,
     .error_max_ns = 25 * US},
    {.name = "far behind",
     .offset_ns = INT64_C(-1000000000000000000),
     .ppb = -50000,
     .forth_ns = 10 * US,
     .back_ns = 12 * US,
     .jitter_ns = 3 * US,
     .bursts = 30,
     .every_ns = S,
     .error_max_ns = 25 * US},
    {.name = "one way is slow",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 900 * US,
     .back_ns = 100 * US,
     .jitter_ns = 50 * US,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 1200 * US},
    {.name = "all delay is on one way",
     .offset_ns = 3700 * MS,
     .ppb = -200000,
     .back_ns = 1000 * US,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 1200 * US},
    {.name = "loaded in mid-run",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 70 * US,
     .jitter_ns = 20 * US,
     .loaded_ns = 30 * MS,
     .loaded_from = 2,
     .loaded_to = 18,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 150 * US},
    {.name = "loaded until the end",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 70 * US,
     .jitter_ns = 20 * US,
     .loaded_ns = 30 * MS,
     .loaded_from = 5,
     .loaded_to = 20,
     .bursts = 20,
     .every_ns = S},
    {.name = "loaded from the start",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 70 * US,
     .jitter_ns = 20 * US,
     .loaded_ns = 30 * MS,
     .loaded_from = 0,
     .loaded_to = 15,
     .bursts = 20,
     .every_ns = S},
    {.name = "loaded but for one burst",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 70 * US,
     .jitter_ns = 20 * US,
     .loaded_ns = 30 * MS,
     .loaded_from = 1,
     .loaded_to = 20,
     .bursts = 20,
     .every_ns = S},
    {.name = "always loaded",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .loaded_ns = 30 * MS,
     .loaded_to = 20,
     .bursts = 20,
     .every_ns = S},
    {.name = "one burst",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .bursts = 1,
     .every_ns = S,
     .error_max_ns = 60 * US},
    {.name = "two bursts",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 10 * US,
     .bursts = 2,
     .every_ns = 10 * S,
     .error_max_ns = 80 * US},
    {.name = "bursts close together",
     .offset_ns = 3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 10 * US,
     .bursts = 4,
     .every_ns = 20 * MS,
     .error_max_ns = 80 * US},
    {.name = "clocks that no kernel has",
     .ppb = 5000000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .bursts = 10,
     .every_ns = S},
    {.name = "near and detuned",
     .ppb = 900000,
     .forth_ns = 50,
     .back_ns = 50,
     .jitter_ns = 300,
     .bursts = 20,
     .every_ns = S,
     .error_max_ns = 2 * US},
    {.name = "slewed in mid-run",
     .offset_ns = 3700 * MS,
     .ppb = 20000,
     .turn_ns = 21300 * MS,
     .turn_ppb = 100000,
     .forth_ns = 5 * US,
     .back_ns = 5 * US,
     .jitter_ns = 3 * US,
     .bursts = 60,
     .every_ns = S,
     .error_max_ns = 60 * US}, /* 100 ppm in a second, a quarter of that, and the exchanges */
    {.name = "slewed back and forth under load",
     .ppb = -20000,
     .turn_ns = 30 * S,
     .turn_ppb = 500000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 20 * US,
     .loaded_ns = 2 * MS,
     .loaded_from = 10,
     .loaded_to = 50,
     .bursts = 60,
     .every_ns = S},
    {.name = "warmer and colder for an hour", /* 0.9 ppm up and down */
     .offset_ns = 3700 * MS,
     .ppb = 30000,
     .swing_ns = 172000,
     .period_s = 1200,
     .forth_ns = 5 * US,
     .back_ns = 5 * US,
     .jitter_ns = 3 * US,
     .bursts = 360,
     .every_ns = 10 * S,
     .error_max_ns = 25 * US},
    {.name = "a fast fever", /* 1 ppm within 15 s */
     .swing_ns = 10000,
     .period_s = 60,
     .forth_ns = 1 * US,
     .back_ns = 1 * US,
     .jitter_ns = 1 * US,
     .bursts = 300,
     .every_ns = S,
     .error_max_ns = 6 * US},
    {.name = "an hour",
     .offset_ns = -3700 * MS,
     .ppb = 200000,
     .forth_ns = 50 * US,
     .back_ns = 50 * US,
     .jitter_ns = 20 * US,
     .bursts = 60,
     .every_ns = 60 * S,
     .error_max_ns = 120 * US},
};

static uint64_t seed;

/* 0..max, the same at each run (xorshift64). */
static int64_t any(int64_t max)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return max > 0 ? (int64_t)(seed % ((uint64_t)max + 1)) : 0;
}

static int64_t agent_clock(const struct world *world, int64_t master_ns)
{
    __extension__ typedef __int128 wide;
    wide passed = master_ns - MASTER_ZERO;
    wide offset = world->offset_ns + passed * world->ppb / 1000000000;
    if (world->turn_ns && passed > world->turn_ns)
        offset += (passed - world->turn_ns) * world->turn_ppb / 1000000000;
    if (world->period_s > 0)
        offset += (wide)(world->swing_ns * sin((double)passed / 1e9 / world->period_s * 2 * M_PI));
    return (int64_t)(master_ns + offset);
}

static struct clock_exchange make_exchange(const struct world *world, int64_t master_ns,
                                           bool loaded)
{
    int64_t extra = loaded ? world->loaded_ns : 0;
    int64_t arrive = master_ns + world->forth_ns + any(world->jitter_ns) + any(extra);
    int64_t leave = arrive + any(30 * US);
    return (struct clock_exchange){
        .t1 = master_ns,
        .t2 = agent_clock(world, arrive),
        .t3 = agent_clock(world, leave),
        .t4 = leave + world->back_ns + any(world->jitter_ns) + any(extra),
    };
}

static size_t make_points(const struct world *world, struct clock_point *points)
{
    for (size_t i = 0; i < world->bursts; i++) {
        struct clock_exchange burst[BURST];
        int64_t at = MASTER_ZERO + (int64_t)i * world->every_ns;
        bool loaded = i >= world->loaded_from && i < world->loaded_to;
        for (size_t k = 0; k < BURST; k++) {
            burst[k] = make_exchange(world, at, loaded);
            at = burst[k].t4;
        }
        points[i] = clock_best(burst, BURST);
    }
    return world->bursts;
}

static int64_t wrong_by(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static void check_world(const struct world *world)
{
    struct clock_point points[BURSTS_MAX];
    size_t count = make_points(world, points);
    struct clock_fit fit = clock_fit(points, count, (uint32_t)count * BURST);

    const int steps = 1000;
    int64_t first = points[0].agent_ns, span = points[count - 1].agent_ns - first;
    for (int i = 0; i <= steps; i++) {
        int64_t agent = first + span / steps * i;
        int64_t master = clock_fit_to_master(&fit, agent);
        int64_t truth = agent_clock(world, master); /* what the agent's clock shows then */
        /* The two clocks' seconds differ by less than a percent. */
        if (wrong_by(truth, agent) > fit.error_ns + fit.error_ns / 100 + 1)
            fail_msg("%s: wrong by %lld of %lld", world->name, (long long)wrong_by(truth, agent),
                     (long long)fit.error_ns);
        assert_true(wrong_by(clock_fit_to_agent(&fit, master), agent) <= 2);
    }
    if (world->error_max_ns && fit.error_ns > world->error_max_ns)
        fail_msg("%s: error_ns is %lld", world->name, (long long)fit.error_ns);
    assert_true(fit.residual_ns <= fit.error_ns);
    assert_true(fit.used >= 1 && fit.used <= count);
    assert_int_equal(fit.exchanges, count * BURST);
}

static void is_never_wrong_by_more_than_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(worlds); i++) {
        for (uint64_t k = 1; k <= SEEDS; k++) {
            seed = k * UINT64_C(0x9e3779b97f4a7c15);
            check_world(&worlds[i]);
        }
    }
}

static void finds_the_rate(void **state)
{
    (void)state;
    seed = 1;
    struct clock_point points[BURSTS_MAX];
    size_t count = make_points(&worlds[1], points);
    struct clock_fit fit = clock_fit(points, count, 0);
    assert_true(fit.rate > 195e-6 && fit.rate < 205e-6);
    count = make_points(&worlds[7], points);
    fit = clock_fit(points, count, 0);
    assert_true(fit.rate > 190e-6 && fit.rate < 210e-6);
    assert_in_range(fit.used, 2, 4); /* of two bursts before the load and two behind it */
}

static const struct world *find_world(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(worlds); i++)
        if (strcmp(worlds[i].name, name) == 0)
            return &worlds[i];
    fail_msg("no world %s", name);
    return NULL;
}

static void bends_only_where_a_line_does_not_do(void **state)
{
    (void)state;
    struct clock_point points[BURSTS_MAX];
    for (seed = 1; seed < 20; seed++) {
        size_t count = make_points(find_world("drift and offset"), points);
        assert_int_equal(clock_fit(points, count, 0).knot_count, 0);
        count = make_points(find_world("slewed in mid-run"), points);
        struct clock_fit fit = clock_fit(points, count, 0);
        assert_in_range(fit.knot_count, 3, 8);
        double before = clock_fit_rate(&fit, points[5].agent_ns);
        double after = clock_fit_rate(&fit, points[50].agent_ns);
        assert_true(before > 19e-6 && before < 21e-6);
        assert_true(after > 119e-6 && after < 121e-6);
        /* The outer pieces go on. */
        assert_true(clock_fit_rate(&fit, points[0].agent_ns - 9 * S) == before);
        assert_true(clock_fit_rate(&fit, points[count - 1].agent_ns + 9 * S) > 119e-6);
    }
}

/* A line through both ends would hide what the clock did in between. */
static void a_gap_is_not_trusted(void **state)
{
    (void)state;
    const struct clock_point points[] = {
        {.agent_ns = 0, .offset_ns = 0, .bound_ns = 1 * US},
        {.agent_ns = 600 * S, .offset_ns = 0, .bound_ns = 1 * US},
    };
    struct clock_fit fit = clock_fit(points, COUNT_OF(points), 0);
    assert_in_range(fit.error_ns, 300 * US, 302 * US); /* 2 ppm x 600 s / 4 */
}

/* The fastest forth and the fastest back are of different exchanges. */
static void a_burst_is_more_than_its_fastest_exchange(void **state)
{
    (void)state;
    const struct clock_exchange burst[] = {
        {.t1 = 1000, .t2 = 51010, .t3 = 51020, .t4 = 3000, .method = CLOCK_UDP_KERNEL},
        {.t1 = 5000, .t2 = 56500, .t3 = 56510, .t4 = 6520, .method = CLOCK_UDP},
    };
    struct clock_point best = clock_best(burst, COUNT_OF(burst));
    assert_in_range(best.offset_ns, 49990, 50010);
    assert_in_range(best.bound_ns, 10, 25);
    assert_int_equal(best.method, CLOCK_UDP);
    assert_int_equal(clock_best(burst, 1).method, CLOCK_UDP_KERNEL);
}

static void a_trip_of_less_than_no_time_is_none(void **state)
{
    (void)state;
    const struct clock_exchange burst[] = {
        {.t1 = 1000, .t2 = 51000, .t3 = 52000, .t4 = 1900}, /* the agent held it longer */
        {.t1 = 3000, .t2 = 53300, .t3 = 53400, .t4 = 3700},
    };
    struct clock_point best = clock_best(burst, COUNT_OF(burst));
    assert_int_equal(best.agent_ns, 53350);
    assert_in_range(best.bound_ns, 300, 302);
}

static void takes_the_fastest_exchange(void **state)
{
    (void)state;
    const struct clock_exchange burst[] = {
        {.t1 = 1000, .t2 = 51300, .t3 = 51400, .t4 = 2100}, /* round trip 1000 */
        {.t1 = 3000, .t2 = 53200, .t3 = 53300, .t4 = 3500}, /* 400 */
        {.t1 = 5000, .t2 = 55300, .t3 = 55400, .t4 = 5700}, /* 600 */
    };
    struct clock_point best = clock_best(burst, COUNT_OF(burst));
    assert_int_equal(best.agent_ns, 53250);
    assert_int_equal(best.offset_ns, 50000);
    assert_in_range(best.bound_ns, 200, 202);
}

static void leaves_out_exchanges_that_cannot_be(void **state)
{
    (void)state;
    const struct clock_exchange burst[] = {
        {.t1 = 9000, .t2 = 51300, .t3 = 51400, .t4 = 2100},
        {.t1 = 3000, .t2 = 53300, .t3 = 53200, .t4 = 3500},
        {.t1 = 5000, .t2 = 55300, .t3 = 55400, .t4 = 5700},
    };
    struct clock_point best = clock_best(burst, COUNT_OF(burst));
    assert_int_equal(best.agent_ns, 55350);

    struct clock_point useless = clock_best(burst, 2);
    assert_true(useless.bound_ns > INT64_C(1000000000) * S);
    struct clock_point points[] = {best, useless};
    struct clock_fit fit = clock_fit(points, COUNT_OF(points), 0);
    assert_int_equal(fit.used, 1);
    assert_int_equal(clock_fit_to_master(&fit, 55350), 5350);
}

static void one_point_has_no_rate(void **state)
{
    (void)state;
    const struct clock_point point = {.agent_ns = 7 * S, .offset_ns = 2 * S, .bound_ns = 100};
    struct clock_fit fit = clock_fit(&point, 1, 16);
    assert_true(fit.rate == 0);
    assert_int_equal(fit.reference_ns, 7 * S);
    assert_int_equal(fit.offset_ns, 2 * S);
    assert_int_equal(fit.residual_ns, 0);
    assert_in_range(fit.error_ns, 100, 101);
    assert_int_equal(fit.rtt_min_ns, 200);
    assert_int_equal(fit.used, 1);
    assert_int_equal(fit.exchanges, 16);
    assert_int_equal(clock_fit_to_master(&fit, 9 * S), 7 * S);
    assert_int_equal(clock_fit_to_agent(&fit, 7 * S), 9 * S);
}

static void a_short_span_has_no_rate(void **state)
{
    (void)state;
    struct clock_point points[] = {
        {.agent_ns = 1 * S, .offset_ns = 0, .bound_ns = 50 * US},
        {.agent_ns = 1 * S + 99 * MS, .offset_ns = 10 * US, .bound_ns = 50 * US},
    };
    struct clock_fit fit = clock_fit(points, 2, 0);
    assert_true(fit.rate == 0);
    assert_int_equal(fit.offset_ns, 5 * US);
    assert_int_equal(fit.residual_ns, 5 * US);
    points[0].bound_ns = points[1].bound_ns = 4 * US; /* no offset explains both */
    assert_true(clock_fit(points, 2, 0).rate == 0);
    points[1].agent_ns = 1 * S + 100 * MS;
    fit = clock_fit(points, 2, 0);
    assert_true(fit.rate > 99e-6 && fit.rate < 101e-6);
}

static void a_wide_point_near_the_only_one_does_no_harm(void **state)
{
    (void)state;
    const struct clock_point points[] = {
        {.agent_ns = 1 * S, .offset_ns = 300 * US, .bound_ns = 500 * US},
        {.agent_ns = 1 * S + 2 * MS, .offset_ns = 0, .bound_ns = 10 * US},
    };
    struct clock_fit fit = clock_fit(points, COUNT_OF(points), 0);
    assert_int_equal(fit.used, 1);
    assert_in_range(fit.error_ns, 12 * US, 12 * US + 10); /* 1000 ppm of 2 ms more */
}

static void what_one_offset_explains_has_no_rate(void **state)
{
    (void)state;
    const struct clock_point points[] = {
        {.agent_ns = 0, .offset_ns = 0, .bound_ns = 50 * US},
        {.agent_ns = 1 * S, .offset_ns = 30 * US, .bound_ns = 20 * US},
        {.agent_ns = 2 * S, .offset_ns = -900 * US, .bound_ns = 920 * US}, /* 20 us at most */
    };
    struct clock_fit fit = clock_fit(points, COUNT_OF(points), 0);
    assert_true(fit.rate == 0);
    assert_in_range(fit.offset_ns, 10 * US, 20 * US);
}

static void grows_until_wide_points_agree(void **state)
{
    (void)state;
    const struct clock_point points[] = {
        {.agent_ns = 0, .offset_ns = 0, .bound_ns = 10 * US},
        {.agent_ns = 5 * S, .offset_ns = 900 * US, .bound_ns = 100 * US}, /* 800 us at least */
        {.agent_ns = 10 * S, .offset_ns = 0, .bound_ns = 10 * US},
    };
    struct clock_fit fit = clock_fit(points, COUNT_OF(points), 0);
    assert_int_equal(fit.used, 2);
    assert_int_equal(clock_fit_to_master(&fit, 5 * S), 5 * S);
    assert_in_range(fit.error_ns, 800 * US, 801 * US);
    assert_int_equal(fit.residual_ns, 0);
}

static void hostile_clocks_do_no_harm(void **state)
{
    (void)state;
    static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, -S, 0, S, INT64_MAX - 1, INT64_MAX};
    seed = 42;
    for (int i = 0; i < 5000; i++) {
        struct clock_exchange burst[4];
        struct clock_point points[8];
        for (size_t k = 0; k < COUNT_OF(points); k++) {
            for (size_t b = 0; b < COUNT_OF(burst); b++) {
                const int64_t last = (int64_t)COUNT_OF(values) - 1;
                burst[b] = (struct clock_exchange){.t1 = values[any(last)],
                                                   .t2 = values[any(last)],
                                                   .t3 = values[any(last)],
                                                   .t4 = values[any(last)]};
            }
            points[k] = clock_best(burst, COUNT_OF(burst));
            assert_true(points[k].bound_ns >= 0);
        }
        struct clock_fit fit = clock_fit(points, COUNT_OF(points), 0);
        assert_true(fit.error_ns >= 0);
        assert_true(fit.rate >= -1e-3 && fit.rate <= 1e-3);
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            clock_fit_to_master(&fit, values[k]);
            clock_fit_to_agent(&fit, values[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_never_wrong_by_more_than_it_says),
        cmocka_unit_test(finds_the_rate),
        cmocka_unit_test(bends_only_where_a_line_does_not_do),
        cmocka_unit_test(a_gap_is_not_trusted),
        cmocka_unit_test(a_burst_is_more_than_its_fastest_exchange),
        cmocka_unit_test(a_trip_of_less_than_no_time_is_none),
        cmocka_unit_test(takes_the_fastest_exchange),
        cmocka_unit_test(leaves_out_exchanges_that_cannot_be),
        cmocka_unit_test(one_point_has_no_rate),
        cmocka_unit_test(a_short_span_has_no_rate),
        cmocka_unit_test(a_wide_point_near_the_only_one_does_no_harm),
        cmocka_unit_test(what_one_offset_explains_has_no_rate),
        cmocka_unit_test(grows_until_wide_points_agree),
        cmocka_unit_test(hostile_clocks_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
