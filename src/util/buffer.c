#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

uint8_t *buffer_reserve(struct buffer *b, size_t more)
{
    if (more > SIZE_MAX / 2 - b->size)
        return NULL;
    size_t wanted = b->size + more;
    if (wanted > b->capacity || !b->data) {
        size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
        while (capacity < wanted)
            capacity *= 2;
        uint8_t *data = realloc(b->data, capacity);
        if (!data)
            return NULL;
        b->data = data;
        b->capacity = capacity;
    }
    return b->data + b->size;
}

int buffer_append(struct buffer *b, const void *data, size_t size)
{
    uint8_t *place = buffer_reserve(b, size);
    if (!place)
        return -1;
    if (size)
        memcpy(place, data, size);
    b->size += size;
    return 0;
}

void buffer_clear(struct buffer *b)
{
    b->size = 0;
}

void buffer_fini(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}
