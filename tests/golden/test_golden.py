#!/usr/bin/python3
"""What a user reads, frozen byte for byte.

Each transcript, tests/golden/*.txt, has commands (`$`) and what came of them: standard output (`|`), standard
error (`!`), and the exit status (`?`) where it is not 0.  They run in a copy of tests/golden/in, and need neither
agents nor privileges.

After a change that is meant, and for a command that was added (its `$` line is enough):

    tests/golden/test_golden.py [TRANSCRIPT...]     writes what is printed now; read the diff before you commit it
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = Path(os.environ.get("TCP_FLOWGEN", ROOT / "tcp-flowgen")).resolve()
TRANSCRIPTS = sorted(HERE.glob("*.txt"))
PATIENCE = 20  # s


def furnish(directory):
    """What commands find in the directory where they run: inputs, docs/, and programs in bin/."""
    shutil.copytree(HERE / "in", directory, dirs_exist_ok=True)
    (directory / "tmp").mkdir()
    (directory / "bin").mkdir()
    (directory / "bin" / "tcp-flowgen").symlink_to(PROGRAM)
    (directory / "bin" / "dump").symlink_to(HERE / "dump.py")
    for name in ("docs", "examples", "proto"):
        (directory / name).symlink_to(ROOT / name)


def marked(mark, output):
    """The lines behind their mark; no two outputs look alike."""
    *lines, rest = output.split(b"\n")
    for line in lines:
        yield mark + b" " + line if line else mark
    if rest:
        yield mark + b" " + rest
        yield b"\\ no newline at the end"


def answer(command, directory):
    """The lines that belong behind a command."""
    path = f"{directory}/bin:/usr/bin:/bin"
    fixed = {"TZ": "UTC", "LC_ALL": "C", "COLUMNS": "100", "HOME": ".", "TMPDIR": "tmp", "PATH": path}
    shell = subprocess.Popen(
        ["sh", "-c", command],
        cwd=directory,
        env=fixed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, complained = shell.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:  # it became an agent, perhaps
        os.killpg(shell.pid, signal.SIGKILL)
        raise
    yield from marked(b"|", said)
    yield from marked(b"!", complained)
    if shell.returncode:
        yield b"? %d" % shell.returncode


def played(transcript):
    """The transcript as it would be now."""
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        furnish(Path(directory))
        for line in transcript.read_bytes().splitlines():
            if re.match(rb"$|[#$] ", line):
                lines.append(line)
            if line.startswith(b"$ "):
                lines += answer(line[2:], directory)
    return b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_printed_as_before(transcript):
    expected, got = transcript.read_bytes(), played(transcript)
    if got != expected:
        diff = subprocess.run(["diff", "-u", transcript, "-"], input=got, stdout=subprocess.PIPE, check=False)
        cure = f"if that is meant: {Path(__file__).relative_to(ROOT)}"
        pytest.fail(f"{cure}\n{diff.stdout.decode(errors='replace')}", pytrace=False)


if __name__ == "__main__":
    for name in sys.argv[1:] or TRANSCRIPTS:
        Path(name).write_bytes(played(Path(name)))
