"""A thousand flows at once, none lost, every sample accounted for."""

from harness import COMPLETE, END_COMPLETE, column, ends

FLOWS = 1000


def test_a_thousand_flows(pair):
    outcome = pair.run(*[{"duration": "2s"}] * FLOWS, flags=("-i", "250ms")).must(0)
    flows = outcome.flows
    assert sorted(flow.params.id for flow in flows) == list(range(FLOWS))
    for flow in flows:
        assert flow.result.status == COMPLETE, flow.result.error
        for report, rows, columns in ends(flow):
            assert report.status == END_COMPLETE
            assert report.samples_expected == report.samples_taken + report.samples_missed
            ticks = column(columns, "tick")
            assert len(rows) == len(ticks) == report.samples_taken + 1
            assert ticks[-1] == -1 and ticks[:-1] == sorted(set(ticks[:-1]))
        src, dst = flow.result.src, flow.result.dst
        assert src.payload_bytes == dst.payload_bytes > 0
