#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The words that the server sends and the page translates: each list in web/page/words.js has exactly the names that
the function or table in C has, and no script of the page asks for a name that is never sent.

check_words.py ROOT; check_words.py --self-test makes sure that it would find something.
"""
import pathlib
import re
import sys

# list in words.js: the function or table in C that holds the names
LISTS = {
    "LINKS": ("server/core/device", "device_link_name"),
    "PHASES": ("server/store", "run_phase_name"),
    "STATES": ("server/store", "run_state_name"),
    "TRUSTS": ("server/store", "focuser_trust_name"),
    "ACTIVITIES": ("web", "activity_names"),
    "CALIBRATIONS": ("server/core/focuser", "focuser_calibration_name"),
}
# member that the page compares with a word: the lists the word may be in
MEMBERS = {"link": ["LINKS"], "phase": ["PHASES"], "trust": ["TRUSTS"], "activity": ["ACTIVITIES"],
           "state": ["STATES", "CALIBRATIONS"]}
# What a name function answers to a number that is none of the enum's; it is never sent.
NO_NAME = {("run_state_name", "unknown")}
COMPARED = re.compile(r"\.(" + "|".join(MEMBERS) + r")\s*[!=]==\s*'(\w+)'")


def names_in_c(sources, name):
    """The strings in the body of a function or the initialiser of a table; None when it is not there."""
    for text in sources:
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        match = re.search(rf"\b{name}(?:\([^;{{]*\)|\[\] =)\s*{{(.*?)^}}", text, re.S | re.M)
        if match:
            return {word for word in re.findall(r'"(\w+)"', match.group(1)) if (name, word) not in NO_NAME}
    return None


def keys_in_page(text, name):
    match = re.search(rf"^(?:export )?const {name} = {{(.*?)}};", text, re.S | re.M)
    return set(re.findall(r"(\w+): '", match.group(1))) if match else None


def check_lists(sources, words):
    """sources: room -> texts of its C files; words: the text of words.js."""
    for page_list, (room, name) in LISTS.items():
        sent, known = names_in_c(sources[room], name), keys_in_page(words, page_list)
        if not sent or not known:
            yield f"{name} in {room} and {page_list} in words.js were not both understood"
            continue
        for word in sorted(sent - known):
            yield f"words.js: {page_list} lacks {word}, which {name} sends"
        for word in sorted(known - sent):
            yield f"words.js: {page_list} has {word}, which {name} never sends"


def check_comparisons(scripts, words):
    for path, text in scripts.items():
        for match in COMPARED.finditer(text):
            member, word = match.groups()
            if not any(word in (keys_in_page(words, name) or ()) for name in MEMBERS[member]):
                yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: .{member} is never '{word}'"


def check(root):
    root = pathlib.Path(root)
    sources = {room: [path.read_text(encoding="utf-8") for path in sorted((root / room).glob("*.c"))]
               for room, _ in LISTS.values()}
    scripts = {path.relative_to(root): path.read_text(encoding="utf-8") for path in (root / "web/page").glob("*.js")}
    words = scripts[pathlib.Path("web/page/words.js")]
    yield from check_lists(sources, words)
    yield from check_comparisons(scripts, words)


def self_test():
    c = {"LINKS": 'const char *device_link_name(enum device_link l)\n{\n\treturn "up";\n\treturn "down"; /* "x" */\n}\n',
         "PHASES": 'const char *run_phase_name(enum run_phase p)\n{\n\treturn "start";\n\treturn "returning";\n}\n',
         "STATES": 'const char *run_state_name(enum run_state s)\n{\n\treturn "running";\n\treturn "unknown";\n}\n',
         "TRUSTS": 'const char *focuser_trust_name(enum trust t)\n{\n\treturn "known";\n}\n',
         "ACTIVITIES": 'static const char *const activity_names[] = {\n\t[A] = "idle",\n};\n',
         "CALIBRATIONS": "\n"}
    sources = {room: [] for room, _ in LISTS.values()}
    for name, text in c.items():
        sources[LISTS[name][0]].append(text)
    words = ("const LINKS = {\n  down: 'a', up: 'b', gone: 'c',\n};\nconst PHASES = {start: 'x', return: 'y'};\n"
             "export const STATES = {running: 'x'};\nexport const TRUSTS = {known: ''};\n"
             "export const ACTIVITIES = {idle: ''};\nexport const CALIBRATIONS = {none: ''};\n")
    found = list(check_lists(sources, words))
    wrong = ("LINKS has gone", "PHASES lacks returning", "PHASES has return,", "CALIBRATIONS in words.js were not")
    script = "if (s.link === 'up' || s.link !== 'off') {\n  t.state === 'none' && t.activity === 'busy';\n}\n"
    compared = list(check_comparisons({"a.js": script}, words))
    expected = ["a.js:1: .link is never 'off'", "a.js:2: .activity is never 'busy'"]
    if len(found) != len(wrong) or any(not any(w in f for f in found) for w in wrong) or compared != expected:
        print(f"found {found}, {compared}")
        return 1
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    found = list(check(sys.argv[1]))
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
