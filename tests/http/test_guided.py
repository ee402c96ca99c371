# SPDX-License-Identifier: MIT
"""Guided focusing: the person (here this file) turns where it is told to and says where the focuser stands.  What is true
comes from the simulator's configuration, or from frames whose best position other programs measured."""
import pytest
from conftest import (INVALID_OPERATION, NOT_CONNECTED, SHARED, VALUE_NOT_SET, AlpacaError, until)

TELESCOPE = "[telescope.0]\nfocal_length_mm = 1400\naperture_mm = 203\nobstruction_mm = 69\n"


def refused(call, number):
    with pytest.raises(AlpacaError) as error:
        call()
    assert error.value.number == number, error.value
    return error.value.message


def news(server, before):
    """The session as soon as there is something else for the person to do than before."""
    def look():
        status = server.action("GuidedFocus")
        over = status["state"] != "running"
        return status if over or (status["phase"] == "turn" and
                                  (status["exposures"], status["target"]) != before) else None
    return until(look, "the next thing to do")


def follow(server, turn):
    """Does what it is told until the session is over; turn(status) is the person."""
    server.action("GuidedFocus", "start")
    before = None
    for _ in range(80):
        status = news(server, before)
        if status["state"] != "running":
            return status
        before = (status["exposures"], status["target"])
        turn(status)
    raise AssertionError(f"it never ends: {status}")


def test_a_person_comes_to_the_best_focus(make_observatory):
    """The motor stands for the hand: it goes where the person is told to turn to, by way of where to turn back."""
    server = make_observatory(config="[simulator]\nbest_position = 21000\n", time_factor=1000)
    server.connect()
    server.put("focuser/0/move", Position=20000)
    server.wait_still()
    said = []

    def turn(status):
        assert status["turn"] in ("in", "out") and status["steps"] > 0
        assert (status["turn"] == "out") == ((status["via"] or status["target"]) > status["position"])
        said.append(status["say"])
        for place in (status["via"], status["target"]):
            if place is not None:
                server.put("focuser/0/move", Position=place)
                server.wait_still()

    status = follow(server, turn)
    assert status["state"] == "succeeded", status
    assert status["say"].startswith("Stop: it is in focus at ")
    run, number = server.focus()
    assert number == 0
    # As near as an autofocus run has to come: within a quarter of the critical focus zone.
    assert abs(status["best_position"] - 21000) < run["critical_focus_zone_steps"] / 4
    assert abs(status["position"] - 21000) < run["critical_focus_zone_steps"] / 2
    assert all(line.startswith("Turn ") for line in said)
    assert 7 <= status["exposures"] <= 40 and len(status["points"]) >= 5
    # The session itself has moved nothing: each move in the log was asked for by this test or the run.
    assert "guided: succeeded" in server.log()


def test_a_knob_and_recorded_frames(make_observatory):
    frames = SHARED / "data" / "frames" / "c8-sweep"
    if not frames.is_dir():
        pytest.skip(f"without {frames} there are no recorded frames")
    server = make_observatory(simulate=False, time_factor=100, config=(
        "[focuser.0]\ndriver = manual\nsteps_per_turn = 1000\nmax_step = 65535\n"
        f"[camera.0]\ndriver = replay\npath = {frames}\npixel_size_um = 3.8\n" + TELESCOPE))
    server.connect()
    server.action("SetPosition", "7600")
    status = follow(server, lambda s: server.action("SetPosition", {"position": s["target"]}))
    assert status["state"] == "succeeded", status
    # packaging/examples/c8-replay.conf: measured independently from these frames.
    assert abs(status["best_position"] - 7990) <= 10
    assert server.get("focuser/0/ismoving") is False
    assert server.get("focuser/0/position") == status["position"]


@pytest.fixture
def knob(make_observatory):
    server = make_observatory(simulate=False, time_factor=100, config=(
        "[focuser.0]\ndriver = manual\nmax_step = 12000\n[focuser.1]\ndriver = simulator\ncamera = 0\n"
        "[camera.0]\ndriver = simulator\n"))
    server.put("focuser/0/connected", Connected="True")
    return server


def test_what_is_missing_is_said(knob):
    assert knob.action("GuidedFocus") == {"session": 0, "state": "none"}
    assert "SetPosition" in refused(lambda: knob.action("GuidedFocus", "start"), VALUE_NOT_SET)
    knob.action("SetPosition", "5000")
    refused(lambda: knob.action("GuidedFocus", "start"), NOT_CONNECTED)
    assert knob.action("GuidedFocus") == {"session": 0, "state": "none"}


def test_it_ends_when_it_is_told_to(knob):
    knob.put("focuser/1/connected", Connected="True")
    knob.put("camera/0/connected", Connected="True")
    knob.action("SetPosition", "5000")
    first = knob.action("GuidedFocus", "start")
    assert (first["session"], first["state"]) == (1, "running")
    assert "guided focusing is going on" in refused(lambda: knob.action("GuidedFocus", "start"), INVALID_OPERATION)
    refused(lambda: knob.action("MeasureStars"), INVALID_OPERATION)
    until(lambda: knob.action("GuidedFocus")["phase"] == "turn", "it waits for the person")
    knob.action("GuidedFocus", "end")
    status = until(lambda: (s := knob.action("GuidedFocus"))["state"] == "ended" and s, "the end")
    assert status["phase"] == "over" and status["turn"] is None
    # The camera is free at once, and another session has another number.
    assert knob.action("MeasureStars")["stars"] >= 0
    assert knob.action("GuidedFocus", "start")["session"] == 2
    knob.stop()


def test_a_lost_focuser_is_waited_for(knob):
    knob.put("focuser/1/connected", Connected="True")
    knob.put("camera/0/connected", Connected="True")
    knob.action("SetPosition", "5000")
    knob.action("GuidedFocus", "start")
    until(lambda: knob.action("GuidedFocus")["phase"] == "turn", "it waits for the person")
    knob.put("focuser/0/connected", Connected="False")
    status = until(lambda: (s := knob.action("GuidedFocus"))["turn"] is None and s, "it says what is missing")
    assert "connect it" in status["say"]
    knob.put("focuser/0/connected", Connected="True")
    status = until(lambda: (s := knob.action("GuidedFocus"))["turn"] is not None and s, "it goes on")
    assert status["position"] == 5000
    knob.action("GuidedFocus", "end")
    until(lambda: knob.action("GuidedFocus")["state"] == "ended", "the end")


def test_a_turn_during_the_exposure_does_not_count(make_observatory):
    """Such a frame was taken at no place; the same place is wished again."""
    server = make_observatory(simulate=False, time_factor=2, config=(
        "[focuser.0]\ndriver = manual\nmax_step = 12000\n[focuser.1]\ndriver = simulator\ncamera = 0\n"
        "[camera.0]\ndriver = simulator\n"))
    for device in ("focuser/0", "focuser/1", "camera/0"):
        server.put(f"{device}/connected", Connected="True")
    server.action("SetPosition", "5000")
    server.action("GuidedFocus", "start")
    until(lambda: server.action("GuidedFocus")["say"].startswith("Leave the knob alone"), "the exposure")
    server.action("SetPosition", "5100")
    status = until(lambda: (s := server.action("GuidedFocus"))["phase"] == "turn" and s, "the next thing to do")
    assert (status["exposures"], status["points"]) == (1, [])
    assert (status["turn"], status["steps"], status["target"]) == ("in", 100, 5000)
    server.action("GuidedFocus", "end")
    until(lambda: server.action("GuidedFocus")["state"] == "ended", "the end")
