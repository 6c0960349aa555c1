#!/usr/bin/env python3
"""clock_server.py ADDRESS PORT: answers every datagram with both clocks of this machine, ns."""

import socket
import struct
import sys
import time

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    datagram, peer = server.recvfrom(64)
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC), time.clock_gettime_ns(time.CLOCK_REALTIME)
    server.sendto(datagram + struct.pack("!qq", *now), peer)
