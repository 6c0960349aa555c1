"""A thousand flows at once, none lost, every sample accounted for; thousands of hosts."""

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


def test_many_hosts_of_which_few_are_used(lab):
    """An agent is sent what it needs: 10 MB of hosts are none of its business."""
    names = [f"host-{i}".ljust(63, "x") for i in range(30000)]
    hosts = {
        name: {"mgmt": f"10.1.{i // 256}.{i % 256}:8840", "host": f"{i}.".ljust(253, "x")}
        for i, name in enumerate(names)
    }
    used = names[7], names[29990]
    for name in used:
        hosts[name]["host"] = "127.0.0.1"
    flow = {"id": 0, "src": used[0], "dst": used[1], "duration": "200ms"}
    scenario = {"hosts": hosts, "flows": [flow]}
    outcome = lab.run(lab.namespace("hosts"), scenario, "--local").must(0)
    (flow,) = outcome.flows
    assert flow.result.status == COMPLETE and (flow.params.src, flow.params.dst) == used
    assert len(outcome.run.hosts) == len(hosts)


def test_many_hosts_of_one_agent(lab):
    """It is asked about them in several Hellos: about some names each, and some addresses."""
    where = lab.namespace("hosts")
    lab.agent(where, "127.0.0.1:8841")
    hosts = {
        f"H{i}": {"mgmt": "127.0.0.1:8841", "host": "localhost" if i < 150 else f"127.1.{i // 250}.{i % 250}"}
        for i in range(1500)
    }
    flows = [
        {"id": i, "src": f"H{2 * i}", "dst": f"H{2 * i + 1}", "duration": "200ms", "send_rate": "1Mbit/s"}
        for i in range(750)
    ]
    outcome = lab.run(where, {"hosts": hosts, "flows": flows}).must(0)
    assert all(flow.result.status == COMPLETE for flow in outcome.flows)
    # What is wrong with all of them is told once, what is wrong with one at its place.
    hosts["H1400"]["host"] = "192.0.2.1"
    for flow in flows:
        flow["ccalg"] = "nonesuch"
    stderr = lab.run(where, {"hosts": hosts, "flows": flows}).must(3).stderr
    assert "H1400: 192.0.2.1 is not an address of this machine" in stderr
