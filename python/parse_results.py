#!/usr/bin/env python3
"""Prints what a result file holds: the least that a reader must do.

    make python/messages_pb2.py
    python3 python/parse_results.py results.bin.gz

tcp_flowgen_results.py beside this file does the rest: parts, columns, the run's data.
"""

import gzip
import struct
import sys

import messages_pb2


def open_results(name):
    return gzip.open(name, "rb") if name.endswith(".gz") else open(name, "rb")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: parse_results.py RESULTS")
    with open_results(sys.argv[1]) as file:
        while True:
            head = file.read(4)
            if len(head) < 4:
                break
            (length,) = struct.unpack("!I", head)
            flow = messages_pb2.Flow()
            flow.ParseFromString(file.read(length))
            params = flow.params
            print(
                f"flow {params.id}: {params.src} -> {params.dst}, "
                f"{len(flow.TxTCPInfo)} samples of {params.src}, "
                f"{len(flow.RxTCPInfo)} samples of {params.dst}"
            )
            if flow.TxTCPInfo:
                last = flow.TxTCPInfo[-1]
                print(f"  at {last.ts:.3f} s: {last.ThruBytesAcked} bytes acknowledged")


if __name__ == "__main__":
    main()
