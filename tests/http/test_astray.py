# SPDX-License-Identifier: MIT
"""A motor that goes somewhere else than it was sent, with each driver through the whole server: it is halted after
steps, sent once, told in a sentence, and a run that holds it moves nothing more.  What went over the wire is read from
the emulator's own log.
"""
import pytest
from conftest import AlpacaError, until

STALLED = 0x504
HOME = 20000
# driver: steps a second of its emulated motor (drivers/emulators), goto and halt on the wire (their protocols),
# tolerance of arrival (its caps), the motor's own number that clients see as 0 (the emulators' limits)
DRIVERS = {
    "moonlite": (500, r":FG#", r":FQ#", 2, 0),
    "myfocuserpro2": (500, r":05\d+#", r":27#", 2, 0),
    "celestron": (300, None, None, 5, 2000),
}
# What astray.h forgives: 50 steps, the tolerance, the ramp of 50 ms; then three looks of at most 200 ms each, and as
# much again for the halt and a busy machine.
SECONDS_ASTRAY = 0.05 + 0.6 + 0.6


def bound(driver):
    speed, _, _, tolerance, _ = DRIVERS[driver]
    return 50 + tolerance + SECONDS_ASTRAY * speed


def lowest(driver):
    return DRIVERS[driver][4]


def serve(make_observatory, driver, path, extra=""):
    server = make_observatory(simulate=False, config=f"[focuser.0]\ndriver = {driver}\nport = {path}\n"
                              f"open_wait_ms = 0\nconnect = start\n{extra}")
    until(lambda: server.get("focuser/0/connected"), "the focuser is connected")
    return server


def failure_of(server):
    """The sentence that IsMoving tells when the move has failed."""
    told = []

    def failed():
        try:
            server.get("focuser/0/ismoving")
        except AlpacaError as error:
            told.append(error)
        return told
    until(failed, "the move fails")
    assert told[0].number == STALLED
    return told[0].message


def rest_of(server, driver):
    """Where the motor rests, when it does, as clients see it."""
    seen = []

    def rests():
        seen.append(server.focuser_state()["motor_position"])
        return len(seen) > 5 and len(set(seen[-5:])) == 1
    until(rests, "the motor rests", pause_s=0.3)
    return seen[-1] - lowest(driver)


def is_sent_once_and_halted(focuser, driver):
    _, goto, halt, _, _ = DRIVERS[driver]
    if goto is not None:
        assert len(focuser.sent(goto)) == 1
        assert len(focuser.sent(halt)) >= 1


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("fault, words", [("backwards", "went the other way"), ("misheard", "went the other way"),
                                          ("runs-past", "ran past it")])
def test_is_stopped_after_steps(make_observatory, device, driver, fault, words):
    focuser = device(driver, faults=[fault], position=HOME + lowest(driver), time_factor=1)
    server = serve(make_observatory, driver, focuser.path)
    target = HOME + 100
    server.put("focuser/0/move", Position=target)
    sentence = failure_of(server)
    assert f"was sent from {HOME} to {target} and {words}" in sentence
    assert "(reverse)" in sentence and "lost digits" in sentence and "other programs" in sentence
    rest = rest_of(server, driver)
    astray = rest - target if fault == "runs-past" else HOME - rest
    assert 50 < astray < bound(driver)
    is_sent_once_and_halted(focuser, driver)
    assert server.focuser_state()["trust"] == "unknown"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_run_fails_and_returns_nothing(make_observatory, device, driver):
    """The first way of the run goes astray: the run fails with that sentence, and nothing is moved, not even back."""
    focuser = device(driver, faults=["misheard"], position=HOME + lowest(driver), time_factor=1)
    server = serve(make_observatory, driver, focuser.path,
                   "[camera.0]\ndriver = simulator\n[telescope.0]\nfocal_length_mm = 1421\naperture_mm = 203\n"
                   f"[simulator]\nbest_position = {HOME + 200}\nwidth = 640\nheight = 480\n[autofocus]\nexposure_s = 1\n")
    server.put("camera/0/connected", Connected="True")
    until(lambda: server.get("camera/0/connected"), "the camera is connected")
    server.action("Autofocus")
    run, number = server.wait_run()
    assert number != 0
    assert run["state"] == "failed"
    assert "went the other way" in run["reason"] and "nothing moves" in run["reason"]
    rest = rest_of(server, driver)
    assert HOME - rest < bound(driver)
    is_sent_once_and_halted(focuser, driver)
    assert abs(run["final_position"] - rest) <= 2


@pytest.mark.parametrize("driver", ["moonlite", "myfocuserpro2"])
def test_somebody_elses_motion_is_not_halted(make_observatory, device, driver):
    focuser = device(driver, faults=["unasked-motion"], position=HOME, time_factor=1)
    server = serve(make_observatory, driver, focuser.path)
    until(lambda: server.get("focuser/0/position") == HOME + 200, "somebody has moved it")
    assert focuser.sent(DRIVERS[driver][2]) == []
    assert server.focuser_state()["trust"] == "known"
    assert "moved by somebody else" in server.log()
