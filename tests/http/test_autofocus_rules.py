# SPDX-License-Identifier: MIT
"""How runs end: abort goes back, Halt and a lost link stay.  What the motor was told is read from the
emulator's own record of the line, not from the server."""
import pytest
from conftest import (CANCELLED, FOCUSER_FAILED, INVALID_OPERATION, AlpacaError, Emulator, until)

MEMBERS = {"run", "state", "phase", "progress", "reason", "started", "duration_s", "focuser", "camera",
           "filter", "temperature_c", "start_position", "best_position", "final_position",
           "uncertainty_steps", "interval95_steps", "critical_focus_zone_steps", "hfr_start_px",
           "hfr_predicted_px", "hfr_final_px", "r_squared", "model", "exposures", "points"}
POINT_MEMBERS = {"position", "hfr_px", "error_px", "stars", "flux_ratio", "used", "why"}
# Why a point does not count.
WHY = {None, "no stars", "outlier", "cloud", "outside the window", "trailed", "backlash not taken up",
       "validation"}


class Rig:
    """A Moonlite focuser at 14000 whose line is recorded, and a simulated camera that sees it."""

    def __init__(self, make_observatory, folder, time_factor=1, motor_factor=1, extra=()):
        self.folder = folder
        self.record = folder / "line.log"
        self.emulator = None
        self.plug(14000, motor_factor, *extra)
        self.server = make_observatory(simulate=False, time_factor=time_factor, config=(
            f"[focuser.0]\ndriver = moonlite\nport = {folder}/focuser-port\nopen_wait_ms = 0\n"
            "step_size_um = 3\n[camera.0]\ndriver = simulator\n[simulator]\nbest_position = 14200\n"))
        self.server.connect()

    def plug(self, position, motor_factor=1, *extra):
        self.emulator = Emulator.__new__(Emulator)
        self.emulator.path = self.folder / "focuser-port"
        self.emulator.process = None
        self.emulator.start(position, "--verbose", "--time-factor", str(motor_factor), *extra,
                            record=self.record)

    def line(self):
        return self.record.read_text(encoding="utf-8", errors="replace")

    def starts(self):
        """How often the motor was told to move."""
        return self.line().count(":FG#")

    def moved_after_halt(self):
        """Whether the motor was told to move after it was told to stop."""
        assert ":FQ#" in self.line()
        return ":FG#" in self.line().rpartition(":FQ#")[2]


@pytest.fixture
def make_rig(make_observatory, tmp_path):
    rigs = []

    def make(**arguments):
        rigs.append(Rig(make_observatory, tmp_path, **arguments))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.emulator.stop()


def exposing(server):
    return lambda: server.get("camera/0/camerastate") == 2


def test_halt_while_exposing(make_rig):
    rig = make_rig()
    server = rig.server
    server.action("Autofocus", {"exposure_s": 60})
    until(exposing(server), "the first exposure")
    before = rig.starts()
    server.put("focuser/0/halt")
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    assert run["final_position"] == server.wait_still() == 14000
    assert "halted" in run["reason"]
    assert rig.starts() == before


@pytest.mark.parametrize("motor_factor, looks", [(1, 1), (4, 2)])
def test_halt_while_moving(make_rig, motor_factor, looks):
    rig = make_rig(time_factor=20, motor_factor=motor_factor)
    server = rig.server
    server.action("Autofocus", {"exposure_s": 1})
    until(lambda: len(server.action("AutofocusStatus")["points"]) >= looks
          and server.get("focuser/0/ismoving"), "a move after the first looks")
    server.put("focuser/0/halt")
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    rest = server.wait_still()
    assert run["final_position"] == rest
    assert str(rest) in run["reason"]
    assert not rig.moved_after_halt()


def test_halt_on_the_way_back(make_rig):
    rig = make_rig(time_factor=20)
    server = rig.server
    server.action("Autofocus", {"exposure_s": 1})
    until(lambda: abs(server.get("focuser/0/position") - 14000) > 100, "it is away")
    server.action("AutofocusAbort")
    until(lambda: server.action("AutofocusStatus")["phase"] == "returning", "the way back")
    server.put("focuser/0/halt")
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    rest = server.wait_still()
    assert run["final_position"] == rest != 14000
    assert "halted on the way back" in run["reason"] and "interrupted" not in run["reason"]
    assert not rig.moved_after_halt()


def test_abort_while_moving_is_told_before_the_motor_rests(make_rig):
    rig = make_rig(time_factor=20)
    server = rig.server
    server.action("Autofocus", {"exposure_s": 1})
    until(lambda: abs(server.get("focuser/0/position") - 14000) > 50, "it is away")
    server.action("AutofocusAbort")
    until(lambda: server.action("AutofocusStatus")["state"] == "aborted", "the state says so")
    status = server.action("AutofocusStatus")
    if status["phase"] == "returning":
        assert status["final_position"] is None
        with pytest.raises(AlpacaError) as error:
            server.action("Autofocus")
        assert error.value.number == INVALID_OPERATION
        assert str(status["run"]) in error.value.message
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    assert run["final_position"] == server.wait_still() == 14000


@pytest.mark.parametrize("moving", [False, True])
def test_a_lost_link_ends_the_run_and_nothing_moves(make_rig, moving):
    rig = make_rig(time_factor=1 if not moving else 20)
    server = rig.server
    server.action("Autofocus", {"exposure_s": 60 if not moving else 1})
    if moving:
        until(lambda: abs(server.get("focuser/0/position") - 14000) > 50, "it is away")
    else:
        until(exposing(server), "the first exposure")
    rig.emulator.stop()
    # The exposure of 60 s does not have to end first.
    run, number = server.wait_run()
    assert (run["state"], number) == ("failed", FOCUSER_FAILED)
    assert "link" in run["reason"] and "nothing moves" in run["reason"]
    assert run["exposures"] == 0 or moving
    before = rig.starts()
    rig.plug(13000)
    until(lambda: "link is back" in server.log(), "the link is back")
    # ismoving tells the failed move for five seconds; position does not.
    assert server.get("focuser/0/position") == 13000
    assert rig.starts() == before
    assert server.action("AutofocusStatus")["state"] == "failed"


def test_a_link_that_is_back_at_once_does_not_go_on(make_rig):
    """The port goes and comes during one long exposure: the run must not move the motor again."""
    rig = make_rig()
    server = rig.server
    server.action("Autofocus", {"exposure_s": 8})
    until(exposing(server), "the first exposure")
    rig.emulator.stop()
    before = rig.starts()
    rig.plug(14000)
    run, number = server.wait_run()
    assert (run["state"], number) == ("failed", FOCUSER_FAILED)
    until(lambda: "link is back" in server.log(), "the link is back")
    assert server.wait_still() == 14000
    assert rig.starts() == before


@pytest.mark.parametrize("moving", [False, True])
def test_a_disconnect_ends_the_run_as_that(make_rig, moving):
    """A person's word, by PUT connected or the page's button, is no lost link: the run is aborted, says who left it, and
    the motor stands where the run says."""
    rig = make_rig(time_factor=20 if moving else 1)
    server = rig.server
    started = server.action("Autofocus", {"exposure_s": 1 if moving else 60})["run"]
    if moving:
        until(lambda: abs(server.get("focuser/0/position") - 14000) > 50 and server.get("focuser/0/ismoving"),
              "it is away and moves")
    else:
        until(exposing(server), "the first exposure")
    before = rig.starts()
    name = server.get("focuser/0/name")
    server.put("focuser/0/connected", Connected="False")
    recorded = until(lambda: (lambda r: r["state"] != "running" and r["phase"] == "over" and r)(
        server.raw("GET", f"/focusd/v1/runs/{started}").json()), "the run is over")
    assert recorded["state"] == "aborted"
    assert f"{name} was disconnected" in recorded["reason"]
    assert "link" not in recorded["reason"]
    server.put("focuser/0/connected", Connected="True")
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    assert run["reason"] == recorded["reason"]
    assert server.get("focuser/0/position") == run["final_position"]
    assert str(run["final_position"]) in run["reason"]
    assert rig.starts() == before


def test_a_disconnect_of_the_camera_ends_the_run_as_that(make_rig):
    rig = make_rig(time_factor=20)
    server = rig.server
    server.action("Autofocus", {"exposure_s": 20})
    until(lambda: abs(server.get("focuser/0/position") - 14000) > 50, "it is away")
    name = server.get("camera/0/name")
    server.put("camera/0/connected", Connected="False")
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    assert f"{name} was disconnected" in run["reason"] and "back where the run began" in run["reason"]
    assert run["final_position"] == server.wait_still() == 14000


def test_over_means_free(make_observatory):
    """Whoever reads that the run is over may move, expose or start again in the next request."""
    server = make_observatory(time_factor=200, config="[simulator]\nwidth = 640\nheight = 480\n"
                              "[autofocus]\ntime_limit_s = 80000\n")
    server.connect()
    for _ in range(2):
        server.action("Autofocus", {"points": 5, "exposure_s": 1})
        until(lambda: server.action("AutofocusStatus")["state"] != "running", "the end", pause_s=0)
        server.put("focuser/0/move", Position=server.get("focuser/0/position"))
        server.put("camera/0/startexposure", Duration=0.1, Light=True)
        until(lambda: server.get("camera/0/imageready"), "the client's own frame")


def test_the_run_object(make_observatory):
    server = make_observatory(time_factor=100, config="[simulator]\nbest_position = 15000\n"
                              "[autofocus]\ntime_limit_s = 80000\n")
    server.connect()
    run, number = server.focus()
    assert number == 0, run["reason"]
    assert MEMBERS <= set(run)
    assert all(POINT_MEMBERS <= set(p) for p in run["points"])
    assert {p["why"] for p in run["points"]} <= WHY
    assert all((p["why"] is None) == p["used"] for p in run["points"])
    assert run["exposures"] == len(run["points"])
    assert run["reason"] is None and run["filter"] is None
    server.action("Autofocus", {"exposure_s": 30})
    server.action("AutofocusAbort")
    run, number = server.wait_run()
    assert (run["state"], number) == ("aborted", CANCELLED)
    assert MEMBERS <= set(run)
    for unknown in ("best_position", "uncertainty_steps", "interval95_steps", "hfr_predicted_px",
                    "hfr_final_px", "r_squared", "model", "critical_focus_zone_steps"):
        assert run[unknown] is None, unknown


@pytest.mark.parametrize("night, start", [
    ("backlash_steps = 100", None),         # backlash that nobody configured
    ("seeing_arcsec = 5\nstars = 5", None),
    ("cloud = 0.6", None),
    ("", 13400),                            # discs of sixty pixels
])
def test_hard_nights_end_in_focus(make_observatory, night, start):
    server = make_observatory(time_factor=100, seed=2, config=(
        f"[simulator]\nbest_position = 15000\n{night}\n[autofocus]\ntime_limit_s = 80000\n"))
    server.connect()
    if start is not None:
        server.put("focuser/0/move", Position=start)
        server.wait_still()
    run, number = server.focus()
    assert number == 0, run["reason"]
    assert abs(run["final_position"] - 15000) <= run["critical_focus_zone_steps"] / 4


@pytest.mark.parametrize("night", ["backlash_steps = 400", "slip_steps = 40", "cloud = 1"])
def test_hopeless_nights_say_so(make_observatory, night):
    """What the optics really did is not to be had from outside, so: in focus by the size, or back."""
    server = make_observatory(time_factor=100, seed=1, config=(
        f"[simulator]\nbest_position = 15000\n{night}\n[autofocus]\ntime_limit_s = 80000\n"))
    server.connect()
    start = server.get("focuser/0/position")
    run, number = server.focus()
    if number == 0:
        assert abs(run["final_position"] - 15000) <= run["critical_focus_zone_steps"] / 2
        return
    assert 0x510 <= number <= 0x513
    assert server.get("focuser/0/position") == start == run["final_position"]
    assert run["error_number"] == number and run["reason"]
