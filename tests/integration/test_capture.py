"""Headers of single flows in pcapng files of their own, at both ends, on the run's axis."""

import os
import shutil
import signal
import subprocess
import time

import pcapng
import pytest
from harness import COMPLETE, PROGRAM, Outcome, cable, ends, moment, waiting
from test_failures import Disk
from test_recover import Left
from test_scale import Crowded

SECOND = 1_000_000_000
STAMP_NS = 200_000  # what the kernel's stamps may be wrong by, on a busy machine
CAPTURED = {"capture": "headers", "duration": "1s", "ccalg": "cubic"}
FIN, SYN, RST, ACK = pcapng.FIN, pcapng.SYN, pcapng.RST, pcapng.ACK


class Machines:
    """Two agents on a wire of 50 Mbit/s, their clocks seconds apart."""

    def __init__(self, lab, network="10.92.0.", before=(), flags=()):
        self.lab = lab
        self.one, self.other = lab.namespace("a"), lab.namespace("b")
        for where in self.one, self.other:
            where.sysctl("net.ipv6.conf.default.accept_dad", 0)
        cable(self.one, "m0", "10.91.0.1/24", self.other, "m1", "10.91.0.2/24")
        near, far = (f"{network}{host}/{64 if ':' in network else 24}" for host in (1, 2))
        cable(self.one, "t0", near, self.other, "t1", far, rate="50mbit")
        self.hosts = {
            "A": {"mgmt": "10.91.0.1:8840", "host": f"{network}1"},
            "B": {"mgmt": "10.91.0.2:8840", "host": f"{network}2"},
        }
        self.agents = [
            lab.agent(where, self.hosts[name]["mgmt"], "--insecure", *flags, monotonic=ahead, before=before)
            for where, name, ahead in ((self.one, "A", 5), (self.other, "B", 11))
        ]

    def run(self, *flows, flags=()):
        flows = [{"id": i, "src": "A", "dst": "B", **flow} for i, flow in enumerate(flows)]
        return self.lab.run(self.one, {"hosts": self.hosts, "flows": flows}, *flags)


def files(outcome, flow):
    """What the two files of a flow hold."""
    directory = outcome.output.with_name(outcome.output.name + ".captures")
    result, run = flow.result, outcome.run.id
    for end, capture in (("src", result.src_capture), ("dst", result.dst_capture)):
        assert capture.file == f"{run}-flow{flow.params.id}-{end}.pcapng"
        assert capture.error == ""
        assert capture.dropped == capture.lost == 0
        comment, segments, statistics = pcapng.read(directory / capture.file)
        assert run in comment and f"flow {flow.params.id}, {end} end" in comment
        assert statistics == {4: capture.packets, 5: 0}
        assert len(segments) == capture.packets > 0
        yield segments


def check_segments(flow, segments):
    """One whole connection of the flow, and nothing else."""
    src = (flow.result.src.local_address, flow.result.src.local_port)
    dst = (flow.result.dst.local_address, flow.params.port)
    assert dst[1] == flow.result.dst.local_port
    assert {(one.src, one.dst) for one in segments} == {(src, dst), (dst, src)}
    syn, answer = segments[:2]
    assert (syn.flags & (SYN | ACK), syn.src) == (SYN, src)
    assert (answer.flags & (SYN | ACK), answer.src) == (SYN | ACK, dst)
    assert any(one.flags & FIN for one in segments if one.src == src)
    assert segments[-1].flags & RST
    assert all(one.kept_payload == 0 for one in segments)
    # Payload and token by the sequence numbers are those of the report.
    data = [one for one in segments if one.data and one.src == src]
    sent = max((one.seq + one.data - syn.seq - 1) % 2**32 for one in data)
    assert sent == flow.result.src.payload_bytes + flow.result.src.preamble_bytes


def test_both_ends(lab):
    machines = Machines(lab)
    outcome = machines.run(CAPTURED, {**CAPTURED, "connect": "at_start"}, {"duration": "1s"})
    outcome.must(0)
    one, two, plain = outcome.flows
    assert plain.result.capture == "" and not plain.result.HasField("src_capture")
    for flow in (one, two):
        assert flow.result.status == COMPLETE and flow.result.capture == "headers"
        src, dst = files(outcome, flow)
        check_segments(flow, src)
        check_segments(flow, dst)
        check_times(outcome, flow, src, dst)
    assert one.params.port != two.params.port != plain.params.port


def check_times(outcome, flow, src, dst):
    """Nothing arrives before it left, by the stated bounds, and data begin at the flow's start."""
    run = outcome.run
    bound = flow.result.src_capture.error_ns + flow.result.dst_capture.error_ns
    assert bound < 10_000_000
    for one, end in ((src, flow.result.src_capture), (dst, flow.result.dst_capture)):
        clock = max(agent.clock.error_ns for agent in run.agents)
        assert end.error_ns <= clock + STAMP_NS
        times = [segment.ns for segment in one]
        assert len(set(times)) > 0.9 * len(times)  # each has a time of its own
    # The SYN, then each end's pure acknowledgements and data where segments are as on the wire.
    for sender, receiver, way in ((src, dst, 0), (dst, src, 1)):
        port = flow.params.port
        left = {
            (one.seq, one.ack, one.flags): one.ns
            for one in reversed(sender)
            if (one.dst[1] == port) == (way == 0)
        }
        common = 0
        for one in receiver:
            key = (one.seq, one.ack, one.flags)
            if (one.dst[1] == port) == (way == 0) and key in left:
                assert one.ns - left[key] >= -bound
                common += 1
        assert common >= 2
    begin = moment(flow.result.src, "first_byte")
    preamble = flow.result.src.preamble_bytes
    data = [one for one in src if one.dst[1] == flow.params.port and one.data > preamble]
    late = data[0].ns - (run.started_unix_ns + begin)
    assert -bound <= late < 100_000_000


def test_on_loopback_each_packet_once(pair):
    flags = ("--captures", str(pair.lab.directory / "elsewhere"))
    outcome = pair.run({**CAPTURED, "duration": "200ms"}, flags=flags).must(0)
    (flow,) = outcome.flows
    for capture in (flow.result.src_capture, flow.result.dst_capture):
        _, segments, _ = pcapng.read(pair.lab.directory / "elsewhere" / capture.file)
        assert sum(one.flags & (SYN | ACK) == SYN for one in segments) == 1


def test_other_programs_read_them(lab):
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed")
    outcome = Machines(lab).run({**CAPTURED, "duration": "100ms"}).must(0)
    (flow,) = outcome.flows
    name = flow.result.dst_capture.file
    path = outcome.output.with_name(outcome.output.name + ".captures") / name
    done = subprocess.run(
        ["tcpdump", "-n", "-r", path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == flow.result.dst_capture.packets
    assert f"10.92.0.2.{flow.params.port}: Flags [S]" in lines[0]


def test_without_permission(lab):
    drop = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    machines = Machines(lab, before=drop)
    outcome = machines.run(CAPTURED, {"duration": "100ms"}).must(3)
    assert "cannot capture on t1" in outcome.stderr and "CAP_NET_RAW" in outcome.stderr
    machines.run({"duration": "100ms"}).must(0)


def test_nowhere_to_keep_them(pair):
    path = pair.lab.write(pair.scenario(CAPTURED))
    outcome = pair.lab.command(pair.where, "run", path).must(2)
    assert "--captures" in outcome.stderr


def test_several_runs_have_files_of_their_own(pair):
    outcome = pair.run({**CAPTURED, "duration": "50ms"}, flags=("--repeat", 2, "--pause", "0s"))
    outcome.must(0)
    names = {flow.result.src_capture.file for flow in outcome.flows}
    directory = outcome.output.with_name(outcome.output.name + ".captures")
    assert len(names) == 2 and all((directory / name).stat().st_size > 0 for name in names)
    assert not list(directory.glob("*.tmp"))


def test_a_seconds_worth_is_on_the_axis(pair):
    """The packets' times are those of the samples: data are sent while the flow lasts."""
    outcome = pair.run({**CAPTURED, "start": "500ms"}).must(0)
    (flow,) = outcome.flows
    directory = outcome.output.with_name(outcome.output.name + ".captures")
    _, segments, _ = pcapng.read(directory / flow.result.src_capture.file)
    bound = flow.result.src_capture.error_ns
    begin = outcome.run.started_unix_ns  # read once: that takes reading the results
    times = [one.ns - begin for one in segments if one.data > 16]
    assert times[0] >= 0.5 * SECOND - bound
    assert times[-1] <= moment(flow.result.src, "closed") + bound


def read_all(outcome, flow):
    """The segments of both ends, complete or not."""
    directory = outcome.output.with_name(outcome.output.name + ".captures")
    captures = flow.result.src_capture, flow.result.dst_capture
    return [pcapng.read(directory / capture.file)[1] for capture in captures]


def test_ipv6(lab):
    machines = Machines(lab, "fd92::")
    outcome = machines.run(CAPTURED).must(0)
    (flow,) = outcome.flows
    assert flow.result.family == "ipv6"
    src, dst = files(outcome, flow)
    check_segments(flow, src)
    check_segments(flow, dst)
    check_times(outcome, flow, src, dst)


def test_by_worker_processes(lab):
    """An agent that has several processes captures in each of them."""
    crowded = Crowded(lab, 500, 200, "500ms")
    last = len(crowded.scenario["flows"]) - 1
    for flow in crowded.scenario["flows"]:
        if flow["id"] in (0, 1, 2, last):
            flow["capture"] = "headers"
    outcome = lab.run(crowded.where, crowded.scenario, "-i", "250ms", "--quiet").must(0)
    captured = [flow for flow in outcome.flows if flow.result.capture]
    assert [flow.params.id for flow in captured] == [0, 1, 2, last]
    for flow in captured:
        for segments in files(outcome, flow):
            check_segments(flow, segments)


def test_an_agent_is_killed(lab):
    """What came until then is in the file, and is not called complete."""
    machines = Machines(lab)
    output = lab.output()
    flow = {"id": 0, "src": "A", "dst": "B", **CAPTURED, "duration": "20s"}
    path = lab.write({"hosts": machines.hosts, "flows": [flow]})
    master = lab.spawn(machines.one, "run", path, "-o", output, "--quiet", name="master")
    for _ in waiting("packets", master):
        if machines.agents[1].interface_bytes("t1") > 5_000_000:
            break
    time.sleep(0.7)  # packets reach a spool, and the master, by then
    machines.agents[1].signal(signal.SIGKILL)
    assert master.wait() == 1
    outcome = Outcome(1, "", master.text(), output)
    (flow,) = outcome.flows
    killed = flow.result.dst_capture
    assert not flow.result.HasField("dst")
    assert "did not tell" in killed.error and killed.packets > 100
    _, dst = read_all(outcome, flow)
    assert len(dst) == killed.packets
    assert dst[0].flags & (SYN | ACK) == SYN and not any(one.flags & FIN for one in dst)
    assert any("capture at the dst end" in warning for warning in outcome.run.warnings)
    assert flow.result.src_capture.error == "" and flow.result.src_capture.packets > 100


def test_so_many_ends_and_no_more(pair):
    flow = {**CAPTURED, "duration": "100ms"}
    outcome = pair.run(*[flow] * 65).must(3)
    assert "an agent captures 64 ends at most, of all its runs together" in outcome.stderr
    assert "64 are in use by this run, 0 by others" in outcome.stderr
    assert 'leave "capture" out of the other flows' in outcome.stderr
    outcome = pair.run(*[flow] * 64).must(0)
    for flow in outcome.flows:
        for segments in files(outcome, flow):
            check_segments(flow, segments)


def test_so_many_ends_of_all_runs(pair):
    """Another run's ends count, until it is over."""
    flow = {**CAPTURED, "duration": "50ms"}
    output = pair.lab.output()
    path = pair.lab.write(pair.scenario(*[{**flow, "duration": "20s", "send_rate": "1Mbit/s"}] * 40))
    first = pair.lab.spawn(pair.where, "run", path, "-o", output, name="first")
    for _ in waiting("the first run", first):
        if "all flows are ready" in first.text():
            break
    outcome = pair.run(*[flow] * 25).must(3)
    assert "24 are in use by this run, 40 by others" in outcome.stderr
    assert "wait until the others are over" in outcome.stderr
    outcome = pair.run(*[flow] * 25, flags=("--best-effort",)).must(1)
    assert [bool(flow.TxTCPInfo) for flow in outcome.flows] == [True] * 24 + [False]
    pair.run(*[flow] * 24).must(0)
    first.signal(signal.SIGINT)
    first.wait()
    pair.run(*[flow] * 25).must(0)


def test_recover_passes_over_packets(lab):
    """It makes results of what else the spools hold, and tells that packets are missing."""
    left = Left(lab)
    flags = f"--captures={lab.directory / 'captures'}"
    master = left.master(CAPTURED, CAPTURED, {}, flags=[flags])
    assert master.wait() == 1
    spools = left.spools()
    assert len(spools) == 2
    (part,) = left.parts.glob("*.part")
    left.recover(*spools).must(0)
    for given in (spools, [part]):
        outcome = left.recover(*given)
        assert [flow.result.capture for flow in outcome.flows] == ["headers", "headers", ""]
        for flow in outcome.flows:
            for capture in ("src_capture", "dst_capture"):
                assert flow.result.HasField(capture) == bool(flow.result.capture)
                if flow.result.capture:
                    assert "not the packets" in getattr(flow.result, capture).error
            assert flow.result.status == COMPLETE
            assert flow.result.src.payload_bytes == flow.result.dst.payload_bytes > 0
            for report, rows, _ in ends(flow):
                assert len(rows) == report.samples_taken + 1


def test_no_room_for_them(pair):
    """The results stand, and say what is missing."""
    disk = Disk(pair, "64k")
    disk.fill()
    output = pair.lab.output()
    path = pair.lab.write(pair.scenario({**CAPTURED, "send_rate": "50Mbit/s"}, {}))
    command = pair.lab.command(
        pair.where, *disk.under, PROGRAM, "run", path, "-o", output, "--captures", disk.inside,
        program="env",
    )  # fmt: skip
    command.output = output
    flow, plain = command.must(1).flows
    assert "No space left on device" in command.stderr
    for one in (flow, plain):
        assert one.result.status == COMPLETE and one.TxTCPInfo and one.RxTCPInfo
    for capture in (flow.result.src_capture, flow.result.dst_capture):
        assert capture.file == "" and "No space left on device" in capture.error
    assert any("No space left" in warning for warning in command.run.warnings)
    assert [path.name for path in disk.outside.iterdir()] == ["filler"]


def test_nowhere_to_make_the_directory(pair):
    """Nor is it used where another user had put a link or a directory first."""
    elsewhere, link = pair.lab.directory / "elsewhere", pair.lab.directory / "link"
    elsewhere.mkdir()
    link.symlink_to(elsewhere)
    foreign = pair.lab.directory / "foreign"
    foreign.mkdir()
    for there in link, foreign:
        os.chown(there, 65534, 65534, follow_symlinks=False)
    for place, why in (
        ("/nowhere/at/all", "captures cannot be kept there"),
        (f"{link}/", "captures are not kept there: it is a link"),
        (foreign, "the directory belongs to uid 65534"),
    ):
        outcome = pair.run({**CAPTURED, "duration": "100ms"}, flags=("--captures", place))
        (flow,) = outcome.must(1).flows
        assert flow.result.status == COMPLETE and flow.result.src_capture.file == ""
        said = " ".join(outcome.stderr.split())
        assert f"{str(place).rstrip('/')}: captures" in said and why in said
    assert list(elsewhere.iterdir()) == [] == list(foreign.iterdir())


def test_ports_of_one_number(lab):
    """Flows both ways, where both agents listen on one and the same port: neither is in the other's
    files."""
    machines = Machines(lab, flags=("--data-ports", "9000-9099"))
    back = {**CAPTURED, "duration": "200ms", "src": "B", "dst": "A"}
    outcome = machines.run({**CAPTURED, "duration": "200ms"}, back, back).must(0)
    ports = [flow.params.port for flow in outcome.flows]
    assert ports[0] in ports[1:]
    for flow in outcome.flows:
        for segments in files(outcome, flow):
            check_segments(flow, segments)
