/* A map from 32-bit numbers to 32-bit numbers, for keys that a stranger chose: its memory goes by
 * how many there are, and none can be chosen so that they are slow to find.  Zero-initialised is
 * empty; not shared between threads. */
#ifndef UTIL_NUMBER_MAP_H
#define UTIL_NUMBER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct number_map {
    struct number_slot *slots;
    size_t size; /* a power of two */
    size_t count;
    uint64_t seed;
};

/* False: it is not there. */
bool number_map_get(const struct number_map *map, uint32_t key, uint32_t *value);
/* 0, or -1 when out of memory (unchanged then). */
int number_map_set(struct number_map *map, uint32_t key, uint32_t value);
void number_map_fini(struct number_map *map);

#endif
