"""Goodput over a link of 10 Mbit/s, held against the packets that crossed the receiver's interface.

One run has every case: flows far shorter than the link's queue, a receiver's program that is held up,
a path that is dead at first, a black hole for large packets, and many flows at one time.
"""

import json
import re
import signal
import time
from dataclasses import dataclass

import dumbbell
import pytest
from figures import per_cent
from harness import INSTRUMENTED, Lab, unwrapped, waiting
from own_kernel import OwnBed, why_not
from uml import urgently
from witnesses import ACK, capture

MS = 1_000_000
RATE = 10e6  # bit/s on the wire
BURST, SEGMENT = 3000, 1514  # bytes
B_TEST = "10.2.0.2"
WARMUP = "200ms"

COMMON = {"send_buffer": 65536, "ccalg": "cubic"}  # so much is under way: 50 ms of the link's queue
PLAIN, HELD, DEAD, HOLE = 0, 31, 32, 33
SHORT = range(1, 31)
MANY = range(34, 64)


def flows():
    yield {"start": "0s", "duration": "1s"}
    for i in SHORT:
        start, duration = f"{1200 + 40 * (i - 1)}ms", f"{100 + 200 * (i - 1)}us"
        yield {"start": start, "duration": duration, "send_buffer": 8192}
    yield {"start": "2600ms", "duration": "500ms"}
    yield {"start": "3500ms", "duration": "2500ms"}
    yield {"start": "6400ms", "duration": "1800ms"}
    for i in range(len(MANY)):
        yield {"start": f"{8600 + 15 * i}ms", "duration": "300ms", "send_buffer": 8192}


@dataclass
class Seen:
    """The run, and what crossed b's interface in it."""

    flows: list  # tcp_flowgen_results.Flow
    summary: dict
    text: str
    run: object
    packets: list
    wall_ns: int  # of the wall clock less CLOCK_MONOTONIC
    warm: list  # flows of the summary behind a warm-up

    def on_axis(self, packet):
        return packet.real_ns - self.wall_ns - self.run.t0_ns

    def of(self, number):
        """The flow's packets of payload, (time on the axis, bytes)."""
        port = self.flows[number].result.src.local_port
        return [
            (self.on_axis(p), p.size) for p in self.packets if p.source[1] == port and p.size > 16
        ]

    def arrived(self, number, begin_ns, end_ns):
        return sum(size for at, size in self.of(number) if begin_ns <= at <= end_ns)


class Timeline:
    """Does things at times of the run's axis, as near as the first payload tells."""

    def __init__(self, own, master):
        agent, ready = own.lab.processes[1], "flows are ready"
        for _ in waiting("the flows", master):
            if ready in master.text():
                break
        idle = agent.interface_bytes("test")
        for _ in waiting("payload", master):
            if agent.interface_bytes("test") > idle + 20_000:
                break
        self.zero = time.monotonic() - 0.02

    def until(self, seconds):
        time.sleep(max(0, self.zero + seconds - time.monotonic()))


def nft(own, *words):
    own.net.inside("r1", "nft", *words)


def drop(own, rule):
    nft(own, "add table ip lab")
    nft(own, "add chain ip lab way { type filter hook forward priority 0; }")
    nft(own, f"add rule ip lab way ip daddr {B_TEST} {rule} drop")


def sysctl(own, **settings):
    words = [f"net.ipv4.{key}={value}" for key, value in settings.items()]
    own.net.inside("a", "sysctl", "-qw", *words)


def act(own, master):
    at = Timeline(own, master)
    receiver = own.lab.processes[1]
    at.until(2.56)
    receiver.signal(signal.SIGSTOP)
    at.until(2.74)
    receiver.signal(signal.SIGCONT)
    at.until(3.3)
    drop(own, "ip length > 200")
    at.until(4.7)
    nft(own, "flush ruleset")
    at.until(6.2)
    sysctl(own, tcp_mtu_probing=1, tcp_retries1=1)
    drop(own, "ip length > 1100")
    at.until(8.4)
    nft(own, "flush ruleset")
    sysctl(own, tcp_mtu_probing=0, tcp_retries1=3)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    if why_not():
        pytest.skip(why_not())
    if INSTRUMENTED:
        pytest.skip("this is about times")
    lab = Lab(tmp_path_factory.mktemp("goodput"))
    try:
        own = OwnBed(lab, urgently())
        own.net.rate("10mbit", ("pfifo", "limit", 300))
        scenario = dumbbell.scenario(*({**COMMON, **flow} for flow in flows()))
        output = lab.output()
        path = lab.directory / "capture"
        with own.captured(path):
            words = "run", lab.write(scenario), "-o", output, "-i", "50ms"
            master = lab.spawn(own.places["m"], *words, name="master")
            act(own, master)
            assert master.wait() == 0, master.text()
        wall_ns = time.time_ns() - time.monotonic_ns()
        yield see(lab, output, path, wall_ns)
    finally:
        lab.close()


def see(lab, output, path, wall_ns):
    import harness

    harness.messages()
    from tcp_flowgen_results import read

    found = list(read(output))
    summary, warm = (
        json.loads(lab.command(None, "summary", "--json", output, *words).must(0).stdout)
        for words in ((), ("--warmup", WARMUP))
    )
    text = unwrapped(lab.command(None, "summary", output).must(0).stdout)
    packets = list(capture(path))
    return Seen(found, summary, text, found[0].of_run, packets, wall_ns, warm["flows"])


def as_it_was(flow):
    """By the definition of before: from the receiver's first read on."""
    dst = flow.result.dst
    time_ns = dst.stop_ns - dst.first_byte_ns
    return dst.payload_bytes_stop * 8e9 / time_ns if time_ns > 0 else 0


NAMES = {PLAIN: "a plain flow", HELD: "receiver's program stopped", DEAD: "path dead at first",
         HOLE: "black hole, probing"}  # fmt: skip


@pytest.mark.parametrize("number", NAMES, ids=["plain", "held", "dead", "hole"])
def test_goodput_is_what_crossed_the_interface(seen, figure, number):
    ours = seen.summary["flows"][number]
    begin = ours["goodput_from_ns"]
    end = begin + ours["goodput_ns"]
    witness = seen.arrived(number, begin, end) * 8e9 / (end - begin)
    figure(f"goodput, {NAMES[number]}, Mbit/s (was {as_it_was(seen.flows[number]) / 1e6:.2f}); "
           "interface", f"{ours['goodput_bps'] / 1e6:.3f}", f"{witness / 1e6:.3f}",
           per_cent(ours["goodput_bps"], witness))  # fmt: skip
    assert ours["goodput_lack"] is None and not ours["goodput_doubtful"]
    assert ours["goodput_basis"] == "kernels"
    assert ours["goodput_bps"] == pytest.approx(witness, rel=0.01)
    assert ours["goodput_least_bps"] <= ours["goodput_bps"] <= ours["goodput_most_bps"]


@pytest.mark.parametrize("number", [PLAIN, HELD, DEAD], ids=["plain", "held", "dead"])
def test_behind_a_warm_up_too(seen, figure, number):
    ours = seen.warm[number]
    begin = ours["goodput_from_ns"]
    end = begin + ours["goodput_ns"]
    assert begin >= seen.flows[number].result.src.first_byte_ns + 200 * MS
    witness = seen.arrived(number, begin, end) * 8e9 / (end - begin)
    figure(f"goodput behind {WARMUP}, {NAMES[number]}, Mbit/s; interface",
           f"{ours['goodput_bps'] / 1e6:.3f}", f"{witness / 1e6:.3f}",
           per_cent(ours["goodput_bps"], witness))  # fmt: skip
    assert ours["goodput_bps"] == pytest.approx(witness, rel=0.01)
    got = seen.flows[number].goodput(warmup_ns=200 * MS)
    assert got.bps == pytest.approx(ours["goodput_bps"])


def carried(flow):
    """What a link would have carried, at most, in the time that was counted: bytes."""
    return RATE * (flow["goodput_ns"] + (flow["goodput_error_ns"] or 0)) / 8e9 + BURST + SEGMENT


def test_none_is_faster_than_the_link(seen, figure):
    short = [seen.summary["flows"][number] for number in SHORT]
    counted = [flow for flow in short if flow["goodput_bytes"]]
    assert len(counted) >= 10  # the longer ones
    for flow in seen.summary["flows"]:
        if flow["goodput_bytes"]:
            assert flow["goodput_bytes"] <= carried(flow), flow["id"]
    for flow in short:
        assert flow["goodput_bps"] is None or flow["goodput_bps"] <= RATE
        assert (flow["goodput_bps"] is None) == (flow["goodput_lack"] is not None)
    before = sum(as_it_was(seen.flows[number]) > RATE for number in SHORT)
    faster = sum((flow["goodput_bps"] or 0) > RATE for flow in short)
    figure(f"flows of 0.1 to 6 ms faster than their link (was {before}); bound", faster, 0)
    assert "of 64 flows have no goodput: fewer than 10 segments arrived" in seen.text


def test_many_flows_are_not_faster_than_the_link(seen, figure):
    """Together: of all flows of the run, and of those that share the link."""
    shared = [seen.summary["flows"][number] for number in MANY]
    begin = min(flow["goodput_from_ns"] for flow in shared)
    end = max(flow["goodput_from_ns"] + flow["goodput_ns"] for flow in shared)
    ours = sum(flow["goodput_bytes"] for flow in shared) * 8e9 / (end - begin)
    witness = sum(seen.arrived(number, begin, end) for number in MANY) * 8e9 / (end - begin)
    was = sum(as_it_was(seen.flows[number]) for number in MANY)
    figure(f"30 flows together, Mbit/s (sum was {was / 1e6:.2f}); interface, with what drained",
           f"{ours / 1e6:.3f}", f"{witness / 1e6:.3f}", "at most")  # fmt: skip
    assert ours <= witness * 1.001 <= RATE
    totals, flows = seen.summary["totals"], seen.summary["flows"]
    known = [flow for flow in flows if flow["goodput_bytes"]]
    assert totals["together_ns"] == pytest.approx(end - 0, abs=50 * MS)
    bits = totals["together_bps"] * totals["together_ns"] / 1e9
    assert round(bits / 8) == sum(flow["goodput_bytes"] for flow in known)


def test_whose_first_data_were_late(seen, figure):
    """The receiver's program in one flow, the network in two others: told apart by the source."""
    assert seen.of(PLAIN)[0][1] == 1448  # that the first byte is stamped makes no segment of its own
    held, dead, hole = (seen.summary["flows"][number] for number in (HELD, DEAD, HOLE))
    for flow in (held, dead, hole):
        src = seen.flows[flow["id"]].result.src
        assert src.first_byte_ns <= flow["first_left_ns"] <= src.first_byte_ns + 50 * MS
        port, first = src.local_port, seen.of(flow["id"])[0][0]
        acks = (p for p in seen.packets if p.target[1] == port and p.flags & ACK)
        acked = next(at for at in map(seen.on_axis, acks) if at >= first)
        figure(f"first acknowledgement, {NAMES[flow['id']]}, ms; interface",
               f"{flow['first_acked_ns'] / 1e6:.1f}", f"{acked / 1e6:.1f}",
               f"{(flow['first_acked_ns'] - acked) / 1e6:.1f}")  # fmt: skip
        assert 0 <= flow["first_acked_ns"] - acked + 100_000 <= 20 * MS
    assert held["first_byte_ns"] - held["first_acked_ns"] > 75 * MS
    assert dead["first_acked_ns"] - dead["start_ns"] > 1000 * MS
    program = [w for w in seen.summary["warnings"] if "program read its first data late" in w]
    network = [w for w in seen.summary["warnings"] if "acknowledged late" in w]
    assert len(program) == 1 and f"flow {HELD}," in program[0] and program[0].startswith("1 of 64")
    worst = any(f"the worst is flow {number}," in "".join(network) for number in (DEAD, HOLE))
    assert len(network) == 1 and worst and "the network, not" in network[0]


def longest_pause(seen, number):
    """Of the flow's packets of payload at the receiver's interface, from the first write on: when it
    began, and how long it was.  Behind its close another flow may have its port."""
    begin = seen.summary["flows"][number]["goodput_from_ns"]
    closed = seen.flows[number].result.src.closed_ns
    times = [begin, *(at for at, _ in seen.of(number) if at <= closed)]
    return max(zip(times, (b - a for a, b in zip(times, times[1:]))), key=lambda pause: pause[1])


@pytest.mark.parametrize("number", NAMES, ids=["plain", "held", "dead", "hole"])
def test_the_longest_standstill(seen, figure, number):
    """It ends between two samples, of 50 ms: what is told is certain, and no more than that short."""
    ours = seen.summary["flows"][number]["longest_standstill"] or {"standstill_ns": 0, "from_ns": 0}
    begin, length = longest_pause(seen, number)
    figure(f"longest standstill, {NAMES[number]}, ms (from s); interface, in its pause",
           f"{ours['standstill_ns'] / 1e6:.1f} ({ours['from_ns'] / 1e9:.3f})",
           f"{length / 1e6:.1f} ({begin / 1e9:.3f})",
           f"{(ours['standstill_ns'] - length) / 1e6:+.1f}")  # fmt: skip
    assert ours["standstill_ns"] <= length + 10 * MS
    if length < 500 * MS:
        return
    assert ours["standstill_ns"] >= length - 2 * 50 * MS - 30 * MS
    assert abs(ours["from_ns"] - begin) <= 50 * MS + 30 * MS
    assert ours["window_shut"] is False


def test_standstills_and_black_holes_are_named(seen):
    warnings = seen.summary["warnings"]
    stood = [text for text in warnings if "stood still" in text]
    assert len(stood) == 1 and re.search(rf": flow ({DEAD}|{HOLE}) longest, for", stood[0])
    holes = [text for text in warnings if "black hole" in text]
    assert len(holes) == 1 and f"the first is flow {HOLE}" in holes[0]
    assert "1 of 64 flows: packets of 1500 bytes do not get through from A to B" in holes[0]
    hole = seen.summary["flows"][HOLE]["mtu_black_hole"]
    assert hole["certain"] and hole["packet_bytes"] == 1500
    assert 1000 <= hole["passed_bytes"] <= 1100


def test_the_receive_rate_is_told_where_it_differs(seen):
    flows = [flow for flow in seen.summary["flows"] if flow["receive_rate_bps"]]
    dead = seen.summary["flows"][DEAD]
    assert dead["receive_rate_bps"] > 1.5 * dead["goodput_bps"]
    assert max(flow["receive_rate_bps"] for flow in flows) <= RATE * 1.05
    assert "receive rate (counted from the receiver's first data" in seen.text


def test_readers_in_python_say_the_same(seen):
    for flow, ours in zip(seen.flows, seen.summary["flows"]):
        got = flow.goodput()
        assert got.lack == ours["goodput_lack"], flow.params.id
        assert got.doubtful == ours["goodput_doubtful"]
        assert got.basis == ours["goodput_basis"]
        for name in ("bps", "least_bps", "most_bps"):
            assert getattr(got, name) == (
                ours[f"goodput_{name}"] and pytest.approx(ours[f"goodput_{name}"])
            )
        assert (got.from_ns, got.payload_bytes) == (ours["goodput_from_ns"], ours["goodput_bytes"])
