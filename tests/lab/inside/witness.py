#!/usr/bin/env python3
"""Watches what the kernel says beside tcp-flowgen, until it is terminated.

witness.py interface DEVICE FILE
    A line each 20 ms: CLOCK_MONOTONIC in ns, bytes and packets received.
witness.py sockets FILE
    Lines of JSON: each 600 ms what `ss -tinmO` says, and how many segments the kernel has sent
    again in all; each 30 ms the kernel's own answer to the question that `ss` asks, for starting that
    takes long here; with each, between when this was.
"""

import json
import socket
import struct
import subprocess
import sys
import time


TOGETHER = 1_000_000  # ns; a reading that took longer is of nobody knows when


def interface(device, out):
    with open("/proc/net/dev") as table:
        while True:
            before = time.monotonic_ns()
            table.seek(0)
            text = table.read()
            after = time.monotonic_ns()
            if after - before > TOGETHER:
                continue
            line = next(line for line in text.splitlines() if line.strip().startswith(device + ":"))
            received, packets = line.split(":")[1].split()[:2]
            out.write(f"{after} {received} {packets}\n")
            time.sleep(0.02)


def retransmitted():
    """TcpRetransSegs, from where `nstat` has it, at the same moment as nearly as can be."""
    with open("/proc/net/snmp") as table:
        names, values = (line.split() for line in table if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, DONE = 20, 0x301, 3  # linux/sock_diag.h, linux/netlink.h
INET_DIAG_INFO, ESTABLISHED = 2, 1  # linux/inet_diag.h


def ask():
    """The connections of IPv4 with struct tcp_info in hexadecimal, from NETLINK_SOCK_DIAG."""
    wanted, states = 1 << (INET_DIAG_INFO - 1), 1 << ESTABLISHED
    question = struct.pack("=BBBBI48x", socket.AF_INET, socket.IPPROTO_TCP, wanted, 0, states)
    head = struct.pack("=IHHII", 16 + len(question), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0)
    answers = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as link:
        link.send(head + question)
        while True:
            data = link.recv(1 << 16)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == DONE:
                    return answers
                answers.append(connection(data[16:size]))
                data = data[(size + 3) & ~3 :]


def connection(message):
    """One struct inet_diag_msg and the tcp_info among its attributes."""
    port, peer = struct.unpack_from("!HH", message, 4)
    local, remote = (socket.inet_ntoa(message[at : at + 4]) for at in (8, 24))
    found, at = b"", 72
    while at + 4 <= len(message):
        size, kind = struct.unpack_from("=HH", message, at)
        if kind == INET_DIAG_INFO:
            found = message[at + 4 : at + size]
        at += (max(size, 4) + 3) & ~3
    return {"local": f"{local}:{port}", "peer": f"{remote}:{peer}", "info": found.hex()}


def sockets(out):
    looks = 0
    while True:
        before = time.monotonic_ns()
        if looks % 20 == 0:
            done = subprocess.run(["ss", "-tinmOH"], capture_output=True, text=True)
            look = {"text": done.stdout, "retransmitted": retransmitted()}
        else:
            look = {"answers": ask()}
        look |= {"before": before, "after": time.monotonic_ns()}
        out.write(json.dumps(look) + "\n")
        looks += 1
        time.sleep(0.03)


with open(sys.argv[-1], "w", buffering=1) as out:
    if sys.argv[1] == "interface":
        interface(sys.argv[2], out)
    else:
        sockets(out)
