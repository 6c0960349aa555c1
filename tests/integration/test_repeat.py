"""Several runs by one command: their results, their summary, and the ways out before the last."""

import json
import signal
import sys

import pytest
from harness import (
    COMPLETE,
    INSTRUMENTED,
    PARTIAL,
    ROOT,
    column,
    messages,
    moment,
    read_results,
    waiting,
)

sys.path.insert(0, str(ROOT / "python"))

FLOWS = {"duration": "300ms"}, {"duration": "200ms", "start": "100ms", "ccalg": "reno"}


def summary(lab, *words):
    return json.loads(lab.command(None, "summary", "--json", *words).must(0).stdout)


def instances(run):
    return [agent.instance for agent in run.agents]


def test_repeats_stand_in_one_file(pair):
    flags = "--repeat", "3", "--pause", "100ms", "--seed", "7", "--warmup", "100ms"
    outcome = pair.run(*FLOWS, flags=flags).must(0)
    flows = outcome.flows
    assert [flow.params.id for flow in flows] == [0, 1] * 3
    assert [flow.HasField("run") for flow in flows] == [True, False] * 3
    assert {flow.result.status for flow in flows} == {COMPLETE}
    runs = [flow.run for flow in flows[::2]]
    assert [(run.repeat, run.repeats) for run in runs] == [(1, 3), (2, 3), (3, 3)]
    assert {(run.seed, run.warmup_ns) for run in runs} == {(7, 100_000_000)}
    assert len({run.id for run in runs}) == 3
    for one, next_one in zip(runs, runs[1:]):
        assert instances(one) == instances(next_one)
        assert next_one.t0_ns - one.t0_ns > 400_000_000  # a run and a pause
    assert "3 runs of 2 flows: 6 complete" in outcome.stdout
    left = [path.name for path in outcome.output.parent.glob(outcome.output.name + "*")]
    assert left == [outcome.output.name]


def test_readers_tell_the_runs_apart(pair):
    outcome = pair.run(*FLOWS, flags=("--repeat", "2", "--pause", "0")).must(0)
    messages()
    import tcp_flowgen_results

    flows = list(tcp_flowgen_results.read(outcome.output))
    assert [(flow.of_run.repeat, flow.params.id) for flow in flows] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    both = summary(pair.lab, outcome.output)
    assert [run["run"]["repeat"] for run in both["repeats"]] == [1, 2]
    assert both["over_repeats"]["totals"]["complete"] == 4
    for i, flow in enumerate(both["over_repeats"]["flows"]):
        rates = [run["flows"][i]["goodput_bps"] for run in both["repeats"]]
        rates = [rate for rate in rates if rate is not None]  # a stalled machine moves nothing
        figures = flow["goodput_bps"]
        assert (flow["id"], flow["runs"], figures["count"]) == (i, 2, len(rates))
        assert (figures["min"], figures["max"]) == (min(rates), max(rates))
        assert figures["median"] == pytest.approx(sum(rates) / len(rates))


def test_a_file_for_each(lab):
    where = lab.namespace("local")
    hosts = {name: {"mgmt": f"192.0.2.{i}:8840", "host": "localhost"} for i, name in enumerate("AB")}
    path = lab.write({"hosts": hosts, "flows": [{"id": 3, "src": "A", "dst": "B", "duration": "200ms"}]})
    output = lab.directory / "out.pb.gz"
    flags = "--local", "--separate", "--repeat", "2", "--pause", "10ms", "-o", output
    outcome = lab.command(where, "run", path, *flags).must(0)
    assert "2 runs of 1 flow: 2 complete" in outcome.stdout
    files = [lab.directory / f"out-{number}.pb.gz" for number in (1, 2)]
    assert sorted(lab.directory.glob("out*")) == files
    runs = [read_results(file)[0].run for file in files]
    assert [(run.repeat, run.repeats) for run in runs] == [(1, 2), (2, 2)]
    assert runs[0].seed == runs[1].seed and runs[0].id != runs[1].id
    assert instances(runs[0]) == instances(runs[1])  # the agents are started once
    assert len(summary(lab, *files)["repeats"]) == 2


def last_ns(figures):
    return figures["goodput_from_ns"] + figures["goodput_ns"]


def behind(rows, from_ns):
    return next(i for i, row in enumerate(rows) if round(row.ts * 1e9) >= from_ns)


def test_a_warm_up_is_left_out_of_the_figures(pair):
    outcome = pair.run({"duration": "1s"}, flags=("-i", "20ms", "--json", "--warmup", "300ms")).must(0)
    (flow,) = outcome.flows
    figures = json.loads(outcome.stdout)["flows"][0]
    dst = flow.result.dst
    from_ns = moment(flow.result.src, "first_byte") + 300_000_000
    first = behind(flow.RxTCPInfo, from_ns)
    row = flow.RxTCPInfo[first]
    counted = dst.payload_bytes_stop - (row.ThruBytesReceived - dst.preamble_bytes)
    span_ns = last_ns(figures) - round(row.ts * 1e9)
    assert figures["goodput_from_ns"] == pytest.approx(round(row.ts * 1e9), abs=2)
    # The last arrival, where a busy machine stopped so late that all had come.
    assert last_ns(figures) == dst.stop_ns or dst.payload_bytes == dst.payload_bytes_stop
    assert figures["goodput_bps"] == pytest.approx(counted * 8e9 / span_ns)
    first = behind(flow.TxTCPInfo, from_ns)
    rows = flow.TxTCPInfo[first:]
    rtts = [b.RTT for a, b in zip(rows, rows[1:]) if b.ThruBytesAcked > a.ThruBytesAcked]
    assert figures["rtt_mean_ns"] == pytest.approx(sum(rtts) / len(rtts) * 1e9)
    retransmits = column(flow.src_columns, "total_retrans")[first:]
    assert figures["retransmits"] == max(retransmits) - retransmits[0]
    # Nothing of it is lost: the same file has the whole, too.
    early = round(flow.RxTCPInfo[2].ts * 1e9)
    assert moment(flow.result.src, "first_byte") < early and (early < from_ns or INSTRUMENTED)
    assert summary(pair.lab, outcome.output)["flows"][0] == figures
    whole = summary(pair.lab, outcome.output, "--warmup", "0")["flows"][0]
    assert whole["goodput_from_ns"] == moment(flow.result.src, "first_byte")
    assert last_ns(whole) == pytest.approx(last_ns(figures), abs=2)
    assert whole["goodput_bps"] == pytest.approx(dst.payload_bytes_stop * 8e9 / whole["goodput_ns"])


def start(pair, *flags, **flow):
    output = pair.lab.output()
    path = pair.lab.write(pair.scenario({"duration": "300ms", **flow}))
    words = "run", path, "-o", output, "--repeat", "3", *flags
    return pair.lab.spawn(pair.where, *words, name="master"), output


def await_first_run(master, output):
    """Until the pause: a run's part file lives as long as the run."""
    part = output.with_name(output.name + ".part")
    for _ in waiting("the first run", master):
        if part.exists():
            break
    for _ in waiting("the pause", master):
        if not part.exists():
            return


def test_an_interrupt_ends_the_series(pair):
    master, output = start(pair, "--pause", "100ms", duration="1500ms")
    for _ in waiting("the second run", master):
        if master.text().count("flows are ready") == 2:
            break
    idle = pair.agents[0].interface_bytes("lo")
    for _ in waiting("payload", master):
        if pair.agents[0].interface_bytes("lo") > idle + 10_000_000:
            break
    master.signal(signal.SIGINT)
    assert master.wait() == 130
    flows = read_results(output)
    assert [(flow.run.repeat, flow.run.repeats) for flow in flows] == [(1, 3), (2, 3)]
    assert [flow.run.interrupted for flow in flows] == [False, True]
    assert [flow.result.status for flow in flows] == [COMPLETE, PARTIAL]
    assert "2 runs of 1 flow: 1 complete, 1 partial" in master.text()
    assert all(agent.alive() for agent in pair.agents)
    pair.run({"duration": "200ms"}).must(0)


def test_an_interrupt_in_the_pause(pair):
    master, output = start(pair, "--pause", "60s")
    await_first_run(master, output)
    assert not output.exists()
    master.signal(signal.SIGTERM)
    assert master.wait() == 130
    (flow,) = read_results(output)
    assert flow.result.status == COMPLETE and not flow.run.interrupted


def test_an_agent_that_goes_ends_the_series(pair):
    master, output = start(pair, "--pause", "2s")
    await_first_run(master, output)
    pair.agents[1].end()
    assert master.wait() == 3
    assert "127.0.0.1:8842" in master.text()
    (flow,) = read_results(output)
    assert flow.result.status == COMPLETE and flow.run.repeat == 1


def test_agents_exit_after_the_last(lab):
    where = lab.namespace("shut")
    agent = lab.agent(where, "127.0.0.1:8841", "--allow-shutdown")
    hosts = {"A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"}}
    flow = {"id": 0, "src": "A", "dst": "A", "duration": "200ms"}
    flags = "--shutdown", "--repeat", "2", "--pause", "10ms"
    outcome = lab.run(where, {"hosts": hosts, "flows": [flow]}, *flags).must(0)
    assert len(outcome.flows) == 2
    assert agent.wait() == 0
