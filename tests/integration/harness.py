"""What the integration tests share: network namespaces, agents and masters in them, result files.

Everything that a test starts belongs to its Lab, which ends exactly these processes (by pid) and
deletes exactly these namespaces when the test is over.
"""

import contextlib
import functools
import gzip
import itertools
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("TCP_FLOWGEN", ROOT / "tcp-flowgen")).resolve()
# Sanitizers and valgrind, which a script stands for, make it slow by factors: what is asserted about
# times holds without.
INSTRUMENTED = any(
    mark in PROGRAM.read_bytes() for mark in (b"#!/bin/sh", b"__asan_init", b"__tsan_init")
)
PATIENCE = 60  # s; nothing here takes so long, unless it hangs

COMPLETE, PARTIAL, FAILED = 1, 2, 3  # FlowResult.Status
END_COMPLETE, END_CUT, END_STOPPED, END_FAILED = 1, 2, 3, 4  # EndReport.Status
ESTABLISHED = 5  # TCPInfo.state
OPTION_ECN = 8  # TCPI_OPT_ECN in the column `options`
# For a rule of nft: all SYNs but the first, which is that of the proof before a flow.
LATER_SYNS = "tcp flags & (syn | ack) == syn limit rate over 1/hour burst 1 packets"

SANITIZER = re.compile(r"runtime error:|ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer")


def unwrapped(text):
    """What the summary printed, a paragraph a line."""
    return re.sub(r"\n  (?=\S)", " ", text)


@functools.cache
def messages():
    """The module that `make python/messages_pb2.py` generates."""
    target = "python/messages_pb2.py"
    subprocess.run(["make", "-s", target], cwd=ROOT, check=True, timeout=PATIENCE)
    if str(ROOT / "python") not in sys.path:
        sys.path.insert(0, str(ROOT / "python"))
    import messages_pb2

    return messages_pb2


def need_algorithm(name):
    """Skips the test if this kernel does not have the congestion control."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
        except OSError as problem:
            pytest.skip(f"congestion control {name} is not to be had here: {problem.strerror}")


def need_stock_grpc():
    """Skips where Python's gRPC is not installed.  It is used elsewhere than here: the tests start
    processes, which gRPC's threads do not like."""
    probe = [sys.executable, "-c", "import grpc, grpc_tools.protoc"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("python3-grpcio and python3-grpc-tools are not installed")


@functools.cache
def why_no_namespaces():
    """None, or why network namespaces cannot be made here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "unshare"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    name = f"tfg-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return None if made.returncode == 0 else f"ip netns add: {made.stderr.strip()}"


# ---- result files ----


def read_results(path):
    """Every record of a result file, read the way the first readers did."""
    message = messages().Flow
    flows = []
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
        while header := file.read(4):
            (length,) = struct.unpack("!I", header)
            flow = message()
            flow.ParseFromString(file.read(length))
            flows.append(flow)
    return flows


def column(chunks, name):
    """One column of an end's samples, its deltas summed up; zeros where it is absent."""
    values = []
    for chunk in chunks:
        values += itertools.accumulate(getattr(chunk, name) or [0] * chunk.count)
    return values


def ends(flow):
    """(report, rows, columns) of the src end, then of the dst end."""
    yield flow.result.src, flow.TxTCPInfo, flow.src_columns
    yield flow.result.dst, flow.RxTCPInfo, flow.dst_columns


TIMES = ("connect", "connected", "first_byte", "last_byte", "stop", "closed")


def moment(report, name):
    """A time of an EndReport, ns on the run's axis; None if it never came."""
    known = report.times >> TIMES.index(name) & 1
    return getattr(report, name + "_ns") if known else None


# ---- processes and namespaces ----


class Process:
    """A program of ours that runs, its log in a file."""

    def __init__(self, argv, log, cwd, shifted=False):
        self.log = log
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
            )
        # In a time namespace of its own the program is unshare's only child.
        self.pid = self._only_child() if shifted else self.popen.pid

    def _only_child(self):
        parent = self.popen.pid
        children = Path(f"/proc/{parent}/task/{parent}/children")
        for pid in waiting("the child of unshare", self):
            pid = children.read_text().split()
            if pid and Path(f"/proc/{pid[0]}/comm").read_text().strip() == PROGRAM.name[:15]:
                return int(pid[0])

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout=PATIENCE):
        return self.popen.wait(timeout)

    def end(self):
        """Asked to, then made to."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.wait(10)

    def interface_bytes(self, interface):
        """Bytes received and sent by an interface of the process's network namespace."""
        for line in Path(f"/proc/{self.pid}/net/dev").read_text().splitlines():
            name, _, figures = line.partition(":")
            if name.strip() == interface:
                figures = [int(figure) for figure in figures.split()]
                return figures[0] + figures[8]
        raise AssertionError(f"no interface {interface}")

    def listens(self, port):
        for table in ("tcp", "tcp6"):
            try:
                lines = Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]
            except FileNotFoundError:  # it has ended
                return False
            for local, state in ((line.split()[1], line.split()[3]) for line in lines):
                if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                    return True
        return False


def children(process):
    """Pids of the processes that an agent started, whichever of its threads did."""
    pids = []
    for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # the thread has ended
            pids += [int(pid) for pid in task.read_text().split()]
    return pids


def waiting(what, process=None, timeout=PATIENCE):
    """Yields until the caller has what it waits for; fails if the process ends or time passes."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process is not None and not process.alive():
            pytest.fail(f"{process.log.name}: ended while waiting for {what}\n{process.text()}")
        yield None
        time.sleep(0.01)
    pytest.fail(f"waited {timeout} s for {what}")


class Namespace:
    """A network namespace with its loopback interface up."""

    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def enter(self, monotonic=None):
        """Words before a command that runs here, its CLOCK_MONOTONIC ahead by so many seconds."""
        words = ["ip", "netns", "exec", self.name]
        if monotonic is not None:
            words += ["unshare", "--time", "--monotonic", str(monotonic)]
            words += ["--fork", "--kill-child=KILL", "--"]
        return words

    def ip(self, *words):
        run("ip", "-n", self.name, *words)

    def sysctl(self, key, value=None):
        assignment = key if value is None else f"{key}={value}"
        return run(*self.enter(), "sysctl", "-n", assignment).strip()

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, timeout=PATIENCE)


def cable(one, one_name, one_address, other, other_name, other_address, rate=None):
    """Joins two namespaces by a veth pair, addresses with their prefix length."""
    one.ip("link", "add", one_name, "type", "veth", "peer", other_name, "netns", other.name)
    for namespace, name, address in (
        (one, one_name, one_address),
        (other, other_name, other_address),
    ):
        namespace.ip("address", "add", address, "dev", name)
        namespace.ip("link", "set", name, "up")
        if rate:
            shaper = ["tbf", "rate", rate, "burst", "64kb", "latency", "50ms"]
            run("tc", "-n", namespace.name, "qdisc", "add", "dev", name, "root", *shaper)


def run(*argv):
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip()}"
    return done.stdout


@dataclass
class Outcome:
    """What a command left."""

    code: int
    stdout: str
    stderr: str
    output: Path = None

    @property
    def flows(self):
        return read_results(self.output)

    @property
    def run(self):
        return self.flows[0].run

    def must(self, code):
        assert self.code == code, f"exit {self.code}, not {code}\n{self.stdout}\n{self.stderr}"
        return self


class Lab:
    """All that one test starts."""

    def __init__(self, directory):
        self.directory = directory
        self.processes = []
        self.namespaces = []
        self.serial = itertools.count()

    def namespace(self, label="n"):
        """A new one; skips the test where there can be none."""
        if why_no_namespaces():
            pytest.skip(why_no_namespaces())
        namespace = Namespace(f"tfg-{os.getpid()}-{label}{next(self.serial)}")
        self.namespaces.append(namespace)
        return namespace

    def spawn(
        self, where, *words, name="program", monotonic=None, cwd=None, program=PROGRAM, before=()
    ):
        log = self.directory / f"{next(self.serial)}-{name}.log"
        argv = [*where.enter(monotonic), *before, program, *words]
        process = Process(argv, log, cwd or self.directory, shifted=monotonic is not None)
        self.processes.append(process)
        return process

    def agent(self, where, listen, *flags, monotonic=None, before=()):
        """An agent that listens when this returns; before: words that its command begins with."""
        spool = self.directory / f"spool-{next(self.serial)}"
        spool.mkdir()
        words = ["agent", "--listen", listen, "--spool", spool, *flags]
        name = f"agent-{listen}"
        agent = self.spawn(where, *words, name=name, monotonic=monotonic, before=before)
        return self.listening(agent, listen)

    def listening(self, process, listen):
        port = int(listen.rpartition(":")[2])
        for _ in waiting(f"{listen} to be listened on", process):
            if process.listens(port):
                break
        if "valgrind" in os.readlink(f"/proc/{process.pid}/exe"):
            self.warm_up(process, listen)
        return process

    def warm_up(self, agent, listen):
        """Valgrind translates code when it is first used: an agent's first answer may take longer
        than a master waits."""
        hosts = {name: {"mgmt": listen, "host": "127.0.0.1"} for name in ("A", "B")}
        flow = {"id": 0, "src": "A", "dst": "B", "duration": "1s"}
        scenario = self.write({"hosts": hosts, "flows": [flow]}, "warm-up.json")
        under = ["nsenter", f"--net=/proc/{agent.pid}/ns/net", PROGRAM]
        for _ in waiting("an answer", agent):
            outcome = self.command(None, *under[1:], "check", scenario, program=under[0])
            if "no answer" not in outcome.stderr:
                break

    def delay_line(self, delay_ms, rate=0, queue=100, loss=0):
        """Two new namespaces, 10.9.0.1 and .2 on a cable as delay_line.py makes it; by another one,
        which takes no time, they are 10.8.0.1 and .2."""
        if not os.path.exists("/dev/net/tun"):
            pytest.skip("there is no /dev/net/tun")
        near, far = self.namespace("near"), self.namespace("far")
        script = Path(__file__).with_name("delay_line.py")
        words = [near.name, "line", far.name, "line", delay_ms, rate, queue, loss]
        log = self.directory / f"{next(self.serial)}-line.log"
        line = Process([sys.executable, script, *words], log, self.directory)
        self.processes.append(line)
        cable(near, "control", "10.8.0.1/24", far, "control", "10.8.0.2/24")
        for namespace, address in ((near, "10.9.0.1/24"), (far, "10.9.0.2/24")):
            show = ["ip", "-n", namespace.name, "link", "show", "line"]
            for _ in waiting("the cable", line):
                if subprocess.run(show, capture_output=True).returncode == 0:
                    break
            namespace.ip("address", "add", address, "dev", "line")
            namespace.ip("link", "set", "line", "up")
        return near, far

    def bottleneck(self, rate, limit):
        """Likewise, the cable a bridge between them whose ports let so much through, and queue so
        many bytes: a real kernel's, which keeps its pace on a busy machine."""
        near, far, middle = (self.namespace(label) for label in ("near", "far", "middle"))
        middle.ip("link", "add", "bridge", "type", "bridge")
        middle.ip("link", "set", "bridge", "up")
        for where, address in ((near, "10.9.0.1/24"), (far, "10.9.0.2/24")):
            port = f"port{address[7]}"
            peer = ["peer", "name", port, "netns", middle.name]
            where.ip("link", "add", "line", "type", "veth", *peer)
            where.ip("address", "add", address, "dev", "line")
            where.ip("link", "set", "line", "up")
            run(*where.enter(), "ethtool", "-K", "line", "tso", "off", "gso", "off", "gro", "off")
            middle.ip("link", "set", port, "master", "bridge")
            middle.ip("link", "set", port, "up")
            shaper = ["tbf", "rate", rate, "burst", "10k", "limit", limit]
            run("tc", "-n", middle.name, "qdisc", "add", "dev", port, "root", *shaper)
        cable(near, "control", "10.8.0.1/24", far, "control", "10.8.0.2/24")
        return near, far

    def write(self, scenario, name="scenario.json"):
        path = self.directory / name
        path.write_text(scenario if isinstance(scenario, str) else json.dumps(scenario))
        return path

    def command(self, where, *words, cwd=None, program=PROGRAM):
        """A command that comes to its end by itself."""
        argv = [str(word) for word in (*(where.enter() if where else []), program, *words)]
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            cwd=cwd or self.directory,
        )
        assert not SANITIZER.search(done.stderr), done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    def output(self, suffix=".pb.gz"):
        return self.directory / f"results-{next(self.serial)}{suffix}"

    def run(self, where, scenario, *flags):
        """`tcp-flowgen run`, its results in a new file."""
        output = self.output()
        outcome = self.command(where, "run", self.write(scenario), "-o", output, *flags)
        outcome.output = output
        return outcome

    def close(self):
        for process in self.processes:
            process.end()
        for namespace in self.namespaces:
            namespace.delete()
        for process in self.processes:
            assert not SANITIZER.search(process.text()), process.text()


class Pair:
    """Two agents in one namespace, as hosts A and B of a scenario."""

    def __init__(self, lab, *flags):
        self.lab = lab
        self.where = lab.namespace("pair")
        self.hosts = {
            "A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"},
            "B": {"mgmt": "127.0.0.1:8842", "host": "127.0.0.2"},
        }
        self.agents = [lab.agent(self.where, host["mgmt"], *flags) for host in self.hosts.values()]

    def scenario(self, *flows, **more):
        """Flows A to B that last a second and use cubic, but for what is given of each."""
        common = {"src": "A", "dst": "B", "duration": "1s", "ccalg": "cubic"}
        numbered = [{"id": i, **common, **flow} for i, flow in enumerate(flows)]
        return {"hosts": self.hosts, "flows": numbered, **more}

    def run(self, *flows, flags=(), **more):
        return self.lab.run(self.where, self.scenario(*flows, **more), *flags)
