# SPDX-License-Identifier: MIT
"""The focuser's members (ASCOM IFocuserV4) and focusd's rules for clients, targets and motion."""
import pytest
from conftest import INVALID_OPERATION, NOT_CONNECTED, AlpacaError, until


def test_nothing_works_before_connecting(observatory):
    assert observatory.get("focuser/0/connected") is False
    for member in ("position", "ismoving", "maxstep", "temperature", "stepsize"):
        with pytest.raises(AlpacaError) as error:
            observatory.get(f"focuser/0/{member}")
        assert error.value.number == NOT_CONNECTED
    with pytest.raises(AlpacaError) as error:
        observatory.put("focuser/0/move", Position=1)
    assert error.value.number == NOT_CONNECTED
    # These answer always.
    assert observatory.get("focuser/0/name") == "Simulated focuser"
    assert observatory.get("focuser/0/interfaceversion") == 4
    actions = observatory.get("focuser/0/supportedactions")
    assert {"Autofocus", "AutofocusStatus", "AutofocusWait", "AutofocusAbort"} <= set(actions)


def test_connected_is_true_when_the_put_answers(connected):
    assert connected.get("focuser/0/connected") is True
    assert connected.get("focuser/0/connecting") is False
    assert connected.get("focuser/0/absolute") is True
    assert connected.get("focuser/0/ismoving") is False
    assert connected.get("focuser/0/maxincrement") <= connected.get("focuser/0/maxstep")


def test_connect_without_waiting(observatory):
    observatory.put("focuser/0/connect")
    until(lambda: not observatory.get("focuser/0/connecting"), "connecting ends")
    assert observatory.get("focuser/0/connected") is True
    observatory.put("focuser/0/disconnect")
    assert observatory.get("focuser/0/connected") is False


def test_position_is_the_target_exactly(connected):
    highest = connected.get("focuser/0/maxstep")
    for target in (1000, 1003, 900, highest, 0, 12345 % highest):
        connected.put("focuser/0/move", Position=target)
        assert connected.wait_still() == target


def test_targets_outside_are_clamped(connected):
    highest = connected.get("focuser/0/maxstep")
    connected.put("focuser/0/move", Position=highest + 1)
    assert connected.wait_still() == highest
    connected.put("focuser/0/move", Position=-5)
    assert connected.wait_still() == 0


def test_moving_before_the_answer_and_halt(slow):
    start = slow.get("focuser/0/position")
    highest = slow.get("focuser/0/maxstep")
    target = 0 if start > highest / 2 else highest
    slow.put("focuser/0/move", Position=target)
    assert slow.get("focuser/0/ismoving") is True
    state = {item["Name"]: item["Value"] for item in slow.get("focuser/0/devicestate")}
    assert state["IsMoving"] is True
    until(lambda: slow.get("focuser/0/position") != start, "the motor runs")
    slow.put("focuser/0/halt")
    rest = slow.wait_still()
    assert rest != target
    # It rests: a new reading of the motor says the same.
    until(lambda: stamp(slow) != state.get("TimeStamp"), "another reading")
    assert slow.get("focuser/0/position") == rest
    slow.put("focuser/0/halt")  # fine at rest


def stamp(server):
    return {item["Name"]: item["Value"] for item in server.get("focuser/0/devicestate")}.get("TimeStamp", "")


def test_a_new_target_replaces_the_old(slow):
    start = slow.get("focuser/0/position")
    highest = slow.get("focuser/0/maxstep")
    slow.put("focuser/0/move", Position=highest if start < highest / 2 else 0)
    near = start + 150 if start < highest / 2 else start - 150
    slow.put("focuser/0/move", Position=near)
    assert slow.get("focuser/0/ismoving") is True
    assert slow.wait_still() == near


def test_one_client_leaves_and_the_other_stays(connected):
    other = connected.client()
    other.put("focuser/0/connected", Connected="True")
    other.put("focuser/0/connected", Connected="False")
    assert other.get("focuser/0/connected") is False
    with pytest.raises(AlpacaError) as error:
        other.get("focuser/0/position")
    assert error.value.number == NOT_CONNECTED
    assert connected.get("focuser/0/connected") is True
    connected.get("focuser/0/position")


def test_a_second_client_reads_the_link(connected):
    assert connected.client().get("focuser/0/connected") is True


def test_a_move_with_the_ids_of_an_earlier_one_is_carried_out(connected):
    """Checkers, Swagger pages and scripts send constant ids and mean every PUT (contract, section 8.2)."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "Position=2000&ClientID=9&ClientTransactionID=5"
    for _ in range(2):
        assert connected.raw("PUT", "/api/v1/focuser/0/move", body, form).json()["ErrorNumber"] == 0
        assert connected.wait_still() == 2000
        connected.put("focuser/0/move", Position=3000)
        assert connected.wait_still() == 3000


def test_unknown_action(connected):
    from conftest import UNKNOWN_ACTION
    with pytest.raises(AlpacaError) as error:
        connected.action("Levitate")
    assert error.value.number == UNKNOWN_ACTION


def test_run_keeps_others_from_moving(slow):
    run = slow.action("Autofocus", {"exposure_s": 30})["run"]
    with pytest.raises(AlpacaError) as error:
        slow.put("focuser/0/move", Position=1)
    assert error.value.number == INVALID_OPERATION
    assert str(run) in error.value.message
    with pytest.raises(AlpacaError) as error:
        slow.put("camera/0/startexposure", Duration=1, Light="True")
    assert error.value.number == INVALID_OPERATION
    slow.action("AutofocusAbort")
    slow.wait_run()
