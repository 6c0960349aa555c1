"""What shapes an end: rates of applications and kernel, buffers, the segment size.

Asserted are bytes: those that the schedule has made due, against those that moved.
"""

import json
import signal
import time

import pytest
from harness import COMPLETE, INSTRUMENTED, Pair, cable, column, ends, waiting


class Cabled(Pair):
    """Two agents in namespaces of their own, a veth pair between them."""

    def __init__(self, lab):
        self.lab = lab
        self.where, other = lab.namespace("a"), lab.namespace("b")
        cable(self.where, "x0", "10.9.0.1/24", other, "x1", "10.9.0.2/24")
        self.hosts = {
            "A": {"mgmt": "10.9.0.1:8841", "host": "10.9.0.1"},
            "B": {"mgmt": "10.9.0.2:8842", "host": "10.9.0.2"},
        }
        places = zip((self.where, other), self.hosts.values())
        self.agents = [lab.agent(where, host["mgmt"], "--insecure") for where, host in places]


@pytest.fixture
def cabled(lab):
    return Cabled(lab)


def only(outcome):
    """The run's one flow, complete."""
    (flow,) = outcome.must(0).flows
    assert flow.result.status == COMPLETE, flow.result.error
    assert flow.result.src.payload_bytes == flow.result.dst.payload_bytes
    return flow


def last(columns, name):
    return column(columns, name)[-1]


@pytest.mark.parametrize(
    "rate, bits, quantum",
    [
        ("10Mbit/s", 10_000_000, 1448),  # a segment
        ("100 kbit/s", 100_000, 1250),  # 100 ms
        ("0.2Gbit/s", 200_000_000, 18 * 1448),  # 1 ms, in whole segments
    ],
)
def test_send_rate(cabled, rate, bits, quantum):
    flow = only(cabled.run({"duration": "2s", "send_rate": rate}))
    src, dst = flow.result.src, flow.result.dst
    assert flow.result.send_rate == bits
    due = bits * 2 // 8
    # A worker that is held up by more than 100 ms skips, and says so.
    assert due - quantum <= src.paced_bytes + src.skipped_bytes <= due
    assert src.payload_bytes == src.paced_bytes
    # What was under way at the stop: the last quantum, and what a late worker made up for.
    for report in (src, dst):
        assert report.payload_bytes_stop <= src.paced_bytes
    if src.skipped_bytes == 0:
        assert src.paced_bytes - dst.payload_bytes_stop <= max(quantum, bits // 8 // 10)
    assert (dst.paced_bytes, dst.skipped_bytes) == (0, 0)


def test_read_rate_makes_the_window_the_limit(cabled):
    flow = only(cabled.run({"duration": "2s", "read_rate": "10Mbit/s", "receive_buffer": 100_000}))
    dst = flow.result.dst
    # What was due at the stop, and had not come yet, is neither; of a peer in time that is nothing.
    late = 2_500_000 - dst.paced_bytes - dst.skipped_bytes
    assert 0 <= late <= (125_000 + 2 * 1448 if INSTRUMENTED else 0)
    # Beyond what was read, what fits into the buffer was received when the counted time ended.
    assert 0 <= dst.payload_bytes_stop - dst.paced_bytes <= dst.receive_buffer
    on_ticks = [i for i, tick in enumerate(column(flow.src_columns, "tick")) if tick >= 0]
    at_last = on_ticks[-1]
    limited = column(flow.src_columns, "rwnd_limited")[at_last]
    assert limited > 0.8 * column(flow.src_columns, "busy_time")[at_last] > 0


@pytest.mark.skipif(INSTRUMENTED, reason="this is about times")
def test_what_was_there_and_was_not_read(cabled, lab):
    """B stands still for 600 ms: it reads less of flow 0, and what it would send of flow 1 is not
    there to be read."""
    output = lab.output()
    rates = {"read_rate": "16Mbit/s", "duration": "2s"}
    small = {"send_buffer": 20_000, "receive_buffer": 20_000}  # nothing else is on its way then
    flows = cabled.scenario(rates, {"src": "B", "dst": "A", **small, **rates})
    idle = cabled.agents[0].interface_bytes("x0")
    master = lab.spawn(cabled.where, "run", lab.write(flows), "-o", output)
    for _ in waiting("payload", master):
        if cabled.agents[0].interface_bytes("x0") > idle + 1_000_000:
            break
    cabled.agents[1].signal(signal.SIGSTOP)
    time.sleep(0.6)
    cabled.agents[1].signal(signal.SIGCONT)
    assert master.wait() == 0, master.text()
    summary = json.loads(lab.command(None, "summary", "--json", output).must(0).stdout)
    held, starved = (flow["pace"]["dst"] for flow in summary["flows"])
    missing = 16_000_000 / 8 * (0.6 - 0.1)  # 100 ms of it are caught up with
    assert held["skipped_bytes"] >= held["neglected_bytes"] >= 0.9 * missing
    assert held["paced_bytes"] + held["skipped_bytes"] <= 4_000_000
    assert starved["skipped_bytes"] >= 0.9 * missing > 2 * starved["neglected_bytes"]
    said = [text for text in summary["warnings"] if "less was read than read_rate asks" in text]
    assert len(said) == 1 and "flow 0, which" in said[0]


def test_pacing_rate_counts_payload(cabled):
    """With so small segments half of what is sent is headers, which would halve the rate."""
    flow = only(cabled.run({"duration": "2s", "pacing_rate": "4Mbit/s", "mss": 88}))
    assert flow.result.src.mss == 88 - 12
    assert 3e6 < flow.result.dst.payload_bytes_stop * 8 / 2 < 4.2e6


def test_buffers_mss_and_pacing_are_read_back(cabled, lab):
    asked = {
        "send_buffer": 200_000,
        "receive_buffer": 150_000,
        "mss": 1000,
        "pacing_rate": "80Mbit/s",
    }
    outcome = cabled.run({"duration": "500ms", **asked}, {"duration": "500ms"})
    shaped, plain = outcome.must(0).flows
    for (report, _, columns), (send, receive) in zip(ends(shaped), ((1, 0), (0, 1))):
        assert (report.send_buffer == 400_000) == bool(send)
        assert (report.receive_buffer == 300_000) == bool(receive)
        assert report.pacing_rate == 80_000_000 * send
        limits = set(column(columns, "max_pacing_rate"))
        assert limits == ({10_000_000} if send else {-1})  # -1: none
        assert last(columns, "advmss") == report.mss == 988  # less the timestamps
    assert plain.result.src.pacing_rate == 0
    assert plain.result.src.mss == 1448

    printed = lab.command(None, "summary", "--json", outcome.output).must(0).stdout
    first, second = json.loads(printed)["flows"]
    names = ("send_buffer_bytes", "receive_buffer_bytes", "mss_bytes", "pacing_rate_bps")
    assert [first["asked"][name] for name in names] == [200_000, 150_000, 1000, 80_000_000]
    assert [first["effective"][name] for name in names] == [400_000, 300_000, 988, 80_000_000]
    assert [second["asked"][name] for name in names] == [None] * 4
    assert first["pace"] == {"src": None, "dst": None}


def test_pacing_rate_holds_the_bytes(cabled):
    """A second of 80 Mbit/s, headers and all; the kernel lets the first ten segments go at once."""
    flow = only(cabled.run({"duration": "1s", "pacing_rate": "80Mbit/s"}))
    assert flow.result.dst.payload_bytes_stop < 1.05 * 10_000_000


@pytest.mark.parametrize(
    "key, sysctl", [("send_buffer", "wmem_max"), ("receive_buffer", "rmem_max")]
)
def test_buffers_that_the_kernel_would_cut(lab, key, sysctl):
    """By an agent without CAP_NET_ADMIN."""
    where = lab.namespace("plain")
    under = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
    lab.agent(where, "127.0.0.1:8841", before=under)
    host = {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"}
    flow = {"id": 0, "src": "A", "dst": "A", "duration": "100ms"}
    refused = lab.run(where, {"hosts": {"A": host}, "flows": [{**flow, key: 1 << 30}]}).must(2)
    assert "1073741823" in refused.stderr  # more than the kernel can double
    refused = lab.run(where, {"hosts": {"A": host}, "flows": [{**flow, key: 1_000_000_000}]})
    assert f"net.core.{sysctl}=1000000000" in refused.must(3).stderr
    assert "CAP_NET_ADMIN" in refused.stderr
    (done,) = lab.run(where, {"hosts": {"A": host}, "flows": [{**flow, key: 50_000}]}).flows
    report = done.result.src if key == "send_buffer" else done.result.dst
    assert getattr(report, key) == 100_000


def test_a_thousand_slow_flows(pair):
    """25 000 bytes each, to the byte; rates of defaults, and of a flow that goes before them."""
    rate = {"flow": {"send_rate": "100kbit/s"}}
    flows = [{"duration": "2s"}] * 999 + [{"duration": "2s", "send_rate": "0.2Mbit/s"}]
    outcome = pair.run(*flows, defaults=rate, max_rate="100.1Mbit/s", flags=("-i", "500ms"))
    flows = outcome.must(0).flows
    assert len(flows) == 1000
    for flow in flows:
        src, dst = flow.result.src, flow.result.dst
        assert flow.result.status == COMPLETE, flow.result.error
        due = 50_000 if flow.params.id == 999 else 25_000
        assert src.paced_bytes + src.skipped_bytes == due
        assert src.payload_bytes == dst.payload_bytes == src.paced_bytes


def test_rates_that_a_file_may_not_have(lab):
    host = {"mgmt": "127.0.0.1:1", "host": "127.0.0.1"}
    common = {"src": "A", "dst": "A", "duration": "1s", "send_rate": "1Gbit/s"}
    scenario = {
        "hosts": {"A": host},
        "defaults": {"flow": common},
        "flows": [{"id": 0}, {"id": 1, "start": "500ms"}, {"id": 2, "start": "1.5s"}],
        "max_rate": "1.9Gbit/s",
    }
    stderr = lab.command(None, "plan", lab.write(scenario)).must(2).stderr
    assert "flows[1].start: from 500ms on flows may send 2Gbit/s together" in stderr
    assert '"max_rate": "2Gbit/s"' in stderr
    scenario["max_rate"] = "2Gbit/s"
    lab.command(None, "plan", lab.write(scenario)).must(0)
    scenario["flows"][2]["send_rate"] = "0"
    stderr = lab.command(None, "plan", lab.write(scenario)).must(2).stderr
    assert "flows[2] has neither send_rate nor pacing_rate" in stderr
