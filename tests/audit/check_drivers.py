#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whether each registered focuser driver with a port has everything that CONTRIBUTING, "Adding a focuser driver",
asks for.  A driver that is not finished is told what is missing, so the list of what is left writes itself.

check_drivers.py ROOT; check_drivers.py --self-test makes sure that it would find something.
"""
import pathlib
import re
import sys
import tempfile


def serial_drivers(root):
    """Names of the drivers in driver_list.c that have a port, with the folder of each."""
    listed = set(re.findall(r"^\t&(\w+),", (root / "drivers/driver_list.c").read_text(encoding="utf-8"), re.M))
    for path in sorted((root / "drivers").glob("*/*.c")):
        for symbol, body in re.findall(r"^const struct focuser_driver (\w+) = \{(.*?)^\};",
                                       path.read_text(encoding="utf-8"), re.M | re.S):
            if symbol in listed and ".uses_port = true" in body:
                yield re.search(r"\.name = \"(\w+)\"", body).group(1), path, symbol


def check(root):
    def text(name):
        return (root / name).read_text(encoding="utf-8") if (root / name).is_file() else ""

    def any_text(pattern):
        return "\n".join(path.read_text(encoding="utf-8") for path in sorted(root.glob(pattern)))

    emulators = any_text("drivers/emulators/*.c")
    kinds = re.search(r"emulator_kinds\[\] = \{(.*?)\}", text("drivers/emulators/kinds.c"), re.S)
    for name, path, symbol in serial_drivers(root):
        where = path.relative_to(root)
        if path.parent.name != name:
            yield f"{where}: the driver {name} belongs into drivers/{name}"
        if symbol != f"{name}_driver":
            yield f"{where}: {symbol} should be called {name}_driver"
        for wanted in (f"drivers/{name}/{name}_codec.h", f"drivers/{name}/{name}_codec.c",
                       f"tests/unit/drivers/test_{name}_codec.c", f"tests/fuzz/fuzz_{name}.c",
                       f"tests/fuzz/dict/{name}.dict", f"packaging/examples/{name}.conf"):
            if not (root / wanted).is_file():
                yield f"{name}: there is no {wanted}"
        if not list(root.glob(f"tests/fuzz/corpus/{name}/*")):
            yield f"{name}: tests/fuzz/corpus/{name} is empty"
        if "script_pipe" not in any_text(f"tests/unit/drivers/test_{name}*.c"):
            yield f"{name}: no tests/unit/drivers/test_{name}_*.c looks at its exact bytes (script_pipe)"
        if not any_text(f"tests/http/test_{name}*.py"):
            yield f"{name}: no tests/http/test_{name}*.py takes it through the server"
        if not re.search(rf"\.name = \"{name}\"", emulators) or kinds is None or f"&emu_{name}" not in kinds.group(1):
            yield f"{name}: focusd emulate {name} does not exist"
        for page in ("README.md", "CHANGELOG.md", "packaging/man/focusd.1", "packaging/man/focusd.conf.5"):
            if not re.search(rf"\b{name}\b", text(page)):
                yield f"{page}: {name} is not named"


def self_test():
    """A tree with nothing but a driver lacks everything else."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "drivers/toast").mkdir(parents=True)
        (root / "drivers/driver_list.c").write_text("\t&toaster,\n\t&absent_driver,\n", encoding="utf-8")
        (root / "drivers/toast/toast_driver.c").write_text(
            "const struct focuser_driver toaster = {\n\t.name = \"toast\",\n\t.uses_port = true,\n};\n"
            "const struct focuser_driver other = {\n\t.name = \"other\",\n\t.uses_port = true,\n};\n", encoding="utf-8")
        found = list(check(root))
    if len(found) != 15 or any("toast" not in line for line in found):
        print("found", *found, sep="\n")
        return 1
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    found = list(check(pathlib.Path(sys.argv[1])))
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
