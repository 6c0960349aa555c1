"""Who does not have a run's secret cannot do anything with it, and what strangers may take of an
agent is bounded."""

import gzip
import os
import re
import sys
from pathlib import Path

import pytest
from harness import INSTRUMENTED, PROGRAM, Pair, waiting

STRANGER = Path(__file__).with_name("run_stranger.py")
SECRET = re.compile(rb"\x92\x03\x10(.{16})", re.DOTALL)  # field 50 of a PrepareRequest
GROWTH = 20_000_000  # bytes of memory that come and go


def stranger(pair, way, *more, agent=0):
    words = [STRANGER, way, list(pair.hosts.values())[agent]["mgmt"], *more]
    return pair.lab.command(pair.where, *words, program=sys.executable).must(0)


def start(pair, *flows, flags=()):
    """A master whose flows move payload, and its run's id."""
    output = pair.lab.output(".pb.gz")
    idle = pair.agents[0].interface_bytes("lo")
    words = ["run", pair.lab.write(pair.scenario(*flows)), "-o", output, *flags]
    master = pair.lab.spawn(pair.where, *words, name="master")
    for _ in waiting("payload", master):
        if pair.agents[0].interface_bytes("lo") > idle + 5_000_000:
            break
    (run_id,) = set(re.findall(r"run (\w{32}): started", pair.agents[0].text()))
    return master, output, run_id


def spools(pair):
    return sorted(pair.lab.directory.glob("spool-*/*.spool"))


def memory(agent):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{agent.pid}/status").read_text())[1]) * 1024


def test_a_strangers_calls_meet_no_run(pair):
    slow = {"duration": "3s", "send_rate": "100Mbit/s"}
    master, output, run_id = start(pair, slow, {**slow, "start": "1s"})
    for agent in 0, 1:
        stranger(pair, "meddle", run_id, agent=agent)
    assert " is over" not in pair.agents[0].text() + pair.agents[1].text()
    assert master.wait() == 0, master.text()
    outcome = pair.lab.command(None, "summary", output).must(0)
    assert "2 flows: 2 complete" in outcome.stdout
    assert "compared by calls" not in outcome.stdout + master.text()
    assert spools(pair) == []
    for agent in pair.agents:
        lines = [line for line in agent.text().splitlines() if f"run {run_id}: " in line]
        done = [re.search(r"run \w+: (\w+) by .*127\.0\.0\.1", line)[1] for line in lines
                if "refused" not in line]
        assert done == ["prepared", "read", "started", "forgotten"]
        assert re.search(rf"refused to .*127\.0\.0\.1.*: Stop of run {run_id}: ", agent.text())


def test_what_was_not_prepared_is_not_stopped(pair):
    stranger(pair, "occupy")
    refused = " ".join(pair.run({"duration": "100ms"}).must(3).stderr.split())
    assert "4 runs of uid 0 are under way here, and an agent takes no more of one caller" in refused
    assert "refused to uid 0" in pair.agents[0].text()
    assert "Stop of run" not in pair.agents[0].text() + pair.agents[1].text()


def test_the_log_says_who_and_not_too_much(pair):
    master, _, run_id = start(pair, {"duration": "60s"})
    master.signal(2)
    assert master.wait() == 130
    stranger(pair, "refused", run_id)
    agent = pair.agents[0]
    assert re.search(rf"run {run_id}: stopped by .*127\.0\.0\.1", agent.text())
    assert agent.end() == 0
    told = agent.text().count("refused to ")
    (untold,) = re.findall(r"refused, and not told one by one: (\d+) calls", agent.text())
    assert 1 <= told <= 32 and told + int(untold) == 301
    assert "\x1b" not in agent.text()

    quiet = pair.lab.agent(pair.where, "127.0.0.1:8841", "--quiet")
    stranger(pair, "refused", run_id)
    assert quiet.text() == ""


def test_the_secret_is_where_it_should_be_alone(pair):
    master, output, _ = start(pair, {"duration": "1s"})
    part = Path(f"{output}.part")
    kept = [*spools(pair), part]
    assert len(kept) == 3
    found = set()
    for path in kept:
        assert path.stat().st_mode & 0o777 == 0o600
        found |= set(SECRET.findall(path.read_bytes()))
    (secret,) = found
    told = [Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in (master, *pair.agents)]
    assert master.wait() == 0
    told += [process.text().encode() for process in (master, *pair.agents)]
    told += [gzip.decompress(output.read_bytes())]
    told += [os.fsencode(path) for path in pair.lab.directory.rglob("*")]
    for text in told:
        assert secret not in text and secret.hex().encode() not in text


def test_places_come_back(pair):
    """The fifth run of a caller is refused, until one of his is over or forgotten."""
    stranger(pair, "places")
    pair.run({"duration": "300ms"}).must(0)


def test_what_is_prepared_is_bounded(lab):
    pair = Pair(lab, "--orphan-after", "3s")
    agent, before = pair.agents[0], memory(pair.agents[0])
    stranger(pair, "pieces")
    (spool,) = spools(pair)
    assert 64_000_000 < spool.stat().st_size < 70_000_000
    for _ in waiting("the run's end"):
        if " is over" in agent.text():
            break
    assert INSTRUMENTED or memory(agent) < before + GROWTH  # a sanitizer keeps what was freed
    pair.run({"duration": "300ms"}).must(0)


# ---- disks ----


class Disk:
    """A small file system that only those see who are started under it, and who look from outside
    by way of /proc."""

    def __init__(self, lab, where, size, inside):
        script = 'mount -t tmpfs -o size="$1",nr_inodes=1000 tmpfs "$2" && echo ready && exec sleep 600'
        words = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", size, inside]
        holder = lab.spawn(where, *words, program="unshare", name="disk")
        for _ in waiting("the tmpfs", holder):
            if "ready" in holder.text():
                break
        self.under = ["nsenter", "--target", holder.pid, "--mount", "--"]
        self.outside = Path(f"/proc/{holder.pid}/root/{inside}")

    def free(self):
        disk = os.statvfs(self.outside)
        return disk.f_bavail / disk.f_blocks

    def fill(self, left):
        disk = os.statvfs(self.outside)
        with open(self.outside / "filler", "wb") as file:
            file.write(bytes(int(disk.f_bavail - left * disk.f_blocks) * disk.f_frsize))

    def empty(self):
        (self.outside / "filler").unlink()


@pytest.fixture
def small(lab):
    """A pair whose second agent has 4 MB for spools."""
    pair = Pair(lab)
    (lab.directory / "disk").mkdir()
    pair.disk = Disk(lab, pair.where, "4m", lab.directory / "disk")

    def anew(*flags):
        pair.agents[1].end()
        words = ["agent", "--listen", "127.0.0.1:8842", "--spool", lab.directory / "disk", *flags]
        under = [*pair.disk.under, PROGRAM, *words]
        agent = lab.spawn(pair.where, *under[1:], program=under[0], name="agent-small")
        pair.agents[1] = lab.listening(agent, "127.0.0.1:8842")

    pair.anew = anew
    return pair


def test_a_disk_keeps_its_floor(small):
    small.anew("--spool-max", "4MB")
    master, output, _ = start(small, *[{"duration": "2s"}] * 4, flags=("-i", "1ms"))
    small.disk.fill(0.06)
    least = 1
    for _ in waiting("the run's end"):
        least = min(least, small.disk.free())
        if not master.alive():
            break
    assert master.wait() == 1
    assert 0.05 <= least < 0.06
    small.disk.empty()
    text = re.sub(r"\n  (?=\S)", " ", master.text())
    assert re.search(r"B .agent 127.0.0.1:8842.: \S*/disk: spools leave 210 kB of their disk free", text)
    assert "0 samples were lost" in text and "4 flows: 4 complete" in text

    small.disk.fill(0.045)
    refused = small.run({"duration": "300ms"}).must(3).stderr
    assert re.search(r"disk: spools leave .* \(make room there, or start .* another --spool\)", refused)
    assert "may need" not in refused
    assert "spools leave" in stranger(small, "late", agent=1).stdout
    small.disk.empty()
    assert stranger(small, "late", agent=1).stdout.startswith("OK")
    small.run({"duration": "300ms"}).must(0)


def test_a_disk_keeps_some_files(small):
    small.anew()
    count = os.statvfs(small.disk.outside).f_favail
    for number in range(count):
        (small.disk.outside / str(number)).touch()
        if number > count * 0.96:
            break
    refused = small.run({"duration": "300ms"}).must(3).stderr
    assert re.search(r"disk: spools leave 5 % of the files that its disk can have", refused)
    assert "of the files" in stranger(small, "late", agent=1).stdout


def test_a_quota_of_spools(small):
    """Those of runs that nobody collected count; and others may add to them here."""
    assert "others may write" not in small.agents[1].text()
    small.disk.outside.chmod(0o1777)
    small.anew("--spool-max", "1.5MB")
    assert "others may write in " in small.agents[1].text()
    orphan = small.disk.outside / f"tcp-flowgen-{'0' * 32}-1.spool"
    orphan.write_bytes(bytes(1_500_000))
    refused = small.run({"duration": "300ms"}).must(3).stderr
    assert re.search(r"disk: spools may have 1.50 MB there \(--spool-max\), and have 1.50 MB", refused)
    assert "--spool-max" in stranger(small, "late", agent=1).stdout
    orphan.unlink()
    needy = small.run({"duration": "1h"}).must(3).stderr
    assert re.search(r"may need 2.88 MB, and there are 1.12 MB: \S+/disk: spools may have 1.50 MB there .--spool-max.", needy)
    assert "of the rest 375 kB are kept for other callers than uid 0" in " ".join(needy.split())
    small.run({"duration": "300ms"}).must(0)


# ---- the directory ----


def local_run(lab, *shell):
    """A run with agents of its own, and what they left of the root's directory."""
    where = lab.namespace("own")
    hosts = {"A": {"mgmt": "a:1", "host": "127.0.0.1"}}
    flow = {"id": 0, "src": "A", "dst": "A", "duration": "200ms"}
    scenario = lab.write({"hosts": hosts, "flows": [flow]})
    script = "; ".join([
        "mount -t tmpfs tmpfs /var/lib || exit 99", *shell,
        '"$@"; code=$?', "stat -c 'mode %a of %u, links %h' /var/lib/tcp-flowgen", "exit $code",
    ])
    words = ["--mount", "env", "-u", "STATE_DIRECTORY", "sh", "-c", script, "sh", PROGRAM]
    words += ["run", "--local", "-o", lab.output(), scenario]
    return lab.command(where, *words, program="unshare")


def test_roots_own_directory(lab):
    assert "mode 700 of 0, links 2\n" in local_run(lab).must(0).stdout


@pytest.mark.parametrize("trap, said", [
    ("mkdir /var/lib/mine; ln -s mine /var/lib/tcp-flowgen", "is no directory"),
    ("mkdir /var/lib/tcp-flowgen; chown 65534 /var/lib/tcp-flowgen", "belongs to uid 65534"),
    ("mkdir -m 777 /var/lib/tcp-flowgen", r"is open to others \(mode 0777\)"),
])
def test_another_was_there_first(lab, trap, said):
    outcome = local_run(lab, trap).must(1)
    assert re.search(rf"/var/lib/tcp-flowgen: this.* {said} .*--spool", outcome.stderr)
