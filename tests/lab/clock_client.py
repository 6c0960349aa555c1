#!/usr/bin/env python3
"""clock_client.py ADDRESS PORT: how far a machine's clocks are ahead of this one's, as JSON.

The witness for what tcp-flowgen says of clocks: the fastest of many exchanges with
inside/clock_server.py.
Whatever happened on the way, the truth lies within half of its round trip.
"""

import json
import socket
import struct
import sys
import time

EXCHANGES = 100
CLOCKS = {"monotonic": time.CLOCK_MONOTONIC, "realtime": time.CLOCK_REALTIME}


def exchange(link, serial):
    """(round trip, {clock: ahead by}, when by the monotonic clock), ns; None if lost."""
    before = {name: time.clock_gettime_ns(clock) for name, clock in CLOCKS.items()}
    link.send(struct.pack("!I", serial))
    try:
        while True:
            reply = link.recv(64)
            after = {name: time.clock_gettime_ns(clock) for name, clock in CLOCKS.items()}
            answered, *theirs = struct.unpack("!Iqq", reply)
            if answered == serial:
                break
    except OSError:
        return None
    ahead = {
        name: there - (before[name] + after[name]) // 2 for name, there in zip(CLOCKS, theirs)
    }
    trip = after["monotonic"] - before["monotonic"]
    return trip, ahead, (before["monotonic"] + after["monotonic"]) // 2


def main():
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.settimeout(0.5)
    link.connect((sys.argv[1], int(sys.argv[2])))
    exchanges = [exchange(link, serial) for serial in range(EXCHANGES)]
    trip, ahead, when = min(filter(None, exchanges), key=lambda one: one[0])
    print(json.dumps({**ahead, "error": trip // 2, "at": when}))


main()
