"""Every failure is told and survived: the table MATRIX at the end has what fails, the master's exit
status, what is said, and what the result holds.  After each the same agents run a good scenario,
and leave nothing in their spool directories.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest
from harness import COMPLETE, LATER_SYNS, PARTIAL, PROGRAM, Outcome, ends, run, waiting

HOSTS = {
    "A": {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"},
    "B": {"mgmt": "127.0.0.1:8842", "host": "127.0.0.2"},
}
PORT_B = 8842
NOBODY = 65534
IMPOSTOR = Path(__file__).with_name("impostor.py")
RELAY = Path(__file__).with_name("relay.py")
MB = 1_000_000
GB = 1_000_000_000


def scenario(*flows, hosts=HOSTS):
    """Flows from A to B that last a second."""
    numbered = [
        {"id": i, "src": "A", "dst": "B", "duration": "1s", **flow} for i, flow in enumerate(flows)
    ]
    return {"hosts": hosts, "flows": numbered}


class Master:
    """`tcp-flowgen run` in the background."""

    def __init__(self, bed, *flows, flags=(), under=(), output=None, hosts=HOSTS):
        self.bed = bed
        self.output = output or bed.lab.output(".pb")
        path = bed.lab.write(scenario(*flows, hosts=hosts), f"{self.output.name}.json")
        self.idle = bed.agents["A"].interface_bytes("lo")
        words = [*under, PROGRAM, "run", path, "-o", self.output, *bed.trust, *flags]
        self.process = bed.lab.spawn(bed.where, *words[1:], program=words[0], name="master")

    def said(self, text):
        """Waits until the log has the text."""
        for _ in waiting(repr(text), self.process):
            if text in self.process.text():
                return self

    def moves(self):
        """Waits until payload has moved."""
        for _ in waiting("payload", self.process):
            if self.bed.agents["A"].interface_bytes("lo") > self.idle + 5 * MB:
                return self

    def done(self):
        code = self.process.wait()
        return Outcome(code, "", self.process.text(), self.output)


class Disk:
    """A small file system that only those see who are started under it, and who look from outside
    by way of /proc.  It lasts as long as the process that holds it."""

    def __init__(self, bed, size):
        self.inside = bed.lab.directory / "disk"
        self.inside.mkdir()
        script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo ready && exec sleep 600'
        words = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", size, self.inside]
        self.holder = bed.lab.spawn(bed.where, *words, program="unshare", name="disk")
        for _ in waiting("the tmpfs", self.holder):
            if "ready" in self.holder.text():
                break
        self.under = ["nsenter", "--target", self.holder.pid, "--mount", "--"]
        self.outside = Path(f"/proc/{self.holder.pid}/root/{self.inside}")

    def fill(self):
        """Whatever is free."""
        with open(self.outside / "filler", "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    def empty(self):
        (self.outside / "filler").unlink()


class Bed:
    """Agents A and B in a network namespace, and the means to harm them."""

    def __init__(self, lab):
        self.lab = lab
        self.where = lab.namespace("bed")
        self.agents = {}
        self.spools = {}
        self.flow = {"duration": "300ms"}  # of the good run
        self.trust = ()  # what masters are told beside
        self.after = contextlib.ExitStack()
        for name in HOSTS:
            self.start(name)

    def start(self, name, *flags, under=(), spool=None, program=PROGRAM):
        """Starts the agent, or another in its place."""
        if name in self.agents:
            self.agents[name].end()
        listen = HOSTS[name]["mgmt"]
        if spool is None:
            spool = self.lab.directory / f"spool-{name}"
            spool.mkdir(exist_ok=True)
        words = [*under, program, "agent", "--listen", listen, "--spool", spool, *flags]
        agent = self.lab.spawn(self.where, *words[1:], program=words[0], name=f"agent-{name}")
        self.agents[name] = self.lab.listening(agent, listen)
        self.spools[name] = spool
        return agent

    def start_as_nobody(self, name):
        """Without any privilege; the program and the spool where everybody may go."""
        place = Path(tempfile.mkdtemp(prefix="tcp-flowgen-test-", dir="/var/tmp"))
        self.after.callback(shutil.rmtree, place)
        place.chmod(0o755)
        spool = place / "spool"
        spool.mkdir()
        os.chown(spool, NOBODY, NOBODY)
        program = shutil.copy(PROGRAM, place / "tcp-flowgen")
        self.trust = ("--trust-user", NOBODY)
        under = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return self.start(name, under=under, spool=spool, program=program)

    def impostor(self, way):
        """In B's place for the rest of the failure."""
        self.agents["B"].end()
        process = self.lab.spawn(self.where, IMPOSTOR, way, PORT_B, program=sys.executable)
        self.lab.listening(process, HOSTS["B"]["mgmt"])
        return process

    @contextlib.contextmanager
    def stopped_at(self, call, *limits):
        """B is stopped just before the first call of that name; gives the hosts that lead there,
        and A under a second name.  limits: for so many seconds, and so many times."""
        port = PORT_B + 1
        words = [RELAY, port, PORT_B, call, self.agents["B"].pid, *limits]
        relay = self.lab.spawn(self.where, *words, program=sys.executable, name="relay")
        self.lab.listening(relay, f"127.0.0.1:{port}")
        yield HOSTS | {
            "B": HOSTS["B"] | {"mgmt": f"127.0.0.1:{port}"},
            "C": HOSTS["A"] | {"host": "127.0.0.3"},
        }
        self.agents["B"].signal(signal.SIGCONT)
        relay.end()

    def master(self, *flows, **more):
        return Master(self, *flows, **more)

    def run(self, *flows, **more):
        return self.master(*flows, **more).done()

    @contextlib.contextmanager
    def cut(self, *matches):
        """The packets are dropped."""
        if shutil.which("nft") is None:
            pytest.skip("nft is not installed")
        chain = "add chain inet cut input { type filter hook input priority 0; }"
        rules = [f"add rule inet cut input {match} drop" for match in matches]
        run(*self.where.enter(), "nft", "; ".join(["add table inet cut", chain, *rules]))
        yield
        run(*self.where.enter(), "nft", "delete table inet cut")

    def leftovers(self):
        return {file for spool in self.spools.values() for file in spool.glob("*.spool")}

    def good_run(self):
        before = self.leftovers()
        outcome = self.run(self.flow).must(0)
        whole(outcome)
        assert self.leftovers() <= before

    def close(self):
        self.after.close()


@pytest.fixture
def bed(lab):
    bed = Bed(lab)
    yield bed
    for agent in bed.agents.values():
        agent.signal(signal.SIGCONT)
        agent.end()
    bed.close()


# ---- What fails before the start ----


def agent_is_down(bed):
    bed.agents["B"].end()
    return bed.run({})


def management_name_unknown(bed):
    hosts = HOSTS | {"B": HOSTS["B"] | {"mgmt": "no-such-host.invalid:8842"}}
    return bed.lab.run(bed.where, scenario({}, hosts=hosts))


def host_name_unknown(bed):
    hosts = HOSTS | {"B": HOSTS["B"] | {"host": "no-such-host.invalid"}}
    return bed.lab.run(bed.where, scenario({}, hosts=hosts))


def host_name_takes_long(bed):
    """The resolver asks somebody who never answers.  Meanwhile the agent serves others."""
    resolv = bed.lab.directory / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.9\n")
    script = "import socket, time\ns = socket.socket(type=2)\ns.bind(('127.0.0.9', 53))\n"
    mute = bed.lab.spawn(bed.where, "-c", script + "time.sleep(600)", program=sys.executable)
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    under = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, resolv]
    bed.start("B", under=under)
    hosts = HOSTS | {"B": HOSTS["B"] | {"host": "no-such-host.example"}}
    master = bed.master({}, hosts=hosts)
    time.sleep(0.5)
    began = time.monotonic()
    bed.good_run()
    assert time.monotonic() - began < 4
    assert master.process.alive()
    outcome = master.done()
    bed.start("B")
    mute.end()
    return outcome


def foreign_address(bed):
    hosts = HOSTS | {"B": HOSTS["B"] | {"host": "192.0.2.7"}}
    return bed.lab.run(bed.where, scenario({}, hosts=hosts))


def with_impostor(way):
    def fail(bed):
        impostor = bed.impostor(way)
        outcome = bed.run({})
        impostor.end()
        return outcome

    fail.__name__ = f"{way}_listener"
    return fail


def agent_stopped(bed):
    bed.agents["B"].signal(signal.SIGSTOP)
    outcome = bed.run({})
    bed.agents["B"].signal(signal.SIGCONT)
    return outcome


def agent_killed_before_start(bed):
    """Its data ports answer no flow, so that the master waits for the connections."""
    with bed.cut(f"ip daddr 127.0.0.2 tcp dport != {PORT_B} {LATER_SYNS}"):
        master = bed.master({}).said("clock within").said("clock within")
        time.sleep(0.5)
        bed.agents["B"].signal(signal.SIGKILL)
        return master.done()


def agent_stopped_at_start(bed):
    """The other one is told in time that nothing is started."""
    idle = bed.agents["A"].interface_bytes("lo")
    with bed.stopped_at("Start") as hosts:
        outcome = bed.run({}, {"dst": "C"}, hosts=hosts)
        assert bed.agents["A"].interface_bytes("lo") < idle + 1 * MB
        return outcome


def agent_late_at_start(bed):
    """Too late for its order twice, then in time."""
    with bed.stopped_at("Start", 0.9, 2) as hosts:
        return bed.run({}, {"dst": "C"}, hosts=hosts)


def agent_always_late_at_start(bed):
    with bed.stopped_at("Start", 0.9, 100) as hosts:
        return bed.run({}, {"dst": "C"}, hosts=hosts)


def agent_stopped_in_prepare(bed):
    with bed.stopped_at("Prepare") as hosts:
        return bed.run({}, hosts=hosts)


def interrupted_in_prepare(bed):
    with bed.stopped_at("Prepare") as hosts:
        master = bed.master({}, hosts=hosts).said("clock within").said("clock within")
        time.sleep(0.5)
        master.process.signal(signal.SIGINT)
        interrupted = time.monotonic()
        outcome = master.done()
        assert time.monotonic() - interrupted < 5
        return outcome


def data_ports_answer_no_flow(bed):
    with bed.cut(f"ip daddr 127.0.0.2 tcp dport != {PORT_B} {LATER_SYNS}"):
        return bed.run({})


def unknown_algorithm(bed):
    return bed.run({"ccalg": "nosuch"})


def forbidden():
    """An algorithm that takes privilege."""
    folder = Path("/proc/sys/net/ipv4")
    available, allowed = (
        set((folder / f"tcp_{which}_congestion_control").read_text().split())
        for which in ("available", "allowed")
    )
    if not available - allowed:
        pytest.skip("this kernel allows everybody all that it has")
    return min(available - allowed)


def forbidden_algorithm(bed):
    bed.start_as_nobody("A")
    return bed.run({"ccalg": forbidden()})


def ecn_without_privilege(bed):
    bed.where.sysctl("net.ipv4.tcp_ecn", 2)
    bed.start_as_nobody("A")
    return bed.run({"ecn": True})


def everything_without_privilege(bed):
    """Several faults of one flow, at both of its ends."""
    bed.where.sysctl("net.ipv4.tcp_ecn", 2)
    for name in HOSTS:
        bed.start_as_nobody(name)
    flow = {"send_buffer": GB, "receive_buffer": GB, "capture": "headers", "ecn": True}
    outcome = bed.run(flow | {"ccalg": "nosuch"})
    for mgmt, parts in EVERYTHING.items():
        for part in parts:
            assert re.search(rf"flows\[0\] \(id 0\): [AB] \(agent {mgmt}\): {part}", outcome.stderr), part
    return outcome


def data_ports_in_use(bed):
    bed.start("B", "--data-ports", "9001-9002")
    script = (
        "import socket, time\n"
        "kept = [socket.create_server(('127.0.0.2', port)) for port in (9001, 9002)]\n"
        "time.sleep(600)"
    )
    holder = bed.lab.spawn(bed.where, "-c", script, program=sys.executable)
    bed.lab.listening(holder, "127.0.0.2:9002")
    outcome = bed.run({})
    holder.end()
    return outcome


def too_few_descriptors(bed):
    """The limit that is named would do."""
    bed.start("B", under=["prlimit", "--nofile=64:64"])
    outcome = bed.run({})
    limit = re.search(r"ulimit -n (\d+)", outcome.stderr)[1]
    bed.start("B", under=["prlimit", f"--nofile={limit}:{limit}"])
    whole(bed.run({}).must(0))
    bed.start("B")
    return outcome


def too_few_descriptors_for_master(bed):
    return bed.run({}, under=["prlimit", "--nofile=16:16"])


def spool_directory_vanished(bed):
    bed.spools["B"].rmdir()
    outcome = bed.run({})
    bed.spools["B"].mkdir()
    return outcome


def agent_without_spool_directory(bed):
    absent = bed.lab.directory / "absent"
    outcome = bed.lab.command(bed.where, "agent", "--listen", "localhost:8843", "--spool", absent)
    outcome.output = absent
    return outcome


def output_directory_absent(bed):
    return bed.run({}, output=bed.lab.directory / "absent" / "results.pb")


def output_directory_forbidden(bed):
    bed.start_as_nobody("A")  # for a place that everybody may look into
    place = bed.spools["A"].parent
    path = place / "scenario.json"
    path.write_text(bed.lab.write(scenario({})).read_text())
    under = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    words = [*under[1:], place / "tcp-flowgen", "run", path, "-o", place / "results.pb"]
    outcome = bed.lab.command(bed.where, *words, program=under[0], cwd="/")
    outcome.output = place / "results.pb"
    return outcome


def output_is_a_directory(bed):
    output = bed.lab.directory / "results"
    output.mkdir()
    outcome = bed.run({}, output=output)
    output.rmdir()
    return outcome


def output_has_a_directory_in_its_way(bed):
    """It is found out before the run, not behind it."""
    output = bed.lab.output()
    temporary = output.with_name(output.name + ".tmp")
    temporary.mkdir()
    outcome = bed.run({"duration": "1h"}, output=output)
    temporary.rmdir()
    assert not output.with_name(output.name + ".part").exists()
    return outcome


def two_masters_one_output(bed):
    first = bed.master({"duration": "2s"}).moves()
    second = bed.run({}, output=first.output)
    whole(first.done().must(0))
    second.output = bed.lab.output()
    return second


def broken_json(bed):
    return bed.lab.run(bed.where, '{"hosts": {},\n "flows": [}')


def no_flows(bed):
    return bed.lab.run(bed.where, scenario())


def three_errors(bed):
    flows = {"src": "Z"}, {"duration": "soon"}, {"start": "-1s"}
    return bed.lab.run(bed.where, scenario(*flows))


# ---- What fails while flows run ----


def without_agent_stopped_at_start(bed):
    with bed.stopped_at("Start") as hosts:
        return bed.run({}, {"dst": "C"}, hosts=hosts, flags=("--best-effort",))


def agent_killed(bed):
    master = bed.master({"duration": "2s"}).moves()
    bed.agents["B"].signal(signal.SIGKILL)
    return master.done()


def agent_of_both_ends_killed(bed):
    """No report is left of the flow, but samples."""
    master = bed.master({"duration": "2s"}, {"src": "B", "dst": "B", "duration": "2s"})
    master.moves()
    time.sleep(1)
    bed.agents["B"].signal(signal.SIGKILL)
    return master.done()


def agent_stopped_in_mid_run(bed):
    master = bed.master({"duration": "3s"}).moves()
    bed.agents["B"].signal(signal.SIGSTOP)
    outcome = master.done()
    bed.agents["B"].signal(signal.SIGCONT)
    return outcome


ALL_OF_B = [f"ip {way} 127.0.0.2" for way in ("saddr", "daddr")]
ALL_OF_B += [f"tcp {way} {PORT_B}" for way in ("sport", "dport")]


def agent_cut_off(bed):
    master = bed.master({"duration": "3s"}).moves()
    with bed.cut(*ALL_OF_B):
        return master.done()


def agent_cut_off_for_2_s(bed):
    master = bed.master({"duration": "4s"}).moves()
    with bed.cut(*ALL_OF_B):
        time.sleep(2)
    return master.done()


def slow_agent(bed):
    master = bed.master({"duration": "2s"}).moves()
    for _ in range(7):
        bed.agents["B"].signal(signal.SIGSTOP)
        time.sleep(0.1)
        bed.agents["B"].signal(signal.SIGCONT)
        time.sleep(0.05)
    return master.done()


def disk_of_agent_full(bed):
    disk = Disk(bed, "4m")
    bed.start("B", under=disk.under, spool=disk.inside)
    master = bed.master({"duration": "2s"}, {"duration": "2s"}, flags=("-i", "1ms")).moves()
    disk.fill()
    outcome = master.done()
    disk.empty()
    bed.spools["B"] = disk.outside
    assert re.search(r"disk: spools leave \S+ kB of their disk free", bed.agents["B"].text())
    return outcome


def disk_of_master_full(bed):
    disk = Disk(bed, "2m")
    output = disk.inside / "results.pb"
    flags = ("-i", "1ms")
    master = bed.master({"duration": "1s"}, flags=flags, under=disk.under, output=output).moves()
    disk.fill()
    outcome = master.done()
    outcome.output = disk.outside / "results.pb"
    assert (disk.outside / "results.pb.part").stat().st_size
    return outcome


def disk_of_master_full_for_1_s(bed):
    disk = Disk(bed, "4m")
    output = disk.inside / "results.pb"
    flags = ("-i", "1ms")
    master = bed.master({"duration": "2s"}, flags=flags, under=disk.under, output=output).moves()
    disk.fill()
    master.said("cannot write")
    time.sleep(1)
    disk.empty()
    outcome = master.done()
    outcome.output = disk.outside / "results.pb"
    return outcome


def results_cannot_be_written(bed):
    place = bed.lab.directory / "parts"
    place.mkdir()
    under = ["env", f"TMPDIR={place}"]
    outcome = bed.run({"duration": "300ms"}, output=Path("/dev/full"), under=under)
    assert [part.stat().st_size > 0 for part in place.iterdir()] == [True]
    outcome.output = bed.lab.output()
    return outcome


def master_interrupted(bed):
    master = bed.master({"duration": "60s"}).moves()
    master.process.signal(signal.SIGINT)
    return master.done()


def master_hung_up(bed):
    """Its terminal is gone, which is told twice."""
    under = ["env", "--default-signal=HUP"]  # whoever runs the tests may ignore it
    master = bed.master({"duration": "60s"}, under=under).moves()
    master.process.signal(signal.SIGHUP)
    master.said("interrupted")
    master.process.signal(signal.SIGHUP)
    return master.done()


def master_interrupted_twice(bed):
    """An agent hangs, so that once is not enough."""
    master = bed.master({"duration": "60s"}).moves()
    time.sleep(1)
    bed.agents["B"].signal(signal.SIGSTOP)
    master.process.signal(signal.SIGINT)
    master.said("once more")
    master.process.signal(signal.SIGINT)
    interrupted = time.monotonic()
    outcome = master.done()
    assert time.monotonic() - interrupted < 4
    bed.agents["B"].signal(signal.SIGCONT)
    return outcome


def master_paused(bed):
    """For longer than an agent may be silent, and than the flow lasts."""
    master = bed.master({"duration": "2s"}).moves()
    master.process.signal(signal.SIGSTOP)
    time.sleep(11.5)
    master.process.signal(signal.SIGCONT)
    return master.done()


def agent_paused(bed):
    """For longer than a call to it may take, and for less than it may be silent."""
    master = bed.master({"duration": "8s"}).moves()
    bed.agents["A"].signal(signal.SIGSTOP)
    time.sleep(6)
    bed.agents["A"].signal(signal.SIGCONT)
    return master.done()


def master_killed(bed):
    for name in HOSTS:
        bed.start(name, "--orphan-after", "2s")
    master = bed.master({"duration": "60s"}).moves()
    master.process.signal(signal.SIGKILL)
    outcome = master.done()
    bed.good_run()  # at once
    for name, agent in bed.agents.items():
        for _ in waiting(f"agent {name} to stop the orphaned run", agent):
            if re.search(r"no master for 2 s.*\n(.*\n)*.* is over", agent.text()):
                break
    return outcome


def two_masters(bed):
    masters = [bed.master({"duration": "1s"}) for _ in range(2)]
    outcomes = [master.done().must(0) for master in masters]
    assert len({outcome.run.id for outcome in outcomes}) == 2
    whole(outcomes[0])
    return outcomes[1]


# ---- What the result holds ----


def nothing(outcome):
    left = outcome.output.parent.glob(outcome.output.name + "*")
    assert [file for file in left if not file.name.endswith(".json")] == []


def whole(outcome):
    assert [flow.result.status for flow in outcome.flows] == [COMPLETE] * len(outcome.flows)
    assert not outcome.run.events
    for flow in outcome.flows:
        for report, rows, _ in ends(flow):
            assert len(rows) == report.samples_taken + 1


def whole_in_spite_of_a_pause(outcome):
    whole(outcome)
    assert ["the master did not run for 11." in warning for warning in outcome.run.warnings].count(True) == 1


def started_late(outcome):
    whole(outcome)
    assert ["try 3 of 3" in warning for warning in outcome.run.warnings].count(True) == 1


def lost_agent(outcome):
    (flow,) = outcome.flows
    hosts = {host.name: outcome.run.agents[host.agent] for host in outcome.run.hosts}
    assert hosts["B"].lost and not hosts["A"].lost
    assert [hosts["B"].mgmt in event.text for event in outcome.run.events] == [True]
    assert flow.result.status == PARTIAL and hosts["B"].mgmt in flow.result.error
    assert len(flow.TxTCPInfo) == flow.result.src.samples_taken + 1
    assert not flow.result.HasField("dst")


def recovered(outcome):
    """With what the master kept and the lost agent's spool, both as the result names them."""
    lost_agent(outcome)
    (event,) = outcome.run.events
    directory, name = re.search(r"in (\S+): (tcp-flowgen-\w+-\*\.spool)$", event.text).groups()
    assert outcome.run.id in name
    (spool,) = Path(directory).glob(name)
    (part,) = re.findall("is kept in (\\S+): ", "\n".join(outcome.run.warnings))
    assert part == str(outcome.output.parent / f"tcp-flowgen-{outcome.run.id}.part")
    output = outcome.output.with_suffix(".recovered")
    # The result stands for the part file that lies beside it.
    done = subprocess.run([PROGRAM, "recover", "-o", output, outcome.output, spool], capture_output=True)
    assert part in done.stderr.decode()
    again = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode(), output)
    (flow,), (before,) = again.flows, outcome.flows
    a, b = (again.run.agents[host.agent] for host in again.run.hosts)
    assert not a.lost and len(flow.TxTCPInfo) == len(before.TxTCPInfo)
    assert flow.result.src.payload_bytes == before.result.src.payload_bytes
    assert len(flow.RxTCPInfo) >= len(before.RxTCPInfo)
    rows = {samples.agent: samples.seen for samples in again.run.host_samples}
    known = {samples.agent: samples.seen for samples in outcome.run.host_samples}
    assert rows[0] == known[0] and rows[1] >= known[1]
    return flow, b


def recovered_of_killed(outcome):
    flow, b = recovered(outcome)
    assert "has no end" in b.lost and not flow.result.HasField("dst")


def recovered_whole(outcome):
    flow, b = recovered(outcome)
    assert not b.lost and len(flow.RxTCPInfo) == flow.result.dst.samples_taken + 1


def samples_alone(outcome):
    flow = outcome.flows[1]
    assert not flow.result.HasField("src") and not flow.result.HasField("dst")
    assert flow.RxTCPInfo[-1].ThruBytesReceived > 1_000_000
    assert flow.result.status == PARTIAL and "lost" in flow.result.error


def other_flow(outcome):
    without, other = outcome.flows
    assert other.result.status == COMPLETE
    assert without.result.status != COMPLETE
    assert "did not take the order to start" in without.result.error


def event_of_full_disk(outcome):
    """Nothing was lost: what the disk refused was kept in memory."""
    for flow in outcome.flows:
        assert flow.result.status == COMPLETE
        for report, rows, _ in ends(flow):
            assert len(rows) == report.samples_taken + 1 > 100
    (event,) = outcome.run.events
    assert HOSTS["B"]["mgmt"] in event.text and "of their disk free" in event.text


def warning_of_full_disk(outcome):
    whole(outcome)
    assert any("No space left" in warning for warning in outcome.run.warnings)


def interrupted_run(outcome):
    (flow,) = outcome.flows
    assert outcome.run.interrupted
    assert flow.result.status != COMPLETE and flow.TxTCPInfo


def unwritten(outcome):
    """What was collected may be beside it."""
    assert not outcome.output.exists()


# ---- The table ----


@dataclass
class Row:
    fail: Callable
    code: int
    said: str
    holds: Callable = nothing
    dead: str = ""  # agents that the failure ends
    within: float = 20  # s; for sanitizers and busy machines


B = r"B \(agent 127\.0\.0\.1:8842\): "
B_BY_RELAY = r"B \(agent 127\.0\.0\.1:8843\): "
DATA_PORTS = r"too few of the data ports 9001-9002 are free on 127.0.0.2, where the flows need [12] .widen"
CAPTURE = r"cannot capture on lo: .*CAP_NET_RAW"
EVERYTHING = {
    HOSTS["A"]["mgmt"]: ["unknown.*nosuch", ".*tcp_ecn is 2", "the kernel cuts a send_buffer", CAPTURE],
    HOSTS["B"]["mgmt"]: ["the kernel cuts a receive_buffer", CAPTURE],
}
MATRIX = [
    # before the start
    Row(
        agent_is_down, 3,
        B + r"no answer \(.*refused\): does an agent run there\? \(start it with: .* --listen",
        dead="B",
    ),
    Row(management_name_unknown, 3, r"B \(agent no-such-host\.invalid:8842\): .*no-such-host\.invalid"),
    Row(host_name_unknown, 3, r"no-such-host\.invalid.* cannot be found: .*numeric address"),
    Row(host_name_takes_long, 3, 'B: the address of "no-such-host.example" .* does not answer in time'),
    Row(foreign_address, 3, r"B: 192\.0\.2\.7 is not an address of this machine \(it has 127"),
    Row(with_impostor("silent"), 3, B + "no answer within 4 s", dead="B", within=12),
    Row(with_impostor("garbage"), 3, B + r"another program listens there \(.*HTTP", dead="B"),
    Row(with_impostor("web"), 3, B + r"another program listens there \(a web server.*HTTP/1\) \(give mgmt", dead="B"),
    Row(with_impostor("foreign"), 3, B + r"it speaks protocol 1 \(.*this master 2 \(.*the agent is older, install one version", dead="B"),
    Row(with_impostor("mute"), 3, B + "its clock cannot be compared: .* over 1000 ms", dead="B"),
    Row(with_impostor("dying"), 3, B + "its clock .* does not answer any more", dead="B"),
    Row(agent_stopped, 3, B + "no answer within 4 s: either it hangs", within=12),
    Row(agent_killed_before_start, 3, B + ".*(refused|it ended, or was killed)", dead="B", within=15),
    Row(agent_stopped_at_start, 3, B_BY_RELAY + "it did not take the order to start within"),
    Row(
        agent_late_at_start, 0,
        r"(?s)try 2 of 3: B .agent 127.0.0.1:8843. did not take the order .*try 3 of 3: B",
        started_late,
    ),
    Row(
        agent_always_late_at_start, 3,
        "(?s)try 2 of 3: .*try 3 of 3: .*" + B_BY_RELAY + "it did not take the order to start",
    ),
    Row(agent_stopped_in_prepare, 3, B_BY_RELAY + "nothing heard from it for 10 s", within=25),
    Row(interrupted_in_prepare, 130, ""),
    Row(
        data_ports_answer_no_flow, 3,
        r"flows\[0\] .* to 127\.0\.0\.2 port \d+ does not stand after 10 s.*firewall",
        within=30,
    ),
    Row(unknown_algorithm, 3, "nosuch"),
    Row(forbidden_algorithm, 3, "tcp_allowed_congestion_control"),
    Row(ecn_without_privilege, 3, "net.ipv4.tcp_ecn is 2 and cannot be written.*CAP_NET_ADMIN"),
    Row(everything_without_privilege, 3, "nothing was started"),
    Row(data_ports_in_use, 3, DATA_PORTS),
    Row(too_few_descriptors, 3, B + r".*limit of descriptors there \(ulimit -n 257\)"),
    Row(too_few_descriptors_for_master, 1, r"descriptors for 2 agents.* to 36 \(ulimit -n"),
    Row(spool_directory_vanished, 3, B + r".*/spool-B: no spool can be kept there: .*make that"),
    Row(agent_without_spool_directory, 2, r"/absent: no spool can be kept there: .* --spool"),
    Row(output_directory_absent, 2, "/absent: no file can be made there: .*name an output"),
    Row(output_directory_forbidden, 2, "no file can be made there: Permission.*name an output"),
    Row(output_is_a_directory, 2, "/results: it is a directory"),
    Row(output_has_a_directory_in_its_way, 2, r"\.tmp: a directory of uid 0 \(root\) is in the way"),
    Row(two_masters_one_output, 2, r"\.part: it exists \(.* another one writes it"),
    Row(broken_json, 2, "line 2, column"),
    Row(no_flows, 2, "flows"),
    Row(
        three_errors, 2,
        r"(?s)(?=.*flows\[0\]\.src)(?=.*flows\[1\]\.duration)(?=.*flows\[2\]\.start)",
    ),
    # while flows run
    Row(
        without_agent_stopped_at_start, 1,
        B_BY_RELAY + "it did not take the order to start within",
        other_flow, within=25,
    ),
    Row(agent_killed, 1, r"B \(agent 127.0.0.1:8842\) is lost: .*refused", recovered_of_killed, dead="B"),
    Row(agent_of_both_ends_killed, 1, "lost: ", samples_alone, dead="B"),
    Row(agent_stopped_in_mid_run, 1, "lost: nothing heard from it for 10 s", lost_agent, within=30),
    Row(agent_cut_off, 1, "lost: nothing heard from it for 10 s", recovered_whole, within=30),
    Row(agent_cut_off_for_2_s, 0, "", whole),
    Row(slow_agent, 0, "", whole),
    Row(
        disk_of_agent_full, 1,
        B + r".*/disk: spools leave .* and it has 0 B free .*make room.* 0 samples were lost",
        event_of_full_disk,
    ),
    Row(
        disk_of_master_full, 1,
        r"\.part: cannot write: No space.*(.*\n)*.*stays in \S+\.part",
        unwritten, within=30,
    ),
    Row(
        disk_of_master_full_for_1_s, 0,
        r"cannot write: No space(.*\n)*.*can be written again",
        warning_of_full_disk,
    ),
    Row(results_cannot_be_written, 1, r"/dev/full: cannot write the results: No space", unwritten),
    Row(master_interrupted, 130, "interrupted: the flows are stopped", interrupted_run),
    Row(master_hung_up, 130, "interrupted: the flows are stopped", interrupted_run),
    Row(
        master_interrupted_twice, 130,
        r"agents keep .* tcp-flowgen-\w+-\*\.spool",
        interrupted_run,
    ),
    Row(master_paused, 0, "the master did not run for 11.", whole_in_spite_of_a_pause, within=30),
    Row(agent_paused, 0, "", whole, within=30),
    Row(master_killed, -signal.SIGKILL, "", unwritten),
    Row(two_masters, 0, "", whole),
]


@pytest.mark.parametrize("row", MATRIX, ids=[row.fail.__name__ for row in MATRIX])
def test_failure_is_told_and_survived(bed, row):
    began = time.monotonic()
    outcome = row.fail(bed).must(row.code)
    assert time.monotonic() - began < row.within
    assert re.search(row.said, outcome.stderr), outcome.stderr
    row.holds(outcome)
    dead = {name for name, agent in bed.agents.items() if not agent.alive()}
    assert dead == set(row.dead)
    for name in dead:
        bed.start(name)
    bed.good_run()


# ---- What a receiver can do without ----


def test_a_receiver_may_lack_the_algorithm(bed):
    """Its sender decides; it is told once.  Not where the handshake needs it."""
    ccalg = forbidden()
    bed.start_as_nobody("B")
    outcome = bed.run({"ccalg": ccalg}, {"ccalg": ccalg}).must(0)
    for flow in outcome.flows:
        assert flow.result.status == COMPLETE, flow.result.error
        assert flow.result.src.ccalg == ccalg != flow.result.dst.ccalg
    lacks = [text for text in outcome.run.warnings if "may not use" in text]
    assert len(lacks) == 1 and lacks[0].startswith("B (agent ") and ccalg in lacks[0]
    assert lacks[0].endswith(f'"{ccalg}"; harmless: that end only receives, and the sender\'s algorithm decides')
    problem = re.escape(HOSTS["B"]["mgmt"]) + r"\): (unknown .*|.*may not use .*)dctcp"
    assert re.search(problem, bed.run({"ccalg": "dctcp"}).must(3).stderr)
