"""What anybody may ask an agent's clock probe for: probe_stranger.py AGENT, whose host is 127.0.0.1.

Ends with 0 if the agent answers nothing but what is right.
"""

import contextlib
import hashlib
import hmac
import socket
import struct
import sys

from impostor import field
from protocol import Caller

RUN = "0123456789abcdef" * 2
KEY = bytes(range(32))
SIZE = 56
REQUEST, REPLY = 1, 2
QUIET = 0.2  # s


def datagram(sequence, kind=REQUEST, key=KEY):
    head = b"tfgp" + bytes([1, kind, 0, 0]) + struct.pack("!Q", sequence) + bytes(24)
    return head + hmac.new(key, head, hashlib.sha256).digest()[:16]


def secret_of(run):
    return hashlib.md5(run.encode()).digest()


def announce(caller, run=RUN, secret=None, key=KEY, address="127.0.0.1", source="127.0.0.1"):
    """The UDP port, or the code that the agent refuses with."""
    secret = secret_of(run) if secret is None else secret
    request = field(1, run) + field(2, key) + field(3, address) + field(4, source)
    request += field(50, secret)
    code, _, reply = caller.ask("Probe", request, timeout=5)
    if code != "OK":
        return code
    assert reply[0] == 8
    return reply[1] & 127 | reply[2] << 7 if len(reply) == 3 else (
        reply[1] & 127 | (reply[2] & 127) << 7 | reply[3] << 14)


def ask(port, data, source="127.0.0.1"):
    """The answer's bytes; None: there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((source, 0))
        stranger.settimeout(QUIET)
        stranger.sendto(data, ("127.0.0.1", port))
        with contextlib.suppress(TimeoutError):
            return stranger.recv(2048)


def refuses_what_cannot_be(caller):
    invalid = "INVALID_ARGUMENT"
    for wrong in (
        {"run": ""}, {"run": "x" * 32}, {"run": RUN + "0"}, {"run": RUN.upper()},
        {"secret": b""}, {"secret": b"0" * 15}, {"secret": b"0" * 17},
        {"key": b""}, {"key": KEY[:31]}, {"key": KEY + b"0"}, {"key": bytes(100000)},
        {"address": ""}, {"address": "localhost"}, {"address": "0.0.0.0"}, {"address": "224.0.0.1"},
        {"source": ""}, {"source": "255.255.255.255"}, {"source": "ff02::1"}, {"source": "a" * 5000},
    ):
        assert announce(caller, **wrong) == invalid, wrong
    elsewhere = announce(caller, address="192.0.2.1")  # RFC 5737: nobody's
    assert elsewhere == "FAILED_PRECONDITION"


def answers_its_master_alone(caller):
    port = announce(caller)
    # Where the call came from may ask, too: it is what the agent sees of a master behind a NAT.
    other = announce(caller, run="f" * 32, source="127.0.0.3")
    for number in (port, other):
        reply = ask(number, datagram(5))
        assert reply and len(reply) == SIZE and reply[5] == REPLY
        head, mac = reply[:40], reply[40:]
        assert hmac.new(KEY, head, hashlib.sha256).digest()[:16] == mac
    for wrong in (
        datagram(5), datagram(4),  # replayed
        datagram(6, key=bytes(32)), datagram(6, kind=REPLY), reply,
        datagram(6)[:-1], datagram(6) + b"0", datagram(6) * 20, b"", bytes(SIZE),
    ):
        assert ask(port, wrong) is None
    assert ask(port, datagram(6), source="127.0.0.2") is None
    assert len(ask(port, datagram(6))) == SIZE
    return port


def forget(caller, request):
    caller.ask("Forget", request, timeout=5)  # it has no such run, but it had the probe


def is_gone_after_the_run(caller, port):
    """And not for who has not its secret."""
    forget(caller, field(1, RUN))
    forget(caller, field(1, RUN) + field(50, bytes(16)))
    assert announce(caller, secret=bytes(16)) != port  # it replaces none but its own
    assert len(ask(port, datagram(7))) == SIZE
    forget(caller, field(1, RUN) + field(50, secret_of(RUN)))
    assert ask(port, datagram(8)) is None


def bounds_their_number(caller):
    answers = [announce(caller, run=f"{i:032x}") for i in range(100, 140)]
    opened = [answer for answer in answers if isinstance(answer, int)]
    assert 1 <= len(opened) <= 16
    assert set(answers[20:]) == {"FAILED_PRECONDITION"}


with Caller(sys.argv[1]) as agent:
    refuses_what_cannot_be(agent)
    is_gone_after_the_run(agent, answers_its_master_alone(agent))
    bounds_their_number(agent)
