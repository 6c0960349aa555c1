"""What a person meets first: help, exit codes, messages, and the way out of a run."""

import gzip
import json
import os
import signal
import subprocess
import time

import pytest
from harness import COMPLETE, END_STOPPED, PARTIAL, PROGRAM, ends, read_results, waiting


def test_help_and_version(lab):
    overview = lab.command(None, "--help").must(0).stdout
    for command in ("agent", "run", "check", "plan", "summary"):
        assert command in overview
        assert f"tcp-flowgen {command}" in lab.command(None, command, "--help").must(0).stdout
    assert lab.command(None, "--version").must(0).stdout.startswith("tcp-flowgen ")


@pytest.mark.parametrize(
    "words", [["rum"], ["run"], ["run", "--no-such-option", "x.json"], ["run", "absent.json"]]
)
def test_wrong_usage(lab, words):
    outcome = lab.command(None, *words).must(2)
    assert outcome.stderr and not outcome.stdout


def test_every_error_of_a_scenario_at_once(lab):
    scenario = {
        "hosts": {"A": {"mgmt": "localhost:8841", "host": "localhost"}},
        "flows": [
            {"id": 0, "src": "A", "dst": "Z", "duration": "1s"},
            {"id": 1, "src": "A", "dst": "A", "duration": "ten seconds"},
            {"id": 1, "src": "A", "dst": "A", "duration": "1s", "start": "-1s"},
            {"id": 3, "src": "A", "dst": "A"},
        ],
    }
    path = lab.write(scenario)
    places = "[0].dst [1].duration [2].id [2].start [3].duration".split()
    for command in (("plan", path), ("run", path, "-o", lab.output())):
        stderr = lab.command(None, *command).must(2).stderr
        assert [place for place in places if f"flows{place}" not in stderr] == []


def test_broken_json_names_the_line(lab):
    path = lab.write('{\n  "hosts": {},\n  "flows": [}\n')
    stderr = lab.command(None, "plan", path).must(2).stderr
    assert "scenario.json: line 3, column 13" in stderr


CLOSED = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-']


def test_closed_descriptors_become_no_sockets(lab):
    """Agents and a master that were started without standard descriptors write into none of gRPC's."""
    where = lab.namespace("closed")
    hosts = {
        name: {"mgmt": f"127.0.0.1:{port}", "host": "127.0.0.1"}
        for name, port in (("A", 8841), ("B", 8842))
    }
    for host in hosts.values():
        agent = lab.agent(where, host["mgmt"], before=CLOSED)
        opened = [os.readlink(f"/proc/{agent.pid}/fd/{number}") for number in range(3)]
        assert opened == ["/dev/null"] * 3
    path = lab.write({"hosts": hosts, "flows": [{"id": 0, "src": "A", "dst": "B", "duration": "200ms"}]})
    output = lab.output()
    master = lab.spawn(where, "run", path, "-o", output, before=CLOSED, name="master")
    assert master.wait() == 1  # a summary that cannot be printed is an error
    assert [flow.result.status for flow in read_results(output)] == [COMPLETE]


@pytest.mark.parametrize("closed, words", [(">&-", "plan {}"), (">&-", "plan --json {}"), ("<&-", "plan -")])
def test_closed_descriptors_are_told(lab, closed, words):
    path = lab.write({"hosts": {"A": {"mgmt": "a:1", "host": "a"}}, "flows": [
        {"id": 0, "src": "A", "dst": "A", "duration": "1s"}
    ]})
    line = f'"$0" {words.format(path)} {closed}'
    done = subprocess.run(["sh", "-c", line, PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2) and "Bad file descriptor" in done.stderr


def test_listening_beyond_loopback_must_be_asked_for(lab):
    where = lab.namespace("open")
    for listen in (":8841", "0.0.0.0:8841", "[::]:8841", "192.0.2.1:8841"):
        stderr = lab.command(where, "agent", "--listen", listen).must(2).stderr
        assert "--insecure" in stderr and ("localhost" in stderr or "loopback" in stderr)
    stderr = lab.command(where, "-listen", ":8841").must(2).stderr
    assert "--insecure" in stderr
    lab.agent(where, ":8841", "--insecure")


def test_agent_that_is_down(pair):
    pair.agents[1].end()
    outcome = pair.run({}).must(3)
    assert "127.0.0.1:8842" in outcome.stderr
    assert not outcome.output.exists()
    assert pair.agents[0].alive()


def test_unknown_algorithm_starts_nothing(pair):
    outcome = pair.run({}, {"ccalg": "nosuch"}).must(3)
    assert "nosuch" in outcome.stderr
    assert not outcome.output.exists()
    outcome = pair.run({"duration": "300ms"}).must(0)
    assert [flow.result.status for flow in outcome.flows] == [COMPLETE]


def test_check_asks_the_agents_and_runs_nothing(pair):
    path = pair.lab.write(pair.scenario({"duration": "60s"}))
    pair.lab.command(pair.where, "check", path).must(0)
    bad = pair.lab.write(pair.scenario({"ccalg": "nosuch"}), "bad.json")
    assert "nosuch" in pair.lab.command(pair.where, "check", bad).must(3).stderr
    pair.agents[1].end()
    assert "127.0.0.1:8842" in pair.lab.command(pair.where, "check", path).must(3).stderr
    assert pair.agents[0].interface_bytes("lo") < 5_000_000  # a run would fill gigabytes


def test_best_effort_runs_the_rest(pair):
    flows = {"duration": "300ms"}, {"duration": "300ms", "ccalg": "nosuch"}
    outcome = pair.run(*flows, flags=("--best-effort",)).must(1)
    good, bad = outcome.flows
    assert good.result.status == COMPLETE
    assert bad.result.status not in (COMPLETE, PARTIAL)
    assert "nosuch" in bad.result.error


def test_interrupt_collects(pair):
    output = pair.lab.output()
    path = pair.lab.write(pair.scenario({"duration": "60s"}, {"duration": "60s", "start": "50s"}))
    master = pair.lab.spawn(pair.where, "run", path, "-o", output, name="master")
    idle = pair.agents[0].interface_bytes("lo")
    for _ in waiting("payload", master):
        if pair.agents[0].interface_bytes("lo") > idle + 50_000_000:
            break
    master.signal(signal.SIGINT)
    assert master.wait() == 130
    flows = read_results(output)
    assert [flow.params.id for flow in flows] == [0, 1]
    assert flows[0].run.interrupted
    assert flows[0].result.status == PARTIAL
    assert flows[0].TxTCPInfo and flows[0].RxTCPInfo
    for flow in flows:
        assert flow.result.status != COMPLETE
        assert [report.status for report, _, _ in ends(flow)] == [END_STOPPED] * 2
    assert flows[0].result.dst.payload_bytes > 0
    assert flows[1].result.dst.payload_bytes == 0
    assert all(agent.alive() for agent in pair.agents)
    pair.run({"duration": "200ms"}).must(0)


def test_interrupt_while_an_agent_hangs(pair):
    pair.agents[1].signal(signal.SIGSTOP)
    output = pair.lab.output()
    path = pair.lab.write(pair.scenario({"duration": "1s"}))
    master = pair.lab.spawn(pair.where, "run", path, "-o", output, name="master")
    for _ in waiting("the part file", master):
        if output.with_name(output.name + ".part").exists():
            break
    begin = time.monotonic()
    master.signal(signal.SIGINT)
    assert master.wait() == 130
    assert time.monotonic() - begin < 3, "it waited for the agent all the same"
    pair.agents[1].signal(signal.SIGCONT)
    assert list(pair.lab.directory.glob("results-*")) == []
    pair.run({"duration": "200ms"}).must(0)


def test_shutdown_only_where_it_is_allowed(lab):
    where = lab.namespace("shut")
    meek = lab.agent(where, "127.0.0.1:8841", "--allow-shutdown")
    stubborn = lab.agent(where, "127.0.0.1:8842")
    hosts = {
        name: {"mgmt": f"127.0.0.1:{port}", "host": "127.0.0.1"}
        for name, port in (("A", 8841), ("B", 8842))
    }
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "200ms"}
    outcome = lab.run(where, {"hosts": hosts, "flows": [flow]}, "--shutdown").must(0)
    assert "B (agent 127.0.0.1:8842) stays: this agent was not started with --allow-shutdown" in outcome.stderr
    assert outcome.stderr.count("stays") == 1
    assert meek.wait() == 0
    assert stubborn.alive()


def test_plain_and_gzipped_output(pair):
    path = pair.lab.write(pair.scenario({"duration": "200ms"}))
    for suffix in (".pb", ".pb.gz"):
        output = pair.lab.output(suffix)
        pair.lab.command(pair.where, "run", path, "-o", output).must(0)
        zipped = output.read_bytes()[:2] == b"\x1f\x8b"
        assert zipped is suffix.endswith(".gz")
        assert len(read_results(output)) == 1
        assert not list(output.parent.glob(output.name + ".*"))
    if zipped:
        gzip.decompress(output.read_bytes())


def test_local_needs_no_agents(lab):
    where = lab.namespace("local")
    hosts = {
        name: {"mgmt": f"192.0.2.{i}:8840", "host": "localhost"} for i, name in enumerate("AB")
    }
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "300ms"}
    outcome = lab.run(where, {"hosts": hosts, "flows": [flow]}, "--local").must(0)
    assert [flow.result.status for flow in outcome.flows] == [COMPLETE]


def test_a_host_without_127_0_0_1(lab):
    """It has ::1, which localhost is then; without either that is said, of its own agents, too."""
    where = lab.namespace("six")
    where.ip("address", "del", "127.0.0.1/8", "dev", "lo")
    hosts = {name: {"mgmt": "localhost:8841", "host": "localhost"} for name in "AB"}
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "200ms"}
    scenario = {"hosts": hosts, "flows": [flow]}
    outcome = lab.run(where, scenario, "--local").must(0)
    lab.agent(where, "localhost:8841")
    for outcome in outcome, lab.run(where, scenario).must(0):
        (flow,) = outcome.flows
        assert flow.result.status == COMPLETE and flow.result.dst.local_address == "::1"
        assert {agent.clock.method for agent in outcome.run.agents} == {"udp-kernel"}
    where.ip("link", "set", "lo", "down")
    for flags, status in (["--local"], 1), ([], 3):
        stderr = lab.run(where, scenario, *flags).must(status).stderr
        assert "the loopback interface is down" in stderr and "ip link set lo up" in stderr
        assert "start it with" not in stderr


def test_data_ports_are_a_range(lab):
    where = lab.namespace("ports")
    lab.agent(where, "127.0.0.1:8841", "--data-ports", "9001-9002")
    hosts = {"A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"}}
    flows = [{"id": i, "src": "A", "dst": "A", "duration": "200ms"} for i in range(4)]
    outcome = lab.run(where, {"hosts": hosts, "flows": flows}).must(0)
    assert {flow.params.port for flow in outcome.flows} <= {9001, 9002}


def test_summary_of_what_is_no_result(lab):
    junk = lab.directory / "junk.pb"
    junk.write_bytes(b"\xff" * 100)
    assert "junk.pb: this is no result" in lab.command(None, "summary", junk).must(2).stderr


def test_summary_of_a_file_that_is_cut(pair):
    path = pair.run({"duration": "300ms"}, {"duration": "300ms"}).must(0).output
    path.write_bytes(path.read_bytes()[:-20])
    outcome = pair.lab.command(None, "summary", path).must(1)
    assert "1     A    B" in outcome.stdout and "only what could be read" in outcome.stdout


def test_run_tells_its_figures_as_json(pair):
    """And where it has none, why; what standard error has is the same."""
    outcome = pair.run({"duration": "300ms"}, flags=("--json",)).must(0)
    assert json.loads(outcome.stdout)["flows"][0]["id"] == 0
    outcome = pair.run({"ccalg": "nosuch"}, flags=("--json",)).must(3)
    told = json.loads(outcome.stdout)
    assert told["error"] == "nothing was started"
    assert any("nosuch" in problem["what"] for problem in told["problems"])
    (algorithm,) = told["problems"]
    assert algorithm["what"].endswith('"nosuch"') and "modprobe" in algorithm["cure"]
    assert all(problem["what"] in outcome.stderr for problem in told["problems"])


def test_check_tells_its_problems_as_json(pair):
    """One for all agents that are down."""
    def check(scenario):
        return pair.lab.command(pair.where, "check", "--json", pair.lab.write(scenario))

    assert json.loads(check(pair.scenario({})).must(0).stdout) == {"error": None, "problems": []}
    hosts = {f"h{i}": {"mgmt": f"127.0.0.1:{i + 1}", "host": "127.0.0.1"} for i in range(20)}
    flows = [{"id": i, "src": f"h{i}", "dst": f"h{i + 1}", "duration": "1s"} for i in range(19)]
    told = json.loads(check({"hosts": hosts, "flows": flows}).must(3).stdout)
    (problem,) = told["problems"]
    assert problem["where"].endswith(" and 18 more") and "does an agent run there?" in problem["what"]
    assert problem["cure"].startswith("start one there with: tcp-flowgen agent --listen")
    assert told["error"] == "the scenario cannot be run as it is"


@pytest.mark.parametrize(
    "words, status, error, problems",
    [
        (["run", "--json"], 2, "SCENARIO is missing", []),
        (["run", "--json", "--no-such-option", "x"], 2, "unknown option", []),
        (["run", "--json", "absent.json"], 2, "absent.json: 1 problem", [("absent.json", "opened")]),
        (["run", "--json", "-o", "-", "absent.json"], 2, "both want standard output", []),
        (["plan", "--json", "absent.json"], 2, "absent.json: 1 problem", [("absent.json", "opened")]),
        (["summary", "--json", "absent.pb"], 2, "absent.pb", []),
        (["recover", "--json", "absent"], 2, "absent: it cannot be read", []),
    ],
)
def test_what_went_wrong_as_json(lab, words, status, error, problems):
    outcome = lab.command(None, *words).must(status)
    told = json.loads(outcome.stdout)
    assert error in told["error"] and error.split(": ")[-1] in outcome.stderr
    assert len(told["problems"]) == len(problems)
    for problem, (where, what) in zip(told["problems"], problems):
        assert problem["where"] == where and what in problem["what"]
        assert set(problem) == {"where", "what", "cure"}


@pytest.mark.parametrize("command", ["run", "plan", "schema"])
def test_json_that_cannot_be_written(lab, command):
    """Why is told once, and no file that nobody named."""
    hosts = {"A": {"mgmt": "127.0.0.1:1", "host": "127.0.0.1"}}
    path = lab.write({"hosts": hosts, "flows": [{"id": 0, "src": "A", "dst": "A", "duration": "1ms"}]})
    words = {"run": f"run --local -q --json {path}", "plan": f"plan --json {path}"}
    line = f'"$0" {words.get(command, command)} >/dev/full'
    done = subprocess.run(["sh", "-c", line, PROGRAM], capture_output=True, text=True, timeout=60)
    (told,) = done.stderr.splitlines()
    assert done.returncode == 1 and told.endswith("cannot write to standard output: No space left on device")
    assert "/tcp-flowgen-" not in told
