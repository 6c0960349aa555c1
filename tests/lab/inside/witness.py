#!/usr/bin/env python3
"""Watches what the kernel says beside tcp-flowgen, until it is terminated.

witness.py interface DEVICE FILE   a line each 20 ms: CLOCK_MONOTONIC in ns, bytes and packets received
witness.py sockets FILE            a line of JSON each 250 ms: what `ss -tinmO` says, how many segments
                                   the kernel has sent again in all, and between when this was
"""

import json
import subprocess
import sys
import time


def interface(device, out):
    with open("/proc/net/dev") as table:
        while True:
            table.seek(0)
            now = time.monotonic_ns()
            line = next(line for line in table if line.strip().startswith(device + ":"))
            received, packets = line.split(":")[1].split()[:2]
            out.write(f"{now} {received} {packets}\n")
            time.sleep(0.02)


def retransmitted():
    """TcpRetransSegs, from where `nstat` has it; starting that takes too long to be the same moment."""
    with open("/proc/net/snmp") as table:
        names, values = (line.split() for line in table if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def sockets(out):
    while True:
        before = time.monotonic_ns()
        text = subprocess.run(["ss", "-tinmOH"], capture_output=True, text=True).stdout
        sent_again = retransmitted()
        after = time.monotonic_ns()
        look = {"before": before, "after": after, "text": text, "retransmitted": sent_again}
        out.write(json.dumps(look) + "\n")
        time.sleep(0.25)


with open(sys.argv[-1], "w", buffering=1) as out:
    if sys.argv[1] == "interface":
        interface(sys.argv[2], out)
    else:
        sockets(out)
