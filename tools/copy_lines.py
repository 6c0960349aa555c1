#!/usr/bin/env python3
"""How many statements of src/ copy a field to its namesake; exit status 1 if there are more than --most.

    out->mss = spec->tuning.mss;            message->state = (uint32_t)reading->state;
    .mss = (uint16_t)message->mss,          to->name[i] = from->name[i];

Each says once more which fields there are.  The left side is a field, the right side is the field of that
name and nothing else, but for casts and indexes.  `message->has_mss = ...` beside such a line counts, too."""

import argparse
import re
import sys
from pathlib import Path

NAME = r"[A-Za-z_]\w*"
INDEX = r"(?:\[[^][\n]*\])*"
WAY = rf"(?:{NAME}{INDEX}\s*(?:->|\.)\s*)+"
CAST = rf"(?:\((?:const |struct |enum |unsigned )*{NAME}[ *]*\)\s*)*"
# A member in braces, or a statement: behind either stand no further operands.
COPY = re.compile(
    rf"(?<=[{{}};,(\s])(?:{WAY}|\.(?:{NAME}{INDEX}\.)*)(?P<field>{NAME}){INDEX}\s*=\s*"
    rf"{CAST}{WAY}(?P=field){INDEX}(?=\s*[;,}}])"
)
PRESENT = re.compile(rf"(?:{WAY}|\.)has_(?P<field>{NAME})\s*=[^=]")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def blanked(match):
    return re.sub(r"[^\n]", " ", match.group())


def copies(text):
    """The first lines of such statements, numbered from 1, each once."""
    text = COMMENT.sub(blanked, text)
    fields = {}
    for match in COPY.finditer(text):
        fields.setdefault(text.count("\n", 0, match.start()) + 1, set()).add(match["field"])
    found = set(fields)
    for number, line in enumerate(text.splitlines(), 1):
        present = PRESENT.search(line)
        beside = fields.get(number - 1, set()) | fields.get(number + 1, set())
        if present and present["field"] in beside:
            found.add(number)
    return sorted(found)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", nargs="?", default=Path(__file__).parents[1] / "src", type=Path)
    arguments.add_argument("--most", type=int, metavar="LINES")
    arguments.add_argument("--lines", action="store_true", help="print the lines, too")
    given = arguments.parse_args()

    counts = {}
    for path in sorted(given.folder.rglob("*.[ch]")):
        text = path.read_text()
        lines = copies(text)
        counts[path] = len(lines)
        if given.lines:
            shown = text.splitlines()
            for number in lines:
                print(f"{path}:{number}: {shown[number - 1].strip()}")
    if not counts:
        sys.exit(f"{given.folder}: no sources there")

    for path, count in sorted(counts.items(), key=lambda item: -item[1]):
        if count:
            print(f"{count:5} {path.relative_to(given.folder)}")
    total = sum(counts.values())
    print(f"{total:5} in all")
    if given.most is not None and total > given.most:
        sys.exit(f"{total} lines copy a field to its namesake, over {given.most}")


if __name__ == "__main__":
    main()
