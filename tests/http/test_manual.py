# SPDX-License-Identifier: MIT
"""A focuser without a motor: a person turns it and says where it stands.  Nothing moves it, nothing guesses, and programs
do not find it in their list unless the configuration says so.  The rules are those of focusd.conf(5), Drivers."""
import pytest
from conftest import INVALID_OPERATION, INVALID_VALUE, NOT_CONNECTED, VALUE_NOT_SET, AlpacaError, until

KNOB = "[focuser.0]\nname = Knob\ndriver = manual\n"
TURNS = KNOB + "steps_per_turn = 100\nmax_step = 2500\n"


@pytest.fixture
def serve(make_observatory):
    def make(config, connect=True):
        server = make_observatory(simulate=False, config=config)
        if connect:
            server.put("focuser/0/connected", Connected="True")
        return server
    return make


def refused(call, number):
    with pytest.raises(AlpacaError) as error:
        call()
    assert error.value.number == number, error.value
    return error.value.message


def listed(server):
    answer = server.raw("GET", "/management/v1/configureddevices")
    return [(d["DeviceType"], d["DeviceNumber"]) for d in answer.json()["Value"]]


def test_the_position_is_what_was_said(serve):
    server = serve(TURNS)
    assert server.get("focuser/0/absolute") is True
    assert server.get("focuser/0/maxstep") == 2500
    assert server.get("focuser/0/ismoving") is False
    refused(lambda: server.get("focuser/0/position"), VALUE_NOT_SET)
    state = server.focuser_state()
    assert (state["position"], state["trust"], state["by_hand"]) == (None, "unknown", True)
    assert "Nobody has said" in state["trust_why"]
    # Without a number there is nothing to keep or to restore.
    assert "nobody has said" in refused(lambda: server.action("SetPosition", "keep"), VALUE_NOT_SET)
    refused(lambda: server.action("SetPosition", "restore"), VALUE_NOT_SET)
    assert server.action("SetPosition", "1200") == {"position": 1200, "trust": "known"}
    assert server.get("focuser/0/position") == 1200
    # 3.25 turns of 100 divisions.
    assert server.action("SetPosition", {"turns": 3.25}) == {"position": 325, "trust": "known"}
    assert server.get("focuser/0/position") == 325
    assert server.focuser_state()["steps_per_turn"] == 100
    assert server.action("SetPosition", "keep")["position"] == 325
    for wrong in ({"position": 2501}, {"position": -1}, {"turns": 25.02}, {"turns": 1, "position": 100}):
        refused(lambda w=wrong: server.action("SetPosition", w), INVALID_VALUE)
    assert server.get("focuser/0/position") == 325


def test_turns_need_to_be_known(serve):
    server = serve(KNOB)
    assert "steps_per_turn" in refused(lambda: server.action("SetPosition", {"turns": 1}), INVALID_VALUE)
    assert server.get("focuser/0/maxstep") == 100000


def test_nothing_moves_it(serve):
    server = serve(TURNS + "[camera.0]\ndriver = simulator\n")
    server.put("camera/0/connected", Connected="True")
    # Also while nobody has said where it stands the sentence is about the hand.
    for said in (None, "700"):
        if said:
            server.action("SetPosition", said)
        message = refused(lambda: server.put("focuser/0/move", Position=800), INVALID_OPERATION)
        assert "turned by hand" in message and "SetPosition" in message
        message = refused(lambda: server.action("Autofocus"), INVALID_OPERATION)
        assert "turned by hand" in message
        assert server.get("focuser/0/ismoving") is False
    assert server.get("focuser/0/position") == 700
    server.put("focuser/0/halt")
    assert server.get("focuser/0/position") == 700
    assert "WARN" not in server.log()


def test_what_was_said_is_remembered(serve):
    server = serve(TURNS)
    server.action("SetPosition", "1234")
    server.put("focuser/0/connected", Connected="False")
    until(lambda: server.focuser_state()["link"] == "down", "the link is down")
    refused(lambda: server.get("focuser/0/position"), NOT_CONNECTED)
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 1234
    server.stop()
    server.start()
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 1234
    assert server.focuser_state()["trust"] == "known"
    # Also when nobody had the time to end the server.
    server.action("SetPosition", "77")
    server.process.kill()
    server.process.communicate()
    server.close()
    server.start()
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 77


def test_a_damaged_journal_is_no_guess(serve):
    server = serve(TURNS)
    server.action("SetPosition", "1234")
    server.stop()
    journal = server.folder / "state" / "position-0"
    journal.write_bytes(b"nothing that can be read")
    server.start()
    server.put("focuser/0/connected", Connected="True")
    refused(lambda: server.get("focuser/0/position"), VALUE_NOT_SET)
    server.action("SetPosition", "50")
    server.put("focuser/0/connected", Connected="False")
    until(lambda: server.focuser_state()["link"] == "down", "the link is down")
    server.put("focuser/0/connected", Connected="True")
    assert (server.get("focuser/0/position"), server.focuser_state()["trust"]) == (50, "known")


def test_what_another_driver_left_is_no_guess(serve, make_emulator):
    emulator = make_emulator(7600)
    server = serve(f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n")
    assert server.get("focuser/0/position") == 7600
    until((server.folder / "state" / "position-0").exists, "the first entry")
    server.stop()
    (server.folder / "focusd.conf").write_text(KNOB, encoding="utf-8")
    server.start()
    server.put("focuser/0/connected", Connected="True")
    refused(lambda: server.get("focuser/0/position"), VALUE_NOT_SET)


def test_it_is_listed_only_when_asked(serve):
    both = "[focuser.1]\ndriver = simulator\n"
    server = serve(KNOB + both)
    assert listed(server) == [("Focuser", 1)]
    # Its own address and the page have it in any case.
    assert server.get("focuser/0/name") == "Knob"
    assert server.raw("GET", "/setup/v1/focuser/0/setup").status == 200
    assert listed(serve(KNOB + "announce = yes\n" + both)) == [("Focuser", 0), ("Focuser", 1)]
    assert listed(serve(KNOB + both + "announce = no\n")) == []
