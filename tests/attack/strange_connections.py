"""Strangers who connect to an agent's control port and do what no caller would.

Each function is one of them: it returns when it has done its worst, and fails if it got what it must
not have.
"""

import os
import ssl
import struct
import time
from dataclasses import replace

from impostor import ACK, DATA, END_HEADERS, HEADERS, PING, SETTINGS, field, frame
from protocol import (
    FRAME,
    PREFACE,
    SECRET,
    SERVICE,
    Caller,
    Connection,
    all_ended,
    body,
    build,
    crowd,
    end_spec,
    opening,
    prepare_request,
    still_open,
)

RST_STREAM, WINDOW_UPDATE, CONTINUATION = 3, 8, 9  # frames
INITIAL_WINDOW = 4  # a setting
CALLS = 32  # under way that an agent has of one connection
ALL_KEPT = 256
KEPT = 32  # connections that an agent has of one address or user
PREFACE_TIME = 5  # s that it waits for a connection's first words
SLACK = 3  # s
HELLO, PREPARE = SERVICE + "Hello", SERVICE + "Prepare"


# ---- silent ----


def idle_connections(prey):
    """5 000 at once, which say nothing."""
    assert all_ended(crowd(prey, 5000), PREFACE_TIME + SLACK), "silent connections stay"


def greeted_and_idle(prey):
    """They look like HTTP/2, and say no more."""
    made = crowd(prey, 300, greet=True)
    time.sleep(3)
    for connection in made:
        connection.drop()


def holds_the_door(prey):
    """All connections that the agent has, from as many addresses as that takes, for ever."""
    made = [
        Connection(replace(prey, source=f"10.93.0.{2 + i}")).greet()
        for i in range(ALL_KEPT // KEPT)
        for _ in range(KEPT)
    ]
    time.sleep(0.6)
    print("held", flush=True)
    time.sleep(2)
    assert still_open(made)


def slow_preface(prey):
    """A byte at a time, never all of them."""
    made = crowd(prey, KEPT // 2)
    deadline = time.monotonic() + PREFACE_TIME + SLACK
    for byte in PREFACE[:-1]:
        for connection in made:
            connection.send(bytes([byte]))
        time.sleep(0.5)
        made = still_open(made)
        if not made:
            return
        assert time.monotonic() < deadline, "slow connections stay"
    raise AssertionError("slow connections stay")


# ---- not HTTP/2 ----


def refused(prey, *greetings):
    """Each on connections of its own: the agent ends all of them."""
    for greeting in greetings:
        made = crowd(prey, KEPT // 4)
        for connection in made:
            connection.send(greeting)
        assert all_ended(made, PREFACE_TIME + SLACK), greeting[:40]


def garbage(prey):
    refused(prey, os.urandom(64), os.urandom(100_000), bytes(100_000), b"\n" * 1000, b"FLUSHALL\r\nQUIT\r\n")


def http1(prey):
    refused(
        prey,
        b"GET / HTTP/1.1\r\nHost: agent\r\n\r\n",
        b"POST /tcpflowgen.Agent/Shutdown HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
        b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
    )


def tls(prey):
    hello = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        ssl.MemoryBIO(), hello, server_hostname="agent"
    )
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        refused(prey, hello.read())


def garbage_frames(prey):
    """Behind the right preface: noise, frames of unknown kinds and impossible lengths."""
    for payload in (
        os.urandom(50_000),
        frame(0x5A, 0xFF, 1, bytes(100)) * 100,
        b"\xff\xff\xff" + bytes(20_000),
        frame(DATA, 0, 7, bytes(100)),
        frame(SETTINGS, 0, 0, bytes(5)),
        frame(HEADERS, END_HEADERS, 1, os.urandom(500)),
        frame(HEADERS, END_HEADERS, 2, b""),
        frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 3,
    ) * 10:
        connection = Connection(prey).greet()
        connection.send(payload)
        connection.take()
        connection.drop()


# ---- never done ----


class Windows(Connection):
    """A connection with as many calls as may be, whose requests are sent as there is room for them."""

    def __init__(self, prey):
        super().__init__(prey)
        self.greet(ahead=frame(SETTINGS, ACK, 0))
        streams = range(1, 2 * CALLS, 2)
        self.room = dict.fromkeys([0, *streams], 65535)
        self.left = dict.fromkeys(streams, (4 << 20) - 10)
        self.heard = b""
        for stream in streams:
            self.send(opening(stream, PREPARE))
            self.put(stream, struct.pack("!BI", 0, 4 << 20))

    def put(self, stream, data):
        self.room[0] -= len(data)
        self.room[stream] -= len(data)
        return self.send(body(stream, data, ended=False))

    def hear(self):
        """False: the agent has ended it."""
        try:
            self.socket.setblocking(False)
            while data := self.socket.recv(1 << 16):
                self.heard += data
        except BlockingIOError:
            pass
        except OSError:
            return False
        else:
            return False
        self.socket.settimeout(2)
        while len(self.heard) >= 9 and len(self.heard) >= (size := 9 + int.from_bytes(self.heard[:3], "big")):
            kind, stream = self.heard[3], int.from_bytes(self.heard[5:9], "big")
            if kind == WINDOW_UPDATE and stream in self.room:
                self.room[stream] += int.from_bytes(self.heard[9:13], "big")
            self.heard = self.heard[size:]
        return True

    def push(self):
        """Sends what there is room for; False: the agent has ended it."""
        if not self.hear():
            return False
        for stream, left in self.left.items():
            size = min(left, self.room[0], self.room[stream])
            if size > 0:
                self.left[stream] -= size
                if not self.put(stream, bytes(size)):
                    return False
        return True


def unended_headers(prey):
    """A block of headers that goes on and on, then one that does not go on."""
    for _ in range(8):
        connection = Connection(prey).greet()
        connection.send(frame(HEADERS, 0, 1, bytes(FRAME)))
        for _ in range(200 * prey.times):
            if not connection.send(frame(CONTINUATION, 0, 1, b"\0\x01a\x7f" + b"x" * 127)):
                break
    crowd(prey, KEPT // 2, greet=True)
    time.sleep(2)


def unended_messages(prey):
    """Calls of which each says that 4 MiB will come, and sends half a MiB less one byte."""
    made = crowd(prey, 4, greet=True)
    for connection in made:
        for stream in range(1, 200, 2):
            connection.request(stream, PREPARE, bytes(4000), length=(4 << 20) - 1, ended=False)
    time.sleep(2)


def unended_requests(prey):
    """Calls of which each has nearly all of its 4 MiB, as fast as the agent gives room, for as long as
    it lets them."""
    made = [Windows(prey) for _ in range(8)]
    deadline = time.monotonic() + 3
    while made and time.monotonic() < deadline:
        made = [connection for connection in made if connection.push()]
        time.sleep(0.001)
    assert not made, "requests that do not end stay"


def open_streams(prey):
    """Many more calls than may be under way, and no message: the agent's limit is acknowledged, never
    acknowledged, or acknowledged before the agent has said it."""
    for count, ways in ((5000 * prey.times, ["later"] * 8), (20_000, ["never"] * 4 + ["early"] * 4)):
        made = [(way, Connection(prey)) for way in ways]
        for way, connection in made:
            connection.socket.settimeout(2)
            connection.greet(ahead=frame(SETTINGS, ACK, 0) if way == "early" else b"")
            if way == "later":
                time.sleep(0.01)
                connection.send(frame(SETTINGS, ACK, 0))
            for first in range(1, 2 * count, 400):
                streams = range(first, first + 400, 2)
                if not connection.send(b"".join(opening(i, HELLO) for i in streams)):
                    break
            connection.take()
        time.sleep(0.5)


# ---- floods ----


def flood(prey, piece, count):
    """The piece again and again on a few connections, one after the other, as long as the agent takes it."""
    for _ in range(4):
        connection = Connection(prey).greet()
        connection.socket.settimeout(1)
        for _ in range(count * prey.times):
            if not connection.send(piece):
                break
            connection.take()
            connection.socket.settimeout(1)
        connection.drop()


def settings_flood(prey):
    flood(prey, frame(SETTINGS, 0, 0, struct.pack("!HI", 3, 100)) * 500, 50)


def ping_flood(prey):
    """Whose answers nobody reads, too."""
    flood(prey, frame(PING, 0, 0, bytes(8)) * 500, 50)
    connection = Connection(prey).greet()
    connection.socket.settimeout(1)
    for _ in range(200):
        if not connection.send(frame(PING, 0, 0, bytes(8)) * 500):
            break


def rapid_reset(prey):
    """Calls that are cancelled as soon as they are made; and such as make the agent cancel them, by a
    window that overflows, by a frame that cannot be."""
    cancel = struct.pack("!I", 8)
    overflow = struct.pack("!I", 0x7FFFFFFF)
    for end in (
        lambda stream: frame(RST_STREAM, 0, stream, cancel),
        lambda stream: frame(RST_STREAM, 0, stream, cancel) + frame(DATA, 0, stream, b"x"),
        lambda stream: frame(WINDOW_UPDATE, 0, stream, overflow) * 2,
        lambda stream: frame(WINDOW_UPDATE, 0, stream, bytes(4)),
    ):
        connection = Connection(prey).greet()
        time.sleep(0.01)
        connection.send(frame(SETTINGS, ACK, 0))
        connection.socket.settimeout(1)
        for first in range(1, 20_000 * prey.times, 200):
            streams = range(first, first + 200, 2)
            if not connection.send(b"".join(opening(i, HELLO) + end(i) for i in streams)):
                break
        connection.drop()


def comes_and_goes(prey):
    """Connects and is gone, 3 000 times."""
    for i in range(3000 * prey.times):
        try:
            connection = Connection(prey)
        except OSError:
            continue
        if i % 2:
            connection.greet().request(1, HELLO, field(1, 1))
        connection.drop()


# ---- readers of nothing ----


def window_of_zero(prey):
    """Watches a run of its own, and never has room for what comes."""
    caller = Caller(prey.address)
    request = prepare_request(end_spec(0, 1, local_address=prey.host, peer_address=prey.host))
    code, _ = caller.call("Prepare", request)
    assert code == "OK", code
    watch = build("WatchRequest", run=request.run, secret=SECRET).SerializeToString()
    made = crowd(prey, 8)
    for connection in made:
        connection.greet(struct.pack("!HI", INITIAL_WINDOW, 0))
        for stream in range(1, 20, 2):
            connection.request(stream, SERVICE + "Watch", watch)
    time.sleep(2)
    caller.close()


# ---- too much ----


def broken_messages(prey):
    """Such as never fit into a window; one that says it is 4 GiB; one that says it is compressed and is not."""
    for _ in range(4):
        connection = Connection(prey).greet()
        connection.socket.settimeout(2)
        connection.request(1, PREPARE, bytes(5 << 20))
        connection.request(3, PREPARE, bytes(1000), length=0xFFFFFFFF)
        connection.send(opening(5, PREPARE) + body(5, b"\1" + struct.pack("!I", 1000) + bytes(1000)))
        connection.take()
        connection.drop()


def huge_headers(prey):
    """Of a MB in small ones; then one of 4 kB that is kept in the agent's table, and meant 5 million
    times by a byte each."""
    kept = b"\x40\x01a\x7f\x81\x1e" + b"x" * 4000
    for block in (
        opening(1, HELLO, *((f"x-{i}", "y" * 100) for i in range(5000)))[9:],
        opening(1, HELLO)[9:] + kept + b"\xbe" * 5_000_000,
        b"\x3f\xe1\x1f" * 1_500_000,
    ):
        send_headers(prey, block)


def send_headers(prey, block):
    connection = Connection(prey).greet()
    connection.socket.settimeout(2)
    pieces = [block[at : at + FRAME] for at in range(0, len(block), FRAME)]
    connection.send(frame(HEADERS, 0, 1, pieces[0]))
    for piece in pieces[1:]:
        connection.send(frame(CONTINUATION, 0, 1, piece))
    connection.send(frame(CONTINUATION, END_HEADERS, 1, b""))
    connection.send(frame(SETTINGS, ACK, 0))
    time.sleep(0.2)
    connection.drop()
