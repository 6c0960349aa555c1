"""Strangers who make calls as they should be, of what nobody should be given.

Each function is one of them: it returns when it has done its worst, and fails if it got what it must
not have.
"""

import secrets
import time

from impostor import field, varint
from protocol import (
    NS,
    SECRET,
    SERVICE,
    Caller,
    Connection,
    build,
    end_spec,
    hello_request,
    prepare_request,
    run_id,
)

REFUSED = {"PERMISSION_DENIED", "NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION"}
FULL = REFUSED | {"RESOURCE_EXHAUSTED"}
MIB = 1 << 20


# ---- another's run ----


def meddler(prey):
    """Knows the victim's run, whose id is public, but not its secret."""
    assert prey.run
    axis = build("Axis", axis_ns=0, local_ns=time.monotonic_ns() + NS // 10)
    for secret in (b"", bytes(16), secrets.token_bytes(16), bytes(15), bytes(17), bytes(1000)):
        caller = Caller(prey.address)
        run = {"run": prey.run, "secret": secret}
        for method, request in (
            ("Watch", build("WatchRequest", **run)),
            ("Collect", build("WatchRequest", **run)),
            ("Start", build("StartRequest", axis=axis, **run)),
            ("Prepare", prepare_request(end_spec(7, 1, local_address=prey.host), **run)),
            ("Stop", build("RunRequest", **run)),
            ("Forget", build("RunRequest", **run)),
        ):
            code, _ = caller.call(method, request)
            assert code in REFUSED, f"{method} with {secret!r}: {code}"
        # What these are answered is the stranger's own business.
        caller.call("Clock", build("ClockRequest", axis=axis, **run))
        caller.call("Probe", probe_request(prey, **run))
        caller.close()


def probe_request(prey, **run):
    return build("ProbeRequest", key=bytes(32), address=prey.host, source=prey.host, **run)


def too_many_probes(prey):
    """Each would be a port more."""
    caller = Caller(prey.address)
    for _ in range(64):
        run = {"run": run_id(), "secret": secrets.token_bytes(16)}
        code, _ = caller.call("Probe", probe_request(prey, **run))
        assert code in FULL | {"OK"}, code
    caller.close()


def ends_the_agent(prey):
    caller = Caller(prey.address)
    for _ in range(20):
        code, _ = caller.call("Shutdown", build("RunRequest"))
        assert code == "PERMISSION_DENIED", code


def empties_the_metrics_cache(prey):
    """Which the kernel shares between all runs."""
    caller = Caller(prey.address)
    code, reply = caller.call("Hello", hello_request(flush_metrics=True))
    assert code in REFUSED or reply.problems, "Hello with flush_metrics"
    end = end_spec(
        0, 0, local_address=prey.towards_third, peer_address=prey.third, peer_port=9
    )
    code, reply = caller.prepare(end, flush_metrics=True)
    assert code in REFUSED or not reply.metrics_flushed, "Prepare with flush_metrics"


# ---- more than fits ----


def nested_messages(prey):
    """2 million empty messages in 4 MiB: ends, and hosts, settings and samples below."""
    empty_ends = varint(6 << 3 | 2) + b"\0"
    head = field(1, run_id())
    room = 4 * MIB - 100
    caller = Caller(prey.address)
    for message in (
        head + empty_ends * (room // 2),
        head + field(40, (b"\x52\0" * (room // 2))[: room // 2 * 2 - 100]),
        head + field(40, b"".join(field(number, b"") * 20_000 for number in range(1, 60))),
        head + b"".join(field(number, b"") * 20_000 for number in range(1, 60)),
    ):
        for _ in range(3):
            caller.call("Prepare", message[:room], timeout=5)
    hosts = field(1, 1) + field(3, b"") * MIB
    caller.call("Hello", hosts, timeout=5)
    caller.close()


def compressed_zeros(prey):
    """300 kB on the wire, 300 MB when they are unpacked."""
    caller = Caller(prey.address, compressed=True)
    zeros = field(99, bytes(300_000_000))
    for method in ("Hello", "Prepare"):
        code, _ = caller.call(method, zeros, timeout=60)  # compressing takes the stranger's own time
        assert code in FULL | {"UNIMPLEMENTED", "INTERNAL"}, code
    caller.close()


def oversized_messages(prey):
    caller = Caller(prey.address)
    for size, codes in ((4 * MIB + 1, FULL), (5 * MIB, {"UNAVAILABLE"}), (40 * MIB, {"UNAVAILABLE"})):
        code, _ = caller.call("Hello", field(99, bytes(size)))
        assert code in codes, code
    caller.close()


def deep_nesting(prey):
    """A message in a message, 100 000 times; groups within groups."""
    head = field(1, run_id())
    deep = b""
    for _ in range(20_000):
        deep = field(40, deep)
    caller = Caller(prey.address)
    for message in (head + deep, head + b"\xc3\x02" * 1_000_000, deep, b"\x0b" * 4_000_000):
        for method in ("Prepare", "Hello", "Clock"):
            caller.call(method, message, timeout=5)
    caller.close()


def unknown_methods(prey):
    """By the thousand, and of the earlier program's service, which this agent does not have."""
    caller = Caller(prey.address)
    names = [f"Method{i}" for i in range(2000 * prey.times)] + ["x" * 5000, "../../etc/passwd"]
    names += ["/tcpflowgen.TcpFlowGen/StartFlow", "/tcpflowgen.TcpFlowGen/Shutdown"]
    pending = [caller.begin(name, b"x" * 100) for name in names]
    for name, call in zip(names, pending, strict=True):
        assert call.code().name in ("UNIMPLEMENTED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"), name
    caller.close()


def many_ends_announced(prey):
    """38 bytes that ask for up to 64 processes."""
    caller = Caller(prey.address)
    for count in (940_000, 60_000, 20_000, 5000, 2000):
        for _ in range(2):
            caller.call("Prepare", prepare_request(ends_total=count), timeout=2)
    caller.close()


def many_ends(prey):
    """65 536 in a message, all towards addresses of others."""
    ends = [
        build("EndSpec", flow=i, end=0, peer_address=f"192.0.2.{i % 250}", peer_port=1 + i % 60_000,
              local_address=prey.host, duration_ns=NS, token=bytes(16))
        for i in range(65_536)
    ]
    caller = Caller(prey.address)
    for _ in range(2):
        caller.prepare(*ends, ends_total=940_000)
    caller.close()


def pieces_without_ends(prey):
    """Each of them nearly 1 MB that a spool might keep: of one run, and of others."""
    about = build("Run", scenario="x" * 900_000)
    caller = Caller(prey.address)
    run = run_id()
    for i in range(150 * prey.times):
        caller.prepare(run=run if i % 3 else run_id(), about=about)
    caller.close()


def huge_about(prey):
    about = build("Run", scenario="x" * (4 * MIB - 1000))
    caller = Caller(prey.address)
    for _ in range(10):
        caller.prepare(end_spec(0, 1, local_address=prey.host), about=about)
    caller.close()


def names_that_do_not_resolve(prey):
    """64 calls with 20 each; nobody waits for the answers.  Then an own one is served at once."""
    hosts = [build("AgentHost", name=f"h{i}", host=f"no-such-{i}.example") for i in range(20)]
    callers = [Caller(prey.address) for _ in range(16)]
    for caller in callers:
        for _ in range(4):
            caller.begin("Hello", hello_request(*hosts), timeout=30)
    time.sleep(1)
    for caller in callers:
        caller.close()
    time.sleep(0.5)
    caller = Caller(prey.address)
    code, _ = caller.call("Hello", hello_request(build("AgentHost", name="A", host=prey.host)), timeout=5)
    assert code == "OK", f"Hello, after others that were given up: {code}"


def too_many_runs(prey):
    """Of which none is ever started."""
    caller = Caller(prey.address)
    codes = [
        caller.prepare(end_spec(0, 1, local_address=prey.host, peer_address=prey.host))[0]
        for _ in range(20)
    ]
    assert codes.count("OK") <= 4, codes
    caller.close()


# ---- traffic to whom it was not asked for ----


def talks_to_another_service(prey):
    """Has the agent send 16 bytes of choice to a port where somebody listens who is no agent."""
    order = b"FLUSHALL\r\nQUIT\r\n"
    for more in ({"token": order}, {"token": order, "connect": 1}):
        towards(prey, [6379], **more)


def scans_ports(prey):
    """18 000 of another host's, by ends that are to connect there."""
    towards(prey, range(1000, 19_000))


def towards(prey, peer_ports, **more):
    """A run of its own, whose ends are to connect to the third host."""
    caller = Caller(prey.address)
    ends = [
        end_spec(i, 0, local_address=prey.towards_third, peer_address=prey.third, peer_port=port, **more)
        for i, port in enumerate(peer_ports)
    ]
    run = run_id()
    for at in range(0, len(ends), 6000):
        request = prepare_request(*ends[at : at + 6000], run=run, ends_total=len(ends))
        caller.call("Prepare", request, timeout=30)
    axis = build("Axis", axis_ns=0, local_ns=time.monotonic_ns() + NS // 5)
    caller.call("Start", build("StartRequest", run=run, secret=SECRET, axis=axis))
    time.sleep(0.5)
    caller.close()


# ---- gone ----


def vanishes_in_mid_call(prey):
    """After each call's first words, its message, its first answer."""
    prepare = prepare_request(
        end_spec(0, 1, local_address=prey.host, peer_address=prey.host), ends_total=2
    )
    messages = {
        "Hello": hello_request(build("AgentHost", name="A", host="no-such.example")),
        "Prepare": prepare,
        "Watch": build("WatchRequest", run=prepare.run, secret=SECRET),
        "Collect": build("WatchRequest", run=prepare.run, secret=SECRET),
        "Clock": build("ClockRequest"),
        "Stop": build("RunRequest", run=prepare.run, secret=SECRET),
    }
    for i in range(60):
        for method, message in messages.items():
            connection = Connection(prey).greet()
            raw = message.SerializeToString()
            connection.request(1, SERVICE + method, raw, ended=i % 3 > 0)
            if i % 3 == 2:
                time.sleep(0.002)
            connection.drop()


# ---- another user of the same machine ----


def another_user(prey):
    """Gets no answer to any call, nor a connection that stands."""
    caller = Caller(prey.address)
    end = end_spec(0, 1, local_address=prey.host, peer_address=prey.host)
    for method, request in (
        ("Hello", hello_request()),
        ("Prepare", prepare_request(end)),
        ("Clock", build("ClockRequest")),
        ("Shutdown", build("RunRequest")),
    ):
        code, _ = caller.call(method, request, timeout=2)
        assert code in ("PERMISSION_DENIED", "UNAVAILABLE"), f"{method}: {code}"
    caller.close()


def another_user_who_is_gone(prey):
    """Has said all it wanted before the agent looks: nobody knows whose the socket was."""
    end = end_spec(0, 1, local_address=prey.host, peer_address=prey.host)
    for _ in range(300 * prey.times):
        connection = Connection(prey)
        message = prepare_request(end).SerializeToString()
        connection.greet().request(1, SERVICE + "Prepare", message)
        connection.socket.close()
