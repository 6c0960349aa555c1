"""Strangers, crowds and nonsense at an agent's control port, and strangers behind the port that a
master is sent to.  What needs only sockets is held by tests/unit/rpc/test_door.c."""

import contextlib
import os
import re
import shutil
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest
from harness import COMPLETE, PROGRAM, waiting

ROOT_USER, ALICE, BOB = 0, 21001, 21002
FLOW = {"id": 0, "src": "A", "dst": "B", "duration": "300ms"}
LISTEN = "127.0.0.1:8841"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Holds COUNT connections to PORT, each with WORDS, from as many addresses of 10.5.0.0/16 as are
# named by SPREAD; 0: from wherever the kernel likes.  Then says "there" and waits.
CROWD = """
import socket, sys, time
port, count, spread, words = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
address = "10.5.0.1" if spread else "127.0.0.1"
held = []
for i in range(count):
    peer = socket.socket()
    if spread:
        peer.bind((f"10.5.1.{i % spread + 1}", 0))
    try:
        peer.connect((address, port))
        peer.sendall(words.encode().decode("unicode_escape").encode("latin-1"))
    except OSError:
        pass
    held.append(peer)
print("there", flush=True)
time.sleep(600)
"""
# Passes bytes between the first port, where it listens, and the second one, as `ssh -L` does.
FORWARDER = """
import socket, sys, threading
def pass_on(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        for ends in ((near, far), (far, near)):
            threading.Thread(target=pass_on, args=ends, daemon=True).start()
"""


def as_user(uid):
    return ("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups") if uid else ()


class Port:
    """A namespace, an agent in it, and a folder where every user may go and execute the program."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.folder = folder
        self.where = lab.namespace("port")
        self.program = shutil.copy(PROGRAM, folder)

    def agent(self, *flags, uid=ROOT_USER, listen=LISTEN, before=()):
        spool = Path(tempfile.mkdtemp(dir=self.folder))
        os.chown(spool, uid, uid)
        words = [*as_user(uid), *before, self.program, "agent", "--listen", listen]
        words += ["--spool", spool, *flags]
        agent = self.lab.spawn(self.where, *words[1:], program=words[0], name="agent")
        if listen.startswith("unix:"):
            for _ in waiting(listen, agent):
                if "agent listens" in agent.text():
                    return agent
        return self.lab.listening(agent, listen)

    def run(self, *flags, uid=ROOT_USER, mgmt=LISTEN, before=(), cwd="/"):
        mgmts = [mgmt, mgmt] if isinstance(mgmt, str) else mgmt
        hosts = {name: {"mgmt": at, "host": "127.0.0.1"} for name, at in zip("AB", mgmts)}
        path = shutil.copy(self.lab.write({"hosts": hosts, "flows": [FLOW]}), self.folder)
        output = Path(tempfile.mkdtemp(dir=self.folder)) / "results.pb"
        os.chown(output.parent, uid, uid)
        words = [*as_user(uid), *before, self.program, "run", path, "-o", output, *flags]
        outcome = self.lab.command(self.where, *words[1:], program=words[0], cwd=cwd)
        outcome.output = output
        return outcome

    def complete(self, *args, **more):
        outcome = self.run(*args, **more).must(0)
        assert [flow.result.status for flow in outcome.flows] == [COMPLETE]
        return outcome

    def python(self, code, *words, uid=ROOT_USER):
        argv = [*as_user(uid), sys.executable, "-c", code, *words]
        return self.lab.spawn(self.where, *argv[1:], program=argv[0], cwd="/", name="python")

    def crowd(self, count, words="", spread=0, uid=ROOT_USER):
        crowd = self.python(CROWD, 8841, count, spread, words, uid=uid)
        for _ in waiting("the crowd", crowd):
            if "there" in crowd.text():
                return crowd


@pytest.fixture
def port(lab):
    folder = Path(tempfile.mkdtemp(prefix="tcp-flowgen-port-"))
    folder.chmod(0o755)
    yield Port(lab, folder)
    shutil.rmtree(folder)


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.pid}/fd"))


def await_descriptors(agent, count):
    for _ in waiting(f"{count} descriptors", agent):
        if descriptors(agent) <= count:
            return


def refusals(agent):
    return [line for line in agent.text().splitlines() if " refused " in line]


# ---- Crowds ----


def test_idle_connections_do_not_stop_an_agent(port):
    """By far more than it has descriptors."""
    agent = port.agent(before=("prlimit", "--nofile=300:300"))
    port.complete()
    before = descriptors(agent)
    for words in ("", "PRI * HTTP/2.0"):
        crowd = port.crowd(500, words)
        assert descriptors(agent) <= before + 32 + 16
        crowd.end()
        await_descriptors(agent, before)
        port.complete()
    assert len(refusals(agent)) <= 20  # a line each of the first ones alone
    agent.end()
    assert re.search(r"\d{3} more connections were refused", agent.text())


@pytest.mark.parametrize("limit, reason", [(275, " 8 connections already"), (2400, "256 connections already")])
def test_a_crowd_from_the_network(port, limit, reason):
    """From many addresses, and with HTTP/2's first words, so that it is served: as far as descriptors go."""
    port.where.ip("route", "add", "local", "10.5.0.0/16", "dev", "lo")
    agent = port.agent("--insecure", listen=":8841", before=("prlimit", f"--nofile={limit}:{limit}"))
    port.complete()
    before = descriptors(agent)
    crowd = port.crowd(400, PREFACE.decode().encode("unicode_escape").decode(), spread=200)
    for _ in waiting("a refusal", agent):
        if any(reason in line for line in refusals(agent)):
            break
    assert descriptors(agent) <= min(limit - 8, before + 3 * 256 + 64 + 8)
    time.sleep(0.6)  # then they are idle, and give way
    port.complete()
    crowd.end()
    await_descriptors(agent, before)
    port.complete()


def test_nonsense_beside_a_run(port):
    agent = port.agent()
    port.complete()
    before = descriptors(agent)
    noise = port.python(
        "import os, socket\n"
        "while True:\n"
        "    with socket.create_connection(('127.0.0.1', 8841)) as peer:\n"
        "        peer.sendall(os.urandom(100))\n"
    )
    port.complete()
    noise.end()
    await_descriptors(agent, before)


# ---- Who calls ----


def test_another_user_is_refused(port):
    agent = port.agent()
    port.complete()
    before = descriptors(agent)
    refused = port.run(uid=ALICE).must(3)
    assert f"does not serve uid {ALICE}: start it with --allow-user {ALICE}" in refused.stderr
    assert re.search(rf"refused uid {ALICE} at 127\.0\.0\.1:\d+: .*--allow-user", agent.text())
    port.complete()
    await_descriptors(agent, before)


def test_users_who_are_named(port):
    port.agent("--allow-user", f"root,{BOB}", "--allow-user", ALICE)
    for uid in (ROOT_USER, ALICE, BOB):
        port.complete(uid=uid)
    port.agent(uid=BOB, listen="127.0.0.1:8843")
    assert "--allow-user" in port.run(uid=ALICE, mgmt="127.0.0.1:8843", before=TRUSTING).must(3).stderr


# An unprivileged user's master that would trust Bob's agent.
TRUSTING = ("sh", "-c", f'program=$0; shift; exec "$program" run --trust-user {BOB} "$@"')


def test_a_name_that_nobody_has(port):
    outcome = port.lab.command(None, "agent", "--allow-user", "no-such-user")
    assert 'no user "no-such-user"' in outcome.must(2).stderr


def test_who_called_sudo(port):
    sudo = ("env", f"SUDO_UID={ALICE}")
    agent = port.agent(before=sudo)
    port.complete(uid=ALICE)
    port.run(uid=BOB).must(3)
    agent.end()
    # Of others than root it is no word to be relied on.
    port.agent(uid=BOB, before=sudo)
    refused = port.run(uid=ALICE, before=TRUSTING).must(3)
    assert f"does not serve uid {ALICE}" in refused.stderr


@pytest.mark.parametrize("source", ["10.77.0.1", "127.0.0.1"])
def test_no_source_address_hides_a_user(port, source):
    """A local program may bind to any of the machine's addresses."""
    port.where.ip("address", "add", "10.77.0.1/32", "dev", "lo")
    agent = port.agent()
    code = (
        "import socket, sys\n"
        "peer = socket.socket()\n"
        "peer.bind((sys.argv[1], 0))\n"
        "peer.connect(('127.0.0.1', 8841))\n"
        "peer.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes(9))\n"
        "peer.settimeout(10)\n"
        "while peer.recv(4096): pass\n"
    )
    assert port.python(code, source, uid=ALICE).wait() == 0  # it was closed
    assert re.search(rf"refused uid {ALICE} at {re.escape(source)}:\d+", agent.text())


def test_who_closed_before_he_was_accepted(port):
    """The kernel says root of his socket."""
    agent = port.agent()
    port.complete()
    before = descriptors(agent)
    port.where.ip("link", "show", "lo")
    agent.signal(19)  # SIGSTOP
    code = (
        "import socket\n"
        "for _ in range(50):\n"
        "    with socket.create_connection(('127.0.0.1', 8841)) as peer:\n"
        "        peer.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n')\n"
    )
    assert port.python(code, uid=ALICE).wait() == 0
    agent.signal(18)  # SIGCONT
    port.complete()
    await_descriptors(agent, before)
    assert "refused uid 0" not in agent.text()


# ---- Who listens ----


def test_another_users_agent_is_not_used(port):
    agent = port.agent("--allow-user", ALICE, uid=BOB)
    for uid in (ROOT_USER, ALICE):
        refused = port.run(uid=uid).must(3)
        assert f"uid {BOB} listens there" in refused.stderr
        assert f"--trust-user {BOB}" in refused.stderr
        assert (f"the agent needs --allow-user {uid} then" in refused.stderr) is (uid == ALICE)
    assert not refusals(agent)
    port.complete("--trust-user", BOB, uid=ALICE)
    port.complete("--trust-user", BOB)
    port.complete(before=("env", f"SUDO_UID={BOB}"))
    port.complete(uid=BOB)


def test_forwarders(port):
    """As of ssh: the user's own one is as good as the agent, a stranger's is not."""
    port.agent("--allow-user", f"{ALICE},{BOB}")
    for listen, uid in ((8851, ALICE), (8852, BOB)):
        forwarder = port.python(FORWARDER, listen, 8841, uid=uid)
        port.lab.listening(forwarder, f":{listen}")
    port.complete(uid=ALICE, mgmt="127.0.0.1:8851")
    assert f"uid {BOB} listens" in port.run(uid=ALICE, mgmt="127.0.0.1:8852").must(3).stderr


# ---- Addresses ----


def test_ipv6(port):
    agent = port.agent(listen="[::1]:8841")
    port.complete(mgmt="[::1]:8841")
    port.run(uid=ALICE, mgmt="[::1]:8841").must(3)
    assert f"refused uid {ALICE} at [::1]:" in agent.text()


def test_ipv4_at_every_address(port):
    agent = port.agent("--insecure", listen=":8841")
    port.complete(mgmt="127.0.0.3:8841")
    port.run(uid=ALICE, mgmt="127.0.0.3:8841").must(3)
    assert f"refused uid {ALICE} at 127.0.0." in agent.text()


def test_a_port_in_use(port):
    port.agent()
    second = port.lab.command(port.where, "agent", "--listen", LISTEN).must(1)
    assert "in use" in second.stderr and "end the program that listens there" in second.stderr
    port.complete()


def test_unix_sockets(port):
    paths = [port.folder / name for name in ("one.sock", "two.sock")]
    agents = [port.agent(listen=f"unix:{path}") for path in paths]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    assert f"--allow-user {ALICE}" in port.run(uid=ALICE, mgmt=f"unix:{paths[0]}").must(3).stderr
    outcome = port.complete(mgmt=[f"unix:{path}" for path in paths])
    assert "by calls alone" not in outcome.stderr  # clocks are compared over loopback
    port.complete(mgmt=["unix:one.sock", f"unix:{paths[1]}"], cwd=port.folder)
    second = port.lab.command(port.where, "agent", "--listen", f"unix:{paths[0]}").must(1)
    assert "in use" in second.stderr
    for agent in agents:
        agent.end()
    assert not any(path.exists() for path in paths)
    absent = port.run(mgmt=f"unix:{paths[0]}").must(3).stderr
    assert "nothing listens there" in absent and "--insecure" not in absent


def test_unix_socket_that_was_left(port):
    path = port.folder / "left.sock"
    agent = port.agent(listen=f"unix:{path}")
    agent.signal(9)
    agent.wait()
    assert path.exists()
    assert "Connection refused" in port.run(mgmt=f"unix:{path}").must(3).stderr
    port.agent("--allow-user", ALICE, listen=f"unix:{path}")
    port.complete(uid=ALICE, mgmt=f"unix:{path}")
    refused = port.run(uid=BOB, mgmt=f"unix:{path}").must(3)
    assert f"--allow-user {BOB}" in refused.stderr
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as stranger:
        stranger.connect(str(path))
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert not stranger.recv(1)


def test_unix_sockets_that_cannot_be(port):
    """Each with its cure."""
    spool, foreign = port.folder / "spool", port.folder / "foreign.sock"
    spool.mkdir()
    os.chown(spool, BOB, BOB)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(foreign))
    for path, cure in (
        (port.folder / "absent/x.sock", "make that directory"),
        (port.folder / "x.sock", "take a path in a directory that this user may write to"),
        ("/root/x.sock", "take a path in a directory that this user may write to"),
        (foreign, r"belongs to uid 0 \(root\) \(have it removed"),
    ):
        words = [*as_user(BOB), port.program, "agent", "--listen", f"unix:{path}", "--spool", spool]
        outcome = port.lab.command(port.where, *words[1:], program=words[0], cwd="/").must(1)
        assert "cannot listen" in outcome.stderr and re.search(cure, outcome.stderr)


def test_seed_form_at_unix_sockets(port):
    """Its agents exit with the run."""
    paths = [port.folder / name for name in ("one.sock", "two.sock")]
    agents = []
    for path in paths:
        agents.append(port.lab.spawn(port.where, "-listen", f"unix:{path}", name="seed"))
        for _ in waiting("the socket", agents[-1]):
            if path.exists():
                break
    hosts = {name: {"mgmt": f"unix:{path}", "host": "127.0.0.1"} for name, path in zip("AB", paths)}
    scenario = port.lab.write({"hosts": hosts, "flows": [FLOW]})
    port.lab.command(port.where, "-master", scenario, "-output", port.lab.output()).must(0)
    assert [agent.wait() for agent in agents] == [0, 0]
    assert not any(path.exists() for path in paths)
