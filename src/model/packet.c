#include "model/packet.h"

#define ETHERTYPE_IPV4        0x0800u
#define ETHERTYPE_IPV6        0x86ddu
#define ETHERTYPE_TAG         0x8100u /* IEEE 802.1Q: two bytes, then another type */
#define ETHERTYPE_SERVICE_TAG 0x88a8u /* likewise */
#define PROTOCOL_TCP          6u

#define FLAG_SYN 0x02u
#define FLAG_ACK 0x10u

#define NOWHERE UINT32_MAX

static unsigned two_bytes(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static bool is_tag(unsigned ethertype)
{
    return ethertype == ETHERTYPE_TAG || ethertype == ETHERTYPE_SERVICE_TAG;
}

/* Where the IP header begins: `captured` if the packet is cut before, NOWHERE if it has none. */
static uint32_t ip_begin(uint32_t link_type, const uint8_t *bytes, uint32_t captured)
{
    if (link_type == LINKTYPE_RAW)
        return 0;
    uint32_t type = 12; /* behind two addresses */
    if (link_type != LINKTYPE_ETHERNET)
        return NOWHERE;
    while (type + 2 <= captured && is_tag(two_bytes(bytes + type)))
        type += 4;
    if (type + 2 > captured)
        return captured;
    const unsigned ethertype = two_bytes(bytes + type);
    return ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6 ? type + 2 : NOWHERE;
}

/* Where the TCP header begins, likewise. */
static uint32_t tcp_begin(const uint8_t *bytes, uint32_t ip, uint32_t captured)
{
    if (ip == NOWHERE)
        return NOWHERE;
    if (captured < 20 || ip > captured - 20)
        return captured;
    const uint8_t *header = bytes + ip;
    if (header[0] >> 4 == 4 && header[9] == PROTOCOL_TCP)
        return ip + (header[0] & 0xfu) * 4;
    if (header[0] >> 4 == 6 && header[6] == PROTOCOL_TCP) /* without extension headers */
        return ip + 40;
    return NOWHERE;
}

uint32_t packet_headers(uint32_t link_type, const uint8_t *bytes, uint32_t captured)
{
    const uint32_t tcp = tcp_begin(bytes, ip_begin(link_type, bytes, captured), captured);
    if (tcp == NOWHERE)
        return 0;
    if (captured < 20 || tcp > captured - 20)
        return captured;
    const uint32_t end = tcp + (bytes[tcp + 12] >> 4) * 4u;
    return end < captured ? end : captured;
}

bool packet_tcp(struct packet_tcp *out, uint32_t link_type, const uint8_t *bytes, uint32_t captured)
{
    const uint32_t tcp = tcp_begin(bytes, ip_begin(link_type, bytes, captured), captured);
    if (tcp == NOWHERE || captured < 14 || tcp > captured - 14)
        return false;
    *out = (struct packet_tcp){
        .from = (uint16_t)two_bytes(bytes + tcp),
        .to = (uint16_t)two_bytes(bytes + tcp + 2),
        .opens = (bytes[tcp + 13] & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN,
    };
    return true;
}
