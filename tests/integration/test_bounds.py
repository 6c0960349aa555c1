"""What a stranger asks for costs the agent little, and nobody else anything."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from harness import COMPLETE, INSTRUMENTED, cable, children, need_stock_grpc, run, waiting

PYTHON = "/usr/bin/python3"
STRANGER = Path(__file__).with_name("bounds_stranger.py")
EARLIER = Path(__file__).with_name("earlier_master.py")
AGENT = "10.91.0.1:8840"
MEMORY = 64 << 10  # KiB that an agent may take for him
SILENT = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        server.recv(4096)
"""


def with_silent_resolver(lab, where):
    """Words before a command whose name server does not answer."""
    server = lab.spawn(where, "-c", SILENT, program=PYTHON, name="name-server")
    for _ in waiting("the name server", server):
        if "ready" in server.text():
            break
    resolver = lab.write("nameserver 127.0.0.1\n", "resolv.conf")
    hide = f'mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    return "unshare", "--mount", "sh", "-c", hide, "sh"


@pytest.fixture(scope="module", autouse=True)
def stock_grpc():
    need_stock_grpc()


class Besieged:
    """An agent whose name server does not answer, and a stranger in the same network."""

    def __init__(self, lab):
        self.lab = lab
        self.here, self.there = lab.namespace("here"), lab.namespace("there")
        cable(self.here, "m0", "10.91.0.1/24", self.there, "m1", "10.91.0.2/24")
        before = with_silent_resolver(lab, self.here)
        self.agent = lab.agent(self.here, AGENT, "--insecure", before=before)
        hosts = {"A": {"mgmt": AGENT, "host": "127.0.0.1"}, "B": {"mgmt": AGENT, "host": "127.0.0.2"}}
        flow = {"src": "A", "dst": "B", "duration": "2500ms", "ccalg": "cubic", "send_rate": "10Mbit/s"}
        self.scenario = {"hosts": hosts, "flows": [{"id": i, **flow} for i in range(10)]}

    def say_hello(self):
        """Another master, who goes on saying it."""
        words = [*self.here.enter(), PYTHON, STRANGER, AGENT, "hello"]
        words = [str(word) for word in words]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def attack(self, what):
        return json.loads(run(*self.there.enter(), PYTHON, STRANGER, AGENT, what))

    def memory(self, field):
        for line in Path(f"/proc/{self.agent.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])

    def taken_by(self, what):
        """What he is told, and KiB that the agent takes meanwhile."""
        Path(f"/proc/{self.agent.pid}/clear_refs").write_text("5")  # the peak begins anew
        before = self.memory("VmRSS")
        return self.attack(what), self.memory("VmHWM") - before

    def master(self, output):
        path = self.lab.write(self.scenario)
        return self.lab.spawn(self.here, "run", path, "-o", output, "--quiet", name="master")


@pytest.fixture
def besieged(lab):
    return Besieged(lab)


def check_announced(told, besieged):
    assert told == ["OK"] * 3
    assert children(besieged.agent) == []


def check_nested(told, besieged):
    assert told == ["INVALID_ARGUMENT"] * 3


def check_names(told, besieged):
    assert told == ["OK", "INVALID_ARGUMENT"]


def check_wide(told, besieged):
    *others, long = told[1:]
    assert told[0] == "OK" and set(others) <= {"OK", "RESOURCE_EXHAUSTED"}
    assert long == "INVALID_ARGUMENT"


ATTACKS = {
    "announce": check_announced,
    "nested": check_nested,
    "names": check_names,
    "wide": check_wide,
}


@pytest.mark.parametrize("what", ATTACKS)
def test_a_stranger_who_asks_for_much(lab, besieged, what):
    """Meanwhile a run goes on, and another master is served; after it the next run begins at once."""
    output = lab.output()
    other = besieged.say_hello()
    master = besieged.master(output)
    for _ in waiting("flows", master):
        spools = list(lab.directory.glob("spool-*/*.spool"))
        if spools and spools[0].stat().st_size > 10_000:
            break
    told, taken = besieged.taken_by(what)
    ATTACKS[what](told, besieged)
    assert INSTRUMENTED or taken < MEMORY, f"{taken} KiB"
    assert master.wait() == 0, master.text()
    longest = json.loads(other.communicate(timeout=60)[0])
    assert longest < 2
    assert "hangs" not in besieged.agent.text()
    if what == "announce":
        besieged.scenario["flows"] = [{**flow, "duration": "100ms"} for flow in besieged.scenario["flows"]]
        outcome = lab.run(besieged.here, besieged.scenario).must(0)
        assert all(flow.result.status == COMPLETE for flow in outcome.flows)


def test_an_earlier_masters_name(lab):
    """Its flow waits for the name server, other calls do not."""
    where, address = lab.namespace(), "127.0.0.1:8841"
    before = with_silent_resolver(lab, where)
    lab.listening(lab.spawn(where, "-listen", address, before=before, name="agent"), address)
    call = [EARLIER, "call", address]
    flow = ["StartFlow", "id=1", "dst=slow.example.org", "duration=1000", "port=9"]
    slow = lab.spawn(where, *call, *flow, program=PYTHON, name="slow")
    begin = time.monotonic()
    for _ in waiting("two answers", slow):
        assert json.loads(run(*where.enter(), PYTHON, *call, "Hello"))[0] == "OK"
        if time.monotonic() - begin > 2:
            break
    assert slow.alive() and "hangs" not in slow.text()
