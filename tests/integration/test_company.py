"""Two masters, whose runs share agents: both are told of it."""

from harness import COMPLETE, unwrapped, waiting

SHARED = "1 other run had flows there meanwhile: they shared its machine and its networks"


def start(pair, name, *flows):
    output = pair.lab.output()
    words = ["run", pair.lab.write(pair.scenario(*flows)), "-o", output]
    return pair.lab.spawn(pair.where, *words, name=name), output


def warned(pair, outcome_path):
    done = pair.lab.command(None, "summary", outcome_path).must(0)
    return [line for line in unwrapped(done.stdout).splitlines() if SHARED in line]


def test_runs_that_share_agents(pair):
    first, output = start(pair, "first", {"duration": "3s"})
    agent, idle = pair.agents[0], pair.agents[0].interface_bytes("lo")
    for _ in waiting("the first run's flow", first):
        if agent.interface_bytes("lo") > idle + 1_000_000:
            break
    second = pair.run({"duration": "500ms"}).must(0)
    assert first.wait() == 0
    for name, host in pair.hosts.items():
        assert f"{name} (agent {host['mgmt']}): 1 other run has flows there now" in unwrapped(second.stderr)
    assert len(warned(pair, output)) == len(warned(pair, second.output)) == 2
    assert [agent.other_runs for agent in second.run.agents] == [1, 1]
    assert {flow.result.status for flow in second.flows} == {COMPLETE}


def test_runs_one_after_the_other(pair):
    for _ in range(2):
        outcome = pair.run({"duration": "300ms"}, flags=("--repeat", "2")).must(0)
        assert "other run" not in outcome.stdout + outcome.stderr
        assert [agent.other_runs for agent in outcome.run.agents] == [0, 0]
