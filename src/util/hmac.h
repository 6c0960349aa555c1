/* HMAC-SHA256 (RFC 2104), by OpenSSL. */
#ifndef UTIL_HMAC_H
#define UTIL_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HMAC_SIZE 32 /* bytes */

/* A key, ready for use.  One thread at a time. */
struct hmac;

/* NULL: out of memory.  The bytes are copied; wiped when it is freed (NULL is fine). */
struct hmac *hmac_new(const void *key, size_t size);
void hmac_free(struct hmac *hmac);

/* False: the library failed. */
bool hmac_sign(struct hmac *hmac, const void *data, size_t size, uint8_t out[HMAC_SIZE]);

/* Whether the bytes are the same, in a time that does not depend on them. */
bool hmac_equal(const void *a, const void *b, size_t size);

#endif
