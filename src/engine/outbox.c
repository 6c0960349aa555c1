/* The way of samples out of a worker.  The worker never waits for the recorder, and makes at most
 * one system call a block: waking it. */
#include "engine/outbox.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define SAMPLES_AN_END 4

struct outbox_block {
    struct outbox_block *next; /* among the fresh ones */
    size_t used;
    alignas(max_align_t) uint8_t data[OUTBOX_BLOCK_BYTES];
};

/* In a block: this, then the sample or the report. */
struct record {
    uint32_t kind, flow, end, size; /* size: of it all */
    int64_t t_ns;
    alignas(max_align_t) uint8_t body[];
};

static void ring_push(struct outbox_ring *ring, struct outbox_block *block)
{
    const size_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed);
    ring->slots[pushed % OUTBOX_BLOCKS_MAX] = block;
    atomic_store_explicit(&ring->pushed, pushed + 1, memory_order_release);
}

static bool ring_is_empty(const struct outbox_ring *ring)
{
    return atomic_load_explicit(&ring->popped, memory_order_relaxed) ==
           atomic_load_explicit(&ring->pushed, memory_order_acquire);
}

static struct outbox_block *ring_pop(struct outbox_ring *ring)
{
    if (ring_is_empty(ring))
        return NULL;
    const size_t popped = atomic_load_explicit(&ring->popped, memory_order_relaxed);
    struct outbox_block *block = ring->slots[popped % OUTBOX_BLOCKS_MAX];
    atomic_store_explicit(&ring->popped, popped + 1, memory_order_release);
    return block;
}

void outbox_init(struct outbox *outbox, int wake_fd)
{
    *outbox = (struct outbox){.wake_fd = wake_fd};
}

void outbox_fini(struct outbox *outbox)
{
    struct outbox_block *block;
    while ((block = ring_pop(&outbox->full)))
        free(block);
    while ((block = ring_pop(&outbox->empty)))
        free(block);
    while ((block = outbox->fresh)) {
        outbox->fresh = block->next;
        free(block);
    }
    free(outbox->current);
    outbox->current = NULL;
}

int outbox_reserve(struct outbox *outbox, size_t ends)
{
    const size_t a_block = OUTBOX_BLOCK_BYTES / (sizeof(struct record) + sizeof(struct sample));
    size_t wanted = OUTBOX_BLOCKS_MIN + SAMPLES_AN_END * ends / a_block;
    if (wanted > OUTBOX_BLOCKS_MAX)
        wanted = OUTBOX_BLOCKS_MAX;
    while (outbox->blocks < wanted) {
        struct outbox_block *block = malloc(sizeof *block);
        if (!block)
            return -1;
        block->used = 0;
        block->next = outbox->fresh;
        outbox->fresh = block;
        outbox->blocks++;
    }
    return 0;
}

/* One that was used before, if the recorder gave any back: the others take memory only once they
 * are written to. */
static struct outbox_block *get_block(struct outbox *outbox)
{
    struct outbox_block *block = ring_pop(&outbox->empty);
    if (block || !outbox->fresh)
        return block;
    block = outbox->fresh;
    outbox->fresh = block->next;
    return block;
}

static void hand_over(struct outbox *outbox)
{
    ring_push(&outbox->full, outbox->current);
    outbox->current = NULL;
    outbox->urgent = false;
    eventfd_write(outbox->wake_fd, 1);
}

/* A place for size bytes; NULL: no room. */
static void *get_place(struct outbox *outbox, size_t size)
{
    if (outbox->current && outbox->current->used + size > OUTBOX_BLOCK_BYTES)
        hand_over(outbox);
    if (!outbox->current)
        outbox->current = get_block(outbox);
    if (!outbox->current)
        return NULL;
    void *place = outbox->current->data + outbox->current->used;
    outbox->current->used += size;
    return place;
}

bool outbox_put(struct outbox *outbox, const struct engine_item *item)
{
    const void *body = NULL;
    size_t body_size = 0;
    switch (item->kind) {
    case ENGINE_SAMPLE:
        body = item->sample;
        body_size = sizeof *item->sample;
        break;
    case ENGINE_REPORT:
        body = item->report;
        body_size = sizeof *item->report;
        break;
    case ENGINE_READY:
    case ENGINE_PACKETS: /* these two never come from a worker */
    case ENGINE_CAPTURED:
        break;
    }
    const size_t align = alignof(max_align_t);
    const size_t size = (sizeof(struct record) + body_size + align - 1) / align * align;
    struct record *record = get_place(outbox, size);
    if (!record)
        return false;
    record->kind = item->kind;
    record->flow = item->flow;
    record->end = item->end;
    record->size = (uint32_t)size;
    record->t_ns = item->t_ns;
    if (body)
        memcpy(record->body, body, body_size);
    outbox->urgent |= item->kind != ENGINE_SAMPLE;
    return true;
}

void outbox_publish(struct outbox *outbox, bool lazily)
{
    if (!outbox->current || outbox->current->used == 0 || (lazily && !outbox->urgent))
        return;
    if (outbox->fresh || !ring_is_empty(&outbox->empty))
        hand_over(outbox);
}

static void consume(const struct outbox_block *block, engine_consumer *consumer, void *arg)
{
    for (size_t place = 0; place < block->used;) {
        const struct record *record = (const void *)(block->data + place);
        const struct engine_item item = {
            .kind = (enum engine_item_kind)record->kind,
            .flow = record->flow,
            .end = (enum flow_end)record->end,
            .t_ns = record->t_ns,
            .sample = record->kind == ENGINE_SAMPLE ? (const void *)record->body : NULL,
            .report = record->kind == ENGINE_REPORT ? (const void *)record->body : NULL,
        };
        consumer(arg, &item);
        place += record->size;
    }
}

void outbox_take(struct outbox *outbox, engine_consumer *consumer, void *arg)
{
    struct outbox_block *block;
    while ((block = ring_pop(&outbox->full))) {
        consume(block, consumer, arg);
        block->used = 0;
        ring_push(&outbox->empty, block);
    }
}
