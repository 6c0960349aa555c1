"""Fixtures of the attacks; the laboratory is that of tests/integration."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import harness
import protocol
from target import Target


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """The folder of the modules that protoc makes of proto/agent.proto."""
    folder = tmp_path_factory.mktemp("stubs")
    protocol.generate(folder)
    return folder


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """Lives as long as the tests of a file, which share their agents."""
    lab = harness.Lab(tmp_path_factory.mktemp("attack"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def reachable(laboratory, stubs):
    """Agents that everybody reaches: --insecure."""
    return Target(laboratory, stubs, "10.93.0.1", "--insecure")


@pytest.fixture(scope="module")
def local(laboratory, stubs):
    """Agents on loopback, as they are by default."""
    return Target(laboratory, stubs, "127.0.0.1")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of the logs."""
    outcome = yield
    report = outcome.get_result()
    lab = item.funcargs.get("laboratory") if hasattr(item, "funcargs") else None
    if report.failed and lab is not None:
        for process in lab.processes:
            report.sections.append((process.log.name, process.text()[-3000:]))
