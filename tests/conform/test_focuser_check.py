# SPDX-License-Identifier: MIT
"""The focuser part of the official conformance check, one test for each of its checks, in its order:
twice in a row on one server, then once more while another client polls; on the simulator and on a
serial focuser with temperature compensation.  Its pauses run on a shortened clock."""
import time

import pytest
from conftest import SANITIZED, Emulator, Observatory, until
from wire import STATE_NAMES, Member, Poller, is_of

RUNS = ("first", "polled") if SANITIZED else ("first", "second", "polled")
POLLED = ["focuser/0/devicestate", "focuser/0/connected", "focuser/0/ismoving", "focuser/0/position"]
TOLERANCE = 2  # FocuserMoveTolerance
STEP_S = 0.01  # the checker looks every 500 ms


@pytest.fixture(scope="module", params=["simulator", "moonlite"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("focuser")
    if request.param == "simulator":
        observatory = Observatory(folder, time_factor=200)
        emulator = None
    else:
        emulator = Emulator(folder, 3000, "--max", "20000", "--speed", "1000")
        observatory = Observatory(folder, simulate=False, config=(
            f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nmax_step = 20000\n"
            "open_wait_ms = 0\n"))
    yield observatory
    observatory.stop()
    if emulator is not None:
        emulator.stop()


def begin(focuser):
    """The checker's way in, up to its connect; every step of it is a check."""
    assert focuser.get("interfaceversion") == 4
    for _ in range(2):
        assert focuser.get("connecting") is False
    focuser.put("connected", Connected="True")
    assert focuser.get("connected") is True
    focuser.put("connected", Connected="False")
    assert focuser.get("connected") is False
    focuser.put("connect")
    until(lambda: focuser.get("connecting") is False, "connecting ends")
    assert focuser.get("connected") is True


@pytest.fixture(scope="module", params=RUNS)
def focuser(request, server):
    poller = None
    if request.param == "polled":
        second = server.client()
        second.put("focuser/0/connected", Connected="True")
        poller = Poller(second, POLLED)
    member = Member(server.client(), "focuser/0")
    begin(member)
    yield member
    member.put("disconnect")
    until(lambda: member.get("connecting") is False, "connecting ends")
    assert member.get("connected") is False
    if poller is not None:
        poller.stop()
    member.client.close()


def move(focuser, target, end=None):
    """As the checker moves: at rest before, moving or there at once after, and in place at the end."""
    assert focuser.get("ismoving") is False
    start = focuser.get("position")
    focuser.put("move", Position=target)
    # At a high time factor a short move may be over by now; then it must have arrived.
    if not focuser.get("ismoving"):
        assert focuser.get("position") != start or target == start or end is not None
    until(lambda: focuser.get("ismoving") is False, f"the move to {target} ends", pause_s=STEP_S)
    # The checker allows two steps; N.I.N.A. none.
    assert focuser.get("position") == (target if end is None else end)


def tenth(focuser):
    position, highest = focuser.get("position"), focuser.get("maxstep")
    target = position + highest // 10
    if target >= highest:
        target = position - round(highest / 10)
    if abs(target - position) > focuser.get("maxincrement"):
        target = position + focuser.get("maxincrement")
    return target


# ---- common members ----

def test_interfaceversion(focuser):
    assert focuser.get("interfaceversion") == 4


def test_connected(focuser):
    assert focuser.get("connected") is True


@pytest.mark.parametrize("name", ["description", "driverinfo", "name"])
def test_texts(focuser, name):
    assert isinstance(focuser.get(name), str) and focuser.get(name)


def test_driverversion(focuser):
    major, _, minor = focuser.get("driverversion").partition(".")
    assert major.isdigit() and minor.isdigit()


def test_supportedactions(focuser):
    actions = focuser.get("supportedactions")
    assert all(isinstance(name, str) and name for name in actions)
    assert not {"SafetyEvents", "SetExternalEvents", "ClearExternalEvents"} & set(actions)
    assert not any("SIMULATOR" in name.upper() for name in actions)


def test_devicestate(focuser):
    state = focuser.state()
    for name, value in state.items():
        assert is_of(value, STATE_NAMES["focuser"][name]), f"{name}={value!r}"
    assert {"IsMoving", "Position", "TimeStamp"} <= set(state)
    # A value that a member has is in the state, and one that it has not is not.
    assert ("Temperature" in state) == (focuser.read("temperature")[1] == 0)


# ---- properties ----

def test_absolute(focuser):
    assert focuser.get("absolute") is True


def test_ismoving_is_false(focuser):
    assert focuser.get("ismoving") is False


def test_maxstep(focuser):
    assert focuser.get("maxstep") >= 1


def test_maxincrement(focuser):
    assert focuser.get("maxincrement") == focuser.get("maxstep")


def test_position(focuser):
    assert 0 <= focuser.get("position") <= focuser.get("maxstep")


def test_stepsize(focuser):
    value, number = focuser.read("stepsize")
    assert number == 0x400 or value > 0


def test_tempcompavailable(focuser):
    assert is_of(focuser.get("tempcompavailable"), bool)


def test_tempcomp_read(focuser):
    assert is_of(focuser.get("tempcomp"), bool)
    assert focuser.get("tempcompavailable") or focuser.get("tempcomp") is False


def test_tempcomp_write(focuser):
    before = focuser.get("tempcomp")
    if focuser.get("tempcompavailable"):
        for value in (True, False):
            focuser.put("tempcomp", TempComp=value)
            assert focuser.get("tempcomp") is value
        focuser.put("tempcomp", TempComp=before)
    else:
        for value in (True, False):
            assert focuser.write("tempcomp", TempComp=value) == 0x400


def test_temperature(focuser):
    value, number = focuser.read("temperature")
    assert number in (0x400, 0x402) or -50 < value < 50


# ---- methods ----

def test_halt(focuser):
    focuser.put("halt")
    until(lambda: focuser.get("ismoving") is False, "it rests")


def test_move_and_back(focuser):
    start = focuser.get("position")
    move(focuser, tenth(focuser))
    move(focuser, start)


def test_move_and_back_with_tempcomp(focuser):
    if not focuser.get("tempcompavailable"):
        pytest.skip("this focuser has no temperature compensation")
    focuser.put("tempcomp", TempComp=True)
    assert focuser.get("tempcomp") is True
    start = focuser.get("position")
    move(focuser, tenth(focuser))
    move(focuser, start)
    assert focuser.get("tempcomp") is True
    focuser.put("tempcomp", TempComp=False)


@pytest.mark.parametrize("name", ["to 0", "below 0", "to midpoint", "to MaxStep", "above MaxStep"])
def test_move(focuser, name):
    highest = focuser.get("maxstep")
    target, end = {"to 0": (0, 0), "below 0": (-10, 0), "to midpoint": (highest // 2, highest // 2),
                   "to MaxStep": (highest, highest), "above MaxStep": (highest + 10, highest)}[name]
    move(focuser, target, end)


def test_targets_far_outside(focuser):
    highest = focuser.get("maxstep")
    move(focuser, 2**31 - 1, highest)
    move(focuser, -2**31, 0)


def test_ismoving_does_not_flicker(server, focuser):
    """Once false it stays false, and the position with it."""
    focuser.put("move", Position=focuser.get("maxstep") // 3)
    until(lambda: focuser.get("ismoving") is False, "the move ends", pause_s=0)
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        assert focuser.get("ismoving") is False
        assert focuser.get("position") == focuser.get("maxstep") // 3
