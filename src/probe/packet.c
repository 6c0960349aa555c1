#include "probe/packet.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define VERSION       1
#define SIGNED_SIZE   40
#define MAC_SIZE      (PROBE_PACKET_SIZE - SIGNED_SIZE)
#define HASH_SIZE     32
#define FLAG_KERNEL   1u
#define FLAG_PREVIOUS 2u

static const uint8_t head[] = {'t', 'f', 'g', 'p', VERSION};

/* ---- key ---- */

struct probe_key {
    EVP_MAC_CTX *context; /* holds the key's own copy, which the library wipes */
};

struct probe_key *probe_key_new(const uint8_t bytes[PROBE_KEY_SIZE])
{
    struct probe_key *key = calloc(1, sizeof *key);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (key && mac)
        key->context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (key && (!key->context || !EVP_MAC_init(key->context, bytes, PROBE_KEY_SIZE, params))) {
        probe_key_free(key);
        return NULL;
    }
    return key;
}

void probe_key_free(struct probe_key *key)
{
    if (key)
        EVP_MAC_CTX_free(key->context);
    free(key);
}

static bool sign(struct probe_key *key, const uint8_t data[SIGNED_SIZE], uint8_t out[HASH_SIZE])
{
    size_t length = 0;
    return EVP_MAC_init(key->context, NULL, 0, NULL) && /* the same key once more */
           EVP_MAC_update(key->context, data, SIGNED_SIZE) &&
           EVP_MAC_final(key->context, out, &length, HASH_SIZE) && length == HASH_SIZE;
}

/* ---- packet ---- */

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

bool probe_packet_write(const struct probe_packet *packet, struct probe_key *key,
                        uint8_t out[PROBE_PACKET_SIZE])
{
    uint8_t hash[HASH_SIZE];
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
    if (!sign(key, out, hash))
        return false;
    memcpy(out + SIGNED_SIZE, hash, MAC_SIZE);
    return true;
}

bool probe_packet_read(struct probe_packet *out, enum probe_kind kind, struct probe_key *key,
                       const uint8_t *data, size_t size)
{
    uint8_t hash[HASH_SIZE];
    if (size != PROBE_PACKET_SIZE || memcmp(data, head, sizeof head) != 0 || data[5] != kind)
        return false;
    if (!sign(key, data, hash) || CRYPTO_memcmp(hash, data + SIGNED_SIZE, MAC_SIZE) != 0)
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
