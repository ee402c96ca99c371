#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whether each registered focuser driver with a port has everything that CONTRIBUTING, "Adding a focuser driver",
asks for, and each registered camera driver what "Adding a camera driver" does.  A driver that is not finished is told
what is missing, so the list of what is left writes itself.

check_drivers.py ROOT; check_drivers.py --self-test makes sure that it would find something.
"""
import pathlib
import re
import sys
import tempfile


def registered(root, kind):
    """Name, file, symbol and table of each driver of this kind in driver_list.c."""
    listed = set(re.findall(r"^\t&(\w+),", (root / "drivers/driver_list.c").read_text(encoding="utf-8"), re.M))
    for path in sorted((root / "drivers").rglob("*.c")):
        for symbol, body in re.findall(rf"^const struct {kind}_driver (\w+) = \{{(.*?)^\}};",
                                       path.read_text(encoding="utf-8"), re.M | re.S):
            if symbol in listed:
                yield re.search(r"\.name = \"(\w+)\"", body).group(1), path, symbol, body


def serial_drivers(root):
    """Focuser drivers that have a port of their own."""
    for name, path, symbol, body in registered(root, "focuser"):
        if ".uses_port = true" in body and ".behind_server = true" not in body:
            yield name, path, symbol


def check_bridges(root):
    """Focuser drivers whose device another server has: what stands for the device is a server in the tests."""
    def find(pattern, files):
        return any(re.search(pattern, path.read_text(encoding="utf-8"), re.M)
                   for path in sorted(root.glob(files)) if path.is_file())

    for name, path, symbol, body in registered(root, "focuser"):
        if ".behind_server = true" not in body:
            continue
        if path.parent.name != name or symbol != f"{name}_driver":
            yield f"{path.relative_to(root)}: {symbol} should be called {name}_driver and stand in drivers/{name}"
        if not list(root.glob(f"tests/fuzz/fuzz_{name}*.c")):
            yield f"{name}: no tests/fuzz/fuzz_{name}*.c tries what the server says"
        for pattern, files, what in (
                (rf"\[focuser\.\d\]\\ndriver = {name}\b", "tests/http/test_*.py", "a test through the whole server"),
                (rf"^\[focuser\.\d\][^\[]*^driver = {name}\b", "packaging/examples/*.conf", "a configuration to copy"),
                (rf"`{name}`", "README.md", "a row of the hardware table"),
                (rf"\b{name}\b", "CHANGELOG.md", "a line"),
                (rf"^\.Cm {name}\b", "packaging/man/focusd.conf.5", "a paragraph under Drivers")):
            if not find(pattern, files):
                yield f"{name}: {files} has no focuser of this kind: {what} is missing"


def check_cameras(root):
    """A camera driver may share its family with a focuser; its name may differ from the folder's."""
    def find(pattern, files):
        return any(re.search(pattern, path.read_text(encoding="utf-8"), re.M)
                   for path in sorted(root.glob(files)) if path.is_file())

    for name, path, symbol, body in registered(root, "camera"):
        where = path.relative_to(root)
        family = path.parent.name
        if symbol != f"{family}_camera_driver" or path.name != f"{family}_camera.c":
            yield f"{where}: {symbol} should be called {family}_camera_driver and stand in {family}_camera.c"
        for op in ("title", "open", "close", "start_exposure", "poll", "abort"):
            if f".{op} = " not in body:
                yield f"{where}: the table of {name} has no {op}"
        for pattern, files, what in (
                (rf"^\t\{{\"{name}\", ", "tests/unit/drivers/contract_camera/rows.c", "a row for each shape of frame"),
                (rf"camera_driver_find\(\"{name}\"\)", "tests/unit/*/test_*.c", "a unit test of its own"),
                (rf"\[camera\.\d\]\\ndriver = {name}\b", "tests/http/test_*.py", "a test through the whole server"),
                (rf"^\[camera\.\d\][^\[]*^driver = {name}\b", "packaging/examples/*.conf", "a configuration to copy"),
                (rf"\b{name}\b", "README.md", "a row of the hardware table"),
                (rf"\b{name}\b", "CHANGELOG.md", "a line"),
                (rf"\b{name}\b", "packaging/man/focusd.conf.5", "a paragraph under Drivers")):
            if not find(pattern, files):
                yield f"{name}: {files} has no camera of this kind: {what} is missing"


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
        if not re.search(rf"^# driver: {name}$", any_text("tests/unit/drivers/transcripts/*.txt"), re.M):
            yield f"{name}: there is no transcript of it in tests/unit/drivers/transcripts (ninja transcripts)"
        for page in ("README.md", "CHANGELOG.md", "packaging/man/focusd.1", "packaging/man/focusd.conf.5"):
            if not re.search(rf"\b{name}\b", text(page)):
                yield f"{page}: {name} is not named"


def self_test():
    """A tree with nothing but a driver of each kind lacks everything else."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "drivers/toast").mkdir(parents=True)
        (root / "drivers/driver_list.c").write_text(
            "\t&toaster,\n\t&absent_driver,\n\t&oven,\n\t&grill,\n", encoding="utf-8")
        (root / "drivers/toast/toast_driver.c").write_text(
            "const struct focuser_driver toaster = {\n\t.name = \"toast\",\n\t.uses_port = true,\n};\n"
            "const struct focuser_driver other = {\n\t.name = \"other\",\n\t.uses_port = true,\n};\n", encoding="utf-8")
        (root / "drivers/toast/grill.c").write_text(
            "const struct focuser_driver grill = {\n\t.name = \"grill\",\n\t.uses_port = true,\n"
            "\t.behind_server = true,\n};\n", encoding="utf-8")
        (root / "drivers/toast/toast_camera.c").write_text(
            "const struct camera_driver oven = {\n\t.name = \"oven\",\n\t.title = \"Oven\",\n};\n", encoding="utf-8")
        found = list(check(root))
        cameras = list(check_cameras(root))
        bridges = list(check_bridges(root))
    if len(bridges) != 7 or any("grill" not in line for line in bridges):
        print("found", *bridges, sep="\n")
        return 1
    if len(cameras) != 13 or any("oven" not in line for line in cameras):
        print("found", *cameras, sep="\n")
        return 1
    if len(found) != 16 or any("toast" not in line for line in found):
        print("found", *found, sep="\n")
        return 1
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    root = pathlib.Path(sys.argv[1])
    found = list(check(root)) + list(check_cameras(root)) + list(check_bridges(root))
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
