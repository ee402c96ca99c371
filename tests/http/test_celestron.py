# SPDX-License-Identifier: MIT
"""Celestron's focus motor, played by the emulator, behind the whole server.

What the emulator is comes from the description of the AUX bus: 300 counts a second, limits 2000..40000, a
calibration of some 200 seconds in 12 steps that ends in the middle, 1000 counts to a turn of the knob.
Published positions begin with 0 at the lower limit, so they are the motor's own less 2000.
"""
import json
import re

import pytest
from conftest import (INVALID_OPERATION, NOT_CONNECTED, AlpacaError, Emulator, until)


class Motor(Emulator):
    """The motor, fifty times faster than life: a calibration takes four seconds."""

    kind = "celestron"

    def __init__(self, folder, position=20000, *extra):
        self.log_path = folder / "wire.log"
        super().__init__(folder, position, "--verbose", *extra)

    def start(self, position, *extra, record=None):
        super().start(position, *extra, record=record or self.log_path)

    def sent(self):
        """What came from the host, escaped as the log has it."""
        lines = self.log_path.read_text(encoding="ascii", errors="replace").splitlines()
        return "".join(m.group(1) for m in (re.match(r"\S+Z > (.*)", line) for line in lines) if m)


# As the log writes them: 3B is ';', 12 and up to 1F escaped, 20 a blank, 24 '$', 2A '*'.
STOP = r";\x04 \x12$\x00\xA6"
CALIBRATE = r";\x04 \x12*\x01\x9F"
ABORT_CALIBRATION = r";\x04 \x12*\x00\xA0"


@pytest.fixture
def make_motor(tmp_path):
    running = []

    def make(*extra, position=20000):
        running.append(Motor(tmp_path, position, *extra))
        return running[-1]

    yield make
    for motor in running:
        motor.stop()


@pytest.fixture
def make_server(make_observatory):
    def make(motor, extra="", **arguments):
        server = make_observatory(simulate=False, config=(
            f"[focuser.0]\ndriver = celestron\nport = {motor.path}\n{extra}[camera.0]\ndriver = simulator\n"),
            **arguments)
        server.connect()
        return server
    return make


def refused(call, number, *words):
    with pytest.raises(AlpacaError) as error:
        call()
    assert error.value.number == number, error.value.message
    for word in words:
        assert word in error.value.message
    return error.value.message


def status(server):
    return server.action("Calibrate", "status")


def ended(server):
    return until(lambda: status(server)["state"] != "running" and status(server), "the calibration ends")


def test_moves_and_halts(make_motor, make_server):
    motor = make_motor()
    server = make_server(motor)
    assert server.get("focuser/0/position") == 18000
    assert server.get("focuser/0/maxstep") == 38000
    for target in (21000, 0, 38000, 37999, 18000):
        server.put("focuser/0/move", Position=target)
        assert server.get("focuser/0/ismoving") is True
        assert server.wait_still() == target
        state = server.focuser_state()
        assert abs(state["motor_position"] - (target + 2000)) <= 2
        assert state["numbering"] == {"low": 2000, "high": 40000, "reversed": False}
    # 2000 = 0007D0, the lower limit by the motor's own count.
    assert r"\x02\x00\x07\xD0" in motor.sent()
    assert re.search(r"^focusd_focuser_position_steps\{.*\} 18000$", server.raw("GET", "/metrics").text, re.M)
    assert re.search(r"^focusd_focuser_motor_position_steps\{.*\} (1999[89]|2000[0-2])$", server.raw("GET", "/metrics").text, re.M)
    server.put("focuser/0/move", Position=38000)
    until(lambda: server.get("focuser/0/position") > 18000, "the motor runs")
    server.put("focuser/0/halt")
    assert 18000 < server.wait_still() < 38000
    assert STOP in motor.sent() and CALIBRATE not in motor.sent()


def test_the_last_leg_goes_up(make_motor, make_server):
    motor = make_motor()
    server = make_server(motor, "backlash_steps = 400\n")
    server.put("focuser/0/move", Position=8000)
    assert server.wait_still() == 8000
    # The motor's 9600 = 002580 fast, then 10000 = 002710 slowly.
    assert r"\x02\x00%\x80" in motor.sent()
    assert r"\x17\x00'\x10" in motor.sent()
    before = len(motor.sent())
    server.put("focuser/0/move", Position=10000)
    assert server.wait_still() == 10000
    # Upwards it goes directly: one goto, to the motor's 12000 = 002EE0.
    assert motor.sent()[before:].count(r";\x06 \x12") == 1
    assert r"\x02\x00.\xE0" in motor.sent()[before:]


def test_reversed(make_motor, make_server):
    motor = make_motor()
    server = make_server(motor, "reverse = yes\nbacklash_steps = 400\n")
    # high - raw; the knob's upper end is 0.
    assert server.get("focuser/0/position") == 20000
    assert server.get("focuser/0/maxstep") == 38000
    server.put("focuser/0/move", Position=30000)
    assert server.wait_still() == 30000
    # Raw 10000, approached from raw 9600 as without reverse.
    assert r"\x02\x00%\x80" in motor.sent()
    assert r"\x17\x00'\x10" in motor.sent()
    server.put("focuser/0/move", Position=0)
    assert server.wait_still() == 0
    assert r"\x02\x00\x9C@" in motor.sent()


@pytest.mark.parametrize("fault", ["bare-ack", "echo", "foreign", "partial", "slow-start", "reset"])
def test_moves_in_spite_of(make_motor, make_server, fault):
    server = make_server(make_motor("--fault", fault))
    server.put("focuser/0/move", Position=21000)
    assert server.wait_still() == 21000


def test_a_goto_that_ends_elsewhere_is_repeated_slowly(make_motor, make_server):
    motor = make_motor("--fault", "wrong-position")
    server = make_server(motor)
    server.put("focuser/0/move", Position=21000)
    assert server.wait_still() == 21000
    assert r"\x02\x00Y\xD8" in motor.sent()
    assert r"\x17\x00Y\xD8" in motor.sent()


def test_another_device_is_refused(make_motor, make_observatory):
    motor = make_motor("--fault", "efa")
    server = make_observatory(simulate=False, config=f"[focuser.0]\ndriver = celestron\nport = {motor.path}\n")
    refused(lambda: server.put("focuser/0/connected", Connected="True"), 0x502, "PlaneWave EFA")


def test_a_dead_port_is_told_by_its_first_reason(make_motor, make_observatory):
    """Four tries later it is still the port, and not a question that only a motor that was found would be asked."""
    motor = make_motor("--fault", "silent")
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = celestron\nport = {motor.path}\nopen_wait_ms = 0\n"))
    refused(lambda: server.put("focuser/0/connected", Connected="True"), 0x501, "nothing answers on /dev/pts/",
            "check power, cable", "quirks = hand-controller", "quirks = aux-port")


def test_through_a_hand_controller(make_motor, make_server):
    motor = make_motor("--fault", "hand-controller")
    server = make_server(motor, "quirks = hand-controller\n")
    # The motor's 9000 = 002328: 23 is '#', which ends replies.
    for target in (7000, 21000):
        server.put("focuser/0/move", Position=target)
        assert server.wait_still() == target
    assert r"P\x04\x12\x02\x00#(\x00" in motor.sent()
    started = server.action("Calibrate")
    assert started["state"] == "running"
    assert ended(server)["state"] == "done"


def test_a_hand_controller_without_motor(make_motor, make_observatory):
    motor = make_motor("--fault", "hand-controller", "--fault", "no-motor")
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = celestron\nport = {motor.path}\nquirks = hand-controller\n"))
    refused(lambda: server.put("focuser/0/connected", Connected="True"), 0x501,
            "the hand controller answers, but no focus motor does")


def test_uncalibrated_it_does_not_move(make_motor, make_server):
    motor = make_motor("--fault", "uncalibrated", position=1234)
    server = make_server(motor)
    assert server.get("focuser/0/position") == 1234
    message = refused(lambda: server.put("focuser/0/move", Position=5000), INVALID_OPERATION,
                      "not calibrated", "Calibrate")
    assert message.startswith("Celestron focus motor is not calibrated")
    refused(lambda: server.action("Autofocus"), INVALID_OPERATION)
    assert server.get("focuser/0/ismoving") is False
    # Halting is always allowed.
    server.put("focuser/0/halt")
    assert status(server)["limits"] is None
    assert r"\x02\x00" not in motor.sent().replace(r"\x12\x02\x00", "GOTO") and "GOTO" not in motor.sent()


def test_below_zero(make_motor, make_server):
    server = make_server(make_motor("--fault", "negative"))
    # Clients are told the end of the range, and the page where the motor is by its own count.
    assert server.get("focuser/0/position") == 0
    assert server.focuser_state()["motor_position"] < 0


def test_calibrates(make_motor, make_server):
    motor = make_motor("--fault", "uncalibrated", position=1234)
    server = make_server(motor)
    assert "Calibrate" in server.get("focuser/0/supportedactions")
    assert status(server)["state"] == "none"
    # A start that the client sends again, because it did not hear the answer, is not a second one.
    body = "Action=Calibrate&Parameters=start&ClientID=7&ClientTransactionID=1"
    first, again = (server.raw("PUT", "/api/v1/focuser/0/action", body).json() for _ in range(2))
    assert first == again
    started = json.loads(first["Value"])
    assert started["state"] == "running" and started["of"] == 12 and started["limits"] is None
    assert server.get("focuser/0/ismoving") is True
    refused(lambda: server.put("focuser/0/move", Position=5000), INVALID_OPERATION, "calibrating")
    refused(lambda: server.action("Calibrate"), INVALID_OPERATION, "calibrating")
    refused(lambda: server.action("Autofocus"), INVALID_OPERATION, "calibrating")
    until(lambda: status(server)["step"] > 0, "it gets on")
    assert 0 < status(server)["progress"] <= 1
    done = ended(server)
    assert done["state"] == "done" and done["progress"] == 1 and done["reason"] is None
    assert done["limits"] == {"low": 2000, "high": 40000}
    # It stands in the middle now, and moves.
    assert server.wait_still() == 19000
    assert server.get("focuser/0/maxstep") == 38000
    server.put("focuser/0/move", Position=0)
    assert server.wait_still() == 0
    assert motor.sent().count(CALIBRATE) == 1
    assert ABORT_CALIBRATION not in motor.sent() and STOP not in motor.sent()


@pytest.mark.parametrize("how", ["abort", "halt"])
def test_calibration_is_aborted(make_motor, make_server, how):
    motor = make_motor("--time-factor", "1")
    server = make_server(motor)
    server.action("Calibrate")
    until(lambda: CALIBRATE in motor.sent(), "it is begun")
    if how == "abort":
        server.action("Calibrate", "abort")
    else:
        server.put("focuser/0/halt")
    aborted = ended(server)
    assert aborted["state"] == "aborted"
    server.wait_still()
    assert ABORT_CALIBRATION in motor.sent() and STOP not in motor.sent()
    # The limits of before are still there.
    assert aborted["limits"] == {"low": 2000, "high": 40000}
    server.put("focuser/0/move", Position=server.get("focuser/0/position") + 30)
    server.wait_still()


def test_the_end_of_the_server_ends_a_calibration(make_motor, make_server):
    motor = make_motor("--time-factor", "1")
    server = make_server(motor)
    server.action("Calibrate")
    until(lambda: CALIBRATE in motor.sent(), "it is begun")
    server.stop()
    assert ABORT_CALIBRATION in motor.sent()


def test_a_calibration_that_fails_says_what_helps(make_motor, make_server):
    server = make_server(make_motor("--fault", "calibration-fails", "--fault", "uncalibrated"))
    server.action("Calibrate")
    failed = ended(server)
    assert failed["state"] == "failed" and failed["limits"] is None
    assert re.search("at step [1-4] of 12", failed["reason"]), failed
    assert "loosen the plate" in failed["reason"] and "10 turns" in failed["reason"]
    # Told to everybody for a moment, as any operation that failed.
    refused(lambda: server.get("focuser/0/ismoving"), 0x504, "calibration failed", "try again")
    refused(lambda: server.put("focuser/0/move", Position=5000), INVALID_OPERATION, "not calibrated")


def test_a_calibration_goes_on_without_the_link(make_motor, make_server):
    motor = make_motor("--fault", "uncalibrated", "--time-factor", "10")
    server = make_server(motor)
    server.action("Calibrate")
    until(lambda: status(server)["step"] > 0, "it gets on")
    # Another motor of the same kind takes its place: one that has been calibrated meanwhile.
    motor.stop()
    until(lambda: "link lost" in server.log(), "the loss is seen")
    motor.start(21000, "--verbose")
    done = ended(server)
    assert done["state"] == "done" and done["limits"] == {"low": 2000, "high": 40000}
    assert server.wait_still() == 19000


@pytest.mark.parametrize("how", ["abort", "halt"])
def test_a_calibration_is_aborted_when_the_link_is_back(make_motor, make_server, tmp_path, how):
    cable = tmp_path / "cable"
    motor = make_motor("--fault", "drop-line", "--time-factor", "1", "--link", str(cable))
    motor.path = cable
    server = make_server(motor)
    server.action("Calibrate")
    until(lambda: "link lost" in server.log(), "the loss is seen")
    refused(lambda: server.action("Calibrate", "abort") if how == "abort" else server.put("focuser/0/halt"), 0x500)
    aborted = until(lambda: status(server)["state"] == "aborted" and status(server), "it is aborted")
    assert aborted["limits"] == {"low": 2000, "high": 40000}
    assert ABORT_CALIBRATION in motor.sent()
    server.wait_still()


def test_actions_need_the_client_to_be_connected(make_motor, make_observatory):
    motor = make_motor()
    server = make_observatory(simulate=False, config=f"[focuser.0]\ndriver = celestron\nport = {motor.path}\n")
    refused(lambda: server.action("Calibrate"), NOT_CONNECTED)
    assert status(server)["state"] == "none"
    assert "Calibrate" in server.get("focuser/0/supportedactions")


def test_others_do_not_have_it(observatory):
    assert "Calibrate" not in observatory.get("focuser/0/supportedactions")
    refused(lambda: observatory.action("Calibrate"), 0x40C)


def test_turns_are_shown(make_motor, make_server):
    server = make_server(make_motor(position=7990))
    page = server.raw("GET", "/setup/v1/focuser/0/setup").text
    assert "5990 steps = 5.99 turns" in page
    assert "38000 steps = 38.00 turns" in page
    assert "200 to 1000" in page
    assert server.get("focuser/0/description") == "Celestron focus motor, firmware 7.15.8240, 1000 steps a turn"
