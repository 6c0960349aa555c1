#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/mtu_hole.h"

#define IPV4  20
#define IPV6  40
#define TOKEN (1 + TOKEN_SIZE) /* with the SYN: what the handshake moves */

/* What a source's sample says; again: segments sent again in all, timeouts: in a row. */
struct row {
    int64_t mss, acked, again, timeouts;
    int64_t pmtu, options, state; /* 0: 1500, timestamps, established */
};

static int64_t unsent = 50000; /* bytes that wait */

static struct mtu_watch watched(const struct row *rows, size_t count)
{
    struct mtu_watch watch = {0};
    for (size_t i = 0; i < count; i++) { /* each a part of its own */
        struct series series = {0};
        assert_int_equal(series_reserve(&series, 1), 0);
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            series.field[f][0] = 0;
        series.count = 1;
        series.info_length = TCP_INFO_SIZE;
        series.field[TCP_snd_mss][0] = rows[i].mss;
        series.field[TCP_bytes_acked][0] = rows[i].acked;
        series.field[TCP_total_retrans][0] = rows[i].again;
        series.field[TCP_retransmits][0] = rows[i].timeouts;
        series.field[TCP_unacked][0] = 10;
        series.field[TCP_snd_cwnd][0] = 20;
        series.field[TCP_reordering][0] = 3;
        series.field[TCP_snd_wnd][0] = 60000;
        series.field[TCP_notsent_bytes][0] = unsent;
        series.field[TCP_bytes_sent][0] = rows[i].acked + 14480 + 1448 * rows[i].again;
        series.field[TCP_bytes_retrans][0] = 1448 * rows[i].again;
        series.field[TCP_pmtu][0] = rows[i].pmtu ? rows[i].pmtu : 1500;
        series.field[TCP_options][0] = rows[i].options ? rows[i].options : 7;
        series.field[TCP_state][0] = rows[i].state ? rows[i].state : LINUX_TCP_ESTABLISHED;
        mtu_watch_add(&watch, &series);
        series_fini(&series);
    }
    return watch;
}

static void expect(const struct row *rows, size_t count, uint32_t ip_header, struct mtu_hole wanted)
{
    const struct mtu_watch watch = watched(rows, count);
    const struct mtu_hole hole = mtu_watch_judge(&watch, ip_header);
    assert_int_equal(hole.verdict, wanted.verdict);
    assert_int_equal(hole.packet, wanted.packet);
    assert_int_equal(hole.passed, wanted.passed);
}

#define EXPECT(rows, header, ...) \
    expect(rows, sizeof(rows) / sizeof *(rows), header, (struct mtu_hole){__VA_ARGS__})

static void test_a_sound_path(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, TOKEN, 0, 0, 0, 0, 0}, {1448, 900000, 3, 0, 0, 0, 0}};
    EXPECT(rows, IPV4, MTU_NO_HOLE, 0, 0);
    expect(rows, 0, IPV4, (struct mtu_hole){0});
}

/* Larger ones than what passes were tried, as much was acknowledged since. */
static void test_probing_finds_a_size(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, TOKEN, 0, 0, 0, 0, 0}, {1448, TOKEN, 3, 3, 0, 0, 0},
                                      {512, TOKEN, 4, 4, 0, 0, 0},  {512, 9000, 4, 0, 0, 0, 0},
                                      {1000, 90000, 5, 0, 0, 0, 0}, {1048, 200000, 6, 0, 0, 0, 0},
                                      {1048, 210000, 6, 0, 0, 0, 0}};
    EXPECT(rows, IPV4, MTU_HOLE, 1500, 1100);
    EXPECT(rows, IPV6, MTU_HOLE, 1520, 1120);
    expect(rows, 4, IPV4, (struct mtu_hole){MTU_MAY_BE_HOLE, 1500, 564}); /* few yet */
    static const struct row plain[] = {{1460, 500000, 3, 3, 0, 2, 0}, {524, 700000, 5, 0, 0, 2, 0}};
    EXPECT(plain, IPV4, MTU_HOLE, 1500, 564);
}

/* A flow that is held to a rate has nothing to try larger ones with, once the path is up again. */
static void test_larger_ones_were_not_tried(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, 500000, 0, 0, 0, 0, 0},
                                      {1448, 500000, 3, 3, 0, 0, 0},
                                      {1024, 500000, 5, 5, 0, 0, 0},
                                      {1024, 900000, 5, 0, 0, 0, 0}};
    EXPECT(rows, IPV4, MTU_HOLE, 1500, 1076);
    unsent = 0;
    EXPECT(rows, IPV4, MTU_MAY_BE_HOLE, 1500, 1076);
    unsent = 50000;
}

/* Then a full one got through: it had only been down. */
static void test_a_path_that_comes_back(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, 500000, 0, 0, 0, 0, 0},
                                      {1448, 500000, 3, 3, 0, 0, 0},
                                      {512, 500000, 5, 5, 0, 0, 0},
                                      {512, 520000, 5, 0, 0, 0, 0},
                                      {1444, 900000, 6, 0, 0, 0, 0}};
    EXPECT(rows, IPV4, MTU_NO_HOLE, 0, 0);
}

/* A router said so, as it should. */
static void test_a_path_mtu_that_is_told(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, TOKEN, 0, 0, 0, 0, 0},
                                      {1048, TOKEN, 2, 0, 1100, 0, 0},
                                      {1048, 900000, 2, 0, 1100, 0, 0}};
    EXPECT(rows, IPV4, MTU_NO_HOLE, 0, 0);
}

/* Nothing was sent again: that is no search for a size. */
static void test_smaller_for_another_reason(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, 500000, 3, 0, 0, 0, 0}, {1000, 900000, 3, 0, 0, 0, 0}};
    EXPECT(rows, IPV4, MTU_NO_HOLE, 0, 0);
}

static void test_nothing_but_the_handshake(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, TOKEN, 0, 0, 0, 0, 0},
                                      {1448, TOKEN, 2, 2, 0, 0, 0},
                                      {1448, TOKEN, 3, 3, 0, 0, 0},
                                      {1448, 0, 0, 0, 0, 0, LINUX_TCP_CLOSE}};
    EXPECT(rows, IPV4, MTU_MAY_BE_HOLE, 1500, 0);
    expect(rows, 2, IPV4, (struct mtu_hole){0});
    static const struct row small[] = {{1448, TOKEN, 3, 3, 0, 0, 0}, {512, TOKEN, 6, 6, 0, 0, 0}};
    EXPECT(small, IPV4, MTU_MAY_BE_HOLE, 1500, 0); /* nor smaller ones */
}

/* Full ones had got through before, or do again. */
static void test_a_path_that_is_down(void **state)
{
    (void)state;
    static const struct row rows[] = {{1448, 500000, 0, 0, 0, 0, 0}, {1448, 500000, 6, 6, 0, 0, 0}};
    EXPECT(rows, IPV4, MTU_NO_HOLE, 0, 0);
    static const struct row again[] = {{1448, TOKEN, 4, 4, 0, 0, 0}, {1448, 500000, 6, 0, 0, 0, 0}};
    EXPECT(again, IPV4, MTU_NO_HOLE, 0, 0);
    static const struct row down[] = {{1448, 500000, 3, 3, 0, 0, 0}, {512, 500000, 6, 6, 0, 0, 0}};
    EXPECT(down, IPV4, MTU_NO_HOLE, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_path),
        cmocka_unit_test(test_probing_finds_a_size),
        cmocka_unit_test(test_larger_ones_were_not_tried),
        cmocka_unit_test(test_a_path_that_comes_back),
        cmocka_unit_test(test_a_path_mtu_that_is_told),
        cmocka_unit_test(test_smaller_for_another_reason),
        cmocka_unit_test(test_nothing_but_the_handshake),
        cmocka_unit_test(test_a_path_that_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
