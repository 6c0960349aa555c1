"""docs/results.md has every field of the result file's messages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The keys of the summary have a test of their own (tests/integration/test_json_reference.py).
REFERENCE = re.sub(
    r"^## The summary as JSON\n.*?(?=^## )",
    "",
    (ROOT / "docs" / "results.md").read_text(),
    flags=re.M | re.S,
)
# `goodput_ns`, and the last name of `totals.together_bps` or `.error_ns`.
PROSE = re.sub(r"^```.*?^```", "", REFERENCE, flags=re.M | re.S)
NAMED = set(re.findall(r"`(?:[\w.\[\]]*\.)?(\w+)(?:\[\])?`", PROSE))
PROTO = re.sub(r"//.*", "", (ROOT / "proto" / "messages.proto").read_text())
FIELD = re.compile(r"^ +(?:repeated )?[A-Za-z]\w* (\w+) = \d+;", re.M)
MESSAGES = {
    name: FIELD.findall(re.sub(r"enum \w+ \{.*?\}", "", body, flags=re.S))
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", PROTO, re.M | re.S)
}


def test_messages_are_found():
    wanted = "Run RunAgent FlowResult EndReport Reading Ledger Verdict".split()
    assert set(wanted) <= set(MESSAGES)
    assert "busy_us" in MESSAGES["Reading"] and "lateness" in MESSAGES["EndReport"]


@pytest.mark.parametrize("message", MESSAGES)
def test_every_field_is_explained(message):
    assert MESSAGES[message], "no field found"
    missing = [field for field in MESSAGES[message] if field not in NAMED]
    assert not missing, f"docs/results.md lacks {missing}"
