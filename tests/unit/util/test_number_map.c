#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/number_map.h"

static void test_what_was_set_is_there(void **state)
{
    (void)state;
    struct number_map map = {0};
    uint32_t value = 7;
    assert_false(number_map_get(&map, 0, &value));
    assert_int_equal(value, 7);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(number_map_set(&map, i * 2654435761u, i), 0);
    assert_int_equal(map.count, 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_true(number_map_get(&map, i * 2654435761u, &value));
        assert_int_equal(value, i);
    }
    assert_false(number_map_get(&map, 1, &value));
    assert_int_equal(number_map_set(&map, 0, 42), 0);
    assert_true(number_map_get(&map, 0, &value));
    assert_int_equal(value, 42);
    assert_int_equal(map.count, 10000);
    number_map_fini(&map);
}

/* Its memory is that of what is there, not of how large the keys are. */
static void test_one_large_key(void **state)
{
    (void)state;
    struct number_map map = {0};
    uint32_t value;
    assert_int_equal(number_map_set(&map, UINT32_MAX, 1), 0);
    assert_true(number_map_get(&map, UINT32_MAX, &value));
    assert_in_range(map.size, 1, 64);
    number_map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_set_is_there),
        cmocka_unit_test(test_one_large_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
