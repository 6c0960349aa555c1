"""What tcp-flowgen says, held against what others saw: 50 Mbit/s, 20 ms, a queue of 85 packets.

The witnesses are the counters of the receiver's interface, `ss -tinm`, `nstat` and packet captures.
"""

import bisect

import pytest
from dumbbell import scenario
from harness import COMPLETE
from witnesses import ACK, CE, COUNTERS, ECE

MS = 1_000_000
LINK = "50mbit", ("pfifo", "limit", 85)
WINDOW = (85 + 85) * 1448  # bytes of payload that fit into the link's 20 ms and its queue

# How far cwnd and RTT, as the kernel tells them to `ss`, may lie outside what the samples span from
# 30 ms before to 30 ms afterwards, besides one more step up like those between two samples there.
# Both are read from the same fields of the kernel, so only what happens in between two samples can
# tell them apart: where some are missing, nothing can be said.
NEAR = 30 * MS
GAP = 25 * MS
CWND_SLACK = 2  # segments
RTT_SLACK = 0.05  # of it


@pytest.fixture(scope="module")
def link(bed):
    bed.net.rate(*LINK)
    bed.net.delay(20)
    return bed


def goodput_of_witness(measurement, flow):
    """Payload that reached the interface in the time that goodput is defined for, bit/s."""
    dst = flow.result.dst
    begin, end = map(measurement.on_clock, (dst.first_byte_ns, dst.stop_ns))
    return measurement.interface.payload(begin, end) * 8e9 / (end - begin)


def complete(measurement):
    for flow in measurement.flows:
        assert flow.result.status == COMPLETE, flow.result.error
        for end in (flow.result.src, flow.result.dst):
            assert end.samples_expected == end.samples_taken + end.samples_missed > 0


# After the flow that is measured: the kernel's sums are read when that has come to its end and the
# agents still have their master, whose connections retransmit now and then as well.
TAIL = {"start": "7500ms", "duration": "100ms"}


def measure(link, **flow):
    flows = {"duration": "6s", **flow}, TAIL
    seen = link.measure(scenario(*flows), "-i", "10ms", watch=("interface", "sockets"))
    complete(seen)
    return seen, seen.flows[0], seen.summary[0]


def check_goodput(seen, flow, summary):
    witness = goodput_of_witness(seen, flow)
    assert 1e6 < witness < 50e6  # there was something to measure, and the link was as asked for
    assert summary["goodput_bps"] == pytest.approx(witness, rel=0.01)


def local(flow):
    return f"{flow.result.src.local_address}:{flow.result.src.local_port}"


def check_retransmits(seen, flow, summary):
    """What the namespace's counter grew by, less what other connections in it sent again."""
    me, looks = local(flow), seen.looks
    tail = seen.on_clock(seen.flows[1].result.start_ns)
    begin = next(look for look in looks if look.of(me))
    end = [look for look in looks if look.after < tail][-1]
    assert not end.of(me)
    grown = end.retransmitted - begin.retransmitted + begin.of(me).total_retrans()
    others = end.others_retransmitted(me) - begin.others_retransmitted(me)
    assert summary["retransmits"] == grown - others
    assert summary["retransmits"] == flow.src.columns["total_retrans"][-1]


@pytest.mark.parametrize("algorithm", ["reno", "cubic", "bbr"])
def test_goodput_and_samples(link, algorithm):
    seen, flow, summary = measure(link, ccalg=algorithm)
    assert flow.result.src.ccalg == algorithm
    check_goodput(seen, flow, summary)
    check_retransmits(seen, flow, summary)
    check_sockets(seen, flow)


def test_retransmits_with_loss(link):
    """One packet in a hundred is lost: what the flow sends again, the kernel counts as well."""
    link.net.delay(20, loss_percent=1)
    seen, flow, summary = measure(link)
    link.net.delay(20)
    assert summary["retransmits"] > 20
    check_goodput(seen, flow, summary)
    check_retransmits(seen, flow, summary)
    check_sockets(seen, flow)


def check_sockets(seen, flow):
    """Counters by `ss` itself, which takes its time; what comes and goes by quicker looks."""
    looks = [(look, look.of(local(flow))) for look in seen.looks]
    looks = [(look, socket) for look, socket in looks if socket and socket.state == "ESTAB"]
    assert len(looks) >= 3
    for look, socket in looks:
        for name in COUNTERS:
            column = "ThruBytesAcked" if name == "bytes_acked" else name
            between(seen.series(flow.src, column), look, socket.number(name), name)
        between(seen.series(flow.src, "total_retrans"), look, socket.total_retrans(), "retrans")

    rtts, cwnds = (seen.series(flow.src, name) for name in ("RTT", "snd_cwnd"))
    compared = 0
    for answer in seen.answers(local(flow)):
        rtt = answer.number("rtt") / 1e6
        if near(rtts, answer, rtt, RTT_SLACK * rtt):
            near(cwnds, answer, answer.number("snd_cwnd"), CWND_SLACK)
            compared += 1
    assert compared >= 5


def between(series, look, shown, name):
    """What only grows was no more before, and no less afterwards."""
    before = [value for t, value in series if t <= look.before]
    after = [value for t, value in series if t >= look.after + MS]  # read a little before t
    if before:
        assert before[-1] <= shown, name
    if after:
        assert shown <= after[0], name
    assert before or after


def near(series, look, shown, slack):
    """Whether there was enough to compare it with."""
    begin, end = look.before - NEAR, look.after + NEAR
    around = [(t, value) for t, value in series if begin <= t <= end]
    times = [begin, *(t for t, _ in around), end]
    if max(after - before for before, after in zip(times, times[1:])) > GAP:
        return False
    values = [value for _, value in around]
    step = max(0, *(later - sooner for sooner, later in zip(values, values[1:])))
    assert min(values) - slack <= shown <= max(values) + step + slack
    return True


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


def test_marks(link):
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
    """One after the other, a second each: each is what ran, moved data, and was seen to."""
    flows = [
        {"ccalg": algorithm, "start": f"{place * 1500}ms", "duration": "1s"}
        for place, algorithm in enumerate(OTHERS)
    ]
    seen = link.measure(scenario(*flows), "-i", "100ms")
    complete(seen)
    for algorithm, flow, summary in zip(OTHERS, seen.flows, seen.summary):
        assert flow.result.src.ccalg == algorithm
        # What has arrived behind a hole is not received yet: up to a window.
        witness = goodput_of_witness(seen, flow)
        assert summary["goodput_bps"] == pytest.approx(witness, rel=0.01, abs=WINDOW * 8)
        words = sum(f"cc_word_{i}" in flow.src.columns for i in range(5))
        assert words == WORDS_OF_CC.get(algorithm, 0), algorithm
