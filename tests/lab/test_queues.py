"""What the agent of a router says of its queues, against `tc -s` and `ip -s`: 20 Mbit/s, 20 ms.

Each kind of queue that marks counts its marks in a place of its own.
"""

import json

import pytest
from dumbbell import ROUTERS, scenario
from harness import COMPLETE

ROUTER = {**ROUTERS["R1"], "interfaces": "narrow,hosts"}
QUEUES = {
    "choke": ("limit", 100, "min", 5, "max", 30, "bandwidth", "20mbit", "probability", 0.5, "ecn"),
    "codel": ("limit", 100, "target", "2ms", "interval", "20ms", "ecn"),
    "fq": ("limit", 100, "ce_threshold", "2ms"),
    "fq_codel": ("limit", 100, "target", "2ms", "interval", "20ms", "ecn"),
    "pie": ("limit", 100, "target", "2ms", "tupdate", "2ms", "ecn"),
    "red": ("limit", 150000, "min", 10000, "max", 60000, "avpkt", 1500, "burst", 10,
            "probability", 0.2, "bandwidth", "20mbit", "ecn"),
    "sfb": ("limit", 100, "max", 15, "target", 5),
    "cake": ("besteffort", "rtt", "10ms", "ack-filter"),
}  # fmt: skip
# Behind the last row: ARP and router solicitations; and what a sink's FIN brings about whose peer's reset
# was dropped by the queue: it comes late, and is answered by one more reset.
CHATTER = {"bytes": 400, "packets": 5, "drops": 0, "overlimits": 0}
LATE_RESET = {"bytes": 70, "packets": 1, "drops": 1, "overlimits": 1}
SILENT = {"pfifo": ("limit", 20), "sfq": ("limit", 20)}


@pytest.fixture(scope="module")
def router(bed):
    """The bed, with an agent on r1."""
    bed.agent("R1")
    return bed


def measure(router, kind, words):
    router.net.rate("20mbit", (kind, *words))
    router.net.delay(20)
    # Several, for choke drops a flow's packet rather than marking it when it finds two of them.
    spec = scenario(*8 * [{"duration": "2s", "ecn": True}], {"duration": "2s"})
    spec["hosts"] = {**spec["hosts"], "R": ROUTER}
    seen = router.measure(spec, "-i", "25ms", watch=())
    assert all(flow.result.status == COMPLETE for flow in seen.flows)
    from tcp_flowgen_results import hosts

    (rows,) = (host for host in hosts(seen.run) if host.agent.mgmt == ROUTER["mgmt"])
    return seen, rows


def told(figures, name):
    """A counter of `tc -j`, wherever in it it stands; None: nowhere."""
    if isinstance(figures, dict):
        found = [figures[name]] if isinstance(figures.get(name), int) else []
        found += [told(value, name) for value in figures.values() if not isinstance(value, int)]
    else:
        found = [told(value, name) for value in figures] if isinstance(figures, list) else []
    found = [value for value in found if value is not None]
    return sum(found) if found else None


def late_resets(seen):
    """Of a, by its own counter: each connection ends with one, others are answers to late FINs."""
    return seen.counters["a"]["TcpOutRsts"] - seen.counters["a"]["TcpActiveOpens"]


def check_root(router, seen, rows, device):
    """The interface and its root queue, where nothing but neighbours' talk moves any more."""
    shown = json.loads(router.net.tc("r1", "-j", "-s", "qdisc", "show", "dev", device))
    root = next(queue for queue in shown if queue.get("root"))
    ours = rows.interfaces[device]
    assert rows.qdiscs[device] == root["kind"]
    for name in ("requeues", "backlog", "qlen"):
        assert ours["qdisc_" + name][-1] == root[name], (device, name)
    late = late_resets(seen)
    behind = {name: few + late * LATE_RESET[name] for name, few in CHATTER.items()}
    for name, most in behind.items():
        assert 0 <= root[name] - ours["qdisc_" + name][-1] <= most, (device, name)
    words = ("ip", "-j", "-s", "link", "show", "dev", device)
    (link,) = json.loads(router.net.inside("r1", *words))
    for way in ("rx", "tx"):
        for name in ("bytes", "packets", "errors", "dropped"):
            more = link["stats64"][way][name] - ours[f"{way}_{name}"][-1]
            assert 0 <= more <= behind.get(name, 0), (device, way, name)
    return ours


@pytest.mark.parametrize("kind", QUEUES)
def test_marks(router, figure, kind):
    seen, rows = measure(router, kind, QUEUES[kind])
    ours = check_root(router, seen, rows, "narrow")
    check_root(router, seen, rows, "hosts")
    marks = [told(seen.queue, name) for name in ("marked", "ecn_mark", "ce_mark")]
    marks = [count for count in marks if count is not None]
    assert marks, seen.queue
    assert ours["qdisc_marks"][-1] == sum(marks) > 0
    figure(f"{kind}, marks; tc -s", ours["qdisc_marks"][-1], sum(marks), 0)
    assert max(ours["qdisc_backlog"]) > 0
    *with_ecn, without = (flow.src.columns["delivered_ce"][-1] for flow in seen.flows)
    assert sum(with_ecn) > 0 and without == 0


@pytest.mark.parametrize("kind", SILENT)
def test_queues_that_do_not_mark(router, kind):
    seen, rows = measure(router, kind, SILENT[kind])
    ours = check_root(router, seen, rows, "narrow")
    assert set(ours["qdisc_marks"]) == {None}
    assert ours["qdisc_drops"][-1] == seen.queue["drops"] > 0
