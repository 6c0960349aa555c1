#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/tcp.h>
#include <string.h>

#include "model/tcp_fields.h"
#include "util/cleanup.h"

static void fields_lie_one_behind_the_other(void **state)
{
    (void)state;
    unsigned end = 0;
    for (int i = 0; i < TCP_FIELD_COUNT; i++) {
        const struct tcp_field_info *info = tcp_field_info((enum tcp_field)i);
        assert_true(info->offset == end || info->bits);
        assert_int_equal(info->offset % info->bytes, 0);
        assert_true(info->shift + info->bits <= 8 * info->bytes);
        end = info->offset + info->bytes;
    }
    assert_int_equal(end, TCP_INFO_SIZE);
    assert_string_equal(tcp_field_info(TCP_state)->name, "state");
    assert_string_equal(tcp_field_info(TCP_accecn_opt_seen)->name, "accecn_opt_seen");
}

/* As far as every <linux/tcp.h> that this may be built with has them. */
static void fields_lie_where_linux_has_them(void **state)
{
    (void)state;
#define ROW(name)                                           \
    {                                                       \
        TCP_##name, offsetof(struct tcp_info, tcpi_##name), \
            sizeof(((struct tcp_info *)0)->tcpi_##name)     \
    }
    static const struct {
        enum tcp_field field;
        size_t offset, size;
    } rows[] = {
        ROW(state),         ROW(ca_state),
        ROW(retransmits),   ROW(probes),
        ROW(backoff),       ROW(options),
        ROW(rto),           ROW(ato),
        ROW(snd_mss),       ROW(rcv_mss),
        ROW(unacked),       ROW(sacked),
        ROW(lost),          ROW(retrans),
        ROW(fackets),       ROW(last_data_sent),
        ROW(last_ack_sent), ROW(last_data_recv),
        ROW(last_ack_recv), ROW(pmtu),
        ROW(rcv_ssthresh),  ROW(rtt),
        ROW(rttvar),        ROW(snd_ssthresh),
        ROW(snd_cwnd),      ROW(advmss),
        ROW(reordering),    ROW(rcv_rtt),
        ROW(rcv_space),     ROW(total_retrans),
        ROW(pacing_rate),   ROW(max_pacing_rate),
        ROW(bytes_acked),   ROW(bytes_received),
        ROW(segs_out),      ROW(segs_in),
        ROW(notsent_bytes), ROW(min_rtt),
        ROW(data_segs_in),  ROW(data_segs_out),
        ROW(delivery_rate), ROW(busy_time),
        ROW(rwnd_limited),  ROW(sndbuf_limited),
        ROW(delivered),     ROW(delivered_ce),
        ROW(bytes_sent),    ROW(bytes_retrans),
        ROW(dsack_dups),    ROW(reord_seen),
        ROW(rcv_ooopack),   ROW(snd_wnd),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct tcp_field_info *info = tcp_field_info(rows[i].field);
        if (info->offset != rows[i].offset || info->bytes != rows[i].size)
            fail_msg("%s is at %zu, %zu bytes long", info->name, rows[i].offset, rows[i].size);
    }
}

static void reads_what_the_kernel_wrote(void **state)
{
    (void)state;
    struct tcp_info info = {0};
    info.tcpi_state = 1;
    info.tcpi_snd_wscale = 7;
    info.tcpi_rcv_wscale = 9;
    info.tcpi_delivery_rate_app_limited = 1;
    info.tcpi_fastopen_client_fail = 2;
    info.tcpi_rtt = 0xfedcba98;
    info.tcpi_bytes_acked = UINT64_MAX;
    info.tcpi_pacing_rate = UINT64_C(0x0123456789abcdef);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_state), 1);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_snd_wscale), 7);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_rcv_wscale), 9);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_delivery_rate_app_limited), 1);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_fastopen_client_fail), 2);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_rtt), 0xfedcba98);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_bytes_acked), -1);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_pacing_rate), 0x0123456789abcdef);
    assert_int_equal(tcp_field_get(&info, sizeof info, TCP_lost), 0);
}

static void what_was_not_returned_is_zero(void **state)
{
    (void)state;
    uint8_t info[TCP_INFO_SIZE + 8];
    memset(info, 0xff, sizeof info);
    for (int i = 0; i < TCP_FIELD_COUNT; i++) {
        enum tcp_field field = (enum tcp_field)i;
        size_t end = (size_t)tcp_field_info(field)->offset + tcp_field_info(field)->bytes;
        assert_false(tcp_field_exists(end - 1, field));
        assert_int_equal(tcp_field_get(info, end - 1, field), 0);
        assert_true(tcp_field_exists(end, field));
        assert_int_not_equal(tcp_field_get(info, end, field), 0);
        assert_true(tcp_field_exists(sizeof info, field));
        assert_int_equal(tcp_field_get(info, 0, field), 0);
    }
}

static void numbers_states_as_result_files_do(void **state)
{
    (void)state;
    static const int seed[] = {0, 5, 3, 4, 6, 7, 11, 1, 8, 9, 2, 10, 4, 0};
    for (int i = 0; i < (int)COUNT_OF(seed); i++)
        assert_int_equal(tcp_state_seed(i), seed[i]);
    assert_int_equal(tcp_state_seed(LINUX_TCP_ESTABLISHED), 5);
    assert_int_equal(tcp_state_seed(-1), 0);
    assert_int_equal(tcp_state_seed(INT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_lie_one_behind_the_other),
        cmocka_unit_test(fields_lie_where_linux_has_them),
        cmocka_unit_test(reads_what_the_kernel_wrote),
        cmocka_unit_test(what_was_not_returned_is_zero),
        cmocka_unit_test(numbers_states_as_result_files_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
