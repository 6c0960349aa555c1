#include "model/tcp_fields.h"

#include <string.h>

static const struct tcp_field_info fields[TCP_FIELD_COUNT] = {
#define X(name, offset, bytes, shift, bits) {#name, offset, bytes, shift, bits},
    TCP_FIELDS(X)
#undef X
};

const struct tcp_field_info *tcp_field_info(enum tcp_field field)
{
    return &fields[field];
}

bool tcp_field_exists(size_t length, enum tcp_field field)
{
    return (size_t)fields[field].offset + fields[field].bytes <= length;
}

/* Little-endian hosts only (amd64, arm64), as struct tcp_info's bit-fields are laid out there. */
int64_t tcp_field_get(const void *tcp_info, size_t length, enum tcp_field field)
{
    const struct tcp_field_info *info = &fields[field];
    uint64_t value = 0;
    if (!tcp_field_exists(length, field))
        return 0;
    memcpy(&value, (const char *)tcp_info + info->offset, info->bytes);
    if (info->bits)
        value = value >> info->shift & ((UINT64_C(1) << info->bits) - 1);
    return (int64_t)value;
}

int tcp_state_seed(int64_t linux_state)
{
    static const uint8_t seed[] = {
        0,  /* unknown */
        5,  /* ESTABLISHED */
        3,  /* SYN_SENT */
        4,  /* SYN_RECV */
        6,  /* FIN_WAIT1 */
        7,  /* FIN_WAIT2 */
        11, /* TIME_WAIT */
        1,  /* CLOSE */
        8,  /* CLOSE_WAIT */
        9,  /* LAST_ACK */
        2,  /* LISTEN */
        10, /* CLOSING */
        4,  /* NEW_SYN_RECV */
    };
    return linux_state >= 0 && linux_state < (int64_t)sizeof seed ? seed[linux_state] : 0;
}
