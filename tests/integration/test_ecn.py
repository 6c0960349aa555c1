"""ECN for one flow of several, whatever the host's setting, which stays as it was."""

import pytest
from harness import COMPLETE, ESTABLISHED, OPTION_ECN, column, ends

SYSCTL = "net.ipv4.tcp_ecn"


def options_seen(rows, columns):
    """Values of the options' ECN bit while the connection was established."""
    options = column(columns, "options")
    assert len(options) == len(rows) > 0
    return {bool(o & OPTION_ECN) for o, row in zip(options, rows) if row.state == ESTABLISHED}


@pytest.mark.parametrize("setting", ["1", "2"])
@pytest.mark.parametrize("connect", ["ahead", "at_start"])
def test_only_the_flow_that_asks_has_it(pair, setting, connect):
    pair.where.sysctl(SYSCTL, setting)
    outcome = pair.run(
        {"ecn": False}, {"ecn": True}, {"ecn": False, "nodelay": True}, {"connect": connect}
    ).must(0)
    for flow in outcome.flows:
        assert flow.result.status == COMPLETE
        asked = flow.params.id == 1
        assert flow.params.ECN is asked
        for report, rows, columns in ends(flow):
            assert report.ecn is asked
            assert options_seen(rows, columns) == {asked}
            assert report.nodelay is (flow.params.id == 2)
    assert pair.where.sysctl(SYSCTL) == setting


def test_host_that_never_accepts_it(pair):
    pair.where.sysctl(SYSCTL, "0")
    outcome = pair.run({"ecn": True}).must(3)
    assert "tcp_ecn" in outcome.stderr
    assert pair.where.sysctl(SYSCTL) == "0"
    pair.run({"ecn": False, "duration": "200ms"}).must(0)
    assert pair.where.sysctl(SYSCTL) == "0"
