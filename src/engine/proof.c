#include "engine/proof.h"

#include <string.h>

#include "util/random.h"

static const uint8_t magic[PROOF_MAGIC_SIZE] = {0xf5, 't', 'f', 'g', 'a', 's', 'k', 1};
static const char label[] = {'a', 'n', 's', 'w', 'e', 'r'};

_Static_assert(PROOF_SIZE == HMAC_SIZE, "nobody gets more than he sent");

void proof_ask(uint8_t question[PROOF_SIZE])
{
    memcpy(question, magic, sizeof magic);
    random_bytes(question + sizeof magic, PROOF_SIZE - sizeof magic);
}

bool proof_is_asked(const uint8_t *first)
{
    return memcmp(first, magic, sizeof magic) == 0;
}

bool proof_answer(struct hmac *key, const uint8_t question[PROOF_SIZE], uint16_t port,
                  uint8_t answer[PROOF_SIZE])
{
    uint8_t text[PROOF_SIZE + sizeof label + 2];
    memcpy(text, question, PROOF_SIZE);
    memcpy(text + PROOF_SIZE, label, sizeof label);
    text[sizeof text - 2] = (uint8_t)(port >> 8);
    text[sizeof text - 1] = (uint8_t)port;
    return hmac_sign(key, text, sizeof text, answer);
}

bool proof_holds(struct hmac *key, const uint8_t question[PROOF_SIZE], uint16_t port,
                 const uint8_t answer[PROOF_SIZE])
{
    uint8_t right[PROOF_SIZE];
    return proof_answer(key, question, port, right) && hmac_equal(right, answer, PROOF_SIZE);
}
