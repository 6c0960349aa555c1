#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/outbox.h"

static int setup(void **state)
{
    static struct outbox outbox;
    outbox_init(&outbox, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    *state = &outbox;
    return outbox_reserve(&outbox, 1);
}

static int teardown(void **state)
{
    struct outbox *outbox = *state;
    close(outbox->wake_fd);
    outbox_fini(outbox);
    return 0;
}

static bool put_sample(struct outbox *outbox, int64_t tick)
{
    const struct sample sample = {.flow = 1, .tick = tick};
    const struct engine_item item = {.kind = ENGINE_SAMPLE, .flow = 1, .sample = &sample};
    return outbox_put(outbox, &item);
}

static bool is_awake(const struct outbox *outbox)
{
    struct pollfd pollfd = {.fd = outbox->wake_fd, .events = POLLIN};
    eventfd_t count;
    if (poll(&pollfd, 1, 0) <= 0)
        return false;
    eventfd_read(outbox->wake_fd, &count);
    return true;
}

/* Samples with ticks 0, 1, 2, ... */
static void count_ticks(void *arg, const struct engine_item *item)
{
    int64_t *next = arg;
    assert_int_equal(item->kind, ENGINE_SAMPLE);
    assert_int_equal(item->sample->tick, *next);
    (*next)++;
}

static void take_each(void *arg, const struct engine_item *item)
{
    int *nth = arg;
    switch ((*nth)++) {
    case 0:
        assert_int_equal(item->kind, ENGINE_READY);
        assert_int_equal(item->t_ns, 77);
        assert_null(item->sample);
        break;
    case 1:
        assert_int_equal(item->kind, ENGINE_SAMPLE);
        assert_int_equal(item->sample->tick, 5);
        break;
    case 2:
        assert_int_equal(item->kind, ENGINE_REPORT);
        assert_string_equal(item->report->error, "why");
        break;
    default:
        fail();
    }
    assert_int_equal(item->end, item->kind == ENGINE_SAMPLE ? END_SRC : END_DST);
}

static void test_kinds_in_order(void **state)
{
    struct outbox *outbox = *state;
    const struct end_report report = {.flow = 3, .end = END_DST, .error = "why"};
    const struct engine_item ready = {.kind = ENGINE_READY, .flow = 3, .end = END_DST, .t_ns = 77};
    const struct engine_item over = {
        .kind = ENGINE_REPORT, .flow = 3, .end = END_DST, .report = &report};
    assert_true(outbox_put(outbox, &ready));
    assert_true(put_sample(outbox, 5));
    assert_true(outbox_put(outbox, &over));
    int taken = 0;
    outbox_take(outbox, take_each, &taken);
    assert_int_equal(taken, 0);
    assert_false(is_awake(outbox));
    outbox_publish(outbox, true);
    assert_true(is_awake(outbox));
    outbox_take(outbox, take_each, &taken);
    assert_int_equal(taken, 3);
}

static void test_samples_are_not_urgent(void **state)
{
    struct outbox *outbox = *state;
    int64_t next = 0;
    assert_true(put_sample(outbox, 0));
    outbox_publish(outbox, true);
    assert_false(is_awake(outbox));
    outbox_publish(outbox, false);
    assert_true(is_awake(outbox));
    outbox_take(outbox, count_ticks, &next);
    assert_int_equal(next, 1);
}

static void test_full(void **state)
{
    struct outbox *outbox = *state;
    int64_t put = 0, next = 0;
    while (put_sample(outbox, put))
        put++;
    assert_true(put > 5000);
    assert_false(put_sample(outbox, put));
    outbox_take(outbox, count_ticks, &next);
    assert_int_equal(next, put); /* all blocks were handed over when the last was full */
    assert_true(put_sample(outbox, put++));
    outbox_publish(outbox, false);
    outbox_take(outbox, count_ticks, &next);
    assert_int_equal(next, put);
}

/* With one block left the worker keeps it, so that it can go on. */
static void test_last_block_is_kept(void **state)
{
    struct outbox *outbox = *state;
    for (unsigned i = 0; i < OUTBOX_BLOCKS_MIN; i++) {
        assert_true(put_sample(outbox, i));
        outbox_publish(outbox, false);
    }
    int64_t next = 0;
    outbox_take(outbox, count_ticks, &next);
    assert_int_equal(next, OUTBOX_BLOCKS_MIN - 1);
    outbox_publish(outbox, false);
    outbox_take(outbox, count_ticks, &next);
    assert_int_equal(next, OUTBOX_BLOCKS_MIN);
}

#define MANY 100000

static void *produce(void *arg)
{
    struct outbox *outbox = arg;
    for (int64_t tick = 0; tick < MANY;) {
        if (put_sample(outbox, tick))
            tick++;
        else
            usleep(100);
    }
    for (bool handed = false; !handed; handed = !outbox->current)
        outbox_publish(outbox, false);
    return NULL;
}

static void test_two_threads(void **state)
{
    struct outbox *outbox = *state;
    pthread_t thread;
    int64_t next = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, outbox), 0);
    while (next < MANY) {
        struct pollfd pollfd = {.fd = outbox->wake_fd, .events = POLLIN};
        poll(&pollfd, 1, 1000);
        is_awake(outbox);
        outbox_take(outbox, count_ticks, &next);
    }
    pthread_join(thread, NULL);
}

static void test_grows_with_ends(void **state)
{
    struct outbox *outbox = *state;
    const size_t before = outbox->blocks;
    assert_int_equal(outbox_reserve(outbox, 10000), 0);
    assert_true(outbox->blocks > before);
    assert_int_equal(outbox_reserve(outbox, 1000000), 0);
    assert_int_equal(outbox->blocks, OUTBOX_BLOCKS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_samples_are_not_urgent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_block_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grows_with_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
