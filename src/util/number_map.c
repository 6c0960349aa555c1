#include "util/number_map.h"

#include <stdlib.h>

#include "util/random.h"

#define FIRST_SIZE 64 /* slots; at most half of them are in use */

struct number_slot {
    uint32_t key, value;
    bool used;
};

/* The finalizer of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Where the key is, or would be.  There is an unused slot. */
static struct number_slot *find(const struct number_map *map, uint32_t key)
{
    size_t at = mix(key ^ map->seed) & (map->size - 1);
    while (map->slots[at].used && map->slots[at].key != key)
        at = (at + 1) & (map->size - 1);
    return &map->slots[at];
}

static int grow(struct number_map *map)
{
    struct number_map larger = {
        .size = map->size ? 2 * map->size : FIRST_SIZE, .count = map->count, .seed = map->seed};
    if (!larger.seed)
        random_bytes(&larger.seed, sizeof larger.seed);
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return -1;
    for (size_t i = 0; i < map->size; i++)
        if (map->slots[i].used)
            *find(&larger, map->slots[i].key) = map->slots[i];
    free(map->slots);
    *map = larger;
    return 0;
}

bool number_map_get(const struct number_map *map, uint32_t key, uint32_t *value)
{
    const struct number_slot *slot = map->size ? find(map, key) : NULL;
    if (!slot || !slot->used)
        return false;
    *value = slot->value;
    return true;
}

int number_map_set(struct number_map *map, uint32_t key, uint32_t value)
{
    if (2 * (map->count + 1) > map->size && grow(map))
        return -1;
    struct number_slot *slot = find(map, key);
    map->count += !slot->used;
    *slot = (struct number_slot){key, value, true};
    return 0;
}

void number_map_fini(struct number_map *map)
{
    free(map->slots);
    *map = (struct number_map){0};
}
