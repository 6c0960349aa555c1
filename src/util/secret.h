/* The secret of a run: who has it may do with the run what its master may. */
#ifndef UTIL_SECRET_H
#define UTIL_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_SIZE 16

/* Whether a stranger's bytes are the secret.  It takes as long wherever they differ. */
bool secret_matches(const uint8_t secret[SECRET_SIZE], const void *data, size_t size);

#endif
