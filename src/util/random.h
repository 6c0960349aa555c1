/* Random bytes from the kernel, for ids and tokens. */
#ifndef UTIL_RANDOM_H
#define UTIL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

void random_bytes(void *out, size_t size);
#define RANDOM_ID_MAX 33
/* 128 random bits as 32 lower-case hexadecimal digits; returns out. */
char *random_id(char out[RANDOM_ID_MAX]);
/* Whether a stranger's text is such an id. */
bool random_id_is_sound(const char *text);

#endif
