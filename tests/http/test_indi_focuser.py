# SPDX-License-Identifier: MIT
"""A focuser behind an INDI server, through the whole of focusd, with every way in which INDI's drivers were seen to
behave.  The expected behaviour is that of INDI's description and of the drivers named beside the cases.
"""
import subprocess

import pytest
from conftest import BINARY, NOT_IMPLEMENTED, AlpacaError, until
from indi_server import FakeDevice, FakeFocuser, IndiServer

REFUSED = 0x503


def config(server, extra="", number=0):
    text = f"[focuser.0]\ndriver = indi\nport = tcp://127.0.0.1:{server.port}\n{extra}"
    return text.replace("focuser.0", f"focuser.{number}")


@pytest.fixture
def indi():
    server = IndiServer()
    yield server
    for device in list(server.devices.values()):
        device.cancel()
    try:
        server.stop()
    except OSError:
        pass


@pytest.fixture
def serve(make_observatory):
    def make(text, connect=True):
        server = make_observatory(simulate=False, config=text, time_factor=1)
        if connect:
            server.put("focuser/0/connected", Connected="True")
        return server
    return make


def error_of(call):
    with pytest.raises(AlpacaError) as caught:
        call()
    return caught.value


def moved(server, target):
    server.put("focuser/0/move", Position=target)
    return server.wait_still()


def test_connects_moves_and_tells(indi, serve):
    focuser = FakeFocuser(indi, "Toy & Sons \"Füße\" #1")
    server = serve(config(indi))
    assert focuser.on("CONNECTION") == ["CONNECT"]
    assert indi.heard[0][:2] == ("getProperties", "")
    assert server.get("focuser/0/position") == 20000
    assert server.get("focuser/0/maxstep") == 60000
    assert server.get("focuser/0/temperature") == 4.5
    assert server.get("focuser/0/absolute") is True
    assert moved(server, 23000) == 23000
    assert focuser.position == 23000
    focuser.set("FOCUS_TEMPERATURE", TEMPERATURE="-2.25")
    until(lambda: server.get("focuser/0/temperature") == -2.25, "the temperature follows what is told")
    # Nothing but this was sent: no question is asked about what is told by itself.
    assert {tag for tag, *_ in indi.heard} <= {"getProperties", "pingRequest", "newSwitchVector", "newNumberVector"}


def test_a_device_that_is_connected_is_left_as_it_is(indi, serve):
    FakeFocuser(indi, "Toy", is_connected=True)
    server = serve(config(indi))
    assert server.get("focuser/0/position") == 20000
    server.put("focuser/0/connected", Connected="False")
    until(lambda: not server.get("focuser/0/connecting"), "it is closed")
    assert indi.sent_to("Toy", "CONNECTION") == []


def test_a_halt_is_an_abort(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    focuser.move_s, focuser.steps_on_way = 30, 300
    server = serve(config(indi))
    server.put("focuser/0/move", Position=50000)
    until(lambda: server.get("focuser/0/position") > 20100, "the motor runs")
    server.put("focuser/0/halt")
    rest = server.wait_still()
    assert 20100 < rest < 50000
    assert rest == focuser.position
    assert indi.sent_to("Toy", "FOCUS_ABORT_MOTION") == [{"ABORT": "On"}]


def test_without_an_abort_a_halt_wants_the_motor_where_it_is(indi, serve):
    # As indi_simulator_focus, which has none.
    focuser = FakeFocuser(indi, "Toy", has_abort=False, move_s=30, steps_on_way=300)
    server = serve(config(indi))
    server.put("focuser/0/move", Position=50000)
    until(lambda: server.get("focuser/0/position") > 20100, "the motor runs")
    focuser.move_s, focuser.steps_on_way = 0.1, 1
    server.put("focuser/0/halt")
    assert server.wait_still() < 25000


def test_follows_another_client(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    with indi.lock:
        focuser.go(31000)
    until(lambda: server.get("focuser/0/position") == 31000, "the position follows")
    assert server.get("focuser/0/ismoving") is False


def test_a_driver_that_jumps_to_ok(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    focuser.silent = True
    server = serve(config(indi))
    assert moved(server, 20001) == 20001
    # The same place again: drivers say nothing at all, and nothing is waited for.
    assert moved(server, 20001) == 20001


def test_a_driver_that_ends_with_the_old_position(indi, serve):
    # SestoSenso 2, indi issue 1999.
    focuser = FakeFocuser(indi, "Toy")
    focuser.old_position_first = True
    server = serve(config(indi))
    assert moved(server, 24000) == 24000
    assert indi.sent_to("Toy", "ABS_FOCUS_POSITION") == [{"FOCUS_ABSOLUTE_POSITION": "24000"}]


def test_a_refused_move_says_why(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    focuser.refuses = "[ERROR] the clutch is open"
    server.put("focuser/0/move", Position=30000)
    until(lambda: "the clutch is open" in server.log(), "the driver's words are told")
    assert "the clutch is open" in error_of(lambda: server.get("focuser/0/ismoving")).message
    focuser.refuses = None
    until(lambda: _still(server), "the error is over")
    assert moved(server, 30000) == 30000


def _still(server):
    try:
        return not server.get("focuser/0/ismoving")
    except AlpacaError:
        return False


def test_a_move_that_fails_on_its_way_says_why(indi, serve):
    focuser = FakeFocuser(indi, "Toy", move_s=30, steps_on_way=300)
    server = serve(config(indi))
    server.put("focuser/0/move", Position=50000)
    until(lambda: server.get("focuser/0/position") > 20100, "the motor runs")
    with indi.lock:
        focuser.cancel()
        focuser.set("ABS_FOCUS_POSITION", "Alert", message="[ERROR] over current")
    until(lambda: "over current" in server.log(), "the driver's words are told")
    assert "over current" in error_of(lambda: server.get("focuser/0/ismoving")).message
    # It is not sent again.
    assert len(indi.sent_to("Toy", "ABS_FOCUS_POSITION")) == 1


def test_backlash_belongs_to_exactly_one(indi, serve):
    focuser = FakeFocuser(indi, "Toy", is_connected=True)
    server = serve(config(indi, "backlash_steps = 100\n"))
    assert moved(server, 19000) == 19000
    # Ours: past the target and back, for the approach is outwards.
    assert [m["FOCUS_ABSOLUTE_POSITION"] for m in indi.sent_to("Toy", "ABS_FOCUS_POSITION")] == ["18900", "19000"]
    focuser.set("FOCUS_BACKLASH_STEPS", "Ok", FOCUS_BACKLASH_VALUE="80")
    focuser.switch("FOCUS_BACKLASH_TOGGLE", "INDI_ENABLED")
    until(lambda: server.focuser_state().get("backlash_steps", 0) == 0 or "backlash" in server.log(), "it is noticed")
    assert moved(server, 18000) == 18000
    assert [m["FOCUS_ABSOLUTE_POSITION"] for m in indi.sent_to("Toy", "ABS_FOCUS_POSITION")][2:] == ["18000"]


def test_set_position(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    server.action("SetPosition", "1234")
    assert focuser.position == 1234
    assert server.get("focuser/0/position") == 1234


def test_set_position_without_a_sync(indi, serve):
    focuser = FakeFocuser(indi, "Toy", is_connected=True)
    focuser.remove("FOCUS_SYNC")
    server = serve(config(indi))
    error = error_of(lambda: server.action("SetPosition", "1234"))
    assert error.number == NOT_IMPLEMENTED and "FOCUS_SYNC" in error.message
    assert focuser.position == 20000


# ---- which device ----

def test_the_only_focuser_is_taken(indi, serve):
    class Mount(FakeDevice):
        interface = 1
    Mount(indi, "Mount")
    FakeFocuser(indi, "Toy")
    assert serve(config(indi)).get("focuser/0/position") == 20000


def test_two_focusers_are_named(indi, serve):
    FakeFocuser(indi, "East")
    FakeFocuser(indi, "West")
    server = serve(config(indi), connect=False)
    error = error_of(lambda: server.put("focuser/0/connected", Connected="True"))
    assert "'East'" in error.message and "'West'" in error.message and "device = " in error.message
    assert not any(tag.startswith("new") for tag, *_ in indi.heard)


def test_one_of_two(indi, serve):
    FakeFocuser(indi, "East")
    west = FakeFocuser(indi, "West")
    west.position = 777
    server = serve(config(indi, "device = West\n"))
    assert server.get("focuser/0/position") == 777
    assert indi.sent_to("East", "CONNECTION") == []


def test_two_devices_share_a_connection(indi, make_observatory):
    FakeFocuser(indi, "East").position = 100
    FakeFocuser(indi, "West").position = 200
    server = make_observatory(simulate=False, time_factor=1,
                              config=config(indi, "device = East\n") + config(indi, "device = West\n", 1))
    for number in (0, 1):
        server.put(f"focuser/{number}/connected", Connected="True")
    assert server.get("focuser/0/position") == 100
    assert server.get("focuser/1/position") == 200
    assert indi.connections == 1


def test_a_wrong_name_is_answered_with_the_right_ones(indi, serve):
    FakeFocuser(indi, "Toy")
    server = serve(config(indi, "device = Tay\n"), connect=False)
    error = error_of(lambda: server.put("focuser/0/connected", Connected="True"))
    assert "'Tay'" in error.message and "'Toy'" in error.message


def test_a_driver_that_does_not_get_at_its_hardware(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    focuser.refuses_connection = "[ERROR] Failed to open /dev/ttyUSB0"
    server = serve(config(indi), connect=False)
    assert "Failed to open /dev/ttyUSB0" in error_of(lambda: server.put("focuser/0/connected", Connected="True")).message
    focuser.refuses_connection = None
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 20000


def test_a_driver_that_connects_forever(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    focuser.never_connects = True
    server = serve(config(indi), connect=False)
    assert "still trying" in error_of(lambda: server.put("focuser/0/connected", Connected="True")).message
    until(lambda: "is still connecting to its hardware" in server.log(), "the reason is told")
    # It was asked once: a second order would begin the search for the port anew.
    assert indi.sent_to("Toy", "CONNECTION") == [{"CONNECT": "On"}]


@pytest.mark.parametrize("port, words", [
    ("tcp://localhost", None), ("tcp://localhost:7625", None), ("tcp://[::1]", None), ("tcp://[fe80::1]:7624", None),
    ("tcp://localhost:99999", "port number"), ("auto", "is no INDI server"),
    ("/dev/ttyUSB0", "is no INDI server"), ("localhost:7624", "is no INDI server")])
def test_the_port_is_checked_as_the_driver_reads_it(tmp_path, port, words):
    path = tmp_path / "focusd.conf"
    for section in ("focuser.0", "camera.0"):
        path.write_text(f"[{section}]\ndriver = indi\nport = {port}\n")
        told = subprocess.run([BINARY, "--check", "--config", path], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert (told.returncode == 0) == (words is None) and (words or "no errors") in told.stdout, told.stdout


def test_nobody_there(indi, serve):
    port = indi.port
    indi.stop()
    server = serve(config(indi), connect=False)
    assert str(port) in error_of(lambda: server.put("focuser/0/connected", Connected="True")).message


def test_what_is_no_indi_server(indi, serve, monkeypatch):
    monkeypatch.setattr(IndiServer, "_take", lambda self, link, element: link.send(b"HTTP/1.1 400 Bad <html></body>"))
    server = serve(config(indi), connect=False)
    assert "does not speak INDI" in error_of(lambda: server.put("focuser/0/connected", Connected="True")).message


# ---- what gets lost ----

def lost(server, words):
    until(lambda: words in server.log(), words)
    # The last reading may not be told as if it were one of this moment.
    assert error_of(lambda: server.get("focuser/0/position")).message


def found(server, position):
    def there():
        try:
            return server.get("focuser/0/position") == position
        except AlpacaError:
            return False
    until(there, "it is found again")


def test_a_driver_that_dies_and_comes_back(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    focuser.die()
    lost(server, "has gone from the INDI server")
    FakeFocuser(indi, "Toy").position = 21000
    found(server, 21000)
    assert moved(server, 22000) == 22000


def test_a_driver_that_dies_in_a_move(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    focuser.move_s, focuser.steps_on_way = 30, 300
    server = serve(config(indi))
    server.put("focuser/0/move", Position=50000)
    until(lambda: server.get("focuser/0/position") > 20100, "the motor runs")
    focuser.die()
    lost(server, "has gone from the INDI server")
    again = FakeFocuser(indi, "Toy")
    found(server, 20000)
    # Nothing moves by itself on the return.
    assert indi.sent_to("Toy", "ABS_FOCUS_POSITION") == [{"FOCUS_ABSOLUTE_POSITION": "50000"}]
    assert again.position == 20000


def test_a_device_that_is_disconnected_by_others(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    focuser.disconnect()
    until(lambda: "was disconnected, by its INDI driver or another program" in server.log(), "it is told")
    found(server, 20000)


def test_a_server_that_goes_and_comes(indi, serve):
    FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    indi.stop()
    lost(server, "has ended the connection")
    indi.listen()
    found(server, 20000)
    assert moved(server, 20500) == 20500


def test_a_server_that_hangs(indi, serve):
    FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    indi.deaf = True
    lost(server, "does not answer any more")
    indi.deaf = False
    found(server, 20000)


def test_definitions_that_change(indi, serve):
    focuser = FakeFocuser(indi, "Toy")
    server = serve(config(indi))
    with indi.lock:
        focuser.remove("ABS_FOCUS_POSITION")
    lost(server, "has taken ABS_FOCUS_POSITION back")
    with indi.lock:
        focuser.add("ABS_FOCUS_POSITION", "Number", {"FOCUS_ABSOLUTE_POSITION": "\n  20:30 \n"}, state="Ok",
                    ranges={"FOCUS_ABSOLUTE_POSITION": (0, 100)})
    # Sexagesimal, as INDI allows any number to be: 20 and a half.
    found(server, 21)
    assert server.get("focuser/0/maxstep") == 100


# ---- relative only ----

def test_a_focuser_without_positions_needs_a_range(indi, serve):
    FakeFocuser(indi, "Toy", relative_only=True)
    server = serve(config(indi), connect=False)
    assert "max_step" in error_of(lambda: server.put("focuser/0/connected", Connected="True")).message


def test_a_focuser_without_positions_is_counted(indi, serve):
    focuser = FakeFocuser(indi, "Toy", relative_only=True)
    server = serve(config(indi, "max_step = 10000\n"))
    assert server.get("focuser/0/position") == 5000
    assert moved(server, 5300) == 5300
    assert moved(server, 4900) == 4900
    assert focuser.position == 20000 + 300 - 400
    orders = [(name, members) for tag, _, name, members in indi.heard
              if name in ("FOCUS_MOTION", "REL_FOCUS_POSITION")]
    assert orders == [("FOCUS_MOTION", {"FOCUS_OUTWARD": "On"}), ("REL_FOCUS_POSITION", {"FOCUS_RELATIVE_POSITION": "300"}),
                      ("FOCUS_MOTION", {"FOCUS_INWARD": "On"}), ("REL_FOCUS_POSITION", {"FOCUS_RELATIVE_POSITION": "400"})]
    # The count outlives the link.
    indi.stop()
    lost(server, "has ended the connection")
    indi.listen()
    found(server, 4900)


def test_after_an_abort_nobody_knows(indi, serve):
    focuser = FakeFocuser(indi, "Toy", relative_only=True)
    server = serve(config(indi, "max_step = 10000\n"))
    focuser.stays_busy = True
    server.put("focuser/0/move", Position=7000)
    until(lambda: indi.sent_to("Toy", "REL_FOCUS_POSITION"), "the order is out")
    server.put("focuser/0/halt")
    server.wait_still()
    until(lambda: server.focuser_state().get("trust") == "unknown" or "nobody knows" in server.log(), "it is said")
