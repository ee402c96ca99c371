#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The udev rules in packaging/udev: their grammar (and udev's own opinion, where `udevadm verify` exists), and
that their ids are those of the drivers' tables.

check_udev.py ROOT; check_udev.py --self-test makes sure that it would find something.
"""
import pathlib
import re
import shutil
import subprocess
import sys

# udev(7): keys, whether they take an attribute, and the operators allowed.
MATCH, SET = ("==", "!="), ("=", "+=", "-=", ":=")
KEYS = {"ACTION": (False, MATCH), "SUBSYSTEM": (False, MATCH), "SUBSYSTEMS": (False, MATCH), "KERNEL": (False, MATCH),
        "KERNELS": (False, MATCH), "DRIVERS": (False, MATCH), "ATTR": (True, MATCH), "ATTRS": (True, MATCH),
        "ENV": (True, MATCH + SET), "TAG": (False, MATCH + SET), "SYMLINK": (False, SET), "GROUP": (False, SET),
        "MODE": (False, SET), "OWNER": (False, SET), "GOTO": (False, ("=",)), "LABEL": (False, ("=",))}
TOKEN = re.compile(r'([A-Z_]+)(?:\{([^}"]+)\})?\s*(==|!=|\+=|-=|:=|=)\s*"([^"]*)"\s*')
ROW = re.compile(r"\{\s*\.vid = 0x([0-9a-f]{4})(?:,\s*\.pid = 0x([0-9a-f]{4}))?([^}]*)\}")


def check_grammar(name, text):
    labels, wanted = set(), {}
    for number, line in enumerate(text.replace("\\\n", " ").split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        at = 0
        while at < len(line):
            match = TOKEN.match(line, at)
            if match is None:
                yield f"{name}:{number}: not understood: {line[at:at + 40]}"
                break
            key, attribute, operator, value = match.groups()
            takes, operators = KEYS.get(key, (None, ()))
            if takes is None:
                yield f"{name}:{number}: there is no key {key}"
            elif takes != (attribute is not None) or operator not in operators:
                yield f"{name}:{number}: {match.group().strip()} is no use of {key}"
            if key == "LABEL":
                labels.add(value)
            if key == "GOTO":
                wanted[value] = number
            at = match.end()
            if at < len(line):
                if line[at] != ",":
                    yield f"{name}:{number}: a comma is missing before {line[at:at + 20]}"
                    break
                at += 1
                while at < len(line) and line[at] == " ":
                    at += 1
    for label, number in wanted.items():
        if label not in labels:
            yield f"{name}:{number}: there is no LABEL {label}"


def ids_of_rules(text):
    found = set()
    for line in text.split("\n"):
        vendor = re.search(r'ATTRS\{idVendor\}=="([^"]*)"', line)
        product = re.search(r'ATTRS\{idProduct\}=="([^"]*)"', line)
        if vendor and not line.lstrip().startswith("#"):
            found.add((vendor.group(1), product.group(1) if product else ""))
    return found


def check_ids(rules, sources, known=""):
    """known: the table of devices that no driver may be built in for."""
    rows = {(vid, pid or ""): "one_maker = true" in rest
            for text in sources for vid, pid, rest in ROW.findall(text)}
    for vid, pid in sorted(set(rows) - rules):
        yield f"60-focusd.rules: {vid}:{pid or '*'} of the drivers is missing"
    named = set(re.findall(r"\{0x([0-9a-f]{4}), 0x([0-9a-f]{4}), NULL", known))
    for vid, pid in sorted(rules - set(rows) - named):
        yield f"60-focusd.rules: {vid}:{pid or '*'} is in no driver's table"


def check(root):
    folder = root / "packaging" / "udev"
    files = sorted(folder.glob("*.rules"))
    for path in files:
        yield from check_grammar(path.name, path.read_text(encoding="utf-8"))
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / "drivers").rglob("*_driver.c"))]
    yield from check_ids(ids_of_rules((folder / "60-focusd.rules").read_text(encoding="utf-8")), sources,
                         (root / "drivers" / "ports" / "ports_known.c").read_text(encoding="utf-8"))
    readme = (root / "README.md").read_text(encoding="utf-8")
    for path in files:
        if path.name not in readme:
            yield f"README.md: packaging/udev/{path.name} is not named"
    if shutil.which("udevadm") and subprocess.run(["udevadm", "verify", "--help"], capture_output=True,
                                                  check=False).returncode == 0:
        verdict = subprocess.run(["udevadm", "verify", *map(str, files)], capture_output=True, text=True, check=False)
        if verdict.returncode != 0:
            yield verdict.stdout + verdict.stderr


def self_test():
    good = 'SUBSYSTEM=="tty", ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6001", TAG+="uaccess"\n'
    found = [*check_grammar("good", good),
             *check_grammar("bad", 'SYMLINX+="a"\nATTRS=="b"\nKERNEL="c"\nTAG+="d" MODE="e"\nGOTO="f"\nTAG+="g\n'),
             *check_ids(ids_of_rules(good + "# " + good.replace("6001", "6002")),
                        ["\t{.vid = 0x0403, .pid = 0x6001},\n\t{.vid = 0x2341},\n\t{.vid = 0},\n"]),
             *check_ids({("1111", "")}, [])]
    expected = ["bad:1: there is no key SYMLINX", 'bad:2: ATTRS=="b" is no use of ATTRS',
                'bad:3: KERNEL="c" is no use of KERNEL', 'bad:4: a comma is missing before MODE="e"',
                'bad:6: not understood: TAG+="g', "bad:5: there is no LABEL f",
                "60-focusd.rules: 2341:* of the drivers is missing", "60-focusd.rules: 1111:* is in no driver's table"]
    if found != expected:
        print(f"found {found}, expected {expected}")
        return 1
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    found = list(check(pathlib.Path(sys.argv[1])))
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
