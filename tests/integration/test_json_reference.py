"""docs/results.md has every key of the summary as JSON."""

import json
import re

import pytest
from harness import ROOT

PAGE = (ROOT / "docs" / "results.md").read_text()
SECTION = re.search(r"^## The summary as JSON\n(.*?)^## ", PAGE, re.M | re.S)[1]
# `goodput_bps`, or the last name of `.src.paced_bytes`.
PROSE = re.sub(r"^```.*?^```", "", SECTION, flags=re.M | re.S)
NAMED = set(re.findall(r"`(?:[\w.\[\]]*\.)?(\w+)`", PROSE))
LIMITS = {"network", "receiver", "send buffer", "traffic", "host", "unknown"}
FLOWS = (
    {"send_rate": "10Mbit/s", "read_rate": "8Mbit/s", "capture": "headers", "label": "paced"},
    {"ccalg": "reno"},
)


def keys(value, way=""):
    """Every key of a JSON value, with its way.  Names of settings and interfaces, and the verdicts
    of several runs, are data."""
    if isinstance(value, list):
        for item in value:
            yield from keys(item, way + "[]")
    elif isinstance(value, dict):
        names = way.endswith((".settings", ".host.interfaces")) or (
            way.endswith("over_repeats.flows[].limited_by") and set(value) <= LIMITS
        )
        for key, inner in value.items():
            if not names:
                yield f"{way}.{key}", key
            yield from keys(inner, f"{way}.*" if names else f"{way}.{key}")


def assert_explained(summary):
    missing = sorted({way for way, key in keys(summary) if key not in NAMED})
    assert not missing, f"docs/results.md lacks {missing}"


def shape(outcome):
    summary = json.loads(outcome.must(0).stdout)
    assert_explained(summary)
    return summary


def test_one_run(lab, pair):
    outcome = pair.run(*FLOWS, flags=("--json", "--label", "one"))
    summary = shape(outcome)
    assert set(summary) == {"run", "flows", "totals", "warnings"}
    again = lab.command(None, "summary", "--json", outcome.output)
    assert shape(again) == summary
    ways = {way for way, _ in keys(summary)}
    for way in (
        ".flows[].capture.src.packets",
        ".flows[].pace.dst.skipped_share",
        ".flows[].sampling.dst.late_p99_ns",
        ".flows[].ledger.written",
        ".run.agents[].host.interfaces.*.qdisc_backlog_max",
        ".run.clock_discipline.tai_s",
    ):
        assert way in ways


def test_several_runs(lab, pair):
    outcome = pair.run(*FLOWS, flags=("--json", "--repeat", "2", "--warmup", "100ms"))
    summary = shape(outcome)
    assert set(summary) == {"repeats", "over_repeats"}
    assert len(summary["repeats"]) == 2
    for one in summary["repeats"]:
        assert set(one) == {"run", "flows", "totals", "warnings", "warmup_ns"}
    other = pair.run(*FLOWS, flags=("--json", "--repeat", "2", "--warmup", "100ms"))
    files = outcome.output, other.output, outcome.output  # what is given twice counts once
    assert len(shape(lab.command(None, "summary", "--json", *files))["repeats"]) == 4


@pytest.mark.parametrize(
    "key",
    ["peer", "age_ms", "matters", "quartile_3", "t_ns", "other_runs", "standstill_ns", "window_shut",
     "certain", "packet_bytes", "passed_bytes", "neglected_bytes"],
)  # fmt: skip
def test_keys_that_not_every_run_has(key):
    assert key in NAMED
