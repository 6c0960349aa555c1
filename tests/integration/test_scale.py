"""Thousands of flows in one run."""

import signal
from pathlib import Path

import pytest
from harness import (
    COMPLETE,
    END_COMPLETE,
    END_FAILED,
    INSTRUMENTED,
    cable,
    children,
    ends,
    run,
    waiting,
)

# A sanitizer's memory and time would be another experiment.
MANY = 1000 if INSTRUMENTED else 10_000
FLAGS = ("-i", "250ms", "--quiet")
FEW = 50  # sockets in TIME_WAIT: of the management's connections


def keep_small(where):
    """Little is under way in each flow, so that a busy machine, too, gets done with it in time."""
    for direction in ("r", "w"):
        where.sysctl(f"net.ipv4.tcp_{direction}mem", "4096 32768 32768")


def check_flows(outcome, count):
    """All flows ran to their end, and no sample is unaccounted for."""
    flows = outcome.must(0).flows
    assert len(flows) == count
    for flow in flows:
        assert flow.result.status == COMPLETE, flow.result.error
        for report, rows, _ in ends(flow):
            assert report.status == END_COMPLETE
            assert report.samples_expected == report.samples_taken + report.samples_missed
            assert len(rows) == report.samples_taken + 1


def time_wait(where):
    return len(run(*where.enter(), "ss", "-Htan", "state", "time-wait").splitlines())


def test_between_two_agents(pair):
    keep_small(pair.where)
    outcome = pair.run(*[{"duration": "5s"}] * MANY, flags=FLAGS)
    check_flows(outcome, MANY)
    assert time_wait(pair.where) < FEW


@pytest.fixture
def cabled(lab):
    """Two agents in namespaces of their own, a management network beside the test network."""
    one, other = lab.namespace("a"), lab.namespace("b")
    cable(one, "m0", "10.91.0.1/24", other, "m1", "10.91.0.2/24")
    cable(one, "t0", "10.92.0.1/24", other, "t1", "10.92.0.2/24")
    hosts = {}
    for name, where, last in (("A", one, 1), ("B", other, 2)):
        keep_small(where)
        hosts[name] = {"mgmt": f"10.91.0.{last}:8840", "host": f"10.92.0.{last}"}
        lab.agent(where, hosts[name]["mgmt"], "--insecure")
    return one, other, hosts


def test_three_times_in_a_row(lab, cabled):
    """The ports of one run are free for the next: 30 000 connections between two addresses."""
    one, other, hosts = cabled
    flow = {"src": "A", "dst": "B", "duration": "5s", "ccalg": "cubic"}
    scenario = {"hosts": hosts, "flows": [{"id": i, **flow} for i in range(MANY)]}
    for _ in range(3):
        check_flows(lab.run(one, scenario, *FLAGS), MANY)
        assert time_wait(one) < FEW and time_wait(other) < FEW


class Crowded:
    """One agent with both ends of more flows than one process of it may have descriptors for."""

    def __init__(self, lab, descriptors, flows, duration):
        self.lab = lab
        self.where = lab.namespace()
        keep_small(self.where)
        limit = ("prlimit", f"--nofile={descriptors}:{descriptors}")
        self.agent = lab.agent(self.where, "127.0.0.1:8841", before=limit)
        flow = {"src": "A", "dst": "A", "duration": duration, "ccalg": "cubic"}
        self.scenario = {
            "hosts": {"A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"}},
            "flows": [{"id": i, **flow} for i in range(flows)],
        }


def test_more_than_one_process_may_have(lab):
    flows, descriptors = (1200, 2000) if INSTRUMENTED else (12_000, 20_000)
    crowded = Crowded(lab, descriptors, flows, "5s")
    check_flows(lab.run(crowded.where, crowded.scenario, *FLAGS), flows)
    assert children(crowded.agent) == []
    assert time_wait(crowded.where) < FEW


def test_worker_processes_with_ecn(lab):
    """Each changes the host's setting, and has a guardian that it did not get from a message."""
    crowded = Crowded(lab, 330, 300, "1s")
    crowded.where.sysctl("net.ipv4.tcp_ecn", "2")
    wanted = [flow["id"] % 3 == 0 for flow in crowded.scenario["flows"]]
    for flow, ecn in zip(crowded.scenario["flows"], wanted, strict=True):
        flow["ecn"] = ecn
    for _ in range(2):
        outcome = lab.run(crowded.where, crowded.scenario, *FLAGS)
        check_flows(outcome, len(wanted))
        for flow in outcome.flows:
            for report, _, _ in ends(flow):
                assert report.ecn is wanted[flow.params.id]
    assert children(crowded.agent) == []
    assert crowded.where.sysctl("net.ipv4.tcp_ecn") == "2"


def test_a_worker_process_is_killed(lab):
    crowded = Crowded(lab, 500, 200, "3s")
    output = lab.output()
    path = lab.write(crowded.scenario)
    master = lab.spawn(crowded.where, "run", path, "-o", output, *FLAGS, name="master")
    for _ in waiting("the worker processes", master):
        if len(children(crowded.agent)) >= 2:
            break
    # Not before t0: then nothing would be started.
    for _ in waiting("samples", master):
        spools = list(crowded.lab.directory.glob("spool-*/*.spool"))
        if spools and spools[0].stat().st_size > 200_000:
            break
    victim, *others = children(crowded.agent)
    run("kill", "-KILL", victim)
    assert master.wait() == 1

    outcome = lab.command(None, "summary", output, "--json")
    assert '"failed"' in outcome.stdout
    outcome.output = output
    failed = [flow for flow in outcome.flows if flow.result.status != COMPLETE]
    assert 0 < len(failed) < 200
    for flow in failed:
        for report, rows, _ in ends(flow):
            assert report.status == END_FAILED
            assert report.error == "the worker process ended: killed by SIGKILL"
            assert len(rows) > 0
    # The agent goes on, and its processes end with it.
    check_flows(lab.run(crowded.where, crowded.scenario, *FLAGS), 200)
    master = lab.spawn(crowded.where, "run", path, "-o", lab.output(), *FLAGS, name="master")
    for _ in waiting("the worker processes", master):
        if len(others := children(crowded.agent)) >= 2:
            break
    crowded.agent.signal(signal.SIGKILL)
    for _ in waiting("the end of the worker processes"):
        if not any(Path(f"/proc/{pid}/exe").exists() for pid in others):
            break
    master.wait()
