# SPDX-License-Identifier: MIT
"""The limit tests of the official conformance check, for every focuser there is.

The checker sends a focuser to 0, below 0, to the middle, to MaxStep and above it, and wants each move to end there
within two steps and without an error; but it does so only where it finds temperature compensation.  So these tests
do it for every driver, from the place where it stands and back, and look at where the motor stood by its own count."""
import pathlib

import pytest
from conftest import Device, Observatory, until
from wire import Member

TOLERANCE = 2  # FocuserMoveTolerance of the checker

# A name, the kind of emulator, what it is started with, lines of the configuration, and the motor's own limits.
SERIAL = {
    "moonlite": ("moonlite", {"position": 3000, "max": 20000}, "max_step = 20000\n", (0, 20000)),
    "moonlite reversed": (
        "moonlite", {"position": 3000, "max": 20000}, "max_step = 20000\nreverse = yes\n", (0, 20000)),
    "myfocuserpro2": ("myfocuserpro2", {"position": 3000, "max": 20000}, "", (0, 20000)),
    "myfocuserpro2 reversed": ("myfocuserpro2", {"position": 3000, "max": 20000}, "reverse = yes\n", (0, 20000)),
    "myfocuserpro2 with a shorter range": (
        "myfocuserpro2", {"position": 3000, "max": 20000}, "max_step = 15000\n", (0, 15000)),
    "celestron": ("celestron", {"position": 20000}, "", (2000, 40000)),
    "celestron with backlash": ("celestron", {"position": 20000}, "backlash_steps = 400\n", (2000, 40000)),
    "celestron reversed": ("celestron", {"position": 20000}, "reverse = yes\n", (2000, 40000)),
    "celestron with a shorter range": ("celestron", {"position": 20000}, "max_step = 30000\n", (2000, 32000)),
    "celestron reversed with a shorter range": (
        "celestron", {"position": 20000}, "max_step = 30000\nreverse = yes\n", (10000, 40000)),
    "celestron calibrated while it is served": (
        "celestron", {"position": 1234, "faults": ("uncalibrated",)}, "", (2000, 40000)),
    "celestron calibrated while it is served, reversed": (
        "celestron", {"position": 1234, "faults": ("uncalibrated",)}, "reverse = yes\n", (2000, 40000)),
}
SIMULATED = {
    "simulator": "[focuser.0]\ndriver = simulator\n",
    "simulator reversed": "[focuser.0]\ndriver = simulator\nreverse = yes\nbacklash_steps = 60\n",
    "simulator under a replay camera": (
        "[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = replay\npath = {frames}\n"),
}


class Setup:
    """A server with one focuser, and the limits that the motor may not leave by its own count."""

    def __init__(self, name, folder, frames):
        self.limits = None
        self.device = None
        if name in SIMULATED:
            self.observatory = Observatory(folder, time_factor=200, simulate=False,
                                           config=SIMULATED[name].format(frames=frames))
            return
        kind, options, lines, self.limits = SERIAL[name]
        self.device = Device(folder, kind, time_factor=200, **options)
        self.observatory = Observatory(folder, simulate=False, config=(
            f"[focuser.0]\ndriver = {kind}\nport = {self.device.path}\nopen_wait_ms = 0\n{lines}"))

    def stop(self):
        self.observatory.stop()
        if self.device is not None:
            self.device.stop()


@pytest.fixture(params=[*SERIAL, *SIMULATED])
def setup(request, tmp_path, frames):
    made = Setup(request.param, tmp_path, pathlib.Path(frames) / "c8-sweep")
    yield made
    made.stop()


def move(focuser, target, end):
    """As the checker moves: at rest before, no error, and in place at the end."""
    assert focuser.get("ismoving") is False
    focuser.put("move", Position=target)
    until(lambda: focuser.get("ismoving") is False, f"the move to {target} ends")
    assert abs(focuser.get("position") - end) <= TOLERANCE
    # N.I.N.A. forgives no step.
    assert focuser.get("position") == end


def test_limits(setup):
    focuser = Member(setup.observatory.client(), "focuser/0")
    focuser.put("connected", Connected="True")
    if setup.observatory.focuser_state()["move_refusal"]:
        focuser.client.put("focuser/0/action", Action="Calibrate", Parameters="start")
        until(lambda: setup.observatory.focuser_state()["calibration"]["state"] == "done", "it is calibrated")
        until(lambda: focuser.get("ismoving") is False, "it rests")
    highest = focuser.get("maxstep")
    if setup.limits is not None:
        assert highest == setup.limits[1] - setup.limits[0]
    start = focuser.get("position")
    assert 0 <= start <= highest
    seen = []
    for target, end in ((0, 0), (-10, 0), (highest // 2, highest // 2), (highest, highest), (highest + 10, highest),
                        (1, 1), (highest - 1, highest - 1), (start, start)):
        move(focuser, target, end)
        seen.append(setup.observatory.focuser_state()["motor_position"])
    if setup.limits is not None:
        low, high = setup.limits
        assert low - TOLERANCE <= min(seen) <= low + TOLERANCE
        assert high - TOLERANCE <= max(seen) <= high + TOLERANCE
