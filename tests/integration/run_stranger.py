"""What anybody who knows agent.proto may try with an agent's runs: run_stranger.py WAY AGENT [RUN].

meddle   does all that there is to do with another's run
refused  is refused often
places   takes as many runs as it gets
pieces   prepares without end
late     says whether a new run would be taken, and why not

Ends with 0 if the agent answers as it should.
"""

import os
import sys
import time

from impostor import field
from protocol import Caller

SECRET = bytes(range(16))
NO_SUCH_RUN = "this agent has no such run"
RUN, AXIS, KEY = 1, 2, 2


class Stranger(Caller):
    def about_run(self, method, run, secret, *more):
        fields = [field(RUN, run), *more] + ([field(50, secret)] if secret is not None else [])
        return self.ask(method, b"".join(fields), timeout=20)

    def piece(self, run, *more, ends=1, secret=SECRET, total=1000):
        more = [end(i) for i in range(ends)] + list(more) + [field(7, total), field(51, bytes(32))]
        return self.about_run("Prepare", run, secret, *more)


def end(flow):
    """An EndSpec that accepts."""
    spec = field(1, flow) + field(3, 1) + field(5, 1) + field(7, 10**9)
    spec += field(8, "127.0.0.1") + field(9, "127.0.0.1") + field(17, os.urandom(16))
    return field(6, spec)


def run_id(number):
    return f"{number:032x}"


def meddle(stranger, run):
    now = time.monotonic_ns()
    axis = field(AXIS, field(2, now + 10**9))
    probe = field(KEY, bytes(32)) + field(3, "127.0.0.1") + field(4, "127.0.0.1")
    unknown = run_id(99)
    for secret in (None, b"", bytes(16), SECRET[:15], SECRET + b"0", bytes(100000)):
        for method, more in (
            ("Watch", []), ("Collect", []), ("Stop", []), ("Forget", []), ("Start", [axis]),
        ):
            refusal = stranger.about_run(method, run, secret, *more)
            assert refusal[0] == "NOT_FOUND", (method, refusal)
            assert refusal[1].startswith(NO_SUCH_RUN)
            assert refusal == stranger.about_run(method, unknown, secret, *more)
        # A clock is told to anybody, but nothing is moved.
        assert stranger.about_run("Clock", run, secret, axis)[0] == "OK"
        code, text, _ = stranger.piece(run, secret=secret)
        assert code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")
        assert "values out of range" in text or "another run has this id" in text, text
        stranger.about_run("Probe", run, secret, probe)  # one of his own, if any


def refused(stranger, run):
    for _ in range(300):
        assert stranger.about_run("Stop", run, bytes(16))[0] == "NOT_FOUND"
    stranger.about_run("Forget", "a\n\x1b[31mb", None)


def places(stranger, _):
    """Four runs at a time."""
    for number in range(4):
        assert stranger.piece(run_id(number))[0] == "OK"
    code, text, _ = stranger.piece(run_id(4))
    assert code == "FAILED_PRECONDITION"
    assert "4 runs of " in text and "wait until one of them is over" in text, text
    assert stranger.about_run("Forget", run_id(1), SECRET)[0] == "OK"
    assert stranger.piece(run_id(4))[0] == "OK"
    assert stranger.piece(run_id(5))[0] == "FAILED_PRECONDITION"
    assert stranger.about_run("Stop", run_id(2), SECRET)[0] == "OK"
    for _ in range(100):  # soon it is over
        if stranger.piece(run_id(5))[0] == "OK":
            break
        time.sleep(0.05)
    assert stranger.about_run("Stop", run_id(2), SECRET)[0] == "NOT_FOUND"
    for number in (0, 3, 4, 5):
        assert stranger.about_run("Forget", run_id(number), SECRET)[0] == "OK"


def pieces(stranger, _):
    invalid, refusal = "INVALID_ARGUMENT", "FAILED_PRECONDITION"
    until_stop = field(21, 1)
    about = field(40, field(2, run_id(1)) + field(6, "x" * 10000))
    padding = field(20, "x" * 3_000_000)
    # Without ends only as a host that is sampled, and once.
    assert stranger.piece(run_id(1), ends=0)[0] == invalid
    assert stranger.piece(run_id(1), field(40, field(6, "x" * 3_200_000)))[0] == invalid
    assert stranger.piece(run_id(1), field(40, field(7, b"") * 65536))[0] == invalid
    assert stranger.piece(run_id(1), until_stop, about, ends=0)[0] == "OK"
    for _ in range(300):
        assert stranger.piece(run_id(1), until_stop, ends=0)[0] == refusal
        assert stranger.piece(run_id(1), until_stop, about)[0] == refusal
    assert stranger.piece(run_id(1), field(20, "x" * 3_800_000))[0] == invalid
    taken = 0
    while taken < 100:
        code, text, _ = stranger.piece(run_id(1), padding)
        if code != "OK":
            break
        taken += 1
    assert code == refusal and "larger than 64 MiB" in text, text
    assert taken == 22
    assert stranger.piece(run_id(1), padding)[0] == refusal


def occupy(stranger, _):
    for number in range(4):
        assert stranger.piece(run_id(number))[0] == "OK"


def late(stranger, _):
    code, text, _ = stranger.piece(run_id(1))
    print(code, text)
    if code == "OK":
        stranger.about_run("Forget", run_id(1), SECRET)


WAYS = {way.__name__: way for way in (meddle, refused, places, pieces, occupy, late)}
WAYS[sys.argv[1]](Stranger(sys.argv[2]), (sys.argv + [run_id(7)])[3])
