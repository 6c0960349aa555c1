"""What anybody may say to an agent: the calls of proto/agent.proto by the stock Python gRPC, and raw HTTP/2 beneath
it for what no library would send."""

import contextlib
import secrets
import select
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

from impostor import DATA, END_HEADERS, END_STREAM, HEADERS, PROTOCOL, SETTINGS, frame, headers

PROTO = Path(__file__).parents[2] / "proto"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/tcpflowgen.Agent/"
STREAMS = {"Watch", "Collect"}
RUN_REPLIES = {"Stop", "Forget", "Shutdown"}
TIMEOUT = 10  # s a call
FRAME = 16384  # bytes of a frame's payload
NS = 1_000_000_000
SECRET = bytes(range(16))  # of strangers' own runs


def generate(folder):
    """The Python modules of the protocol."""
    from grpc_tools import protoc

    words = ["protoc", f"-I{PROTO}", f"--python_out={folder}", "messages.proto", "agent.proto"]
    assert protoc.main(words) == 0


def load():
    """Has build() find them."""
    with tempfile.TemporaryDirectory() as folder:
        generate(folder)
        sys.path.insert(0, folder)
        import agent_pb2
        import messages_pb2  # noqa: F401

        sys.path.remove(folder)
    return agent_pb2


# ---- calls ----


def run_id():
    return secrets.token_hex(16)


def build(kind, **fields):
    """A message of one of the modules that generate() made, whose folder is on the path."""
    import agent_pb2
    import messages_pb2

    message = getattr(agent_pb2 if hasattr(agent_pb2, kind) else messages_pb2, kind)
    return message(**fields)


def end_spec(flow, end, **more):
    """An end of a flow of a second between the agent and itself."""
    fields = {"flow": flow, "id": flow, "end": end, "source": end == 0, "sink": end == 1}
    fields |= {"duration_ns": NS, "ccalg": "cubic", "token": secrets.token_bytes(16)}
    return build("EndSpec", **fields | more)


def prepare_request(*ends, **more):
    own = {"run": run_id(), "secret": SECRET, "flow_key": bytes(range(32))}
    return build("PrepareRequest", ends=ends, **own | more)


def hello_request(*hosts, **more):
    return build("HelloRequest", protocol=PROTOCOL, hosts=hosts, **more)


def reply_of(method, raw):
    name = "Watch" if method in STREAMS else "Run" if method in RUN_REPLIES else method
    return build(f"{name}Reply").FromString(raw)


class Caller:
    """A channel of gRPC's to the agent."""

    def __init__(self, address, compressed=False):
        import grpc

        algorithm = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
        self.error = grpc.RpcError
        options = [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)]
        options += [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options, compression=algorithm)

    def begin(self, method, message, timeout=TIMEOUT):
        """The call, under way."""
        raw = message if isinstance(message, bytes) else message.SerializeToString()
        kind = self.channel.unary_stream if method in STREAMS else self.channel.unary_unary
        call = kind(SERVICE + method)
        return call(raw, timeout=timeout) if method in STREAMS else call.future(raw, timeout=timeout)

    def ask(self, method, message, timeout=TIMEOUT):
        """(the status's name, its text, the reply's bytes); of a stream its first message."""
        pending = self.begin(method, message, timeout)
        try:
            return "OK", "", next(pending, b"") if method in STREAMS else pending.result()
        except self.error as problem:
            return problem.code().name, problem.details(), b""

    def call(self, method, message, timeout=TIMEOUT):
        """(the status's name, the reply or None)"""
        code, _, raw = self.ask(method, message, timeout)
        return code, reply_of(method, raw) if code == "OK" else None

    def prepare(self, *ends, **more):
        return self.call("Prepare", prepare_request(*ends, **more))

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- connections ----


class Connection:
    """A TCP connection to the agent, which may end it at any time."""

    def __init__(self, prey, port=None):
        there, source = (prey.host, port or prey.port), (prey.source, 0)
        self.socket = socket.create_connection(there, TIMEOUT, source_address=source)

    def greet(self, settings=b"", ahead=b""):
        """What is ahead goes with the first words, before the agent has said any."""
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings) + ahead)
        return self

    def send(self, data):
        """False: the agent takes no more of it."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def request(self, stream, method, message=b"", length=None, more=(), ended=True):
        """A call, of which the message may lack something: length is what is said of it."""
        prefix = struct.pack("!BI", 0, len(message) if length is None else length)
        return self.send(opening(stream, method, *more) + body(stream, prefix + message, ended))

    def drop(self):
        """Without a word: a reset."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def take(self):
        """What the agent said, so far."""
        with contextlib.suppress(OSError):
            self.socket.setblocking(False)
            return self.socket.recv(1 << 20)
        return b""


def opening(stream, method, *more):
    """The HEADERS frame of a call."""
    pairs = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "agent")]
    pairs += [("content-type", "application/grpc"), ("te", "trailers"), *more]
    return frame(HEADERS, END_HEADERS, stream, headers(*pairs))


def body(stream, data, ended=True):
    pieces = [data[at : at + FRAME] for at in range(0, len(data), FRAME)]
    last = len(pieces) - 1
    return b"".join(
        frame(DATA, END_STREAM if ended and i == last else 0, stream, piece)
        for i, piece in enumerate(pieces)
    )


def crowd(prey, count, greet=False, port=None):
    """So many connections at once; fewer, where the agent refuses them outright."""
    made = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            connection = Connection(prey, port)
            if greet:
                connection.greet()
            made.append(connection)
    return made


def still_open(connections):
    """Those that the agent has not ended; what it said is read."""
    poll = select.poll()
    by_number = {connection.socket.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.POLLIN)
    gone = set()
    for number, _ in poll.poll(0):
        connection = by_number[number]
        connection.socket.setblocking(False)
        try:
            if not connection.socket.recv(1 << 20):
                gone.add(number)
        except BlockingIOError:
            pass
        except OSError:
            gone.add(number)
    return [connection for number, connection in by_number.items() if number not in gone]


def all_ended(connections, seconds):
    """Whether the agent ends all of them in time."""
    deadline = time.monotonic() + seconds
    while connections and time.monotonic() < deadline:
        time.sleep(0.05)
        connections = still_open(connections)
    return not connections
