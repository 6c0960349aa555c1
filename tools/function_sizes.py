#!/usr/bin/env python3
"""How long the functions and files of src/ are; exit status 1 if any is longer than it may be.

Functions are found by the style that clang-format gives them: the opening brace in the first column
of a line of its own, behind a line that is not indented, and the closing brace likewise.  Lines are
counted from the opening to the closing brace."""

import argparse
import re
import sys
from pathlib import Path

NAME = re.compile(r"(\w+)\(")


def functions(lines):
    """(name, line number, length) of each function."""
    head, begin = "", None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            yield NAME.search(head).group(1) if NAME.search(head) else "?", begin, number - begin + 1
            head, begin = "", None
        elif begin is None and line[:1].isalpha():
            head = line


def at(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", nargs="?", default=Path(__file__).parents[1] / "src", type=Path)
    arguments.add_argument("--function", type=int, default=100, metavar="LINES")
    arguments.add_argument("--file", type=int, default=600, metavar="LINES")
    limits = arguments.parse_args()

    found, files = [], []
    for path in sorted(limits.folder.rglob("*.[ch]")):
        lines = path.read_text().splitlines()
        files.append((len(lines), path))
        found += [(length, f"{path}:{line}: {name}") for name, line, length in functions(lines)]
    if not found:
        sys.exit(f"{limits.folder}: no functions there")

    found.sort(key=lambda function: function[0])
    lengths = [length for length, _ in found]
    longest, largest = found[-1], max(files)
    print(f"{len(found)} functions: median {at(lengths, 0.5)} lines, 95 % {at(lengths, 0.95)}, ", end="")
    print(f"longest {longest[0]} ({longest[1]})")
    print(f"{len(files)} files, {sum(size for size, _ in files)} lines, ", end="")
    print(f"longest {largest[0]} ({largest[1]})")

    long = [f"{where} has {n} lines, over {limits.function}" for n, where in found if n > limits.function]
    long += [f"{path}: has {n} lines, over {limits.file}" for n, path in files if n > limits.file]
    if long:
        sys.exit("\n".join(long))


if __name__ == "__main__":
    main()
