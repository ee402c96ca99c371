# SPDX-License-Identifier: MIT
"""The whole program on a real serial port, as far as the program can tell: the serial port library opens a
pseudo terminal that tests/serial/fake_serial.c makes pass for one, with the emulated focuser behind it."""
import os
import pathlib

import pytest
from conftest import BINARY, AlpacaError, until

FAKE = pathlib.Path(BINARY).parent.parent / "tests" / "serial" / "fake_serial.so"


@pytest.fixture
def ports(tmp_path, monkeypatch):
    """The folder of ports for processes started from now on."""
    folder = tmp_path / "ports"
    folder.mkdir()
    monkeypatch.setenv("FOCUSD_TEST_PORTS", str(folder))
    monkeypatch.setenv("LD_PRELOAD", str(FAKE))
    # Only the order in which libraries are loaded; what is found still counts.
    options = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv("ASAN_OPTIONS", f"{options}:verify_asan_link_order=0".lstrip(":"))
    return folder


def test_moonlite_on_a_serial_port(make_emulator, ports, make_observatory):
    emulator = make_emulator(7600)
    port = ports / "ttyUSB7"
    port.symlink_to(os.readlink(emulator.path))
    log = ports / "ttyUSB7.log"
    server = make_observatory(simulate=False, config=(
        "[focuser.0]\ndriver = moonlite\nport = /dev/ttyUSB7\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 7600
    assert log.read_text(encoding="utf-8") == "open dtr=1 rts=1\n"
    server.put("focuser/0/move", Position=9000)
    assert server.wait_still() == 9000

    # Closed and opened again the lines never fall: an Arduino is not reset.
    server.put("focuser/0/connected", Connected="False")
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 9000
    assert log.read_text(encoding="utf-8") == "open dtr=1 rts=1\nclose dtr=1 rts=1\nopen dtr=1 rts=1\n"

    # Somebody who asks for the port is told who has it.
    second = make_observatory(simulate=False, config=(
        "[focuser.0]\ndriver = moonlite\nport = /dev/ttyUSB7\nopen_wait_ms = 0\n"))
    with pytest.raises(AlpacaError) as error:
        second.put("focuser/0/connected", Connected="True")
    assert "/dev/ttyUSB7 is in use by another program" in error.value.message
    assert f"focusd (pid {server.process.pid})" in error.value.message

    # The cable is pulled, and put back.
    emulator.stop()
    port.unlink()
    until(lambda: "link lost: /dev/ttyUSB7 is gone" in server.log(), "the loss is noticed")
    emulator.start(9000)
    port.symlink_to(os.readlink(emulator.path))
    until(lambda: "link is back" in server.log(), "the link comes back")
    server.put("focuser/0/move", Position=8000)
    assert server.wait_still() == 8000
