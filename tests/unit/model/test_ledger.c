#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/ledger.h"
#include "model/tcp_fields.h"

#define TOKEN UINT64_C(16)
#define SYN   UINT64_C(1)
#define FIN   UINT64_C(1)

/* A flow of 1000 bytes that ran to its end: what each test begins with. */
static const struct end_report good_source = {
    .end = END_SRC,
    .status = END_COMPLETE,
    .times = 1u << T_CONNECTED,
    .preamble_bytes = TOKEN,
    .token_bytes = TOKEN,
    .shut = true,
    .reading[READ_CLOSE] = {.info_length = TCP_INFO_SIZE,
                            .state = LINUX_TCP_FIN_WAIT2,
                            .written = 1000,
                            .acked = SYN + TOKEN + 1000 + FIN,
                            .sent = TOKEN + 1000 + 200,
                            .retransmitted = 200},
};
static const struct end_report good_sink = {
    .end = END_DST,
    .status = END_COMPLETE,
    .times = 1u << T_CONNECTED,
    .preamble_bytes = TOKEN,
    .token_bytes = TOKEN,
    .reading[READ_CLOSE] = {.info_length = TCP_INFO_SIZE,
                            .state = LINUX_TCP_CLOSE_WAIT,
                            .read = 1000,
                            .received = TOKEN + 1000 + FIN},
};

struct ends {
    struct end_report source, sink;
    struct reading *sent, *got;
    struct ledger ledger;
};

static struct ends *begin(void **state)
{
    struct ends *ends = *state;
    *ends = (struct ends){.source = good_source, .sink = good_sink};
    ends->sent = &ends->source.reading[READ_CLOSE];
    ends->got = &ends->sink.reading[READ_CLOSE];
    return ends;
}

/* The same, ended in mid-flow: no FIN anywhere, 1000 written, 700 transmitted, 400 acknowledged,
 * 600 received and 500 read. */
static struct ends *begin_broken(void **state, enum end_status status)
{
    struct ends *ends = begin(state);
    ends->source.status = ends->sink.status = status;
    ends->source.shut = false;
    ends->sent->state = ends->got->state = LINUX_TCP_ESTABLISHED;
    ends->sent->notsent = 300;
    ends->sent->sent = TOKEN + 700 + 200;
    ends->sent->acked = SYN + TOKEN + 400;
    ends->got->received = TOKEN + 600;
    ends->got->read = 500;
    ends->got->unread = 4000; /* read later, as data went on coming */
    return ends;
}

static const struct ledger *build(struct ends *ends)
{
    ledger_build(&ends->ledger, &ends->source, &ends->sink);
    return &ends->ledger;
}

static const struct ledger *reconciles(struct ends *ends)
{
    const struct ledger *ledger = build(ends);
    if (ledger->state != LEDGER_RECONCILES)
        fail_msg("it does not reconcile: %s", ledger->why);
    assert_string_equal(ledger->why, "");
    assert_true(ledger->written == ledger->never_sent + ledger->sent_first);
    assert_true(ledger->sent_first == ledger->acked + ledger->unacked);
    assert_true(ledger->received == ledger->read + ledger->unread);
    assert_true(ledger->acked <= ledger->received && ledger->received <= ledger->sent_first);
    return ledger;
}

static void differs(struct ends *ends, const char *why)
{
    const struct ledger *ledger = build(ends);
    assert_int_equal(ledger->state, LEDGER_DIFFERS);
    assert_string_equal(ledger->why, why);
}

/* ---- Every ending ---- */

static void test_complete(void **state)
{
    const struct ledger *ledger = reconciles(begin(state));
    assert_int_equal(ledger->written, 1000);
    assert_int_equal(ledger->never_sent, 0);
    assert_int_equal(ledger->retransmitted, 200);
    assert_int_equal(ledger->requeued, 0);
    assert_int_equal(ledger->acked, 1000);
    assert_int_equal(ledger->read, 1000);
    assert_int_equal(ledger->syn_acked, 1);
    assert_int_equal(ledger->token_acked, TOKEN);
    assert_int_equal(ledger->token_received, TOKEN);
    assert_int_equal(ledger->fin_acked, 1);
    assert_int_equal(ledger->fin_received, 1);
}

static void test_stopped_in_mid_flow(void **state)
{
    const struct ledger *ledger = reconciles(begin_broken(state, END_STOPPED));
    assert_int_equal(ledger->never_sent, 300);
    assert_int_equal(ledger->sent_first, 700);
    assert_int_equal(ledger->acked, 400);
    assert_int_equal(ledger->unacked, 300);
    assert_int_equal(ledger->received, 600);
    assert_int_equal(ledger->unread, 100);
    assert_int_equal(ledger->fin_acked + ledger->fin_received, 0);
    assert_int_equal(ledger->sent_late + ledger->received_late, 0);
}

/* A source that aborts takes its last reading, and resets: the sink reads what it has. */
static void test_abort(void **state)
{
    struct ends *ends = begin_broken(state, END_COMPLETE);
    ends->got->state = LINUX_TCP_CLOSE;
    ends->got->read = 600;
    ends->got->unread = 0;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->unread, 0);
    assert_int_equal(ledger->fin_received, 0);
}

/* The drain limit passed: the FIN stands last in the send buffer, or is under way. */
static void test_cut(void **state)
{
    struct ends *ends = begin_broken(state, END_CUT);
    ends->source.shut = true;
    ends->sent->notsent = 300 + FIN;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->never_sent, 300);
    assert_int_equal(ledger->fin_acked, 0);

    ends->sent->notsent = 0;
    ends->sent->sent = TOKEN + 1000 + 200;
    ends->sent->acked = SYN + TOKEN + 1000;
    ends->got->received = TOKEN + 1000;
    ledger = reconciles(ends);
    assert_int_equal(ledger->acked, 1000);
    assert_int_equal(ledger->fin_acked, 0);

    ends->sent->notsent = FIN; /* alone */
    assert_int_equal(reconciles(ends)->never_sent, 0);
}

/* Reset after all was read, its FIN seen, or not: SIOCINQ leaves the one byte over, or not. */
static void test_reset(void **state)
{
    struct ends *ends = begin(state);
    ends->got->state = LINUX_TCP_CLOSE;
    assert_int_equal(reconciles(ends)->fin_received, 1);

    ends = begin_broken(state, END_FAILED);
    ends->got->state = LINUX_TCP_CLOSE;
    ends->got->unread = 100;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->fin_received, 0);
    assert_int_equal(ledger->received, 600);

    ends->got->received += FIN;
    assert_int_equal(reconciles(ends)->fin_received, 1);
    assert_int_equal(ends->ledger.received, 600);
}

static void test_nothing_ever_moved(void **state)
{
    struct ends *ends = begin(state);
    ends->source = (struct end_report){.end = END_SRC, .status = END_FAILED};
    ends->sink = (struct end_report){.end = END_DST, .status = END_FAILED};
    assert_int_equal(reconciles(ends)->written, 0);
}

/* Connected, and stopped before the first byte. */
static void test_token_alone(void **state)
{
    struct ends *ends = begin(state);
    ends->source.shut = false;
    ends->source.status = ends->sink.status = END_STOPPED;
    *ends->sent = (struct reading){.info_length = TCP_INFO_SIZE,
                                   .state = LINUX_TCP_ESTABLISHED,
                                   .sent = TOKEN,
                                   .acked = SYN + TOKEN};
    *ends->got = (struct reading){
        .info_length = TCP_INFO_SIZE, .state = LINUX_TCP_ESTABLISHED, .received = TOKEN};
    assert_int_equal(reconciles(ends)->token_acked, TOKEN);

    ends->sent->sent = 0; /* not even that left */
    ends->sent->notsent = TOKEN;
    ends->sent->acked = SYN;
    ends->got->received = 0;
    ends->sink.token_bytes = 0;
    assert_int_equal(reconciles(ends)->token_acked, 0);

    ends->source.token_bytes = 0; /* it was to go with the first byte */
    ends->sent->notsent = 0;
    assert_int_equal(reconciles(ends)->written, 0);
}

/* Token and first payload in one call: some of both may wait to be sent. */
static void test_token_and_payload_in_one_call(void **state)
{
    struct ends *ends = begin_broken(state, END_STOPPED);
    ends->sent->notsent = TOKEN + 1000;
    ends->sent->sent = ends->sent->retransmitted = 0;
    ends->sent->acked = SYN;
    ends->got->received = ends->got->read = 0;
    ends->sink.token_bytes = 0;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->never_sent, 1000);
    assert_int_equal(ledger->token_acked, 0);
}

static void test_no_token(void **state)
{
    struct ends *ends = begin(state);
    ends->source.token_bytes = ends->sink.token_bytes = 0;
    ends->sent->acked -= TOKEN;
    ends->sent->sent -= TOKEN;
    ends->got->received -= TOKEN;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->token_acked + ledger->token_received, 0);
    assert_int_equal(ledger->read, 1000);
}

/* The accepting end sends: it sees no SYN acknowledged, and sends no token. */
static void test_reverse(void **state)
{
    struct ends *ends = begin(state);
    ends->source.end = END_DST;
    ends->sink.end = END_SRC;
    ends->sent->acked = 1000 + FIN;
    ends->sent->sent = 1000 + 200;
    ends->got->received = 1000 + FIN;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->syn_acked + ledger->token_acked + ledger->token_received, 0);
    assert_int_equal(ledger->fin_acked, 1);
}

/* ---- Between the last reading and the reset ---- */

static void test_acknowledged_behind_the_sinks_last_reading(void **state)
{
    struct ends *ends = begin_broken(state, END_STOPPED);
    ends->sent->acked = SYN + TOKEN + 650;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->received_late, 50);
    assert_int_equal(ledger->received, 650);
    assert_int_equal(ledger->unread, 150);
}

static void test_transmitted_behind_the_sources_last_reading(void **state)
{
    struct ends *ends = begin_broken(state, END_STOPPED);
    ends->got->received = TOKEN + 900;
    const struct ledger *ledger = reconciles(ends);
    assert_int_equal(ledger->sent_late, 200);
    assert_int_equal(ledger->sent_first, 900);
    assert_int_equal(ledger->never_sent, 100);
    assert_int_equal(ledger->unacked, 500);
}

/* ---- What does not reconcile ---- */

static void test_differences_are_told(void **state)
{
    struct ends *ends = begin(state);
    ends->sent->sent -= 10;
    differs(ends, "the kernel transmitted 10 bytes fewer than left the send buffer");

    ends = begin(state);
    ends->sent->acked += 5;
    differs(ends, "5 bytes were acknowledged that nobody wrote");

    ends = begin(state);
    ends->sent->notsent = 400;
    ends->sent->sent -= 399;
    differs(ends, "1000 bytes were acknowledged, but 601 were transmitted");

    ends = begin(state);
    ends->sent->notsent = 2000;
    differs(ends, "2000 bytes are not transmitted, but 1017 were written");

    ends = begin(state);
    ends->got->read = 1002;
    differs(ends, "1002 bytes were read, but the kernel received 1001");

    ends = begin(state);
    ends->got->received += 7;
    differs(ends, "8 bytes were received and not read, but 0 wait");

    ends = begin(state);
    ends->got->unread = 3;
    differs(ends, "1 bytes were received and not read, but 3 wait");

    ends = begin(state);
    ends->got->received -= 100;
    ends->got->read -= 100;
    differs(ends, "1000 bytes were acknowledged, but 900 were received");

    ends = begin_broken(state, END_STOPPED);
    ends->got->received = TOKEN + 1001;
    differs(ends, "1001 bytes were received, but 700 were transmitted");
}

/* Both complete, but not the same. */
static void test_a_complete_flow_lost_bytes(void **state)
{
    struct ends *ends = begin(state);
    ends->got->state = LINUX_TCP_ESTABLISHED; /* so that no FIN was seen */
    ends->got->received = TOKEN + 990;
    ends->got->read = 990;
    differs(ends, "1000 bytes were written, and 990 were read at the end");
}

/* The sender's own queue dropped a packet: it is handed to the device twice, and retransmitted
 * once less than it was transmitted. */
static void test_local_drops_are_explained(void **state)
{
    struct ends *ends = begin(state);
    ends->sent->sent += 1448;
    assert_int_equal(reconciles(ends)->requeued, 1448);
}

/* ---- What is missing ---- */

static void test_missing_ends(void **state)
{
    struct ends *ends = begin(state);
    struct ledger *ledger = &ends->ledger;
    ledger_build(ledger, &ends->source, NULL);
    assert_int_equal(ledger->state, LEDGER_UNKNOWN);
    assert_string_equal(ledger->why, "the receiving end's report is missing");
    assert_int_equal(ledger->acked, 1000);
    assert_int_equal(ledger->received, 0);

    ledger_build(ledger, NULL, &ends->sink);
    assert_string_equal(ledger->why, "the sending end's report is missing");
    assert_int_equal(ledger->read, 1000);
    assert_int_equal(ledger->token_received, TOKEN);

    ledger_build(ledger, NULL, NULL);
    assert_int_equal(ledger->state, LEDGER_UNKNOWN);

    ends->sink = (struct end_report){.end = END_DST, .status = END_FAILED};
    ledger_build(ledger, &ends->source, &ends->sink);
    assert_string_equal(ledger->why, "one end was connected, and the other never knew");

    ends->sink.times = 1u << T_CONNECTED; /* as in files from before */
    ledger_build(ledger, &ends->source, &ends->sink);
    assert_string_equal(ledger->why, "a report has no closing counters");

    ends->sent->acked += 5; /* what is wrong at one end is wrong */
    ledger_build(ledger, &ends->source, NULL);
    assert_int_equal(ledger->state, LEDGER_DIFFERS);
}

static void test_kernels_without_the_counters(void **state)
{
    struct ends *ends = begin(state);
    ends->sent->info_length = 192;
    assert_int_equal(build(ends)->state, LEDGER_UNKNOWN);
    assert_non_null(strstr(ends->ledger.why, "4.19"));
}

int main(void)
{
    struct ends ends;
#define TEST(name) cmocka_unit_test_prestate(name, &ends)
    const struct CMUnitTest tests[] = {
        TEST(test_complete),
        TEST(test_stopped_in_mid_flow),
        TEST(test_abort),
        TEST(test_cut),
        TEST(test_reset),
        TEST(test_nothing_ever_moved),
        TEST(test_token_alone),
        TEST(test_token_and_payload_in_one_call),
        TEST(test_no_token),
        TEST(test_reverse),
        TEST(test_acknowledged_behind_the_sinks_last_reading),
        TEST(test_transmitted_behind_the_sources_last_reading),
        TEST(test_differences_are_told),
        TEST(test_a_complete_flow_lost_bytes),
        TEST(test_local_drops_are_explained),
        TEST(test_missing_ends),
        TEST(test_kernels_without_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
