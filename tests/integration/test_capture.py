"""Headers of single flows in pcapng files of their own, at both ends, on the run's axis."""

import shutil
import subprocess

import pcapng
import pytest
from harness import COMPLETE, cable, moment

SECOND = 1_000_000_000
STAMP_NS = 200_000  # what the kernel's stamps may be wrong by, on a busy machine
CAPTURED = {"capture": "headers", "duration": "1s", "ccalg": "cubic"}
FIN, SYN, RST, ACK = pcapng.FIN, pcapng.SYN, pcapng.RST, pcapng.ACK


class Machines:
    """Two agents on a wire of 50 Mbit/s, their clocks seconds apart."""

    def __init__(self, lab, before=()):
        self.lab = lab
        self.one, self.other = lab.namespace("a"), lab.namespace("b")
        cable(self.one, "m0", "10.91.0.1/24", self.other, "m1", "10.91.0.2/24")
        cable(
            self.one, "t0", "10.92.0.1/24", self.other, "t1", "10.92.0.2/24", rate="50mbit"
        )
        self.hosts = {
            "A": {"mgmt": "10.91.0.1:8840", "host": "10.92.0.1"},
            "B": {"mgmt": "10.91.0.2:8840", "host": "10.92.0.2"},
        }
        for where, name, ahead in ((self.one, "A", 5), (self.other, "B", 11)):
            lab.agent(where, self.hosts[name]["mgmt"], "--insecure", monotonic=ahead, before=before)

    def run(self, *flows, flags=()):
        flows = [{"id": i, "src": "A", "dst": "B", **flow} for i, flow in enumerate(flows)]
        return self.lab.run(self.one, {"hosts": self.hosts, "flows": flows}, *flags)


def files(outcome, flow):
    """What the two files of a flow hold."""
    directory = outcome.output.with_name(outcome.output.name + ".captures")
    result = flow.result
    for end, capture in (("src", result.src_capture), ("dst", result.dst_capture)):
        assert capture.file == f"{outcome.run.id}-flow{flow.params.id}-{end}.pcapng"
        assert capture.error == ""
        assert capture.dropped == capture.lost == 0
        comment, segments, statistics = pcapng.read(directory / capture.file)
        assert outcome.run.id in comment and f"flow {flow.params.id}, {end} end" in comment
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
    times = [one.ns - outcome.run.started_unix_ns for one in segments if one.data > 16]
    assert times[0] >= 0.5 * SECOND - bound
    assert times[-1] <= moment(flow.result.src, "closed") + bound
