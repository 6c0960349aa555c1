"""What was seen beside tcp-flowgen, made comparable: interface counters, `ss`, packet captures."""

import bisect
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

HEADERS = 14 + 20 + 32  # bytes of a data packet: Ethernet, IPv4, TCP with timestamps


class Interface:
    """Bytes and packets that an interface had received, at any moment between first and last."""

    def __init__(self, path):
        rows = [tuple(map(int, line.split())) for line in Path(path).read_text().splitlines()]
        self.times = [row[0] for row in rows]
        self.rows = rows

    def at(self, t_ns):
        """(bytes, packets), between two readings in proportion."""
        after = max(bisect.bisect_left(self.times, t_ns), 1)
        assert self.times[0] <= t_ns <= self.times[-1], "outside what was watched"
        (t0, *then), (t1, *now) = self.rows[after - 1], self.rows[after]
        part = (t_ns - t0) / (t1 - t0)
        return [a + (b - a) * part for a, b in zip(then, now)]

    def payload(self, begin_ns, end_ns):
        """Bytes of TCP payload that came in between, if all were data packets with timestamps."""
        (bytes0, packets0), (bytes1, packets1) = self.at(begin_ns), self.at(end_ns)
        return bytes1 - bytes0 - HEADERS * (packets1 - packets0)

    def payload_around(self, begin_ns, end_ns):
        """The same, from the last reading before to the first one after: exact if it was quiet."""
        before = self.times[bisect.bisect_right(self.times, begin_ns) - 1]
        after = self.times[bisect.bisect_left(self.times, end_ns)]
        return round(self.payload(before, after))


# Names in `ss` of the kernel's counters that only grow, and of figures that come and go.
COUNTERS = ("bytes_sent", "bytes_retrans", "bytes_acked", "segs_out", "segs_in", "data_segs_out",
            "delivered", "delivered_ce")  # fmt: skip


@dataclass
class Socket:
    """One connection, as `ss -tinmO` showed it."""

    state: str
    local: str
    peer: str
    text: str

    def number(self, name):
        """The kernel's field of that name in what ss writes; 0 where it leaves out a zero."""
        found = re.search(rf"\b{name}:(\d+)", self.text)
        return int(found[1]) if found else 0

    def total_retrans(self):
        found = re.search(r"\bretrans:\d+/(\d+)", self.text)
        return int(found[1]) if found else 0


@dataclass
class Look:
    """All connections of a namespace at some moment between two, by CLOCK_MONOTONIC."""

    before: int
    after: int
    retransmitted: int  # segments, by all connections that there ever were
    sockets: list

    def of(self, local):
        """The socket with a local address and port; None if there is none."""
        return next((socket for socket in self.sockets if socket.local == local), None)

    def others_retransmitted(self, local):
        """By the connections that there are, but for one."""
        return sum(socket.total_retrans() for socket in self.sockets if socket.local != local)


def looks(path):
    """What `ss` said."""
    for look in map(json.loads, Path(path).read_text().splitlines()):
        if "text" in look:
            rows = ((text.split(), text) for text in look["text"].splitlines())
            sockets = [Socket(row[0], row[3], row[4], text) for row, text in rows if len(row) > 4]
            yield Look(look["before"], look["after"], look["retransmitted"], sockets)


# Offsets in struct tcp_info (linux/tcp.h).
TCP_INFO = {"rtt": 68, "snd_cwnd": 80, "segs_out": 136, "segs_in": 140, "data_segs_out": 156}


@dataclass
class Answer:
    """A connection's struct tcp_info at some moment between two, as the kernel tells it to `ss`."""

    before: int
    after: int
    info: bytes

    def number(self, name):
        return struct.unpack_from("=I", self.info, TCP_INFO[name])[0]


def answers(path, local):
    """Those about the established connection with a local address and port."""
    for look in map(json.loads, Path(path).read_text().splitlines()):
        for one in look.get("answers", ()):
            if one["local"] == local:
                yield Answer(look["before"], look["after"], bytes.fromhex(one["info"]))


FIN, SYN, ACK, ECE, CWR = 0x01, 0x02, 0x10, 0x40, 0x80
CE = 3


@dataclass
class Packet:
    """A TCP segment of IPv4."""

    source: tuple  # address, port
    target: tuple
    ecn: int  # of IP: 0 to 3
    flags: int
    seq: int
    ack: int
    size: int  # bytes of payload
    real_ns: int = 0  # when it passed, by the wall clock


CAPTURE_DELAY = 1.5  # s until tcpdump has surely been given the last packet


def check_capture(log):
    """That tcpdump, by what it wrote at its end, has missed none."""
    text = Path(log).read_text()
    counts = re.search(r"(\d+) packets captured\n(\d+) packets received", text)
    assert counts and counts[1] == counts[2] and "\n0 packets dropped by kernel" in text, text


def capture(path):
    """The TCP segments of a capture of `tcpdump -w`."""
    data = Path(path).read_bytes()
    magic, link = struct.unpack_from("<I16xI", data)
    assert magic in (0xA1B2C3D4, 0xA1B23C4D) and link == 1, "not a capture of Ethernet"
    fraction = 1 if magic == 0xA1B23C4D else 1000
    at = 24
    while at + 16 <= len(data):
        seconds, parts, kept = struct.unpack_from("<III", data, at)
        frame = data[at + 16 : at + 16 + kept]
        at += 16 + kept
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            yield segment(frame, seconds * 1_000_000_000 + parts * fraction)


def segment(frame, real_ns=0):
    header = (frame[14] & 15) * 4
    tcp = 14 + header
    (total,) = struct.unpack_from("!H", frame, 16)
    source, target, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", frame, tcp)
    addresses = (".".join(map(str, frame[at : at + 4])) for at in (26, 30))
    return Packet(
        (next(addresses), source),
        (next(addresses), target),
        frame[15] & 3,
        flags,
        seq,
        ack,
        total - header - (offset >> 4) * 4,
        real_ns,
    )


def counters(text):
    """What `nstat -asz` wrote, as numbers by name."""
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {row[0]: int(row[1]) for row in rows if len(row) >= 2}
