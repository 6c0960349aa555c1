#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/watchdog.h"

#define BEGIN (1000 * NS_PER_S)

struct fixture {
    struct watchdog *watchdog;
    struct watched one, other;
    atomic_uint count;
    char last[128];
};

static void tell(void *arg, const struct watchdog_news *news)
{
    struct fixture *fixture = arg;
    snprintf(fixture->last, sizeof fixture->last, "%s %s %s %d", news->name,
             news->came_round ? "left" : "in", news->stage, (int)(news->for_ns / NS_PER_S));
    atomic_fetch_add(&fixture->count, 1);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    if (watchdog_create(&fixture->watchdog, tell, fixture, NULL))
        return -1;
    watchdog_add(fixture->watchdog, &fixture->one, "one", 3 * NS_PER_S);
    watchdog_add(fixture->watchdog, &fixture->other, "other", 3 * NS_PER_S);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    watchdog_remove(fixture->watchdog, &fixture->one);
    watchdog_remove(fixture->watchdog, &fixture->other);
    watchdog_destroy(fixture->watchdog);
    free(fixture);
    return 0;
}

static void look(struct fixture *fixture, int first_s, int last_s)
{
    for (int s = first_s; s <= last_s; s++)
        watchdog_look(fixture->watchdog, BEGIN + s * NS_PER_S);
}

static void test_one_that_hangs(void **state)
{
    struct fixture *fixture = *state;
    look(fixture, 0, 0);
    watch_busy(&fixture->one, "a call", BEGIN);
    look(fixture, 0, 2);
    assert_int_equal(fixture->count, 0);
    look(fixture, 3, 5); /* once */
    assert_int_equal(fixture->count, 1);
    assert_string_equal(fixture->last, "one in a call 3");
    watch_stage(&fixture->one, "another");
    look(fixture, 6, 11);
    assert_int_equal(fixture->count, 2);
    assert_string_equal(fixture->last, "one in another 6");
    look(fixture, 12, 13);
    assert_int_equal(fixture->count, 3);
    watch_idle(&fixture->one);
    look(fixture, 14, 20);
    assert_int_equal(fixture->count, 4);
    assert_string_equal(fixture->last, "one left another 12");
}

static void test_one_that_works(void **state)
{
    struct fixture *fixture = *state;
    look(fixture, 0, 0);
    for (int s = 0; s < 20; s++) {
        watch_busy(&fixture->one, "a call", BEGIN + s * NS_PER_S); /* without a pause */
        look(fixture, s, s);
    }
    assert_int_equal(fixture->count, 0);
}

/* A machine that was suspended: nobody is to blame. */
static void test_all_stood_still(void **state)
{
    struct fixture *fixture = *state;
    look(fixture, 0, 0);
    watch_busy(&fixture->one, "a call", BEGIN);
    look(fixture, 100, 102);
    assert_int_equal(fixture->count, 0);
    look(fixture, 103, 103);
    assert_int_equal(fixture->count, 1);
    assert_string_equal(fixture->last, "one in a call 3");
}

static void test_by_itself(void **state)
{
    struct fixture *fixture = *state;
    watchdog_remove(fixture->watchdog, &fixture->one);
    watchdog_add(fixture->watchdog, &fixture->one, "one", NS_PER_S / 2);
    watch_busy(&fixture->one, "a call", clock_now());
    assert_int_equal(watchdog_start(fixture->watchdog, NULL), 0);
    for (int i = 0; i < 500 && !fixture->count; i++)
        usleep(10000);
    assert_int_equal(fixture->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_that_hangs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_works, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_stood_still, setup, teardown),
        cmocka_unit_test_setup_teardown(test_by_itself, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
