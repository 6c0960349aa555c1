"""Two user-mode Linux machines on one wire, each with clocks that can be set and detuned.

The wire is a bridge in a network namespace of this machine, which is on it too: the master may run
there, or in one of the two.
"""

import json
import signal
import subprocess
import time
from dataclasses import dataclass

import harness
import uml

NETWORK = "10.95.0"
HOST = f"{NETWORK}.254"  # of this machine's namespace
CLOCK_PORT = 7123
AGENT_PORT = 8840
PPM_LIMIT = 500  # the kernel takes no more


@dataclass
class Ahead:
    """How far a machine's clocks are ahead of this machine's, ns; wrong by at most `error`."""

    monotonic: int
    realtime: int
    error: int
    at: int  # this machine's CLOCK_MONOTONIC


class WiredMachine(uml.Machine):
    """One of the two: everything of uml.Machine, an address, and clocks that obey."""

    def __init__(self, wire, number, lab):
        self.wire, self.lab = wire, lab
        self.address = f"{NETWORK}.{number}"
        self.mgmt = f"{self.address}:{AGENT_PORT}"
        tap = f"tap{number}"
        harness.run(*wire.enter(), "ip", "tuntap", "add", tap, "mode", "tap")
        wire.ip("link", "set", tap, "master", "wire", "up")
        device = f"vec0:transport=tap,ifname={tap},depth=128,gro=1"
        super().__init__("256M", f"uml{number}", [device], wire.enter())
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "vec0")
        self.run("ip", "link", "set", "vec0", "up")
        server = [uml.PYTHON, uml.HERE / "inside" / "clock_server.py"]
        self.start(*server, self.address, CLOCK_PORT, log=self.folder / "clock.log")

    def step(self, seconds):
        """Moves the wall clock, as an administrator or a wild time service would."""
        self.call("step", seconds=seconds)

    def drift(self, ppm):
        """Both clocks run faster by so much from now on."""
        assert abs(ppm) <= PPM_LIMIT
        self.run("busybox", "adjtimex", "-q", "-f", round(ppm * 65536))

    def ahead(self):
        """Asks the machine's clocks, beside tcp-flowgen."""
        client = [uml.PYTHON, uml.HERE / "clock_client.py", self.address, CLOCK_PORT]
        return Ahead(**json.loads(harness.run(*self.wire.enter(), *client)))

    def agent(self, *flags, monotonic=0, before=()):
        """Starts an agent, its CLOCK_MONOTONIC ahead of the machine's by so many seconds."""
        spool = self.lab.directory / f"spool-{next(self.lab.serial)}"
        spool.mkdir()
        words = [*before, harness.PROGRAM, "agent", "--listen", self.mgmt, "--insecure"]
        if monotonic:
            shift = ["unshare", "--time", "--monotonic", monotonic, "--fork", "--kill-child", "--"]
            words = [*shift, *words]
        log = self.lab.directory / f"{next(self.lab.serial)}-agent-{self.address}.log"
        pid = self.start(*words, "--spool", spool, *flags, log=log)
        deadline = time.monotonic() + harness.PATIENCE
        while not self.run("ss", "-Hltn", "sport", f"= {AGENT_PORT}"):
            assert self.call("poll", pid=pid) is None, log.read_text()
            assert time.monotonic() < deadline, f"the agent does not listen\n{log.read_text()}"
            time.sleep(0.05)
        return pid

    def stop(self, pid, number=signal.SIGTERM):
        return self.end(pid, number)


class TwoMachines:
    """`a` and `b`, and `where`, the namespace of this machine that shares their wire."""

    def __init__(self, lab):
        self.lab = lab
        self.where = lab.namespace("wire")
        self.where.ip("link", "add", "wire", "type", "bridge")
        self.where.ip("address", "add", f"{HOST}/24", "dev", "wire")
        self.where.ip("link", "set", "wire", "up")
        self.machines = []
        try:
            for number in (1, 2):
                self.machines.append(WiredMachine(self.where, number, lab))
        except BaseException:
            self.close()
            raise
        self.a, self.b = self.machines

    def scenario(self, *flows, **more):
        """Flows from host A to host B, as harness.Pair has it."""
        common = {"src": "A", "dst": "B", "duration": "1s", "ccalg": "cubic"}
        hosts = {
            name: {"mgmt": machine.mgmt, "host": machine.address}
            for name, machine in zip("AB", self.machines)
        }
        numbered = [{"id": i, **common, **flow} for i, flow in enumerate(flows)]
        return {"hosts": hosts, "flows": numbered, **more}

    def set_apart(self, seconds):
        """Sets b's wall clock ahead of a's by so many seconds, within a hundredth of one or so."""
        self.b.step(seconds - (self.b.ahead().realtime - self.a.ahead().realtime) / 1e9)

    def shape(self, rate, limit="100kb"):
        """What both send onto the wire is slowed down to a rate, such as "50mbit"."""
        for machine in self.machines:
            shaper = ["tbf", "rate", rate, "burst", "10kb", "limit", limit]
            machine.run("tc", "qdisc", "replace", "dev", "vec0", "root", *shaper)

    def close(self):
        for machine in self.machines:
            machine.halt()


def why_not():
    """None, or why there can be no two machines here."""
    reason = uml.why_not() or harness.why_no_namespaces()
    if reason is None:
        probe = f"tfg{uml.os.getpid() % 100000}"
        words = ["ip", "tuntap", "add", probe, "mode", "tap"]
        made = subprocess.run(["unshare", "-n", *words], capture_output=True, text=True)
        if made.returncode:
            reason = f"no tap devices: {made.stderr.strip()}"
    return reason
