"""The program's first command line and result format, which still hold, word for word."""

import gzip
import struct

import pytest
from harness import ESTABLISHED, PROGRAM, ROOT, messages, need_algorithm

MASTER = "./tcp-flowgen -master examples/flows_example.json"


@pytest.fixture
def seed(lab, tmp_path):
    """Runs command lines as they stand in a directory that has ./tcp-flowgen and examples/."""
    need_algorithm("bbr")
    home = tmp_path / "home"
    home.mkdir()
    (home / "tcp-flowgen").symlink_to(PROGRAM)
    (home / "examples").symlink_to(ROOT / "examples")
    return Seed(lab, home)


class Seed:
    def __init__(self, lab, home):
        self.lab = lab
        self.home = home
        self.where = lab.namespace("seed")

    def agent(self, line, listen):
        program, *words = line.split()
        name = f"agent-{listen}"
        agent = self.lab.spawn(self.where, *words, program=program, name=name, cwd=self.home)
        return self.lab.listening(agent, listen)

    def agents(self):
        return [
            self.agent("./tcp-flowgen -listen localhost:8841", "localhost:8841"),
            self.agent("./tcp-flowgen -listen localhost:8842", "localhost:8842"),
        ]

    def command(self, line):
        program, *words = line.split()
        return self.lab.command(self.where, *words, program=program, cwd=self.home)


def parse(path):
    """The loop of the first reader."""
    flows = []
    with gzip.open(path, "rb") as file:
        while True:
            head = file.read(4)
            if not head:
                return flows
            (size,) = struct.unpack("!I", head)
            flow = messages().Flow()
            flow.ParseFromString(file.read(size))
            flows.append(flow)


def check_results(path):
    flows = parse(path)
    assert [flow.params.id for flow in flows] == [0, 1]
    assert [flow.params.duration for flow in flows] == [1000, 2000]
    for flow in flows:
        assert (flow.params.src, flow.params.dst) == ("A", "B")
        for samples in (flow.TxTCPInfo, flow.RxTCPInfo):
            assert ESTABLISHED in {sample.state for sample in samples}
            assert [s.ts for s in samples] == sorted(s.ts for s in samples)
        assert flow.TxTCPInfo[-1].ThruBytesAcked > 0
        assert flow.RxTCPInfo[-1].ThruBytesReceived > 0
    # In force, read back from the kernel, at both ends.
    for flow, algorithm in zip(flows, ("bbr", "cubic")):
        assert flow.params.ccalg == algorithm
        assert (flow.result.src.ccalg, flow.result.dst.ccalg) == (algorithm, algorithm)


def test_three_commands(seed):
    agents = seed.agents()
    seed.command(MASTER).must(0)
    assert [agent.wait() for agent in agents] == [0, 0]
    assert {path.name for path in seed.home.iterdir()} == {"tcp-flowgen", "examples"}


def test_results_as_the_first_reader_sees_them(seed):
    agents = seed.agents()
    seed.command(f"{MASTER} -output results.pb.gz").must(0)
    assert [agent.wait() for agent in agents] == [0, 0]
    check_results(seed.home / "results.pb.gz")


def test_keepalive_leaves_the_agents(seed):
    agents = seed.agents()
    for output in ("first.pb.gz", "second.pb.gz"):
        seed.command(f"{MASTER} -keepalive -output {output}").must(0)
        assert all(agent.alive() for agent in agents)
        check_results(seed.home / output)
    seed.command(f"{MASTER} -keepalive=false -output=third.pb.gz").must(0)
    assert [agent.wait() for agent in agents] == [0, 0]


def test_two_dashes_and_equals(seed):
    seed.agent("./tcp-flowgen --listen=localhost:8841", "localhost:8841")
    seed.agent("./tcp-flowgen --listen=localhost:8842 -quiet", "localhost:8842")
    line = "./tcp-flowgen --master=examples/flows_example.json --output=results.pb.gz"
    seed.command(line).must(0)
    check_results(seed.home / "results.pb.gz")


def test_agents_interval_and_sizes(seed):
    flags = "-i 100ms -readSize 20000 -writeSize=10000"
    for listen in ("localhost:8841", "localhost:8842"):
        seed.agent(f"./tcp-flowgen -listen {listen} {flags}", listen)
    seed.command(f"{MASTER} -output results.pb.gz").must(0)
    flow = parse(seed.home / "results.pb.gz")[0]
    assert [agent.interval_ns for agent in flow.run.agents] == [100_000_000] * 2
    assert (flow.result.src.write_size, flow.result.dst.read_size) == (10000, 20000)


def test_broken_json_starts_nothing(seed):
    agents = seed.agents()
    (seed.home / "broken.json").write_text('{"hosts": {"A": ')
    outcome = seed.command("./tcp-flowgen -master broken.json -output results.pb.gz").must(2)
    assert "broken.json" in outcome.stderr
    assert not (seed.home / "results.pb.gz").exists()
    assert all(agent.alive() for agent in agents)
    seed.command(f"{MASTER} -output results.pb.gz").must(0)
