#include "probe/packet.h"

#include <endian.h>
#include <string.h>

#define VERSION       1
#define SIGNED_SIZE   40
#define MAC_SIZE      (PROBE_PACKET_SIZE - SIGNED_SIZE)
#define FLAG_KERNEL   1u
#define FLAG_PREVIOUS 2u

static const uint8_t head[] = {'t', 'f', 'g', 'p', VERSION};

static void put(uint8_t *out, uint64_t value)
{
    value = htobe64(value);
    memcpy(out, &value, sizeof value);
}

static uint64_t get(const uint8_t *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof value);
    return be64toh(value);
}

bool probe_packet_write(const struct probe_packet *packet, struct hmac *key,
                        uint8_t out[PROBE_PACKET_SIZE])
{
    uint8_t hash[HMAC_SIZE];
    memset(out, 0, PROBE_PACKET_SIZE);
    memcpy(out, head, sizeof head);
    out[5] = (uint8_t)packet->kind;
    put(out + 8, packet->sequence);
    if (packet->kind == PROBE_REPLY) {
        out[6] = (uint8_t)((packet->received_by_kernel ? FLAG_KERNEL : 0) |
                           (packet->has_previous ? FLAG_PREVIOUS : 0));
        put(out + 16, (uint64_t)packet->received_ns);
        put(out + 24, (uint64_t)packet->sent_ns);
        put(out + 32, (uint64_t)packet->previous_sent_ns);
    }
    if (!hmac_sign(key, out, SIGNED_SIZE, hash))
        return false;
    memcpy(out + SIGNED_SIZE, hash, MAC_SIZE);
    return true;
}

bool probe_packet_read(struct probe_packet *out, enum probe_kind kind, struct hmac *key,
                       const uint8_t *data, size_t size)
{
    uint8_t hash[HMAC_SIZE];
    if (size != PROBE_PACKET_SIZE || memcmp(data, head, sizeof head) != 0 || data[5] != kind)
        return false;
    if (!hmac_sign(key, data, SIGNED_SIZE, hash) || !hmac_equal(hash, data + SIGNED_SIZE, MAC_SIZE))
        return false;
    *out = (struct probe_packet){
        .kind = kind,
        .sequence = get(data + 8),
        .received_ns = (int64_t)get(data + 16),
        .sent_ns = (int64_t)get(data + 24),
        .previous_sent_ns = (int64_t)get(data + 32),
        .received_by_kernel = data[6] & FLAG_KERNEL,
        .has_previous = data[6] & FLAG_PREVIOUS,
    };
    return true;
}
