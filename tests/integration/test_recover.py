"""Nothing that was sampled is lost: `recover` makes results of the spools that agents left."""

import json
import os
import random
import re
import signal
import statistics
import time

import protocol
import pytest
from harness import COMPLETE, END_STOPPED, PARTIAL, PROGRAM, Outcome, Pair, column, ends, moment, unwrapped, waiting

SECOND = 10**9
SHIFT = 5000  # s, between the agents' clocks
FLOWS = [{"id": 7, "ecn": False}, {"id": 3, "src": "B", "dst": "A", "start": "100ms"}]


class Left:
    """Two agents, and spools that a run leaves with them."""

    def __init__(self, lab):
        self.lab = lab
        self.where = lab.namespace("left")
        self.hosts = {
            "A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"},
            "B": {"mgmt": "127.0.0.1:8842", "host": "127.0.0.2"},
        }
        self.agents = [
            lab.agent(self.where, host["mgmt"], "--orphan-after", "1s", monotonic=shift)
            for host, shift in zip(self.hosts.values(), (0, SHIFT))
        ]
        self.parts = lab.directory / "parts"
        self.parts.mkdir()

    def scenario(self, *flows, **more):
        """With hosts that no flow uses, in front of and between those that some do."""
        spare = {"host": "192.0.2.1", "mgmt": "192.0.2.1:8840"}
        a, b = self.hosts.items()
        hosts = dict([("spare", spare), a, ("another spare", spare), b])
        return Pair.scenario(self, *flows, **more) | {"hosts": hosts}

    def master(self, *flows, output="/dev/full", flags=(), **more):
        """It cannot write its results, so that the agents keep theirs."""
        path = self.lab.write(self.scenario(*flows, **more))
        words = [f"TMPDIR={self.parts}", PROGRAM, "run", path, "-o", output, "-i", "10ms", *flags]
        return self.lab.spawn(self.where, *words, program="env", name="master")

    def moves(self, master):
        """Waits until payload has moved."""
        for _ in waiting("payload", master):
            if self.agents[0].interface_bytes("lo") > 50_000_000:
                break

    def spools(self):
        """Those of A and of B."""
        found = sorted(self.lab.directory.glob("spool-*/*.spool"), key=lambda path: path.parent)
        return sorted(found, key=lambda path: int(path.parent.name.rpartition("-")[2]))

    def over(self):
        """Waits until the run is, on each agent that lives."""
        for agent in self.agents:
            for _ in waiting("the run's end"):
                if not agent.alive() or " is over" in agent.text():
                    break

    def recover(self, *files):
        output = self.lab.output()
        outcome = self.lab.command(None, "recover", *files, "-o", output)
        outcome.output = output
        return outcome


@pytest.fixture
def left(lab):
    return Left(lab)


def check_rows(flow):
    for report, rows, columns in ends(flow):
        assert len(rows) == report.samples_taken + 1 > 20
        assert report.samples_expected == report.samples_taken + report.samples_missed
        times = [row.ts for row in rows]
        assert times == sorted(times)
        ticks = column(columns, "tick")
        for tick, ts in zip(ticks, times):
            if tick >= 0:
                assert -0.001 < ts - tick * 0.01 < 0.5


def test_all_of_a_run(left):
    master = left.master(*FLOWS, label="lost")
    assert master.wait() == 1
    spools = left.spools()
    assert len(spools) == 2
    # Of its own machine alone: a run may have more agents than a message has room for.
    assert [spool.read_bytes().count(b"net.ipv4.tcp_rmem") for spool in spools] == [1, 1]
    # And of the hosts that its flows use: the scenario's text alone has the others.
    assert [spool.read_bytes().count(b"another spare") for spool in spools] == [1, 1]
    outcome = left.recover(*spools).must(0)
    assert left.spools() == spools
    first, second = outcome.flows
    run = outcome.run
    assert run.label == "lost" and '"flows"' in run.scenario
    assert [host.name for host in run.hosts] == ["A", "B"]
    assert [run.agents[host.agent].mgmt for host in run.hosts] == ["127.0.0.1:8841", "127.0.0.1:8842"]
    assert all(agent.kernel and not agent.lost for agent in run.agents)
    for agent in run.agents:  # each from its own spool
        assert ("kernel.release", agent.kernel) in [(one.name, one.value) for one in agent.settings]
    assert abs(run.started_unix_ns - time.time_ns()) < 60 * SECOND
    assert any("recovered from spools" in warning for warning in run.warnings)
    assert (first.params.id, first.params.src, first.params.dst) == (7, "A", "B")
    assert (second.params.id, second.params.src, second.params.dst) == (3, "B", "A")
    for flow, start in (first, 0), (second, SECOND // 10):
        result = flow.result
        assert result.status == COMPLETE
        assert (result.start_ns, result.duration_ns) == (start, SECOND)
        assert flow.params.ccalg == "cubic" and result.family == "ipv4"
        assert flow.params.port == result.dst.local_port == result.src.peer_port
        assert result.src.payload_bytes == result.dst.payload_bytes > 0
        check_rows(flow)
        # On one axis, though one clock is far ahead.
        for report in result.src, result.dst:
            assert start - SECOND // 100 < moment(report, "first_byte") < start + SECOND // 2
            assert start - SECOND // 100 < report.begin.t_ns < start + SECOND // 2
        assert result.HasField("ledger") and result.HasField("verdict")
    # Of one of them alone: what came is not known to be nothing.
    alone = left.recover(spools[0]).must(1)
    text = left.lab.command(None, "summary", alone.output).must(0).stdout
    assert "1 of 2 flows have no goodput: the receiver's report and samples are missing" in text
    assert "no payload arrived" not in text
    text = left.lab.command(None, "summary", outcome.output).must(0).stdout
    assert "recovered from spools" in text
    assert outcome.stdout == text  # as `run` prints it
    shown = left.lab.command(None, "recover", *spools, "-o", outcome.output, "--json").must(0)
    assert len(json.loads(shown.stdout)["flows"]) == 2
    for flow in json.loads(shown.stdout)["flows"]:  # nobody knows how right these clocks are
        assert flow["goodput_basis"] == "kernels" and flow["goodput_bps"] > 0
        assert flow["goodput_error_ns"] is None and flow["goodput_doubtful"]
    assert f"replaced {outcome.output} (" in shown.stderr
    shown = left.lab.command(None, "recover", *spools, "-o", "-", "--json").must(2)
    assert "both want standard output" in shown.stderr

    # The master's part file, alone or beside them, has the same.
    (part,) = left.parts.glob("*.part")
    for files in [part], [*spools, part], [part, spools[1]]:
        again = left.recover(*files)
        for one, other in zip(outcome.flows, again.flows):
            assert one.TxTCPInfo == other.TxTCPInfo and one.RxTCPInfo == other.RxTCPInfo
            assert one.result == other.result


def test_master_killed(left):
    master = left.master({"duration": "60s"}, output=left.lab.output())
    left.moves(master)
    time.sleep(0.5)
    master.signal(signal.SIGKILL)
    left.over()
    spools = left.spools()
    for agent, spool in zip(left.agents, spools):
        for _ in waiting("where the samples are", agent):
            if f"`tcp-flowgen recover -o FILE {spool}`, with those of the run's other agents, makes" in agent.text():
                break
    listed = left.lab.command(None, "recover", left.lab.directory).must(0).stdout
    (part,) = left.lab.directory.glob("*.part")
    assert f"  {part}\n" in listed and "of no known run" not in listed
    outcome = left.recover(*spools).must(1)
    (flow,) = outcome.flows
    assert flow.result.status == PARTIAL
    assert flow.result.src.status == flow.result.dst.status == END_STOPPED
    check_rows(flow)
    for agent in left.agents:
        assert agent.text().count("was not collected") == 1


def test_agent_killed(left):
    """What it had written by then is there, and that it is not all."""
    master = left.master({"duration": "4s"})
    left.moves(master)
    time.sleep(1.2)  # samples reach a spool within 0.5 s
    os.kill(left.agents[1].pid, signal.SIGKILL)
    master.wait()
    left.over()
    outcome = left.recover(*left.spools()).must(1)
    (flow,) = outcome.flows
    assert [bool(agent.lost) for agent in outcome.run.agents] == [False, True]
    assert "ends at 1." in flow.result.error or "ends at 2." in flow.result.error
    assert flow.result.status == PARTIAL
    assert flow.TxTCPInfo and flow.RxTCPInfo and not flow.result.HasField("dst")
    assert basis(left, outcome) == "samples"
    told = summary(left, outcome)
    assert [agent["clock_error_ns"] for agent in told["run"]["agents"]] == [None, None]
    assert not any("its spool on its machine" in warning for warning in told["warnings"])
    # The master knew the clocks.
    (part,) = left.parts.glob("*.part")
    told = summary(left, left.recover(*left.spools(), part).must(1))
    for agent in told["run"]["agents"]:
        assert 0 < agent["clock_error_ns"] < 1e9 and agent["clock_method"] and agent["clock_network"]
    assert not any("their error is not known" in warning for warning in told["warnings"])
    (known,) = told["flows"]
    assert abs(known["goodput_ns"] - summary(left, outcome)["flows"][0]["goodput_ns"]) < 1e7
    # Of one of them alone.
    outcome = left.recover(left.spools()[1]).must(1)
    (flow,) = outcome.flows
    assert (flow.params.src, flow.params.dst) == ("A", "B")
    assert flow.result.status == PARTIAL
    assert flow.RxTCPInfo and not flow.TxTCPInfo
    assert "not among the files" in outcome.run.agents[0].lost
    assert basis(left, outcome) == "reads"


def summary(left, outcome):
    return json.loads(left.lab.command(None, "summary", "--json", outcome.output).must(0).stdout)


def basis(left, outcome):
    return summary(left, outcome)["flows"][0]["goodput_basis"]


KILLED = 6  # agents, each at a moment of its own
LOST = 0.5  # s; README.md and ARCHITECTURE.md say so
LATE = 0.3  # s, that a busy machine may add


def lost(flows, run, moments_ns):
    """Of both ends of each flow in s: from the last sample that is there to the kill of its agent."""
    for flow in flows:
        at = (moments_ns[flow.params.id] - run.started_unix_ns) / SECOND
        yield from (at - rows[-1].ts for rows in (flow.TxTCPInfo, flow.RxTCPInfo) if rows)


def test_what_a_killed_agent_loses(lab):
    """The samples of half a second at most: neither its spool nor the master has fewer."""
    where, hosts, flows = lab.namespace("killed"), {}, []
    agents = [lab.agent(where, f"127.0.0.1:{8841 + i}") for i in range(KILLED)]
    for i in range(KILLED):
        hosts |= {f"{end}{i}": {"mgmt": f"127.0.0.1:{8841 + i}", "host": "127.0.0.1"} for end in "AB"}
        # One worker never sleeps, the others do.
        rate = {"send_rate": "20Mbit/s"} if i else {}
        flow = {"id": i, "src": f"A{i}", "dst": f"B{i}", "duration": "4s", "ccalg": "cubic"}
        flows.append(flow | rate)
    output = lab.output()
    words = ["run", lab.write({"hosts": hosts, "flows": flows}), "-o", output, "-i", "10ms"]
    master = lab.spawn(where, *words, name="master")
    for _ in waiting("payload", master):
        if agents[0].interface_bytes("lo") > 50_000_000:
            break
    time.sleep(LOST + LATE)
    moments_ns = []
    for agent in agents:
        time.sleep(random.uniform(0.05, 0.3))
        os.kill(agent.pid, signal.SIGKILL)
        moments_ns.append(time.time_ns())
    assert master.wait() == 1

    seen = Outcome(1, "", "", output)
    of_master = list(lost(seen.flows, seen.run, moments_ns))
    of_spools = []
    for spool in lab.directory.glob("spool-*/*.spool"):
        recovered = lab.output()
        lab.command(None, "recover", spool, "-o", recovered).must(1)
        seen = Outcome(1, "", "", recovered)
        of_spools += lost(seen.flows, seen.run, moments_ns)
    for figures in of_spools, of_master:
        print("lost, s:", " ".join(f"{one:.3f}" for one in sorted(figures)))
        assert len(figures) == 2 * KILLED
        assert statistics.median(figures) < LOST
        assert max(figures) < LOST + LATE


def test_broken_files(left):
    left.master({}).wait()
    spools = left.spools()
    cut = left.lab.directory / "cut.spool"
    data = spools[1].read_bytes()
    cut.write_bytes(data[:-5])
    outcome = left.recover(spools[0], cut).must(1)
    assert any("cut.spool: broken at byte" in warning for warning in outcome.run.warnings)
    for length in range(0, 3000, 101):
        cut.write_bytes(data[:length] + bytes(50))
        assert left.recover(cut).code in (1, 2)


def test_files_of_several_runs_are_listed(left):
    left.master({}, label="one").wait()
    first = left.spools()
    left.master({}, label="two").wait()
    mixed = left.spools()
    (part, _) = left.parts.glob("*.part")
    junk = left.lab.directory / "junk"
    junk.write_bytes(os.urandom(100))
    outcome = left.recover(*mixed, part).must(2)
    assert "of run" in outcome.stderr and "one run at a time" in outcome.stderr
    lines = [line.removeprefix("tcp-flowgen: ") for line in outcome.stderr.splitlines()[1:]]
    heads = [line for line in lines if not line.startswith("  ")]
    assert len(heads) == 2 and len(lines) == 7
    for label in "one", "two":
        assert any(
            re.fullmatch(rf'run \w{{32}}, label "{label}", start 20[-\d]+ [:\d]+:', head)
            for head in heads
        )
    runs = {}
    for line in lines:
        runs.setdefault(line, []) if line in heads else runs[list(runs)[-1]].append(line)
    for head, files in runs.items():
        ours = first if '"one"' in head else [spool for spool in mixed if spool not in first]
        wanted = {f"  {path}, of agent 127.0.0.1:884{i}" for i, path in enumerate(ours, 1)}
        assert wanted <= set(files) and len(set(files) - wanted) <= 1
    assert f"  {part}" in lines


def test_an_agent_tells_of_spools_that_are_there(left):
    """One that was killed cannot say where its own is."""
    left.master({}, label="old").wait()
    (spool, _) = left.spools()
    directory = spool.parent
    other = directory / "tcp-flowgen-other-1.spool"
    other.write_bytes(bytes(1000))
    (directory / "notes.spool").write_bytes(b"no spool")
    agent = left.lab.agent(left.where, "127.0.0.1:8843", "--spool", directory)
    for _ in waiting("what is there", agent):
        if "lists them" in agent.text():
            break
    said = unwrapped(agent.text())
    assert f"{directory} has 2 spools (" in said and f"`tcp-flowgen recover {directory}` lists them" in said
    lines = left.lab.command(None, "recover", directory).must(0).stdout.splitlines()
    assert len(lines) == 4 and 'label "old"' in "".join(lines)
    assert f"  {spool}, of agent 127.0.0.1:8841" in lines
    assert lines[lines.index(f"  {other}") - 1] == "of no known run:"
    (left.lab.directory / "empty").mkdir()
    shown = left.lab.command(None, "recover", left.lab.directory / "empty").must(0).stdout
    assert shown.endswith("empty has no spools\n")


def test_a_spool_that_is_given_twice(left):
    """Neither it nor a copy, whole or cut, adds anything."""
    left.master({}).wait()
    spools = left.spools()
    once = left.recover(*spools).must(0)
    copy = left.lab.directory / "copy.spool"
    copy.write_bytes(spools[0].read_bytes())
    cut = left.lab.directory / "cut.spool"
    cut.write_bytes(spools[0].read_bytes()[:-200])
    for more in [spools[0], *spools], [copy, *spools], [cut, *spools], [*spools, cut]:
        twice = left.recover(*more).must(0)
        assert twice.run.host_samples == once.run.host_samples
        assert twice.flows[0].result == once.flows[0].result
        assert twice.flows[0].TxTCPInfo == once.flows[0].TxTCPInfo
        assert any("are spools of one agent, 127.0.0.1:8841" in text for text in twice.run.warnings)


def test_what_is_no_spool(lab):
    junk = lab.directory / "junk"
    junk.write_bytes(os.urandom(5000))
    for file in junk, lab.directory / "absent", lab.directory, "/dev/null":
        output = lab.output()
        outcome = lab.command(None, "recover", file, "-o", output).must(2)
        assert str(file) in outcome.stderr
        assert not output.exists()
    assert "--output is missing" in lab.command(None, "recover", junk).must(2).stderr


def records(spool):
    """The records of a spool: a length, a checksum, and so many bytes."""
    data = spool.read_bytes()
    while data:
        length = int.from_bytes(data[:4], "big")
        yield data[8 : 8 + length]
        data = data[8 + length :]


def test_no_secret_in_a_spool(left):
    """The tokens that open connections are not kept."""
    left.master({}).wait()
    wire = protocol.load()
    for spool in left.spools():
        told = [wire.SpoolRecord.FromString(record).prepare for record in records(spool)]
        assert {end.token for prepare in told for end in prepare.ends} == {bytes(16)}
        assert not any(prepare.flow_key for prepare in told)
