"""Many short runs one after another on the same two agents: what the agents hold stays as it is.

scripts/soak runs this with many more runs, and shows the figures.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from harness import INSTRUMENTED, Pair, run

RUNS = int(os.environ.get("SOAK_RUNS", 60))
FIRST = 10  # runs, after which the agents have what they will have
ROWS = 10  # of the table
FLAGS = ("-i", "250ms", "--quiet")
FLOWS = ({"duration": "20ms"}, {"src": "B", "dst": "A", "duration": "20ms"})
TOO_SLOW = "take the order to start|an exchange took over"
SETTLING = 5  # s; for the threads that gRPC keeps for a moment

# How much more than after the first runs the agents may have at the end.
MORE_DESCRIPTORS = 0
MORE_THREADS = 4  # of gRPC's own, which come and go
MORE_MEMORY = 1024  # kB


@dataclass
class Footprint:
    """Of one agent."""

    descriptors: int
    threads: int
    memory: int  # resident, kB

    @classmethod
    def of(cls, process):
        place = Path(f"/proc/{process.pid}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        return cls(
            descriptors=len(list((place / "fd").iterdir())),
            threads=int(status["Threads"]),
            memory=int(status["VmRSS"].split()[0]),
        )

    def growth(self, first):
        """What grew beyond its bound since then."""
        bounds = {"descriptors": MORE_DESCRIPTORS, "threads": MORE_THREADS}
        if not INSTRUMENTED:  # a sanitizer keeps what was freed
            bounds["memory"] = MORE_MEMORY
        for name, bound in bounds.items():
            before, now = getattr(first, name), getattr(self, name)
            if now > before + bound:
                yield f"{name} grew from {before} to {now}, by more than {bound}"


class Soak:
    def __init__(self, lab):
        self.pair = Pair(lab, "--quiet")
        self.done = self.refused = self.anew = 0

    def run(self, count):
        """Each with a result file that is deleted.  One that is refused, because the machine stood
        still for long, is made again: it must not leave anything, either."""
        for _ in range(count):
            outcome = self.pair.run(*FLOWS, flags=FLAGS)
            while outcome.code == 3 and re.search(TOO_SLOW, outcome.stderr):
                self.refused += 1
                assert self.refused <= 1 + RUNS // 50, outcome.stderr
                outcome = self.pair.run(*FLOWS, flags=FLAGS)
            warnings = " ".join(outcome.must(0).run.warnings)
            self.anew += sum(int(number) - 1 for number in re.findall(r"begun anew, try (\d)", warnings))
            outcome.output.unlink()
        self.done += count

    def footprints(self):
        return [Footprint.of(agent) for agent in self.pair.agents]

    def growth(self, first):
        for agent, before, now in zip("AB", first, self.footprints()):
            yield from (f"agent {agent}: {text}" for text in now.growth(before))

    def time_wait(self):
        """Sockets in TIME_WAIT: of the management's connections, of the flows'."""
        ports = {host["mgmt"].rpartition(":")[2] for host in self.pair.hosts.values()}
        lines = run(*self.pair.where.enter(), "ss", "-Htan", "state", "time-wait").splitlines()
        theirs = [{word.rpartition(":")[2] for word in line.split()[-2:]} for line in lines]
        management = sum(bool(pair & ports) for pair in theirs)
        return management, len(lines) - management

    def row(self):
        figures = [f"{self.done:6}"]
        for agent in self.footprints():
            figures.append(f"{agent.descriptors:11} {agent.threads:7} {agent.memory:9}")
        management, flows = self.time_wait()
        print("   ".join(figures), f"{management:12} {flows:5}", flush=True)


HEADING = """
           agent A                         agent B                        TIME_WAIT
  runs   descriptors threads  RSS (kB)   descriptors threads  RSS (kB)   management flows"""


def test_agents_stay_as_they_are(lab):
    soak = Soak(lab)
    print(HEADING)
    soak.row()
    soak.run(FIRST)
    time.sleep(1)
    first = soak.footprints()
    soak.row()
    while soak.done < RUNS:
        soak.run(min(max(RUNS // ROWS, 1), RUNS - soak.done))
        soak.row()
    print(f"{soak.refused} runs were refused, because the machine was too slow, and made again")
    deadline = time.monotonic() + SETTLING
    while list(soak.growth(first)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not list(soak.growth(first))
    # The management's connections leave one an agent and run, for a minute; flows leave none.
    management, flows = soak.time_wait()
    tries = soak.done + 3 * soak.refused + soak.anew
    assert management <= len(soak.pair.agents) * tries, f"{management} in TIME_WAIT"
    assert flows == 0, f"{flows} connections of flows are in TIME_WAIT"
