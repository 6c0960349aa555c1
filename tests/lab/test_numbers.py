"""What tcp-flowgen says, held against what others saw: 50 Mbit/s, 20 ms, a queue of 85 packets.

The witnesses are the counters of the receiver's interface, `ss -tinm`, `nstat` and packet captures.
"""

import bisect
from collections import defaultdict

import pytest
from dumbbell import scenario
from figures import per_cent
from harness import COMPLETE
from witnesses import ACK, CE, COUNTERS, ECE

MS = 1_000_000
RECOVERY, LOSS = 3, 4  # TCPInfo.castate
LINK = "50mbit", ("pfifo", "limit", 85)
MSS = 1448  # bytes of payload
WINDOW = (85 + 85) * MSS  # bytes of payload that fit into the link's 20 ms and its queue

@pytest.fixture(scope="module")
def link(bed):
    bed.net.rate(*LINK)
    bed.net.delay(20)
    return bed


def goodput_of_witness(measurement, summary):
    """Payload that reached the interface in the time that goodput is of, bit/s."""
    begin = measurement.on_clock(summary["goodput_from_ns"])
    end = begin + summary["goodput_ns"]
    return measurement.interface.payload(begin, end) * 8e9 / (end - begin)


def complete(measurement):
    for flow in measurement.flows:
        assert flow.result.status == COMPLETE, flow.result.error
        for end in (flow.result.src, flow.result.dst):
            assert end.samples_expected == end.samples_taken + end.samples_missed > 0


# After the flow that is measured: the kernel's sums are read when that has come to its end and the
# agents still have their master, whose connections retransmit now and then as well.
TAIL = {"start": "7500ms", "duration": "100ms"}
LATE_TAIL = {**TAIL, "start": "10s"}


def measure(link, tail=TAIL, **flow):
    flows = {"duration": "6s", **flow}, tail
    seen = link.measure(scenario(*flows), "-i", "2ms", watch=("interface", "sockets"))
    complete(seen)
    return seen, seen.flows[0], seen.summary[0]


def check_goodput(seen, flow, summary):
    witness = goodput_of_witness(seen, summary)
    assert 1e6 < witness < 50e6  # there was something to measure, and the link was as asked for
    # What has arrived behind a hole is not received yet.
    counted_ns = summary["goodput_ns"]
    hole = 2 * WINDOW * 8e9 / counted_ns if was_recovering(flow) else 0
    assert witness * 0.99 - hole <= summary["goodput_bps"] <= witness * 1.01
    check_bytes(seen, flow)
    return witness


def was_recovering(flow):
    """Whether the sender had not repaired its losses yet when the counted time ended."""
    stop = flow.result.dst.stop_ns / 1e9
    columns = (flow.src.columns[name] for name in ("ts", "castate"))
    return [state for ts, state in zip(*columns) if ts <= stop][-1] in (RECOVERY, LOSS)


def check_bytes(seen, flow):
    """All that reached the interface is payload, or was sent twice."""
    dst = flow.result.dst
    # The preamble came when it connected.
    begin, end = flow.result.src.first_byte_ns - MS, dst.closed_ns
    arrived = seen.interface.payload_around(*map(seen.on_clock, (begin, end)))
    twice = flow.src.columns["total_retrans"][-1] * MSS
    few = 1000  # options of other packets, and what the next flow does to connect
    assert dst.payload_bytes - few <= arrived <= dst.payload_bytes + twice + few


def local(flow):
    return f"{flow.result.src.local_address}:{flow.result.src.local_port}"


def check_retransmits(seen, flow, summary):
    """What the namespace's counter grew by, less what other connections in it sent again.

    From the flow's start on: before it agents ask each other on connections that are gone then.
    """
    me, looks = local(flow), seen.looks
    start, tail = (seen.on_clock(one.result.start_ns) for one in seen.flows)
    begin, end = ([look for look in looks if look.after < moment][-1] for moment in (start, tail))
    assert not end.of(me)
    mine = begin.of(me)
    grown = end.retransmitted - begin.retransmitted
    others = end.others_retransmitted(me) - begin.others_retransmitted(me)
    assert summary["retransmits"] - (mine.total_retrans() if mine else 0) == grown - others
    assert summary["retransmits"] == flow.src.columns["total_retrans"][-1]
    return grown - others


@pytest.mark.parametrize("algorithm", ["reno", "cubic", "bbr"])
def test_goodput_and_samples(link, figure, algorithm):
    measured = seen, flow, summary = measure(link, ccalg=algorithm)
    assert flow.result.src.ccalg == algorithm
    check_all(figure, algorithm, measured)


def check_all(figure, name, measured):
    seen, flow, summary = measured
    witness, ours = check_goodput(*measured), summary["goodput_bps"]
    figure(f"{name}, goodput, Mbit/s; receiver's interface", f"{ours / 1e6:.3f}",
           f"{witness / 1e6:.3f}", per_cent(ours, witness))  # fmt: skip
    figure(f"{name}, retransmits; nstat", summary["retransmits"], check_retransmits(*measured))
    compared = check_sockets(seen, flow)
    figure(f"{name}, RTT and window; kernel's answers", f"{compared} samples", "equal", 0)


def test_retransmits_with_loss(link, figure):
    """One packet in a hundred is lost: what the flow sends again, the kernel counts as well."""
    link.net.delay(20, loss_percent=1)
    measured = measure(link, LATE_TAIL)  # what is left at stop takes up to seconds to get across
    link.net.delay(20)
    assert measured[2]["retransmits"] > 20
    check_all(figure, "1 % loss", measured)


def check_sockets(seen, flow):
    """Counters by `ss` itself, which takes its time; what comes and goes by quicker questions."""
    looks = [(look, look.of(local(flow))) for look in seen.looks]
    looks = [(look, socket) for look, socket in looks if socket and socket.state == "ESTAB"]
    assert len(looks) >= 2
    for look, socket in looks:
        for name in COUNTERS:
            column = "ThruBytesAcked" if name == "bytes_acked" else name
            between(seen.series(flow.src, column), look, socket.number(name), name)
        between(seen.series(flow.src, "total_retrans"), look, socket.total_retrans(), "retrans")

    samples = by_segments(flow.src)
    compared = 0
    for answer in seen.answers(local(flow)):
        key = tuple(answer.number(name) for name in SEGMENTS)
        for sample in samples.get(key, ()):
            assert sample == (answer.number("rtt"), answer.number("snd_cwnd"))
            compared += 1
    assert compared >= 5
    return compared


# RTT and window change when segments come or go.  A sample and an answer of the kernel between the
# same two segments are of one state, whatever the time in between.
SEGMENTS = "segs_in", "segs_out", "data_segs_out"


def by_segments(end):
    """{numbers of segments: [(RTT in us, window)]} of an end's samples."""
    samples = defaultdict(list)
    columns = (end.columns[name] for name in (*SEGMENTS, "RTT", "snd_cwnd"))
    for *key, rtt, cwnd in zip(*columns):
        samples[tuple(key)].append((round(rtt * 1e6), cwnd))
    return samples


def between(series, look, shown, name):
    """What only grows was no more before, and no less afterwards."""
    before = [value for t, value in series if t <= look.before]
    after = [value for t, value in series if t >= look.after + MS]  # read a little before t
    if before:
        assert before[-1] <= shown, name
    if after:
        assert shown <= after[0], name
    assert before or after


def data_packets(packets, flow):
    port = flow.result.src.local_port
    return [packet for packet in packets if packet.source[1] == port and packet.size]


def acknowledged_with_echo(packets, flow):
    """Data packets that were acknowledged, at first, by a packet with the ECN echo."""
    way_back = (flow.result.dst.local_port, flow.result.src.local_port)
    ends = sorted({packet.seq + packet.size for packet in data_packets(packets, flow)})
    done = echoed = 0
    for packet in packets:
        if (packet.source[1], packet.target[1]) == way_back and packet.flags & ACK:
            newly = bisect.bisect_right(ends, packet.ack) - done
            done += max(newly, 0)
            if newly > 0 and packet.flags & ECE:
                echoed += newly
    assert done == len(ends)
    return echoed


def test_marks(link, figure):
    """A queue that marks: what the senders count as marked is what a capture counts.

    The receiver of a dctcp flow echoes each mark as it came: the sender's delivered_ce is the
    number of marked data packets.  Otherwise it echoes until the sender has answered (RFC 3168):
    delivered_ce is the number of data packets acknowledged with an echo.  Either may be off by as
    many as were sent twice, for a copy may have another mark.
    """
    red = ["red", "limit", 300000, "min", 30000, "max", 90000, "avpkt", 1500, "burst", 25,
           "probability", 0.1, "ecn", "bandwidth", "50mbit"]  # fmt: skip
    link.net.rate("50mbit", red)
    flows = {"ccalg": "dctcp"}, {"ccalg": "cubic", "ecn": True}, {"ccalg": "cubic"}
    seen = link.measure(scenario(*flows), "-i", "100ms", watch=("capture",))
    link.net.rate(*LINK)
    complete(seen)
    packets = seen.packets()
    marked, echoed, counted, twice = [], [], [], []
    for flow in seen.flows:
        data = data_packets(packets, flow)
        marked.append(sum(packet.ecn == CE for packet in data))
        echoed.append(acknowledged_with_echo(packets, flow))
        counted.append(flow.src.columns["delivered_ce"][-1])
        twice.append(len(data) - len({packet.seq for packet in data}))

    assert [flow.result.src.ecn for flow in seen.flows] == [True, True, False]
    assert [flow.result.dst.ecn_seen for flow in seen.flows] == [True, True, False]
    assert marked[0] > 20 and marked[1] > 5
    assert abs(counted[0] - marked[0]) <= twice[0]
    assert abs(counted[1] - echoed[1]) <= twice[1]
    assert set(seen.flows[2].src.columns["delivered_ce"]) == {0}
    assert marked[2] == echoed[2] == 0
    for name, ours, witness in zip(("dctcp", "cubic, ECN", "cubic"), counted, (marked[0], *echoed[1:])):
        figure(f"{name}, CE marks; capture", ours, witness, abs(ours - witness))
    # The witnesses agree with each other, and so does the sum of what the flows say.
    assert sum(marked) == seen.queue["marked"] == seen.counters["b"]["IpExtInCEPkts"]
    assert sum(counted) == seen.counters["a"]["TcpExtTCPDeliveredCE"]


def test_dctcp_is_listened_for_apart(link):
    """Its SYN may be marked, which other listeners refuse; it works whatever tcp_ecn says."""
    link.net.inside("b", "sysctl", "-qw", "net.ipv4.tcp_ecn=0")
    flows = [{"ccalg": name, "duration": "500ms"} for name in ("dctcp", "reno", "dctcp")]
    seen = link.measure(scenario(*flows), "-i", "100ms", watch=("capture",))
    link.net.inside("b", "sysctl", "-qw", "net.ipv4.tcp_ecn=2")
    complete(seen)
    assert [flow.result.src.ccalg for flow in seen.flows] == ["dctcp", "reno", "dctcp"]
    assert [flow.result.dst.ecn for flow in seen.flows] == [True, False, True]
    packets = seen.packets()
    for flow in seen.flows:
        marks = {packet.ecn for packet in data_packets(packets, flow)}
        assert marks == ({2} if flow.result.src.ccalg == "dctcp" else {0})
        words = sum(f"cc_word_{i}" in flow.src.columns for i in range(5))
        assert words == (4 if flow.result.src.ccalg == "dctcp" else 0)


OTHERS = ("htcp", "vegas", "westwood", "illinois", "bic", "scalable", "yeah", "cdg", "hybla",
          "highspeed", "veno", "lp", "nv")  # fmt: skip
# Those that tell of themselves, and how many 32-bit words of union tcp_cc_info it takes.
WORDS_OF_CC = dict.fromkeys(("vegas", "westwood", "illinois", "yeah", "nv"), 4)


def test_other_algorithms(link):
    """One after the other: each is what ran, and moved what was seen to arrive.

    What is left at stop gets across before the next one starts, with a time-out or two.
    """
    flows = [
        {"ccalg": algorithm, "start": f"{place * 1700}ms", "duration": "700ms"}
        for place, algorithm in enumerate(OTHERS)
    ]
    seen = link.measure(scenario(*flows), "-i", "100ms")
    complete(seen)
    for algorithm, flow in zip(OTHERS, seen.flows):
        assert flow.result.src.ccalg == algorithm
        check_bytes(seen, flow)
        words = sum(f"cc_word_{i}" in flow.src.columns for i in range(5))
        assert words == WORDS_OF_CC.get(algorithm, 0), algorithm
