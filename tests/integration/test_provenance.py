"""What an agent tells of its machine, against what other programs say of it."""

import json
import os
import platform
import subprocess
import tempfile

import pytest
from harness import COMPLETE, cable, run, unwrapped, waiting

NOBODY = 65534
FLOW = {"src": "A", "dst": "B", "duration": "200ms"}


class Wire:
    """Two agents in namespaces of their own, the tests on t0-t1."""

    def __init__(self, lab, before=(), flags=("--allow-flush-metrics",)):
        self.lab = lab
        self.one, self.other = lab.namespace("a"), lab.namespace("b")
        cable(self.one, "m0", "10.91.0.1/24", self.other, "m1", "10.91.0.2/24")
        cable(self.one, "t0", "10.92.0.1/24", self.other, "t1", "10.92.0.2/24")
        self.hosts = {
            "A": {"mgmt": "10.91.0.1:8840", "host": "10.92.0.1"},
            "B": {"mgmt": "10.91.0.2:8840", "host": "10.92.0.2"},
        }
        for where, name in ((self.one, "A"), (self.other, "B")):
            lab.agent(where, self.hosts[name]["mgmt"], "--insecure", *flags, before=before)

    def run(self, *flags):
        return self.lab.run(self.one, {"hosts": self.hosts, "flows": [{"id": 0, **FLOW}]}, *flags)

    def agents(self, outcome):
        return [outcome.run.agents[host.agent] for host in outcome.run.hosts]


@pytest.fixture
def wire(lab):
    return Wire(lab)


def settings(agent):
    return {setting.name: setting.value for setting in agent.settings}


def test_settings_are_the_machines(wire):
    agents = wire.agents(wire.run().must(0))
    for agent, where, device in zip(agents, (wire.one, wire.other), ("t0", "t1")):
        told = settings(agent)
        for name in ("net.ipv4.tcp_rmem", "net.ipv4.tcp_ecn", "net.ipv4.tcp_congestion_control"):
            assert told[name] == " ".join(where.sysctl(name).split())
        assert told["kernel.release"] == platform.release()
        assert int(told["cpu.count"]) == os.cpu_count()
        assert told["interface.name"] == device
        assert told["interface.driver"] == "veth" and told["interface.kind"] == "veth"
        (link,) = json.loads(run("ip", "-n", where.name, "-j", "link", "show", device))
        assert int(told["interface.mtu_bytes"]) == link["mtu"]
        assert told["interface.qdisc"] == link["qdisc"]
        assert told["interface.tso"] in ("on", "off")


def test_differences_are_shown(wire):
    wire.other.ip("link", "set", "t1", "mtu", "1400")
    run(*wire.other.enter(), "sysctl", "-qw", "net.ipv4.tcp_slow_start_after_idle=0")
    outcome = wire.run().must(0)
    warnings = "\n".join(outcome.run.warnings)
    assert 'interface.mtu_bytes is "1500" at A (agent 10.91.0.1:8840), but "1400"' in warnings
    assert 'net.ipv4.tcp_slow_start_after_idle is "1" at A (agent' in warnings
    assert "interface.name" not in warnings and "interface.bus" not in warnings


def features(where, device):
    """Short names as ours, as ethtool(8) has them."""
    names = {
        "tso": "tcp-segmentation-offload",
        "gso": "generic-segmentation-offload",
        "gro": "generic-receive-offload",
        "lro": "large-receive-offload",
        "rx_checksum": "rx-checksumming",
        "tx_checksum": "tx-checksumming",
        "scatter_gather": "scatter-gather",
    }
    shown = run(*where.enter(), "ethtool", "-k", device)
    values = dict(line.strip().split(": ") for line in shown.splitlines() if ": " in line)
    return {short: values[name].split()[0] for short, name in names.items()}


def test_offloads_are_those_of_ethtool(wire):
    run(*wire.other.enter(), "ethtool", "-K", "t1", "tso", "off", "tx", "off")
    outcome = wire.run().must(0)
    shown = [features(wire.one, "t0"), features(wire.other, "t1")]
    assert shown[0]["tso"] == "on" and shown[1]["tso"] == "off"
    for agent, values in zip(wire.agents(outcome), shown):
        told = settings(agent)
        assert {name: told[f"interface.{name}"] for name in values} == values
    warnings = "\n".join(outcome.run.warnings)
    for name in shown[0]:
        differs = shown[0][name] != shown[1][name]
        assert (f'interface.{name} is "' in warnings) == differs


def test_check_shows_differences(wire):
    wire.other.ip("link", "set", "t1", "mtu", "1400")
    path = wire.lab.write({"hosts": wire.hosts, "flows": [{"id": 0, **FLOW}]})
    outcome = wire.lab.command(wire.one, "check", path).must(0)
    assert 'interface.mtu_bytes is "1500" at A (agent 10.91.0.1:8840), but "1400"' in outcome.stderr


def test_what_is_not_there_is_empty(lab):
    """A machine that shows little: no /sys, no model of a CPU, no settings of the core."""
    hide = "mount -t tmpfs none /sys && mount -t tmpfs none /proc/sys/net/core && "
    hide += 'mount --bind /dev/null /proc/cpuinfo && exec "$@"'
    wire = Wire(lab, before=("unshare", "--mount", "sh", "-c", hide, "sh"))
    outcome = wire.run().must(0)
    assert outcome.flows[0].result.status == COMPLETE
    for agent in wire.agents(outcome):
        told = settings(agent)
        for name in ("cpu.model", "cpu.online", "kernel.clocksource", "net.core.rmem_max"):
            assert told[name] == ""
        assert told["kernel.release"] == platform.release() and told["net.ipv4.tcp_rmem"]
        assert told["interface.driver"] == "veth" and told["interface.tso"] in ("on", "off")
    about = lab_summary(lab, outcome)["run"]["agents"][0]["about"]
    assert about["settings"]["cpu.model"] is None


def test_an_ordinary_user_tells_the_same(lab):
    """An agent without any capability tells what root's tells of the same machine."""
    wire = Wire(lab)
    as_root = settings(wire.agents(wire.run().must(0))[0])
    listen = wire.hosts["A"]["mgmt"] = "10.91.0.1:8850"
    # Not in the test's own directory, which is closed to others.
    with tempfile.TemporaryDirectory() as spool:
        os.chown(spool, NOBODY, NOBODY)
        user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        words = ["agent", "--listen", listen, "--spool", spool, "--insecure"]
        words.append("--allow-flush-metrics")
        agent = lab.listening(lab.spawn(wire.one, *words, before=user, name="agent"), listen)
        assert settings(wire.agents(wire.run().must(0))[0]) == as_root
        assert "CAP_NET_ADMIN" in wire.run("--flush-metrics").must(3).stderr
        agent.end()


def test_no_differences_no_words(wire):
    outcome = wire.run().must(0)
    assert not [text for text in outcome.run.warnings if " is \"" in text]


SERVE = """
import socket
with socket.create_server(("10.92.0.2", 9999)) as listener:
    print("ready", flush=True)
    while True:
        peer, _ = listener.accept()
        with peer:
            while peer.recv(1 << 16):
                pass
"""
SEND = """
import socket
with socket.create_connection(("10.92.0.2", 9999), timeout=60) as peer:
    peer.sendall(bytes(4_000_000))
    peer.shutdown(socket.SHUT_WR)
    peer.recv(1)
"""
LOSSES = """
add table ip t
add chain ip t c { type filter hook input priority 0; }
add rule ip t c tcp dport 9999 meta length > 1000 numgen random mod 100 < 2 drop
"""


def learn(wire):
    """Connections of another program over a path with losses, until the kernel remembers a threshold:
    where the losses fall badly it keeps none of the first.  (Our own flows end by a reset, of which
    kernels remember nothing.)"""
    for name in ("tcp_no_metrics_save", "tcp_no_ssthresh_metrics_save"):
        wire.one.sysctl(f"net.ipv4.{name}", 0)
    nft = [*wire.other.enter(), "nft", "-f", "-"]
    subprocess.run(nft, input=LOSSES, text=True, check=True, timeout=60)
    python = "/usr/bin/python3"
    server = wire.lab.spawn(wire.other, "-c", SERVE, program=python, name="server")
    for _ in waiting("the server", server):
        if "ready" in server.text():
            break
    for _ in waiting("a threshold to be remembered", server):
        run(*wire.one.enter(), python, "-c", SEND)
        if "ssthresh" in run(*wire.one.enter(), "ip", "tcp_metrics", "show", "10.92.0.2"):
            break
    server.end()
    subprocess.run(nft, input="delete table ip t", text=True, check=True, timeout=60)


def test_metrics_are_told_and_warned_of(wire):
    learn(wire)
    told = run(*wire.one.enter(), "ip", "tcp_metrics", "show", "10.92.0.2")
    outcome = wire.run().must(0)
    (metrics,) = [one for one in wire.agents(outcome)[0].metrics if one.peer == "10.92.0.2"]
    words = told.split()
    assert metrics.ssthresh == int(words[words.index("ssthresh") + 1])
    assert metrics.matters
    assert not wire.agents(outcome)[0].metrics_flushed
    (warning,) = [text for text in outcome.run.warnings if "--flush-metrics" in text]
    assert "A (agent 10.91.0.1:8840) remembers its peer 10.92.0.2" in warning


def test_metrics_are_flushed(wire):
    learn(wire)
    outcome = wire.run("--flush-metrics").must(0)
    agent = wire.agents(outcome)[0]
    assert agent.metrics_flushed
    assert [one.ssthresh > 0 for one in agent.metrics if one.peer == "10.92.0.2"] == [True]
    assert not [text for text in outcome.run.warnings if "--flush-metrics" in text]
    # What is there now is that run's own: it did not start with what was remembered.
    (flow,) = outcome.flows
    first = flow.src_columns[0].snd_ssthresh[0]
    assert first == 2**31 - 1  # TCP_INFINITE_SSTHRESH


UNABLE = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")


def test_nothing_is_flushed_for_no_run(wire):
    """A can, B cannot: nothing starts, and what A's kernel remembers stays."""
    learn(wire)
    wire.hosts["B"]["mgmt"] = "10.91.0.2:8850"
    flags = ("--insecure", "--allow-flush-metrics")
    wire.lab.agent(wire.other, "10.91.0.2:8850", *flags, before=UNABLE)
    back = {"id": 0, **FLOW, "src": "B", "dst": "A"}  # A is prepared first
    scenario = {"hosts": wire.hosts, "flows": [back]}
    outcome = wire.lab.run(wire.one, scenario, "--flush-metrics").must(3)
    assert "B (agent 10.91.0.2:8850): the TCP metrics cache cannot be emptied" in outcome.stderr
    assert "remembers" not in outcome.stderr
    assert "ssthresh" in run(*wire.one.enter(), "ip", "tcp_metrics", "show", "10.92.0.2")


def test_flushing_needs_the_owners_leave(lab):
    """The agent is root's, and was not told to."""
    wire = Wire(lab, flags=())
    learn(wire)
    outcome = wire.run("--flush-metrics").must(3)
    (line,) = [line for line in outcome.stderr.splitlines() if "may not empty" in line]
    assert "start the agent with --allow-flush-metrics" in line
    assert "ssthresh" in run(*wire.one.enter(), "ip", "tcp_metrics", "show", "10.92.0.2")
    hosts = {"A": wire.hosts["A"], "B": {"mgmt": "127.0.0.1:1", "host": "10.91.0.1"}}
    scenario = {"hosts": hosts, "flows": [{"id": 0, **FLOW}]}
    lab.run(wire.one, scenario, "--local", "--flush-metrics").must(0)


def test_flushing_needs_a_capability(lab):
    wire = Wire(lab, before=UNABLE)
    outcome = wire.run("--flush-metrics").must(3)
    (line,) = [line for line in outcome.stderr.splitlines() if ": the TCP metrics cache" in line]
    assert "CAP_NET_ADMIN" in line and "--flush-metrics" in line
    assert all(line.count(host["mgmt"]) == 1 for host in wire.hosts.values())
    outcome = wire.run().must(0)
    assert outcome.flows[0].result.status == COMPLETE
    assert settings(wire.agents(outcome)[0])["interface.driver"] == "veth"


def test_summary_has_it(wire):
    outcome = wire.run().must(0)
    done = lab_summary(wire.lab, outcome)
    about = done["run"]["agents"][0]["about"]
    assert about["settings"]["interface.mtu_bytes"] == "1500"
    assert about["metrics_flushed"] is False


def test_what_ends_share_is_told(wire):
    """Once, and of loopback only where it is loopback."""
    outcome = wire.run().must(0)
    (shared,) = [text for text in outcome.run.warnings if "share its CPUs" in text]
    assert shared == "1 of 1 flows have both hosts on one machine: they share its CPUs"
    assert "share its CPUs" not in outcome.stderr
    assert unwrapped(outcome.stdout).count("share its CPUs") == 1
    hosts = {"A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"}}
    flow = {"id": 0, "src": "A", "dst": "A", "duration": "200ms", "label": "to itself"}
    outcome = wire.lab.run(wire.one, {"hosts": hosts, "flows": [flow]}, "--local").must(0)
    (shared,) = [text for text in outcome.run.warnings if "share its CPUs" in text]
    assert "loopback is not a network" in shared
    assert outcome.flows[0].result.label == "to itself" and "to itself" in outcome.stdout


def lab_summary(lab, outcome):
    return json.loads(lab.command(None, "summary", outcome.output, "--json").must(0).stdout)
