#!/usr/bin/python3
"""What a build costs beside another where flows move as much as they can: throughput, CPU, system calls.

usage: tests/bench/bulk.py BEFORE [AFTER] [--flows N...] [--seconds S] [--pairs N]   (as root)

BEFORE and AFTER are programs; AFTER is ./tcp-flowgen by default.  Each run has fresh agents in a network namespace
of its own, over loopback.  Runs of the two take turns, since machines drift, until the 95 % interval of the ratio of
medians (bootstrap, pair by pair) is within 2 % of it for throughput and CPU, or there are so many pairs (40).

CPU is user and system time of both agents from their start to their end, their worker processes included.
System calls are counted in three pairs of runs of their own, by perf (package linux-perf), which would slow the others
down: those that a longer run makes more than a short one, by what it moves more, so that what begins and ends a run is
not in them.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bed

LEAST_PAIRS, MOST_PAIRS, COUNTED_PAIRS = 6, 40, 3
WITHIN = 0.02
RESAMPLES = 2000
COUNTER = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter"]


def ended(agent):
    """Ends it; CPU seconds of it and its children."""
    agent.terminate()
    _, status, usage = os.wait4(agent.pid, 0)
    agent.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def totals(inside, program, directory, flows, seconds):
    """Of the summary of a run."""
    path = directory / "scenario.json"
    path.write_text(json.dumps(bed.scenario(flows, seconds)))
    words = ["run", "--quiet", "--json", "--lead", "500ms", "-o", str(directory / "results.pb"), str(path)]
    done = subprocess.run([*inside, program, *words], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"{program}: {flows} flows: exit status {done.returncode}")
    return json.loads(done.stdout)["totals"]


def measure(program, flows, seconds):
    """Throughput in Gbit/s and CPU seconds a gigabyte."""
    with tempfile.TemporaryDirectory() as name, bed.namespace("bulk") as inside:
        directory = Path(name)
        with bed.agents(inside, directory, program) as agents:
            moved = totals(inside, program, directory, flows, seconds)
            cpu = sum(map(ended, agents))
    return moved["together_bps"] / 1e9, cpu / (moved["payload_bytes"] / 1e9)


def counted(program, flows, seconds):
    """System calls of both agents in a run, and the gigabytes that it moved."""
    with tempfile.TemporaryDirectory() as name, bed.namespace("bulk") as inside:
        directory = Path(name)
        with bed.agents(inside, directory, program) as agents:
            pids = ",".join(str(agent.pid) for agent in agents)
            perf = subprocess.Popen([*COUNTER, "-p", pids], stderr=subprocess.PIPE, text=True)
            time.sleep(0.5)  # it counts by then
            moved = totals(inside, program, directory, flows, seconds)
            perf.send_signal(signal.SIGINT)
            said = perf.communicate()[1]
    try:
        return int(said.split(",")[0]), moved["payload_bytes"] / 1e9
    except ValueError:
        sys.exit(f"perf does not count here: {said}")


def calls(program, flows, seconds):
    """System calls a gigabyte."""
    short, long = counted(program, flows, seconds / 4), counted(program, flows, seconds)
    return (long[0] - short[0]) / (long[1] - short[1])


def ratio(pairs):
    return statistics.median(after for _, after in pairs) / statistics.median(before for before, _ in pairs)


def interval(pairs):
    """That of the ratio of medians, 95 %."""
    draw = random.Random(1)
    ratios = sorted(ratio(draw.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    return ratios[RESAMPLES * 25 // 1000], ratios[RESAMPLES * 975 // 1000 - 1]


def is_narrow(pairs):
    least, most = interval(pairs)
    return most - least <= 2 * WITHIN * ratio(pairs)


def pair(programs, number, of):
    """What of() gives for either program, which take turns in being first."""
    measured = {which: of(programs[which]) for which in ((0, 1) if number % 2 == 0 else (1, 0))}
    return measured[0], measured[1]


def compare(programs, flows, seconds, most):
    """Pairs (before, after) of throughput, of CPU, and of system calls."""
    throughput, cpu = [], []
    while len(throughput) < most:
        before, after = pair(programs, len(throughput), lambda program: measure(program, flows, seconds))
        throughput.append((before[0], after[0]))
        cpu.append((before[1], after[1]))
        if len(throughput) >= LEAST_PAIRS and is_narrow(throughput) and is_narrow(cpu):
            break
    number = min(COUNTED_PAIRS, most)
    return throughput, cpu, [pair(programs, n, lambda program: calls(program, flows, seconds)) for n in range(number)]


def show(flows, what, pairs):
    before, after = (statistics.median(side) for side in zip(*pairs))
    line = f"{flows:5} {len(pairs):6}  {what:18} {before:9.5g} {after:9.5g} {ratio(pairs):13.3f}"
    if len(pairs) > 1:
        line += "   {:.3f} .. {:.3f}".format(*interval(pairs)) + ("" if is_narrow(pairs) else ", wide")
    print(line, flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("before", type=os.path.abspath)
    arguments.add_argument("after", nargs="?", default=bed.PROGRAM, type=os.path.abspath)
    arguments.add_argument("--flows", nargs="+", type=int, default=[1, 100])
    arguments.add_argument("--seconds", type=float, default=2, help="that flows last")
    arguments.add_argument("--pairs", type=int, default=MOST_PAIRS, help="at most")
    given = arguments.parse_args()
    programs = [given.before, given.after]

    print("flows  pairs  medians of            before     after  after/before   95 % interval")
    for flows in given.flows:
        compared = compare(programs, flows, given.seconds, given.pairs)
        for what, pairs in zip(("Gbit/s", "CPU s a GB", "system calls a GB"), compared):
            show(flows, what, pairs)


if __name__ == "__main__":
    main()
