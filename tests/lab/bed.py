"""A dumbbell in a user-mode Linux machine, with an agent at either end, and witnesses."""

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import dumbbell
import harness
import uml
import witnesses

MODULES = "/lib/modules/$(uname -r)/kernel/net/ipv4"


@dataclass
class Measurement:
    """A run, and what others saw of it."""

    flows: list  # tcp_flowgen_results.Flow
    run: object  # Run of the result
    summary: list  # flows of `summary --json`
    folder: Path
    queue: dict  # `tc -s` of the queue towards b, afterwards
    counters: dict  # nstat's, by namespace, grown during the run

    @property
    def interface(self):
        """What reached b's interface."""
        return witnesses.Interface(self.folder / "interface")

    @property
    def looks(self):
        """What `ss` said in a's namespace, again and again."""
        return list(witnesses.looks(self.folder / "sockets"))

    def answers(self, local):
        """What the kernel told of one connection of a's, again and again."""
        return list(witnesses.answers(self.folder / "sockets", local))

    def packets(self):
        """What crossed b's interface, either way."""
        return list(witnesses.capture(self.folder / "capture"))

    def on_clock(self, axis_ns):
        """A time of the result on CLOCK_MONOTONIC of the machine: one for all that runs in it."""
        return self.run.t0_ns + axis_ns

    def series(self, end, name):
        """[(CLOCK_MONOTONIC in ns, value)] of one column of an end's samples."""
        times = (self.on_clock(round(ts * 1e9)) for ts in end.columns["ts"])
        return list(zip(times, end.columns[name]))


class Bed:
    """One machine, one dumbbell, agents on both hosts; as many measurements as wanted."""

    program = harness.PROGRAM

    def __init__(self, folder, memory="512M", **more):
        """more: see uml.Machine."""
        self.folder = Path(folder)
        self.serial = 0
        self.machine = uml.Machine(memory, **more)
        try:
            # Loaded when asked for as well, but not if two agents do that at once.
            modules = f"$(cd {MODULES} && ls -d tcp_* | sed 's/.ko.*//')"
            self.machine.run("sh", "-c", f"busybox modprobe -a {modules}")
            self.net = dumbbell.Dumbbell(self.machine.run)
            for name in ("a", "b", "r1", "r2"):
                # What one flow learns of the path is not for the next.
                self.net.inside(name, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
            self.agents = []
            for host in dumbbell.HOSTS:
                self.agent(host)
        except BaseException:
            self.close()
            raise

    def agent(self, host):
        """Starts one on a host or a router of dumbbell.py, by its name in a scenario."""
        name = host.lower()
        spool = self.folder / f"spool-{name}"
        spool.mkdir()
        listen = {**dumbbell.HOSTS, **dumbbell.ROUTERS}[host]["mgmt"]
        words = [self.program, "agent", "--listen", listen, "--insecure", "--spool", spool]
        log = self.folder / f"agent-{name}.log"
        pid = self.machine.start(*self.net.enter(name), *words, log=log)
        deadline = time.monotonic() + harness.PATIENCE
        while not self.net.inside(name, "ss", "-Hltn", "sport", f"= {dumbbell.MGMT_PORT}"):
            assert self.machine.call("poll", pid=pid) is None, log.read_text()
            assert time.monotonic() < deadline, f"{listen} is not listened on"
        self.agents.append(pid)

    def _counters(self):
        shown = {name: self.net.inside(name, "nstat", "-asz") for name in ("a", "b")}
        return {name: witnesses.counters(text) for name, text in shown.items()}

    def _witnesses(self, folder, wanted):
        watch = [uml.PYTHON, uml.HERE / "inside" / "witness.py"]
        commands = {
            "interface": ("b", [*watch, "interface", "test", folder / "interface"]),
            "sockets": ("a", [*watch, "sockets", folder / "sockets"]),
            "capture": ("b", ["tcpdump", "-Z", "root", "-n", "-i", "test", "-s", 96, "-B", 16384,
                              "-w", folder / "capture", "tcp"]),
        }  # fmt: skip
        pids = {}
        for name in wanted:
            where, command = commands[name]
            log = folder / f"{name}.log"
            pids[name] = self.machine.start(*self.net.enter(where), *command, log=log)
        deadline = time.monotonic() + harness.PATIENCE
        while not all((folder / name).exists() for name in wanted):
            assert time.monotonic() < deadline, "a witness did not begin"
            time.sleep(0.05)
        time.sleep(0.2)
        return pids

    def start(self, scenario, *flags, watch=("interface",)):
        """Starts a run; finish() waits for its end."""
        folder = self.folder / f"run-{self.serial}"
        self.serial += 1
        folder.mkdir()
        (folder / "scenario.json").write_text(json.dumps(scenario))
        before = self._counters()
        pids = self._witnesses(folder, watch)
        words = ["run", folder / "scenario.json", "-o", folder / "results.pb", *flags]
        master = [*self.net.enter("m"), self.program, *words]
        pid = self.machine.start(*master, log=folder / "master.log")
        return folder, pid, pids, before

    def finish(self, begun, timeout=120):
        folder, pid, pids, before = begun
        code = self.machine.call("wait", timeout + 10, pid=pid, timeout=timeout)
        assert code == 0, f"exit {code}\n{(folder / 'master.log').read_text()}"
        if "capture" in pids:
            time.sleep(witnesses.CAPTURE_DELAY)
        for witness in pids.values():
            self.machine.end(witness)
        after = self._counters()
        grown = {
            name: {key: value - before[name].get(key, 0) for key, value in after[name].items()}
            for name in after
        }
        if "capture" in pids:
            witnesses.check_capture(folder / "capture.log")
        results = folder / "results.pb"
        harness.messages()
        from tcp_flowgen_results import read

        flows = list(read(results))
        shown = subprocess.run(
            [self.program, "summary", results, "--json"], capture_output=True, check=True
        )
        summary = json.loads(shown.stdout)["flows"]
        return Measurement(flows, flows[0].of_run, summary, folder, self.net.queue(), grown)

    def measure(self, scenario, *flags, watch=("interface",)):
        return self.finish(self.start(scenario, *flags, watch=watch))

    def close(self):
        if hasattr(self, "agents"):
            for pid in self.agents:
                self.machine.end(pid, signal.SIGTERM)
        self.machine.halt()
