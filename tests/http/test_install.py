# SPDX-License-Identifier: MIT
"""What `meson install` installs, below a folder that stands for the root of a machine."""
import pathlib
import shutil
import subprocess

import pytest
from conftest import BINARY, DEADLINE_S, ROOT

BUILD = pathlib.Path(BINARY).resolve().parent.parent
# As meson installs without a --prefix.
PREFIX = "usr/local"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if shutil.which("meson") is None or not (BUILD / "build.ninja").exists():
        pytest.skip("the program was not built by meson")
    root = tmp_path_factory.mktemp("machine")
    result = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(root)],
                            capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert result.returncode == 0, result.stderr
    return root


def test_the_whole_is_there(machine):
    installed = {str(path.relative_to(machine)) for path in machine.rglob("*") if path.is_file()}
    expected = {f"{PREFIX}/bin/focusd", f"{PREFIX}/lib/systemd/system/focusd.service",
                f"{PREFIX}/lib/udev/rules.d/60-focusd.rules", f"{PREFIX}/lib/udev/rules.d/95-focusd-peace.rules",
                f"{PREFIX}/share/man/man1/focusd.1", f"{PREFIX}/share/man/man5/focusd.conf.5",
                *(f"{PREFIX}/share/doc/focusd/{name}" for name in ("README.md", "LICENSE", "NOTICE", "CHANGELOG.md")),
                *(f"{PREFIX}/share/doc/focusd/{folder}/{path.name}"
                  for folder in ("examples", "examples/systemd")
                  for path in (ROOT / "packaging" / folder.split("/")[-1]).glob("*.conf"))}
    assert installed == expected
    # Empty, and where the program looks whatever the prefix is.
    assert (machine / "etc/focusd").is_dir()


def test_the_program_runs_from_there(machine):
    result = subprocess.run([machine / PREFIX / "bin/focusd", "--version"], capture_output=True, text=True,
                            timeout=DEADLINE_S, check=False)
    assert result.returncode == 0 and result.stdout.startswith("focusd")


def test_the_unit_starts_what_was_installed(machine):
    unit = machine / PREFIX / "lib/systemd/system/focusd.service"
    lines = unit.read_text(encoding="utf-8").splitlines()
    assert f"ExecStart=/{PREFIX}/bin/focusd serve" in lines
    assert "RestartPreventExitStatus=2" in lines
    # Groups of character devices exist once their module is loaded; the unit has it loaded first.
    for group, module in (("char-ttyUSB", "usbserial"), ("char-ttyACM", "cdc_acm")):
        assert f"DeviceAllow={group} rw" in lines
        for word in ("Wants", "After"):
            assert any(line.startswith(f"{word}=") and f"modprobe@{module}.service" in line for line in lines)


def test_systemd_accepts_the_unit(machine):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = machine / PREFIX / "lib/systemd/system/focusd.service"
    text = unit.read_text(encoding="utf-8").replace(f"/{PREFIX}/bin/focusd", str(machine / PREFIX / "bin/focusd"))
    copy = machine / "focusd.service"
    copy.write_text(text, encoding="utf-8")
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True,
                            timeout=DEADLINE_S, check=False)
    complaints = [line for line in result.stderr.splitlines() if "focusd" in line]
    assert complaints == []
