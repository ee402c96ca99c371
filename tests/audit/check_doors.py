#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Rules that the compiler does not keep: one door for each library, no banned function, a licence line, no
half-merged file, no line of C that is wider than WIDTH.

check_doors.py ROOT looks at the tree; check_doors.py --self-test makes sure that it would find something.
"""
import fnmatch
import os
import re
import sys
import tempfile

# header (end of the path in #include) -> the only files that may include it
DOORS = {
    # Four files and what they share: the library's types run through a request's whole life.  Their names say it.
    "microhttpd.h": ["api/http/http_mhd*.c", "api/http/http_private.h", "tests/bench/bare.c"],
    "libserialport.h": ["drivers/transport/serial.c"],
    "libudev.h": ["drivers/ports/ports_system.c", "drivers/ports/ports_watch.c"],
    "cJSON.h": ["server/base/json.c"],
    "sqlite3.h": ["server/store/runs_*.c"],
    "fitsio.h": ["server/fits/fits_library.h"],
    "libraw.h": ["server/fits/raw_library.h"],
    "expat.h": ["drivers/indi/indi_xml.c"],
    "dlfcn.h": ["server/base/late.c", "tests/serial/fake_serial.c"],
    "curl.h": ["drivers/alpaca/alpaca_curl.h"],
    "jpeglib.h": ["web/preview.c"],
    "cminpack.h": ["server/focus/curve/curve*.c"],
    "ini.h": ["server/config/config*.c"],
    # Threads and locks: never in the arithmetic, in codecs or in a driver.
    "pthread.h": ["server/base/include/clock.h", "server/base/image.c", "server/base/log.c", "server/store/*", "server/core/*", "server/config/settings*", "server/cmd_serve.c", "api/*", "web/*",
                  "drivers/sim/sim_paint.c", "drivers/alpaca/alpaca_curl.c", "drivers/indi/indi_xml.c", "drivers/indi/indi_line.c",
                  "drivers/indi/indi_blob.c",
                  "drivers/files/frame_fetch.c", "drivers/folder/folder_watch.c",
                  "drivers/transport/resolve.c",
                  "server/fits/fits_library.c", "server/fits/raw_library.c"],
    "zlib.h": ["drivers/indi/indi_packed.c", "web/pages.c", "server/store/position_slot.c"],
}
# Tests may look at a JPEG or a database with the library that wrote it.
TESTS_MAY = {"cJSON.h", "jpeglib.h", "sqlite3.h", "fitsio.h", "pthread.h", "zlib.h"}
BANNED = ("strcpy strcat sprintf vsprintf gets atoi atof atol strtok sleep usleep system alloca setlocale "
          "scanf").split()
# Columns of a line of C, with tabs of eight.
WIDTH = 120
C_FILES = (".c", ".h")
LICENSED = C_FILES + (".py", ".js", ".css", ".html", ".svg", ".build", ".service", ".conf", ".sh", ".rules")
SKIP = re.compile(r"^(build.*|\..*|__pycache__)$")
CALL = re.compile(r"\b(" + "|".join(BANNED) + r")\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
MERGE = re.compile(r"^(?:<{7} |>{7} )", re.M)
NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(match):
    """Keeps the line ends, so that line numbers stay right."""
    return "".join(c if c == "\n" else " " for c in match.group())


def files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(d for d in folders if not SKIP.match(d))
        for name in sorted(names):
            path = os.path.join(folder, name)
            yield os.path.relpath(path, root), path


def check_c(name, text):
    for match in INCLUDE.finditer(text):
        header = os.path.basename(match.group(1))
        if header in DOORS and not any(fnmatch.fnmatch(name, door) for door in DOORS[header]):
            if name.startswith("tests/") and header in TESTS_MAY:
                continue
            line = text.count("\n", 0, match.start(1)) + 1
            yield f"{name}:{line}: {header} belongs to {' '.join(DOORS[header]) or 'nobody'} only"
    for number, line in enumerate(text.split("\n"), 1):
        width = len(line.expandtabs(8))
        if width > WIDTH:
            yield f"{name}:{number}: {width} columns wide, more than {WIDTH}"
    code = NO_CODE.sub(blank, text)
    for match in CALL.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        yield f"{name}:{line}: {match.group(1)}() is banned"


def is_script(name, text):
    return "." not in os.path.basename(name) and text.startswith("#!")


def check(root):
    found = []
    for name, path in files(root):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        merge = MERGE.search(text)
        if merge:
            line = text.count("\n", 0, merge.start()) + 1
            found.append(f"{name}:{line}: a merge was not finished here")
        if name.endswith(C_FILES):
            found += check_c(name, text)
        if name.endswith(LICENSED) or os.path.basename(name) == "meson.build" or is_script(name, text):
            if "SPDX-License-Identifier: MIT" not in "\n".join(text.split("\n")[:3]):
                found.append(f"{name}:1: the line SPDX-License-Identifier: MIT is missing")
    return found


def self_test():
    licence = "/* SPDX-License-Identifier: MIT */\n"
    tree = {
        "api/http/http_mhd.c": licence + "#include <microhttpd.h>\n",
        "api/other.c": licence + "\n#include <microhttpd.h>\n",
        "server/focus/curve/curve_fit.c": licence + "#include <cminpack-1/cminpack.h>\n",
        "web/a.c": licence + '/* sleep(1) */ const char *s = "system(";\nint x = fscanf(f);\n'
                             "void mysleep(void);\n",
        "web/b.c": licence + "\n\tsleep (1);\n",
        "web/c.c": "int x;\n",
        "web/wide.c": licence + "\t/* " + "x" * 106 + " */\n\t/* " + "x" * 107 + " */\n",
        "packaging/tool": "#!/bin/sh\n",
        "web/merged.md": "text\n" + "<" * 7 + " HEAD\nmore\n",
    }
    with tempfile.TemporaryDirectory() as root:
        for name, text in tree.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        found = sorted(line.split(": ")[0] for line in check(root))
    expected = ["api/other.c:3", "packaging/tool:1", "web/b.c:3", "web/c.c:1", "web/merged.md:2", "web/wide.c:3"]
    if found != expected:
        print(f"found {found}, expected {expected}")
        return 1
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    found = check(sys.argv[1])
    for line in found:
        print(line)
    return 1 if found else 0


sys.exit(main())
