#!/usr/bin/python3
"""Prints what a result file holds: the least that a reader must do.

    make python/messages_pb2.py
    /usr/bin/python3 python/parse_results.py results.pb.gz      (or -, standard input)

Needs the package python3-protobuf, which is the system's own Python's.  tcp_flowgen_results.py beside
this file does the rest: parts, columns, the run's data.
"""

import gzip
import signal
import struct
import sys
import zlib

try:
    import messages_pb2
    from google.protobuf.message import DecodeError
except ImportError as error:
    sys.exit(
        f"parse_results.py: {error}: it takes `make python/messages_pb2.py` and protobuf for Python"
        " (package python3-protobuf, of /usr/bin/python3)"
    )


def open_results(name):
    """Gzipped or not, whatever it is called; it may be a pipe, which is read once."""
    file = sys.stdin.buffer if name == "-" else open(name, "rb")
    return gzip.open(file) if file.peek(3)[:3] == b"\x1f\x8b\x08" else file


def records(file):
    """Each message of the file; EOFError where one is cut short."""
    while head := file.read(4):
        if len(head) < 4:
            raise EOFError("the file ends in the middle of a record's length")
        (length,) = struct.unpack("!I", head)
        data = file.read(length)
        if len(data) < length:
            raise EOFError("the file ends in the middle of a record")
        yield messages_pb2.Flow.FromString(data)


def show(flow):
    params = flow.params
    print(
        f"flow {params.id}: {params.src} -> {params.dst}, "
        f"{len(flow.TxTCPInfo)} samples of {params.src}, "
        f"{len(flow.RxTCPInfo)} samples of {params.dst}"
    )
    if flow.TxTCPInfo:
        last = flow.TxTCPInfo[-1]
        print(f"  at {last.ts:.3f} s: {last.ThruBytesAcked} bytes acknowledged")


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it, as it does other programs
    if len(sys.argv) != 2:
        sys.exit("usage: parse_results.py RESULTS")
    try:
        with open_results(sys.argv[1]) as file:
            for flow in records(file):
                show(flow)
    except (EOFError, OSError, zlib.error, DecodeError) as error:
        sys.stdout.flush()
        sys.exit(f"parse_results.py: {sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
