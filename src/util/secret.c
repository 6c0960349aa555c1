#include "util/secret.h"

bool secret_matches(const uint8_t secret[SECRET_SIZE], const void *data, size_t size)
{
    const uint8_t *bytes = data;
    volatile uint8_t differs = 0; /* volatile: no compiler may leave the loop early */
    if (size != SECRET_SIZE)
        return false;
    for (size_t i = 0; i < SECRET_SIZE; i++)
        differs |= secret[i] ^ bytes[i];
    return differs == 0;
}
