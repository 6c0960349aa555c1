#!/usr/bin/python3
"""Time and memory of runs of more and more flows between two agents.

usage: tests/bench/scale.py [FLOWS...]   (default: 10 100 1000 10000), as root

Each size has fresh agents in a network namespace of its own, over loopback; flows last 5 s, samples are 250 ms
apart.  Printed are the time of the whole `tcp-flowgen run`, how much of it the flows were running, and the
largest resident memory of the master and of the larger agent, its worker processes included.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bed

SECONDS = 5


def resident(pid, field):
    """Kilobytes; 0 if the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


class Watch(threading.Thread):
    """The largest sum of what a process and its children have had resident."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.children, self.done = pid, {}, threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(0.1):
            for task in Path(f"/proc/{self.pid}/task").glob("*/children"):
                try:
                    children = task.read_text().split()
                except OSError:  # the thread has ended
                    continue
                for child in children:
                    self.children[child] = max(self.children.get(child, 0), resident(child, "VmHWM"))

    def peak(self):
        self.done.set()
        self.join()
        return resident(self.pid, "VmHWM") + sum(self.children.values())


def measure(flows, directory):
    results = directory / "results.pb.gz"
    (directory / "scenario.json").write_text(json.dumps(bed.scenario(flows, SECONDS)))
    with bed.namespace("scale") as inside, bed.agents(inside, directory) as agents:
        watches = [Watch(agent.pid) for agent in agents]
        begin = time.monotonic()
        words = ["run", "--quiet", "-o", str(results), str(directory / "scenario.json")]
        with open(directory / "summary", "w") as summary:
            master = subprocess.Popen([*inside, bed.PROGRAM, *words], stdout=summary)
            _, status, usage = os.wait4(master.pid, 0)
        took = time.monotonic() - begin
        if status:
            sys.exit(f"{flows} flows: {(directory / 'summary').read_text()}")
        return took, usage.ru_maxrss, max(watch.peak() for watch in watches), results.stat().st_size


def main():
    print(" flows   run (s)   beside flows (s)   master (MB)   agent (MB)   result (MB)")
    for flows in map(int, sys.argv[1:] or ["10", "100", "1000", "10000"]):
        with tempfile.TemporaryDirectory() as directory:
            took, master, agent, size = measure(flows, Path(directory))
        print(
            f"{flows:6} {took:9.1f} {took - SECONDS:18.1f} {master / 1024:13.1f} {agent / 1024:12.1f} {size / 1e6:13.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
