# SPDX-License-Identifier: MIT
"""Our emulated myFocuserPro2 under INDI's own driver, which nobody of us wrote."""
import pytest
from indi import device, stranger  # noqa: F401  fixtures

DRIVER = ("indi_myfocuserpro2_focus", "MyFocuserPro2")


@pytest.fixture
def pair(device, stranger):  # noqa: F811
    """Emulator and driver, connected at 20000, 10 degrees."""

    def make(**options):
        emulated = device("myfocuserpro2", position=20000, **options)
        indi = stranger(*DRIVER)
        # The last of its properties: by then it has read all that the controller keeps.
        indi.connect(emulated.path, ready="FOCUS_COIL_POWER")
        indi.wait(lambda: indi.position == 20000, "the position is read")
        return emulated, indi

    return make


def test_connects_and_moves(pair):
    emulated, indi = pair(time_factor=1000)
    assert any("firmware 291" in message for message in indi.messages), indi.messages
    indi.wait(lambda: indi["FOCUS_MAX"]["FOCUS_MAX_VALUE"] == 80000, "the limit is read")
    for target in (23000, 0, 80000, 22999):
        # It says that it has arrived before it has read where.
        indi.start_move(target)
        indi.wait(lambda to=target: indi.position == to and indi["ABS_FOCUS_POSITION"].state == "Ok", f"at {target}")
    assert ":0523000#" in emulated.sent() and ":0580000#" in emulated.sent()


def test_aborts(pair):
    emulated, indi = pair(time_factor=1)
    indi.start_move(60000)
    indi.wait(lambda: indi.position > 20000, "the motor is on its way")
    indi.set("FOCUS_ABORT_MOTION", ABORT="On")
    indi.wait(lambda: indi["ABS_FOCUS_POSITION"].state == "Idle", "the motion is aborted")
    indi.wait(lambda: ":27#" in emulated.sent(), "the halt is on the wire")

    def readings():
        return [reply for reply in emulated.wire("<").split("#") if reply.startswith("P")]

    # Read back from the device: two readings agree only when it stands.
    before = len(readings())
    indi.wait(lambda: len(readings()) > before + 2, "it is read again")
    assert readings()[-1] == readings()[-2]
    assert 20000 < int(readings()[-1][1:]) < 60000


def test_temperature(pair):
    _, indi = pair(temperature=-2.5)
    indi.wait(lambda: indi["FOCUS_TEMPERATURE"]["TEMPERATURE"] == -2.5, "the temperature is read")


def test_sync(pair):
    emulated, indi = pair()
    assert indi.set_and_wait("FOCUS_SYNC", FOCUS_SYNC_VALUE=1234) == "Ok"
    indi.wait(lambda: indi.position == 1234, "the new position is read")
    assert ":311234#" in emulated.sent()
    assert not [command for command in emulated.sent() if command.startswith(":05")]


def test_home(pair):
    emulated, indi = pair(time_factor=1000)
    indi.set("FOCUS_HOME", GOTO_HOME="On")
    # It does not always publish the 0 that it reads.
    indi.wait(lambda: "P0#" in emulated.wire("<"), "it is at 0")
    assert ":28#" in emulated.sent()


def test_what_the_controller_keeps(pair):
    """What the emulator says of itself, in INDI's reading, and what INDI sets, in ours."""
    emulated, indi = pair(faults=["own-backlash"])
    # The first character of 6120# is the name of the field.
    assert indi["BACKLASH_IN_VALUE"]["Steps"] == 120
    assert indi["BACKLASH_IN_TOGGLE"]["INDI_ENABLED"] == "On"
    assert indi["BACKLASH_OUT_VALUE"]["Steps"] == 0
    assert indi["FOCUS_SPEED"]["FOCUS_SPEED_VALUE"] == 2
    assert indi["FOCUS_STEP_MODE"].chosen == "FULL_STEP"
    assert indi["FOCUS_TEMPERATURE_SETTINGS"]["Coefficient"] == 2
    assert indi["FOCUS_TEMPERATURE_COMPENSATION"].chosen == "TEMP_COMPENSATE_DISABLE"
    for name, member, value, command in (("BACKLASH_OUT_VALUE", "Steps", 50, ":7950#"),
                                         ("FOCUS_SPEED", "FOCUS_SPEED_VALUE", 1, ":1501#"),
                                         ("FOCUS_STEP_MODE", "QUARTER_STEP", "On", ":304#"),
                                         ("FOCUS_REVERSE_MOTION", "INDI_ENABLED", "On", ":141#")):
        assert indi.set_and_wait(name, **{member: value}) == "Ok", name
        indi.wait(lambda text=command: text in emulated.sent(), f"{command} is on the wire")
