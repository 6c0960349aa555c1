#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/lateness.h"

#define US INT64_C(1000)

static void test_buckets_double(void **state)
{
    (void)state;
    assert_int_equal(lateness_bucket(INT64_MIN), 0);
    assert_int_equal(lateness_bucket(-5 * US), 0);
    assert_int_equal(lateness_bucket(0), 0);
    assert_int_equal(lateness_bucket(US - 1), 0);
    assert_int_equal(lateness_bucket(US), 1);
    assert_int_equal(lateness_bucket(2 * US - 1), 1);
    assert_int_equal(lateness_bucket(2 * US), 2);
    assert_int_equal(lateness_bucket(1024 * US), 11);
    assert_int_equal(lateness_bucket((US << 26) - 1), LATENESS_BUCKETS - 2);
    assert_int_equal(lateness_bucket(US << 26), LATENESS_BUCKETS - 1);
    assert_int_equal(lateness_bucket(INT64_MAX), LATENESS_BUCKETS - 1);
    for (unsigned b = 0; b < LATENESS_BUCKETS - 1; b++) {
        assert_int_equal(lateness_bucket(lateness_bucket_end(b) - 1), b);
        assert_int_equal(lateness_bucket(lateness_bucket_end(b)), b + 1);
    }
    assert_true(lateness_bucket_end(LATENESS_BUCKETS - 1) == INT64_MAX);
}

static void test_percentiles(void **state)
{
    (void)state;
    uint64_t buckets[LATENESS_BUCKETS] = {0};
    assert_int_equal(lateness_percentile(buckets, 0.5, 0), 0);
    buckets[5] = 98;
    buckets[10] = 1;
    buckets[LATENESS_BUCKETS - 1] = 1;
    assert_int_equal(lateness_count(buckets), 100);
    const int64_t max_ns = INT64_C(1) << 50;
    assert_int_equal(lateness_percentile(buckets, 0, max_ns), 32 * US);
    assert_int_equal(lateness_percentile(buckets, 0.5, max_ns), 32 * US);
    assert_int_equal(lateness_percentile(buckets, 0.98, max_ns), 32 * US);
    assert_int_equal(lateness_percentile(buckets, 0.99, max_ns), 1024 * US);
    assert_int_equal(lateness_percentile(buckets, 1, max_ns), max_ns);
    buckets[10] = buckets[LATENESS_BUCKETS - 1] = 0;
    assert_int_equal(lateness_percentile(buckets, 1, 17 * US), 17 * US); /* no more than the most */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_double),
        cmocka_unit_test(test_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
