# SPDX-License-Identifier: MIT
"""Our emulated Moonlite controller under INDI's own driver, which nobody of us wrote."""
import pytest
from indi import device, stranger  # noqa: F401  fixtures

DRIVER = ("indi_moonlite_focus", "MoonLite")


@pytest.fixture
def pair(device, stranger):  # noqa: F811
    """Emulator and driver, connected at 20000, 10 degrees."""

    def make(**options):
        emulated = device("moonlite", position=20000, **options)
        indi = stranger(*DRIVER)
        indi.connect(emulated.path)
        indi.wait(lambda: indi.position == 20000, "the position is read")
        return emulated, indi

    return make


def test_connects_and_moves(pair):
    emulated, indi = pair(time_factor=1000)
    assert any("firmware version 1.0" in message for message in indi.messages), indi.messages
    for target in (23000, 0, 65535, 22999):
        assert indi.move(target) == target
    assert ":SN59D8#" in emulated.sent() and ":SNFFFF#" in emulated.sent() and ":FG#" in emulated.sent()


def test_aborts(pair):
    emulated, indi = pair(time_factor=1)
    indi.start_move(60000)
    indi.wait(lambda: indi.position > 20000, "the motor is on its way")
    indi.set("FOCUS_ABORT_MOTION", ABORT="On")
    indi.wait(lambda: indi["ABS_FOCUS_POSITION"].state == "Idle", "the motion is aborted")
    indi.wait(lambda: ":FQ#" in emulated.sent(), "the device is told")
    # Where it says it is after the halt: always the same.
    def readings():
        replies = emulated.wire("<", after=":FQ#").split("#")
        return [reply for reply in replies if len(reply) == 4 and reply != "0014"]

    indi.wait(lambda: len(readings()) > 2, "it is read again")
    assert len(set(readings())) == 1
    # It does not tell of changes of up to five steps.
    indi.wait(lambda: abs(indi.position - int(readings()[-1], 16)) <= 5, "the last position is told")
    assert 20000 < indi.position < 60000


def test_temperature(pair):
    _, indi = pair(temperature=-2.5)
    indi.wait(lambda: indi["FOCUS_TEMPERATURE"]["TEMPERATURE"] == -2.5, "the temperature is read")


def test_sync(pair):
    emulated, indi = pair()
    assert indi.set_and_wait("FOCUS_SYNC", FOCUS_SYNC_VALUE=1234) == "Ok"
    indi.wait(lambda: indi.position == 1234, "the new position is read")
    assert ":SP04D2#" in emulated.sent() and ":FG#" not in emulated.sent()


def test_speed_and_step_mode(pair):
    emulated, indi = pair()
    # INDI counts speeds 1 (fastest) to 5 (slowest).
    assert indi["FOCUS_SPEED"]["FOCUS_SPEED_VALUE"] == 1
    assert indi.set_and_wait("FOCUS_SPEED", FOCUS_SPEED_VALUE=3) == "Ok"
    indi.wait(lambda: ":SD08#" in emulated.sent(), "the device is told")
    assert indi["Step Mode"].chosen == "FOCUS_FULL_STEP"
    assert indi.set_and_wait("Step Mode", FOCUS_HALF_STEP="On") == "Ok"
    indi.wait(lambda: ":SH#" in emulated.sent(), "the device is told")
