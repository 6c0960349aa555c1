"""scripts/lab, as users start it."""

import json
import os
import subprocess
import time

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
    from tcp_flowgen_results import hosts

    (router,) = (host for host in hosts(flows[0].run) if host.agent.mgmt == "10.9.3.1:8840")
    assert router.qdiscs == {"narrow": "htb"}
    assert max(router.interfaces["narrow"]["qdisc_backlog"]) > 10_000


def test_what_it_refuses(tmp_path):
    """At once, before a machine boots."""
    (tmp_path / "wrong.json").write_text('{"hosts": {},}')
    scenario = json.loads(SCENARIO.read_text())
    scenario["hosts"]["B"] = {"mgmt": "192.0.2.1:8840", "host": "192.0.2.1"}
    (tmp_path / "strange.json").write_text(json.dumps(scenario))
    for words, said in (
        (("--rtt", "20"), "no time"),
        (("--loss", "101"), "0 to 100"),
        (("--rate", "20xbit"), '"20xbit" is no rate such as 20mbit'),
        (("--rate", "20mbps"), '"20mbps" is no rate'),
        (("--rate", "0mbit"), "no rate"),
        (("--memory", "512"), "no size"),
        (("missing.json",), "missing.json: the file cannot be opened"),
        (("wrong.json", "-o", "r.pb"), "wrong.json: line 1, column 13: a comma"),
        (("strange.json",), 'strange.json: host B: the lab has no agent "192.0.2.1:8840"'),
        (("strange.json",), '"B": {"mgmt": "10.9.2.1:8840", "host": "10.2.0.2"}'),
        ((), "terminal" if not uml.why_not() else "lab: "),
    ):
        begin = time.monotonic()
        done = box(*words, cwd=tmp_path)
        assert done.returncode != 0 and said in done.stderr
        assert "Traceback" not in done.stderr
        assert time.monotonic() - begin < 2 or uml.why_not()


def test_a_machine_that_does_not_come_up(tmp_path):
    """Too little memory for its kernel."""
    if uml.why_not():
        pytest.skip(uml.why_not())
    done = box("--memory", "8M", SCENARIO, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    begin, failed = done.stderr.splitlines()[:2]
    assert begin == "lab: boots a machine, which takes some seconds"
    assert failed == "scripts/lab: the machine failed: the machine has ended"


def test_a_boot_that_takes_long_is_told(capsys):
    from box import telling_that_it_boots

    with telling_that_it_boots(every=0.02):
        time.sleep(0.3)
    begin, *again, end = capsys.readouterr().err.splitlines()
    assert begin == "lab: boots a machine, which takes some seconds"
    assert len(again) > 1 and {line for line in again} == {"lab: still boots, after 0 s"}
    assert end == "lab: ready after 0.3 s"


def test_a_queue_that_there_is_not(tmp_path):
    if uml.why_not():
        pytest.skip(uml.why_not())
    done = box("--queue", "fq_codel nonsense", SCENARIO, cwd=tmp_path)
    assert done.returncode == 1 and "such a link cannot be made" in done.stderr
    assert 'What is "nonsense"?' in done.stderr and "Traceback" not in done.stderr
