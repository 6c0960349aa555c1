/* A growable run of bytes.  Zero-initialised is empty; not shared between threads. */
#ifndef UTIL_BUFFER_H
#define UTIL_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

/* Room for `more` bytes behind size; returns the place, or NULL when out of memory (unchanged
 * then). */
uint8_t *buffer_reserve(struct buffer *b, size_t more);
/* 0, or -1 when out of memory (unchanged then). */
int buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_clear(struct buffer *b); /* keeps the memory */
void buffer_fini(struct buffer *b);

#endif
