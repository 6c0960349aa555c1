#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/standstill.h"

#define MS   INT64_C(1000000)
#define ROWS 64

/* A sample each 250 ms; ago: since the last acknowledgement, or the last data, in ms. */
struct row {
    int64_t bytes, ago;
    int64_t unacked, notsent, window; /* segments, bytes, bytes; window 0: it is wide */
};

#define SHUT 1 /* byte of window */

static int64_t pacing_rate; /* 0: as the kernel tells that there is none */
static int64_t state;       /* 0: established */

static void fill(struct series *series, enum flow_end end, const struct row *rows, size_t count,
                 int64_t first_ns)
{
    assert_int_equal(series_reserve(series, ROWS), 0);
    series->count = count;
    series->info_length = TCP_INFO_SIZE;
    for (size_t i = 0; i < count; i++) {
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            series->field[f][i] = 0;
        series->t_ns[i] = first_ns + (int64_t)i * 250 * MS;
        series->field[TCP_state][i] = state ? state : LINUX_TCP_ESTABLISHED;
        series->field[TCP_snd_mss][i] = 1448;
        series->field[end == END_SRC ? TCP_bytes_acked : TCP_bytes_received][i] = rows[i].bytes;
        series->field[end == END_SRC ? TCP_last_ack_recv : TCP_last_data_recv][i] = rows[i].ago;
        series->field[TCP_unacked][i] = rows[i].unacked;
        series->field[TCP_notsent_bytes][i] = rows[i].notsent;
        series->field[TCP_snd_wnd][i] = rows[i].window ? rows[i].window : 65536;
        series->field[TCP_max_pacing_rate][i] = pacing_rate ? pacing_rate : -1;
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void expect(struct standstill_watch *watch, bool reads_by_rate, int64_t from_ms,
                   int64_t length_ms)
{
    const struct standstill found = standstill_longest(watch, reads_by_rate, INT64_MAX);
    assert_int_equal(found.ns, length_ms * MS);
    if (length_ms)
        assert_int_equal(found.from_ns, from_ms * MS);
}

static void add(struct standstill_watch *watch, enum flow_end end, const struct row *rows,
                size_t count, int64_t first_ms)
{
    struct series series = {0};
    fill(&series, end, rows, count, first_ms * MS);
    (end == END_SRC ? standstill_add_source : standstill_add_sink)(watch, &series);
    series_fini(&series);
}

#define SOURCE(...) add(&watch, END_SRC, __VA_ARGS__)
#define SINK(...)   add(&watch, END_DST, __VA_ARGS__)

static void test_from_the_last_acknowledgement(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    static const struct row source[] = {{100, 1, 9, 9, 0},   {200, 60, 9, 9, 0},
                                        {200, 310, 9, 9, 0}, {200, 560, 9, 9, 0},
                                        {300, 5, 9, 9, 0},   {400, 5, 0, 0, 0}};
    SOURCE(source, COUNT(source), 0);
    expect(&watch, false, 190, 560); /* 250 - 60 to 750 */
    struct standstill_watch none = {0};
    expect(&none, false, 0, 0);
}

static void test_from_the_begin_and_to_the_end(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    static const struct row source[] = {
        {17, 2000, 10, 0, 0}, {17, 2250, 10, 0, 0}, {17, 2500, 10, 0, 0}};
    SOURCE(source, COUNT(source), 1000);
    SOURCE(source, 2, 1750); /* a part of its own */
    expect(&watch, false, 1000, 1000);
}

/* Nobody has to move what is not there. */
static void test_rest_is_none(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    static const struct row source[] = {{100, 0, 0, 0, 0},   {100, 250, 0, 0, 0},
                                        {100, 500, 0, 0, 0}, {100, 750, 2, 0, 0},
                                        {100, 999, 2, 0, 0}, {200, 0, 0, 0, 0}};
    SOURCE(source, COUNT(source), 0);
    expect(&watch, false, 750, 250);
}

static void test_unsent_data_count_but_not_under_a_pacing_rate(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0}, paced = {0};
    static const struct row source[] = {{100, 0, 0, 5000, 0}, {100, 250, 0, 5000, 0}};
    SOURCE(source, COUNT(source), 0);
    expect(&watch, false, 0, 250);
    pacing_rate = 1000;
    add(&paced, END_SRC, source, COUNT(source), 0);
    pacing_rate = 0;
    expect(&paced, false, 0, 0);
}

static void test_a_window_that_a_read_rate_shuts(void **state_)
{
    (void)state_;
    static const struct row source[] = {{100, 0, 0, 5000, SHUT},   {100, 250, 0, 5000, SHUT},
                                        {100, 500, 1, 5000, SHUT}, {100, 750, 1, 5000, SHUT},
                                        {100, 999, 1, 5000, 0},    {100, 999, 1, 5000, 0}};
    struct standstill_watch watch = {0}, by_rate = {0};
    SOURCE(source, 4, 0);
    const struct standstill found = standstill_longest(&watch, false, INT64_MAX);
    assert_int_equal(found.ns, 750 * MS);
    assert_true(found.shut);
    add(&by_rate, END_SRC, source, 6, 0);
    expect(&by_rate, true, 1000, 250);
}

/* What arrives is progress, whether the source hears of it or not. */
static void test_the_sink_received(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    static const struct row source[] = {{100, 0, 9, 9, 0},   {100, 250, 9, 9, 0},
                                        {100, 500, 9, 9, 0}, {100, 750, 9, 9, 0},
                                        {100, 999, 9, 9, 0}, {500, 0, 0, 0, 0}};
    static const struct row sink[] = {{99, 0, 0, 0, 0},
                                      {99, 250, 0, 0, 0},
                                      {199, 150, 0, 0, 0},
                                      {199, 400, 0, 0, 0},
                                      {199, 650, 0, 0, 0}};
    SOURCE(source, COUNT(source), 0);
    SINK(sink, COUNT(sink), 10);
    expect(&watch, false, 360, 640); /* 510 - 150 to 1000, not 0 to 260 */
}

/* Between two samples that differ it may have moved all the time; two alike prove that it did not.
 */
static void test_a_gap_is_none(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0}, proven = {0};
    static const struct row one[] = {{100, 0, 9, 9, 0}}, other[] = {{200, 4990, 9, 9, 0}};
    SOURCE(one, 1, 0);
    SOURCE(other, 1, 5000);
    expect(&watch, false, 0, 0);
    add(&proven, END_SRC, one, 1, 0);
    add(&proven, END_SRC, one, 1, 5000);
    struct standstill_watch unknown = proven;
    expect(&proven, false, 0, 5000);
    static const struct row first[] = {{99, 0, 0, 0, 0}}, last[] = {{999, 0, 0, 0, 0}};
    add(&unknown, END_DST, first, 1, 0);
    add(&unknown, END_DST, last, 1, 5000);
    expect(&unknown, false, 0, 0);
}

/* The sink's first sample comes late: what it has by then may have come at any time. */
static void test_what_the_sink_had_before(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0}, token = {0};
    static const struct row source[] = {
        {100, 0, 9, 9, 0}, {100, 250, 9, 9, 0}, {100, 500, 9, 9, 0}};
    static const struct row much[] = {{99, 100, 0, 0, 0}},
                            only_token[] = {{TOKEN_SIZE, 100, 0, 0, 0}};
    SOURCE(source, COUNT(source), 0);
    SINK(much, 1, 300);
    expect(&watch, false, 200, 300);
    add(&token, END_SRC, source, COUNT(source), 0);
    add(&token, END_DST, only_token, 1, 300);
    expect(&token, false, 0, 500);
}

static void test_the_longest_of_many(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    for (int64_t i = 0; i < 20;
         i++) { /* of 250, 500, ... 5000 ms, with pauses, the longest first */
        const int64_t count = 21 - i;
        struct row rows[ROWS];
        for (int64_t k = 0; k <= count; k++)
            rows[k] = (struct row){1000 + i, 250 * k, 9, 9, 0};
        SOURCE(rows, (size_t)count + 1, i * 10000);
    }
    expect(&watch, false, 0, 5250);
}

static void test_a_connection_that_is_being_made(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    static const struct row source[] = {{0, 0, 1, 9, 0}, {0, 250, 1, 9, 0}};
    state = 2; /* SYN sent */
    SOURCE(source, COUNT(source), 0);
    state = 0;
    expect(&watch, false, 0, 0);
}

/* As a file may have it. */
static void test_nonsense(void **state_)
{
    (void)state_;
    struct standstill_watch watch = {0};
    struct row source[] = {{1, INT64_MAX, 9, 9, 0}, {2, INT64_MIN, 9, 9, 0}, {2, -1, 9, 9, 0}};
    SOURCE(source, COUNT(source), INT64_MAX / MS - 500);
    SOURCE(source, COUNT(source), INT64_MIN / MS);
    SINK(source, COUNT(source), INT64_MAX / MS - 500);
    SINK(source, COUNT(source), INT64_MIN / MS);
    standstill_longest(&watch, false, INT64_MAX);
}

/* A receiver that was stopped has no sample until data come again: where the source's have nothing
 * under way, they prove it alone. */
static void test_a_sink_without_samples(void **state_)
{
    (void)state_;
    static const struct row source[] = {{900000, 0, 10, 90000, 0},
                                        {1000000, 100, 0, 90000, SHUT},
                                        {1000000, 350, 0, 90000, SHUT},
                                        {1000000, 600, 0, 90000, SHUT},
                                        {1100000, 0, 10, 90000, 0}};
    static const struct row sink[] = {{900000, 0, 0, 0, 0}};
    static const struct row later[] = {{1100000, 0, 0, 0, 0}};
    struct standstill_watch watch = {0};
    SOURCE(source, COUNT(source), 0);
    SINK(sink, 1, 0);
    SINK(later, 1, 1000);
    expect(&watch, false, 250, 500);
}

/* The acknowledgements of the last data, and of the FIN, were lost. */
static void test_nothing_is_left_to_move(void **state_)
{
    (void)state_;
    static const struct row source[] = {
        {900000, 0, 10, 0, 0}, {900000, 250, 10, 0, 0}, {900000, 500, 10, 0, 0}};
    static const struct row sink[] = {{950000, 0, 0, 0, 0}};
    struct standstill_watch watch = {0};
    SOURCE(source, COUNT(source), 0);
    SINK(sink, 1, 100);
    const struct standstill found = standstill_longest(&watch, false, 100 * MS);
    assert_true(found.ns <= 100 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sink_without_samples),
        cmocka_unit_test(test_nothing_is_left_to_move),
        cmocka_unit_test(test_from_the_last_acknowledgement),
        cmocka_unit_test(test_from_the_begin_and_to_the_end),
        cmocka_unit_test(test_rest_is_none),
        cmocka_unit_test(test_unsent_data_count_but_not_under_a_pacing_rate),
        cmocka_unit_test(test_a_window_that_a_read_rate_shuts),
        cmocka_unit_test(test_the_sink_received),
        cmocka_unit_test(test_a_gap_is_none),
        cmocka_unit_test(test_what_the_sink_had_before),
        cmocka_unit_test(test_the_longest_of_many),
        cmocka_unit_test(test_a_connection_that_is_being_made),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
