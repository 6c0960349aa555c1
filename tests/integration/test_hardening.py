"""The built program has what makes mistakes of memory hard to use."""

import re
import subprocess

import pytest
from harness import INSTRUMENTED, PROGRAM

pytestmark = pytest.mark.skipif(INSTRUMENTED, reason="sanitizers have checks of their own")


def readelf(*words):
    outcome = subprocess.run(
        ["readelf", "-W", *words, PROGRAM], capture_output=True, text=True, check=True
    )
    return outcome.stdout


@pytest.fixture(scope="module")
def symbols():
    return set(re.findall(r" UND (\w+)", readelf("--dyn-syms")))


def test_it_stands_at_a_random_address():
    assert re.search(r"Type: +DYN", readelf("--file-header"))
    assert re.search(r"FLAGS_1.*\bPIE\b", readelf("--dynamic"))


def test_its_tables_are_read_only():
    assert re.search(r"FLAGS_1.*\bNOW\b", readelf("--dynamic"))
    assert "GNU_RELRO" in readelf("--program-headers")


def test_no_page_can_be_written_and_run():
    segments = re.findall(r"^ +(\w+) .* 0x\w+ ([R ][W ][E ]) 0x", readelf("--program-headers"), re.M)
    assert ("GNU_STACK", "RW ") in segments
    assert not [kind for kind, flags in segments if "W" in flags and "E" in flags]


def test_stacks_are_guarded(symbols):
    assert "__stack_chk_fail" in symbols


def test_buffers_are_checked(symbols):
    assert {"__snprintf_chk", "__memcpy_chk"} & symbols
