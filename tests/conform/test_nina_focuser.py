# SPDX-License-Identifier: MIT
"""N.I.N.A.'s flows with a focuser, R2 to R8, request for request; its waits on a shortened clock."""
import json
import signal

import nina as n
import pytest
from conftest import Emulator, Observatory, until
from nina import Nina
from wire import STATE_NAMES, in_parallel, is_of

FAR, NEAR = 20000, 4000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("nina"), time_factor=40)
    yield observatory
    observatory.stop()


@pytest.fixture
def focuser(server):
    nina = n.connect_focuser(server.port)
    yield nina
    nina.close()


def test_r2_connect(server):
    nina = Nina(server.port, "focuser/0")
    n.connect(nina)
    state = nina.state()
    assert set(state) == {"IsMoving", "Position", "Temperature", "TimeStamp"}
    assert all(is_of(value, STATE_NAMES["focuser"][name]) for name, value in state.items())
    assert nina.value("maxstep") > 0 and nina.value("absolute") is True
    assert nina.optional("stepsize", 0x400) != 0
    if nina.value("tempcompavailable"):
        nina.value("tempcomp")
    assert all(isinstance(name, str) for name in nina.value("supportedactions"))

    def bindings():
        """Reads of the window, from another thread."""
        other = Nina(server.port, "focuser/0")
        other.client_id = nina.client_id
        assert other.value("maxincrement") > 0
        for name in ("maxstep", "tempcompavailable"):
            other.value(name)
        other.optional("stepsize", 0x400)
        for name in ("description", "driverinfo", "driverversion"):
            assert other.value(name)
        other.close()

    def texts():
        for name in ("description", "driverinfo", "driverversion"):
            assert nina.value(name)

    in_parallel(bindings, texts, bindings)
    nina.close()


def test_r2b_connect_without_devicestate(server):
    nina = Nina(server.port, "focuser/0")
    nina.do("connected", Connected="True")
    assert nina.value("connected") is True
    nina.value("interfaceversion")
    assert nina.value("maxstep") > 0 and nina.value("absolute") is True
    assert nina.value("ismoving") is False
    assert nina.value("position") >= 0
    nina.optional("temperature", 0x400, 0x402)
    nina.close()


def test_r3_idle_polls_need_nothing_that_stays(server, focuser):
    """Three hundred polls are ten minutes; neither sockets nor the server's threads grow."""
    import os

    def open_files():
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    for _ in range(20):
        n.poll_focuser(focuser)
    before = open_files()
    connection = focuser.connection
    for _ in range(300):
        n.poll_focuser(focuser)
    assert focuser.connection is connection, "the connection was kept"
    assert open_files() <= before


def test_r4_move(focuser):
    for target in (NEAR, FAR, FAR - 1, FAR, 0, focuser.value("maxstep"), NEAR):
        n.move(focuser, target)


def test_r4_ismoving_is_true_before_move_answers(focuser):
    n.move(focuser, 0)
    focuser.do("move", Position=focuser.value("maxstep"))
    assert focuser.value("ismoving") is True
    assert focuser.state()["IsMoving"] is True
    focuser.do("halt")


def test_r4_with_polls_meanwhile(server, focuser):
    def polls():
        other = n.connect_focuser(server.port)
        for _ in range(60):
            n.poll_focuser(other)
        other.close()

    in_parallel(polls, polls, lambda: [n.move(focuser, target) for target in (NEAR, FAR, NEAR)])


def test_r4a_move_to_where_it_is(focuser):
    n.move(focuser, NEAR)
    n.move(focuser, NEAR)
    focuser.do("move", Position=NEAR)  # others send it
    assert focuser.value("ismoving") is False and focuser.value("position") == NEAR


def test_r4b_beyond_maxstep(focuser):
    highest = focuser.value("maxstep")
    focuser.do("move", Position=highest + 500)
    until(lambda: focuser.value("ismoving") is False, "it rests")
    assert focuser.value("position") == highest == focuser.state()["Position"]


def test_r4c_the_same_move_again_while_moving(focuser):
    n.move(focuser, NEAR)
    focuser.do("move", Position=FAR)
    for _ in range(3):
        focuser.do("move", Position=FAR)
        assert focuser.value("position") <= FAR
    until(lambda: focuser.value("ismoving") is False, "it rests")
    assert focuser.value("position") == FAR


def serial_server(folder, emulator, more=""):
    return Observatory(folder, simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nmax_step = 40000\n"
        f"open_wait_ms = 0\n{more}"))


@pytest.fixture
def serial(tmp_path):
    """make(position, emulator options, configuration) -> server with a serial focuser."""
    made = []

    def make(position, *options, more=""):
        emulator = Emulator(tmp_path, position, *options)
        made.append(emulator)
        observatory = serial_server(tmp_path, emulator, more)
        made.append(observatory)
        observatory.emulator = emulator
        return observatory

    yield make
    for thing in reversed(made):
        thing.stop()


@pytest.mark.parametrize("beside", [1, 2, -2])
def test_r4d_a_motor_that_stops_beside_its_target(serial, beside):
    nina = n.connect_focuser(serial(3000, "--fault", f"offset-{beside}").port)
    for target in (3100, 3000, 3500):
        n.move(nina, target)


def test_r4e_a_motor_that_is_stuck(serial):
    nina = n.connect_focuser(serial(3000, "--fault", "stall").port)
    nina.do("move", Position=9000)

    def told():
        found = nina.G("ismoving")
        assert found["ErrorNumber"] != 0 or found["Value"] is True
        return found["ErrorMessage"]

    message = until(told, "the stall is told")
    assert "9000" in message or "stopped" in message or "stands" in message
    assert nina.state()["IsMoving"] is False
    assert nina.state()["Position"] != 9000


def test_r4f_and_r7_with_temperature_compensation(serial):
    nina = n.connect_focuser(serial(3000).port)
    if not nina.value("tempcompavailable"):
        pytest.skip("this focuser has no temperature compensation")
    nina.do("tempcomp", TempComp="True")
    assert nina.value("tempcomp") is True
    nina.do("tempcomp", TempComp="False")
    n.move(nina, 3400)
    nina.do("tempcomp", TempComp="True")
    for _ in range(3):
        n.poll_focuser(nina)
        assert nina.value("tempcomp") is True
    # Other clients move while it is on.
    nina.do("move", Position=3500)
    until(lambda: nina.value("ismoving") is False, "it rests")
    assert nina.value("position") == 3500
    assert nina.value("tempcomp") is True


def test_r7_without_temperature_compensation(focuser):
    assert focuser.value("tempcompavailable") is False
    for value in ("True", "False"):
        assert focuser.P("tempcomp", TempComp=value)["ErrorNumber"] == 0x400
    assert focuser.value("tempcomp") is False


def test_r5_overshoot_backlash(focuser):
    n.move(focuser, FAR)
    for target in (FAR - 2000, FAR - 4000):
        n.move(focuser, target - 100)
        n.move(focuser, target)


def test_r6_halt(focuser):
    n.move(focuser, 0)
    highest = focuser.value("maxstep")
    focuser.do("move", Position=highest)
    assert focuser.value("ismoving") is True
    focuser.do("halt")
    until(lambda: focuser.value("ismoving") is False, "it rests")
    rest = focuser.state()["Position"]
    assert 0 <= rest < highest
    for _ in range(20):
        assert focuser.state()["Position"] == rest == focuser.value("position")
    focuser.do("halt")
    n.move(focuser, NEAR)


def test_r8_disconnect_leaves_others_alone(server, focuser):
    other = n.connect_focuser(server.port)
    focuser.do("connected", Connected="False")
    assert focuser.value("connected") is False
    for _ in range(5):
        n.poll_focuser(other)
    n.move(other, NEAR)
    n.connect(focuser)
    other.close()


def test_r8_server_killed_and_restarted(serial):
    server = serial(3000)
    nina = n.connect_focuser(server.port)
    n.move(nina, 3300)
    n.poll_focuser(nina)
    process = server.process
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    server.start()
    nina.close()
    nina.port = server.port
    assert nina.value("connected") is False
    nina.do("connected", Connected="True")
    assert nina.value("connected") is True
    assert nina.state()["Position"] == 3300


def test_r8_cable_pulled(serial):
    server = serial(3000)
    nina = n.connect_focuser(server.port)
    n.move(nina, 3300)
    server.emulator.stop()
    until(lambda: nina.G("position")["ErrorNumber"] != 0, "the loss is seen")
    for _ in range(20):
        assert nina.value("connected") is True
        state = nina.state()
        assert set(state) >= nina.names - {"Temperature"}
        assert (state["Position"], state["IsMoving"]) == (3300, False)
    refused = nina.P("move", Position=3400)
    assert refused["ErrorNumber"] != 0 and len(refused["ErrorMessage"]) > 20


def test_r8_a_repeated_move_is_carried_out(server, focuser):
    """The answer is lost and the client sends the same again: its target is absolute, so it is carried out like any
    other, also when somebody else has moved in between."""
    n.move(focuser, NEAR)
    ids = focuser.ids_now()
    first = focuser.P("move", ids=ids, Position=NEAR + 500)
    until(lambda: focuser.value("ismoving") is False, "it rests")
    other = n.connect_focuser(server.port)
    n.move(other, FAR)
    focuser.close()
    again = focuser.P("move", ids=ids, Position=NEAR + 500)
    assert again["ErrorNumber"] == 0 and again["ServerTransactionID"] > first["ServerTransactionID"]
    until(lambda: focuser.value("ismoving") is False, "it rests")
    assert focuser.value("position") == other.value("position") == NEAR + 500
    other.close()


def test_r8_a_repeated_start_starts_once(server):
    """What is sent again while the run goes on gets the answer that tells of this run."""
    server.connect()
    ids = Nina(server.port, "focuser/0").ids_now()

    def start():
        nina = Nina(server.port, "focuser/0")
        found, begun = n.action(nina, "Autofocus", '{"exposure_s": 600}', ids)
        assert begun["state"] == "running"
        nina.close()
        return found

    first, second, third = in_parallel(start, start, start)
    assert first == second == third
    server.put("focuser/0/halt")
    run, _ = server.wait_run()
    assert (run["run"], run["state"]) == (json.loads(first["Value"])["run"], "aborted")


def test_r8_two_measurements_are_two(server):
    """A measurement is never answered from memory, whatever the ids."""
    server.connect()
    ids = Nina(server.port, "focuser/0").ids_now()

    def measure():
        nina = Nina(server.port, "focuser/0")
        found, measured = n.action(nina, "MeasureStars", '{"exposure_s": 1}', ids)
        assert measured["width"] > 0
        nina.close()
        return found["ServerTransactionID"]

    assert measure() < measure()
