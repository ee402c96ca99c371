# SPDX-License-Identifier: MIT
"""The serial focuser, played by the emulator, and real frames from the replay camera.

7990 is the best focus of the C8 frames as measured independently from the sweep of 34 frames.
"""
import shutil

import pytest
from conftest import (BAD_FIT, FOCUSER_FAILED, INVALID_OPERATION, NO_MINIMUM, NO_STARS, ROOT,
                      VALIDATION, AlpacaError, until)

NO_FOCUS = (NO_STARS, BAD_FIT, NO_MINIMUM, VALIDATION)


def config(port, path, extra=""):
    return (f"[focuser.0]\ndriver = moonlite\nport = {port}\nopen_wait_ms = 0\n{extra}"
            f"[camera.0]\ndriver = replay\npath = {path}\n"
            "[telescope.0]\nfocal_length_mm = 1400\naperture_mm = 203\nobstruction_mm = 69\n")


@pytest.fixture
def make_telescope(make_observatory):
    def make(emulator, folder, extra=""):
        server = make_observatory(simulate=False, config=config(emulator.path, folder, extra))
        server.connect()
        return server
    return make


def copies(source, folder, positions):
    """The same frame under names that say positions, as if it had been taken there."""
    folder.mkdir()
    ending = ".fits.gz" if source.name.endswith(".gz") else ".fits"
    for position in positions:
        shutil.copy(source, folder / f"x_{position}_3s{ending}")
    return folder


def test_moves_and_halts(make_observatory, emulator):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 7600
    assert server.get("focuser/0/maxstep") == 65535
    for target in (7700, 7600, 0, 7999):
        server.put("focuser/0/move", Position=target)
        assert server.get("focuser/0/ismoving") is True
        assert server.wait_still() == target
    server.put("focuser/0/move", Position=65535)
    until(lambda: server.get("focuser/0/position") > 7999, "the motor runs")
    server.put("focuser/0/halt")
    rest = server.wait_still()
    assert 7999 < rest < 65535


def test_min_step(make_observatory, emulator):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n"
        "min_step = 7000\nmax_step = 8000\n"))
    server.put("focuser/0/connected", Connected="True")
    server.put("focuser/0/move", Position=6999)
    assert server.wait_still() == 7000
    server.put("focuser/0/move", Position=9000)
    assert server.wait_still() == 8000


def test_a_real_telescope_comes_to_focus(make_observatory, emulator, frames):
    """With the example that a user would take, port and path filled in."""
    text = (ROOT / "packaging" / "examples" / "c8-replay.conf").read_text(encoding="utf-8")
    for line, value in (("port = /dev/pts/PUT-THE-NUMBER-HERE", f"port = {emulator.path}"),
                        ("path = /PUT/THE/FOLDER/HERE/c8-sweep", f"path = {frames / 'c8-sweep'}")):
        assert line in text
        text = text.replace(line, value)
    server = make_observatory(simulate=False, config=text)
    server.connect()
    run, number = server.focus()
    assert (run["state"], number) == ("succeeded", 0), run["reason"]
    assert run["best_position"] == pytest.approx(7990, abs=10)
    low, high = run["interval95_steps"]
    assert low <= 7990 <= high
    assert server.get("focuser/0/position") == run["final_position"]
    assert run["start_position"] == 7600


@pytest.mark.parametrize("name, numbers", [
    ("huntsman_dark.fits.gz", (NO_STARS,)),
    ("fram_trailed.fits.gz", NO_FOCUS),
    ("pocs_trail.fits", NO_FOCUS),
])
def test_hopeless_frames(make_telescope, emulator, frames, tmp_path, name, numbers):
    folder = copies(frames / name, tmp_path / "night", range(7000, 9001, 100))
    server = make_telescope(emulator, folder)
    run, number = server.focus()
    assert run["state"] == "failed"
    assert number in numbers, run["reason"]
    assert run["reason"] and run["error_number"] == number
    assert server.wait_still() == 7600 == run["final_position"]
    # It said why, and works on.
    server.put("focuser/0/move", Position=7650)
    assert server.wait_still() == 7650


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_one_side_of_the_curve(make_telescope, make_emulator, frames, tmp_path, side):
    folder = tmp_path / "half"
    folder.mkdir()
    for path in (frames / "c8-sweep").iterdir():
        position = int(path.name.split("_")[1])
        if position <= 7850 if side == "inside" else position >= 8100:
            shutil.copy(path, folder)
    start = 7600 if side == "inside" else 8300
    server = make_telescope(make_emulator(start), folder)
    run, number = server.focus()
    assert run["state"] == "failed"
    assert number in NO_FOCUS, run["reason"]
    assert server.wait_still() == start


def test_the_cable_is_pulled_in_a_run(make_telescope, make_emulator, frames):
    emulator = make_emulator(7600)
    server = make_telescope(emulator, frames / "c8-sweep")
    server.action("Autofocus")
    until(lambda: len(server.action("AutofocusStatus")["points"]) >= 2, "two points")
    emulator.stop()
    run, number = server.wait_run()
    assert (run["state"], number) == ("failed", FOCUSER_FAILED), run["reason"]
    assert run["reason"]
    # The server answers on: the last position is not sold as a fresh one, and nothing may move.
    assert server.get("focuser/0/connected") is True
    with pytest.raises(AlpacaError):
        server.get("focuser/0/position")
    with pytest.raises(AlpacaError):
        server.put("focuser/0/move", Position=8000)
    assert server.raw("GET", "/healthz").status == 200
    # The port comes back with the motor elsewhere, and it stays there.
    emulator.start(5000)

    def position():
        try:
            return server.get("focuser/0/position")
        except AlpacaError:
            return None

    until(lambda: position() is not None, "the link is up again", pause_s=0.05)
    # The failed move is told for five seconds, then ismoving reads false; it never reads true.
    def resting():
        try:
            assert server.get("focuser/0/ismoving") is False
            return True
        except AlpacaError:
            return False

    until(resting, "the failure has been told", pause_s=0.05)
    for _ in range(20):
        assert server.get("focuser/0/ismoving") is False
        assert server.get("focuser/0/position") == 5000
    server.put("focuser/0/move", Position=5010)
    assert server.wait_still() == 5010


def test_no_such_port(make_observatory, tmp_path):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {tmp_path}/absent\nopen_wait_ms = 0\n"))
    with pytest.raises(AlpacaError) as error:
        server.put("focuser/0/connected", Connected="True")
    assert 0x500 <= error.value.number <= 0x5FF
    assert "absent" in error.value.message
    assert server.get("focuser/0/connected") is False


def test_a_silent_port(make_observatory, make_emulator):
    """Somebody else's device: it opens, and never answers."""
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {make_emulator(0, '--fault', 'silent').path}\n"
        "open_wait_ms = 0\n"))
    with pytest.raises(AlpacaError) as error:
        server.put("focuser/0/connected", Connected="True")
    assert 0x500 <= error.value.number <= 0x5FF
    assert error.value.number != INVALID_OPERATION
