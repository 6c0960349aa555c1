#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "util/address.h"
#include "util/cleanup.h"

static void reads_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"localhost:8840", "localhost", 8840},
        {":8841", "", 8841},
        {"[::1]:8840", "::1", 8840},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
        {"10.0.0.1:65535", "10.0.0.1", 65535},
        {"[10.0.0.1]:80", "10.0.0.1", 80},
        {"[]:80", "", 80},
        {"h:0", "h", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct endpoint endpoint;
        struct error err = {0};
        if (endpoint_parse(rows[i].text, &endpoint, &err) < 0)
            fail_msg("%s: %s", rows[i].text, err.what);
        assert_string_equal(endpoint.host, rows[i].host);
        assert_int_equal(endpoint.port, rows[i].port);
    }
}

static void refuses_other_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "the port is missing"},
        {"localhost", "the port is missing"},
        {"localhost:", "the port is missing"},
        {"[::1]", "the port is missing"},
        {"[::1]8840", "the port is missing"},
        {"::1:8840", "more than one colon: an IPv6 address needs brackets"},
        {"::1", "more than one colon: an IPv6 address needs brackets"},
        {"[::1:8840", "\"]\" is missing"},
        {"h:65536", "the port is no number from 0 to 65535"},
        {"h:-1", "the port is no number from 0 to 65535"},
        {"h:+1", "the port is no number from 0 to 65535"},
        {"h: 1", "the port is no number from 0 to 65535"},
        {"h:http", "the port is no number from 0 to 65535"},
        {"h:123456789", "the port is no number from 0 to 65535"},
        {"[::1]:80:80", "the port is no number from 0 to 65535"},
        {" h:80", "the host has a character that no host has"},
        {"a\nb:80", "the host has a character that no host has"},
        {"a/b:80", "the host has a character that no host has"},
        {"http://h:80", "more than one colon: an IPv6 address needs brackets"},
        {"a]b:80", "the host has a character that no host has"},
        {"[[::1]:80", "the host has a character that no host has"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct endpoint endpoint;
        struct error err = {0};
        if (endpoint_parse(rows[i].text, &endpoint, &err) != ERROR_INPUT)
            fail_msg("\"%s\" was taken", rows[i].text);
        if (!strstr(err.what, rows[i].why))
            fail_msg("\"%s\": %s", rows[i].text, err.what);
        assert_true(err.cure[0]);
    }
}

static void host_has_its_longest(void **state)
{
    (void)state;
    struct endpoint endpoint;
    char text[sizeof endpoint.host + 8];
    memset(text, 'a', sizeof text);
    strcpy(text + sizeof endpoint.host - 1, ":80");
    assert_int_equal(endpoint_parse(text, &endpoint, NULL), 0);
    assert_int_equal(strlen(endpoint.host), sizeof endpoint.host - 1);
    memset(text, 'a', sizeof text);
    strcpy(text + sizeof endpoint.host, ":80");
    assert_int_equal(endpoint_parse(text, &endpoint, NULL), ERROR_INPUT);
}

static void reads_ranges_of_ports(void **state)
{
    (void)state;
    uint16_t first, last;
    assert_int_equal(port_range_parse("20000-20999", &first, &last, NULL), 0);
    assert_int_equal(first, 20000);
    assert_int_equal(last, 20999);
    assert_int_equal(port_range_parse("1-65535", &first, &last, NULL), 0);
    assert_int_equal(first, 1);
    assert_int_equal(last, 65535);
    assert_int_equal(port_range_parse("5000", &first, &last, NULL), 0);
    assert_int_equal(first, 5000);
    assert_int_equal(last, 5000);

    static const char *const bad[] = {"",       "-",       "1-",     "-1",     "0-5",  "5-4",
                                      "1-2-3",  "1-65536", "a-b",    "1 - 2",  "1:2",  "65536",
                                      "100000", "0",       "+1-200", " 1-200", "1-2 ", "5000-0"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error err = {0};
        if (port_range_parse(bad[i], &first, &last, &err) != ERROR_INPUT)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(err.what[0] && err.cure[0]);
    }
}

static void knows_what_needs_no_look_up(void **state)
{
    (void)state;
    assert_true(host_is_numeric("192.0.2.1"));
    assert_true(host_is_numeric("::1"));
    assert_false(host_is_numeric("known"));
    assert_true(host_is_link_local("fe80::1"));
    assert_true(host_is_link_local("febf::1%eth0"));
    assert_false(host_is_link_local("fec0::1"));
    assert_false(host_is_link_local("::1"));
    assert_false(host_is_link_local("169.254.0.1"));
}

static void knows_loopback(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(host_is_loopback("localhost", &err), 1);
    assert_int_equal(host_is_loopback("127.0.0.1", &err), 1);
    assert_int_equal(host_is_loopback("127.9.9.9", &err), 1);
    assert_int_equal(host_is_loopback("::1", &err), 1);
    assert_int_equal(host_is_loopback("::ffff:127.0.0.1", &err), 1);
    assert_int_equal(host_is_loopback("", &err), 0);
    assert_int_equal(host_is_loopback("0.0.0.0", &err), 0);
    assert_int_equal(host_is_loopback("::", &err), 0);
    assert_int_equal(host_is_loopback("128.0.0.1", &err), 0);
    assert_int_equal(host_is_loopback("::ffff:10.0.0.1", &err), 0);
    assert_int_equal(host_is_loopback("2001:db8::1", &err), 0);
    assert_int_equal(err.code, 0);
    assert_int_equal(host_is_loopback("no such host", &err), ERROR_SYSTEM);
    assert_string_equal(err.where, "no such host");
    assert_true(err.cure[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_endpoints),
        cmocka_unit_test(refuses_other_endpoints),
        cmocka_unit_test(host_has_its_longest),
        cmocka_unit_test(reads_ranges_of_ports),
        cmocka_unit_test(knows_what_needs_no_look_up),
        cmocka_unit_test(knows_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
