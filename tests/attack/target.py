"""Whom the strangers are after: two agents, a victim's runs on them, and what must hold afterwards."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import COMPLETE, INSTRUMENTED, cable, ends, read_results, waiting

SCRIPT = Path(__file__).with_name("stranger.py")
PYTHON = "/usr/bin/python3"
NOBODY = 65534
PORTS = 8840, 8841
THIRD, TOWARDS_THIRD = "10.94.0.3", "10.94.0.1"
DESCRIPTORS = 1024  # that an agent may have
TIMES = int(os.environ.get("ATTACK_TIMES", "1"))  # that the sizes of floods are multiplied by

MB = 1_000_000
DESCRIPTORS_MORE = 200  # that an agent may have in the attack
RSS_MORE = 32 * MB  # that an agent may hold after an attack: freed memory that libc keeps
PEAK_MORE = 256 * MB  # in the attack: 64 MiB of Prepare, what gRPC buffers of many connections
LOG_MORE = 100_000  # bytes an attack
MISSED = 0.25  # of the victim's samples, at most
ORPHANED = 5  # s without a master, after which a run is over
PATIENCE = 20  # s for everything to be as it was

FIRST = ["chrt", "--rr", "1"]
if subprocess.run([*FIRST, "true"], capture_output=True).returncode:
    FIRST = []

# At home in the target's namespace as root: hears all that is said there.
ON_THE_WIRE = {"replayed_datagrams"}


@dataclass
class State:
    """What a process holds of the machine."""

    descriptors: int
    threads: int
    children: list
    rss: int


def status(pid, key):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1])


def state(process):
    pid = process.pid
    return State(
        # Clock probes are closed when nobody asked them for 30 s.
        descriptors=len(os.listdir(f"/proc/{pid}/fd")) - len(ports(pid, "udp", "07")),
        threads=status(pid, "Threads"),
        children=harness.children(process),
        rss=status(pid, "VmRSS") * 1024,
    )


def ports(pid, protocol, listening):
    """Local ports of the process's own sockets."""
    own = set()
    for number in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(number)):
                own.add(match[1])
    found = []
    for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
        words = line.split()
        if words[9] in own and words[3] == listening:
            found.append(int(words[1].rpartition(":")[2], 16))
    return sorted(found)


class Target:
    """Agents A, which is attacked, and B, in a namespace of their own; strangers come over a cable, or
    are other users there."""

    def __init__(self, lab, stubs, address, *flags):
        self.lab, self.stubs = lab, stubs
        self.address = address
        self.where, self.outside, self.third = (lab.namespace(x) for x in ("in", "out", "third"))
        cable(self.where, "c0", "10.93.0.1/24", self.outside, "c1", "10.93.0.2/24")
        for number in range(3, 10):
            self.outside.ip("address", "add", f"10.93.0.{number}/24", "dev", "c1")
        cable(self.where, "c2", f"{TOWARDS_THIRD}/24", self.third, "c3", f"{THIRD}/24")
        self.hosts = {
            name: {"mgmt": f"{address}:{port}", "host": address}
            for name, port in zip("AB", PORTS, strict=True)
        }
        limit = f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"
        under = ["prlimit", limit, *self.deaf_resolver()]
        self.flags = [*flags, "--orphan-after", f"{ORPHANED}s"]
        # Strangers have CPUs of their own, in truth: the agents come before them.
        self.under = [*under, *FIRST]
        self.sound = False
        self.agents = []

    def ready(self):
        """With new agents, if the last attack harmed those that there were."""
        if not self.sound:
            for agent in self.agents:
                agent.end()
            self.agents = [self.agent(name) for name in self.hosts]
            self.attacked = self.agents[0]
            self.spool = self.spool_of("A")
            self.next_run()  # what is made with the first one stays
            self.before = self.state()
        self.sound = False
        return self

    def spool_of(self, name):
        return self.lab.directory / f"spool-{self.address}-{name}"

    def agent(self, name):
        spool, listen = self.spool_of(name), self.hosts[name]["mgmt"]
        shutil.rmtree(spool, ignore_errors=True)
        spool.mkdir()
        words = ["agent", "--listen", listen, "--spool", spool, *self.flags]
        agent = self.lab.spawn(self.where, *words, before=self.under, name=f"agent-{listen}")
        return self.lab.listening(agent, listen)

    def deaf_resolver(self):
        """Words before an agent's command: names are asked of somebody who never answers."""
        resolv = self.lab.directory / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.9\n")
        script = "import socket, time\ns = socket.socket(type=2)\ns.bind(('127.0.0.9', 53))\n"
        self.lab.spawn(self.where, "-c", script + "time.sleep(3600)", program=PYTHON, name="deaf")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, resolv]

    # ---- the victim ----

    def scenario(self, duration):
        flow = {"duration": duration, "ccalg": "cubic", "send_rate": "20Mbit/s"}
        flows = [
            {"id": 0, "src": "A", "dst": "B", **flow},
            {"id": 1, "src": "B", "dst": "A", **flow},
            {"id": 2, "src": "A", "dst": "B", "ecn": True, **flow},
        ]
        return {"hosts": self.hosts, "flows": flows}

    def start_run(self, duration):
        output = self.lab.output()
        words = ["run", self.lab.write(self.scenario(duration), f"{output.name}.json"), "-o", output]
        master = self.lab.spawn(self.where, *words, "-i", "50ms", name="victim")
        master.output = output
        return master

    def finish_run(self, master):
        """It ends complete, with nearly all of its samples, its clocks compared by datagrams."""
        assert master.wait() == 0, master.text()
        assert len(re.findall(r", by\s+udp", master.text())) == 2, master.text()
        flows = read_results(master.output)
        assert [flow.result.status for flow in flows] == [COMPLETE] * 3
        reports = [report for flow in flows for report, _, _ in ends(flow)]
        expected = sum(report.samples_expected for report in reports)
        missed = sum(report.samples_missed for report in reports)
        assert INSTRUMENTED or missed <= MISSED * expected, f"{missed} of {expected} samples missed"

    def next_run(self):
        self.finish_run(self.start_run("0.3s"))

    def prey(self, master):
        """What a stranger may find out of the victim's run, which is under way."""
        listeners, spools, idle = [], set(), self.attacked.interface_bytes("lo")
        for _ in waiting("the victim's flows", master):
            listeners = [p for p in ports(self.attacked.pid, "tcp", "0A") if p not in PORTS]
            spools = self.spools() - self.left_before
            if listeners and spools and self.attacked.interface_bytes("lo") > idle + MB // 2:
                break
        return {
            "host": self.address,
            "port": PORTS[0],
            "run": re.search(r"[0-9a-f]{32}", min(spools).name)[0],
            "data_ports": listeners,
            "probe_port": max(self.probe_ports() - self.probes_before),
            "third": THIRD,
            "towards_third": TOWARDS_THIRD,
            "times": TIMES,
        }

    # ---- the strangers ----

    def stranger(self, name, prey, number):
        """At work, in a process of its own, and from an address of its own."""
        at_home = self.address.startswith("127.") or name in ON_THE_WIRE
        prey["source"] = "" if at_home else f"10.93.0.{2 + number}"
        where, user = self.where if at_home else self.outside, 0 if name in ON_THE_WIRE else NOBODY
        before = ["prlimit", "--nofile=20000:20000", "nice", "-n", "10"]
        words = [SCRIPT, name, user, self.stubs, json.dumps(prey)]
        return self.lab.spawn(where, *words, program=PYTHON, before=before, name=f"stranger-{name}")

    def withstands(self, *names, duration="2s"):
        """The strangers play, all at once; the victim's run goes on, and afterwards all is as it was."""
        self.left_before, self.probes_before = self.spools(), self.probe_ports()
        settings, logged = self.settings(), self.log_size()
        self.forget_peak()
        base = status(self.attacked.pid, "VmRSS") * 1024
        master = self.start_run(duration)
        prey = self.prey(master)
        strangers = [self.stranger(name, prey, i) for i, name in enumerate(names)]
        most = self.descriptors_until_the_end_of(master, *strangers)
        self.finish_run(master)
        for stranger in strangers:
            assert stranger.wait() == 0, stranger.text()
        assert most < self.before.descriptors + DESCRIPTORS_MORE, f"{most} descriptors"
        self.next_run()
        assert self.attacked.alive()
        assert self.settings() == settings
        assert INSTRUMENTED or self.peak() < base + PEAK_MORE, f"{self.peak() - base} bytes more at worst"
        assert self.log_size() < logged + LOG_MORE * TIMES, "a stranger fills the log"
        self.is_as_before()
        self.sound = True

    def descriptors_until_the_end_of(self, *processes):
        """The most that the attacked agent has meanwhile."""
        most, deadline = 0, time.monotonic() + harness.PATIENCE
        while any(process.alive() for process in processes) and time.monotonic() < deadline:
            most = max(most, len(os.listdir(f"/proc/{self.attacked.pid}/fd")))
            time.sleep(0.02)
        return most

    # ---- witnesses ----

    def service(self, port):
        """Somebody on the third host, who says in his log what reaches him, in hexadecimal."""
        script = (
            "import socket, sys\n"
            f"with socket.create_server(('{THIRD}', {port})) as server:\n"
            "    while True:\n"
            "        client, _ = server.accept()\n"
            "        client.settimeout(1)\n"
            "        try:\n"
            "            print(client.recv(4096).hex(), flush=True)\n"
            "        except OSError:\n"
            "            pass\n"
            "        client.close()\n"
        )
        service = self.lab.spawn(self.third, "-c", script, program=PYTHON, name="service")
        return self.lab.listening(service, f"{THIRD}:{port}")

    def attempts(self):
        """Connections that the agents' host has tried to make to the third one: its own replies."""
        table = harness.run(*self.third.enter(), "cat", "/proc/net/snmp").splitlines()
        names, figures = (line.split() for line in table if line.startswith("Tcp:"))
        return int(dict(zip(names, figures, strict=True))["InSegs"])

    def remembered(self):
        """What the agents' kernel knows of the third host."""
        known = harness.run("ip", "-n", self.where.name, "tcp_metrics", "show")
        return re.findall(rf"^{THIRD} .*(cwnd.*)", known, re.M)

    def visit_third(self):
        """The kernel then remembers it: a connection there was closed with data acknowledged."""
        service = self.service(5000)
        script = (
            "import socket, time\n"
            f"with socket.create_connection(('{THIRD}', 5000)) as client:\n"
            "    client.sendall(bytes(1000))\n"
            "    time.sleep(0.2)\n"
        )
        harness.run(*self.where.enter(), PYTHON, "-c", script)
        service.end()

    def listener_of_another_user(self, port):
        """Where an agent might be; says in its log what reaches it."""
        script = (
            "import os, socket\n"
            f"os.setuid({NOBODY})\n"
            f"with socket.create_server(('127.0.0.1', {port})) as server:\n"
            "    while True:\n"
            "        client, _ = server.accept()\n"
            "        if said := client.recv(4096):\n"
            "            print(said, flush=True)\n"
        )
        listener = self.lab.spawn(self.where, "-c", script, program=PYTHON, name="listener")
        return self.lab.listening(listener, f"127.0.0.1:{port}")

    def run_at(self, port):
        """A run that has an agent there."""
        scenario = self.scenario("0.3s")
        scenario["hosts"]["A"]["mgmt"] = f"127.0.0.1:{port}"
        return self.lab.run(self.where, scenario)

    # ---- what is left ----

    def state(self):
        return state(self.attacked)

    def settings(self):
        """Of the namespace, that agents change for a time."""
        ip = ["ip", "-n", self.where.name]
        rules = [harness.run(*ip, family, "rule") for family in ("-4", "-6")]
        routes = harness.run(*ip, "-4", "route", "show", "table", "all")
        return [self.where.sysctl("net.ipv4.tcp_ecn"), *rules, routes]

    def log_size(self):
        return self.attacked.log.stat().st_size

    def forget_peak(self):
        Path(f"/proc/{self.attacked.pid}/clear_refs").write_text("5")

    def peak(self):
        return status(self.attacked.pid, "VmHWM") * 1024

    def spools(self):
        return set(self.spool.rglob("*.spool"))

    def kept(self):
        """Those of runs that were started and given up: they stay, for `recover`."""
        started = set(re.findall(r"run (\w{32}): started", self.attacked.text()))
        return {file for file in self.spools() if any(run in file.name for run in started)}

    def probe_ports(self):
        return set(ports(self.attacked.pid, "udp", "07"))

    def differences(self):
        """What is not as it was, as text."""
        now, before = self.state(), self.before
        if abs(now.descriptors - before.descriptors - len(self.kept())) > 2:
            yield f"{now.descriptors} descriptors, not {before.descriptors}"
        if abs(now.threads - before.threads) > 2:
            yield f"{now.threads} threads, not {before.threads}"
        if now.children != before.children:
            yield f"children: {now.children}"
        if now.rss > before.rss + RSS_MORE and not INSTRUMENTED:
            yield f"{now.rss} bytes of memory, not {before.rss}"
        if left := [p for p in ports(self.attacked.pid, "tcp", "0A") if p not in PORTS]:
            yield f"listens on {left}"
        if left := self.spools() - self.kept():
            yield f"spools: {[file.name for file in left]}"

    def is_as_before(self):
        deadline = time.monotonic() + PATIENCE
        while differences := list(self.differences()):
            assert time.monotonic() < deadline, "; ".join(differences)
            time.sleep(0.1)
