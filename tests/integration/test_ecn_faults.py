"""ECN leaves no trace: not if an agent is killed while the sysctl stands at another value, nor with
marked routes, nor where both the agent and its guardian are killed, once an agent starts again.

Here a process is killed in connect(): exactly between the two writes of the sysctl.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import filtered
import pytest
from harness import COMPLETE, PROGRAM, cable, ends, run, waiting

SYSCTL = "net.ipv4.tcp_ecn"
NOBODY = 65534
SOON = 10  # s; for a guardian on a busy machine
FOLDERS = ("/run", "/run/lock", "/tmp")  # of the journals


# ---- What can be seen from outside ----


def is_there(pid):
    """Whether a process runs, and is not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def guardians(agent):
    """Pids of an agent's guardians, whichever of its threads started them."""
    found = []
    for task in Path(f"/proc/{agent.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            for pid in (task / "children").read_text().split():
                if b"ecn-guardian" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
    return found


def guardian_of(agent):
    for _ in waiting("a guardian", agent):
        if pids := guardians(agent):
            assert len(pids) == 1
            return pids[0]


def journals(where):
    inode = os.stat(f"/run/netns/{where.name}").st_ino
    return [path for folder in FOLDERS for path in Path(folder).glob(f"tcp-flowgen-ecn-{inode}-*")]


def rules(where):
    """Our rules and routes, told by the protocol number."""
    lines = []
    for family in ("-4", "-6"):
        ip = ["ip", "-n", where.name, family]
        lines += run(*ip, "rule", "list").splitlines()
        lines += run(*ip, "route", "show", "table", "all").splitlines()
    return [line for line in lines if "proto 236" in line]


def wait_until_clean(where, pid=None, patience=SOON):
    begun = time.monotonic()
    while rules(where) or journals(where) or (pid and is_there(pid)):
        assert time.monotonic() - begun < patience, (rules(where), journals(where), pid)
        time.sleep(0.02)


# ---- Hosts ----


class Hosts:
    """Agents A and B, and flows from A to B.  A runs behind the words given: a wrapper."""

    def __init__(self, lab, a, b, address_a, address_b, wrapper=()):
        self.lab, self.a, self.b, self.wrapper = lab, a, b, wrapper
        self.hosts = {
            "A": {"mgmt": f"{address_a}:8841", "host": address_a},
            "B": {"mgmt": f"{address_b}:8842", "host": address_b},
        }
        a.sysctl(SYSCTL, "2")
        self.agent = self.start_agent(wrapper)
        lab.agent(b, f"{address_b}:8842", "--insecure")

    def start_agent(self, wrapper=(), spool=None):
        listen = self.hosts["A"]["mgmt"]
        words = [PROGRAM, "agent", "--listen", listen, "--insecure"]
        program, *rest = [*wrapper, *words, "--spool", spool or self.lab.directory]
        agent = self.lab.spawn(self.a, *rest, name="A", program=program)
        return self.lab.listening(agent, listen)

    def scenario(self, *flows):
        common = {"src": "A", "dst": "B", "duration": "500ms", "ccalg": "reno"}
        numbered = [{"id": i, **common, **flow} for i, flow in enumerate(flows)]
        return {"hosts": self.hosts, "flows": numbered}

    def run(self, *flows):
        return self.lab.run(self.a, self.scenario(*flows), "--trust-user", NOBODY)

    def begin(self, *flows):
        """A run that this does not wait for."""
        scenario = self.lab.write(self.scenario(*flows))
        return self.lab.spawn(self.a, "run", scenario, "-o", self.lab.output(), name="run")


def one_machine(lab, wrapper=()):
    where = lab.namespace("one")
    return Hosts(lab, where, where, "127.0.0.1", "127.0.0.2", wrapper)


def two_machines(lab, wrapper=()):
    a, b = lab.namespace("a"), lab.namespace("b")
    cable(a, "ab", "10.7.0.1/24", b, "ba", "10.7.0.2/24")
    return Hosts(lab, a, b, "10.7.0.1", "10.7.0.2", wrapper)


def asks_late():
    """Connects a second after all is prepared."""
    return {"ecn": True, "connect": "at_start", "start": "1s"}


def check_ecn(outcome, *wanted):
    for flow in outcome.must(0).flows:
        assert flow.result.status == COMPLETE
        for report, _, _ in ends(flow):
            assert report.ecn is wanted[flow.params.id]


# ---- The sysctl ----

needs_seccomp = pytest.mark.skipif(not filtered.KNOWN, reason="this machine's system calls are not known")
KILLED_IN_CONNECT = (sys.executable, filtered.__file__, "killed-in-connect")


@needs_seccomp
def test_guardian_sets_the_sysctl_back(lab):
    hosts = one_machine(lab, KILLED_IN_CONNECT)
    hosts.begin(asks_late())
    pid = guardian_of(hosts.agent)
    assert hosts.agent.wait() == -signal.SIGSYS
    wait_until_clean(hosts.a, pid)
    assert hosts.a.sysctl(SYSCTL) == "2"


@needs_seccomp
def test_next_agent_sets_the_sysctl_back(lab):
    hosts = one_machine(lab, KILLED_IN_CONNECT)
    hosts.begin(asks_late())
    pid = guardian_of(hosts.agent)
    os.kill(pid, signal.SIGKILL)
    assert hosts.agent.wait() == -signal.SIGSYS
    assert hosts.a.sysctl(SYSCTL) == "1"
    assert journals(hosts.a)

    again = hosts.start_agent()
    assert "net.ipv4.tcp_ecn stood at 1, set back to 2" in again.text()
    assert hosts.a.sysctl(SYSCTL) == "2"
    assert not journals(hosts.a)
    check_ecn(hosts.run({"ecn": True}, {}), True, False)


@needs_seccomp
def test_what_a_person_has_set_since_stays(lab):
    hosts = one_machine(lab, KILLED_IN_CONNECT)
    hosts.begin(asks_late())
    os.kill(guardian_of(hosts.agent), signal.SIGKILL)
    hosts.agent.wait()
    hosts.a.sysctl(SYSCTL, "0")
    again = hosts.start_agent()
    assert "tcp_ecn" not in again.text()
    assert hosts.a.sysctl(SYSCTL) == "0"
    assert not journals(hosts.a)


# ---- Marked routes ----


def test_guardian_removes_routes(lab):
    hosts = two_machines(lab)
    hosts.begin(asks_late())
    pid = guardian_of(hosts.agent)
    for _ in waiting("a marked route", hosts.agent):
        if any("features ecn" in line for line in rules(hosts.a)):
            break
    hosts.agent.signal(signal.SIGKILL)
    hosts.agent.wait()
    wait_until_clean(hosts.a, pid)


def test_next_agent_removes_routes(lab):
    hosts = two_machines(lab)
    hosts.begin(asks_late())
    os.kill(guardian_of(hosts.agent), signal.SIGKILL)
    for _ in waiting("a marked route", hosts.agent):
        if any("features ecn" in line for line in rules(hosts.a)):
            break
    hosts.agent.signal(signal.SIGKILL)
    hosts.agent.wait()
    assert rules(hosts.a)
    again = hosts.start_agent()
    assert "removed rules and routes for ECN" in again.text()
    assert not rules(hosts.a)


def test_without_a_writable_sysctl(lab):
    mounts = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys"
    read_only = [shutil.which("unshare"), "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    hosts = two_machines(lab, read_only)
    check_ecn(hosts.run({"ecn": False}, {"ecn": True}, {"ecn": False}), False, True, False)
    assert hosts.a.sysctl(SYSCTL) == "2"
    wait_until_clean(hosts.a)

    # To a machine itself no route leads that could be marked.
    hosts.hosts["B"] = {**hosts.hosts["A"]}
    refused = hosts.run({"ecn": True}).must(3)
    assert "tcp_ecn" in refused.stderr and "/proc/sys" in refused.stderr


# ---- Good order ----


@pytest.mark.parametrize("machines", [one_machine, two_machines])
def test_a_run_leaves_nothing(lab, machines):
    hosts = machines(lab)
    running = hosts.begin({"ecn": True, "duration": "2s"}, {})
    pid = guardian_of(hosts.agent)
    assert running.wait() == 0
    wait_until_clean(hosts.a, pid)
    assert hosts.a.sysctl(SYSCTL) == "2"
    assert not guardians(hosts.agent)


@pytest.mark.parametrize("machines", [one_machine, two_machines])
def test_an_agent_that_is_ended_leaves_nothing(lab, machines):
    hosts = machines(lab)
    hosts.begin({"ecn": True, "duration": "30s"})
    pid = guardian_of(hosts.agent)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(pid, number)
    hosts.agent.signal(signal.SIGTERM)
    assert hosts.agent.wait() == 0
    wait_until_clean(hosts.a, pid)
    assert "cleaned up" not in hosts.start_agent().text()


def test_no_need_no_guardian(lab):
    hosts = one_machine(lab)
    running = hosts.begin({"duration": "1s"})
    while running.alive():
        assert not guardians(hosts.agent)
        time.sleep(0.05)
    assert running.wait() == 0


def test_ordinary_user_is_refused(lab):
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("setpriv is not installed")
    hosts = one_machine(lab)
    hosts.agent.end()
    # Not in the test's own directory, which is closed to others.
    with tempfile.TemporaryDirectory() as spool:
        os.chown(spool, NOBODY, NOBODY)
        user = [setpriv, "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        hosts.start_agent(user, spool)
        refused = hosts.run({"ecn": True}).must(3)
        assert "tcp_ecn" in refused.stderr and "CAP_NET_ADMIN" in refused.stderr
        check_ecn(hosts.run({"ecn": False}), False)
        hosts.a.sysctl(SYSCTL, "1")
        check_ecn(hosts.run({"ecn": True}), True)
