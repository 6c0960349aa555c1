#!/usr/bin/env python3
"""Prints how many tests passed, failed and were skipped, from JUnit files.

A file that is missing or broken counts as no test at all."""

import sys
import xml.etree.ElementTree as xml


def count(path):
    passed = failed = skipped = 0
    try:
        cases = xml.parse(path).iter("testcase")
    except (OSError, xml.ParseError):
        cases = ()
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


if __name__ == "__main__":
    print(*(sum(figures) for figures in zip((0, 0, 0), *map(count, sys.argv[1:]))))
