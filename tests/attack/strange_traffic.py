"""Strangers at the ports that an agent opens for a run: of its clock probe (UDP), and of its flows.

Each function is one of them: it returns when it has done its worst, and fails if it got what it must
not have.
"""

import hashlib
import hmac
import os
import socket
import struct
import time

from protocol import Connection

DATAGRAM = 56  # bytes
UDP_SEGMENT = 103  # of linux/udp.h: one send() makes many datagrams
BATCH = 64
REQUEST = b"tfgp" + bytes([1, 1, 0, 0])
PROOF = b"\xf5tfgask\x01"  # what an agent begins with, who asks whether a listener is of its run
PROOF_BYTES = 32
TOKEN_BYTES = 16


def sender(prey):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_UDP, UDP_SEGMENT, DATAGRAM)
    made.connect((prey.host, prey.probe_port))
    made.setblocking(False)
    return made


def signed(sequence, key):
    head = REQUEST + struct.pack("!Q", sequence) + bytes(24)
    return head + hmac.new(key, head, hashlib.sha256).digest()[:16]


def answered(made):
    """Whether anything came back."""
    try:
        return bool(made.recv(2048))
    except BlockingIOError:
        return False
    except ConnectionError:  # the port is closed: the run is over
        return False


def datagrams(prey):
    """285 000 for the victim's clock probe: under a wrong key, and garbage."""
    assert prey.probe_port
    made = sender(prey)
    wrong = b"".join(signed(1 << 40 | i, bytes(31) + b"w") for i in range(BATCH))
    noise = os.urandom(BATCH * DATAGRAM)
    for i in range(285_000 * prey.times // BATCH + 1):
        try:
            made.send(noise if i % 4 == 0 else wrong)
        except (BlockingIOError, ConnectionError):
            pass
        assert not answered(made), "the clock probe answers a stranger"


def replayed_datagrams(prey):
    """The victim's own, seen on the wire and sent again from its own address, 20 000 times."""
    assert prey.probe_port
    seen = overheard(prey)
    assert seen
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect((prey.host, prey.probe_port))
        made.setblocking(False)
        for _ in range(20_000 * prey.times // len(seen)):
            for data in seen:
                try:
                    made.send(data)
                except (BlockingIOError, ConnectionError):
                    pass
                assert not answered(made), "the clock probe answers a datagram for the second time"


def overheard(prey):
    """Some requests of the victim's clock exchanges."""
    seen = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as ear:
        ear.settimeout(0.2)
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline and len(seen) < 8:
            try:
                packet = ear.recv(65536)
            except TimeoutError:
                continue
            if packet[9] != socket.IPPROTO_UDP:
                continue
            udp = packet[(packet[0] & 15) * 4 :]
            if struct.unpack("!H", udp[2:4])[0] == prey.probe_port and len(udp) == 8 + DATAGRAM:
                seen.append(udp[8:])
    return seen


def strays(prey):
    """10 000 connections to the ports of the victim's flows: silent ones, garbage, wrong tokens, what
    begins like an agent's proof, half a token."""
    assert prey.data_ports
    words = (
        b"",
        os.urandom(4096),
        os.urandom(TOKEN_BYTES),
        bytes(TOKEN_BYTES),
        PROOF + os.urandom(PROOF_BYTES - len(PROOF)),
        PROOF + os.urandom(100),
        PROOF,
        os.urandom(TOKEN_BYTES - 1),
    )
    held = []
    for i in range(10_000 * prey.times):
        try:
            stray = Connection(prey, prey.data_ports[i % len(prey.data_ports)])
        except ConnectionRefusedError:  # the run is over
            break
        except OSError:
            continue
        if word := words[i % len(words)]:
            stray.send(word)
        held.append(stray)
        if len(held) == 400:
            for each in held:
                each.take()
                each.drop()
            held = []
