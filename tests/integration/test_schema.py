"""The scenario's keys stand in one place, the program: the schema and the manual are printed from
there, and the schema and the program agree on what is right.

After a key was changed:  tests/integration/test_schema.py [PROGRAM]  writes both documents anew.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import PROGRAM, ROOT

SCHEMA = ROOT / "docs" / "scenario.schema.json"
MANUAL = ROOT / "docs" / "scenario.md"
BEGIN, END = (f"<!-- {word}: tcp-flowgen schema --markdown -->\n" for word in ("begin", "end"))

RIGHT = {
    "hosts": {
        "A": {"mgmt": "localhost:8841", "host": "127.0.0.1"},
        "B": {"mgmt": "[fd00::1]:8842", "host": "fe80::1%eth0", "bind": "any", "device": "eth0.1"},
    },
    "flows": [{"id": 0, "src": "A", "dst": "B", "duration": "1m30.5s"}],
}
ABSENT = object()


def printed(*flags):
    argv = [PROGRAM, "schema", *flags]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=60)
    return done.stdout.decode()


def manual_with(tables):
    before, rest = MANUAL.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + tables + END + after


def changed(*changes):
    """RIGHT with (path, value) changes; the value ABSENT takes the member away."""
    scenario = copy.deepcopy(RIGHT)
    for path, value in changes:
        *way, last = (int(word) if word.isdigit() else word for word in path.split("."))
        place = scenario
        for word in way:
            place = place.setdefault(word, {}) if isinstance(word, str) else place[word]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return scenario


@pytest.fixture(scope="module")
def accepts():
    """Whether the schema accepts a scenario."""
    jsonschema = pytest.importorskip("jsonschema")
    if not hasattr(jsonschema, "Draft202012Validator"):
        pytest.skip("jsonschema is too old for draft 2020-12")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid


def test_schema_is_the_printed_one():
    assert SCHEMA.read_text() == printed()


def test_manual_has_the_printed_tables():
    assert MANUAL.read_text() == manual_with(printed("--markdown"))


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.json")), ids=lambda path: path.name)
def test_examples_are_right(lab, accepts, path):
    assert accepts(json.loads(path.read_text()))
    lab.command(None, "plan", path).must(0)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("flows.0.start", "0"), ("interval", "1ms"), ("max_duration", "+2h"), ("max_flows", 1)],
        [("flows.0.label", "x" * 200), ("flows.0.ccalg", ""), ("flows.0.ecn", None)],
        [("flows.0.comment", [1, {"two": None}]), ("hosts.A.comment", 3.5), ("comment", False)],
        [("$schema", "scenario.schema.json"), ("defaults", None)],
        [("flows.0.send_rate", "10Mbit/s"), ("max_rate", "0.01 Gbit/s")],
        [("flows.0.read_rate", "0"), ("flows.0.pacing_rate", "1.5kbit/s"), ("max_rate", None)],
        [("flows.0.mss", 88), ("flows.0.send_buffer", 0), ("flows.0.receive_buffer", 4096)],
        [("flows.0.id", 1000.0), ("flows.0.mss", 1.4e3), ("max_flows", 1.0)],
        [("defaults.flow.send_rate", "1000bit/s"), ("flows.0.mss", None)],
        [("defaults.flow.duration", "1µs"), ("flows.0.duration", ABSENT)],
        [("defaults.flow.src", "A"), ("flows.0.src", None), ("defaults.comment", "c")],
        [("defaults.flow.comment", "c"), ("defaults.host.bind", "::"), ("hosts.A.bind", None)],
        [("hosts.A.mgmt", "unix:/run/x y.sock"), ("hosts.B.mgmt", "unix:" + "p" * 107)],
        [("defaults.host.mgmt", "a:1"), ("hosts.A.mgmt", ABSENT), ("hosts.B.mgmt", None)],
    ],
    ids=lambda changes: " ".join(path for path, _ in changes) or "as it is",
)
def test_both_accept(lab, accepts, changes):
    scenario = changed(*changes)
    lab.command(None, "plan", lab.write(scenario)).must(0)
    assert accepts(scenario)


@pytest.mark.parametrize(
    "path, value",
    [
        ("hosts", ABSENT),
        ("hosts", None),
        ("hosts", {}),
        ("flows", ABSENT),
        ("flows", []),
        ("flows.0", 7),
        ("flows.0.id", ABSENT),
        ("flows.0.id", None),
        ("flows.0.id", "0"),
        ("flows.0.id", 2**31),
        ("flows.0.src", ABSENT),
        ("flows.0.src", None),
        ("flows.0.dst", ""),
        ("flows.0.duration", ABSENT),
        ("flows.0.duration", 10),
        ("flows.0.duration", "10"),
        ("flows.0.duration", "0s"),
        ("flows.0.duration", "-1s"),
        ("flows.0.duration", "1 s"),
        ("flows.0.duration", "1d"),
        ("flows.0.duration", "1ss"),
        ("flows.0.start", ""),
        ("flows.0.start", "."),
        ("flows.0.start", "-1ns"),
        ("flows.0.ccalg", "CUBIC"),
        ("flows.0.ccalg", "a" * 16),
        ("flows.0.ccalgo", "cubic"),
        ("flows.0.ecn", 1),
        ("flows.0.nodelay", "true"),
        ("flows.0.send_rate", 10),
        ("flows.0.send_rate", "10"),
        ("flows.0.send_rate", ""),
        ("flows.0.send_rate", "10MB/s"),
        ("flows.0.read_rate", "10mbit/s"),
        ("flows.0.read_rate", ".5Mbit/s"),
        ("flows.0.pacing_rate", "-1Mbit/s"),
        ("flows.0.send_buffer", 4095),
        ("flows.0.send_buffer", "4096"),
        ("flows.0.receive_buffer", 1073741824),
        ("flows.0.mss", 87),
        ("flows.0.mss", -1),
        ("flows.0.mss", 1400.5),
        ("flows.0.mss", 1e300),
        ("hosts.A.host", "10.0.0.1\u00a0"),
        ("max_rate", "fast"),
        ("flows.0.connect", "early"),
        ("flows.0.end", "Drain"),
        ("flows.0.label", "x" * 201),
        ("flows.0.label", "a\tb"),
        ("hosts.A.mgmt", ABSENT),
        ("hosts.A.mgmt", ":8840"),
        ("hosts.A.mgmt", "localhost"),
        ("hosts.A.mgmt", "localhost:0"),
        ("hosts.A.mgmt", "fd00::1:8840"),
        ("hosts.A.mgmt", "unix:"),
        ("hosts.A.mgmt", "unix:" + "p" * 108),
        ("hosts.A.mgmt", "unix:/a\tb"),
        ("hosts.A.host", "a b"),
        ("hosts.A.host", "localhost:80"),
        ("hosts.A.bind", "name"),
        ("hosts.A.device", "a/b"),
        ("hosts.A.device", ".."),
        ("hosts.A.port", 8840),
        ("hosts.A", "localhost:8840"),
        ("label", 5),
        ("interval", 5),
        ("interval", "0"),
        ("read_size", 0),
        ("write_size", 16777217),
        ("write_size", 0.5),
        ("max_flows", 0),
        ("max_flows", "many"),
        ("max_duration", 24),
        ("max_duration", "0s"),
        ("defaults", []),
        ("defaults.flows", {}),
        ("defaults.flow.id", 1),
        ("defaults.flow.rate", 1),
        ("defaults.flow.duration", "1"),
        ("defaults.host.mgmt", "x"),
        ("defaults.host", 5),
        ("limits", {}),
    ],
    ids=lambda word: "absent" if word is ABSENT else str(word)[:20],
)
def test_both_refuse(lab, accepts, path, value):
    scenario = changed((path, value))
    assert lab.command(None, "plan", lab.write(scenario)).must(2).stderr
    assert not accepts(scenario)


def test_guards_name_the_key_that_lifts_them(lab):
    flows = [{"id": i, "src": "A", "dst": "B", "duration": "1s"} for i in range(20001)]
    path = lab.write(changed(("flows", flows)))
    stderr = lab.command(None, "plan", path).must(2).stderr
    assert '"max_flows": 20001' in stderr and ": 1 problem\n" in stderr
    path = lab.write(changed(("flows", flows), ("max_flows", 20001)))
    lab.command(None, "plan", path).must(0)

    long = ("flows.0.start", "24h"), ("flows.0.duration", "1s")
    stderr = lab.command(None, "plan", lab.write(changed(*long))).must(2).stderr
    assert '"max_duration": "24h0m1s"' in stderr and ": 1 problem\n" in stderr
    path = lab.write(changed(*long, ("max_duration", "24h0m1s")))
    lab.command(None, "plan", path).must(0)


if __name__ == "__main__":
    PROGRAM = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PROGRAM
    SCHEMA.write_text(printed())
    MANUAL.write_text(manual_with(printed("--markdown")))
