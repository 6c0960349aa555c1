"""scripts/lab, as users start it."""

import json
import os
import subprocess

import harness
import pytest
import uml

SCENARIO = harness.ROOT / "examples" / "lab.json"


def box(*words, cwd):
    environment = {**os.environ, "TCP_FLOWGEN": str(harness.PROGRAM)}
    return subprocess.run(
        ["/usr/bin/python3", uml.HERE / "box.py", *map(str, words)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, env=environment,
        timeout=120,
    )  # fmt: skip


def test_scenario_in_the_box(tmp_path):
    if uml.why_not():
        pytest.skip(uml.why_not())
    scenario = json.loads(SCENARIO.read_text())
    for flow in scenario["flows"]:
        flow |= {"start": "0s", "duration": "2s"}
    (tmp_path / "short.json").write_text(json.dumps(scenario))
    asked = "--rate", "10mbit", "--rtt", "60ms", "--queue", "fq_codel limit 200", "--loss", "0.5"
    done = box(*asked, "short.json", "-o", "r.pb", "-i", "50ms", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 complete" in done.stdout
    flows = harness.read_results(tmp_path / "r.pb")
    for flow in flows:
        assert flow.result.status == harness.COMPLETE
        assert min(row.RTT for row in flow.TxTCPInfo) > 0.058
    goodput = sum(flow.result.dst.payload_bytes_stop * 8 for flow in flows) / 2
    assert 1e6 < goodput < 10e6


def test_what_it_refuses(tmp_path):
    for words, said in (
        (("--rtt", "20"), "no time"),
        (("--loss", "101"), "0 to 100"),
        ((), "terminal" if not uml.why_not() else "lab: "),
    ):
        done = box(*words, cwd=tmp_path)
        assert done.returncode != 0 and said in done.stderr
