# SPDX-License-Identifier: MIT
"""The first start after focusd 0.1.0, which published the motor's own numbers, on the state that it left behind.

The journal is written here as that release described it; the motor is the emulator of Celestron's, whose limits 2000
and 40000 come from the description of its protocol, so that its own 20000 is 18000 today."""
import json
import sqlite3
import zlib

import pytest
from conftest import INVALID_OPERATION, AlpacaError, until
from position_file import SLOT, read


def journal_of_0_1_0(path, **changed):
    """Writes a `position-0` whose second slot holds one entry of that release."""
    entry = {"format": "focusd-position", "version": 1, "sequence": 7, "time": "2026-11-21T03:12:45.678Z",
             "motion": "rest", "position": 20000, "from": 20000, "target": 20000, "low": 20000, "high": 20000,
             "trust": "known", "offset": None, "why": None, "reverse": False, "max_step": 40000, "mirror": 40000,
             "driver": "celestron", "device": "Celestron focus motor, firmware 7.15.8240", "port": "/dev/ttyACM0",
             "port_serial": None, **changed}
    text = json.dumps(entry, separators=(",", ":")).encode("ascii")
    rest = text.replace(b"{", b"", 1).ljust(SLOT - 21) + b"\n"
    slot = b'{"crc32":"%08x",' % zlib.crc32(rest) + rest
    assert len(slot) == SLOT
    path.write_bytes(b" " * (SLOT - 1) + b"\n" + slot)


@pytest.fixture
def start(make_observatory, device, tmp_path):
    """Starts a server on the state of 0.1.0, or again on what is there, with lines added to the focuser's section."""
    motor = device("celestron", folder=tmp_path, position=20000, time_factor=50)
    (tmp_path / "state").mkdir()
    journal_of_0_1_0(tmp_path / "state" / "position-0")

    def make(lines=""):
        server = make_observatory(folder=tmp_path, simulate=False, config=(
            f"[focuser.0]\ndriver = celestron\nport = {motor.path}\nopen_wait_ms = 0\n{lines}"))
        server.put("focuser/0/connected", Connected="True")
        return server

    return make


def refusal(server, target):
    with pytest.raises(AlpacaError) as refused:
        server.put("focuser/0/move", Position=target)
    assert refused.value.number == INVALID_OPERATION
    assert server.get("focuser/0/ismoving") is False
    return refused.value.message


def test_the_shift_is_said_once(start, tmp_path):
    server = start()
    assert server.get("focuser/0/position") == 18000
    assert server.focuser_state()["trust"] == "known"
    said = "0 at the motor's lower limit, 2000: each is 2000 less than before; where it stood was 20000 and is 18000"
    assert said in server.log()
    server.put("focuser/0/move", Position=0)
    assert server.wait_still() == 0
    server.stop()
    entry, torn = read(tmp_path / "state" / "position-0")
    assert abs(entry["position"] - 2000) <= 2 and entry["lowest"] == 2000 and entry["mirror"] == 40000 and not torn
    assert start().get("focuser/0/position") == 0
    assert server.log().count(said) == 1


@pytest.mark.parametrize("old, advice, today", [
    ("min_step = 5000\n", "write min_step = 3000", "min_step = 3000\n"),
    ("max_step = 30000\n", "write max_step = 28000", "max_step = 28000\n"),
    ("min_step = 1000\nmax_step = 30000\n", "remove min_step and write max_step = 28000", "max_step = 28000\n"),
])
def test_limits_of_that_time_are_refused(start, old, advice, today):
    for _ in range(2):  # a restart does not make them right
        server = start(old)
        message = refusal(server, 10000)
        assert message.endswith(advice) and "lower limit, 2000" in message, message
        assert server.focuser_state()["move_refusal"].endswith(advice)
        server.put("focuser/0/halt")
        server.stop()
    server = start(today)
    server.put("focuser/0/move", Position=10000)
    assert server.wait_still() == 10000
    assert server.focuser_state()["move_refusal"] is None
    server.stop()
    # The number of then is one of today now.
    server = start(old)
    server.put("focuser/0/move", Position=10000)
    assert server.wait_still() == 10000


def test_runs_belong_to_their_calibration(make_observatory, device, tmp_path):
    """Runs hold the motor's own numbers; after another calibration the list says that theirs are not today's."""
    motor = device("celestron", folder=tmp_path, position=20000, time_factor=50)
    text = (f"[focuser.0]\ndriver = celestron\nport = {motor.path}\nopen_wait_ms = 0\n{{}}"
            "[camera.0]\ndriver = simulator\n")
    server = make_observatory(folder=tmp_path, simulate=False, config=text.format(""))
    server.connect()
    started = server.action("Autofocus", {"exposure_s": 0.1})
    until(lambda: server.action("AutofocusStatus")["exposures"] > 0, "a first frame")
    server.action("AutofocusAbort")
    run, _ = server.wait_run()
    assert run["run"] == started["run"] and run["start_position"] == 18000 and run["numbers"] == "today"
    assert run["calibration"] == {"low": 2000, "high": 40000, "reversed": False}
    server.stop()
    rows = sqlite3.connect(tmp_path / "state" / "focusd.db")
    assert rows.execute("SELECT start_position, motor_low, motor_high FROM runs").fetchone() == (20000, 2000, 40000)
    rows.close()

    def shown(server):
        listed = json.loads(server.raw("GET", "/focusd/v1/runs").text)[0]
        one = json.loads(server.raw("GET", f"/focusd/v1/runs/{run['run']}").text)
        acted = server.action("AutofocusStatus", str(run["run"]))
        for other in (one, acted):
            assert {key: other[key] for key in listed} == listed
        assert one["points"][0]["position"] == one["start_position"]
        return listed["start_position"], listed["numbers"]

    server = make_observatory(folder=tmp_path, simulate=False, config=text.format("reverse = yes\n"))
    assert shown(server) == (18000, None)  # nobody has asked the motor for its limits yet
    server.connect()
    assert shown(server) == (20000, "today")
    server.stop()
    motor.stop()
    device("celestron", folder=tmp_path, position=20000, time_factor=50, max=30000)  # somebody has calibrated it
    server = make_observatory(folder=tmp_path, simulate=False, config=text.format(""))
    server.connect()
    assert "was calibrated while focusd was not there: its limits are 2000 and 30000 now" in server.log()
    assert shown(server) == (18000, "other")


def test_reversed_numbers_stay(start, tmp_path):
    journal_of_0_1_0(tmp_path / "state" / "position-0", reverse=True, max_step=38000)
    server = start("reverse = yes\nmin_step = 5000\n")
    assert server.get("focuser/0/position") == 20000
    server.put("focuser/0/move", Position=19000)
    assert server.wait_still() == 19000
    assert "less than before" not in server.log()
