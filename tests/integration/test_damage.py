"""Result files that were changed, and what is no result at all: `summary` says so, and needs no memory for it."""

import gzip
import os
import resource
import subprocess

import pytest
from harness import INSTRUMENTED, PROGRAM

MIB = 1 << 20


def summary(path, memory=None):
    """Exit status and what was said; no more memory than that many bytes."""
    limit = None
    if memory and not INSTRUMENTED:  # sanitizers reserve terabytes
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))  # noqa: E731
    outcome = subprocess.run(
        [PROGRAM, "summary", path], capture_output=True, text=True, timeout=60, preexec_fn=limit
    )
    return outcome.returncode, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("zipped", [False, True])
def test_zeros(tmp_path, zipped):
    path = tmp_path / "zeros"
    path.write_bytes(gzip.compress(bytes(40_000_000)) if zipped else bytes(300_000))
    code, said = summary(path, memory=256 * MIB)
    assert code != 0 and "record 1, byte 0: an empty record" in said


def test_noise(tmp_path):
    path = tmp_path / "noise"
    for _ in range(20):
        path.write_bytes(os.urandom(2000))
        code, _ = summary(path, memory=256 * MIB)
        assert code in (1, 2)


def test_a_changed_bit(pair, tmp_path):
    """Anywhere in a result of several flows."""
    outcome = pair.run({}, {"start": "100ms"}, flags=["-i", "100ms"]).must(0)
    data = gzip.decompress(outcome.output.read_bytes())
    path = tmp_path / "results.pb"
    path.write_bytes(data)
    assert summary(path)[0] == 0
    for at in range(0, len(data), len(data) // 100):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        code, said = summary(path)
        assert code in (1, 2) and "record" in said, (at, said)


def test_a_changed_bit_of_a_gzipped_file(pair, tmp_path):
    """What stands before it is told: of all flows, where it is in gzip's own checksum."""
    outcome = pair.run({}, {"start": "100ms"}, flags=["-i", "20ms"]).must(0)
    data = gzip.compress(gzip.decompress(outcome.output.read_bytes()))
    path = tmp_path / "results.pb.gz"
    for at in len(data) - 3, 15:
        changed = bytearray(data)
        changed[at] ^= 1
        path.write_bytes(changed)
        code, said = summary(path)
        assert "copy the file again" in said
        if at > 15:
            assert code == 1 and "2 flows: 2 complete" in said and "record 3, byte" in said
        else:
            assert code == 2 and "recover" not in said and "record 1, byte" in said
