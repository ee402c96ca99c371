# SPDX-License-Identifier: MIT
"""The cable pulled and put back, through the whole server: two clients, one of whom has said False in between.
What each of them may see meanwhile is contract 8.3 to 8.5; that nothing moves is read from the bytes that the
device got.
"""
import re

import pytest
from conftest import NOT_CONNECTED, AlpacaError, until
from test_moonlite_faults import IO, Wire, error_of, serve

QUESTIONS = {":GV#", ":GP#", ":GI#", ":GH#", ":GD#", ":C#", ":GT#"}


@pytest.fixture
def plug(tmp_path):
    """Pulls a focuser from its name, and puts one back there: another terminal each time."""
    plugged = []

    def put(**options):
        folder = tmp_path / str(len(plugged))
        folder.mkdir()
        wire = Wire(folder, **options)
        # The name for the server stays, whatever it points at.
        name = tmp_path / "focuser"
        name.unlink(missing_ok=True)
        name.symlink_to(wire.path.resolve())
        wire.name = name
        plugged.append(wire)
        return wire

    yield put
    for wire in plugged:
        if wire.process.poll() is None:
            wire.stop()


def pull(wire):
    """The name goes first: the number of a terminal is soon somebody else's."""
    wire.name.unlink()
    wire.stop()


def state_of(client):
    items = client.get("focuser/0/devicestate")
    assert len({item["Name"] for item in items}) == len(items)
    return {item["Name"]: item["Value"] for item in items}


def link_is_lost(client):
    return error_of(lambda: client.get("focuser/0/position")) == IO


def refusal(client, target):
    with pytest.raises(AlpacaError) as refused:
        client.put("focuser/0/move", Position=target)
    return refused.value


def test_two_clients_and_a_cable(make_observatory, plug):
    first = plug(position=20000)
    server = serve(make_observatory, first.name, "backlash_steps = 300\n")
    other = server.client()
    assert other.get("focuser/0/connected") is True
    server.put("focuser/0/move", Position=19000)
    assert server.wait_still() == 19000
    server.put("focuser/0/connected", Connected="False")
    assert server.get("focuser/0/connected") is False
    assert other.get("focuser/0/connected") is True
    pull(first)
    until(lambda: link_is_lost(other), "the loss is noticed")
    # The one reads the link, the other its own word.
    for _ in range(20):
        assert other.get("focuser/0/connected") is True
        assert server.get("focuser/0/connected") is False
        assert error_of(lambda: server.get("focuser/0/position")) == NOT_CONNECTED
        state = state_of(other)
        assert state["Position"] == 19000
        assert state["IsMoving"] is False
        assert "Temperature" not in state
    with pytest.raises(AlpacaError) as stale:
        other.get("focuser/0/position")
    assert stale.value.number == IO
    assert re.search(r"19000, is \d+\.\d s old", stale.value.message), stale.value.message
    told = refusal(other, 18000)
    assert told.number == IO and len(told.message.split()) > 4, told.message
    assert error_of(lambda: other.put("focuser/0/halt")) in (0, IO)
    # Back, on another terminal, where it was.
    second = plug(position=19000)
    until(lambda: not link_is_lost(other), "found again")
    assert other.get("focuser/0/position") == 19000
    assert other.get("focuser/0/connected") is True
    assert server.get("focuser/0/connected") is False
    until(lambda: second.sent().count(":GP#") > 5, "polled for a while")
    assert set(second.sent()) <= QUESTIONS
    # Whoever had gone may come back, and everything works as before, the backlash included.
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/connected") is True
    server.put("focuser/0/move", Position=19100)
    assert server.wait_still() == 19100
    assert other.get("focuser/0/position") == 19100
    legs = [int(command[3:-1], 16) for command in second.sent() if command.startswith(":SN")]
    assert legs == [18800, 19100]


@pytest.mark.parametrize("now_at", [19950, 0])
def test_pulled_between_the_legs_of_a_move(make_observatory, plug, now_at):
    """The second leg of an overshoot is not made by a motor that has been away; nor when it has forgotten
    where it is."""
    first = plug(position=20000, factor=1)
    server = serve(make_observatory, first.name, "backlash_steps = 5000\n")
    other = server.client()
    server.put("focuser/0/move", Position=19900)
    until(lambda: server.get("focuser/0/position") < 19990, "on its way")
    pull(first)
    for client in (server, other):
        assert until(lambda c=client: error_of(lambda: c.get("focuser/0/ismoving")), "told") == IO
        assert client.get("focuser/0/connected") is True
        assert state_of(client)["IsMoving"] is False
    second = plug(position=now_at, factor=1)
    until(lambda: not link_is_lost(other), "found again")
    assert other.get("focuser/0/position") == now_at
    until(lambda: second.sent().count(":GP#") > 6, "polled for a while")
    assert set(second.sent()) <= QUESTIONS
    assert server.get("focuser/0/position") == now_at


def test_a_temperature_that_a_client_tells(make_observatory, plug):
    """No link is needed for telling it, and the cable takes nothing of it away."""
    wire = plug(position=20000)
    server = serve(make_observatory, wire.name, "temperature_source = action\n", connect=False)
    assert server.action("SetTemperature", {"temperature_c": -4.5}) == {"temperature_c": -4.5}
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/temperature") == -4.5
    assert state_of(server)["Temperature"] == -4.5
    assert not {":C#", ":GT#"} & set(wire.sent())
    for wrong in ({"temperature_c": 85}, {"temperature_c": -127}, {}, {"celsius": 1}):
        with pytest.raises(AlpacaError) as refused:
            server.action("SetTemperature", wrong)
        assert refused.value.number == 0x401
    assert server.get("focuser/0/temperature") == -4.5
