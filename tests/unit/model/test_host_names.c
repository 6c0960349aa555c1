/* How an agent is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/host_names.h"

#define TEXT(text) ((char[]){text})

static void names_of_one_two_and_more(void **state)
{
    static const char *const told[] = {"", "A", "A and B", "A, B and 1 more", "A, B and 2 more"};
    static const char *const hosts[] = {"A", "B", "C", "D", "E"};
    struct host_names names = {0};
    char text[HOST_NAMES_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        assert_string_equal(host_names_text(&names, text), told[i]);
        host_names_add(&names, hosts[i]);
    }
}

static void long_names_leave_room_for_the_number(void **state)
{
    struct host_names names = {0};
    char name[200], text[HOST_NAMES_MAX];
    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        host_names_add(&names, name);
    assert_non_null(strstr(host_names_text(&names, text), " and 998 more"));
}

static void agents_have_their_hosts_names(void **state)
{
    struct run_host hosts[] = {{.name = TEXT("A"), .agent = 1},
                               {.name = TEXT("R"), .agent = UINT32_MAX}};
    struct run_agent agents[] = {{.mgmt = TEXT("b:1")}, {.mgmt = TEXT("a:1")}};
    const struct run_info run = {
        .hosts = hosts, .host_count = 2, .agents = agents, .agent_count = 2};
    char text[HOST_NAMES_MAX];
    (void)state;
    assert_string_equal(host_names_of_agent(&run, 1, text), "A");
    assert_string_equal(host_names_of_agent(&run, 0, text), "agent b:1"); /* no host is known */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_one_two_and_more),
        cmocka_unit_test(long_names_leave_room_for_the_number),
        cmocka_unit_test(agents_have_their_hosts_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
