#!/usr/bin/python3
"""Draws goodput, congestion window and RTT of every flow over time: an example to start from.

    sudo apt-get install python3-protobuf python3-matplotlib
    make python/messages_pb2.py
    /usr/bin/python3 python/plot_results.py results.pb.gz plot.png
"""

import sys

import matplotlib

matplotlib.use("Agg")  # into a file, without a display
from matplotlib import pyplot

import tcp_flowgen_results


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot_results.py RESULTS PICTURE")
    figure, (rate, window, rtt) = pyplot.subplots(3, sharex=True, figsize=(8, 8))
    for flow in tcp_flowgen_results.read(sys.argv[1]):
        params, columns = flow.params, flow.src.columns
        ccalg = flow.src.report.ccalg if flow.src.report else params.ccalg
        name = f"{params.id}: {params.src} to {params.dst}, {ccalg}"
        intervals = flow.dst.goodput()[:-1]  # without the moments between the last tick and the close
        rate.plot([to for _, to, _ in intervals], [bps / 1e6 for *_, bps in intervals], label=name)
        window.plot(columns["ts"], columns["snd_cwnd"])
        rtt.plot(columns["ts"], [1000 * seconds for seconds in columns["RTT"]])
    rate.set_ylabel("goodput, Mbit/s")
    window.set_ylabel("congestion window, segments")
    rtt.set_ylabel("RTT, ms")
    rtt.set_xlabel("time, s")
    rate.legend()
    figure.savefig(sys.argv[2], bbox_inches="tight")


if __name__ == "__main__":
    main()
