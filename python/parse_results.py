#!/usr/bin/python3
"""Prints what a result file holds: an example to start from.

    make python/messages_pb2.py
    /usr/bin/python3 python/parse_results.py results.pb.gz      (or -, standard input)

Needs the package python3-protobuf, which is the system's own Python's.  tcp_flowgen_results.py beside
this file reads the records and checks them; it does the rest, too: parts, columns, the run's data.
"""

import signal
import sys

try:
    import tcp_flowgen_results
except ImportError as error:
    sys.exit(
        f"parse_results.py: {error}: it takes `make python/messages_pb2.py` and protobuf for Python"
        " (package python3-protobuf, of /usr/bin/python3)"
    )


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
        for flow in tcp_flowgen_results.records(sys.argv[1]):
            show(flow)
    except tcp_flowgen_results.BrokenFile as error:
        sys.stdout.flush()
        sys.exit(f"parse_results.py: {error} (what stands before it is sound)")
    except OSError as error:
        sys.exit(f"parse_results.py: {error}")


if __name__ == "__main__":
    main()
