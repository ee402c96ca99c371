# SPDX-License-Identifier: MIT
"""STOP while the cable is out, through the whole server, on every serial driver's emulated device: it is said and
kept, and it is the first order that the device gets when it is back.

The emulator takes its terminal away 300 ms into the first move and puts it back 2 s later under the same name; its motor
goes on meanwhile, as real ones do.  What a halt looks like on each line is in serial-protocols.md 1.3, 2 and 5.
"""

import pytest
from conftest import NOT_CONNECTED, AlpacaError, until
from test_celestron import ABORT_CALIBRATION, CALIBRATE, STOP
from test_replug import link_is_lost, plug, pull  # noqa: F401  plug is a fixture

IO = 0x500
NOT_SENT = "STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves."
# kind of device: what a halt is on its line, and what sets the motor off, as the log of the emulator writes them
LINES = {
    "moonlite": (":FQ#", ":FG#"),
    "celestron": (STOP, r";\x06 \x12\x02"),
    "myfocuserpro2": (":27#", ":05"),
}


@pytest.fixture(params=list(LINES))
def kind(request):
    return request.param


def serve(make_observatory, kind, path):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\nname = Pier\ndriver = {kind}\nport = {path}\nopen_wait_ms = 0\nbacklash_steps = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    return server


def lost(server):
    return server.focuser_state()["link"] == "lost"


def refused(call):
    with pytest.raises(AlpacaError) as error:
        call()
    return error.value


def at_rest(server):
    """Where it comes to rest; IsMoving itself tells of the move that failed for some seconds (contract 8.4)."""
    until(lambda: not server.focuser_state()["moving"], "it comes to rest")
    return server.get("focuser/0/position")


def owed(server):
    return 'focusd_focuser_stop_owed{device="focuser.0"} 1' in server.raw("GET", "/metrics").text


def test_it_is_kept_and_sent_first(make_observatory, device, kind, tmp_path):
    halt, go = LINES[kind]
    link = tmp_path / "cable"
    emulated = device(kind, faults=["drop-line"], position=10000, time_factor=1, link=link)
    server = serve(make_observatory, kind, link)
    start = server.get("focuser/0/position")
    server.put("focuser/0/move", Position=30000)
    until(lambda: lost(server), "the loss is noticed")
    assert not owed(server) and server.focuser_state()["stop_owed"] is False
    for _ in range(3):
        told = refused(lambda: server.put("focuser/0/halt"))
        assert (told.number, told.message) == (IO, f"Pier: {NOT_SENT}")
    state = server.focuser_state()
    assert state["stop_owed"] is True and state["stop_words"] == NOT_SENT
    assert owed(server)
    assert halt not in emulated.wire(">")
    until(lambda: not lost(server), "it is back")
    until(lambda: halt in emulated.wire(">"), "the halt, which some devices do not confirm, has arrived")
    back = emulated.wire(">")
    assert back.count(halt) == 1 and back.count(go) == 1
    assert back.rindex(halt) > back.rindex(go)
    at = at_rest(server)
    assert start < at < start + 10000
    state = server.focuser_state()
    assert state["stop_owed"] is False and not owed(server)
    assert state["stop_words"] == "STOP was sent when the link was back."
    assert NOT_SENT in server.log() and state["stop_words"] in server.log()
    # The next move is nobody's business but its client's.
    server.put("focuser/0/move", Position=at + 200)
    assert server.wait_still() == at + 200
    assert emulated.wire(">").count(halt) == 1
    assert server.focuser_state()["stop_words"] is None


def test_a_calibration_is_ended_first(make_observatory, device, tmp_path):
    """A motor that calibrates is not halted but told to end that (serial-protocols.md 1.4)."""
    link = tmp_path / "cable"
    motor = device("celestron", faults=["drop-line"], position=20000, time_factor=1, link=link)
    server = serve(make_observatory, "celestron", link)
    server.action("Calibrate")
    until(lambda: lost(server), "the loss is noticed")
    assert refused(lambda: server.put("focuser/0/halt")).message == f"Pier: {NOT_SENT}"
    until(lambda: not lost(server), "it is back")
    sent = motor.wire(">")
    assert sent.count(ABORT_CALIBRATION) == 1 and sent.count(CALIBRATE) == 1 and STOP not in sent
    assert server.focuser_state()["stop_words"] == \
        "STOP was sent when the link was back: the calibration is ended."
    until(lambda: server.action("Calibrate", "status")["state"] == "aborted", "it is over")
    at_rest(server)
    assert STOP not in motor.wire(">")


def test_a_motor_that_began_anew_is_left_alone(make_observatory, plug):  # noqa: F811
    """Its power was cut meanwhile, and somebody else has sent it off again: that was not meant."""
    first = plug(position=20000, factor=1)
    server = serve(make_observatory, "moonlite", first.name)
    server.put("focuser/0/move", Position=30000)
    until(lambda: server.get("focuser/0/position") > 20010, "on its way")
    pull(first)
    until(lambda: link_is_lost(server), "the loss is noticed")
    assert refused(lambda: server.put("focuser/0/halt")).message == f"Pier: {NOT_SENT}"
    second = plug(position=3000, factor=1)
    name = second.name.resolve()
    second.name.unlink()
    # 4000 hexadecimal is 16384.
    with open(name, "r+b", buffering=0) as line:
        line.write(b":SN4000#:FG#")
        until(lambda: ":FG#" in second.sent(), "sent off by somebody else")
        second.name.symlink_to(name)
        until(lambda: not link_is_lost(server), "found again")
    assert server.focuser_state()["stop_words"] == (
        "STOP was not sent: the motion that was to stop is over, and something else moves the focuser. "
        "Press STOP to stop it now.")
    assert server.focuser_state()["moving"] is True
    assert ":FQ#" not in second.sent()
    server.put("focuser/0/halt")
    at_rest(server)
    until(lambda: second.sent().count(":FQ#") == 1, "the halt has arrived")
    assert server.focuser_state()["stop_words"] is None


def test_at_rest_nothing_is_kept(make_observatory, plug):  # noqa: F811
    first = plug(position=20000)
    server = serve(make_observatory, "moonlite", first.name)
    pull(first)
    until(lambda: link_is_lost(server), "the loss is noticed")
    assert refused(lambda: server.put("focuser/0/halt")).message == (
        "Pier: STOP not sent: the cable is out. The motor was at rest before that; cut the power if it moves.")
    assert server.focuser_state()["stop_owed"] is False
    second = plug(position=20000)
    until(lambda: not link_is_lost(server), "found again")
    assert ":FQ#" not in second.sent()


def test_a_client_that_reads_not_connected_may_press_stop(make_observatory, device, tmp_path):
    """As everybody is after a minute without the link: the motor may move all the same."""
    link = tmp_path / "cable"
    emulated = device("moonlite", faults=["drop-line"], position=10000, time_factor=1, link=link)
    server = serve(make_observatory, "moonlite", link)
    other = server.client()
    other.put("focuser/0/connected", Connected="False")
    server.put("focuser/0/move", Position=30000)
    until(lambda: lost(server), "the loss is noticed")
    told = refused(lambda: other.put("focuser/0/halt"))
    assert (told.number, told.message) == (NOT_CONNECTED, f"Pier: {NOT_SENT}")
    until(lambda: not lost(server), "it is back")
    until(lambda: emulated.wire(">").count(":FQ#") == 1, "the halt has arrived")
    # With the link up it has no say.
    assert refused(lambda: other.put("focuser/0/halt")).message == "Pier is not connected: connect it first"
