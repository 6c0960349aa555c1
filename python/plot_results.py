#!/usr/bin/python3
"""Draws goodput, congestion window and RTT of every flow over time: an example to start from.

    sudo apt-get install python3-protobuf python3-matplotlib
    make python/messages_pb2.py
    /usr/bin/python3 python/plot_results.py results.pb.gz plot.png

A flow has one colour in all its runs.  Of many flows the first have colours, the others are grey.
Where samples were missed there is no line.
"""

import math
import sys

try:
    import matplotlib

    matplotlib.use("Agg")  # into a file, without a display
    from matplotlib import pyplot

    import tcp_flowgen_results
except ImportError as error:
    sys.exit(
        f"plot_results.py: {error}: it takes `make python/messages_pb2.py`, and matplotlib and protobuf"
        " for Python (packages python3-matplotlib and python3-protobuf, of /usr/bin/python3)"
    )

COLOURS = [f"C{number}" for number in range(10) if number != 7] + ["black"]  # C7 is a grey
GREY = "0.7"


def name_of(flow):
    params, report = flow.params, flow.src.report
    ccalg = report and report.ccalg or params.ccalg  # empty: not known
    label = flow.result and flow.result.label
    return (
        f"{params.id}: {params.src} to {params.dst}"
        + (f", {ccalg}" if ccalg else "")
        + (f", {label}" if label else "")
    )


def flows_by_name(path):
    """The runs of each flow; and what is wrong with the file behind them, if anything is."""
    flows = {}
    try:
        for flow in tcp_flowgen_results.read(path):
            flows.setdefault(name_of(flow), []).append(flow)
    except OSError as error:
        return flows, str(error)
    except tcp_flowgen_results.BrokenFile as error:
        return flows, str(error) if flows else f"{error} (it is no result file, or its first record is broken)"
    return flows, None if flows else f"{path}: there is no flow in it: is it a result file?"


def titles(flows):
    """The labels of the runs, each once."""
    runs = [flow.of_run for runs in flows.values() for flow in runs]
    return ", ".join(dict.fromkeys(run.label for run in runs if run and run.label))


def points(columns, times, values):
    """Of samples: a gap behind those that follow none of the tick before, and without the sample
    before the close, which is off the ticks: it may be moments behind another."""
    ticks = columns.get("tick") or range(len(times))  # the earlier program's files have none
    last = None
    for tick, time, value in zip(ticks, times, values):
        if tick < 0:
            continue
        if last is not None and tick > last + 1:
            yield (time, math.nan)
        if value is not None:
            yield (time, value)
        last = tick


def plot(panel, columns, times, values, **style):
    drawn = list(points(columns, times, values))
    panel.plot([time for time, _ in drawn], [value for _, value in drawn], **style)


def draw(panels, flow, **style):
    rate, window, rtt = panels
    src, dst = flow.src.columns, flow.dst.columns
    # An interval's rate stands at its end, at the time of a sample.
    rates = {to: bps / 1e6 for _, to, bps in flow.dst.goodput()}
    plot(rate, dst, dst["ts"], [rates.get(time) for time in dst["ts"]], **style)
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
        # A sample between two gaps is a dot.
        style |= {"marker": ".", "markersize": 2}
        for flow in runs:
            draw(panels, flow, **style)
    if len(flows) > len(COLOURS):
        lines.append(pyplot.Line2D([], [], color=GREY))
        names.append(f"and {len(flows) - len(COLOURS)} more")
    return lines, names


def plain(text):
    """What stands between two "$" would be a formula."""
    return text.replace("$", r"\$")


def begin_at_zero(panels):
    """A difference looks as large as it is; noise about nothing has no scale of its own."""
    for panel in panels:
        drawn = [value for line in panel.lines for value in line.get_ydata() if math.isfinite(value)]
        panel.set_ylim(bottom=0, top=None if any(drawn) else 1)
    times = [time for line in panels[0].lines for time in line.get_xdata()]
    panels[0].set_xlim(left=min([0, *times]))  # shared; connections may be older


def picture(flows, path):
    figure, panels = pyplot.subplots(3, sharex=True, figsize=(8, 8))
    lines, names = draw_all(panels, flows)
    rate, window, rtt = panels
    begin_at_zero(panels)
    rate.set_title(plain(titles(flows)))
    rate.set_ylabel("goodput, Mbit/s")
    window.set_ylabel("window, segments")
    rtt.set_ylabel("RTT, ms")
    rtt.set_xlabel("time, s")
    # Below the panels: the picture becomes as high as it must.
    rtt.legend(lines, [plain(name) for name in names], loc="upper center", bbox_to_anchor=(0.5, -0.25), ncol=2)
    figure.savefig(path, bbox_inches="tight")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot_results.py RESULTS PICTURE")
    flows, wrong = flows_by_name(sys.argv[1])
    if flows:
        try:
            picture(flows, sys.argv[2])
        except (OSError, ValueError) as error:  # no place for it; a format that there is not
            sys.exit(f"plot_results.py: {sys.argv[2]}: {error}")
    if wrong:
        sys.exit(f"plot_results.py: {wrong}" + (" (what stands before it is drawn)" if flows else ""))


if __name__ == "__main__":
    main()
