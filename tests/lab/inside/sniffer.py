#!/usr/bin/env python3
"""Writes down when the kernel saw TCP segments pass an interface, until it is told to end.

usage: sniffer.py INTERFACE FILE

The file gets JSON: how far this kernel's CLOCK_REALTIME is before its CLOCK_MONOTONIC, by how much
that may be wrong, and the segments: [when (CLOCK_REALTIME, ns), address, port, address, port,
sequence number, flags, bytes].
"""

import json
import signal
import socket
import struct
import sys
import time

SO_TIMESTAMPNS = 35
ETH_P_ALL = 3
SEGMENTS_MAX = 20000


def bracket():
    """(CLOCK_REALTIME - CLOCK_MONOTONIC, how wrong), the best of many readings."""
    readings = []
    for _ in range(2000):
        before, real, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        readings.append((after - before, real - (before + after) // 2))
    width, ahead = min(readings)
    return ahead, width // 2 + 1


def segment(packet):
    if packet[12:14] != b"\x08\x00" or packet[23] != socket.IPPROTO_TCP:
        return None
    tcp = packet[14 + (packet[14] & 15) * 4:]
    ports_and_sequence = struct.unpack_from("!HHI", tcp)
    length = struct.unpack_from("!H", packet, 16)[0] - (packet[14] & 15) * 4 - (tcp[12] >> 4) * 4
    source, destination = (socket.inet_ntoa(packet[at:at + 4]) for at in (26, 30))
    return [source, ports_and_sequence[0], destination, ports_and_sequence[1],
            ports_and_sequence[2], tcp[13], length]


def main(interface, file):
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sniffer.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sniffer.bind((interface, 0))
    sniffer.settimeout(0.2)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    ahead, error = bracket()
    print("ready", flush=True)
    segments = []
    while not ended:
        try:
            packet, control, _, _ = sniffer.recvmsg(128, socket.CMSG_SPACE(16))
        except TimeoutError:
            continue
        seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
        found = segment(packet) if len(packet) >= 54 else None
        if found and len(segments) < SEGMENTS_MAX:
            segments.append([seconds * 10**9 + nanoseconds, *found])
    with open(file, "w") as out:
        json.dump({"ahead": ahead, "error": error, "segments": segments}, out)


main(*sys.argv[1:])
