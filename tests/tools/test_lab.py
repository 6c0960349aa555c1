"""scripts/lab builds the program first, and speaks of it only if there is something to say."""

import os
import re
import shutil
import subprocess
from pathlib import Path

LAB = Path(__file__).resolve().parents[2] / "scripts" / "lab"


def lab(root, make, **environment):
    """Runs it in a tree that has nothing else but a Makefile, and a box that says hello."""
    for folder in ("scripts", "tests/lab"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(LAB, root / "scripts" / "lab")
    (root / "scripts" / "install-deps").write_text('#!/bin/sh\necho "$@" >packages\n')
    (root / "scripts" / "install-deps").chmod(0o755)
    (root / "tests" / "lab" / "box.py").write_text("print('hello')")
    (root / "Makefile").write_text(f"all:\n\t@{make}\n")
    environment = {k: v for k, v in os.environ.items() if k != "TCP_FLOWGEN"} | environment
    return subprocess.run(
        [root / "scripts" / "lab"],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_build_is_silent(tmp_path):
    done = lab(tmp_path, "echo 'ninja: no work to do.'; touch tcp-flowgen")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr == "lab: builds tcp-flowgen, this once\n"
    assert lab(tmp_path, "echo 'ninja: no work to do.'").stderr == ""
    assert (tmp_path / "packages").read_text() == "lab\n"


def test_what_the_lab_takes_is_not_what_the_tests_take():
    """No compilers and checkers beyond those of the build."""
    text = (LAB.parent / "install-deps").read_text()
    lab, check = (re.search(rf"^{name}=\(([^)]*)\)", text, re.M)[1].split() for name in ("lab", "check"))
    assert "busybox" in lab and "clang-tidy" in check
    assert not {"clang", "clang-tidy", "clang-format", "valgrind", "python3-matplotlib"} & set(lab)


def test_a_build_that_fails_is_not(tmp_path):
    done = lab(tmp_path, "echo 'error: no such header'; false")
    assert done.returncode == 1 and "no such header" in done.stderr
    assert "hello" not in done.stdout


def test_a_program_that_is_named_is_not_built(tmp_path):
    done = lab(tmp_path, "false", TCP_FLOWGEN="/bin/true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
