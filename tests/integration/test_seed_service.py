"""A master of the earlier program and agents of today: see earlier_master.py."""

import json
import sys
import time
from pathlib import Path

import pytest
from harness import ESTABLISHED, ROOT, cable, need_algorithm, need_stock_grpc, read_results

MASTER = Path(__file__).with_name("earlier_master.py")
LISTEN = ("localhost:8841", "localhost:8842")


@pytest.fixture(scope="module", autouse=True)
def stock_grpc():
    need_stock_grpc()


class Earlier:
    """Two agents in the form without a command word, and their master."""

    def __init__(self, lab):
        self.lab = lab
        self.where = lab.namespace("earlier")
        self.agents = [self.agent(listen) for listen in LISTEN]

    def agent(self, listen, *flags):
        name = f"agent-{listen}"
        agent = self.lab.spawn(self.where, "-listen", listen, *flags, name=name)
        return self.lab.listening(agent, listen)

    def master(self, *words):
        return self.lab.command(self.where, MASTER, *words, program=sys.executable).must(0).stdout

    def run(self, scenario, *flags):
        """The result file's flows, and what the master said of (id, end): kbps and port."""
        output = self.lab.output(".pb")
        lines = self.master("run", scenario, output, *flags).splitlines()
        said = {(i, end): (kbps, port) for i, end, kbps, port in map(json.loads, lines)}
        return read_results(output), said

    def call(self, listen, method, **fields):
        """The status of one call, and the answer or the error's text."""
        words = [f"{name}={value}" for name, value in fields.items()]
        return json.loads(self.master("call", listen, method, *words))


@pytest.fixture
def earlier(lab):
    return Earlier(lab)


def check_rows(rows, counter, seconds):
    values = [getattr(row, counter) for row in rows]
    assert values == sorted(values) and values[0] < values[-1]
    running = [row for row in rows if row.ts < seconds - 0.1]
    assert {row.state for row in running} == {ESTABLISHED}
    times = [row.ts for row in rows]
    assert times == sorted(times)
    assert 0 <= times[0] < seconds  # it counts from the end's own start
    assert all(row.RTT > 0 for row in running)


def check_example(flows, said):
    assert [flow.params.id for flow in flows] == [0, 1]
    for flow, seconds in zip(flows, (1, 2)):
        check_rows(flow.TxTCPInfo, "ThruBytesAcked", seconds)
        check_rows(flow.RxTCPInfo, "ThruBytesReceived", seconds)
        sent, received = flow.TxTCPInfo[-1], flow.RxTCPInfo[-1]
        assert received.ThruBytesReceived == sent.ThruBytesAcked - 1  # SYN
        for end in ("src", "dst"):
            assert said[flow.params.id, end][0] > 0
    assert said[0, "dst"][1] != said[1, "dst"][1]  # a port each


def test_a_whole_run(earlier):
    need_algorithm("bbr")
    check_example(*earlier.run(ROOT / "examples" / "flows_example.json"))
    assert [agent.wait() for agent in earlier.agents] == [0, 0]


def test_keepalive(earlier):
    need_algorithm("bbr")
    for _ in range(2):  # with the same ids
        check_example(*earlier.run(ROOT / "examples" / "flows_example.json", "--keepalive"))
    assert all(agent.alive() for agent in earlier.agents)
    assert earlier.call(LISTEN[0], "GetResults", id=0)[0] == "NOT_FOUND"  # it was fetched
    assert earlier.call(LISTEN[0], "Shutdown") == ["OK", {}]
    assert earlier.agents[0].wait() == 0
    assert earlier.agents[1].alive()


def test_both_ends_at_one_agent(earlier):
    hosts = {"A": {"mgmt": LISTEN[0], "host": "127.0.0.1"}}
    flow = {"id": -7, "src": "A", "dst": "A", "start": "300ms", "duration": "500ms"}
    flows, said = earlier.run(earlier.lab.write({"hosts": hosts, "flows": [flow]}))
    assert set(said) == {(-7, "src"), (-7, "dst")}
    assert flows[0].RxTCPInfo[-1].ThruBytesReceived == flows[0].TxTCPInfo[-1].ThruBytesAcked - 1
    assert earlier.agents[0].wait() == 0


def test_errors(earlier):
    here, there = LISTEN
    assert earlier.call(here, "Hello") == ["OK", {}]
    assert earlier.call(here, "GetResults", id=404)[0] == "NOT_FOUND"
    assert earlier.call(here, "Listen", id=1)[0] == "INVALID_ARGUMENT"  # no duration
    flow = {"id": 1, "duration": 1000, "dst": "127.0.0.1", "port": 4711}
    code, text = earlier.call(here, "StartFlow", **flow, ccalg="nosuch")
    assert code == "FAILED_PRECONDITION" and "nosuch" in text
    code, text = earlier.call(
        here, "StartFlow", id=1, duration=1000, dst="no.such.host.invalid", port=4711
    )
    assert code == "INVALID_ARGUMENT" and "no.such.host.invalid" in text
    assert earlier.call(here, "StartFlow", id=1, duration=1000, dst="::1")[0] == "INVALID_ARGUMENT"
    assert earlier.call(here, "StartFlow", id=1, duration=2**64 - 1, dst="::1", port=9)[0] == (
        "INVALID_ARGUMENT"
    )
    # Nobody listens there: told when asked for results.
    assert earlier.call(here, "StartFlow", id=2, duration=1000, dst="127.0.0.1", port=9)[0] == "OK"
    code, text = earlier.call(here, "GetResults", id=2)
    assert code == "FAILED_PRECONDITION" and "refused" in text
    # All that fails leaves nothing behind.
    assert earlier.call(here, "GetResults", id=1)[0] == "NOT_FOUND"
    assert earlier.call(here, "GetResults", id=2)[0] == "NOT_FOUND"
    assert earlier.call(there, "Shutdown") == ["OK", {}]
    assert earlier.agents[1].wait() == 0


def test_flows_leave_loopback_only_where_that_is_insecure(earlier):
    """Nobody can say in this protocol that he wants the flow."""
    away = earlier.lab.namespace("away")
    cable(earlier.where, "t0", "10.86.0.1/24", away, "t1", "10.86.0.2/24")
    earlier.agent(":8843", "-insecure")
    for address in ("10.86.0.1", "10.86.0.2"):
        flow = {"id": 5, "duration": 100, "dst": address, "port": 9}
        code, text = earlier.call(LISTEN[0], "StartFlow", **flow)
        assert code == "FAILED_PRECONDITION"
        assert f"{address} is not a loopback address" in text and "-insecure" in text
        assert earlier.call(LISTEN[0], "GetResults", id=5)[0] == "NOT_FOUND"
        assert earlier.call("localhost:8843", "StartFlow", **flow) == ["OK", {}]


def test_a_listener_left_behind_is_replaced(earlier):
    port = [earlier.call(LISTEN[1], "Listen", id=3, duration=400)[1]["port"] for _ in range(2)]
    assert earlier.agents[1].listens(port[1])
    assert port[0] == port[1] or not earlier.agents[1].listens(port[0])
    flow = {"id": 3, "duration": 400, "dst": "localhost", "port": port[1]}
    assert earlier.call(LISTEN[0], "StartFlow", **flow) == ["OK", {}]
    time.sleep(0.1)
    # In mid-run there is what there is; the flow goes on.
    code, results = earlier.call(LISTEN[1], "GetResults", id=3)
    assert code == "OK" and results["id"] == 3


def test_running_flow_is_not_replaced(earlier):
    port = earlier.call(LISTEN[1], "Listen", id=3, duration=30000)[1]["port"]
    flow = {"id": 3, "duration": 30000, "dst": "localhost", "port": port}
    assert earlier.call(LISTEN[0], "StartFlow", **flow) == ["OK", {}]
    code, text = earlier.call(LISTEN[0], "StartFlow", **flow)
    assert code == "FAILED_PRECONDITION" and "under way" in text
    code, results = earlier.call(LISTEN[0], "GetResults", id=3)  # what there is by now
    assert code == "OK" and results["id"] == 3 and "kbps" not in results
    assert results["TCPInfo"][0]["state"] == ESTABLISHED
    assert earlier.call(LISTEN[1], "GetResults", id=3)[0] == "OK"
    for listen in LISTEN:
        assert earlier.call(listen, "Shutdown") == ["OK", {}]
    assert [agent.wait() for agent in earlier.agents] == [0, 0]


def test_an_agent_of_today_does_not_serve_it(lab):
    where = lab.namespace("today")
    lab.agent(where, "127.0.0.1:8841", "--allow-shutdown")
    for method in ("Hello", "Listen", "StartFlow", "GetResults", "Shutdown"):
        words = [MASTER, "call", "127.0.0.1:8841", method]
        outcome = lab.command(where, *words, program=sys.executable).must(0)
        assert json.loads(outcome.stdout)[0] == "UNIMPLEMENTED"
