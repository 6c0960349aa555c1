"""What was measured beside what a witness saw: a table after the tests, for people.

A conftest imports both names.
"""

import pytest

HEAD = ("", "tcp-flowgen", "witness", "apart")


@pytest.fixture
def figure(record_property):
    """figure(what, ours, witness, apart): a row of the table, all of it as text."""

    def add(what, ours, witness, apart=""):
        record_property("figure", [str(cell) for cell in (what, ours, witness, apart)])

    return add


def per_cent(ours, witness):
    """How far a figure is from the witness's."""
    return f"{abs(ours - witness) / witness:.2%}"


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    rows = [
        cells
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, cells in report.user_properties
        if name == "figure"
    ]
    if not rows:
        return
    table = [HEAD, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
    terminalreporter.section("figures")
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths))
        terminalreporter.write_line("  ".join(cells).rstrip())
