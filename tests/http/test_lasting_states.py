# SPDX-License-Identifier: MIT
"""What lasts all night stands in the log once: when it begins, when its reason changes, and when it ends."""
import re

import pytest
from conftest import AlpacaError, until
from test_frame_types import CASES, write_fits


def lines(server, text):
    return [line for line in server.log().splitlines() if text in line]


def test_an_absent_device_is_told_once_and_that_it_came(make_observatory, tmp_path):
    folder = tmp_path / "later"
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = replay\npath = {folder}\n"))

    def connect_in_vain(times):
        for _ in range(times):
            with pytest.raises(AlpacaError):
                server.put("camera/0/connected", Connected="True")

    connect_in_vain(25)
    assert len(lines(server, "camera.0: ")) == 1, server.log()
    assert "No such file" in lines(server, "camera.0: ")[0]
    # Another reason is news.
    folder.mkdir()
    connect_in_vain(15)
    assert len(lines(server, "camera.0: ")) == 2, server.log()
    case = CASES["16"]
    write_fits(folder / "star_5000_1s.fits", case["bitpix"], case["code"], case["values"], case["bzero"])
    server.put("camera/0/connected", Connected="True")
    assert lines(server, "camera.0: connected after 40 failed tries")


def test_a_loose_cable_is_told_once(make_observatory, make_emulator):
    emulator = make_emulator(7600)
    server = make_observatory(simulate=False, time_factor=1, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    for _ in range(3):
        emulator.stop()
        until(lambda: server.focuser_state()["link"] == "lost", "the link is lost")
        emulator.start(7600)
        until(lambda: server.focuser_state()["link"] == "up", "the link is back")
    told = lines(server, "link lost")
    # A terminal that ends is met in more than one way; each of them is told once.
    reasons = [re.sub(r".*link lost: |\d", "", line) for line in told]
    assert len(set(reasons)) == len(reasons), server.log()
    assert len(lines(server, "link is back")) == len(told)
    assert len(lines(server, "max_step=")) == 1 + len(told)


def test_exposures_that_always_fail_are_told_once(make_observatory):
    """A guiding program exposes on and on."""
    server = make_observatory(config="[simulator]\nfail_every = 1\n")
    server.connect()
    for _ in range(4):
        server.put("camera/0/startexposure", Duration=0.01, Light="True")
        # A start takes the error of the last exposure away.
        until(lambda: server.get("camera/0/camerastate") == 5, "the exposure fails")
    assert len(lines(server, "exposure failed")) == 1, server.log()
