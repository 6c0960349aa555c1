"""Where bytes and time went: every byte of every flow is accounted for, whatever its end, and what
limited a flow is named."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from harness import (
    COMPLETE,
    END_COMPLETE,
    END_CUT,
    END_STOPPED,
    FAILED,
    INSTRUMENTED,
    LATER_SYNS,
    cable,
    messages,
    moment,
    read_results,
    run,
    unwrapped,
    waiting,
)

HOSTS = {
    "A": {"mgmt": "10.8.0.1:8841", "host": "10.9.0.1"},
    "B": {"mgmt": "10.8.0.2:8841", "host": "10.9.0.2"},
}
DURATION = "500ms" if INSTRUMENTED else "2s"  # which are for the verdicts


def scenario(*flows, **more):
    common = {"src": "A", "dst": "B", "duration": DURATION, "ccalg": "cubic"}
    numbered = [{"id": i, **common, **flow} for i, flow in enumerate(flows)]
    return {"hosts": HOSTS, "flows": numbered, **more}


def agents(lab, near, far, before=((), ())):
    return [
        lab.agent(where, host["mgmt"], "--insecure", "--interval", "20ms", before=words)
        for where, host, words in zip((near, far), HOSTS.values(), before)
    ]


# ---- bytes ----


def check_ledger(flow):
    """Every byte of the flow, from the report's raw counters and the ledger made of them."""
    states = messages().Ledger
    ledger, src, dst = flow.result.ledger, flow.result.src, flow.result.dst
    assert ledger.state == states.RECONCILES, (flow.params.id, ledger.why)
    assert ledger.written == ledger.never_sent + ledger.sent_first
    assert ledger.sent_first == ledger.acked + ledger.unacked
    assert ledger.received == ledger.read + ledger.unread
    assert ledger.acked <= ledger.received <= ledger.sent_first
    assert ledger.written == src.payload_bytes
    assert ledger.read == dst.payload_bytes
    if not flow.TxTCPInfo:
        return ledger
    # The last samples are those from which the ledger was made.
    extra = ledger.syn_acked + ledger.token_acked + ledger.fin_acked
    assert flow.TxTCPInfo[-1].ThruBytesAcked == ledger.acked + extra
    extra = ledger.token_received + ledger.fin_received
    received = ledger.received - ledger.received_late
    assert flow.RxTCPInfo[-1].ThruBytesReceived == received + extra
    return ledger


def check_complete(flow):
    ledger = check_ledger(flow)
    assert flow.result.status == COMPLETE, flow.result.error
    assert ledger.written == ledger.acked == ledger.read > 0
    assert ledger.never_sent == ledger.unacked == ledger.unread == 0
    assert (ledger.syn_acked, ledger.token_acked, ledger.fin_acked) == (1, 16, 1)
    assert (ledger.token_received, ledger.fin_received) == (16, 1)
    return ledger


def test_every_byte_of_flows_that_come_to_their_end(pair):
    kinds = [{}, {"connect": "at_start"}, {"end": "abort"}, {"nodelay": True}]
    kinds += [{"send_rate": "3Mbit/s"}, {"read_rate": "5Mbit/s", "end": "abort"}]
    starts = [{"duration": "500ms", "start": f"{ms}ms"} for ms in (0, 0, 0, 100, 200, 200)]
    flows = [{**kind, **start} for kind in kinds for start in starts]
    for flow in pair.run(*flows).must(0).flows:
        ledger = check_ledger(flow)
        if flow.result.end == "drain":
            check_complete(flow)
        else:
            assert ledger.fin_acked == ledger.fin_received == 0
            assert ledger.read == ledger.received and ledger.read > 0


def test_every_byte_under_loss(lab):
    near, far = lab.delay_line(5, rate=20_000_000, queue=50, loss=40)
    agents(lab, near, far)
    flows = lab.run(near, scenario({}, {"ccalg": "reno"}, {"connect": "at_start"})).must(0).flows
    retransmitted = [check_complete(flow).retransmitted for flow in flows]
    assert sum(retransmitted) > 0, retransmitted


def test_every_byte_of_flows_that_are_cut(lab):
    """The line holds more than it lets through until the drain limit; and loses resets, on which a
    flow that aborts does not depend."""
    near, far = lab.delay_line(1, rate=100_000, queue=100)
    agents(lab, near, far)
    rules = "table inet t { chain c { type filter hook output priority 0; RULE }; }"
    rule = "oifname line tcp flags & rst == rst drop;"
    run(*near.enter(), "nft", rules.replace("RULE", rule))
    abort = {"duration": "200ms", "end": "abort"}
    outcome = lab.run(near, scenario({"send_buffer": 200000, "duration": "2s"}, abort))
    flow, aborted = outcome.flows
    assert aborted.result.status == COMPLETE, aborted.result.error
    assert aborted.result.dst.status == END_COMPLETE
    check_ledger(aborted)
    assert END_CUT in (flow.result.src.status, flow.result.dst.status)
    ledger = check_ledger(flow)
    assert ledger.never_sent > 0 or ledger.unacked > 0


def under_way(lab, where, flows):
    """A run whose flows are about to begin, and where its results will be."""
    output = lab.output()
    master = lab.spawn(where, "run", lab.write(flows), "-o", output)
    for _ in waiting("the flows to be ready", master):
        if "flows are ready" in master.text():
            break
    return master, output


def interrupted(lab, where, flows, number=signal.SIGINT, whom=None):
    """The flows of a run that was told to stop in the middle of it."""
    master, output = under_way(lab, where, flows)
    with contextlib.suppress(subprocess.TimeoutExpired):
        master.wait(1.2)
    (whom or master).signal(number)
    master.wait()
    return read_results(output)


def test_every_byte_of_flows_that_are_stopped(pair):
    flows = [{"duration": "60s", "connect": c} for c in ("ahead", "at_start") for _ in range(4)]
    flows += [{"start": "30s"}]
    for flow in interrupted(pair.lab, pair.where, pair.scenario(*flows)):
        assert flow.result.src.status == END_STOPPED
        assert flow.params.start == 30000 or check_ledger(flow).read > 0


def test_every_byte_of_flows_whose_peer_dies(pair):
    """Its report is missing: what the other end knows is told, and no more."""
    flows = pair.scenario({"duration": "30s"})
    (flow,) = interrupted(pair.lab, pair.where, flows, signal.SIGKILL, pair.agents[1])
    ledger = flow.result.ledger
    assert ledger.state == messages().Ledger.UNKNOWN
    assert ledger.why == "the receiving end's report is missing"
    assert ledger.written == ledger.never_sent + ledger.sent_first > 0
    assert ledger.sent_first == ledger.acked + ledger.unacked


def test_nothing_of_flows_that_never_connect(pair):
    rules = "table inet t { chain c { type filter hook input priority 0; RULE }; }"
    rule = f"ip daddr 127.0.0.2 tcp dport != 8841-8842 {LATER_SYNS} drop;"
    run(*pair.where.enter(), "nft", rules.replace("RULE", rule))
    (flow,) = pair.run({"connect": "at_start", "duration": "200ms"}).flows
    assert flow.result.status == FAILED
    assert check_ledger(flow).written == 0


def test_summary_tells_the_accounts(pair):
    outcome = pair.run({"duration": "500ms"}).must(0)
    assert "limited by" in outcome.stdout and "reconcile" not in outcome.stdout
    done = pair.lab.command(None, "summary", "--json", outcome.output).must(0)
    (flow,) = json.loads(done.stdout)["flows"]
    assert flow["ledger"]["state"] == "reconciles"
    assert flow["ledger"]["read"] == flow["payload_bytes"]
    (raw,) = outcome.flows
    src = raw.result.src
    assert flow["setup_ns"] == moment(src, "connected") - moment(src, "connect")
    assert flow["transfer_ns"] == moment(src, "stop") - moment(src, "first_byte")
    assert flow["drain_ns"] == moment(src, "last_byte") - moment(src, "stop")
    assert flow["drain_ns"] == raw.result.drain_ns
    assert abs(sum(flow["limit_shares"].values()) - 1) < 1e-9
    for name, end in (("src", raw.result.src), ("dst", raw.result.dst)):
        sampling = flow["sampling"][name]
        assert sum(sampling["lateness"]) == sampling["taken"] == end.samples_taken
        assert sampling["expected"] == sampling["taken"] + sampling["missed"]


def test_goodput_of_intervals(pair):
    sys.modules.setdefault("messages_pb2", messages())
    import tcp_flowgen_results

    outcome = pair.run({"send_rate": "50Mbit/s"}).must(0)
    (flow,) = tcp_flowgen_results.read(outcome.output)
    intervals = flow.dst.goodput()
    bits = sum((t_to - t_from) * rate for t_from, t_to, rate in intervals)
    first = flow.dst.columns["ThruBytesReceived"][0] - 16
    assert round(bits) == 8 * (flow.result.dst.payload_bytes - max(first, 0))


# ---- time ----


def limit_of(flow):
    verdict = flow.result.verdict
    return messages().Verdict.Limit.Name(verdict.limit), verdict.reason


LINE = [
    ("NETWORK", {}),
    ("NETWORK", {"ccalg": "bbr"}),
    ("NETWORK", {"send_rate": "200Mbit/s"}),
    ("RECEIVER", {"read_rate": "4Mbit/s"}),
    ("RECEIVER", {"receive_buffer": 8192}),
    ("SEND_BUFFER", {"send_buffer": 8192}),
    ("SEND_BUFFER", {"send_buffer": 32768, "ccalg": "bbr"}),
    ("TRAFFIC", {"send_rate": "4Mbit/s"}),
    ("TRAFFIC", {"pacing_rate": "4Mbit/s"}),
]


def name_of(flow):
    return "-".join(f"{key}-{value}" for key, value in flow.items()).replace("/", "") or "plain"


BUSY = 0.1  # of its time a worker waited for a core


def check_limit(lab, where, figure, flow, limit):
    """Others use this machine, too: a line that stalls, and workers that wait for a core, are no
    fault of the verdict, so that it has several tries.  An instrumented program is its own limit."""
    for tries in range(1, 6):
        (got,) = lab.run(where, scenario(flow)).must(0).flows
        check_ledger(got)
        found, reason = limit_of(got)
        if found == limit or INSTRUMENTED:
            figure(f"verdict, {name_of(flow)}", found, limit, f"in run {tries}")
            return
    verdict, src = got.result.verdict, got.result.src
    if max(verdict.src_wait, verdict.dst_wait) >= BUSY:
        pytest.skip(f"this machine is too busy: {reason}")
    pytest.fail(f"{found}: {reason}\n{src.begin}\n{src.stop}")


@pytest.mark.parametrize("limit, flow", LINE, ids=[name_of(flow) for _, flow in LINE])
def test_what_limits_a_flow(lab, figure, limit, flow):
    """A line of 30 Mbit/s, 20 ms there and back, and a queue of 60 ms."""
    near, far = lab.delay_line(10, rate=30_000_000, queue=150)
    agents(lab, near, far)
    check_limit(lab, near, figure, flow, limit)


@pytest.mark.parametrize("flow", [{"send_buffer": 32768}, {"receive_buffer": 65536}], ids=name_of)
def test_a_small_buffer_that_fills_the_link_does_not_limit_it(lab, figure, flow):
    near, far = lab.delay_line(10, rate=1_000_000, queue=150)
    agents(lab, near, far)
    check_limit(lab, near, figure, flow, "NETWORK")


@pytest.mark.parametrize("algorithm", ["reno", "cubic"])
def test_acknowledgements_that_wait_in_a_queue(lab, figure, algorithm):
    """Those of the measured flow queue behind another flow on the way back, and come in lumps: the
    source is woken when its buffer is nearly empty, and is not to blame for that."""
    near, far = lab.namespace("near"), lab.namespace("far")
    cable(near, "cable", "10.9.0.1/24", far, "cable", "10.9.0.2/24")
    cable(near, "control", "10.8.0.1/24", far, "control", "10.8.0.2/24")
    slow = ["tbf", "rate", "50mbit", "burst", "15k", "limit", "150k"]
    run(*far.enter(), "tc", "qdisc", "add", "dev", "cable", "root", *slow)
    agents(lab, near, far)
    back = {"src": "B", "dst": "A", "duration": "4s"}
    flow = {"start": "500ms", "duration": "3s", "ccalg": algorithm}
    _, measured = lab.run(near, scenario(back, flow)).must(0).flows
    found, reason = limit_of(measured)
    figure(f"verdict, {algorithm}, ACKs queue", found, "NETWORK")
    verdict = measured.result.verdict
    if found != "NETWORK" and max(verdict.src_wait, verdict.dst_wait) >= BUSY:
        pytest.skip(f"this machine is too busy: {reason}")
    assert found == "NETWORK" or INSTRUMENTED, reason


@contextlib.contextmanager
def hogs(count, seconds):
    """Programs that want all of core 0."""
    loop = [sys.executable, "-c", "while True: pass"]
    core = str(min(os.sched_getaffinity(0)))
    words = ["timeout", str(seconds), "taskset", "-c", core, *loop]
    started = [subprocess.Popen(words) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


@pytest.mark.skipif(INSTRUMENTED, reason="it is about CPU alone")
@pytest.mark.parametrize("starved", ["src", "dst"])
def test_a_worker_without_cpu(lab, figure, starved):
    near, far = lab.namespace("near"), lab.namespace("far")
    cable(near, "cable", "10.9.0.1/24", far, "cable", "10.9.0.2/24", rate="500mbit")
    cable(near, "control", "10.8.0.1/24", far, "control", "10.8.0.2/24")
    pinned = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    both = agents(lab, near, far, before=(pinned, ()) if starved == "src" else ((), pinned))
    master, output = under_way(lab, near, scenario({"start": "1s", "duration": "3s"}))
    with contextlib.suppress(subprocess.TimeoutExpired):
        master.wait(1)  # the agent has taken the order to start, and the flow comes later
    agent = both[0 if starved == "src" else 1]
    run("chrt", "--all-tasks", "--idle", "--pid", "0", agent.pid)
    with hogs(4, 6):
        assert master.wait() == 0, master.text()
    (flow,) = read_results(output)
    limit, reason = limit_of(flow)
    figure(f"verdict, {starved} without CPU", limit, "HOST", "in run 1")
    assert limit == "HOST" and f"the {starved} end" in reason, reason
    assert any("limited by a host's CPU" in warning for warning in flow.run.warnings)
    assert "limited by a host's CPU" in unwrapped(master.text())
    check_ledger(flow)


@pytest.mark.skipif(INSTRUMENTED, reason="it is about CPU alone")
def test_a_busy_worker_of_flows_that_lack_nothing(lab, figure):
    """A hundred flows over a full link have data to send all the time, but for some that began late,
    however long their worker waits for a core."""
    near, far = lab.namespace("near"), lab.namespace("far")
    cable(near, "cable", "10.9.0.1/24", far, "cable", "10.9.0.2/24", rate="40mbit")
    cable(near, "control", "10.8.0.1/24", far, "control", "10.8.0.2/24")
    pinned = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    source, _ = agents(lab, near, far, before=(pinned, ()))
    flows = [{"start": "500ms", "duration": "1500ms"}] * 100
    master, output = under_way(lab, near, scenario(*flows))
    run("renice", "-n", "19", "-p", *os.listdir(f"/proc/{source.pid}/task"))
    with hogs(4, 6):
        master.wait()
    verdicts = [flow.result.verdict for flow in read_results(output)]
    busy = [verdict for verdict in verdicts if verdict.src_cpu + verdict.src_wait >= 0.9]
    blamed = [verdict for verdict in busy if verdict.limit == messages().Verdict.HOST]
    lacking = [verdict for verdict in busy if verdict.network < 0.96]
    figure("flows that are the host's; that lacked data", len(blamed), len(lacking),
           f"of {len(busy)} of a busy worker")  # fmt: skip
    assert all(verdict.network < 0.96 for verdict in blamed), blamed


def looks_at(where, peer, until):
    """`ss` again and again: whether connections to the peer had more to send than a segment."""
    looks = []
    while time.monotonic() < until:
        text = run(*where.enter(), "ss", "-tinH", "state", "established", "dst", peer)
        sent, unsent = (re.search(rf"{name}:(\d+)", text) for name in ("bytes_sent", "notsent"))
        if sent and int(sent[1]) > 1448:  # it has begun
            looks.append(bool(unsent) and int(unsent[1]) >= 1448)
        time.sleep(0.02)
    return looks


def test_rest_is_what_no_unsent_data_covers(lab, figure):
    """The application offers a little more than the link takes."""
    near, far = lab.bottleneck("10mbit", 60000)
    agents(lab, near, far)
    master, output = under_way(lab, near, scenario({"send_rate": "12Mbit/s", "duration": "1500ms"}))
    looks = looks_at(near, "10.9.0.2", time.monotonic() + 1.7)
    assert master.wait() == 0, master.text()
    (flow,) = read_results(output)
    verdict, unsent = flow.result.verdict, sum(looks) / len(looks)
    figure("rest of a source that has data; ss: nothing unsent", f"{verdict.traffic:.2f}",
           f"{1 - unsent:.2f}", f"{len(looks)} looks, network {verdict.network:.2f}")  # fmt: skip
    check_ledger(flow)
    assert verdict.traffic <= 1 - unsent + 0.2, verdict
    if unsent < 0.4 and (INSTRUMENTED or verdict.src_wait >= BUSY):
        pytest.skip("this machine is too busy to fill the link")
    assert unsent >= 0.4, looks


def test_a_program_that_stops(lab, figure):
    """One that receives, on a full link, and sends, on a link that is not: what they left undone
    meanwhile is neither the network's nor the traffic model's."""
    near, far = lab.bottleneck("20mbit", 800000)
    _, stopped = agents(lab, near, far)
    back = {"src": "B", "dst": "A", "send_rate": "4Mbit/s", "duration": "2500ms"}
    flows = scenario({"receive_buffer": 200000, "duration": "2500ms"}, back)
    master, output = under_way(lab, near, flows)
    with contextlib.suppress(subprocess.TimeoutExpired):
        master.wait(1.3)  # it starts some 300 ms after it is ready
    begin = time.monotonic()
    stopped.signal(signal.SIGSTOP)
    time.sleep(1)
    stopped.signal(signal.SIGCONT)
    away = time.monotonic() - begin
    assert master.wait() == 0, master.text()
    receives, sends = read_results(output)
    share = away / 2.5
    verdict = sends.result.verdict
    figure("source stopped: host's share; by the clock", f"{verdict.host:.2f}", f"{share:.2f}",
           f"traffic {verdict.traffic:.2f}")  # fmt: skip
    assert verdict.host >= share - 0.1, verdict
    assert verdict.traffic <= 1 - share + 0.1, verdict
    verdict = receives.result.verdict
    full = 0.15 / 2.5  # until its buffer was full
    figure("receiver stopped: receiver's share; by the clock", f"{verdict.receiver:.2f}",
           f"{share - full:.2f}", f"network {verdict.network:.2f}")  # fmt: skip
    assert verdict.receiver + verdict.host >= share - full - 0.15, verdict
    assert verdict.network <= 1 - share + full + 0.15, verdict
    for flow in (receives, sends):
        check_ledger(flow)


# ---- what does not get through ----


def test_a_black_hole_for_large_packets(lab):
    """Its kernel does not probe: one flow stands for ever, the other has small segments."""
    near, far = lab.bottleneck("50mbit", "100k")
    agents(lab, near, far)
    near.sysctl("net.ipv4.tcp_mtu_probing", 0)
    rule = "iifname line meta length > 1000 drop;"
    run(*far.enter(), "nft", f"table inet t {{ chain c {{ type filter hook prerouting priority 0; {rule} }}; }}")
    common = {"end": "abort", "duration": "2s"}
    outcome = lab.run(near, scenario(common, {"mss": 600, **common})).must(1)
    assert [flow.result.status for flow in outcome.flows] == [FAILED, COMPLETE]
    summary = json.loads(lab.command(None, "summary", "--json", outcome.output).must(0).stdout)
    stuck, small = summary["flows"]
    assert stuck["mtu_black_hole"] == {"certain": False, "packet_bytes": 1500, "passed_bytes": None}
    assert small["mtu_black_hole"] is None
    assert 1.7e9 < stuck["longest_standstill"]["standstill_ns"] <= 2.2e9
    warnings = "\n".join(summary["warnings"])
    assert "1 of 2 flows: the handshake got through from A to B, but not one packet of 1500" in warnings
    assert "stood still with data waiting: flow 0 longest, for" in warnings
