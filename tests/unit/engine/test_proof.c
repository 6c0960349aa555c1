/* Questions, and answers to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/proof.h"

static void test_questions(void **state)
{
    (void)state;
    uint8_t one[PROOF_SIZE], other[PROOF_SIZE];
    proof_ask(one);
    proof_ask(other);
    assert_true(proof_is_asked(one));
    assert_memory_equal(one, other, PROOF_MAGIC_SIZE);
    assert_memory_equal(one, "\xf5tfgask\x01", PROOF_MAGIC_SIZE);
    assert_memory_not_equal(one + PROOF_MAGIC_SIZE, other + PROOF_MAGIC_SIZE, 8);
    assert_memory_not_equal(one + PROOF_SIZE - 8, other + PROOF_SIZE - 8, 8);
    for (size_t i = 0; i < PROOF_MAGIC_SIZE; i++) {
        memcpy(other, one, sizeof other);
        other[i] ^= 1;
        assert_false(proof_is_asked(other));
    }
}

static void test_answers(void **state)
{
    (void)state;
    struct hmac *key = hmac_new("the run's key", 13), *foreign = hmac_new("another key", 11);
    uint8_t question[PROOF_SIZE], other[PROOF_SIZE], answer[PROOF_SIZE];
    proof_ask(question);
    proof_ask(other);
    assert_true(proof_answer(key, question, 4711, answer));
    assert_true(proof_holds(key, question, 4711, answer));
    assert_false(proof_holds(foreign, question, 4711, answer));
    assert_false(proof_holds(key, other, 4711, answer));
    assert_false(proof_holds(key, question, 4712, answer));
    assert_false(proof_holds(key, question, 4711 ^ 0x100, answer));
    assert_false(proof_holds(key, question, 4711, question)); /* who only echoes */
    for (size_t i = 0; i < PROOF_SIZE; i++) {
        answer[i] ^= 0x80;
        assert_false(proof_holds(key, question, 4711, answer));
        answer[i] ^= 0x80;
    }
    hmac_free(key);
    hmac_free(foreign);
}

/* As other programs compute it: docs/protocol.md. */
static void test_known_answer(void **state)
{
    (void)state;
    uint8_t key_bytes[32], question[PROOF_SIZE] = "\xf5tfgask\x01", answer[PROOF_SIZE];
    static const uint8_t expected[PROOF_SIZE] = {0x8a, 0xfb, 0xdf, 0x66, 0xd2, 0x9e, 0xb4, 0xee,
                                                 0xd5, 0xcd, 0x31, 0x78, 0x9f, 0x35, 0x68, 0xb9,
                                                 0xb0, 0x7b, 0x14, 0x06, 0x28, 0x56, 0xd9, 0x9a,
                                                 0x30, 0x0a, 0x3c, 0xe9, 0x91, 0x0b, 0x7c, 0x93};
    for (uint8_t i = 0; i < 32; i++)
        key_bytes[i] = i;
    for (uint8_t i = PROOF_MAGIC_SIZE; i < PROOF_SIZE; i++)
        question[i] = i;
    struct hmac *key = hmac_new(key_bytes, sizeof key_bytes);
    assert_true(proof_answer(key, question, 40000, answer));
    assert_memory_equal(answer, expected, PROOF_SIZE);
    hmac_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_known_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
