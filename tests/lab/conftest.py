"""Fixtures of the lab; those of tests/integration that it shares are imported from there."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "integration")]

import harness
import two_machines as two
import uml


@pytest.fixture
def lab(tmp_path):
    lab = harness.Lab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def two_machines(lab):
    """two_machines.TwoMachines, booted, on one wire."""
    if two.why_not():
        pytest.skip(two.why_not())
    machines = two.TwoMachines(lab)
    yield machines
    machines.close()


@pytest.fixture(scope="module")
def machine():
    """A user-mode Linux machine for the tests of one file."""
    if uml.why_not():
        pytest.skip(uml.why_not())
    with uml.Machine() as machine:
        yield machine
