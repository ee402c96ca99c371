#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Numbers of the maths: in server/focus each float has a name, and each name says where its value comes from.

check_constants.py ROOT          the tree
check_constants.py ROOT --count  how many constants rest on what, for people
check_constants.py --self-test   makes sure that each kind of fault would be found

0, 0.5, 1 and 2 may stand bare: they are arithmetic.  A named constant is a #define, or a static const of a file.  The
comment above a group of them (or behind one) holds one of the words of GROUNDS.  "Tuned on" names a test as
`tests/unit/x/test_y.c name_of_the_test`; wherever a comment of the maths names one so, it has to exist.
"""
import collections
import os
import re
import sys
import tempfile

BARE = {0.0, 0.5, 1.0, 2.0}
# What a value may rest on.
GROUNDS = ("Source", "Derived", "By definition", "Tuned on", "Choice", "Estimate")
FLOAT = re.compile(r"(?<![\w.])(\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)[fFlL]?")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"')
DEFINE = re.compile(r"^#define[ \t]+(\w+)[ \t]+(.*)$", re.M)
STATIC = re.compile(r"^static const (?:double|float|struct [^=;{]*\{[^}]*\})\s*(\w+)[^=;]*=\s*([^;]*);", re.M)
TEST = re.compile(r"(tests/[\w/]+\.c)(?:[ \t]+(?:\*[ \t]+)?|\n[ \t]*\*[ \t]+)(\w+)")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def sources(root):
    for folder, folders, names in os.walk(os.path.join(root, "server/focus")):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), root)


def comment_of(text, start):
    """The comment that belongs to a definition: behind it, or above the group of definitions it stands in."""
    end = text.index("\n", start)
    behind = COMMENT.search(text, start)
    if behind and behind.start() < end:
        return behind.group(0)
    lines = text[:start].split("\n")[:-1]
    while lines and (DEFINE.match(lines[-1]) or lines[-1].startswith("static const")):
        lines.pop()
    above = "\n".join(lines)
    found = list(COMMENT.finditer(above))
    return found[-1].group(0) if found and not above[found[-1].end():].strip("\n") and above.endswith("*/") else ""


def constants(text):
    """(position, name) of each named constant whose value holds a float."""
    code = TEXT.sub(blank, COMMENT.sub(blank, text))
    for pattern in (DEFINE, STATIC):
        for match in pattern.finditer(code):
            if FLOAT.search(match.group(2)):
                yield match.start(), match.group(1), match.span()


def check(root):
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        code = TEXT.sub(blank, COMMENT.sub(blank, text))
        for start, name, span in constants(text):
            line = text.count("\n", 0, start) + 1
            comment = re.sub(r"\n[ \t]*\*?[ \t]*", " ", comment_of(text, start))
            if not any(ground in comment for ground in GROUNDS):
                yield f"{path}:{line}: {name} does not say where its value comes from"
            code = code[:span[0]] + re.sub(r"[^\n]", " ", code[span[0]:span[1]]) + code[span[1]:]
        for match in FLOAT.finditer(code):
            if float(match.group(1)) not in BARE:
                yield f"{path}:{code.count(chr(10), 0, match.start()) + 1}: {match.group(0)} has no name"
        for comment in COMMENT.finditer(text):
            for match in TEST.finditer(comment.group(0)):
                line = text.count("\n", 0, comment.start() + match.start()) + 1
                try:
                    with open(os.path.join(root, match.group(1)), encoding="utf-8") as file:
                        known = re.search(rf"\b{match.group(2)}\(", file.read()) is not None
                except FileNotFoundError:
                    known = False
                if not known:
                    yield f"{path}:{line}: there is no {match.group(2)} in {match.group(1)}"


def count(root):
    grounds = collections.Counter()
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        for start, _, _ in constants(text):
            comment = re.sub(r"\n[ \t]*\*?[ \t]*", " ", comment_of(text, start))
            grounds[next((g for g in GROUNDS if g in comment), "nothing")] += 1
    yield f"named constants {sum(grounds.values())}: " + ", ".join(f"{g} {n}" for g, n in grounds.most_common())


def self_test():
    files = {
        "tests/unit/a.c": "static void it_holds(void **state)\n{\n}\n",
        "server/focus/good.c": (
            "/* Two of them.  Derived: by hand. */\n#define A 1.5\n#define B 3.25\n"
            "#define C 7.5 /* Source: a book */\n/* More.  Tuned\n * on tests/unit/a.c it_holds: 3 %. */\n"
            "static const double table[2][2] = {{1.5, 2.5},\n\t{3.5, 4.5}};\n"
            "double f(double x)\n{\n\t/* 3.7 in words */\n\treturn 0.5 * x + A + 2.0 + 3 * x; /* not 9.9 */\n}\n"
            "const char *g(void)\n{\n\treturn \"1.25\";\n}\n"),
        "server/focus/bare.c": "double f(double x)\n{\n\treturn 0.25 * x;\n}\n",
        "server/focus/power.c": "double f(double x)\n{\n\treturn x > 1e-3;\n}\n",
        "server/focus/local.c": "double f(double x)\n{\n\tconst double share = 0.3;\n\treturn share * x;\n}\n",
        "server/focus/silent.c": "/* Something. */\n#define A 1.5\n",
        "server/focus/naked.c": "int x;\n\n#define A 1.5\n",
        "server/focus/lost.c": "/* A.  Tuned on tests/unit/a.c it_breaks: 3 %. */\n#define A 1.5\n",
        "server/focus/gone.h": "/* As tests/unit/b.c it_holds shows. */\nint x;\n",
    }
    expected = {
        "server/focus/bare.c:3: 0.25 has no name", "server/focus/power.c:3: 1e-3 has no name",
        "server/focus/local.c:3: 0.3 has no name",
        "server/focus/silent.c:2: A does not say where its value comes from",
        "server/focus/naked.c:3: A does not say where its value comes from",
        "server/focus/lost.c:1: there is no it_breaks in tests/unit/a.c",
        "server/focus/gone.h:1: there is no it_holds in tests/unit/b.c",
    }
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        found = set(check(root))
    for line in sorted(found ^ expected):
        print("missed:" if line in expected else "wrong:", line)
    return 1 if found != expected else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    if "--count" in sys.argv:
        print("\n".join(count(sys.argv[1])))
        return 0
    found = list(check(sys.argv[1]))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
