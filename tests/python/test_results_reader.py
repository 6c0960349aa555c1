"""Readers in Python against result files made here: with protobuf's own library, not with ours."""

import gzip
import math
import os
import pathlib
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from pytest import approx

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pb(tmp_path_factory):
    """messages_pb2, made from the proto file as it is now."""
    out = tmp_path_factory.mktemp("pb")
    subprocess.run(
        ["protoc", f"--proto_path={ROOT}/proto", f"--python_out={out}", "messages.proto"],
        check=True,
    )
    sys.path[:0] = [str(out), str(ROOT / "python")]
    import messages_pb2

    yield messages_pb2
    del sys.path[:2]


@pytest.fixture(scope="module")
def reader(pb):
    import tcp_flowgen_results

    return tcp_flowgen_results


def deltas(values):
    """As the writer makes them: differences that wrap around at 64 bits."""
    wrapped = [(b - a + 2**63) % 2**64 - 2**63 for a, b in zip([0] + values, values)]
    return wrapped


def put_samples(flow, end, ts, info_length=280, **columns):
    rows = flow.TxTCPInfo if end == "src" else flow.RxTCPInfo
    chunks = flow.src_columns if end == "src" else flow.dst_columns
    for t in ts:
        rows.add(ts=t, state=5, RTT=t / 100, ThruBytesAcked=2**64 - 1)
    chunk = chunks.add(count=len(ts), info_length=info_length, cc_length=8)
    chunk.tick.extend(deltas(list(range(len(ts) - 1)) + [-1]))
    for name, values in columns.items():
        getattr(chunk, name).extend(deltas(values))


def write(path, *flows):
    data = b"".join(struct.pack("!I", f.ByteSize()) + f.SerializeToString() for f in flows)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def a_flow(pb, number=1, **fields):
    return pb.Flow(params=pb.FlowParams(id=number, src="A", dst="B"), **fields)


@pytest.mark.parametrize("name", ["results.bin", "results.bin.gz"])
def test_columns_come_back(pb, reader, tmp_path, name):
    flow = a_flow(pb, last=True)
    flow.result.status = pb.FlowResult.COMPLETE
    flow.run.id = "abc"
    put_samples(
        flow,
        "src",
        [0.0, 0.25, 0.5],
        snd_cwnd=[10, 20, 15],
        pacing_rate=[2**64 - 1, 0, 2**63],
        cc_word_1=[0, 7, 0],
    )
    put_samples(flow, "dst", [0.1], rcv_rtt=[33])
    (got,) = reader.read(write(tmp_path / name, flow))
    assert (got.params.id, got.params.src, got.params.dst) == (1, "A", "B")
    assert got.result.status == pb.FlowResult.COMPLETE
    assert got.run.id == "abc"
    assert len(got.src) == 3 and len(got.dst) == 1
    src = got.src.columns
    assert src["ts"] == [0.0, 0.25, 0.5]
    assert src["RTT"] == [0.0, 0.0025, 0.005]
    assert src["state"] == [5, 5, 5]
    assert src["ThruBytesAcked"] == [2**64 - 1] * 3
    assert src["tick"] == [0, 1, -1]
    assert src["snd_cwnd"] == [10, 20, 15]
    assert src["pacing_rate"] == [2**64 - 1, 0, 2**63]
    assert src["cc_word_0"] == [0, 0, 0]
    assert src["cc_word_1"] == [0, 7, 0]
    assert "cc_word_2" not in src
    assert src["total_retrans"] == [0, 0, 0]
    assert "rtt" not in src and "t_ns" not in src
    assert got.dst.columns["rcv_rtt"] == [33]
    assert {len(column) for column in src.values()} == {3}


def put_received(flow, *rows):
    for ts, count in rows:
        flow.RxTCPInfo.add(ts=ts, state=5, ThruBytesReceived=count)
    flow.dst_columns.add(count=len(rows), info_length=280).tick.extend([0] * len(rows))


def test_goodput_is_payload_by_the_time_that_passed(pb, reader, tmp_path):
    flow = a_flow(pb, last=True)
    # A tick was missed, the next came late; the last two samples are of one moment.
    put_received(flow, (-0.5, 0), (0.0, 16), (0.25, 1016), (0.76, 3016), (1.0, 3017), (1.0, 3017))
    flow.result.dst.preamble_bytes = 16
    flow.result.dst.payload_bytes = 2500
    flow.result.dst.close.read, flow.result.dst.close.unread = 2500, 500
    (got,) = reader.read(write(tmp_path / "results", flow))
    assert got.dst.goodput() == [
        (-0.5, 0.0, 0.0),
        (0.0, 0.25, 8 * 1000 / 0.25),
        (0.25, 0.76, 8 * 2000 / (0.76 - 0.25)),
        (0.76, 1.0, 0.0),  # nothing but the FIN
    ]
    assert got.src.goodput() == [] and got.src.report is None
    assert got.dst.report.payload_bytes == 2500


def test_goodput_of_files_without_counters(pb, reader, tmp_path):
    flow, bare = a_flow(pb, last=True), a_flow(pb, 2, last=True)
    put_received(flow, (0.0, 0), (1.0, 1017), (2.0, 0), (3.0, 10))
    put_received(bare, (0.0, 0), (1.0, 1017))
    flow.result.dst.preamble_bytes, flow.result.dst.payload_bytes = 16, 1000
    got = list(reader.read(write(tmp_path / "results", flow, bare)))
    assert got[0].dst.goodput() == [(0.0, 1.0, 8000.0), (2.0, 3.0, 0.0)]
    assert got[1].dst.goodput() == [(0.0, 1.0, 8136.0)]


def put_reports(flow):
    """Two agents whose clocks are right to 1 and 2 ms; 1 MB by 2.5 s, nothing before 1.2 s."""
    for place, error in enumerate((1_000_000, 2_000_000)):
        flow.run.hosts.add(agent=place)
        flow.run.agents.add().clock.error_ns = error
        flow.run.agents[place].clock.exchanges = 8
    flow.result.dst_host = 1
    src, dst = flow.result.src, flow.result.dst
    src.times, src.first_byte_ns, src.payload_bytes = 1 << 2, 0, 2_000_000
    src.stop.min_rtt_us = 20_000
    dst.times, dst.first_byte_ns, dst.stop_ns = 1 << 2 | 1 << 4, 1_200_000_000, 2_500_000_000
    dst.payload_bytes = dst.payload_bytes_stop = 1_000_000
    dst.preamble_bytes = src.preamble_bytes = 16
    dst.stop.received, dst.stop.data_segs, dst.stop.jiffy_us = 1_000_016, 1000, 4000
    dst.stop.t_ns, dst.stop.last_data_recv_ms = dst.stop_ns, 80
    put_received(flow, (0.5, 16), (1.5, 200_016), (2.4, 900_016))


def test_goodput_of_a_flow(pb, reader, tmp_path):
    def of(flow, **words):
        (got,) = reader.read(write(tmp_path / "results", flow))
        return got.goodput(**words)

    flow = a_flow(pb, last=True)
    put_reports(flow)
    whole = of(flow)
    assert (whole.bps, whole.lack, whole.basis, whole.doubtful) == (3.2e6, None, "kernels", False)
    assert whole.least_bps == approx(8e6 / 2.503) and whole.most_bps == approx(8e6 / 2.497)
    cut = of(flow, warmup_ns=400_000_000)
    assert (cut.payload_bytes, cut.from_ns, cut.bps) == (1_000_000, 500_000_000, 4e6)
    assert cut.least_bps == cut.most_bps == cut.bps
    flow.run.warmup_ns = 1_000_000_000
    assert of(flow).bps == 6.4e6
    assert of(flow, warmup_ns=0) == whole
    assert "warm-up" in of(flow, warmup_ns=3_000_000_000).lack
    flow.run.warmup_ns = 0
    # Nothing came behind the warm-up, or nothing at all: that is known.
    flow.result.dst.payload_bytes_stop = 900_000
    still = of(flow, warmup_ns=2_300_000_000)
    assert (still.bps, still.lack, still.payload_bytes, still.to_ns) == (0, None, 0, 2_500_000_000)
    flow.result.src.payload_bytes = 900_000
    assert of(flow, warmup_ns=2_300_000_000) == still
    flow.result.dst.payload_bytes_stop = 0
    assert (of(flow).bps, of(flow).from_ns) == (0, 0)
    flow.result.dst.payload_bytes_stop = 1_000_000
    # All had come: 76 to 84 ms before.
    flow.result.src.payload_bytes = 1_000_000
    early = of(flow)
    assert early.to_ns == 2_424_000_000 and early.most_bps == approx(8e6 / (2.424 - 0.003 - 0.008))
    flow.result.dst.stop.data_segs = 9
    assert "segments" in of(flow).lack
    flow.result.dst.stop.jiffy_us = 0
    assert (of(flow).basis, of(flow).bps) == ("reads", approx(8e6 / 1.3))
    flow.result.src.stop.jiffy_us = 4000
    flow.result.ClearField("dst")
    samples = of(flow)
    assert (samples.basis, samples.payload_bytes, samples.to_ns) == ("samples", 900_000, 2.4e9)
    flow.result.ClearField("src")
    assert of(flow).bps == approx(8 * 700_000 / 0.9)
    assert of(a_flow(pb, last=True)).lack == "no payload arrived"
    lone = a_flow(pb, last=True)
    put_samples(lone, "src", [0.0, 0.25])
    assert of(lone).lack == "the receiver's report and samples are missing"


def test_zero_and_not_returned_differ(pb, reader, tmp_path):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.25], info_length=104)
    put_samples(flow, "src", [0.5], info_length=232, snd_wnd=[9])
    (got,) = reader.read(write(tmp_path / "results", flow))
    assert got.src.info_length == 232
    assert got.src.columns["total_retrans"] == [0, 0, 0]
    assert got.src.columns["snd_wnd"] == [None, None, 9]
    assert got.src.columns["segs_out"] == [None, None, 0]
    assert "rcv_wnd" not in got.src.columns


def test_parts_are_joined(pb, reader, tmp_path):
    first, second, third = a_flow(pb), a_flow(pb, part=1, last=True), a_flow(pb, 2, last=True)
    put_samples(first, "src", [0.0, 0.25], snd_cwnd=[1, 2])
    put_samples(second, "src", [0.5], snd_cwnd=[3])
    put_samples(second, "dst", [0.5])
    second.result.error = "none"
    first.run.id = "abc"
    flows = list(reader.read(write(tmp_path / "results", first, second, third)))
    assert [flow.params.id for flow in flows] == [1, 2]
    assert flows[0].src.columns["snd_cwnd"] == [1, 2, 3]
    assert flows[0].src.columns["ts"] == [0.0, 0.25, 0.5]
    assert len(flows[0].dst) == 1
    assert flows[0].result.error == "none"
    assert flows[0].run.id == "abc" and flows[1].run is None
    assert len(list(reader.records(tmp_path / "results"))) == 3


def test_a_run_in_a_later_record_begins_another(pb, reader, tmp_path):
    flows = [a_flow(pb, number, last=True) for number in (1, 2, 1, 2, 1)]
    for flow, repeat in ((flows[0], 1), (flows[2], 2), (flows[4], 3)):
        flow.run.repeat, flow.run.repeats, flow.run.seed = repeat, 3, 2**64 - 1
    flows[3].last = False  # the second run's last record is missing
    put_samples(flows[3], "src", [0.0])
    got = list(reader.read(write(tmp_path / "results", *flows)))
    assert [(flow.of_run.repeat, flow.params.id) for flow in got] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (3, 1),
    ]
    assert [flow.run is not None for flow in got] == [True, False, True, False, True]
    assert got[4].run.repeats == 3 and got[4].of_run.seed == 2**64 - 1


def test_a_run_ends_an_open_flow_of_the_same_id(pb, reader, tmp_path):
    flows = [a_flow(pb), a_flow(pb, last=True)]
    for repeat, flow in enumerate(flows):
        put_samples(flow, "src", [0.0])
        flow.run.repeat = repeat + 1
    got = list(reader.read(write(tmp_path / "results", *flows)))
    assert [(len(flow.src), flow.run.repeat) for flow in got] == [(1, 1), (1, 2)]


def test_files_of_rows_alone_are_read(pb, reader, tmp_path):
    flows = [a_flow(pb, number) for number in (1, 0)]
    flows[0].TxTCPInfo.add(ts=0.25, RTT=0.001)
    first, second = reader.read(write(tmp_path / "results", *flows))
    assert first.src.columns["RTT"] == [0.001]
    assert first.result is None and first.run is None and first.of_run is None
    assert "tick" not in first.src.columns
    assert second.params.id == 0 and len(second.src) == 0


@pytest.mark.parametrize("name", ["results.bin", "results.bin.gz"])
def test_a_cut_file_is_told(pb, reader, tmp_path, name):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0])
    path = write(tmp_path / name, flow)
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(reader.BrokenFile):
            list(reader.read(path))


def sealed(flow):
    """The record as tcp-flowgen writes it: with its checksum."""
    body = type(flow)(checked=True).SerializeToString() + flow.SerializeToString()
    head = struct.pack("!I", len(body) + 5)
    return head + body + struct.pack("<BI", 15 << 3 | 5, zlib.crc32(body, zlib.crc32(head)))


def test_every_flipped_bit_is_told(pb, reader, tmp_path):
    path = tmp_path / "results.bin"
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.1], snd_cwnd=[10, 20])
    data = sealed(flow)
    path.write_bytes(data)
    assert len(list(reader.read(path))) == 1
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(reader.BrokenFile, match="record 1"):
            list(reader.read(path))


def zipped_flows(pb, tmp_path, number):
    """A gzipped file of flows with checksums, unlike one another."""
    path = tmp_path / "results.bin.gz"
    flows = [a_flow(pb, i, last=True) for i in range(number)]
    for i, flow in enumerate(flows):
        put_samples(flow, "src", [i / 10], snd_cwnd=[i * i])
    path.write_bytes(gzip.compress(b"".join(map(sealed, flows))))
    return path


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def ids_before_damage(reader, path, match):
    ids = []
    with pytest.raises(reader.BrokenFile, match=match):
        for flow in reader.read(path):
            ids.append(flow.params.id)
    return ids


@pytest.mark.parametrize("at", range(-8, 0))
def test_all_before_gzips_own_checksum_is_read(pb, reader, tmp_path, at):
    path = zipped_flows(pb, tmp_path, 300)
    flip(path, at)
    ids = ids_before_damage(reader, path, r"record 301, byte \d+: the gzip data are damaged")
    assert ids == list(range(300))


def test_all_before_damage_in_gzipped_data_is_read(pb, reader, tmp_path):
    whole = zipped_flows(pb, tmp_path, 300).read_bytes()
    path = tmp_path / "results.bin.gz"
    seen = set()
    for at in range(len(whole) // 4, len(whole) - 8, len(whole) // 40):
        path.write_bytes(whole)
        flip(path, at)
        ids = ids_before_damage(reader, path, r"record \d+, byte \d+: ")
        assert ids == list(range(len(ids))) and len(ids) > 300 * at / len(whole) / 3
        seen.add(len(ids))
    assert len(seen) > 10


def test_gzipped_data_may_follow_others(pb, reader, tmp_path):
    path = zipped_flows(pb, tmp_path, 3)
    one = path.read_bytes()
    path.write_bytes(one + bytes(100_000) + one + bytes(5))
    assert [flow.params.id for flow in reader.read(path)] == [0, 1, 2] * 2
    path.write_bytes(one + b"\1" + one)
    assert ids_before_damage(reader, path, "record 4, ") == [0, 1, 2]


@pytest.mark.parametrize("zipped", [False, True])
def test_zeros_are_no_result(reader, tmp_path, zipped):
    path = tmp_path / "results.bin"
    path.write_bytes(gzip.compress(bytes(40_000_000)) if zipped else bytes(300_000))
    with pytest.raises(reader.BrokenFile, match="record 1, byte 0: it is empty"):
        list(reader.read(path))


def test_a_length_that_lies_takes_no_memory(reader, tmp_path):
    path = tmp_path / "results.bin"
    path.write_bytes(b"\xff" * 1000)
    tracemalloc.start()
    with pytest.raises(reader.BrokenFile, match="ends in the middle"):
        list(reader.read(path))
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_unequal_columns_are_told(pb, reader, tmp_path):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.25], snd_cwnd=[1])
    with pytest.raises(reader.BrokenFile):
        list(reader.read(write(tmp_path / "results", flow)))


@pytest.mark.parametrize("name, zipped", [("renamed.pb", True), ("unpacked.pb.gz", False)])
def test_gzip_is_known_by_its_first_bytes(pb, reader, tmp_path, name, zipped):
    flow = a_flow(pb, last=True)
    path = write(tmp_path / "results", flow)
    data = path.read_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if zipped else data)
    assert [one.params.id for one in reader.read(path)] == [1]
    assert "flow 1: A -> B" in example(path).stdout


def example(path, **words):
    """Runs python/parse_results.py on a file."""
    script = f"import sys; sys.path[:0] = {sys.path[:2]!r}; import parse_results as p; p.main()"
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.run(command, **{"capture_output": True, "text": True, **words})


def test_the_example_prints_the_flows(pb, tmp_path):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.25])
    done = example(write(tmp_path / "results.gz", flow), check=True)
    assert "flow 1: A -> B, 2 samples of A, 0 samples of B" in done.stdout


@pytest.mark.parametrize("name", ["results.pb", "results.pb.gz"])
def test_the_example_tells_of_a_cut_file(pb, tmp_path, name):
    flow = a_flow(pb, last=True)
    path = write(tmp_path / name, flow)
    path.write_bytes(path.read_bytes()[:-1])
    done = example(path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"parse_results.py: {path}: ")
    (tmp_path / "whole").write_bytes(write(tmp_path / "x", flow).read_bytes() + b"\0\0\0\1\xff")
    done = example(tmp_path / "whole")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "flow 1: A -> B" in done.stdout  # what was sound
    done = example(tmp_path / "missing")
    assert done.returncode == 1 and "No such file" in done.stderr and "Traceback" not in done.stderr


def test_the_example_tells_of_damage(pb, tmp_path):
    path = tmp_path / "results.pb"
    path.write_bytes(sealed(a_flow(pb, 1)) + sealed(a_flow(pb, 2, part=3)))
    flip(path, -8)
    done = example(path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "flow 1: A -> B" in done.stdout and "flow 2" not in done.stdout
    where = r"results.pb: record 2, byte \d+: something in it is damaged \(flow 2\): its checksum"
    assert re.search(where, done.stderr)


def test_the_example_into_a_pipe_that_closes(pb, tmp_path):
    path = write(tmp_path / "results.pb", *[a_flow(pb, number) for number in range(20000)])
    reading, writing = os.pipe()
    os.close(reading)
    done = example(path, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.stderr == ""


def test_the_example_draws_the_flows(pb, tmp_path):
    pytest.importorskip("matplotlib")
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.25], snd_cwnd=[10, 20])
    path = write(tmp_path / "results.gz", flow)
    script = f"import sys; sys.path[:0] = {sys.path[:2]!r}; import plot_results as p; p.main()"
    picture = tmp_path / "plot.png"
    subprocess.run([sys.executable, "-c", script, str(path), str(picture)], check=True)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def drawn(reader, tmp_path):
    """Draws flows: a panel's lines as (colour, points), for each panel, and the legend's names."""
    pytest.importorskip("matplotlib")
    import plot_results

    def draw(*flows):
        path = write(tmp_path / "results", *flows)
        figure, panels = plot_results.pyplot.subplots(3)
        found, wrong = plot_results.flows_by_name(path)
        assert wrong is None
        _, names = plot_results.draw_all(panels, found)
        lines = [
            [(line.get_color(), line.get_xydata().tolist()) for line in panel.lines]
            for panel in panels
        ]
        plot_results.pyplot.close(figure)
        return lines, names

    return draw


def test_the_axes_begin_at_zero(pb, tmp_path):
    """Where nothing came, too."""
    pytest.importorskip("matplotlib")
    import plot_results

    figure, panels = plot_results.pyplot.subplots(3, sharex=True)
    panels[0].plot([0.25, 0.5], [0, 0])
    panels[1].plot([0.25, 0.5], [100, 110])
    plot_results.begin_at_zero(panels)
    assert [panel.get_ylim() for panel in (panels[0], panels[2])] == [(0, 1), (0, 1)]
    assert panels[1].get_ylim()[0] == panels[1].get_xlim()[0] == 0 and panels[1].get_ylim()[1] > 110
    plot_results.pyplot.close(figure)


def test_a_scenario_cannot_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    import plot_results

    path = tmp_path / "scenario.json"
    path.write_text('{"hosts": {}, "flows": []}')
    flows, wrong = plot_results.flows_by_name(path)
    assert not flows and "it is no result file" in wrong


def test_the_plot_ends_before_the_close(pb, drawn):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.25, 0.251], snd_cwnd=[10, 20, 1])
    put_samples(flow, "dst", [0.0, 0.25, 0.251])
    for row, received in zip(flow.RxTCPInfo, (0, 250000, 250001)):
        row.ThruBytesReceived = received
    failed = a_flow(pb, 2, last=True)  # without samples
    ((rate, no_rate), (window, no_window), (rtt, no_rtt)), _ = drawn(flow, failed)
    assert rate[1] == [[0.25, 8.0]]
    assert window[1] == [[0.0, 10.0], [0.25, 20.0]]
    assert rtt[1] == [[0.0, 0.0], [0.25, 2.5]]
    assert no_rate[1] == no_window[1] == no_rtt[1] == []


def test_the_plot_of_a_flow_that_was_not_closed(pb, drawn):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.25], snd_cwnd=[10, 20])
    flow.src_columns[0].tick[:] = [0, 1]
    (_, ((_, points),), _), _ = drawn(flow)
    assert points == [[0.0, 10.0], [0.25, 20.0]]


def test_the_plot_has_no_line_where_samples_were_missed(pb, drawn):
    flow = a_flow(pb, last=True)
    put_samples(flow, "src", [0.0, 0.1, 0.3, 0.4, 0.401], snd_cwnd=[5, 6, 7, 8, 9])
    put_samples(flow, "dst", [0.0, 0.1, 0.3, 0.4, 0.401])
    for chunk in flow.src_columns[0], flow.dst_columns[0]:
        chunk.tick[:] = deltas([0, 1, 3, 4, -1])
    for panel, begin in zip(drawn(flow)[0], (1, 0, 0)):
        ((_, points),) = panel
        values = [value for _, value in points]
        assert len(values) == 5 - begin
        assert [at for at, value in enumerate(values) if math.isnan(value)] == [2 - begin]


def test_the_plot_has_labels(pb, reader, drawn, tmp_path):
    flow = a_flow(pb, last=True)
    flow.result.label = "to $a and $b"
    flow.run.label = "a try"
    assert drawn(flow)[1] == ["1: A to B, to $a and $b"]
    import plot_results

    flows, _ = plot_results.flows_by_name(tmp_path / "results")
    assert plot_results.titles(flows) == "a try"
    plot_results.picture(flows, tmp_path / "plot.svg")
    picture = (tmp_path / "plot.svg").read_text()  # texts are comments in it
    assert "to \\$a and" in picture or "to $a and" in picture
    assert "<!-- a try -->" in picture


@pytest.fixture
def said(drawn, monkeypatch):
    """What the example says in the end; None: it drew the picture."""
    import plot_results

    def say(*words):
        monkeypatch.setattr(sys, "argv", ["plot_results.py", *map(str, words)])
        try:
            plot_results.main()
        except SystemExit as end:
            return end.code
        return None

    return say


def test_what_cannot_be_drawn(pb, said, tmp_path):
    path, plot = tmp_path / "results", tmp_path / "plot.png"
    assert "No such file" in said(tmp_path / "absent", plot)
    path.write_text("hello, this is no result")
    assert f"plot_results.py: {path}: record 1, byte 0: " in said(path, plot)
    path.write_text("")
    assert "no flow in it: is it a result file?" in said(path, plot)
    assert not plot.exists()
    write(path, a_flow(pb, last=True))
    assert "nosuch" in said(path, tmp_path / "plot.nosuch")
    assert "absent/plot.png" in said(path, tmp_path / "absent" / "plot.png")
    path.write_bytes(path.read_bytes() + struct.pack("!I", 99))
    assert ": the file ends in the middle of it (what stands" in said(path, plot)
    assert plot.exists()


def test_a_damaged_file_is_drawn_up_to_there(pb, said, tmp_path):
    path = zipped_flows(pb, tmp_path, 4)
    flip(path, -3)
    assert "record 5, byte " in said(path, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").exists()
    flip(path, 12)
    assert "record 1, byte 0: " in said(path, tmp_path / "another.png")
    assert not (tmp_path / "another.png").exists()


def test_without_matplotlib():
    code = "import runpy, sys; sys.modules['matplotlib'] = None; runpy.run_path(sys.argv[1])"
    argv = [sys.executable, "-c", code, ROOT / "python" / "plot_results.py"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1 and "python3-matplotlib" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["results.bin", "results.bin.gz"])
def test_pipes_are_read(pb, reader, tmp_path, name):
    path = write(tmp_path / name, a_flow(pb, last=True))
    come, go = os.pipe()
    os.write(go, path.read_bytes())
    os.close(go)
    (flow,) = reader.read(f"/dev/fd/{come}")
    os.close(come)
    assert flow.params.id == 1
    argv = [sys.executable, ROOT / "python" / "parse_results.py"]
    environment = os.environ | {"PYTHONPATH": sys.path[0]}
    for name in "-", "/dev/stdin":
        done = subprocess.run(
            [*argv, name], input=path.read_bytes(), env=environment, capture_output=True
        )
        assert done.stdout.startswith(b"flow 1: A -> B"), done.stderr


def test_the_plot_has_a_colour_for_each_flow(pb, drawn):
    runs = [a_flow(pb, number, last=True) for _ in range(3) for number in (1, 2)]
    (rate, _, _), names = drawn(*runs)
    assert names == ["1: A to B, 3 runs", "2: A to B, 3 runs"]
    assert [colour for colour, _ in rate] == ["C0"] * 3 + ["C1"] * 3


def test_the_plot_names_only_some_of_many_flows(pb, drawn):
    (rate, _, _), names = drawn(*[a_flow(pb, number, last=True) for number in range(40)])
    assert len(names) == 11 and names[9] == "9: A to B" and names[10] == "and 30 more"
    colours = [colour for colour, _ in rate]
    assert len(set(colours[:10])) == 10 and set(colours[10:]) == {"0.7"}


def test_the_table_is_that_of_the_program(pb, reader):
    """Names, ends and widths are those of the program's one table of fields."""
    header = (ROOT / "src/model/tcp_fields.h").read_text()
    fields = re.findall(r"X\((\w+), (\d+), (\d+), \d+, \d+\)", header)
    listed = {n: int(at) + int(size) for n, at, size in fields if n not in reader._NO_LIST}
    assert reader.TCP_INFO_ENDS == listed
    assert reader.UNSIGNED_64 == {
        n for n, _, size in fields if size == "8" and n not in reader._NO_LIST
    }
    columns = {f.name for f in pb.Columns.DESCRIPTOR.fields}
    assert {n for n, _, _ in fields} <= columns


def test_machines_beside_the_flows(pb, reader, tmp_path):
    flow = a_flow(pb, last=True)
    flow.run.agents.add(mgmt="one:1")
    flow.run.agents.add(mgmt="two:1")
    host = flow.run.host_samples.add(agent=1, count=3, seen=5, stride=2)
    host.tick.extend([-1, 1, 2])
    host.t_ns.extend([-500, 500, 100])
    host.user_ns.extend([10, 5, -16])
    one = host.interfaces.add(name="eth0", qdisc="red")
    one.qdisc_marks.extend([-1, 1, 7])
    one.rx_bytes.extend([2**40, 1, 1])
    (got,) = reader.read(write(tmp_path / "results", flow))
    (machine,) = reader.hosts(got.of_run)
    assert machine.agent.mgmt == "two:1"
    assert (len(machine), machine.seen, machine.stride) == (3, 5, 2)
    assert machine.columns["tick"] == [-1, 0, 2]
    assert machine.columns["t_ns"] == [-500, 0, 100]
    assert machine.columns["user_ns"] == [10, 15, None]
    assert machine.columns["idle_ns"] == [0, 0, 0]
    assert machine.qdiscs == {"eth0": "red"}
    assert machine.interfaces["eth0"]["qdisc_marks"] == [None, 0, 7]
    assert machine.interfaces["eth0"]["rx_bytes"] == [2**40, 2**40 + 1, 2**40 + 2]
    assert machine.interfaces["eth0"]["tx_bytes"] == [0, 0, 0]
    host.tick.append(1)
    with pytest.raises(reader.BrokenFile):
        list(reader.hosts(flow.run))
