"""The machines beside the flows: CPU, interfaces, queues; what agents say of their machines."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from harness import COMPLETE, ROOT, cable, column, messages, run, unwrapped, waiting

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

    def __init__(self, lab, shaper=("tbf", "rate", "20mbit", "burst", "16kb", "limit", "15kb")):
        self.lab = lab
        self.a, self.r, self.b = (lab.namespace(label) for label in "arb")
        if Path("/proc/sys/net/ipv6").exists():  # which solicits routers at times of its own
            for namespace in (self.a, self.r, self.b):
                for which in ("all", "default"):
                    namespace.sysctl(f"net.ipv6.conf.{which}.disable_ipv6", "1")
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
    assert queue["tx_bytes"][-1] > outcome.flows[0].result.dst.payload_bytes > 0


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


def cpu_of(pid):
    """s, of all threads, by the kernel's own count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_cpu():
    """s since boot by kind, all CPUs together."""
    kinds = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    figures = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return {kind: int(figure) / TICKS for kind, figure in zip(kinds, figures)}


def test_cpu_agrees_with_proc(pair):
    """The rows at begin and end against what /proc says before and after the run."""
    before = [cpu_of(agent.pid) for agent in pair.agents], machine_cpu()
    outcome = pair.run({"duration": "2s"}).must(0)
    after = [cpu_of(agent.pid) for agent in pair.agents], machine_cpu()
    found = hosts(outcome)
    for i, host in enumerate(found[f"127.0.0.1:884{i + 1}"] for i in range(2)):
        ours = host.columns["agent_cpu_ns"]
        assert before[0][i] - 0.02 <= ours[0] / 1e9 <= ours[-1] / 1e9 <= after[0][i] + 0.02
        # Preparing and telling come before and behind the rows.
        spent, seen = after[0][i] - before[0][i], (ours[-1] - ours[0]) / 1e9
        assert spent > 0.2 and spent - 0.2 <= seen <= spent + 0.02
        rows = host.columns
        for name, kinds in (
            ("user", ("user", "nice")), ("system", ("system",)), ("softirq", ("softirq",)),
            ("irq", ("irq",)), ("steal", ("steal",)), ("idle", ("idle", "iowait")),
        ):  # fmt: skip
            low, high = (sum(at[1][kind] for kind in kinds) for at in (before, after))
            values = [value / 1e9 for value in rows[name + "_ns"]]
            assert low - 0.05 <= values[0] and values[-1] <= high + 0.05, name


def test_interfaces_are_those_that_own_the_addresses(pair):
    outcome = pair.run({"duration": "300ms"}).must(0)
    for host in hosts(outcome).values():
        assert list(host.interfaces) == ["lo"]
        assert host.qdiscs["lo"] == "noqueue"
        received = host.interfaces["lo"]["rx_bytes"]
        assert received[-1] - received[0] > 1_000_000


def test_an_interface_that_is_not_there_is_a_problem(pair):
    pair.hosts["A"]["interfaces"] = "lo,nowhere0"
    outcome = pair.run({}).must(3)
    assert 'there is no interface "nowhere0" here to sample' in outcome.stderr


def test_sampled_host_with_flows_is_sampled_to_the_runs_end(pair):
    """Though its own flow is over long before."""
    pair.hosts["C"] = {"mgmt": "127.0.0.1:8843", "host": "127.0.0.3", "sample": True}
    pair.lab.agent(pair.where, "127.0.0.1:8843")
    first = {"src": "C", "dst": "C", "duration": "200ms"}
    outcome = pair.run(first, {"duration": "1500ms"}).must(0)
    assert hosts(outcome)["127.0.0.1:8843"].columns["t_ns"][-1] > 1_500_000_000
    assert all(flow.result.status == COMPLETE for flow in outcome.flows)


def test_stopped_run_ends_sampling_too(lab):
    """An interrupt ends the router's part as well, and the master does not wait for it."""
    router = Router(lab)
    output = lab.output()
    scenario = lab.write(router.scenario("60s", sample=True, interfaces="r1"))
    master = lab.spawn(router.r, "run", scenario, "-o", output, name="master")
    for _ in waiting("all flows to be ready", master):
        if "all flows are ready" in master.text():
            break
    time.sleep(1.5)
    master.signal(2)
    begun = time.monotonic()
    assert master.wait() == 130
    assert time.monotonic() - begun < 15
    assert output.exists()


def test_interrupt_while_sampling_ends(pair):
    """All flows are over, and an agent that sampled does not answer: a first interrupt is heard."""
    pair.hosts["C"] = {"mgmt": "127.0.0.1:8843", "host": "127.0.0.3", "sample": True}
    sampler = pair.lab.agent(pair.where, "127.0.0.1:8843")
    path = pair.lab.write(pair.scenario({}))
    output = pair.lab.output()
    master = pair.lab.spawn(pair.where, "run", path, "-o", output, name="master")
    for _ in waiting("all flows to be ready", master):
        if "all flows are ready" in master.text():
            break
    time.sleep(1)  # it was started
    sampler.signal(signal.SIGSTOP)
    for agent in pair.agents:
        for _ in waiting("the flows' end", master):
            if " is over" in agent.text():
                break
    time.sleep(0.5)  # the master knows of it, too
    master.signal(signal.SIGINT)
    for _ in waiting("a word of the interrupt", master):
        if "interrupted: " in master.text():
            break
    sampler.signal(signal.SIGCONT)
    assert master.wait() == 130
    assert output.exists() and "long after their time" not in master.text()


def test_summary_tells_of_the_machines(lab):
    router = Router(lab)
    outcome = router.run("2s", sample=True, interfaces="r1").must(0)
    drops = qdisc(router.r, "r1")["drops"]
    assert drops > 1
    printed = unwrapped(outcome.stdout).splitlines()
    lines = [line for line in printed if line.startswith("machine of ")]
    assert len(lines) == 3
    assert all("% busy, softirq" in line for line in lines)
    line = next(line for line in lines if line.startswith("machine of R: "))
    assert f"; {drops} packets dropped by the queue of r1" in line
    summary = json.loads(lab.command(None, "summary", "--json", outcome.output).must(0).stdout)
    agents = {agent["mgmt"]: agent["host"] for agent in summary["run"]["agents"]}
    shown = agents["10.1.0.2:8841"]
    assert shown["interfaces"]["r1"]["qdisc_drops"] == drops
    assert shown["interfaces"]["r1"]["qdisc"] == "tbf"
    assert shown["interfaces"]["r1"]["qdisc_marks"] is None
    assert shown["interfaces"]["r1"]["qdisc_backlog_max"] > 0
    assert 0 < shown["cpu_busy"] <= 1 and 0 <= shown["cpu_softirq"] <= shown["cpu_busy"]
    assert agents["10.1.0.1:8841"]["agent_cpus"] > 0


def test_ordinary_user_sees_the_same(lab):
    """No row needs a capability: an agent of user 65534 reads them all."""
    where = lab.namespace("plain")
    run("tc", "-n", where.name, "qdisc", "add", "dev", "lo", "root", "pfifo", "limit", "10000")
    lab.directory.chmod(0o777)
    for parent in lab.directory.parents:
        if parent.stat().st_uid == os.getuid() and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    spool = lab.directory / "plain-spool"
    spool.mkdir()
    spool.chmod(0o777)
    words = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
             "--bounding-set", "-all", "--inh-caps", "-all")  # fmt: skip
    hosts_of = {name: {"mgmt": f"127.0.0.1:885{i}", "host": f"127.0.0.{i + 1}"}
                for i, name in enumerate("AB")}  # fmt: skip
    for host in hosts_of.values():
        agent = lab.spawn(where, "agent", "--listen", host["mgmt"], "--spool", spool,
                          name="plain", before=words)  # fmt: skip
        lab.listening(agent, host["mgmt"])
        status = Path(f"/proc/{agent.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status and "Uid:\t65534" in status
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "500ms"}
    outcome = lab.run(where, {"hosts": hosts_of, "flows": [flow]}, "--trust-user", "65534").must(0)
    for host in hosts(outcome).values():
        known = dict(host.columns)
        known.update(host.interfaces["lo"])
        del known["qdisc_marks"]  # pfifo tells of none
        assert all(None not in values for values in known.values())
        assert host.qdiscs["lo"] == "pfifo"
        assert host.interfaces["lo"]["qdisc_bytes"][-1] > 0
