#!/usr/bin/env python3
"""A cable between two network namespaces that takes its time: packets go through this program,
which hands each on a delay later, and may be slower than its ends, queue, and lose.

usage: delay_line.py NAMESPACE DEVICE NAMESPACE DEVICE DELAY_MS [RATE_BIT [QUEUE [LOSS]]]

RATE_BIT is of each direction (0: none), QUEUE packets wait before the rest is dropped, of LOSS
packets one is lost (0: none), in the first direction.  The devices are gone when it ends.
"""

import collections
import ctypes
import fcntl
import os
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
NS = 1_000_000_000
PACKET_MAX = 65536
PACKETS_A_TURN = 64


def tun(namespace, device):
    """A descriptor that is the far end of a new interface in the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as place:
        if libc.setns(place.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Direction:
    def __init__(self, source, sink, delay_ns, rate, queue, loss):
        self.source, self.sink = source, sink
        self.delay_ns, self.rate, self.queue, self.loss = delay_ns, rate, queue, loss
        self.under_way = collections.deque()  # (leaves the queue, arrives, packet)
        self.free_ns = 0  # when the line has sent all that waits for it
        self.seen = 0

    def take(self):
        for _ in range(PACKETS_A_TURN):
            try:
                packet = os.read(self.source, PACKET_MAX)
            except BlockingIOError:
                return
            self.seen += 1
            if self.loss and self.seen % self.loss == 0:
                continue
            now = time.monotonic_ns()
            begin = max(now, self.free_ns)
            took = len(packet) * 8 * NS // self.rate if self.rate else 0
            if self.rate and begin - now > self.queue * took:
                continue
            self.free_ns = begin + took
            self.under_way.append((self.free_ns + self.delay_ns, packet))

    def give(self):
        """When the next packet is due, ns; None: there is none."""
        while self.under_way:
            due, packet = self.under_way[0]
            if due > time.monotonic_ns():
                return due
            self.under_way.popleft()
            try:
                os.write(self.sink, packet)
            except OSError:
                pass  # the other side's interface is down, or full: lost
        return None


def main(near, near_device, far, far_device, delay_ms, rate=0, queue=100, loss=0):
    line = [tun(near, near_device), tun(far, far_device)]
    shape = int(float(delay_ms) * 1e6), int(rate), int(queue)
    ways = [Direction(*line, *shape, int(loss)), Direction(*reversed(line), *shape, 0)]
    poll = select.epoll()
    for fd in line:
        poll.register(fd, select.EPOLLIN)
    while True:
        dues = [due for due in (way.give() for way in ways) if due is not None]
        wait = (min(dues) - time.monotonic_ns()) / NS if dues else None
        poll.poll(None if wait is None else max(wait, 0))
        for way in ways:
            way.take()


if __name__ == "__main__":
    if not 6 <= len(sys.argv) <= 9:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
