"""Lets tools/function_sizes.py measure small trees."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "function_sizes.py"

SOURCE = """/* int fake(void)
{ */
struct pair {
    int a, b;
};

static int
split(int a)
{
    if (a) {
        return 1;
    }
    return 0;
}

int tiny(void)
{
}
"""


def measure(folder, *arguments):
    return subprocess.run([sys.executable, str(TOOL), str(folder), *arguments],
                          capture_output=True, text=True, check=False)


def test_sizes(tmp_path):
    (tmp_path / "a.c").write_text(SOURCE)
    result = measure(tmp_path)
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert first.startswith("2 functions: median 6 lines")
    assert first.endswith(f"longest 6 ({tmp_path}/a.c:9: split)")
    assert second == f"1 files, 18 lines, longest 18 ({tmp_path}/a.c)"


def test_limits(tmp_path):
    (tmp_path / "a.c").write_text(SOURCE)
    assert measure(tmp_path, "--function", "6", "--file", "18").returncode == 0
    result = measure(tmp_path, "--function", "5", "--file", "17")
    assert result.returncode == 1
    assert "split has 6 lines, over 5" in result.stderr
    assert "has 18 lines, over 17" in result.stderr


def test_nothing_to_measure(tmp_path):
    assert measure(tmp_path).returncode == 1
