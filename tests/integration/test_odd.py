"""Surroundings that are not the usual: a run works wherever it needs no privilege, and what cannot be
done is said clearly."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest
from harness import COMPLETE, PROGRAM, read_results

HOSTS = {name: {"mgmt": f"{name}:1", "host": "127.0.0.1"} for name in ("A", "B")}
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


def run(lab, where, *wrapper, folder=None, **flow):
    """A short run with agents of its own, by a command that executes another."""
    flow = {"id": 0, "src": "A", "dst": "B", "duration": "300ms", **flow}
    scenario = lab.write({"hosts": HOSTS, "flows": [flow]})
    program, output = PROGRAM, lab.output()
    if folder:
        scenario = shutil.copy(scenario, folder)
        program, output = f"{folder}/{PROGRAM.name}", f"{folder}/{output.name}"
    words = [*wrapper, program, "run", "--local", "-o", output, scenario]
    outcome = lab.command(where, *words[1:], program=words[0])
    outcome.output = output
    return outcome


def read_only(folder):
    return ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", folder]


def complete(outcome):
    flows = read_results(outcome.must(0).output)
    assert [flow.result.status for flow in flows] == [COMPLETE]
    assert flows[0].TxTCPInfo and flows[0].RxTCPInfo


def test_without_ipv6(lab):
    where = lab.namespace("four")
    where.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    where.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    complete(run(lab, where))
    lab.agent(where, "localhost:8841")
    lab.agent(where, ":8842", "--insecure")


@pytest.mark.parametrize("locale", ["C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "no_SUCH"])
def test_locales(lab, locale):
    installed = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    if locale != "no_SUCH" and locale.replace("UTF-8", "utf8") not in installed:
        pytest.skip(f"{locale} is not installed")
    setting = f"LC_ALL={locale}"
    outcome = run(lab, lab.namespace("words"), "env", setting, duration="0.5s")
    complete(outcome)
    words = [setting, PROGRAM, "summary", "--json", outcome.output]
    summary = json.loads(lab.command(None, *words, program="env").must(0).stdout)
    assert summary["flows"][0]["goodput_bps"] > 1e6


def test_no_folders_of_ones_own(lab):
    complete(run(lab, lab.namespace("bare"), "env", "-i", "HOME=/proc/1"))


def test_read_only_proc_sys(lab):
    where = lab.namespace("proc")
    complete(run(lab, where, *read_only("/proc/sys")))
    # No route helps on the way to an address of this machine: the sysctl would have to be written.
    outcome = run(lab, where, *read_only("/proc/sys"), ecn=True).must(3)
    assert "writable /proc/sys" in outcome.stderr and "tcp_ecn" in outcome.stderr


def test_read_only_spool(lab):
    folder = lab.directory / "full"
    folder.mkdir()
    wrapper = ["env", f"TMPDIR={folder}", *read_only(folder)]
    outcome = run(lab, lab.namespace("disk"), *wrapper).must(1)
    assert str(folder) in outcome.stderr and "Read-only" in outcome.stderr


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
    assert "tcp_ecn" in outcome.stderr


@pytest.mark.parametrize("limit", [10, 64])
def test_few_descriptors(lab, limit):
    outcome = run(lab, lab.namespace("few"), "prlimit", f"--nofile={limit}:{limit}")
    assert outcome.code in (1, 3)
    assert "descriptors" in outcome.stderr and "ulimit -n" in outcome.stderr
