"""The machines beside the flows: CPU, interfaces, queues; what agents say of their machines."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from harness import COMPLETE, ROOT, Namespace, Pair, cable, column, messages, run, waiting

SPACING = 50_000_000  # ns
TICKS = os.sysconf("SC_CLK_TCK")


def hosts(outcome):
    """By the agents' management addresses."""
    messages()
    sys.path.insert(0, str(ROOT / "python"))
    import tcp_flowgen_results

    return {host.agent.mgmt: host for host in tcp_flowgen_results.hosts(outcome.run)}


def figures(namespace, *words):
    return json.loads(run(*namespace.enter(), *words))


def qdisc(namespace, device):
    """tc's own figures of the root."""
    listed = figures(namespace, "tc", "-s", "-j", "qdisc", "show", "dev", device)
    return next(entry for entry in listed if entry.get("root"))


class Router:
    """A - R - B: two agents, and a router whose way to B has a small queue.  The master is on R."""

    def __init__(self, lab, shaper=("tbf", "rate", "20mbit", "burst", "16kb", "limit", "30kb")):
        self.lab = lab
        self.a, self.r, self.b = (lab.namespace(label) for label in "arb")
        cable(self.a, "a0", "10.1.0.1/24", self.r, "r0", "10.1.0.2/24")
        cable(self.b, "b0", "10.2.0.1/24", self.r, "r1", "10.2.0.2/24")
        cable(self.b, "b1", "10.3.0.1/24", self.r, "r2", "10.3.0.2/24")  # B's management
        self.a.ip("route", "add", "default", "via", "10.1.0.2")
        self.b.ip("route", "add", "default", "via", "10.2.0.2")
        self.r.sysctl("net.ipv4.ip_forward", "1")
        for namespace, device in ((self.a, "a0"), (self.r, "r0"), (self.r, "r1"), (self.b, "b0")):
            off = ("tso", "off", "gso", "off", "gro", "off")
            run(*namespace.enter(), "ethtool", "-K", device, *off)
        run(*self.r.enter(), "tc", "qdisc", "add", "dev", "r1", "root", *shaper)
        self.hosts = {
            "A": {"mgmt": "10.1.0.1:8841", "host": "10.1.0.1"},
            "B": {"mgmt": "10.3.0.1:8841", "host": "10.2.0.1"},
            "R": {"mgmt": "10.1.0.2:8841", "host": "10.1.0.2"},
        }
        for namespace, host in zip((self.a, self.b, self.r), self.hosts.values()):
            lab.agent(namespace, host["mgmt"], "--insecure")

    def scenario(self, duration, **router):
        hosts = {**self.hosts, "R": {**self.hosts["R"], **router}}
        flow = {"id": 0, "src": "A", "dst": "B", "duration": duration, "ccalg": "cubic"}
        return {"hosts": hosts, "flows": [flow], "interval": "20ms"}

    def run(self, duration, **router):
        return self.lab.run(self.r, self.scenario(duration, **router))


def test_router_in_the_middle_shows_its_drops(lab):
    router = Router(lab)
    outcome = router.run("2s", sample=True, interfaces="r0,r1").must(0)
    assert outcome.flows[0].result.status == COMPLETE
    rows = hosts(outcome)["10.1.0.2:8841"]
    assert rows.qdiscs["r1"] == "tbf"
    queue, witness = rows.interfaces["r1"], qdisc(router.r, "r1")
    assert witness["drops"] > 0
    for ours, theirs in (
        ("bytes", "bytes"), ("packets", "packets"), ("drops", "drops"), ("backlog", "backlog"),
        ("qlen", "qlen"), ("overlimits", "overlimits"), ("requeues", "requeues"),
    ):  # fmt: skip
        assert queue["qdisc_" + ours][-1] == witness[theirs], ours
    assert queue["qdisc_drops"][0] == 0
    assert max(queue["qdisc_backlog"]) > 0
    assert set(queue["qdisc_marks"]) == {None}
    link = figures(router.r, "ip", "-s", "-j", "link", "show", "r1")[0]["stats64"]
    for way in ("rx", "tx"):
        for name in ("bytes", "packets", "errors", "dropped"):
            assert queue[f"{way}_{name}"][-1] == link[way][name], (way, name)
    assert queue["tx_bytes"][-1] > 1_000_000


def test_ticks_are_those_of_the_flows(lab):
    """A busy machine misses some of either: what there is, is on common ticks."""
    outcome = Router(lab).run("1s", sample=True, interfaces="r1").must(0)
    flow_ticks = set(column(outcome.flows[0].src_columns, "tick"))
    for host in hosts(outcome).values():
        ticks = host.columns["tick"]
        assert ticks[0] == ticks[-1] == -1
        inner = ticks[1:-1]
        assert all(tick % 3 == 0 for tick in inner)  # 60 ms of 20
        assert inner == sorted(set(inner)) and len(inner) >= 8
        assert {tick for tick in flow_ticks if tick in inner}
        times = host.columns["t_ns"]
        assert times == sorted(times)
        assert times[0] < 0
        assert all(t >= tick * 20_000_000 - 5_000_000 for t, tick in zip(times[1:-1], inner))
        assert host.stride == 1 and host.seen == len(host)


def test_host_without_flows_has_no_agent_unless_sampled(lab):
    router = Router(lab)
    outcome = router.run("300ms").must(0)
    assert {agent.mgmt for agent in outcome.run.agents} == {"10.1.0.1:8841", "10.3.0.1:8841"}
    assert len(outcome.run.host_samples) == 2
