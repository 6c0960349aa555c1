"""Flows that start at different times, and rates that count no waiting."""

import json

import pytest
from harness import COMPLETE, INSTRUMENTED, ends, moment

MS = 1_000_000
# For a busy machine; flows here start further apart.
MARGIN = (5000 if INSTRUMENTED else 200) * MS

FLOWS = (
    {"duration": "1s"},
    {"duration": "1s", "start": "1.2s"},
    {"duration": "800ms", "start": "500ms", "connect": "at_start"},
    {"duration": "500ms", "start": "300ms", "end": "abort"},
)
STARTS = [0, 1200 * MS, 500 * MS, 300 * MS]


def test_starts_are_kept(pair):
    outcome = pair.run(*FLOWS).must(0)
    flows = outcome.flows
    assert [flow.result.start_ns for flow in flows] == STARTS
    assert [flow.result.connect for flow in flows] == ["ahead", "ahead", "at_start", "ahead"]
    assert [flow.result.end for flow in flows] == ["drain", "drain", "drain", "abort"]
    error = max(agent.clock.error_ns for agent in outcome.run.agents)
    for flow in flows:
        start = flow.result.start_ns
        assert flow.result.status == COMPLETE, flow.result.error
        for report, _, _ in ends(flow):
            assert start - error <= moment(report, "first_byte") <= start + MARGIN
        opened = moment(flow.result.src, "connect")
        if flow.result.connect == "ahead":
            assert opened < start
        else:
            assert start - error <= opened <= start + MARGIN

    summary = pair.lab.command(pair.where, "summary", outcome.output, "--json").must(0)
    for flow, figures in zip(flows, json.loads(summary.stdout)["flows"]):
        stop = moment(flow.result.dst, "stop")
        over = flow.result.start_ns + flow.result.duration_ns
        assert over - error <= stop <= over + MARGIN
        begun = moment(flow.result.src, "first_byte")
        # An aborted flow's ends with its last arrival.
        last = figures["goodput_from_ns"] + figures["goodput_ns"]
        assert last <= stop and (last == stop or figures["goodput_most_bps"])
        goodput = flow.result.dst.payload_bytes_stop * 8e9 / (last - begun)
        assert figures["id"] == flow.params.id
        assert figures["goodput_bps"] == pytest.approx(goodput, rel=1e-6)
        assert figures["goodput_from_ns"] == begun and figures["goodput_basis"] == "kernels"


def test_plan_tells_what_would_run(pair):
    path = pair.lab.write(pair.scenario(*FLOWS, label="starts"))
    outcome = pair.lab.command(None, "plan", path, "--json").must(0)
    plan = json.loads(outcome.stdout)
    assert plan["label"] == "starts"
    assert plan["hosts"]["B"] == pair.hosts["B"] | {
        key: value for key, value in plan["hosts"]["B"].items() if key not in pair.hosts["B"]
    }
    assert [flow["start_ns"] for flow in plan["flows"]] == STARTS
    first = plan["flows"][0]
    assert first["id"] == 0 and (first["src"], first["dst"]) == ("A", "B")
    assert first["duration_ns"] == 1000 * MS and first["ccalg"] == "cubic"
    assert (first["ecn"], first["nodelay"]) == (False, False)
    assert (first["connect"], first["end"]) == ("ahead", "drain")
    text = pair.lab.command(None, "plan", path).must(0).stdout
    assert "1.2s" in text and "at_start" in text
