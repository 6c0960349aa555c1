/* A worker of ten thousand ends has as many deadlines, and moves them often: all is O(log n), in
 * place, and without memory once reserved. */
#include "engine/timer_heap.h"

#include <stdlib.h>

int timer_heap_reserve(struct timer_heap *heap, size_t timers)
{
    if (timers <= heap->capacity)
        return 0;
    size_t capacity = heap->capacity ? heap->capacity : 64;
    while (capacity < timers)
        capacity *= 2;
    struct timer **slots = realloc(heap->slots, capacity * sizeof(struct timer *));
    if (!slots)
        return -1;
    heap->slots = slots;
    heap->capacity = capacity;
    return 0;
}

static void put(struct timer_heap *heap, size_t place, struct timer *timer)
{
    heap->slots[place - 1] = timer;
    timer->place = place;
}

static struct timer *at(const struct timer_heap *heap, size_t place)
{
    return heap->slots[place - 1];
}

static void rise(struct timer_heap *heap, size_t place, struct timer *timer)
{
    while (place > 1 && at(heap, place / 2)->due_ns > timer->due_ns) {
        put(heap, place, at(heap, place / 2));
        place /= 2;
    }
    put(heap, place, timer);
}

static void sink(struct timer_heap *heap, size_t place, struct timer *timer)
{
    for (size_t child; (child = 2 * place) <= heap->count; place = child) {
        if (child < heap->count && at(heap, child + 1)->due_ns < at(heap, child)->due_ns)
            child++;
        if (at(heap, child)->due_ns >= timer->due_ns)
            break;
        put(heap, place, at(heap, child));
    }
    put(heap, place, timer);
}

/* Puts the timer into the hole at `place`, wherever it then belongs. */
static void settle(struct timer_heap *heap, size_t place, struct timer *timer)
{
    if (place > 1 && at(heap, place / 2)->due_ns > timer->due_ns)
        rise(heap, place, timer);
    else
        sink(heap, place, timer);
}

void timer_heap_arm(struct timer_heap *heap, struct timer *timer, int64_t due_ns)
{
    timer->due_ns = due_ns;
    settle(heap, timer->place ? timer->place : ++heap->count, timer);
}

void timer_heap_disarm(struct timer_heap *heap, struct timer *timer)
{
    const size_t hole = timer->place;
    if (hole == 0)
        return;
    timer->place = 0;
    struct timer *last = at(heap, heap->count--);
    if (last != timer)
        settle(heap, hole, last);
}

struct timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count ? heap->slots[0] : NULL;
}

void timer_heap_fini(struct timer_heap *heap)
{
    free(heap->slots);
    *heap = (struct timer_heap){0};
}
