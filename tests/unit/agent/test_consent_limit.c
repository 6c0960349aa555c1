/* How much an agent asks of places that do not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/consent_limit.h"
#include "util/clock.h"

#define BEGIN_NS  (5 * NS_PER_S) /* of a machine that was just booted */
#define MINUTE_NS (60 * NS_PER_S)

static void take_and_fail(struct consent_limit *limit, const char *caller, int64_t now_ns)
{
    const int ticket = consent_limit_take(limit, caller, now_ns);
    assert_true(ticket >= 0);
    consent_limit_give(limit, ticket, true, now_ns);
}

static void test_at_a_time(void **state)
{
    (void)state;
    struct consent_limit limit = CONSENT_LIMIT_NEW;
    int tickets[CONSENT_ASKED_MAX];
    for (int i = 0; i < CONSENT_ASKED_MAX; i++) {
        const char *caller = i % 2 ? "192.0.2.1" : "192.0.2.2";
        tickets[i] = consent_limit_take(&limit, caller, BEGIN_NS);
        assert_in_range(tickets[i], 0, CONSENT_ASKED_MAX - 1);
        for (int before = 0; before < i; before++)
            assert_int_not_equal(tickets[before], tickets[i]);
    }
    assert_int_equal(consent_limit_take(&limit, "192.0.2.3", BEGIN_NS), CONSENT_BUSY);
    consent_limit_give(&limit, tickets[7], false, BEGIN_NS);
    assert_int_equal(consent_limit_take(&limit, "192.0.2.3", BEGIN_NS), tickets[7]);
    assert_int_equal(consent_limit_take(&limit, "192.0.2.3", BEGIN_NS), CONSENT_BUSY);
}

static void test_one_leaves_half_to_others(void **state)
{
    (void)state;
    struct consent_limit limit = CONSENT_LIMIT_NEW;
    for (int i = 0; i < CONSENT_ASKED_MAX / 2; i++)
        assert_true(consent_limit_take(&limit, "uid 1000", BEGIN_NS) >= 0);
    assert_int_equal(consent_limit_take(&limit, "uid 1000", BEGIN_NS), CONSENT_BUSY);
    for (int i = 0; i < CONSENT_FAILURES_MAX / 2; i++)
        take_and_fail(&limit, "uid 1001", BEGIN_NS);
    assert_int_equal(consent_limit_take(&limit, "uid 1001", BEGIN_NS), CONSENT_SPENT);
    assert_int_equal(consent_limit_take(&limit, "uid 1000", BEGIN_NS), CONSENT_BUSY);
    assert_true(consent_limit_take(&limit, "uid 1002", BEGIN_NS) >= 0);
}

/* However many use up all they may. */
static void test_who_seldom_fails_is_not_blocked(void **state)
{
    (void)state;
    struct consent_limit limit = CONSENT_LIMIT_NEW;
    char caller[32];
    for (int i = 0; i < 4 * CONSENT_FAILURES_MAX; i++) {
        snprintf(caller, sizeof caller, "192.0.2.%d", i % 10);
        const int ticket = consent_limit_take(&limit, caller, BEGIN_NS);
        if (ticket >= 0)
            consent_limit_give(&limit, ticket, true, BEGIN_NS);
    }
    for (int i = 0; i < CONSENT_FEW_FAILURES; i++)
        take_and_fail(&limit, "honest", BEGIN_NS);
    assert_int_equal(consent_limit_take(&limit, "honest", BEGIN_NS), CONSENT_SPENT);
}

static void test_proofs_do_not_count(void **state)
{
    (void)state;
    struct consent_limit limit = CONSENT_LIMIT_NEW;
    for (int i = 0; i < 10 * CONSENT_FAILURES_MAX; i++) {
        const int ticket = consent_limit_take(&limit, "uid 0", BEGIN_NS);
        assert_true(ticket >= 0);
        consent_limit_give(&limit, ticket, false, BEGIN_NS);
    }
}

static void test_all_callers_within_a_minute(void **state)
{
    (void)state;
    struct consent_limit limit = CONSENT_LIMIT_NEW;
    char caller[32];
    for (int i = 0; i < CONSENT_FAILURES_MAX; i++) {
        snprintf(caller, sizeof caller, "192.0.2.%d", i);
        take_and_fail(&limit, caller, BEGIN_NS + i);
    }
    assert_int_equal(consent_limit_take(&limit, "new", BEGIN_NS + MINUTE_NS - 1), CONSENT_SPENT);
    /* One more for each that is a minute old. */
    for (int i = 0; i < CONSENT_FEW_FAILURES; i++) {
        const int64_t now = BEGIN_NS + MINUTE_NS + i;
        take_and_fail(&limit, "new", now);
        assert_int_equal(consent_limit_take(&limit, "new", now), CONSENT_SPENT);
    }
    assert_true(consent_limit_take(&limit, "new", BEGIN_NS + 3 * MINUTE_NS) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_a_time),
        cmocka_unit_test(test_one_leaves_half_to_others),
        cmocka_unit_test(test_who_seldom_fails_is_not_blocked),
        cmocka_unit_test(test_proofs_do_not_count),
        cmocka_unit_test(test_all_callers_within_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
