import os

import pytest

import harness
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
def pair(lab):
    return harness.Pair(lab)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the logs of what it started."""
    outcome = yield
    report = outcome.get_result()
    lab = item.funcargs.get("lab") if hasattr(item, "funcargs") else None
    if report.failed and lab is not None:
        for process in lab.processes:
            report.sections.append((process.log.name, process.text()[-20000:]))
