"""Nobody gets traffic who has not proved that he is an agent of the run; and who proves it shows it
nowhere else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pcapng
import pytest
from harness import COMPLETE, PATIENCE, Pair, cable, run, waiting
from test_capture import CAPTURED, Machines, check_segments, files
from test_scale import Crowded

HERE = Path(__file__).parent
QUESTION = b"\xf5tfgask\x01"
SYN, ACK = pcapng.SYN, pcapng.ACK


@pytest.fixture(scope="module", autouse=True)
def stock_grpc():
    # Elsewhere than here: the tests start processes, which gRPC's threads do not like.
    probe = [sys.executable, "-c", "import grpc, grpc_tools.protoc"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("python3-grpcio and python3-grpc-tools are not installed")


def ask(where, *calls):
    """What consent_stranger.py is answered."""
    done = subprocess.run(
        [*where.enter(), sys.executable, HERE / "consent_stranger.py"],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Three:
    """An agent, who calls it, and a bystander: 10.81.0.1 to .2, 10.82.0.1 to .2."""

    def __init__(self, lab):
        self.lab = lab
        self.agent_at, self.caller_at, self.third = (lab.namespace(name) for name in "acb")
        cable(self.agent_at, "t0", "10.82.0.1/24", self.third, "t1", "10.82.0.2/24")
        cable(self.agent_at, "m0", "10.81.0.1/24", self.caller_at, "m1", "10.81.0.2/24")
        self.agent = lab.agent(self.agent_at, ":8840", "--insecure")

    def bystander(self, *words):
        words = [HERE / "bystander.py", *words]
        return self.lab.spawn(self.third, *words, program=sys.executable, name=words[1])

    def sink(self, *ports):
        sink = self.bystander("sink", "10.82.0.2", *ports)
        for port in ports:
            for _ in waiting("the sink", sink):
                if sink.listens(port):
                    break
        return sink

    def syns(self):
        witness = self.bystander("syns", "t1")
        for _ in waiting("the witness", witness):
            if witness.text():
                return witness

    def prepare(self, **ends):
        ends = {"source": True, "localAddress": "10.82.0.1", "peerAddress": "10.82.0.2", **ends}
        return ask(self.caller_at, ["10.81.0.1:8840", "Prepare", {"ends": ends}])


def lines(process):
    return [json.loads(line) for line in process.text().splitlines()]


def texts(answers):
    """All that the ends' answers say, and how often."""
    found = {}
    for code, ends in answers:
        assert code == "OK", ends
        for text, count in ends.items():
            found[text] = found.get(text, 0) + count
    return found


def check_heard(got):
    """One question, of which no byte is of the caller's choice."""
    got = bytes.fromhex(got)
    assert len(got) <= 32 and b"FLUSHALL" not in got
    assert got[:8] == QUESTION


def test_a_third_host_gets_nothing_of_the_callers(lab):
    three = Three(lab)
    sink = three.sink(6379)
    (text,) = texts(three.prepare(count=300, peerPort=6379))
    assert text.startswith("10.82.0.2 port 6379: no agent of this run listens there (correct the")
    (closed,) = texts(three.prepare(count=1, peerPort=6380))
    assert closed == text.replace("6379", "6380")  # the agent is no port scanner for who calls it
    log = three.agent.text()
    assert "port 6379: what took the connection closed it" in log
    assert "port 6380: Connection refused" in log
    for _ in waiting("what the sink heard", sink):
        if sink.text():
            break
    ((port, got),) = lines(sink)
    assert port == 6379
    check_heard(got)
    run_there = run(*three.agent_at.enter(), "ss", "-tan", "dst", "10.82.0.2")
    assert "10.82.0.2" not in run_there.partition("\n")[2]


def test_syns_are_few(lab):
    """To a port 1 or 2; to many ports no more than a caller may have go amiss in a minute, and the
    next honest run works."""
    three = Three(lab)
    witness = three.syns()
    answers = texts(three.prepare(count=18_000, peerPort=1000, ports=True))
    spent = sum(n for text, n in answers.items() if "too many other places did not answer" in text)
    refused = sum(n for text, n in answers.items() if "no agent of this run listens there" in text)
    assert spent + refused == 18_000
    syns = lines(witness)[1:]
    assert 1 <= len(syns) <= 256 + 64
    assert len(syns) >= refused
    ports = [port for _, port in syns]
    assert len(set(ports)) == len(ports)

    hosts = {"A": {"mgmt": "127.0.0.1:8840", "host": "127.0.0.1"}}
    flow = {"id": 0, "src": "A", "dst": "A", "duration": "50ms"}
    (flow,) = lab.run(three.agent_at, {"hosts": hosts, "flows": [flow]}).must(0).flows
    assert flow.result.status == COMPLETE


def test_a_silent_host_is_asked_seldom(lab):
    """Three times two SYNs at most, whatever the number of ends."""
    three = Three(lab)
    three.third.ip("route", "del", "10.82.0.0/24")  # so that it answers nothing
    witness = three.syns()
    (text,) = texts(three.prepare(count=6000, peerPort=5001))
    assert text.startswith("10.82.0.2 port 5001: nobody answered there as an agent of this run (let the data ports pass")
    assert 1 <= lines(witness)[1:].count(["10.82.0.2", 5001]) <= 6


def test_a_lossy_path(lab):
    """The first two SYNs are lost: the kernel's of one try."""
    three = Three(lab)
    lab.agent(three.third, ":8840", "--insecure")
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed")
    chain = "add chain inet loss input { type filter hook input priority 0; }"
    syns = "ip saddr 10.82.0.1 tcp dport != 8840 tcp flags & (syn | ack) == syn"
    rule = f"add rule inet loss input {syns} limit rate 1/hour burst 2 packets drop"
    run(*three.third.enter(), "nft", f"add table inet loss; {chain}; {rule}")
    hosts = {
        "A": {"mgmt": "10.82.0.1:8840", "host": "10.82.0.1"},
        "B": {"mgmt": "10.82.0.2:8840", "host": "10.82.0.2"},
    }
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "200ms", "ccalg": "cubic"}
    lab.run(three.agent_at, {"hosts": hosts, "flows": [flow]}).must(0)


def test_the_key_of_another_run(pair):
    """An agent listens there, but not of this run."""
    here, there = (host["mgmt"] for host in pair.hosts.values())
    accepts = {"count": 1, "end": 1, "sink": True, "localAddress": "127.0.0.2"}
    opens = {"count": 1, "source": True, "localAddress": "127.0.0.1", "peerAddress": "127.0.0.2"}
    accepts["peerAddress"] = "127.0.0.1"
    other = {"run": "0123abcd" * 4, "flowKey": "A" * 43 + "="}
    same = {"run": "feedbeef" * 4, "flowKey": "B" * 42 + "A="}
    replies = ask(
        pair.where,
        [there, "Prepare", {**other, "ends": accepts}],
        [here, "Prepare", {**same, "ends": {**opens, "port_of": 0}}],
        [here, "Prepare", {**other, "ends": {**opens, "connect": 1, "port_of": 0}}],
    )
    assert replies[0] == replies[2] == ["OK", {"": 1}]
    ((code, _),) = ask(pair.where, [here, "Prepare", {"flowKey": "AAAA", "ends": opens}])
    assert code == "INVALID_ARGUMENT"
    ((text, _),) = texts(replies[1:2]).items()
    assert "no agent of this run listens there: the answer is not of this run" in text


def test_no_trace(lab):
    """Of a proof alone: the flow connects at its start, which never comes."""
    three = Three(lab)
    # The calls' own connections leave their trace at other addresses.
    three.agent_at.ip("address", "add", "10.83.0.1/24", "dev", "t0")
    three.third.ip("address", "add", "10.83.0.2/24", "dev", "t1")
    lab.agent(three.third, "10.83.0.2:8840", "--insecure")
    ends = {"count": 100, "localAddress": "10.82.0.2", "peerAddress": "10.82.0.1"}
    opens = {"count": 100, "localAddress": "10.82.0.1", "peerAddress": "10.82.0.2"}
    replies = ask(
        three.agent_at,
        ["10.83.0.2:8840", "Prepare", {"ends": {**ends, "end": 1, "sink": True}}],
        ["10.83.0.1:8840", "Prepare", {"ends": {**opens, "source": True, "connect": 1, "port_of": 0}}],
    )
    assert replies == [["OK", {"": 100}]] * 2
    for where in three.agent_at, three.third:
        tables = run("ip", "-n", where.name, "tcp_metrics", "show")
        assert "10.82" not in tables
        sockets = run(*where.enter(), "ss", "-Htan").splitlines()
        # Data ports listen, with nobody in their queues; the calls' own connections are at 8840.
        for state, queued, _, local, peer in (line.split()[:5] for line in sockets):
            if ":8840" in local + peer:
                continue
            assert (state, queued) == ("LISTEN", "0")


def check_quiet(outcome, syns):
    """The proof went over the wire, and is in no capture."""
    (flow,) = outcome.flows
    assert flow.result.status == COMPLETE
    assert [port for _, port in syns].count(flow.params.port) == 2  # the proof's, and the flow's
    for segments in files(outcome, flow):
        check_segments(flow, segments)
        assert sum(one.flags & (SYN | ACK) == SYN for one in segments) == 1


@pytest.mark.parametrize("connect", ["ahead", "at_start"])
def test_captures_do_not_show_it(lab, connect):
    machines = Machines(lab)
    words = [HERE / "bystander.py", "syns", "t1"]
    witness = lab.spawn(machines.other, *words, program=sys.executable, name="syns")
    for _ in waiting("the witness", witness):
        if witness.text():
            break
    flow = {**CAPTURED, "duration": "100ms", "connect": connect}
    outcome = machines.run(flow).must(0)
    check_quiet(outcome, lines(witness)[1:])


def test_through_nat(lab):
    """Each host is known to the other by an address of the machine between them."""
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed")
    left, between, right = (lab.namespace(name) for name in "lnr")
    cable(left, "t0", "10.83.0.2/24", between, "n0", "10.83.0.1/24")
    cable(right, "t1", "10.84.0.2/24", between, "n1", "10.84.0.1/24")
    between.sysctl("net.ipv4.ip_forward", 1)
    left.ip("route", "add", "default", "via", "10.83.0.1")
    right.ip("route", "add", "default", "via", "10.84.0.1")
    rules = """table ip nat {
        chain pre { type nat hook prerouting priority -100;
            ip daddr 10.83.0.1 dnat to 10.84.0.2; ip daddr 10.84.0.1 dnat to 10.83.0.2; }
        chain post { type nat hook postrouting priority 100;
            oifname n1 snat to 10.84.0.1; oifname n0 snat to 10.83.0.1; }
        }"""
    words = [*between.enter(), "nft", "-f", "-"]
    made = subprocess.run(words, input=rules, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no NAT here: {made.stderr.strip()}")
    lab.agent(left, "10.83.0.2:8840", "--insecure")
    lab.agent(right, "10.84.0.2:8840", "--insecure")
    hosts = {
        "A": {"mgmt": "10.83.0.2:8840", "host": "10.84.0.1", "bind": "any"},
        "B": {"mgmt": "10.83.0.1:8840", "host": "10.83.0.1", "bind": "10.84.0.2"},
    }
    flows = [
        {"id": 0, "src": "A", "dst": "B", "duration": "100ms"},
        {"id": 1, "src": "B", "dst": "A", "duration": "100ms"},
    ]
    outcome = lab.run(left, {"hosts": hosts, "flows": flows}).must(0)
    for flow in outcome.flows:
        assert flow.result.status == COMPLETE
    first = outcome.flows[0].result
    assert first.src.local_address == "10.83.0.2" and first.dst.peer_address == "10.84.0.1"


def test_link_local_addresses(lab):
    one, other = lab.namespace("a"), lab.namespace("b")
    for where in one, other:
        where.sysctl("net.ipv6.conf.default.accept_dad", 0)
    cable(one, "t0", "10.85.0.1/24", other, "t0", "10.85.0.2/24")
    for where, name, address in ((one, "t0", "fe80::1"), (other, "t0", "fe80::2")):
        where.ip("address", "add", f"{address}/64", "dev", name, "nodad")
        lab.agent(where, f"10.85.0.{address[-1]}:8840", "--insecure")
    hosts = {
        "A": {"mgmt": "10.85.0.1:8840", "host": "fe80::1%t0"},
        "B": {"mgmt": "10.85.0.2:8840", "host": "fe80::2%t0"},
    }
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "100ms"}
    outcome = lab.run(one, {"hosts": hosts, "flows": [flow]})
    outcome.must(0)


def test_worker_processes(lab):
    """The agent asks for the ends of all its processes, and each process answers."""
    crowded = Crowded(lab, 300, 200, "200ms")
    outcome = lab.run(crowded.where, crowded.scenario, "--quiet").must(0)
    assert all(flow.result.status == COMPLETE for flow in outcome.flows)


def test_a_wrong_address_is_told_before_the_start(pair):
    """And the cure; nothing was started."""
    pair.hosts["B"].update(host="127.0.0.9", bind="127.0.0.2")
    outcome = pair.run({"duration": "100ms"}).must(3)
    assert "127.0.0.9 port " in outcome.stderr
    assert "no agent of this run listens there: Connection refused" in outcome.stderr
    assert 'correct the "host" that others connect to' in outcome.stderr
    assert not outcome.output.exists()


def test_no_end_is_waited_for_in_vain(pair):
    """Of a flow whose source was denied, the other end listens, but nobody will come."""
    pair.hosts["C"] = {**pair.hosts["B"], "host": "127.0.0.9", "bind": "127.0.0.2"}
    flows = {"duration": "100ms"}, {"duration": "100ms", "dst": "C"}
    outcome = pair.run(*flows, flags=("--best-effort",)).must(1)
    good, bad = outcome.flows
    assert good.result.status == COMPLETE
    assert "no agent of this run listens there" in bad.result.error
    assert "no connection arrived" not in outcome.stderr
