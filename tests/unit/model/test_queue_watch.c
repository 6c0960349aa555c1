#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/queue_watch.h"
#include "util/clock.h"

#define MIN_RTT_US  20000
#define WINDOW      200000u
#define SEND_BUFFER 400000u

/* A source that is held up all the time, looked at again and again. */
struct fixture {
    struct queue_watch watch;
    struct queue_look look;
};

static struct fixture begun(void)
{
    struct fixture fixture = {.look = {
                                  .t_ns = 77 * NS_PER_S,
                                  .acked = 5000,
                                  .window_us = 300,
                                  .held_ns = 400,
                                  .rtt_us = MIN_RTT_US,
                                  .min_rtt_us = MIN_RTT_US,
                                  .window = WINDOW,
                                  .send_buffer = SEND_BUFFER,
                                  .knows_window = true,
                              }};
    queue_watch_begin(&fixture.watch, &fixture.look);
    return fixture;
}

/* So much later, `acked` bytes of it acknowledged, RTT and the peer's window as given. */
static void pass(struct fixture *fixture, int ms, uint64_t acked, uint32_t rtt_ms, uint32_t window)
{
    struct queue_look *look = &fixture->look;
    look->t_ns += ms * NS_PER_MS;
    look->acked += acked;
    look->window_us += (uint64_t)ms * 1000;
    look->held_ns += ms * NS_PER_MS;
    look->rtt_us = rtt_ms * 1000;
    look->window = window;
    queue_watch_look(&fixture->watch, look);
}

static void test_one_look(void **state)
{
    static const struct {
        const char *what;
        uint64_t acked;
        uint32_t rtt_ms, window;
        bool window_queue, buffer_queue, shut;
    } rows[] = {
        {"a full link of 10 Mbit/s", 312500, 160, WINDOW, true, true, false},
        {"the path alone holds the window", 2500000, 20, WINDOW, false, false, false},
        {"a queue, of what others send", 62500, 160, WINDOW, false, false, false},
        {"half of the window", 250000, 100, WINDOW, true, true, false},
        {"less than that", 249999, 100, WINDOW, false, false, false},
        {"twice the least RTT", 1000000, 40, WINDOW, true, true, false},
        {"less than that", 1000000, 39, WINDOW, false, false, false},
        {"shut", 0, 160, 0, false, false, true},
        {"a peer that reads slowly", 12500, 160, WINDOW / 2 - 1, false, false, true},
        {"a window that has grown", 312500, 160, 8 * WINDOW, false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture at = begun();
        pass(&at, 250, rows[i].acked, rows[i].rtt_ms, rows[i].window);
        const uint64_t window_us = rows[i].window_queue ? 250000 : 0;
        const uint64_t shut_us = rows[i].shut ? 250000 : 0;
        const int64_t held_ns = rows[i].buffer_queue ? 250 * NS_PER_MS : 0;
        if (at.watch.looks != 1 || at.watch.window_us != window_us || at.watch.shut_us != shut_us ||
            at.watch.held_ns != held_ns)
            fail_msg("%s: %u looks, %llu %llu us, %lld ns", rows[i].what, at.watch.looks,
                     (unsigned long long)at.watch.window_us, (unsigned long long)at.watch.shut_us,
                     (long long)at.watch.held_ns);
    }
}

/* A link of 10 Mbit/s; the peer's program is stopped for 2 of 5 s. */
static void test_a_peer_that_stops(void **state)
{
    (void)state;
    struct fixture at = begun();
    for (int i = 0; i < 15; i++)
        pass(&at, 100, 125000, 160, WINDOW);
    for (int i = 0; i < 20; i++)
        pass(&at, 100, 0, 160, 0);
    for (int i = 0; i < 15; i++)
        pass(&at, 100, 125000, 160, WINDOW);
    queue_watch_end(&at.watch, &at.look);
    assert_int_equal(at.watch.window_us + at.watch.shut_us, 5000000);
    /* Looks are of a round trip at least, so that two of them have both in them. */
    assert_in_range(at.watch.shut_us, 1800000, 2200000);
}

/* Of less than a round trip nothing is judged; what is left at the end is as it was before. */
static void test_what_is_too_short(void **state)
{
    (void)state;
    struct fixture at = begun();
    pass(&at, 159, 200000, 160, WINDOW);
    assert_int_equal(at.watch.looks, 0);
    queue_watch_end(&at.watch, &at.look);
    assert_int_equal(at.watch.looks, 0);
    pass(&at, 1, 0, 160, WINDOW);
    assert_int_equal(at.watch.looks, 1);
    assert_int_equal(at.watch.window_us, 160000);
    pass(&at, 40, 0, 160, WINDOW);
    assert_int_equal(at.watch.looks, 1);
    queue_watch_end(&at.watch, &at.look);
    assert_int_equal(at.watch.window_us, 200000);
    queue_watch_end(&at.watch, &at.look); /* once */
    assert_int_equal(at.watch.looks, 2);

    at = begun();
    pass(&at, 9, 200000, 5, WINDOW); /* jiffies */
    assert_int_equal(at.watch.looks, 0);
}

static void test_who_cannot_tell(void **state)
{
    (void)state;
    struct fixture at = begun();
    at.look.knows_window = false;
    pass(&at, 250, 312500, 160, 0);
    queue_watch_end(&at.watch, &at.look);
    assert_int_equal(at.watch.looks, 0);
    at = begun();
    at.watch = (struct queue_watch){0}; /* not begun */
    pass(&at, 250, 312500, 160, WINDOW);
    assert_int_equal(at.watch.looks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_look),
        cmocka_unit_test(test_a_peer_that_stops),
        cmocka_unit_test(test_what_is_too_short),
        cmocka_unit_test(test_who_cannot_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
