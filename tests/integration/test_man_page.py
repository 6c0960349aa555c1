"""The manual page and the help of every command name the same options."""

import re
import shutil
import subprocess

import pytest
from harness import PROGRAM, ROOT

PAGE = (ROOT / "docs" / "tcp-flowgen.1").read_text()
COMMANDS = "agent run plan check summary recover schema help".split()
SEED = "Without a command word"


def section(title):
    """The text of a subsection."""
    return re.search(rf"^\.Ss {title}\n(.*?)(?=^\.S[sh] )", PAGE, re.M | re.S)[1]


def synopsis(command):
    """The lines of one command's form; of the form without one, those with flags alone."""
    lines = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh ", PAGE, re.M | re.S)[1]
    forms = lines.split(".Nm\n")[1:]
    if command == SEED:
        return next(form for form in forms if ".Cm" not in form)
    return next(form for form in forms if form.startswith(f".Cm {command}\n"))


def flags(text):
    """Every option that mdoc's Fl marks: "-listen" for --listen, "i" for -i."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        marked = False
        for word in words if line.startswith(".") else ():
            if word in (".Fl", "Fl"):
                marked = True
            elif word in ("Ar", "Ns", "Cm", ":"):
                marked = False
            elif marked and word not in (",", "."):
                found.add(word)
    return found


def told(command):
    """Each option in the help, as (names as Fl has them, name of the value or None)."""
    words = [] if command == SEED else [command]
    text = subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True).stdout
    options = re.findall(r"^  (?=[ -])\s*(-\S.*?)(?:  .*)?$", text, re.M)
    for option in options:
        names, _, value = option.replace(", ", ",").partition(" ")
        names = {name.removeprefix("-") for name in names.split(",")}
        if names & {"h", "help", "-help"}:
            continue
        yield names, value or None


@pytest.mark.parametrize("command", [*COMMANDS, SEED])
def test_options(command):
    options = list(told(command))
    known = set().union(*(names for names, _ in options))
    assert len(options) > 0 or command == "help"
    described = flags(section(command))
    shown = flags(synopsis(command))
    for names, _ in options:
        assert names & shown, f"{names} is not in the synopsis"
        assert names <= described, f"{names} is not described"
    assert shown <= known, "the synopsis has what the help has not"


def test_no_value_looks_like_an_option():
    if not shutil.which("nroff"):
        pytest.skip("nroff is not installed")
    done = subprocess.run(
        ["nroff", "-mandoc", ROOT / "docs" / "tcp-flowgen.1"], capture_output=True, text=True
    )
    plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert "tcp-flowgen" in plain
    assert not re.findall(r"(?<=\s)-+[0-9]\S*", plain)
