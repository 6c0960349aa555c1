"""Reads pcapng files of TCP over Ethernet or loopback, as far as the tests need it."""

import socket
import struct
from dataclasses import dataclass

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclass
class Segment:
    """A TCP segment; data: bytes of payload that it had, kept or not."""

    ns: int
    src: tuple
    dst: tuple
    seq: int
    ack: int
    flags: int
    data: int
    ecn: int
    kept_payload: int


def options(data):
    """Code and value of each option of a block."""
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from("=HH", data, at)
        if code == 0:
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def blocks(path):
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("=II", data, at)
        assert size % 4 == 0 and struct.unpack_from("=I", data, at + size - 4) == (size,)
        yield kind, data[at + 8 : at + size - 4]
        at += size


def segment(ns, length, kept):
    (kind,) = struct.unpack_from("!H", kept, 12)
    ip = kept[14:]
    if kind == 0x0800:
        header, size = (ip[0] & 15) * 4, struct.unpack_from("!H", ip, 2)[0]
        src, dst = (socket.inet_ntop(socket.AF_INET, ip[at : at + 4]) for at in (12, 16))
        ecn = ip[1] & 3
    else:
        assert kind == 0x86DD
        header, size = 40, 40 + struct.unpack_from("!H", ip, 4)[0]
        src, dst = (socket.inet_ntop(socket.AF_INET6, ip[at : at + 16]) for at in (8, 24))
        ecn = ip[1] >> 4 & 3
    size = size or length - 14
    tcp = ip[header:]
    sport, dport, seq, ack = struct.unpack_from("!HHII", tcp)
    own = (tcp[12] >> 4) * 4
    return Segment(
        ns, (src, sport), (dst, dport), seq, ack, tcp[13], size - header - own, ecn, len(tcp) - own
    )


def read(path):
    """(comment, segments, statistics): statistics are numbers by option code."""
    comment, segments, statistics = None, [], None
    for kind, body in blocks(path):
        if kind == SECTION:
            assert struct.unpack_from("=IHH", body) == (0x1A2B3C4D, 1, 0)
            comment = dict(options(body[16:]))[1].decode()
        elif kind == INTERFACE:
            assert dict(options(body[8:]))[9] == b"\x09"
        elif kind == PACKET:
            _, high, low, kept, length = struct.unpack_from("=5I", body)
            segments.append(segment(high << 32 | low, length, body[20 : 20 + kept]))
        elif kind == STATISTICS:
            statistics = {
                code: struct.unpack("=Q", value)[0] for code, value in options(body[12:])
            }
    return comment, segments, statistics
