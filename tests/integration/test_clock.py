"""Clocks that are apart by a known time: agents in time namespaces of one machine, whose clocks run
at one rate with the master's.  The truth is exact, so the stated bound can be held against it.
"""

import sys
from pathlib import Path

import pytest
from harness import COMPLETE, Pair, cable, unwrapped

SECOND = 1_000_000_000
AHEAD = {"A": 7, "B": 1_000_000}  # s, of each agent's CLOCK_MONOTONIC before the master's
BOUND = 50_000  # ns
HERE = Path(__file__).parent


class Apart(Pair):
    """A Pair with clocks apart."""

    def __init__(self, lab, *flags):
        self.lab = lab
        self.where = lab.namespace("apart")
        self.hosts = {
            "A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"},
            "B": {"mgmt": "127.0.0.1:8842", "host": "127.0.0.2"},
        }
        self.agents = [
            lab.agent(self.where, self.hosts[name]["mgmt"], *flags, monotonic=AHEAD[name])
            for name in self.hosts
        ]


def clocks_of(outcome):
    """ClockFit by host's name."""
    run = outcome.run
    return {host.name: run.agents[host.agent].clock for host in run.hosts}


def check_truth(outcome):
    for name, clock in clocks_of(outcome).items():
        assert clock.rate_ppm == pytest.approx(0, abs=1)
        assert not clock.knot_ns
        assert abs(clock.offset_ns - AHEAD[name] * SECOND) <= clock.error_ns


@pytest.mark.parametrize("count", [1, 2, 100])
def test_the_bound_holds_while_flows_run(lab, figure, count):
    pair = Apart(lab)
    flows = [{"duration": "3s", **({"src": "B", "dst": "A"} if i % 2 else {})} for i in range(count)]
    outcome = pair.run(*flows).must(0)
    check_truth(outcome)
    for name, clock in clocks_of(outcome).items():
        wrong = abs(clock.offset_ns - AHEAD[name] * SECOND)
        figure(f"{name} beside {count} flows, ns: bound; wrong by", clock.error_ns, wrong)
        assert clock.method == "udp-kernel" and clock.network == "mgmt"
        assert clock.error_ns <= BOUND
        assert clock.residual_ns <= clock.error_ns
        assert clock.exchanges >= 64
    assert not any("compared by calls" in text for text in outcome.run.warnings)


def test_an_agent_without_the_probe(lab):
    """One of an earlier version: its clock is compared by calls, and that is told."""
    pair = Apart(lab)
    words = [HERE / "older_agent.py", "127.0.0.1:8843", "127.0.0.1:8842"]
    relay = lab.spawn(pair.where, *words, name="older", program=sys.executable)
    lab.listening(relay, "127.0.0.1:8843")
    pair.hosts["B"]["mgmt"] = "127.0.0.1:8843"
    outcome = pair.run({"duration": "2s"}).must(0)
    check_truth(outcome)
    clocks = clocks_of(outcome)
    assert clocks["A"].method == "udp-kernel"
    assert clocks["B"].method == "rpc" and clocks["B"].network == ""
    (warning,) = [text for text in outcome.run.warnings if "compared by calls" in text]
    assert warning.startswith("B (agent 127.0.0.1:8843):")


class Networks:
    """Namespaces A and B, joined by a management and a test network.  The master is on A."""

    def __init__(self, lab):
        self.lab = lab
        self.a, self.b = lab.namespace("a"), lab.namespace("b")
        cable(self.a, "m0", "10.91.0.1/24", self.b, "m1", "10.91.0.2/24")
        cable(self.a, "t0", "10.92.0.1/24", self.b, "t1", "10.92.0.2/24")
        hosts = {}
        for number, (name, where) in enumerate((("A", self.a), ("B", self.b)), 1):
            mgmt = f"10.91.0.{number}:8840"
            lab.agent(where, mgmt, "--insecure", monotonic=AHEAD[name])
            hosts[name] = {"mgmt": mgmt, "host": f"10.92.0.{number}"}
        flow = {"id": 1, "src": "A", "dst": "B", "duration": "2s", "ccalg": "cubic"}
        self.scenario = {"hosts": hosts, "flows": [flow]}

    def drop_datagrams(self, to):
        """Those that B sends there are lost; with ports, for else questions about routes fail, too."""
        rule = ["to", to, "ipproto", "17", "dport", "1-65534", "blackhole"]
        self.b.ip("rule", "add", "pref", 1, *rule)

    def run(self, *flags):
        return self.lab.run(self.a, self.scenario, *flags).must(0)


@pytest.mark.parametrize("network", ["mgmt", "test"])
def test_the_network_that_is_asked_for(lab, network):
    networks = Networks(lab)
    # On the other one no datagram gets through.
    networks.drop_datagrams("10.91.0.0/24" if network == "test" else "10.92.0.0/24")
    outcome = networks.run("--clock-network", network)
    check_truth(outcome)
    for clock in clocks_of(outcome).values():
        assert (clock.method, clock.network) == ("udp-kernel", network)
        assert clock.error_ns <= BOUND


def test_a_firewall_is_told_of(lab):
    networks = Networks(lab)
    networks.drop_datagrams("0.0.0.0/0")
    outcome = networks.run()
    check_truth(outcome)
    clocks = clocks_of(outcome)
    assert clocks["A"].method == "udp-kernel"
    assert (clocks["B"].method, clocks["B"].network) == ("rpc", "")
    (warning,) = [text for text in outcome.run.warnings if "compared by calls" in text]
    assert "10.91.0.2:8840" in warning and "firewall" in warning
    assert outcome.flows[0].result.status == COMPLETE


def test_a_network_that_is_none(lab):
    outcome = lab.command(None, "run", lab.write({}), "--clock-network", "both").must(2)
    assert "mgmt or test" in outcome.stderr


def test_strangers_get_nothing(lab):
    pair = Pair(lab)
    words = [HERE / "probe_stranger.py", pair.hosts["A"]["mgmt"]]
    stranger = lab.spawn(pair.where, *words, name="stranger", program=sys.executable)
    assert stranger.wait() == 0, stranger.text()
    pair.run({}).must(0)
    assert not any("clock" in line for line in pair.agents[0].text().splitlines())


def test_how_clocks_are_kept_is_told(lab):
    outcome = Apart(lab).run({"duration": "1s"}).must(0)
    run = outcome.run
    for clock in (run, *run.agents):  # one kernel, whose figures hardly change
        assert clock.HasField("clock_before") and clock.HasField("clock_after")
        assert clock.clock_before.tick_ns == run.clock_before.tick_ns > 0
        assert clock.clock_before.synchronized == run.clock_before.synchronized
    told = "wall clock synchronized" if run.clock_before.synchronized else "not synchronized"
    assert unwrapped(outcome.stdout).count(told) == len(run.agents)
