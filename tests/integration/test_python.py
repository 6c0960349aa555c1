"""The readers in python/, on a result file of the program itself."""

import subprocess
import sys

import pytest
from harness import PATIENCE, ROOT, ends, messages

sys.path.insert(0, str(ROOT / "python"))


@pytest.fixture
def outcome(pair):
    flows = {"duration": "500ms"}, {"duration": "300ms", "start": "100ms", "ccalg": "reno"}
    return pair.run(*flows, label="for Python", flags=("-i", "50ms")).must(0)


def test_example_parser(outcome):
    messages()
    done = subprocess.run(
        ["/usr/bin/python3", ROOT / "python/parse_results.py", outcome.output],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    for flow in outcome.flows:
        assert f"flow {flow.params.id}: A -> B, {len(flow.TxTCPInfo)} samples" in done.stdout
        assert f"{flow.TxTCPInfo[-1].ThruBytesAcked} bytes acknowledged" in done.stdout


def test_reader(outcome):
    messages()
    import tcp_flowgen_results

    flows = list(tcp_flowgen_results.read(outcome.output))
    assert [flow.params.ccalg for flow in flows] == ["cubic", "reno"]
    assert flows[0].run.label == "for Python" and flows[1].run is None
    for flow, record in zip(flows, outcome.flows):
        for end, (report, rows, _) in zip((flow.src, flow.dst), ends(record)):
            columns = end.columns
            assert {len(values) for values in columns.values()} == {len(rows)}
            assert columns["ts"] == [row.ts for row in rows]
            assert columns["tick"].count(-1) == 1
            assert len(end) == report.samples_taken + 1
            assert end.info_length >= 192
        # What the kernel counts and what the program counted are the same bytes.
        payload = record.result.src.payload_bytes + record.result.src.preamble_bytes
        assert flow.src.columns["bytes_sent"][-1] - flow.src.columns["bytes_retrans"][-1] == payload
        assert flow.src.columns["snd_mss"][-1] > 0 and max(flow.src.columns["snd_cwnd"]) >= 10
