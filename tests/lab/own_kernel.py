"""A dumbbell of this machine's own kernel: real speed, but only the queues that it has."""

import contextlib
import shutil
import subprocess
import sys
import time

import dumbbell
import harness
import uml
import witnesses
from harness import Outcome, waiting


def why_not():
    """None, or why there can be none here."""
    for tool in ("tc", "nft", "ethtool", "tcpdump"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (scripts/install-deps check)"
    return harness.why_no_namespaces()


class Place(harness.Namespace):
    """A namespace that is there already."""

    def __init__(self, name):
        self.name = name


class OwnBed:
    """The dumbbell and an agent at either end, whose clocks are seconds apart.

    before: words that the agents' commands begin with."""

    AHEAD = {"a": 3, "b": 11}  # s, of each agent's CLOCK_MONOTONIC before this process's

    def __init__(self, lab, before=()):
        self.lab = lab
        prefix = f"tfg-{harness.os.getpid()}-own{next(lab.serial)}"
        self.places = {name: Place(prefix + name) for name in dumbbell.NAMESPACES}
        lab.namespaces += self.places.values()  # also those of a dumbbell that fails
        self.net = dumbbell.Dumbbell(harness.run, prefix)
        for name, host in zip("ab", "AB"):
            mgmt = dumbbell.HOSTS[host]["mgmt"]
            where, ahead = self.places[name], self.AHEAD[name]
            lab.agent(where, mgmt, "--insecure", monotonic=ahead, before=before)

    def run(self, scenario, *flags):
        return self.lab.run(self.places["m"], scenario, *flags)

    @contextlib.contextmanager
    def running(self, scenario, *flags):
        """The Outcome of a run, whole when the block ends; it starts when payload arrives."""
        output = self.lab.output()
        path = self.lab.write(scenario)
        words = ["run", path, "-o", output, *flags]
        master = self.lab.spawn(self.places["m"], *words, name="master")
        outcome = Outcome(None, "", "", output)
        idle = self.received()
        for _ in waiting("payload", master):
            if self.received() > idle + 100_000:
                break
        yield outcome
        outcome.code = master.wait()
        outcome.stderr = master.text()
        outcome.must(0)

    def received(self):
        """Bytes that b's interface has received."""
        words = ["cat", "/sys/class/net/test/statistics/rx_bytes"]
        return int(harness.run(*self.places["b"].enter(), *words))

    @contextlib.contextmanager
    def watched(self, path):
        """The counters of b's interface during the block go to a file."""
        words = [uml.PYTHON, uml.HERE / "inside" / "witness.py", "interface", "test", path]
        watch = subprocess.Popen([*self.places["b"].enter(), *map(str, words)])
        try:
            yield
        finally:
            watch.terminate()
            watch.wait(20)

    @contextlib.contextmanager
    def captured(self, path):
        """Whatever crosses b's interface in the block goes to a file of packets."""
        words = ["tcpdump", "-Z", "root", "-n", "-U", "-i", "test", "-s", "96", "-B", "16384"]
        log = path.with_suffix(".log")
        with open(log, "wb") as out:
            dump = subprocess.Popen(
                [*self.places["b"].enter(), *words, "-w", str(path), "tcp"], stderr=out
            )
        try:
            for _ in waiting("tcpdump"):
                if "listening on" in log.read_text():
                    break
            yield
            time.sleep(witnesses.CAPTURE_DELAY)
        finally:
            dump.terminate()
            dump.wait(20)
        witnesses.check_capture(log)


class Metronome:
    """What a plain process makes of a timer beside the run: how busy the machine is with others."""

    CODE = """
import sys, time
interval = int(sys.argv[1])
due = begin = time.monotonic_ns()
ticks = missed = 0
try:
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    while True:
        due += interval
        now = time.monotonic_ns()
        if now < due:
            time.sleep((due - now) / 1e9)
            now = time.monotonic_ns()
        late = max(0, (now - due) // interval)
        due += late * interval
        ticks += 1 + late
        missed += late
except KeyboardInterrupt:
    print(missed / ticks)
"""

    def __init__(self, interval_ns):
        words = [sys.executable, "-c", self.CODE, str(interval_ns)]
        self.popen = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.popen.stdout.readline()

    def missed(self):
        """Ends it; the part of its ticks that it missed."""
        self.popen.send_signal(harness.signal.SIGINT)
        return float(self.popen.communicate(timeout=20)[0])
