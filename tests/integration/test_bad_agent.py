"""What a broken agent, or one that means ill, sends costs no other flow anything: it is given up and
named, and the result has the rest."""

import re
import signal
import sys
import time
from pathlib import Path

import pytest
from harness import COMPLETE, ends, need_stock_grpc, waiting

BAD_AGENT = Path(__file__).with_name("bad_agent.py")
MB = 1_000_000
# Lines of the log alone: no other control character, none of C1, nothing that turns text.
UNSAFE = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
GIVEN_UP = r"B \(agent 127\.0\.0\.1:8843\) is given up: what stands at byte \d+ of its spool cannot be: "


def scenario(duration):
    hosts = {
        "A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"},
        "B": {"mgmt": "127.0.0.1:8843", "host": "127.0.0.2"},
        "C": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.3"},
    }
    flows = [{"id": i, "src": "A", "dst": dst, "duration": duration} for i, dst in enumerate("BC")]
    return {"hosts": hosts, "flows": flows}


class Bed:
    """An agent A of two hosts, and B behind somebody who alters its words."""

    def __init__(self, lab, way):
        need_stock_grpc()
        self.lab, self.where = lab, lab.namespace("bed")
        for listen in "127.0.0.1:8841", "127.0.0.1:8842":
            lab.agent(self.where, listen)
        words = [BAD_AGENT, way, "127.0.0.1:8843", "127.0.0.1:8842"]
        relay = lab.spawn(self.where, *words, name="bad", program=sys.executable)
        lab.listening(relay, "127.0.0.1:8843")

    def run(self):
        return self.lab.run(self.where, scenario("800ms"), "-i", "50ms")


def check_others(outcome):
    """Nothing that A told is missing."""
    bad, good = outcome.flows
    assert good.result.status == COMPLETE
    for report, rows, _ in ends(good):
        assert len(rows) == report.samples_taken + 1
    assert len(bad.TxTCPInfo) == bad.result.src.samples_taken + 1
    return bad


@pytest.mark.parametrize(
    "way, said",
    [
        ("flood", GIVEN_UP + "it sent more samples of flow 0, dst end, than the "),
        ("count", GIVEN_UP + "samples: too many rows"),
        ("early", "B .* is lost: it ended the stream of its samples before their end"),
    ],
    ids=["flood", "count", "early"],
)
def test_it_alone_is_given_up(lab, way, said):
    outcome = Bed(lab, way).run().must(1)
    assert re.search(said, outcome.stderr), outcome.stderr
    bad = check_others(outcome)
    assert bool(bad.result.HasField("dst")) == (way == "early")
    parts = [file.stat().st_size for file in outcome.output.parent.glob("*.part")]
    assert len(parts) == 1 and parts[0] < 2 * MB


def test_one_interrupt_is_enough(lab):
    """Of an agent that brings nothing any more, however often it is heard."""
    bed = Bed(lab, "endless")
    path = lab.write(scenario("30s"))
    output = lab.output()
    master = lab.spawn(bed.where, "run", path, "-o", output, name="master")
    for _ in waiting("flows", master):
        if "all flows are ready" in master.text():
            break
    time.sleep(0.7)
    master.signal(signal.SIGINT)
    interrupted = time.monotonic()
    assert master.wait() == 130
    assert time.monotonic() - interrupted < 10
    assert re.search("B .* is lost: it did not deliver its last samples in time", master.text())
    assert output.exists()


def test_words_do_no_harm(lab):
    outcome = Bed(lab, "words").run().must(3)
    assert "words" in outcome.stderr and "and 4968 more problems" in outcome.stderr
    assert len(outcome.stderr) < 20_000
    assert not UNSAFE.search(outcome.stderr), repr(outcome.stderr)


def test_a_reset_behind_all_data_is_no_failure(lab):
    """The dst end has read all that was written, and so it does not matter how the src end fared."""
    bed = Bed(lab, "reset")
    flow = {"id": 0, "src": "B", "dst": "A", "duration": "300ms"}
    outcome = lab.run(bed.where, scenario("1s") | {"flows": [flow]}).must(0)
    (flow,) = outcome.flows
    assert flow.result.src.error == "connection reset by the peer"
    assert flow.result.status == COMPLETE and not flow.result.error
    assert "reset" not in outcome.stderr + outcome.stdout
