#include "util/random.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t size)
{
    uint8_t *at = out;
    while (size) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0)
            continue; /* EINTR: the only failure of a request like this one */
        at += got;
        size -= (size_t)got;
    }
}

char *random_id(char out[RANDOM_ID_MAX])
{
    uint8_t bytes[(RANDOM_ID_MAX - 1) / 2];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return out;
}

bool random_id_is_sound(const char *text)
{
    size_t length = strlen(text);
    return length == RANDOM_ID_MAX - 1 && strspn(text, "0123456789abcdef") == length;
}
