"""What tcp-flowgen says, held against what others saw: 50 Mbit/s, 20 ms, a queue of 85 packets.

The witnesses are the counters of the receiver's interface, `ss -tinm`, `nstat` and packet captures.
"""

import pytest
from dumbbell import scenario
from harness import COMPLETE
from witnesses import ACK, CE, COUNTERS, ECE

MS = 1_000_000
INTERVAL = 10 * MS

# How far what `ss` shows may lie outside what the samples within 50 ms of it span.  Both are read from
# the same fields of the kernel, so only what happens within those 50 ms can tell them apart.
NEAR = 50 * MS
CWND_SLACK = 2  # segments
RTT_SLACK = 0.05  # of it


@pytest.fixture(scope="module")
def link(bed):
    bed.net.rate("50mbit", ("pfifo", "limit", 85))
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
    assert 5e6 < witness < 50e6  # there was something to measure, and the link was as asked for
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
    """One packet in a hundred is lost; TCP counts what it sends again, and so does the kernel in all."""
    link.net.delay(20, loss_percent=1)
    seen, flow, summary = measure(link)
    link.net.delay(20)
    assert summary["retransmits"] > 20
    check_goodput(seen, flow, summary)
    check_retransmits(seen, flow, summary)
    check_sockets(seen, flow)


def check_sockets(seen, flow):
    looks = [(look, look.of(local(flow))) for look in seen.looks]
    looks = [(look, socket) for look, socket in looks if socket and socket.state == "ESTAB"]
    assert len(looks) >= 5
    for look, socket in looks:
        for name in COUNTERS:
            column = "ThruBytesAcked" if name == "bytes_acked" else name
            between(seen.series(flow.src, column), look, socket.number(name), name)
        between(seen.series(flow.src, "total_retrans"), look, socket.total_retrans(), "retrans")
        near(seen.series(flow.src, "snd_cwnd"), look, socket.number("cwnd"), CWND_SLACK)
        rtt = socket.rtt_us() / 1e6
        near(seen.series(flow.src, "RTT"), look, rtt, RTT_SLACK * rtt)


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
    values = [value for t, value in series if look.before - NEAR <= t <= look.after + NEAR]
    if values:
        assert min(values) - slack <= shown <= max(values) + slack


def data_packets(packets, flow):
    port = flow.result.src.local_port
    return [packet for packet in packets if packet.source[1] == port and packet.size]


def acknowledged_with_echo(packets, flow):
    """Data packets whose first acknowledgement had the ECN echo, where nothing was lost."""
    port, peer = flow.result.src.local_port, flow.result.dst.local_port
    data = data_packets(packets, flow)
    first = min(data, key=lambda packet: packet.seq).seq
    count, covered, echoed = 0, first, 0
    ends = iter(sorted({packet.seq + packet.size for packet in data}))
    end = next(ends)
    for packet in packets:
        if (packet.source[1], packet.target[1]) != (peer, port) or not packet.flags & ACK:
            continue
        newly = 0
        while end is not None and packet.ack >= end:
            newly, end = newly + 1, next(ends, None)
        count += newly
        covered = max(covered, packet.ack)
        if packet.flags & ECE:
            echoed += newly
    print("count", count, "unique", len({p.seq for p in data}), len(data))
    return echoed


def test_marks(link):
    """A queue that marks: what senders count as marked is what a capture counts."""
    # Every packet that finds more than 60 in the queue is marked, or dropped if it may not be.
    red = "red limit 300000 min 30000 max 90000 avpkt 1500 burst 25 probability 0.1 ecn".split()
    link.net.rate("50mbit", (*red, "bandwidth", "50mbit"))
    flows = {"ccalg": "dctcp"}, {"ccalg": "cubic", "ecn": True}, {"ccalg": "cubic"}
    seen = link.measure(scenario(*flows), "-i", "100ms", watch=("interface", "capture"))
    link.net.rate("50mbit", ("pfifo", "limit", 85))
    complete(seen)
    dctcp, cubic_ecn, cubic = seen.flows
    packets = seen.packets()
    marked = {
        flow.params.id: sum(packet.ecn == CE for packet in data_packets(packets, flow))
        for flow in seen.flows
    }
    delivered_ce = {flow.params.id: flow.src.columns["delivered_ce"][-1] for flow in seen.flows}
    print(marked, delivered_ce, acknowledged_with_echo(packets, cubic_ecn), acknowledged_with_echo(packets, dctcp), seen.queue,  seen.counters["b"]["IpExtInCEPkts"], seen.counters["a"]["TcpExtTCPDeliveredCE"])
    print([(f.params.id, f.result.src.ecn, f.result.dst.ecn, f.result.dst.ecn_seen, f.src.columns["total_retrans"][-1]) for f in seen.flows])
    assert 0
