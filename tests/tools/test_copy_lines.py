"""Lets tools/copy_lines.py count in small trees."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "copy_lines.py"

COPIES = """
    out->mss = spec->mss;
    out->mss = spec->tuning.mss;
    message->state = (uint32_t)reading->state;
    message->error = (const char *)report->error;
    out.kind = (enum kind)given.kind;
    to->names[i] = from->names[i];
    to->reading[READ_STOP].rtt = from[i].rtt;
    return (struct pair){.first = given->first, .second.rate = given->rate};
        .a_long_name =
            message->a_long_name,
    const struct pair pair = {.port = (uint16_t)spec->port};
    const struct pair two = {
        .port = spec->port
    };
"""
OTHERS = """
    mss = spec->mss;
    const int mss = spec->mss;
    out->mss = spec->rate;
    out->mss = mss;
    out->mss = spec->mss + 1;
    out->mss = spec->mss ? 1 : 0;
    out->mss = least(spec->mss);
    out->mss = &spec->mss;
    out->mss = spec->mss_max;
    out->mss == spec->mss;
    out->mss += spec->mss;
    out->has_mss = true;
    /* out->mss = spec->mss; */
    // .mss = spec->mss,
"""
PRESENT = """
    message->has_rate = true;
    message->rate = spec->rate;
    message->has_mss = spec->mss > 0;
"""


def count(folder, *arguments):
    return subprocess.run([sys.executable, str(TOOL), str(folder), *arguments],
                          capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text, lines", [(COPIES, 11), (OTHERS, 0), (PRESENT, 2)],
                         ids=["copies", "others", "present"])
def test_what_counts(tmp_path, text, lines):
    (tmp_path / "a.c").write_text(text)
    result = count(tmp_path, "--lines")
    assert result.stdout.splitlines()[-1] == f"{lines:5} in all", result.stdout


def test_by_file_and_in_all(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.h").write_text(PRESENT)
    (tmp_path / "inner" / "b.c").write_text(COPIES)
    (tmp_path / "none.c").write_text(OTHERS)
    result = count(tmp_path)
    assert result.stdout == "   11 inner/b.c\n    2 a.h\n   13 in all\n"


def test_the_most_that_may_be(tmp_path):
    (tmp_path / "a.c").write_text(COPIES)
    assert count(tmp_path, "--most", "11").returncode == 0
    result = count(tmp_path, "--most", "10")
    assert result.returncode == 1 and "11 lines" in result.stderr and "over 10" in result.stderr


def test_nothing_to_count(tmp_path):
    result = count(tmp_path)
    assert result.returncode == 1 and "no sources" in result.stderr
