"""A stranger at the control port, who asks for much: bounds_stranger.py ADDRESS WHAT

announce  Prepares that announce all the ends that the agent can have, and bring none
nested    Prepares of 4 MiB: a million empty messages, and one field that comes over and over
names     Hellos with names that do not resolve; he does not wait for the answers
wide      Hellos with thousands of hosts, interfaces and algorithms
hello     says Hello until standard input ends

It prints a line of JSON: the status of each call; for `hello` the longest time that one took.
"""

import json
import sys
import threading
import time

import protocol

PATIENCE = 30  # s

pb = protocol.load()


def start(caller, method, request):
    """Requests may be bytes, as no encoder would make them."""
    return caller.begin(method, request, PATIENCE)


def status(call):
    return call.code().name  # waits


def run_id(number):
    return f"{number:032x}"


def prepare(number, **more):
    keys = {"secret": bytes(16), "flow_key": bytes(32)}
    return pb.PrepareRequest(run=run_id(number), **keys, **more).SerializeToString()


def announce(caller):
    reply = pb.HelloReply.FromString(start(caller, "Hello", pb.HelloRequest(protocol=1)).result())
    total = reply.max_ends * 9 // 10
    calls = [prepare(1000 + i, ends_total=total, until_stop=True) for i in range(3)]
    return [status(start(caller, "Prepare", call)) for call in calls]


def nested(caller):
    empty = b"\x32\x00" * ((4 << 20) // 2 - 100)  # an EndSpec
    within = b"\x3a\x00" * ((4 << 20) // 2 - 100)  # a RunHost
    size = len(within)
    length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21])
    again = b"\xc2\x02\x02\x3a\x00" * ((4 << 20) // 5 - 100)  # a Run of one host
    attempts = empty, b"\xc2\x02" + length + within, again
    return [status(start(caller, "Prepare", prepare(2000) + bytes)) for bytes in attempts]


def names(caller):
    hosts = [pb.AgentHost(name=f"h{i}", host=f"host{i}.example.org") for i in range(20)]
    calls = [start(caller, "Hello", pb.HelloRequest(protocol=1, hosts=hosts)) for _ in range(64)]
    time.sleep(0.5)
    for call in calls:
        call.cancel()
    time.sleep(3)  # a busy agent hears of that a little later
    # His own next ones, without a name and with too many.
    own = [pb.AgentHost(name="a", host="127.0.0.1")]
    many = [pb.AgentHost(name=f"h{i}", host=f"host{i}.example.org") for i in range(65)]
    return [
        status(start(caller, "Hello", pb.HelloRequest(protocol=1, hosts=hosts)))
        for hosts in (own, many)
    ]


def wide(caller):
    hosts = [pb.AgentHost(name=f"h{i}", host="127.0.0.1") for i in range(4096)]
    everything = pb.AgentHost(name="a", host="127.0.0.1", interfaces="lo," * 300_000)
    alone = status(start(caller, "Hello", pb.HelloRequest(protocol=1, hosts=hosts)))
    requests = [pb.HelloRequest(protocol=1, hosts=hosts)] * 16
    requests.append(pb.HelloRequest(protocol=1, hosts=[everything]))
    requests.append(pb.HelloRequest(protocol=1, ccalgs=[f"unknown{i}" for i in range(64)]))
    requests.append(pb.HelloRequest(protocol=1, hosts=[pb.AgentHost(host="x" * 2_000_000)]))
    calls = [start(caller, "Hello", request) for request in requests]
    return [alone, *[status(call) for call in calls]]


def hello(caller):
    """With a name that the machine knows by itself."""
    hosts = [pb.AgentHost(name="a", host="127.0.0.1"), pb.AgentHost(name="b", host="localhost")]
    longest, done = 0, threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    while not done.is_set():
        begin = time.monotonic()
        reply = start(caller, "Hello", pb.HelloRequest(protocol=1, hosts=hosts)).result()
        longest = max(longest, time.monotonic() - begin)
        told = pb.HelloReply.FromString(reply)
        assert not any(host.error for host in told.hosts), told.hosts
        time.sleep(0.02)
    return longest


def main(address, what):
    with protocol.Caller(address) as caller:
        print(json.dumps(globals()[what](caller)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
