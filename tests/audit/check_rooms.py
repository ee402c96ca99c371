#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The walls of the house: which room may include which, what is public, and which files hold each other in a circle.

check_rooms.py ROOT              includes of the tree against the matrix below, and docs/MAP.md's picture of it
check_rooms.py ROOT --circles BUILD   circles of files, by the symbols in BUILD's object files
check_rooms.py ROOT --count [BUILD]   rooms, arrows, circles, long files, for people
check_rooms.py --map             the picture for docs/MAP.md
check_rooms.py --self-test       makes sure that every forbidden pair of rooms would be found

A room is a folder with sources.  Its headers in include/ are for whoever the matrix lets in; drivers/include is
the seam for those who write drivers, server/core/device/seam the one for those who write kinds of devices; the
other headers belong to the room alone.  Tests may include what they like.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile

# room -> the rooms whose public headers it may include, base and itself apart.  The longest folder counts.
VALUES = "drivers/facts"
CURVES = "server/focus/curve"
PLANS = "server/focus/plan"
STARS = "server/focus/stars"
FIELD = "server/focus/field"
CONFIG = "server/config"
STORE = "server/store"
SEAMS = "drivers/include"
DEVICE = "server/core/device"
KIND = "server/core/device/seam"
FOCUSER = "server/core/focuser"
CAMERA = "server/core/camera"
JOBS = "server/core/jobs"
CORE = "server/core"
SERVED = [VALUES, CURVES, PLANS, STARS, FIELD, CONFIG, STORE, DEVICE, FOCUSER, CAMERA, JOBS, CORE]
MAY = {
    "server/base": [],
    "server/fits": [],
    STARS: [],
    CURVES: [],
    PLANS: [STARS, CURVES],
    FIELD: [STARS],
    VALUES: [],
    SEAMS: [VALUES],
    "drivers/std": [VALUES, SEAMS],
    "drivers/ports": [VALUES, SEAMS],
    "drivers/transport": [VALUES, SEAMS, "drivers/std", "drivers/ports"],
    "drivers/alpaca": [VALUES, SEAMS, "drivers/std"],
    "drivers/celestron": [VALUES, SEAMS, "drivers/std", "drivers/transport"],
    "drivers/indi": [VALUES, SEAMS, "drivers/std", "drivers/transport", "server/fits"],
    "drivers/manual": [VALUES, SEAMS],
    "drivers/moonlite": [VALUES, SEAMS, "drivers/std", "drivers/transport"],
    "drivers/myfocuserpro2": [VALUES, SEAMS, "drivers/std", "drivers/transport"],
    "drivers/sim": [VALUES, SEAMS, "drivers/std", "server/fits"],
    "drivers/files": ["server/fits"],
    "drivers/exec": [VALUES, SEAMS, "drivers/std", "drivers/files", "server/fits"],
    "drivers/folder": [VALUES, SEAMS, "drivers/files", "server/fits"],
    "drivers/replay": [VALUES, SEAMS, "drivers/std", "drivers/files", "server/fits"],
    "drivers": [VALUES, SEAMS],
    "drivers/emulators/std": [],
    "drivers/emulators": ["drivers/emulators/std"],
    CONFIG: [VALUES],
    # A run keeps what its stars have taught of the field, whole, as the next frames need it.
    STORE: [VALUES, FIELD],
    DEVICE: [VALUES, CONFIG, STORE, SEAMS, KIND],
    KIND: [VALUES, CONFIG, STORE, SEAMS, DEVICE],
    FOCUSER: [VALUES, CURVES, PLANS, CONFIG, STORE, SEAMS, "drivers/ports", DEVICE, KIND],
    CAMERA: [VALUES, CONFIG, STORE, SEAMS, DEVICE, KIND],
    JOBS: [VALUES, STARS, CURVES, PLANS, FIELD, CONFIG, STORE, DEVICE, KIND, FOCUSER, CAMERA],
    CORE: [VALUES, SEAMS, "drivers/ports", CONFIG, STORE, DEVICE, KIND, FOCUSER, CAMERA, JOBS],
    "api/http": [],
    "api/alpaca": ["api/http", *SERVED],
    "web": ["api/http", *SERVED],
    "server": ["server/fits", *SERVED, SEAMS, "drivers/indi", "drivers/ports", "drivers/transport", "drivers/emulators",
               "drivers/emulators/std", "api/http", "api/alpaca", "web"],
}
# Of base, the maths may know pixels, errors and text, but no clock and no log: room -> headers of base.
BASE_ONLY = {room: {"err.h", "image.h", "text.h"} for room in (STARS, CURVES, PLANS, FIELD)}
# Includes that are to go: (file, header).
DEBTS = {
}
TOPS = ("server", "drivers", "api", "web")
# A circle of more files than this is a tangle.
CIRCLE = 3
# And a function of more lines is named by --count.
FUNCTION = 60
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def room_of(path):
    folder = os.path.dirname(path)
    while folder and folder not in MAY:
        folder = os.path.dirname(folder)
    return folder


def is_public(path):
    return os.path.dirname(path) in (VALUES, SEAMS, KIND) or os.path.basename(os.path.dirname(path)) == "include"


def sources(root):
    for top in TOPS:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def arrows(root):
    """(file, line, included file) for each include of a header of ours."""
    paths = list(sources(root))
    by_name = collections.defaultdict(list)
    for path in paths:
        if path.endswith(".h"):
            by_name[os.path.basename(path)].append(path)
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        for match in INCLUDE.finditer(text):
            header = os.path.basename(match.group(1))
            here = [p for p in by_name[header] if room_of(p) == room_of(path)]
            for target in (here or by_name[header])[:1]:
                yield path, text.count("\n", 0, match.start(1)) + 1, target


def check_includes(root):
    names = collections.defaultdict(list)
    for path in sources(root):
        if not room_of(path):
            yield f"{path}:1: its folder is no room; add it to the matrix"
        if path.endswith(".h"):
            names[os.path.basename(path)].append(path)
    for name, paths in names.items():
        if len(paths) > 1 and any(is_public(p) for p in paths):
            yield f"{paths[1]}:1: there is another {name}, {paths[0]}"
    for path, line, target in arrows(root):
        here, there = room_of(path), room_of(target)
        if here == there or (path, os.path.basename(target)) in DEBTS:
            continue
        if there != "server/base" and there not in MAY.get(here, []):
            yield f"{path}:{line}: {here} may not include {target}"
        elif not is_public(target):
            yield f"{path}:{line}: {target} is private to {there}"
        elif there == "server/base" and here in BASE_ONLY and os.path.basename(target) not in BASE_ONLY[here]:
            yield f"{path}:{line}: {here} may not include {target}"


def picture():
    """The matrix as docs/MAP.md shows it."""
    width = max(len(room) for room in MAY)
    served = set(SERVED)
    yield "```"
    for room, others in MAY.items():
        names = [name for name in others if not (served <= set(others) and name in served)]
        if served <= set(others):
            names.append("what is served (*)")
        yield f"{room:<{width}}  -> {', '.join(names) if names else 'nothing but server/base'}"
    yield f"(*) {', '.join(SERVED)}"
    yield "```"


def check_map(root):
    path = os.path.join(root, "docs", "MAP.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if "\n".join(picture()) not in text:
        yield "docs/MAP.md:1: the picture of who may include whom is not that of the matrix; see check_rooms.py --map"


def strong(graph):
    """The circles of a graph {node: set of nodes}, largest first: Tarjan, without recursion."""
    number, low, on, stack, circles = {}, {}, set(), [], []
    for start in sorted(graph):
        if start in number:
            continue
        work = [(start, iter(sorted(graph[start])))]
        number[start] = low[start] = len(number)
        stack.append(start)
        on.add(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on.add(other)
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in on:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    circle = []
                    while not circle or circle[-1] != node:
                        circle.append(stack.pop())
                        on.discard(circle[-1])
                    if len(circle) > 1:
                        circles.append(sorted(circle))
    return sorted(circles, key=lambda c: (-len(c), c))


def file_graph(root, build):
    """{source: sources whose functions or data it uses}, from the symbols of the object files."""
    owner, wants = {}, {}
    for path in sources(root):
        if not path.endswith(".c"):
            continue
        stem = os.path.basename(path) + ".o"
        found = [os.path.join(folder, stem)
                 for folder, _, names in os.walk(os.path.join(build, os.path.dirname(path))) if stem in names]
        if os.path.dirname(path) == "server":
            found = [name for name in found if "/focusd.p/" in name]
        if not found:
            continue
        listing = subprocess.run(["nm", "-P", found[0]], capture_output=True, text=True, check=True).stdout
        wants[path] = set()
        for line in listing.splitlines():
            symbol, kind = line.split()[:2]
            if kind == "U":
                wants[path].add(symbol)
            elif kind.isupper():
                owner[symbol] = path
    return {path: {owner[s] for s in symbols if s in owner} - {path} for path, symbols in wants.items()}


def check_circles(root, build):
    graph = file_graph(root, build)
    if len(graph) < 60:
        yield f"only {len(graph)} object files were found in {build}"
    for circle in strong(graph):
        if len(circle) > CIRCLE:
            yield f"{circle[0]}:1: in a circle of {len(circle)} files: {' '.join(circle)}"


def functions(text):
    """(name, lines) of each function: from the line that names it to its closing brace at the margin."""
    lines = text.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line == "{" and i > 0 and ")" in lines[i - 1]:
            start = i
            while start > 0 and lines[start - 1].startswith(("\t", " ")):
                start -= 1
            start = max(start - 1, 0)
            name = re.search(r"(\w+)\(", " ".join(lines[start:i]))
        elif line == "}" and start is not None:
            yield name.group(1) if name else "?", i - start + 1
            start = None


def structs(text):
    """(name, members) of each struct; the members of unnamed structs inside count for it."""
    for match in re.finditer(r"^struct (\w+) \{\n(.*?)^\}", text, re.M | re.S):
        body = re.sub(r"/\*.*?\*/", "", match.group(2), flags=re.S)
        body = re.sub(r"\([^()]*\)", "()", re.sub(r"\{[^{}]*\}", "", body))
        yield match.group(1), sum(1 + part.count(",") for part in body.split(";") if part.strip())


def count(root, build):
    pairs = collections.Counter()
    rooms = set()
    lengths = {}
    long_ones, large_ones = [], []
    for path in sources(root):
        rooms.add(room_of(path))
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        lengths[path] = text.count("\n")
        long_ones += [(n, name, path) for name, n in functions(text)]
        large_ones += [(n, name, path) for name, n in structs(text)]
    for path, _, target in arrows(root):
        if room_of(path) != room_of(target):
            pairs[room_of(path), room_of(target)] += 1
    yield f"rooms {len(rooms)}, files {len(lengths)}, lines {sum(lengths.values())}"
    yield f"arrows between rooms {len(pairs)}, includes along them {sum(pairs.values())}"
    for path in sorted(lengths, key=lambda p: -lengths[p])[:5]:
        yield f"{lengths[path]} lines: {path}"
    over = sorted(((n, name, path) for n, name, path in long_ones if n > FUNCTION), reverse=True)
    yield f"functions {len(long_ones)}, over {FUNCTION} lines {len(over)}"
    for n, name, path in over[:12]:
        yield f"  {n} lines: {name} in {path}"
    for n, name, path in sorted(large_ones, reverse=True)[:4]:
        yield f"{n} members: struct {name} in {path}"
    if build:
        circles = strong(file_graph(root, build))
        yield f"circles {len(circles)}: {' '.join(str(len(c)) for c in circles)}"
        for circle in circles:
            yield "  " + " ".join(circle)


# Headers of base that the self-test includes from everywhere.
BASE_HEADERS = ("clock.h", "err.h", "image.h", "json.h", "log.h", "text.h", "transcript.h")


def self_test():
    """Every pair of rooms that the matrix forbids, every private header that is not one's own, and of base what the
    maths may not know."""
    licence = "/* SPDX-License-Identifier: MIT */\n"

    def public(room):
        return f"{room}/{'' if room in (VALUES, SEAMS, KIND) else 'include/'}{room.replace('/', '_')}_public.h"

    def private(room):
        return f"{room}/{room.replace('/', '_')}_private.h"

    expected = set()
    with tempfile.TemporaryDirectory() as root:
        def write(name, text):
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(licence + text)

        for room in MAY:
            if room != "drivers":  # its include folder is the seams' room
                write(public(room), "int x;\n")
            if room not in (VALUES, SEAMS, KIND):
                write(private(room), "int y;\n")
        for name in BASE_HEADERS:
            write(f"server/base/include/{name}", "int z;\n")
        for here in MAY:
            lines = [f'#include "{name}"\n' for name in BASE_HEADERS]
            for name in BASE_HEADERS:
                if here in BASE_ONLY and name not in BASE_ONLY[here]:
                    expected.add((here, name, "public"))
            for there in MAY:
                if there == "server/base" and here in BASE_ONLY:
                    expected.add((here, "server_base_public.h", "public"))
                if there != "drivers":
                    lines.append(f'#include "{os.path.basename(public(there))}"\n')
                if there not in (here, "drivers") and there != "server/base" and there not in MAY[here]:
                    expected.add((here, there, "public"))
                if there not in (VALUES, SEAMS, KIND):
                    lines.append(f'#include "{os.path.basename(private(there))}"\n')
                    if here != there:
                        expected.add((here, there, "private"))
            write(f"{here}/source.c", "".join(lines))
        found = set()
        for line in check_includes(root):
            match = re.match(r"(\S+?)/source\.c:\d+: (?:\S+ may not include (\S+)|(\S+) is private to)", line)
            if match:
                header = match.group(2) or match.group(3)
                there = os.path.basename(header) if match.group(2) and room_of(header) == "server/base" else room_of(header)
                found.add((match.group(1), there, "private" if "_private" in header else "public"))
        # A room without a row, and a name that two headers have, one of them public.
        write("web/new/nowhere.c", "")
        write("toys/x.c", "")
        write("api/http/include/twice.h", "")
        write("web/twice.h", "")
        others = [line for line in check_includes(root) if "another twice.h" in line]
    circles = strong({"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"a"}, "e": {"a", "f"}, "f": {"e"}, "g": {"g", "a"}})
    wrong = found ^ expected
    if wrong or len(others) != 1 or circles != [["a", "b", "c", "d"], ["e", "f"]] or len(expected) < 300:
        print(f"wrong {sorted(wrong)[:10]} of {len(expected)}, twice {others}, circles {circles}")
        return 1
    print(f"{len(expected)} forbidden includes tried, all found")
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    if sys.argv[1] == "--map":
        print("\n".join(picture()))
        return 0
    root = sys.argv[1]
    if "--count" in sys.argv:
        for line in count(root, sys.argv[3] if len(sys.argv) > 3 else None):
            print(line)
        return 0
    found = list(check_circles(root, sys.argv[3]) if "--circles" in sys.argv else [*check_includes(root), *check_map(root)])
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
