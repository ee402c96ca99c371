#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Walks the tables: each route has a handler or a reason and is named in a test; each option is in the manual
page and in the annotated example; each driver is in README and manual; each error code has a number of Alpaca;
each driver's absent operations are ones that its header allows to be absent.

check_tables.py ROOT; check_tables.py --self-test makes sure that it would find something.
"""
import pathlib
import re
import sys


def code_of(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def check_routes(routes, tests):
    rows = re.findall(r"^\t(NO_)?(READ|WRITE|FIELD|FIELD_IF|FIELD_KNOWN|SETTING|SETTING_IF)\((?:ROUTE_\w+,)?\s*"
                      r"\"(\w+)\"(.*?)\),$", code_of(routes), re.M | re.S)
    if len(rows) < 80:
        yield f"route_table.c: only {len(rows)} rows were understood"
    for absent, kind, member, rest in rows:
        if not absent and kind in ("READ", "WRITE") and not re.search(r"\b(common|focuser|camera)_\w+", rest):
            yield f"route_table.c: {member} has no handler"
        if not re.search(rf"\b{member}\b", tests):
            yield f"route_table.c: {member} is named in no test"


def check_options(table, manual, example):
    rows = re.findall(r"^\t(?:\w+\()?\{?\"(\w+(?:\.N)?)\",\s*\"(\w+)\"", code_of(table), re.M)
    if len(rows) < 30:
        yield f"config_table.c: only {len(rows)} rows were understood"
    for section, name in rows:
        if not re.search(rf"^\.It Va {name}\b", manual, re.M):
            yield f"focusd.conf.5: [{section}] {name} is missing"
        if not re.search(rf"^[#;]?\s*{name}\s*=", example, re.M):
            yield f"examples/focusd.conf: [{section}] {name} is missing"


def check_command_line(sources, manual):
    """Every --option that a subcommand's help tells of."""
    for name, text in sources.items():
        for option in sorted(set(re.findall(r"--([a-z][a-z-]+)", "".join(re.findall(r'"((?:\\.|[^"\\])*)"', text))))):
            if not re.search(rf"Fl (?:\w , )?-{option}\b", manual):
                yield f"focusd.1: --{option} of {name} is missing"


def check_drivers(listed, headers, sources, readme, manual):
    """sources: path -> text below drivers/; headers: {"focuser": text, "camera": text}."""
    required = {kind: {op for op in re.findall(r"\(\*(\w+)\)\(", text)} for kind, text in headers.items()}
    optional = {kind: set(re.findall(r"\b(\w+)\b[^.;]{0,80}may be absent", text)) |
                set(re.findall(r"/\* (?:optional|may be NULL)[^*]*\*/\s*[^;]*?\(\*(\w+)\)", text))
                for kind, text in headers.items()}
    found = {}
    for path, text in sources.items():
        for kind, symbol, body in re.findall(
                r"const struct (focuser|camera)_driver (\w+) = \{(.*?)\n\};", code_of(text), re.S):
            found[symbol] = (path, kind, body)
    for symbol in re.findall(r"&(\w+_(?:focuser|camera|driver)\w*)", code_of(listed)):
        if symbol not in found:
            yield f"driver_list.c: the table {symbol} was not found"
            continue
        path, kind, body = found[symbol]
        name = re.search(r"\.name = \"(\w+)\"", body)
        if name is None:
            yield f"{path}: {symbol} has no name"
            continue
        for text, where in ((readme, "README.md"), (manual, "focusd.conf.5")):
            if not re.search(rf"\b{name.group(1)}\b", text):
                yield f"{where}: the driver {name.group(1)} is not named"
        present = set(re.findall(r"\.(\w+) =", body))
        for op in ("open", "close", "poll"):
            if op in required[kind] and op not in present and op not in optional[kind]:
                yield f"{path}: {symbol} has no {op}"
        # What its open() claims, it must be able to do.
        source = code_of(sources[path])
        for claim, op in (("can_stop", "stop"), ("can_abort", "abort"), ("has_temp_comp", "set_tempcomp"),
                          ("temp_comp_available", "set_tempcomp"), ("tempcomp", "set_tempcomp")):
            if re.search(rf"caps(?:->|\.){claim} = true", source) and op in required[kind] and op not in present:
                yield f"{path}: {symbol} claims {claim} without {op}"


def check_errors(header, source):
    codes = re.findall(r"\b(ERR_[A-Z_]+)\b", code_of(re.search(r"enum err_code \{(.*?)\}", header, re.S).group(1)))
    switches = code_of(source)
    for code in codes:
        if code not in ("ERR_CODE_COUNT", "ERR_OK") and f"case {code}:" not in switches:
            yield f"{code} has no number of Alpaca"


def check(root):
    def read(name):
        return (root / name).read_text(encoding="utf-8")

    tests = "\n".join(path.read_text(encoding="utf-8") for folder in ("http", "unit", "conform")
                      for path in sorted((root / "tests" / folder).rglob("*")) if path.suffix in (".py", ".c"))
    manual = read("packaging/man/focusd.conf.5")
    sources = {str(path.relative_to(root)): path.read_text(encoding="utf-8")
               for path in sorted((root / "drivers").rglob("*.c"))}
    headers = {"focuser": read("drivers/include/focuser_driver.h"), "camera": read("drivers/include/camera_driver.h")}
    errors = "\n".join(path.read_text(encoding="utf-8") for path in
                       [root / "server/base/err.c", *sorted((root / "api").rglob("*.c"))])
    yield from check_routes(read("api/alpaca/route_table.c"), tests)
    yield from check_options(read("server/config/config_table.c"), manual, read("packaging/examples/focusd.conf"))
    commands = {path.name: path.read_text(encoding="utf-8") for path in sorted((root / "server").glob("*.c"))}
    yield from check_command_line(commands, read("packaging/man/focusd.1"))
    yield from check_drivers(read("drivers/driver_list.c"), headers, sources, read("README.md"), manual)
    yield from check_errors(read("server/base/include/err.h"), errors)


def self_test():
    found = [
        *check_routes("\tREAD(ROUTE_ANY, \"alpha\", VALUE_INT, 0, common_alpha),\n" * 80 +
                      "\tREAD(ROUTE_ANY, \"beta\", VALUE_INT, 0, NULL),\n", "alpha"),
        *check_errors("enum err_code { ERR_OK, ERR_IO, /* ERR_OLD */ ERR_CODE_COUNT };", "/* case ERR_IO: */"),
        *check_drivers("&x_driver", {"focuser": "void (*open)(void); void (*poll)(void);", "camera": ""},
                       {"x.c": "const struct focuser_driver x_driver = {\n\t.name = \"x\", .open = o,\n};"}, "x", ""),
    ]
    expected = ["route_table.c: beta has no handler", "route_table.c: beta is named in no test", "ERR_IO has no number of Alpaca",
                "focusd.conf.5: the driver x is not named", "x.c: x_driver has no poll"]
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
