#!/usr/bin/env python3
"""Does inside a user-mode Linux machine what uml.py asks for, over the console.

A request is a line of JSON, and so is its reply, behind a mark that tells it from what the kernel
may write.
This ends, and the machine with it, when the console does.
"""

import json
import os
import signal
import subprocess
import sys
import time
import tty

MARK = "\x02"
started = {}  # Popen by process id


def run(argv, timeout):
    """A command to its end."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return {"code": 124, "stdout": "", "stderr": f"took more than {timeout} s"}
    return {"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def start(argv, log):
    """A command that goes on; its process id."""
    with open(log, "wb") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    started[process.pid] = process
    return process.pid


def poll(pid):
    """The exit status of what was started; None while it runs."""
    return started[pid].poll()


def kill(pid, number):
    if started[pid].poll() is None:
        os.kill(pid, number)


def wait(pid, timeout):
    """The same as poll, at the end of the process or of the time."""
    try:
        return started[pid].wait(timeout)
    except subprocess.TimeoutExpired:
        return None


def clocks():
    """Both clocks of this machine, ns."""
    return {"monotonic": time.monotonic_ns(), "realtime": time.time_ns()}


def step(seconds):
    """Moves the wall clock."""
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + round(seconds * 1e9))


CALLS = {call.__name__: call for call in (run, start, poll, kill, wait, clocks, step)}


def main():
    tty.setraw(sys.stdin.fileno())  # no echo, no limit to a line, nothing changed on the way
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    print(MARK + "null", flush=True)
    for line in sys.stdin:
        name, words = json.loads(line)
        try:
            reply = {"value": CALLS[name](**words)}
        except Exception as problem:
            reply = {"problem": f"{type(problem).__name__}: {problem}"}
        print(MARK + json.dumps(reply), flush=True)
    for process in started.values():
        process.kill()


main()
