"""Fixtures of the lab; those of tests/integration that it shares are imported from there."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "integration")]

import bed as bed_module
import harness
import two_machines as two
import uml
from figures import figure, pytest_terminal_summary  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def default_spools(tmp_path_factory):
    """Agents that were not told where to keep spools leave nothing on the machine."""
    os.environ["STATE_DIRECTORY"] = str(tmp_path_factory.mktemp("spools"))


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
def bed(tmp_path_factory):
    """bed.Bed: a dumbbell in user-mode Linux, with agents; one for the tests of a file."""
    if uml.why_not():
        pytest.skip(uml.why_not())
    # Its one CPU should not have to wait for what else the machine does, which is not tested here.
    one = bed_module.Bed(tmp_path_factory.mktemp("bed"), before=uml.urgently())
    yield one
    one.close()
