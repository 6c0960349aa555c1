#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "util/buffer.h"

static void keeps_what_is_appended(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer_append(&b, "0123456789", 10), 0);
    assert_int_equal(b.size, 10000);
    assert_true(b.capacity >= b.size);
    for (size_t i = 0; i < b.size; i++)
        assert_int_equal(b.data[i], '0' + i % 10);
    buffer_clear(&b);
    assert_int_equal(b.size, 0);
    assert_non_null(b.data);
    buffer_fini(&b);
    assert_null(b.data);
    assert_int_equal(b.capacity, 0);
    buffer_fini(&b);
}

static void reserves_behind_the_bytes(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_int_equal(buffer_append(&b, "abc", 3), 0);
    uint8_t *place = buffer_reserve(&b, 100000);
    assert_ptr_equal(place, b.data + 3);
    assert_int_equal(b.size, 3);
    memset(place, 0, 100000);
    assert_memory_equal(b.data, "abc", 3);
    buffer_fini(&b);
}

static void nothing_is_fine(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_int_equal(buffer_append(&b, NULL, 0), 0);
    assert_non_null(buffer_reserve(&b, 0));
    assert_int_equal(b.size, 0);
    buffer_fini(&b);
}

static void refuses_what_no_memory_holds(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_int_equal(buffer_append(&b, "abc", 3), 0);
    assert_null(buffer_reserve(&b, SIZE_MAX));
    assert_null(buffer_reserve(&b, SIZE_MAX - 3));
    assert_int_equal(b.size, 3);
    assert_memory_equal(b.data, "abc", 3);
    buffer_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_appended),
        cmocka_unit_test(reserves_behind_the_bytes),
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(refuses_what_no_memory_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
