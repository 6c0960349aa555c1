"""Reads result files of tcp-flowgen into plain Python objects.

    import tcp_flowgen_results

    for flow in tcp_flowgen_results.read("results.pb.gz"):
        print(flow.params.id, flow.params.src, flow.params.dst)
        for ts, cwnd in zip(flow.src.columns["ts"], flow.src.columns["snd_cwnd"]):
            print(ts, cwnd)

Needs messages_pb2.py beside it (`make python/messages_pb2.py`) and protobuf's Python package
(python3-protobuf, which is /usr/bin/python3's), nothing else.  The lists of one end are equally long: pandas.DataFrame(flow.src.columns) works.

How much a flow carried, and an end received in every interval between its samples:

    print(flow.goodput().bps)
    for t_from, t_to, bits_per_s in flow.dst.goodput():
        ...

docs/results.md tells what the fields mean.
"""

import struct
import sys
import warnings
import zlib
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain

from google.protobuf.message import DecodeError

import messages_pb2

# The fields of a sample's row, by their names there.  ts, RTT and RTTVar are seconds.
ROW_FIELDS = tuple(f.name for f in messages_pb2.TCPInfo.DESCRIPTOR.fields)

# How many bytes of struct tcp_info a kernel must return for each of the other fields to exist.
TCP_INFO_ENDS = {
    name: int(end)
    for name, end in (
        entry.split(":")
        for entry in """
        retransmits:3 probes:4 backoff:5 options:6 snd_wscale:7 rcv_wscale:7
        delivery_rate_app_limited:8 fastopen_client_fail:8 rto:12 ato:16 snd_mss:20 rcv_mss:24
        sacked:32 fackets:44 last_data_sent:48 last_ack_sent:52 last_data_recv:56 last_ack_recv:60
        pmtu:64 rcv_ssthresh:68 snd_ssthresh:80 snd_cwnd:84 advmss:88 rcv_rtt:96 rcv_space:100
        total_retrans:104 pacing_rate:112 max_pacing_rate:120 segs_out:140 segs_in:144
        notsent_bytes:148 min_rtt:152 data_segs_in:156 data_segs_out:160 delivery_rate:168
        busy_time:176 rwnd_limited:184 sndbuf_limited:192 delivered:196 delivered_ce:200
        bytes_sent:208 bytes_retrans:216 dsack_dups:220 reord_seen:224 rcv_ooopack:228 snd_wnd:232
        rcv_wnd:236 rehash:240 total_rto:242 total_rto_recoveries:244 total_rto_time:248
        received_ce:252 delivered_e1_bytes:256 delivered_e0_bytes:260 delivered_ce_bytes:264
        received_e1_bytes:268 received_e0_bytes:272 received_ce_bytes:276 accecn_fail_mode:278
        accecn_opt_seen:280
        """.split()
    )
}

# Unsigned and 64 bits wide: above 2**63 - 1 they stand in the file as negative numbers.
UNSIGNED_64 = {
    "pacing_rate",
    "max_pacing_rate",
    "delivery_rate",
    "busy_time",
    "rwnd_limited",
    "sndbuf_limited",
    "bytes_sent",
    "bytes_retrans",
}

# Fields of Columns that become no list: numbers, and what a result file has in its rows or not.
_NO_LIST = set(
    "count info_length cc_length t_ns state ca_state rtt rttvar bytes_acked bytes_received"
    " unacked lost retrans reordering".split()
)


_STEP = 1 << 20  # bytes
_INFLATE_STEP = 1 << 16
_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS + 16
_CRC_TAG, _CRC_SIZE = 15 << 3 | 5, 5  # Flow.crc as it ends a record
_CHECKED = b"\x50\x01"  # Flow.checked as it begins one


class BrokenFile(ValueError):
    """The file is cut or damaged, or no result file."""


@dataclass
class End:
    """The samples of one end.

    columns maps names to lists, a value a sample: the fields of TCPInfo (ts, RTT and RTTVar in
    seconds, state in that message's numbering), `tick` (-1: taken off the ticks), and every other
    field that the kernel returned, named and measured as in struct tcp_info (times in us, or in ms
    for last_* and total_rto_time; rates in bytes/s).  A name is missing if the kernel never
    returned the field; None stands where it did not for that sample.
    """

    columns: dict = field(default_factory=lambda: {name: [] for name in ROW_FIELDS})
    info_length: int = 0  # bytes of struct tcp_info that the kernel returned, at most
    report: object = None  # messages_pb2.EndReport; None if it is missing

    def goodput(self):
        """[(t_from, t_to, bit/s), ...]: payload that the end received between one sample and the
        next, by the time that really passed between them (s on the run's axis).

        The token that opens the connection does not count, nor does the FIN.  Where samples are
        missing, an interval is longer.  Two samples of one moment make none.
        """
        preamble, payload = _payload_bounds(self.report)
        ts = self.columns["ts"]
        counts = [
            min(max(count - preamble, 0), payload) for count in self.columns["ThruBytesReceived"]
        ]
        return [
            (t_from, t_to, 8 * (end - begin) / (t_to - t_from))
            for t_from, t_to, begin, end in zip(ts, ts[1:], counts, counts[1:])
            if t_to > t_from and end >= begin  # a socket that was reset may count from 0 again
        ]

    def __len__(self):
        return len(self.columns["ts"])


@dataclass
class Goodput:
    """How fast a flow was, as docs/results.md defines it.  Rates are bit/s, None: not known."""

    bps: float = None
    lack: str = None  # why there is none
    least_bps: float = None  # by what the clocks leave possible
    most_bps: float = None
    doubtful: bool = False  # more than 1 % of it is open
    basis: str = None  # "kernels", "samples", "reads"
    payload_bytes: int = None  # bps is of these, from one moment of the run's axis
    from_ns: int = None
    to_ns: int = None  # to another


@dataclass
class Flow:
    """One flow, its parts joined."""

    params: object  # messages_pb2.FlowParams
    result: object = None  # messages_pb2.FlowResult; None in files of the earlier program
    run: object = None  # messages_pb2.Run, at the first flow of a run
    src: End = field(default_factory=End)
    dst: End = field(default_factory=End)
    of_run: object = None  # messages_pb2.Run that the flow is of, at every flow of it

    def goodput(self, warmup_ns=None):
        """Its Goodput, what came before its begin + warmup_ns (None: as the run has it) left out."""
        if warmup_ns is None:
            warmup_ns = self.of_run.warmup_ns if self.of_run is not None else 0
        return _goodput(self, warmup_ns)


def _read_exactly(file, length):
    """So many bytes, in steps: a length that lies takes no more memory than the file has bytes."""
    if not length:
        raise EOFError("it is empty; is this a result file?")
    data = bytearray()
    while len(data) < length:
        step = file.read(min(length - len(data), _STEP))
        if not step:
            raise EOFError("the file ends in the middle of it")
        data += step
    return bytes(data)


def _inflate(file, data):
    """Yields what gzipped data hold that begin with `data`: all before damage.

    zlib gives nothing of a step in which it finds damage.  So it is taken back, and tried in
    smaller steps, of a byte in and a byte out in the end."""
    zipped, step = zlib.decompressobj(_GZIP), _INFLATE_STEP
    while True:
        before = zipped.copy()
        try:
            out = zipped.decompress(data[:step], step)
        except zlib.error:
            if step == 1:
                raise
            zipped, step = before, step // 2
            continue
        yield out
        data = zipped.unconsumed_tail + zipped.unused_data + data[step:]
        if zipped.eof:
            data = data.lstrip(b"\0")  # zeros may fill a block up
            while not data:
                data = file.read(_INFLATE_STEP)
                if not data:
                    return
                data = data.lstrip(b"\0")
            zipped = zlib.decompressobj(_GZIP)
        elif not data and len(out) < step:
            data = file.read(_INFLATE_STEP)
            if not data:
                raise EOFError("the file ends in the middle of it")


class _Bytes:
    """What a file holds, gzipped or not, which its first bytes tell, not its name.  A pipe is read
    once."""

    def __init__(self, name):
        self._file = sys.stdin.buffer if name == "-" else open(name, "rb")
        self._data, self.offset = bytearray(), 0
        begin = self._file.read(len(_MAGIC))
        if begin == _MAGIC:
            self._chunks = _inflate(self._file, begin)
        else:
            self._chunks = chain([begin], iter(partial(self._file.read, _STEP), b""))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def read(self, size):
        """Fewer only at the end."""
        while len(self._data) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._data += chunk
        out = bytes(self._data[:size])
        del self._data[:size]
        self.offset += len(out)
        return out


def _is_whole(head, data):
    body, tail = data[:-_CRC_SIZE], data[-_CRC_SIZE:]
    return tail == struct.pack("<BI", _CRC_TAG, zlib.crc32(body, zlib.crc32(head)))


def _damaged(params):
    """params: FlowParams, if they are known."""
    flow = f" (flow {params.id})" if params else ""
    return DecodeError(f"something in it is damaged{flow}: its checksum is not that of what it holds")


def _parse(kind, data):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        message = kind.FromString(data)
    if told:  # only some of it was taken
        raise DecodeError(str(told[0].message))
    return message


def _params_of(data):
    """As a record begins with them; None if they are not to be read."""
    if len(data) < 4 or data[2] != 0x0A or data[3] > 127:
        return None
    try:
        return _parse(messages_pb2.FlowParams, data[4 : 4 + data[3]])
    except DecodeError:
        return None


def _next_record(file):
    """None: the file is at its end."""
    head = file.read(4)
    if not head:
        return None
    if len(head) < 4:
        raise EOFError("the file ends in the middle of it")
    data = _read_exactly(file, *struct.unpack("!I", head))
    whole = _is_whole(head, data)  # files of earlier versions do not tell
    if not whole and data.startswith(_CHECKED):
        raise _damaged(_params_of(data))  # protobuf would write about it, too
    record = _parse(messages_pb2.Flow, data)
    if not record.HasField("params"):
        raise DecodeError("it is of no flow")
    if not whole and (record.checked or record.crc):
        raise _damaged(record.params)
    return record


def records(name):
    """Yields the records of a file ("-": standard input) as they are: messages_pb2.Flow, one or
    more a flow."""
    with _Bytes(name) as file:
        number = 0
        while True:
            number += 1
            begin = file.offset
            try:
                record = _next_record(file)
            except (EOFError, OSError, zlib.error, DecodeError) as error:
                why = "the gzip data are damaged" if isinstance(error, zlib.error) else error
                raise BrokenFile(f"{name}: record {number}, byte {begin}: {why}") from error
            if record is None:
                return
            yield record


def read(name):
    """Yields the file's flows, each with all its parts: those of the first run, then the next."""
    flow = run = None
    for record in records(name):
        begins_run = record.HasField("run")
        if flow is not None and (begins_run or flow.params.id != record.params.id):
            yield flow  # its last part is missing
            flow = None
        if begins_run:
            run = record.run
        if flow is None:
            flow = Flow(params=record.params, of_run=run)
        if record.HasField("result"):
            flow.result = record.result
            for name, end in (("src", flow.src), ("dst", flow.dst)):
                if record.result.HasField(name):
                    end.report = getattr(record.result, name)
        if begins_run:
            flow.run = run
        _add(flow.src, record.TxTCPInfo, record.src_columns)
        _add(flow.dst, record.RxTCPInfo, record.dst_columns)
        # The earlier program knew neither parts nor columns.
        if record.last or not (record.src_columns or record.dst_columns):
            yield flow
            flow = None
    if flow is not None:
        yield flow


# ---- goodput ----

FIRST_BYTE, LAST_BYTE, STOP = 1 << 2, 1 << 3, 1 << 4  # bits of EndReport.times
TIME_WAIT, CLOSING = 6, 11  # Linux's states from here to there: nothing more comes
READ_LATE_NS = 10_000_000
TOKEN = 16  # bytes that open a connection

NO_DATA = "no payload arrived"
NO_SINK = "the receiver's report and samples are missing"
NO_TIMES = "when payload was sent, or arrived, is not known"
BEHIND = "no sample with data is behind the warm-up"
FEW = "fewer than 10 segments arrived in the counted time"
BRIEF = "the counted time is shorter than the least RTT"
UNCERTAIN = "the clocks are known to worse than a tenth of the counted time"


@dataclass
class _Span:
    """Payload and its time, as struct goodput_span of the program has it."""

    bytes: int
    from_ns: int
    to_ns: int
    error_ns: int = 0  # None: not known
    early_ns: int = 0
    segment: int = 0
    min_rtt_ns: int = 0


def _judge(span, basis):
    time_ns = span.to_ns - span.from_ns
    if time_ns <= 0:
        return Goodput(lack=NO_TIMES)
    out = Goodput(
        basis=basis, payload_bytes=span.bytes, from_ns=span.from_ns, to_ns=span.to_ns
    )
    if 0 < span.bytes < 10 * span.segment:
        out.lack = FEW
    elif time_ns < span.min_rtt_ns:
        out.lack = BRIEF
    elif span.error_ns is not None and span.error_ns > 0.1 * time_ns:
        out.lack = UNCERTAIN
    else:
        _fill(out, span, time_ns)
    return out


def _fill(out, span, time_ns):
    bits = span.bytes * 8e9
    out.bps = bits / time_ns
    if span.error_ns is None:
        out.doubtful = True
        return
    out.doubtful = span.error_ns + span.early_ns > 0.01 * time_ns
    out.least_bps = bits / (time_ns + span.error_ns)
    if time_ns > span.error_ns + span.early_ns:
        out.most_bps = bits / (time_ns - span.error_ns - span.early_ns)


def _goodput(flow, warmup_ns):
    src, dst = flow.src.report, flow.dst.report
    sent = src is not None and src.times & FIRST_BYTE
    if sent and (dst if dst is not None else src).stop.jiffy_us:
        basis, begin_ns = "kernels" if dst is not None else "samples", src.first_byte_ns
    else:
        basis, begin_ns = "reads", _first_read(flow)
    span = _span(flow, basis, begin_ns)
    if span is None:
        moved = dst is not None and (dst.payload_bytes_stop or dst.times & FIRST_BYTE)
        lack = NO_SINK if dst is None and not len(flow.dst) and _acked_ns(flow) is not None else NO_DATA
        return Goodput(lack=NO_TIMES if moved else lack)
    by_rows = basis == "reads" and dst is None
    if not warmup_ns and not by_rows:
        return _judge(span, basis)
    # One reading of the receiver's is taken off.
    from_ns = begin_ns + warmup_ns
    rows = [row for row in _received(flow) if row[0] >= from_ns]
    if basis == "reads":
        rows = [row for row in rows if row[2]]
    if not rows:
        return Goodput(lack=BEHIND if warmup_ns else NO_TIMES)
    span.from_ns, span.error_ns = rows[0][0], 0
    span.bytes = max(span.bytes - rows[0][1], 0)
    if not span.bytes and dst is not None:  # nothing came until the reading at stop
        span.to_ns, span.early_ns = dst.stop_ns, 0
    if span.from_ns >= span.to_ns:
        return Goodput(lack=BEHIND if warmup_ns else NO_TIMES)
    return _judge(span, basis)


def _received(flow):
    """(time, payload received, whether there was any) of each sample of the receiver's."""
    reports = (flow.dst.report, flow.src.report)
    token = max(0 if report is None else report.preamble_bytes for report in reports)
    columns = flow.dst.columns
    for ts, count in zip(columns["ts"], columns["ThruBytesReceived"]):
        yield round(ts * 1e9), max(count - token, 0), count > TOKEN


def _acked_ns(flow):
    """When a sample first saw payload acknowledged; None: none did."""
    rows = zip(flow.src.columns["ts"], flow.src.columns["ThruBytesAcked"])
    return next((round(ts * 1e9) for ts, count in rows if count > TOKEN + 1), None)


def _first_read(flow):
    """None: nothing came."""
    dst = flow.dst.report
    if dst is None:
        return next((t_ns for t_ns, _, some in _received(flow) if some), None)
    if not dst.times & FIRST_BYTE:
        return None
    acked_ns = _acked_ns(flow)
    if acked_ns is None:
        acked_ns = dst.first_byte_ns
    return acked_ns if dst.first_byte_ns - acked_ns > READ_LATE_NS else dst.first_byte_ns


def _span(flow, basis, begin_ns):
    dst = flow.dst.report
    if begin_ns is None:
        return None
    if dst is None:
        last, most = None, 0
        for t_ns, payload, _ in _received(flow):
            if payload > most:
                last, most = t_ns, payload
        error_ns = _clock_error(flow) if basis == "samples" else 0
        return None if last is None else _Span(most, begin_ns, last, error_ns)
    if not dst.times & STOP:
        return None
    span = _Span(dst.payload_bytes_stop, begin_ns, dst.stop_ns)
    if basis == "kernels":
        _add_kernels(span, flow)
    return span


def _add_kernels(span, flow):
    src, dst, stop = flow.src.report, flow.dst.report, flow.dst.report.stop
    span.error_ns = _clock_error(flow)
    span.segment = stop.received // stop.data_segs if stop.data_segs else 0
    span.min_rtt_ns = src.stop.min_rtt_us * 1000 if src.stop.min_rtt_us < 2**32 - 1 else 0
    over = TIME_WAIT <= stop.state <= CLOSING or src.payload_bytes == dst.payload_bytes_stop
    if not over or not span.bytes:
        return
    told_ns, jiffy_ns = stop.t_ns - stop.last_data_recv_ms * 1_000_000, stop.jiffy_us * 1000
    span.to_ns = min(span.to_ns, told_ns + jiffy_ns)
    if dst.times & LAST_BYTE and dst.payload_bytes >= dst.payload_bytes_stop:
        span.to_ns = min(span.to_ns, dst.last_byte_ns)
    cut_ns = 1_000_000 if jiffy_ns % 1_000_000 else 0  # to whole ms
    span.early_ns = max(span.to_ns - (told_ns - jiffy_ns - cut_ns), 0)


def _clock_error(flow):
    """Of the difference between times of the two ends, ns; None: not known."""
    run, result = flow.of_run, flow.result
    if run is None or max(result.src_host, result.dst_host) >= len(run.hosts):
        return None
    places = [run.hosts[host].agent for host in (result.src_host, result.dst_host)]
    if max(places) >= len(run.agents):
        return None
    if places[0] == places[1]:
        return 0
    clocks = [run.agents[place].clock for place in places]
    return sum(c.error_ns for c in clocks) if all(c.exchanges for c in clocks) else None


def _payload_bounds(report):
    """Bytes ahead of the payload in an end's counter, and of payload in all."""
    if report is None:
        return 0, float("inf")
    if report.HasField("close"):
        return report.preamble_bytes, report.close.read + report.close.unread
    return report.preamble_bytes, report.payload_bytes


@dataclass
class Host:
    """A machine beside the flows of a run, a row every 50 ms or more.

    columns maps names to lists, a value a row: `tick` (-1: off the ticks, at begin and end), `t_ns`
    on the run's axis, CPU times since boot and the rest as docs/results.md has it.  interfaces maps
    an interface's name to its columns likewise.  None stands where a value is not known.
    """

    agent: object  # messages_pb2.RunAgent
    columns: dict = field(default_factory=dict)
    interfaces: dict = field(default_factory=dict)
    qdiscs: dict = field(default_factory=dict)  # interface: kind of its root queueing discipline
    seen: int = 0  # rows that were taken
    stride: int = 1  # every so many-th of them is here, and the last

    def __len__(self):
        return len(self.columns["t_ns"])


def hosts(run):
    """The machines of a run (Flow.of_run) beside its flows, a Host each."""
    for samples in run.host_samples:
        host = Host(run.agents[samples.agent], seen=samples.seen, stride=max(samples.stride, 1))
        host.columns = _host_columns(samples, samples.count)
        for interface in samples.interfaces:
            host.interfaces[interface.name] = _host_columns(interface, samples.count)
            host.qdiscs[interface.name] = interface.qdisc
        yield host


def _host_columns(message, count):
    columns = {}
    for column in message.DESCRIPTOR.fields:
        if column.number < 10:
            continue
        deltas = getattr(message, column.name)
        if len(deltas) not in (0, count):
            raise BrokenFile(f"column {column.name} has {len(deltas)} values of {count}")
        values = _undelta(deltas, False) if deltas else [0] * count
        may_be_negative = column.name in ("tick", "t_ns")
        columns[column.name] = [
            value if value >= 0 or may_be_negative else None for value in values
        ]
    return columns


def _add(end, rows, chunks):
    before = len(end)
    for name in ROW_FIELDS:
        end.columns[name].extend(getattr(row, name) for row in rows)
    if sum(chunk.count for chunk in chunks) not in (0, len(rows)):
        raise BrokenFile("columns and rows are not equally many")
    for chunk in chunks:
        _add_chunk(end, chunk, before)
        before += chunk.count


def _add_chunk(end, chunk, before):
    end.info_length = max(end.info_length, chunk.info_length)
    for name, values in _decode(chunk).items():
        column = end.columns.setdefault(name, [])
        column.extend([None] * (before - len(column)))
        column.extend(values)
    for name, column in end.columns.items():
        if name not in ROW_FIELDS:
            column.extend([None] * (before + chunk.count - len(column)))


def _decode(chunk):
    """The chunk's columns by name, zeros where they were left out."""
    decoded = {}
    for column in chunk.DESCRIPTOR.fields:
        name = column.name
        if name in _NO_LIST:
            continue
        deltas = getattr(chunk, name)
        if len(deltas) not in (0, chunk.count):
            raise BrokenFile(f"column {name} has {len(deltas)} values of {chunk.count}")
        if deltas:
            decoded[name] = _undelta(deltas, name in UNSIGNED_64)
        elif _returned(name, chunk):
            decoded[name] = [0] * chunk.count
    return decoded


def _returned(name, chunk):
    if name.startswith("cc_word_"):
        return chunk.cc_length >= 4 * (int(name[len("cc_word_") :]) + 1)
    return name == "tick" or TCP_INFO_ENDS.get(name, 1 << 32) <= chunk.info_length


def _undelta(deltas, unsigned):
    """Sums them up; 64-bit numbers wrap around."""
    if unsigned:
        return [value % 2**64 for value in accumulate(deltas)]
    return [(value + 2**63) % 2**64 - 2**63 for value in accumulate(deltas)]
