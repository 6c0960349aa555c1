#!/usr/bin/python3
"""Draws goodput, congestion window and RTT of every flow over time: an example to start from.

    sudo apt-get install python3-protobuf python3-matplotlib
    make python/messages_pb2.py
    /usr/bin/python3 python/plot_results.py results.pb.gz plot.png

A flow has one colour in all its runs.  Of many flows the first have colours, the others are grey.
"""

import math
import sys

import matplotlib

matplotlib.use("Agg")  # into a file, without a display
from matplotlib import pyplot

import tcp_flowgen_results

COLOURS = [f"C{number}" for number in range(10) if number != 7] + ["black"]  # C7 is a grey
GREY = "0.7"


def flows_by_name(path):
    """The runs of each flow."""
    flows = {}
    for flow in tcp_flowgen_results.read(path):
        params, report = flow.params, flow.src.report
        ccalg = report and report.ccalg or params.ccalg  # empty: not known
        name = f"{params.id}: {params.src} to {params.dst}" + (f", {ccalg}" if ccalg else "")
        flows.setdefault(name, []).append(flow)
    return flows


def plot(panel, columns, times, values, **style):
    """Leaves out the sample before the close, off the ticks: it may be moments behind another."""
    ticks = columns.get("tick")
    close = columns["ts"][-1] if ticks and ticks[-1] < 0 else math.inf
    points = [(time, value) for time, value in zip(times, values) if time < close]
    panel.plot([time for time, _ in points], [value for _, value in points], **style)


def draw(panels, flow, **style):
    rate, window, rtt = panels
    src, dst = flow.src.columns, flow.dst.columns
    intervals = flow.dst.goodput()
    plot(rate, dst, [to for _, to, _ in intervals], [bps / 1e6 for *_, bps in intervals], **style)
    plot(window, src, src["ts"], src.get("snd_cwnd", []), **style)
    plot(rtt, src, src["ts"], [1000 * seconds for seconds in src["RTT"]], **style)


def draw_all(panels, flows):
    """Returns the legend's lines and their names."""
    lines, names = [], []
    for number, (name, runs) in enumerate(flows.items()):
        named = number < len(COLOURS)
        style = {"color": COLOURS[number] if named else GREY, "zorder": 2 if named else 1}
        if named:
            lines.append(pyplot.Line2D([], [], **style))
            names.append(name + (f", {len(runs)} runs" if len(runs) > 1 else ""))
        if len(runs) > 1 or not named:
            style |= {"linewidth": 0.8, "alpha": 0.6}
        for flow in runs:
            draw(panels, flow, **style)
    if len(flows) > len(COLOURS):
        lines.append(pyplot.Line2D([], [], color=GREY))
        names.append(f"and {len(flows) - len(COLOURS)} more")
    return lines, names


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot_results.py RESULTS PICTURE")
    figure, panels = pyplot.subplots(3, sharex=True, figsize=(8, 8))
    lines, names = draw_all(panels, flows_by_name(sys.argv[1]))
    rate, window, rtt = panels
    rate.set_ylabel("goodput, Mbit/s")
    window.set_ylabel("window, segments")
    rtt.set_ylabel("RTT, ms")
    rtt.set_xlabel("time, s")
    # Below the panels: the picture becomes as high as it must.
    rtt.legend(lines, names, loc="upper center", bbox_to_anchor=(0.5, -0.25), ncol=2)
    figure.savefig(sys.argv[2], bbox_inches="tight")


if __name__ == "__main__":
    main()
