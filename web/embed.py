#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes files, gzip-compressed, as a C table of struct web_asset: embed.py OUTPUT NAME=FILE...

Comments that fill whole lines of scripts and styles stay at home: they were a tenth of what the page weighs."""
import gzip
import hashlib
import re
import sys

COMMENT = re.compile(rb"^[ \t]*(?:/\*.*?\*/[ \t]*|//[^\n]*)\n", re.M | re.S)

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


def main():
    output, entries = sys.argv[1], [arg.split("=", 1) for arg in sys.argv[2:]]
    rows = []
    with open(output, "w", encoding="ascii") as out:
        out.write('#include "web_private.h"\n')
        for i, (name, path) in enumerate(entries):
            with open(path, "rb") as file:
                plain = file.read()
            if name.endswith((".js", ".css")) and ".min." not in name:
                plain = COMMENT.sub(b"", plain)
            data = gzip.compress(plain, mtime=0)
            out.write(f"static const unsigned char data_{i}[] = {{")
            for start in range(0, len(data), 24):
                out.write("\n" + ",".join(str(b) for b in data[start:start + 24]) + ",")
            out.write("\n};\n")
            etag = hashlib.sha256(plain).hexdigest()[:16]
            kind = TYPES[name.rsplit(".", 1)[1]]
            rows.append(f'\t{{"/{name}", "{kind}", "\\"{etag}\\"", data_{i}, sizeof data_{i}, {len(plain)}}},\n')
        out.write("const struct web_asset web_assets[] = {\n" + "".join(rows) + "};\n")
        out.write("const size_t web_asset_count = sizeof web_assets / sizeof web_assets[0];\n")


main()
