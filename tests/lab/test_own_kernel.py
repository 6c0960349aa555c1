"""On this machine's own kernel, behind a shaped link: the time axis, the sampler, and marks."""

import json
import time
from statistics import median

import dumbbell
import pytest
from harness import COMPLETE
from own_kernel import Metronome, OwnBed, why_not
from uml import urgently
from witnesses import CE, Interface, capture

MS = 1_000_000
MBIT = 1e6


@pytest.fixture
def own(lab):
    if why_not():
        pytest.skip(why_not())
    # The agents go before what else the machine has to do, which is not what this is about.
    return OwnBed(lab, urgently())


def read(outcome):
    outcome.run  # makes the reader's module
    from tcp_flowgen_results import read

    return list(read(outcome.output))


def rates(end, column):
    """[(begin, end, bit/s)] between successive samples on ticks; times in s on the axis."""
    rows = zip(end.columns["ts"], end.columns[column], end.columns["tick"])
    rows = [(ts, value) for ts, value, tick in rows if tick >= 0]
    return [(t0, t1, (v1 - v0) * 8 / (t1 - t0)) for (t0, v0), (t1, v1) in zip(rows, rows[1:])]


def crossing(points, after, slower):
    """The first interval that ends after a time and is below 50 Mbit/s, or above."""
    return next(
        (begin, end)
        for begin, end, rate in points
        if end > after and (rate < 50 * MBIT) is slower
    )


def test_change_of_rate(own, figure, tmp_path):
    """100, 25, 100 Mbit/s: both ends show each change within an interval, at one place of the axis.

    When it happened is what the counters of the receiver's interface say."""
    interval = 0.1
    own.net.rate("100mbit", ("pfifo", "limit", 200))
    changed = []
    scenario = dumbbell.scenario({"duration": "6s"})
    with own.watched(tmp_path / "interface"), own.running(scenario, "-i", "100ms") as outcome:
        for rate in ("25mbit", "100mbit"):
            time.sleep(2)
            changed.append(time.monotonic_ns())
            own.net.change_rate("r1", "change", rate)

    (flow,), run = read(outcome), outcome.run
    assert flow.result.status == COMPLETE
    error = max(agent.clock.error_ns for agent in run.agents) / 1e9
    series = {
        "src": rates(flow.src, "ThruBytesAcked"),
        "dst": rates(flow.dst, "ThruBytesReceived"),
    }
    # The same intervals as the receiving end's, by the witness's counters.
    interface = Interface(tmp_path / "interface")
    t0 = run.t0_ns

    def witnessed(begin, end):
        payload = interface.payload(t0 + round(begin * 1e9), t0 + round(end * 1e9))
        return begin, end, payload * 8 / (end - begin)

    witness = [witnessed(begin, end) for begin, end, _ in series["dst"]]
    for when, slower in zip(changed, (True, False)):
        when = (when - t0) / 1e9
        truth = crossing(witness, when, slower)
        for name, points in series.items():
            seen = crossing(points, when - 2 * interval, slower)
            assert seen[1] >= when - error, f"{name}: before it was so"
            assert abs(seen[0] - truth[0]) <= 1.5 * interval, f"{name}: not within an interval"
            figure(f"{'100 to 25' if slower else '25 to 100'} Mbit/s, {name}, s; interface",
                   f"{seen[0]:.3f}", f"{truth[0]:.3f}", f"{abs(seen[0] - truth[0]):.3f}")  # fmt: skip
    begin, end = ((when - t0) / 1e9 for when in changed)
    for name, points in series.items():
        slow = [rate for b, e, rate in points if b > begin + 2 * interval and e < end]
        # 1448 of 1514 bytes are payload.
        assert median(slow) == pytest.approx(25 * MBIT * 1448 / 1514, rel=0.05), name


def test_every_millisecond(own, figure):
    """Two flows, a sample of each end each millisecond for 20 s: none is unaccounted for."""
    own.net.rate("50mbit", ("pfifo", "limit", 100))
    metronome = Metronome(MS)
    flows = {"duration": "20s"}, {"duration": "20s"}
    outcome = own.run(dumbbell.scenario(*flows), "-i", "1ms").must(0)
    busy = metronome.missed()
    for flow in read(outcome):
        assert flow.result.status == COMPLETE
        for report, end in ((flow.result.src, flow.src), (flow.result.dst, flow.dst)):
            ticks = [tick for tick in end.columns["tick"] if tick >= 0]
            assert report.samples_taken == len(ticks) == len(set(ticks))
            assert report.samples_taken + report.samples_missed == report.samples_expected
            assert report.samples_expected >= 20_000
            # Beyond what a timer loop beside it missed because others have the machine.
            missed = report.samples_missed / report.samples_expected
            figure("1 ms for 20 s, missed; a timer beside it", f"{missed:.3%}", f"{busy:.3%}",
                   f"{report.samples_expected} expected")  # fmt: skip
            assert missed <= 0.01 + busy, f"{missed:.2%} missed, {busy:.2%} by a timer beside it"


def test_marks_at_the_receiver(own, figure, tmp_path):
    """Every fiftieth packet is marked: what new kernels' receivers count is what was captured."""
    own.net.rate("50mbit", ("pfifo", "limit", 100))
    own.net.mark(50)
    flows = {"ecn": True, "duration": "3s"}, {"duration": "3s"}
    with own.captured(tmp_path / "capture"):
        outcome = own.run(dumbbell.scenario(*flows), "-i", "100ms").must(0)
    packets = list(capture(tmp_path / "capture"))
    with_ecn, without = read(outcome)
    marked = [
        sum(p.ecn == CE and p.source[1] == flow.result.src.local_port for p in packets)
        for flow in (with_ecn, without)
    ]
    struck, dropped = own.net.struck(), own.net.queue()["drops"]
    figure("every 50th marked, captured; nft", marked[0], struck, f"{dropped} dropped")
    assert struck - dropped <= marked[0] <= struck and marked[0] > 10 and marked[1] == 0
    assert (with_ecn.result.src.ecn, without.result.src.ecn) == (True, False)
    assert with_ecn.src.columns["delivered_ce"][-1] >= marked[0]  # echoed until the answer arrives
    assert without.src.columns["delivered_ce"][-1] == 0
    if "received_ce" not in with_ecn.dst.columns:
        pytest.skip("this kernel's tcp_info has no received_ce")
    assert with_ecn.dst.columns["received_ce"][-1] == marked[0]
    assert without.dst.columns["received_ce"][-1] == 0


def test_loss_is_sent_again(own, figure):
    """Every hundredth packet is lost: about as many are sent again as were dropped."""
    own.net.rate("50mbit", ("pfifo", "limit", 100))
    own.net.lose(100)
    outcome = own.run(dumbbell.scenario({"duration": "3s"}), "-i", "100ms").must(0)
    (flow,) = read(outcome)
    shown = own.lab.command(None, "summary", outcome.output, "--json").must(0)
    retransmits = json.loads(shown.stdout)["flows"][0]["retransmits"]
    assert retransmits == flow.src.columns["total_retrans"][-1]
    lost = own.net.struck() + own.net.queue()["drops"]
    assert lost <= retransmits <= 1.1 * lost + 5 and lost > 20
    figure("every 100th lost, retransmits; nft and tc", retransmits, lost, retransmits - lost)
