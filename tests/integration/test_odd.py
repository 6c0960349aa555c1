"""Surroundings that are not the usual: a run works wherever it needs no privilege, and what cannot be
done is said clearly."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import filtered
import harness
import pytest
from harness import COMPLETE, PROGRAM, read_results

HOSTS = {name: {"mgmt": f"{name}:1", "host": "127.0.0.1"} for name in ("A", "B")}
FLOW = {"id": 0, "src": "A", "dst": "B", "duration": "300ms"}
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
CAPABILITY_LESS = ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]


@pytest.fixture
def place():
    """A folder that any user may write to, with a program that any user may execute."""
    folder = tempfile.mkdtemp(prefix="tcp-flowgen-odd-")
    os.chmod(folder, 0o777)
    shutil.copy(PROGRAM, folder)
    yield folder
    shutil.rmtree(folder)


def run(lab, where, *wrapper, folder=None, flags=(), output=None, **flow):
    """A short run with agents of its own, by a command that executes another."""
    scenario = lab.write({"hosts": HOSTS, "flows": [{**FLOW, **flow}]})
    program, output = PROGRAM, output or lab.output()
    if folder:
        scenario = shutil.copy(scenario, folder)
        program, output = f"{folder}/{PROGRAM.name}", f"{folder}/{output.name}"
        wrapper = ["env", f"STATE_DIRECTORY={folder}", *wrapper]
    words = [*wrapper, program, "run", "--local", "-o", output, *flags, scenario]
    outcome = lab.command(where, *words[1:], program=words[0])
    outcome.output = output
    return outcome


def read_only(folder):
    return ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", folder]


def tiny_disk(folder, size):
    """Seen only by the command, and copied to the folder's `left` before it vanishes."""
    script = (
        'folder=$1; mkdir -p "$folder/disk" && mount -t tmpfs -o size="$2" tmpfs "$folder/disk" || exit 99\n'
        'shift 2; "$@"; code=$?; cp -r "$folder/disk" "$folder/left"; exit $code'
    )
    return ["unshare", "--mount", "sh", "-c", script, "sh", folder, size]


def complete(outcome):
    flows = read_results(outcome.must(0).output)
    assert [flow.result.status for flow in flows] == [COMPLETE]
    assert flows[0].TxTCPInfo and flows[0].RxTCPInfo


# ---- IPv6 ----


def test_ipv6_switched_off(lab):
    where = lab.namespace("four")
    where.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    where.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    complete(run(lab, where))
    lab.agent(where, "localhost:8841")
    lab.agent(where, ":8842", "--insecure")
    outcome = lab.command(where, "agent", "--listen", "[::1]:8843").must(1)
    assert "[::1]:8843" in outcome.stderr and "an address of this machine" in outcome.stderr


@pytest.mark.skipif(not filtered.KNOWN, reason="this machine's system calls are not known")
def test_kernel_without_ipv6(lab):
    where = lab.namespace("four")
    under = [sys.executable, filtered.__file__, "without-ipv6"]
    complete(run(lab, where, *under))
    lab.agent(where, "localhost:8841", before=under)
    lab.agent(where, ":8842", "--insecure", before=under)
    words = [*under, PROGRAM, "agent", "--listen", "[::1]:8843"]
    outcome = lab.command(where, *words[1:], program=words[0]).must(1)
    assert "[::1]:8843" in outcome.stderr and "not supported" in outcome.stderr


# ---- Locales ----

LOCALES = {"C.UTF-8": ".", "de_DE.UTF-8": ",", "tr_TR.UTF-8": ",", "no_SUCH": "."}


@pytest.fixture(scope="module")
def locales(tmp_path_factory):
    """A folder of those that have a comma, as few machines do."""
    folder = tmp_path_factory.mktemp("locales")
    for name in (name for name, point in LOCALES.items() if point == ","):
        harness.run("localedef", "-i", name.split(".")[0], "-f", "UTF-8", folder / name)
    return folder


@pytest.mark.parametrize("locale", LOCALES)
def test_locales(lab, locales, locale):
    under = ["env", f"LOCPATH={locales}", f"LC_ALL={locale}"]
    if locale == "C.UTF-8":
        del under[1]  # libc's own
    assert harness.run(*under, "locale", "decimal_point").strip() == LOCALES[locale]
    outcome = run(lab, lab.namespace("words"), *under, duration="0.5s", start="0.1s")
    complete(outcome)
    assert re.search(r"\d\.\d+ [MG]bit/s", outcome.stdout)
    words = [*under, PROGRAM, "summary", outcome.output, "--json"]
    summary = json.loads(lab.command(None, *words[1:], program="env").must(0).stdout)
    assert summary["flows"][0]["goodput_bps"] > 1e6
    (flow,) = read_results(outcome.output)
    assert flow.result.duration_ns == 500_000_000 and flow.result.start_ns == 100_000_000


# ---- Places ----


def test_no_folders_of_ones_own(lab):
    kept = [f"{name}={text}" for name, text in os.environ.items() if name.endswith("SAN_OPTIONS")]
    complete(run(lab, lab.namespace("bare"), "env", "-i", *kept, "HOME=/proc/1"))


def test_read_only_home(lab):
    """As the folder where one is, too."""
    home, where = lab.directory / "home", lab.namespace("home")
    home.mkdir()
    scenario = shutil.copy(lab.write({"hosts": HOSTS, "flows": [FLOW]}), home / "scenario.json")
    under = [*read_only(home), "env", "-C", home, f"HOME={home}", PROGRAM, "run", "--local"]
    output = lab.output()
    outcome = lab.command(where, *under[1:], "scenario.json", "-o", output, program=under[0])
    outcome.output = output
    complete(outcome)
    lab.command(where, *under[1:], "scenario.json", program=under[0]).must(0)  # keeps no results
    words = [*under[1:], "scenario.json", "-o", "results.pb"]
    outcome = lab.command(where, *words, program=under[0]).must(2)
    assert "Read-only" in outcome.stderr and "name an output" in outcome.stderr
    assert list(home.iterdir()) == [scenario]


def test_read_only_proc_sys(lab):
    where = lab.namespace("proc")
    complete(run(lab, where, *read_only("/proc/sys")))
    # No route helps on the way to an address of this machine: the sysctl would have to be written.
    outcome = run(lab, where, *read_only("/proc/sys"), ecn=True).must(3)
    assert "writable /proc/sys" in outcome.stderr and "tcp_ecn" in outcome.stderr


def test_read_only_spool(lab):
    folder = lab.directory / "full"
    folder.mkdir()
    wrapper = ["env", f"STATE_DIRECTORY={folder}", *read_only(folder)]
    outcome = run(lab, lab.namespace("disk"), *wrapper).must(1)
    assert str(folder) in outcome.stderr and "Read-only" in outcome.stderr


@pytest.mark.skipif(harness.INSTRUMENTED, reason="a sanitizer keeps files of its own there")
def test_tiny_disk_for_the_spool(lab):
    """A run that does not fit is not begun, and one that fits is whole."""
    folder, where = lab.directory, lab.namespace("disk")
    wrapper = [*tiny_disk(folder, "256k"), "env", f"STATE_DIRECTORY={folder}/disk"]
    outcome = run(lab, where, *wrapper, flags=("-i", "1ms"), duration="10s").must(3)
    needed = r"[AB] \(agent [AB]:1\), [AB] \(agent [AB]:1\): its spool may need \S+ MB, and there are \S+ kB: \S+/disk: spools may have \S+ kB there .half of the disk.*--spool-max"
    assert re.search(needed, outcome.stderr)
    shutil.rmtree(folder / "left")
    complete(run(lab, where, *wrapper, flags=("-i", "10ms")))
    assert list((folder / "left").iterdir()) == []


def test_tiny_disk_for_the_results(lab):
    """What was collected stays, and is said where."""
    folder = lab.directory
    wrapper = tiny_disk(folder, "64k")
    # The scenario's text is in the results, and, being so long, not in what is collected.
    outcome = run(
        lab,
        lab.namespace("disk"),
        *wrapper,
        output=folder / "disk/results.pb",
        comment="x" * 600_000,
    ).must(1)
    assert re.search(r"results\.pb\S*: cannot write the results: No space.*\(make room", outcome.stderr)
    assert f"stays in {folder}/disk/results.pb.part" in outcome.stderr
    assert [file.name for file in (folder / "left").iterdir()] == ["results.pb.part"]


# ---- Privilege ----


@pytest.mark.parametrize("flags", [CAPABILITY_LESS, NOBODY], ids=["no-net-admin", "nobody"])
def test_without_privilege(lab, place, flags):
    where = lab.namespace("user")
    where.sysctl("net.ipv4.tcp_congestion_control", "reno")
    complete(run(lab, where, "setpriv", *flags, folder=place))


@pytest.mark.parametrize("flags", [CAPABILITY_LESS, NOBODY], ids=["no-net-admin", "nobody"])
def test_what_needs_privilege(lab, place, flags):
    where = lab.namespace("user")
    allowed = where.sysctl("net.ipv4.tcp_allowed_congestion_control").split()
    available = where.sysctl("net.ipv4.tcp_available_congestion_control").split()
    for ccalg in (name for name in available if name not in allowed):
        outcome = run(lab, where, "setpriv", *flags, folder=place, ccalg=ccalg).must(3)
        assert "CAP_NET_ADMIN" in outcome.stderr and ccalg in outcome.stderr
    where.sysctl("net.ipv4.tcp_ecn", 0)
    outcome = run(lab, where, "setpriv", *flags, folder=place, ecn=True).must(3)
    assert "sysctl -w net.ipv4.tcp_ecn=2" in outcome.stderr  # which needs root
    where.sysctl("net.ipv4.tcp_ecn", 2)
    outcome = run(lab, where, "setpriv", *flags, folder=place, ecn=True)
    if flags is NOBODY:
        assert "tcp_ecn" in outcome.must(3).stderr and "CAP_NET_ADMIN" in outcome.stderr
    else:
        complete(outcome)  # the kernel lets root write the sysctl without it


def test_ecn_to_another_machine_without_privilege(lab):
    """Routes need the capability; the sysctl does instead."""
    a, b = lab.namespace("a"), lab.namespace("b")
    harness.cable(a, "t0", "10.92.0.1/24", b, "t1", "10.92.0.2/24")
    hosts = {}
    for where, name, address in ((a, "A", "10.92.0.1"), (b, "B", "10.92.0.2")):
        hosts[name] = {"mgmt": f"{address}:8841", "host": address}
        before = ["setpriv", *CAPABILITY_LESS]
        lab.agent(where, hosts[name]["mgmt"], "--insecure", before=before)
    (flow,) = lab.run(a, {"hosts": hosts, "flows": [{**FLOW, "ecn": True}]}).must(0).flows
    assert flow.result.status == COMPLETE and flow.result.src.ecn
    assert a.sysctl("net.ipv4.tcp_ecn") == b.sysctl("net.ipv4.tcp_ecn") == "2"


def test_ports_that_need_privilege(lab, place):
    """Of the management, and of the flows."""
    where = lab.namespace("user")
    program, spool = f"{place}/{PROGRAM.name}", ("--spool", place)
    words = [*NOBODY, program, "agent", *spool, "--listen"]
    outcome = lab.command(where, *words, "127.0.0.1:84", program="setpriv").must(1)
    assert "127.0.0.1:84" in outcome.stderr and "CAP_NET_BIND_SERVICE" in outcome.stderr

    words = ["setpriv", *words, "127.0.0.1:8841", "--data-ports", "100-200"]
    agent = lab.spawn(where, *words[1:], program=words[0], name="agent")
    lab.listening(agent, "127.0.0.1:8841")
    hosts = {name: {"mgmt": "127.0.0.1:8841", "host": "127.0.0.1"} for name in HOSTS}
    scenario = {"hosts": hosts, "flows": [FLOW]}
    outcome = lab.run(where, scenario, "--trust-user", "65534").must(3)
    assert "port 100" in outcome.stderr and "CAP_NET_BIND_SERVICE" in outcome.stderr


def test_commands_without_privilege(lab, place):
    """All that look, ask or read."""
    where = lab.namespace("user")
    program = f"{place}/{PROGRAM.name}"
    under = ["env", "-C", place, "setpriv", *NOBODY, program]

    def command(*words):
        return lab.command(where, *under[1:], *words, program=under[0]).must(0)

    output = run(lab, where, "setpriv", *NOBODY, folder=place).must(0).output
    scenario = f"{place}/scenario.json"
    hosts = {}
    for name, port in (("A", 8841), ("B", 8842)):
        words = [*under, "agent", "--listen", f"127.0.0.1:{port}", "--spool", place]
        agent = lab.spawn(where, *words[1:], program=words[0], name=f"agent-{name}")
        lab.listening(agent, f":{port}")
        hosts[name] = {"mgmt": f"127.0.0.1:{port}", "host": "127.0.0.1"}
    shutil.copy(lab.write({"hosts": hosts, "flows": [FLOW]}), scenario)
    for words in (("--help",), ("--version",), ("schema",), ("plan", scenario), ("check", scenario)):
        assert command(*words).stdout or words[0] == "check"
    assert json.loads(command("summary", output, "--json").stdout)["flows"]
    command("run", scenario)
    command("run", scenario, "-o", f"{place}/again.pb", "--repeat", "2", "--json")
    assert [flow.result.status for flow in read_results(f"{place}/again.pb")] == [COMPLETE] * 2


# ---- Descriptors ----


@pytest.mark.parametrize("limit", [10, 64])
def test_few_descriptors(lab, limit):
    outcome = run(lab, lab.namespace("few"), "prlimit", f"--nofile={limit}:{limit}")
    assert outcome.code in (1, 3)
    assert "descriptors" in outcome.stderr and "ulimit -" in outcome.stderr


def test_as_many_descriptors_as_are_named(lab):
    where = lab.namespace("few")
    outcome = run(lab, where, "prlimit", "--nofile=64:64").must(3)
    (limit,) = set(re.findall(r"ulimit -n (\d+)", outcome.stderr))
    complete(run(lab, where, "prlimit", f"--nofile={limit}:{limit}"))
