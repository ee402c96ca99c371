# SPDX-License-Identifier: MIT
"""Memory of the position as clients see it: SetPosition, what is told where, and a disk that refuses."""
import json
import re
import shutil

import position_file
import pytest
from conftest import INVALID_OPERATION, INVALID_VALUE, NOT_CONNECTED, AlpacaError, block_journal, until


@pytest.fixture
def make_server(make_observatory):
    def make(emulator, extra="", **arguments):
        server = make_observatory(simulate=False, config=(
            f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n{extra}"), **arguments)
        server.journal = server.folder / "state" / "position-0"
        return server
    return make


@pytest.fixture
def shifted(make_server, emulator):
    """Stood at 7600, was reset while the server was away, says 0."""
    server = make_server(emulator)
    server.put("focuser/0/connected", Connected="True")
    until(server.journal.exists, "the first entry")
    server.stop()
    emulator.stop()
    emulator.start(0)
    server.start()
    server.put("focuser/0/connected", Connected="True")
    return server


def metrics(server):
    return server.raw("GET", "/metrics").text


def trust_metric(server):
    """The words whose sample is 1."""
    return [line.split('state="')[1].split('"')[0] for line in metrics(server).splitlines()
            if line.startswith("focusd_focuser_position_trust{") and line.endswith(" 1")]


def test_first_start_and_a_restart_are_without_fuss(make_server, emulator):
    server = make_server(emulator)
    assert trust_metric(server) == []
    server.put("focuser/0/connected", Connected="True")
    assert trust_metric(server) == ["known"]
    server.put("focuser/0/move", Position=7700)
    server.wait_still()
    server.stop()
    entry, torn = position_file.read(server.journal)
    assert (entry["motion"], entry["position"], entry["trust"], torn) == ("rest", 7700, "known", False)
    assert entry["port"] == str(emulator.path) and "Moonlite" in entry["device"]
    server.start()
    server.put("focuser/0/connected", Connected="True")
    state = server.focuser_state()
    assert (state["trust"], state["trust_why"], state["remembered_position"]) == ("known", None, None)
    assert state["can_set_position"] is True and state["journal_failing"] is False
    assert "position shifted" not in server.log()


def test_a_shift_is_told_everywhere_but_in_device_state(shifted):
    state = shifted.focuser_state()
    assert (state["trust"], state["position"], state["remembered_position"]) == ("shifted", 0, 7600)
    assert "as after a reset" in state["trust_why"]
    assert trust_metric(shifted) == ["shifted"]
    assert 'focusd_focuser_position_known{device="focuser.0"} 0' in metrics(shifted)
    assert "position shifted: It says 0, as after a reset, but stood at 7600" in shifted.log()
    assert "as after a reset" in shifted.raw("GET", "/setup/v1/focuser/0/setup").text
    # Clients are told what they know of, and are not in the way.
    names = [item["Name"] for item in shifted.get("focuser/0/devicestate")]
    assert set(names) <= {"IsMoving", "Position", "Temperature", "TimeStamp"}
    assert shifted.get("focuser/0/position") == 0
    shifted.put("focuser/0/move", Position=50)
    assert shifted.wait_still() == 50
    assert "moves to 50 with a position that is shifted" in shifted.log()
    # By the count from before, 7600 higher, this would be beyond the end.
    with pytest.raises(AlpacaError) as error:
        shifted.put("focuser/0/move", Position=65000)
    assert error.value.number == INVALID_OPERATION and "SetPosition" in error.value.message
    assert shifted.action("SetPosition", "restore") == {"position": 7650, "trust": "known"}
    assert shifted.get("focuser/0/position") == 7650 and trust_metric(shifted) == ["known"]
    shifted.put("focuser/0/move", Position=65000)
    shifted.wait_still()
    with pytest.raises(AlpacaError) as error:
        shifted.action("SetPosition", "restore")
    assert error.value.number == INVALID_VALUE


@pytest.mark.parametrize("parameters, position", [("keep", 0), ("1200", 1200), ({"position": 1200}, 1200)])
def test_ways_to_settle_it(shifted, parameters, position):
    assert shifted.action("SetPosition", parameters) == {"position": position, "trust": "known"}
    entry, _ = position_file.read(shifted.journal)
    assert (entry["position"], entry["trust"], entry["offset"]) == (position, "known", None)


def test_a_put_with_the_ids_of_an_earlier_one_is_carried_out(make_server, emulator):
    """Rule 8.2: SetPosition starts nothing that goes on, so it is done whenever it comes."""
    server = make_server(emulator)
    server.put("focuser/0/connected", Connected="True")
    body = "Action=SetPosition&Parameters=1000&ClientID=77&ClientTransactionID=5"
    answers = [json.loads(server.raw("PUT", "/api/v1/focuser/0/action", body).body)["Value"]]
    server.put("focuser/0/move", Position=1100)
    server.wait_still()
    answers.append(json.loads(server.raw("PUT", "/api/v1/focuser/0/action", body).body)["Value"])
    assert answers == ['{"position":1000,"trust":"known"}'] * 2
    assert server.get("focuser/0/position") == 1000


def test_refusals(make_server, emulator):
    server = make_server(emulator)
    with pytest.raises(AlpacaError) as error:
        server.action("SetPosition", "100")
    assert error.value.number == NOT_CONNECTED
    server.put("focuser/0/connected", Connected="True")
    for parameters, number in (("-1", INVALID_VALUE), ("65536", INVALID_VALUE), ("", INVALID_VALUE),
                               ("restore", INVALID_VALUE), ('{"position":"x"}', INVALID_VALUE)):
        with pytest.raises(AlpacaError) as error:
            server.action("SetPosition", parameters)
        assert error.value.number == number, parameters
    server.put("focuser/0/move", Position=65535)
    with pytest.raises(AlpacaError) as error:
        server.action("SetPosition", "100")
    assert error.value.number == INVALID_OPERATION and "moving" in error.value.message
    server.put("focuser/0/halt")
    server.wait_still()


def test_focusing_goes_on_where_nothing_can_be_written(make_server, emulator):
    server = make_server(emulator)
    block_journal(server.journal)
    server.put("focuser/0/connected", Connected="True")
    server.put("focuser/0/move", Position=7700)
    assert server.wait_still() == 7700
    until(lambda: server.focuser_state()["journal_failing"], "it says that nothing is remembered")
    assert 'focusd_focuser_journal_failing{device="focuser.0"} 1' in metrics(server)
    assert "the position cannot be remembered" in server.log()
    shutil.rmtree(server.journal)
    server.put("focuser/0/move", Position=7600)
    server.wait_still()
    until(lambda: not server.focuser_state()["journal_failing"], "it has healed")
    assert position_file.read(server.journal)[0]["position"] == 7600
    assert "the position is remembered again" in server.log()


def test_a_damaged_journal_is_said_and_settled(make_server, emulator):
    server = make_server(emulator)
    server.stop()
    server.journal.write_bytes(b"\0" * 8192)
    server.start()
    server.put("focuser/0/connected", Connected="True")
    state = server.focuser_state()
    assert state["trust"] == "unknown" and "damaged" in state["trust_why"]
    assert server.action("SetPosition", "keep") == {"position": 7600, "trust": "known"}
    assert position_file.read(server.journal) [0]["trust"] == "known"


def test_restoring_after_a_power_cut_in_a_move_is_a_guess(make_server, emulator):
    """Computer and controller lose their power together while the motor runs; the controller says 0 afterwards.  The
    motor is somewhere on its way, and to tell the controller where it was last seen makes that no surer."""
    server = make_server(emulator)
    server.put("focuser/0/connected", Connected="True")
    server.put("focuser/0/move", Position=60000)
    until(lambda: server.get("focuser/0/position") > 7700, "it is on its way")
    server.process.kill()
    server.process.communicate()
    server.close()
    emulator.stop()
    emulator.start(0)
    server.start()
    server.put("focuser/0/connected", Connected="True")
    state = server.focuser_state()
    ends = (7600, 60000)
    assert (state["trust"], state["within_low"], state["within_high"]) == ("unknown", *ends)
    seen = state["remembered_position"]
    assert server.action("SetPosition", "restore") == {"position": seen, "trust": "unknown", "within": list(ends)}
    state = server.focuser_state()
    assert (state["position"], state["trust"], state["within_low"], state["within_high"]) == (seen, "unknown", *ends)
    assert "from 7600 to 60000" in state["trust_why"]
    assert trust_metric(server) == ["unknown"]
    for bound, end in zip(("low", "high"), ends):
        assert f'focusd_focuser_position_within_steps{{device="focuser.0",bound="{bound}"}} {end}' in metrics(server)
    assert "from 7600 to 60000" in server.raw("GET", "/setup/v1/focuser/0/setup").text
    assert server.action("SetPosition", "keep") == {"position": seen, "trust": "known"}
    assert "within_steps{" not in metrics(server)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_motor_outside_its_range_is_said_once(make_observatory, make_emulator, reverse):
    """Turned by hand, or by a program with other limits: clients are told the nearer end, people the truth."""
    emulator = make_emulator(12000)
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\nmax_step = 10000\n"
        + ("reverse = yes\n" if reverse else "")))
    server.put("focuser/0/connected", Connected="True")
    state = server.focuser_state()
    # With reverse positions are counted down from the highest that is configured.
    stands, end = (-2000, 0) if reverse else (12000, 10000)
    assert server.get("focuser/0/position") == end
    assert (state["position"], state["outside_at"], state["motor_position"]) == (end, stands, 12000)
    assert 'focusd_focuser_motor_position_steps{device="focuser.0"} 12000' in metrics(server)
    assert f"{stands}, outside 0..10000" in server.raw("GET", "/setup/v1/focuser/0/setup").text
    before = server.focuser_state()["position_age_s"]
    until(lambda: server.focuser_state()["position_age_s"] != before, "it was read again")
    assert server.log().count(f"outside 0..10000; clients are told {end}") == 1
    # The end that it seems to stand at is really gone to.
    server.put("focuser/0/move", Position=end)
    assert server.wait_still() == end
    state = server.focuser_state()
    assert (state["outside_at"], state["motor_position"]) == (None, 10000)
    assert server.log().count("is inside its range again") == 1


def test_a_rehearsal_leaves_the_real_journal_alone(make_observatory):
    server = make_observatory()
    server.connect()
    server.put("focuser/0/move", Position=100)
    server.wait_still()
    server.stop()
    assert not (server.folder / "state" / "position-0").exists()


def test_a_simulated_focuser_stands_where_it_stood(make_observatory):
    server = make_observatory(seed=None)
    server.connect()
    target = 12345 if server.get("focuser/0/position") != 12345 else 12000
    server.put("focuser/0/move", Position=target)
    server.wait_still()
    server.stop()
    server.start()
    server.connect()
    assert server.get("focuser/0/position") == target
    assert trust_metric(server) == ["known"]
    # The sky is the one that it stood under; another directory has another.
    seeds = re.findall(r"seed (\d+)", server.log())
    assert len(seeds) == 2 and seeds[0] == seeds[1]
    assert re.findall(r"seed (\d+)", make_observatory(seed=None).log()) != seeds[:1]


def test_a_simulated_focuser_that_was_cut_off_on_its_way_stands_on_it(make_observatory):
    server = make_observatory(time_factor=1)
    server.connect()
    begins = server.get("focuser/0/position")
    target = 0 if begins > 15000 else 30000
    server.put("focuser/0/move", Position=target)
    until(lambda: server.get("focuser/0/position") != begins, "the motor turns")
    server.process.kill()
    server.process.communicate()
    server.close()
    server.start()
    server.connect()
    assert min(begins, target) <= server.get("focuser/0/position") <= max(begins, target)
    assert server.get("focuser/0/ismoving") is False
