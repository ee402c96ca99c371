#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts the tests of one report: meson's testlog.json or pytest's JUnit XML.

Prints one line for each folder: build, folder, passed, failed, skipped, seconds, with tabs between.
A cmocka program counts with each of its tests; any other program, and one that crashed, counts once.
"""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree


def meson_counts(path):
    for line in open(path, encoding="utf-8"):
        test = json.loads(line)
        suite, _, name = test["name"].rpartition(" / ")  # "focusd:unit / core-config"
        suite = suite.split(":")[-1] or "unit"
        room = name.split("-")[0]
        folder = f"tests/unit/{room}" if suite == "unit" else f"tests/{suite}"
        text = (test.get("stdout") or "") + (test.get("stderr") or "")

        def said(word):
            return sum(int(n) for n in re.findall(rf"\[ *{word} *\] (\d+) test\(s\)", text))

        passed, failed, skipped = said("PASSED"), said("FAILED"), said("SKIPPED")
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            counts = (max(passed, 0 if skipped else 1), 0, skipped)
        elif test["result"] == "SKIP":
            counts = (0, 0, max(skipped, 1))
        else:
            counts = (passed, max(failed, 1), skipped)
        yield folder, counts, float(test["duration"])


def junit_counts(path):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        folder = "/".join(case.get("classname", "tests").split(".")[:2])
        if case.find("failure") is not None or case.find("error") is not None:
            counts = (0, 1, 0)
        elif case.find("skipped") is not None:
            counts = (0, 0, 1)
        else:
            counts = (1, 0, 0)
        yield folder, counts, float(case.get("time", 0))


def main():
    build, path = sys.argv[1:]
    total = {}
    counts_of = meson_counts if path.endswith(".json") else junit_counts
    for folder, counts, seconds in counts_of(path):
        row = total.setdefault(folder, [0, 0, 0, 0.0])
        for i in range(3):
            row[i] += counts[i]
        row[3] += seconds
    for folder, row in sorted(total.items()):
        print(build, folder, *row[:3], f"{row[3]:.2f}", sep="\t")


main()
