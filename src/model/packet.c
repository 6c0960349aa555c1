#include "model/packet.h"

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_TAG  0x8100u /* IEEE 802.1Q: two bytes, then another type */
#define PROTOCOL_TCP   6u

static unsigned two_bytes(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Where the IP header begins; `captured` or more if nowhere. */
static uint32_t ip_begin(uint32_t link_type, const uint8_t *bytes, uint32_t captured)
{
    if (link_type == LINKTYPE_RAW)
        return 0;
    uint32_t type = 12; /* behind two addresses */
    if (link_type != LINKTYPE_ETHERNET)
        return captured;
    while (type + 2 <= captured && two_bytes(bytes + type) == ETHERTYPE_TAG)
        type += 4;
    if (type + 2 > captured)
        return captured;
    const unsigned ethertype = two_bytes(bytes + type);
    return ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6 ? type + 2 : captured;
}

/* Where the TCP header begins; `captured` or more if nowhere. */
static uint32_t tcp_begin(const uint8_t *bytes, uint32_t ip, uint32_t captured)
{
    if (captured < 20 || ip > captured - 20)
        return captured;
    const uint8_t *header = bytes + ip;
    if (header[0] >> 4 == 4 && header[9] == PROTOCOL_TCP)
        return ip + (header[0] & 0xfu) * 4;
    if (header[0] >> 4 == 6 && header[6] == PROTOCOL_TCP) /* without extension headers */
        return ip + 40;
    return captured;
}

uint32_t packet_headers(uint32_t link_type, const uint8_t *bytes, uint32_t captured)
{
    const uint32_t tcp = tcp_begin(bytes, ip_begin(link_type, bytes, captured), captured);
    if (captured < 20 || tcp > captured - 20)
        return captured;
    const uint32_t end = tcp + (bytes[tcp + 12] >> 4) * 4u;
    return end < captured ? end : captured;
}
