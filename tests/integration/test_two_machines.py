"""Two agents whose networks and clocks are their own: a management network beside a test network."""

import signal
import time

import pytest
from harness import COMPLETE, END_COMPLETE, INSTRUMENTED, cable, column, ends, waiting

SECOND = 1_000_000_000
INTERVAL = 100_000_000
AHEAD = {"A": 7, "B": 13}  # s, of each agent's CLOCK_MONOTONIC before the master's
MANAGEMENT_LIMIT = 2_000_000  # bytes, both ways, of a whole run


class Machines:
    """Namespaces A and B, joined by m0-m1 (management) and t0-t1 (tests).  The master is on A."""

    def __init__(self, lab, prefixes):
        self.lab = lab
        self.a = lab.namespace("a")
        self.b = lab.namespace("b")
        (m0, m1), (t0, t1) = prefixes
        cable(self.a, "m0", m0, self.b, "m1", m1)
        cable(self.a, "t0", t0, self.b, "t1", t1, rate="50mbit")
        self.mgmt = {"A": m0.split("/")[0] + ":8841", "B": m1.split("/")[0] + ":8842"}
        self.host = {"A": t0.split("/")[0], "B": t1.split("/")[0]}
        self.agents = {
            name: lab.agent(where, self.mgmt[name], "--insecure", monotonic=AHEAD[name])
            for name, where in (("A", self.a), ("B", self.b))
        }

    def scenario(self, duration, **more):
        """One flow each way, and one from A to A."""
        hosts = {
            name: {"mgmt": self.mgmt[name], "host": self.host[name], **more.get(name, {})}
            for name in ("A", "B")
        }
        ways = (("A", "B"), ("B", "A"), ("A", "A"))
        flows = [
            {"id": i, "src": src, "dst": dst, "duration": duration, "ccalg": "cubic"}
            for i, (src, dst) in enumerate(ways)
        ]
        return {"hosts": hosts, "flows": flows}


@pytest.fixture
def machines(lab):
    return Machines(
        lab, (("10.91.0.1/24", "10.91.0.2/24"), ("10.92.0.1/24", "10.92.0.2/24"))
    )


@pytest.fixture
def one_subnet(lab):
    machines = Machines(
        lab, (("10.93.0.1/24", "10.93.0.2/24"), ("10.93.0.3/24", "10.93.0.4/24"))
    )
    for where, names in ((machines.a, ("m0", "t0")), (machines.b, ("m1", "t1"))):
        for name in ("all", *names):
            where.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
    return machines


def agents_of(run_info):
    """RunAgent by host's name."""
    return {host.name: run_info.agents[host.agent] for host in run_info.hosts}


def check_axis(flow, agents):
    """Each sample stands at its tick, by the stated bounds, so both ends' ticks agree."""
    for name, (report, rows, columns) in zip((flow.params.src, flow.params.dst), ends(flow)):
        ticks = column(columns, "tick")
        assert len(ticks) == len(rows) > 0
        bound = 2 * agents[name].clock.error_ns
        # The agent that was killed could not state how late it was.
        lateness = report.lateness_max_ns if report.status == END_COMPLETE else INTERVAL
        for tick, row in zip(ticks, rows):
            if tick >= 0:
                late = round(row.ts * 1e9) - tick * INTERVAL
                assert -bound <= late <= lateness + bound, f"{name} tick {tick}: {late} ns late"


def common_ticks(flow):
    (_, _, src), (_, _, dst) = ends(flow)
    return set(column(src, "tick")) & set(column(dst, "tick")) - {-1}


def test_clocks_apart_one_axis(lab, machines):
    before = machines.agents["A"].interface_bytes("t0")
    outcome = lab.run(machines.a, machines.scenario("2s"), "-i", "100ms").must(0)
    flows, agents = outcome.flows, agents_of(outcome.run)

    for name, seconds in AHEAD.items():
        clock = agents[name].clock
        assert abs(clock.offset_ns - seconds * SECOND) <= clock.error_ns < 1_000_000
    for flow in flows:
        assert flow.result.status == COMPLETE
        check_axis(flow, agents)
        assert len(common_ticks(flow)) >= (1 if INSTRUMENTED else 15)  # of 20 or 21

    crossed = sum(flow.result.dst.payload_bytes for flow in flows[:2])
    assert machines.agents["A"].interface_bytes("t0") - before >= crossed > 0
    assert machines.agents["A"].interface_bytes("m0") < MANAGEMENT_LIMIT
    for flow in flows:
        for report, _, _ in ends(flow):
            assert report.local_address in machines.host.values()


def test_agent_killed_in_mid_run(lab, machines):
    output = lab.output()
    path = lab.write(machines.scenario("4s"))
    master = lab.spawn(machines.a, "run", path, "-o", output, "-i", "100ms", name="master")
    idle = machines.agents["A"].interface_bytes("t0")
    for _ in waiting("payload on the test network", master):
        if machines.agents["A"].interface_bytes("t0") > idle + 500_000:
            break
    time.sleep(1.5)
    machines.agents["B"].signal(signal.SIGKILL)
    killed = time.monotonic_ns()
    assert master.wait() == 1

    outcome = lab.command(None, "summary", output, "--json").must(0)
    assert outcome.stdout.startswith("{")
    outcome.output = output
    flows, run_info = outcome.flows, outcome.run
    agents = agents_of(run_info)
    death = killed - run_info.t0_ns  # on the axis: this process has the master's clock
    assert agents["B"].lost and not agents["A"].lost
    assert [flow.params.id for flow in flows] == [0, 1, 2]
    assert flows[2].result.status == COMPLETE
    for flow in flows[:2]:
        assert flow.result.status != COMPLETE and flow.result.error
        check_axis(flow, agents)
    for rows in (flows[0].RxTCPInfo, flows[1].TxTCPInfo):  # those of B
        last = round(rows[-1].ts * 1e9)
        assert death - (4 if INSTRUMENTED else 1) * SECOND <= last <= death + agents["B"].clock.error_ns
        assert rows[0].ts < (2 if INSTRUMENTED else 0.5)
    # A's agent goes on.
    one = machines.scenario("500ms")
    one["flows"] = one["flows"][2:]
    lab.run(machines.a, one).must(0)


def test_both_networks_in_one_subnet(lab, one_subnet):
    outcome = lab.run(one_subnet.a, one_subnet.scenario("1s")).must(3)
    assert "device" in outcome.stderr and "m0" in outcome.stderr and "t0" in outcome.stderr
    assert not outcome.output.exists()

    before = one_subnet.agents["A"].interface_bytes("t0")
    named = one_subnet.scenario("1s", A={"device": "t0"}, B={"device": "t1"})
    named["flows"] = named["flows"][:2]
    outcome = lab.run(one_subnet.a, named).must(0)
    crossed = sum(flow.result.dst.payload_bytes for flow in outcome.flows)
    assert one_subnet.agents["A"].interface_bytes("t0") - before >= crossed > 0
    assert one_subnet.agents["A"].interface_bytes("m0") < MANAGEMENT_LIMIT
    for flow in outcome.flows:
        devices = {"A": "t0", "B": "t1"}
        assert flow.result.src.device == devices[flow.params.src]
        assert flow.result.dst.device == devices[flow.params.dst]


@pytest.fixture
def on_link(lab):
    """Nothing but link-local addresses, on interfaces that have other names at either end."""
    a, b = lab.namespace("a"), lab.namespace("b")
    for where in a, b:
        where.sysctl("net.ipv6.conf.default.accept_dad", 0)
    cable(a, "m0", "fe80::a1/64", b, "m1", "fe80::b1/64")
    cable(a, "t0", "fe80::a/64", b, "t1", "fe80::b/64")
    lab.agent(a, "[fe80::a1%m0]:8841", "--insecure")
    lab.agent(b, "[fe80::b1%m1]:8842", "--insecure")
    return a


def test_link_local(lab, on_link):
    """Each host's scope is its own: an agent reaches its peer by its own interface, and the master
    an agent by the master's."""
    interfaces, addresses = {"A": "t0", "B": "t1"}, {"A": "fe80::a", "B": "fe80::b"}
    hosts = {"A": {"mgmt": "[fe80::a1%m0]:8841"}, "B": {"mgmt": "[fe80::b1%m0]:8842"}}
    ways = ("A", "B"), ("B", "A"), ("A", "A")
    flows = [
        {"id": i, "src": src, "dst": dst, "duration": "300ms", "ecn": i == 1, "connect": connect}
        for i, ((src, dst), connect) in enumerate(zip(ways, ("ahead", "at_start", "ahead")))
    ]

    def flow_by(scope, *flags):
        for name, host in hosts.items():
            host["host"] = addresses[name] + scope(name)
        outcome = lab.run(on_link, {"hosts": hosts, "flows": flows}, *flags).must(0)
        for flow in outcome.flows:
            src, dst = flow.params.src, flow.params.dst
            assert flow.result.status == COMPLETE, flow.result.error
            assert flow.result.src.local_address == f"{addresses[src]}%{interfaces[src]}"
            assert flow.result.src.peer_address == f"{addresses[dst]}%{interfaces[src]}"
            assert flow.result.dst.peer_address == f"{addresses[src]}%{interfaces[dst]}"
        return outcome.stderr, {agent.clock.method for agent in outcome.run.agents}

    _, methods = flow_by(lambda name: f"%{interfaces[name]}")
    assert methods == {"udp-kernel"}
    # An address that stands at one interface needs none.  By which of the master's it would be
    # reached nobody says.
    stderr, methods = flow_by(lambda name: "", "--clock-network", "test")
    assert methods == {"rpc"} and "its test address is not known, or link-local" in stderr
    # The other host's interface is none here.
    hosts["B"]["host"] = "fe80::b%t0"
    stderr = lab.run(on_link, {"hosts": hosts, "flows": flows}).must(3).stderr
    assert 'this machine has no interface "t0" (it has lo, m1, t1)' in stderr
