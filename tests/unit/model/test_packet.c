#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/packet.h"

/* Ethernet, perhaps with tags, IPv4 or IPv6, TCP with options; returns where its headers end. */
static uint32_t make(uint8_t out[256], int tags, int version, uint32_t ip_words, uint32_t tcp_words)
{
    uint32_t at = 12;
    memset(out, 0xaa, 256);
    for (int i = 0; i < tags; i++, at += 4)
        memcpy(out + at, "\x81\x00\x00\x07", 4);
    memcpy(out + at, version == 4 ? "\x08\x00" : "\x86\xdd", 2);
    at += 2;
    if (version == 4) {
        out[at] = (uint8_t)(0x40 | ip_words);
        out[at + 9] = 6;
        at += ip_words * 4;
    } else {
        out[at] = 0x60;
        out[at + 6] = 6;
        at += 40;
    }
    out[at + 12] = (uint8_t)(tcp_words << 4);
    return at + tcp_words * 4;
}

static void test_headers_alone(void **state)
{
    uint8_t bytes[256];
    (void)state;
    for (int tags = 0; tags < 3; tags++)
        for (uint32_t words = 5; words < 16; words++) {
            uint32_t end = make(bytes, tags, 4, words, 5);
            assert_int_equal(packet_headers(LINKTYPE_ETHERNET, bytes, 256), end);
            end = make(bytes, tags, 6, 0, words);
            assert_int_equal(packet_headers(LINKTYPE_ETHERNET, bytes, 256), end);
        }
}

static void test_without_ethernet(void **state)
{
    uint8_t bytes[256];
    (void)state;
    const uint32_t end = make(bytes, 0, 4, 5, 8) - 14;
    assert_int_equal(packet_headers(LINKTYPE_RAW, bytes + 14, 200), end);
}

static void test_service_tag(void **state)
{
    uint8_t bytes[256];
    (void)state;
    const uint32_t end = make(bytes, 2, 4, 5, 8);
    memcpy(bytes + 12, "\x88\xa8", 2);
    assert_int_equal(packet_headers(LINKTYPE_ETHERNET, bytes, 192), end);
}

static void test_cut_anywhere(void **state)
{
    uint8_t bytes[256];
    (void)state;
    for (int version = 4; version <= 6; version += 2) {
        const uint32_t end = make(bytes, 1, version, 5, 15);
        for (uint32_t captured = 0; captured < 256; captured++) {
            uint8_t exact[256]; /* what lies behind is not looked at */
            memset(exact, 0, sizeof exact);
            memcpy(exact, bytes, captured);
            const uint32_t kept = packet_headers(LINKTYPE_ETHERNET, exact, captured);
            assert_int_equal(kept, captured < end ? captured : end);
        }
    }
}

static void test_nothing_is_kept_of_what_is_no_tcp(void **state)
{
    uint8_t bytes[256];
    (void)state;
    make(bytes, 0, 4, 5, 5);
    bytes[14 + 9] = 17;
    assert_int_equal(packet_headers(LINKTYPE_ETHERNET, bytes, 256), 0);
    make(bytes, 0, 4, 5, 5);
    bytes[12] = 0x99;
    assert_int_equal(packet_headers(LINKTYPE_ETHERNET, bytes, 256), 0);
    assert_int_equal(packet_headers(77, bytes, 256), 0);
}

static void test_whose_it_is(void **state)
{
    uint8_t bytes[256];
    struct packet_tcp tcp;
    (void)state;
    for (int version = 4; version <= 6; version += 2)
        for (unsigned flags = 0; flags < 0x100; flags++) {
            const uint32_t at = make(bytes, 1, version, 6, 8) - 32;
            memcpy(bytes + at, "\x12\x34\xab\xcd", 4);
            bytes[at + 13] = (uint8_t)flags;
            assert_true(packet_tcp(&tcp, LINKTYPE_ETHERNET, bytes, at + 14));
            assert_int_equal(tcp.from, 0x1234);
            assert_int_equal(tcp.to, 0xabcd);
            assert_int_equal(tcp.opens, (flags & 0x12) == 0x02); /* SYN, no ACK */
            for (uint32_t cut = 0; cut < at + 14; cut++)
                assert_false(packet_tcp(&tcp, LINKTYPE_ETHERNET, bytes, cut));
        }
    bytes[16] = 0x99;
    assert_false(packet_tcp(&tcp, LINKTYPE_ETHERNET, bytes, 256));
    assert_false(packet_tcp(&tcp, 77, bytes, 256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_alone),
        cmocka_unit_test(test_without_ethernet),
        cmocka_unit_test(test_service_tag),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_nothing_is_kept_of_what_is_no_tcp),
        cmocka_unit_test(test_whose_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
