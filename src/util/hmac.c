#include "util/hmac.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct hmac {
    EVP_MAC_CTX *context; /* holds the key's own copy, which the library wipes */
};

struct hmac *hmac_new(const void *key, size_t size)
{
    struct hmac *hmac = calloc(1, sizeof *hmac);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (hmac && mac)
        hmac->context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (hmac && (!hmac->context || !EVP_MAC_init(hmac->context, key, size, params))) {
        hmac_free(hmac);
        return NULL;
    }
    return hmac;
}

void hmac_free(struct hmac *hmac)
{
    if (hmac)
        EVP_MAC_CTX_free(hmac->context);
    free(hmac);
}

bool hmac_sign(struct hmac *hmac, const void *data, size_t size, uint8_t out[HMAC_SIZE])
{
    size_t length = 0;
    return EVP_MAC_init(hmac->context, NULL, 0, NULL) && /* the same key once more */
           EVP_MAC_update(hmac->context, data, size) &&
           EVP_MAC_final(hmac->context, out, &length, HMAC_SIZE) && length == HMAC_SIZE;
}

bool hmac_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
