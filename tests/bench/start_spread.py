#!/usr/bin/python3
"""How close together flows of one start time begin, seen by a packet capture.

usage: tests/bench/start_spread.py [FLOWS...]   (default: 2 100), as root

Each run has a network namespace of its own.  The capture (tcpdump on its loopback) gives for every
connection the time of its first payload packet behind the 16-byte token; printed is the spread from the first
to the last of them, and how far the first is from the planned start, by the result file's own account.
"""

import gzip
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bed

TOKEN = 16
ROUNDS = 5


def packets(path):
    """Time (s), source and destination (address and port) and payload length of each TCP segment in a pcap file."""
    data = path.read_bytes()
    magic = struct.unpack_from("<I", data)[0]
    unit = 1e-9 if magic == 0xA1B23C4D else 1e-6
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, stored, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + stored]
        at += 16 + stored
        ip = frame[14:]
        if len(ip) < 40 or ip[0] >> 4 != 4 or ip[9] != 6:
            continue
        header = (ip[0] & 15) * 4
        length = struct.unpack_from("!H", ip, 2)[0]
        source, target = struct.unpack_from("!HH", ip, header)
        # Segments larger than a length field can say (BIG TCP) have 0 there; they carry payload.
        payload = (length or 65536) - header - (ip[header + 12] >> 4) * 4
        yield seconds + fraction * unit, source, target, payload


def first_payloads(path, ports):
    """By connection: when the first payload behind the token left the opening end.  Proofs begin with none."""
    seen, first = set(), {}
    for when, source, target, payload in packets(path):
        if target not in ports or payload <= 0:
            continue
        key = source, target
        if key not in seen and payload == TOKEN:
            seen.add(key)
        elif key in seen and key not in first:
            first[key] = when
    return first


def run(flows, directory):
    capture = directory / "lo.pcap"
    results = directory / "results.pb.gz"
    (directory / "scenario.json").write_text(json.dumps(bed.scenario(flows, 0.2)))
    with bed.namespace("spread") as inside:
        dump = subprocess.Popen(
            inside + ["tcpdump", "-i", "lo", "-s", "96", "-B", "65536", "-w", str(capture), "--time-stamp-precision=nano", "tcp"],
            stderr=subprocess.PIPE,
        )
        dump.stderr.readline()  # "listening on lo"
        subprocess.run(
            inside + [bed.PROGRAM, "run", "--local", "--quiet", "-o", str(results), str(directory / "scenario.json")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.3)
        dump.terminate()
        dump.wait()
    sys.path.insert(0, str(bed.ROOT / "python"))
    import messages_pb2

    ports, lateness = set(), []
    with gzip.open(results) as file:
        while header := file.read(4):
            flow = messages_pb2.Flow.FromString(file.read(struct.unpack("!I", header)[0]))
            ports.add(flow.params.port)
            lateness.append(flow.result.src.first_byte_ns - flow.result.start_ns)
    first = first_payloads(capture, ports)
    if len(first) != flows:
        sys.exit(f"{len(first)} of {flows} flows in the capture")
    return max(first.values()) - min(first.values()), min(lateness), max(lateness)


def main():
    print("flows  spread of first data bytes (us): min / median / max of 5 runs   first byte behind its start (us): least, most")
    for flows in map(int, sys.argv[1:] or ["2", "100"]):
        rounds = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as directory:
                rounds.append(run(flows, Path(directory)))
        spreads = sorted(spread * 1e6 for spread, _, _ in rounds)
        least = statistics.median(low for _, low, _ in rounds) / 1e3
        most = statistics.median(high for _, _, high in rounds) / 1e3
        print(f"{flows:5}  {spreads[0]:.0f} / {statistics.median(spreads):.0f} / {spreads[-1]:.0f}   {least:.0f}, {most:.0f}")


if __name__ == "__main__":
    main()
