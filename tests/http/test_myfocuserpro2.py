# SPDX-License-Identifier: MIT
"""The do-it-yourself controller, played by the emulator, through the whole server; what goes over the wire is
read from the emulator's own log.  Commands are those of the firmware's list.
"""
import socket
import subprocess
import threading

import re

import pytest
from conftest import BINARY, NOT_IMPLEMENTED, VALUE_NOT_SET, AlpacaError, until

STALLED = 0x504


def config(port, extra="", number=0):
    return f"[focuser.{number}]\ndriver = myfocuserpro2\nport = {port}\nopen_wait_ms = 0\nconnect = start\n{extra}"


@pytest.fixture
def serve(make_observatory):
    def make(*texts):
        server = make_observatory(simulate=False, config="".join(texts))
        for number in range(len(texts)):
            until(lambda n=number: server.get(f"focuser/{n}/connected"), f"focuser {number} is connected")
        return server
    return make


def error_of(call):
    try:
        call()
        return 0
    except AlpacaError as error:
        return error.number


def test_moves_halts_and_asks_nothing_else(serve, device):
    focuser = device("myfocuserpro2", position=20000, time_factor=50)
    server = serve(config(focuser.path))
    assert server.get("focuser/0/position") == 20000
    assert server.get("focuser/0/maxstep") == 80000
    assert server.get("focuser/0/maxincrement") == 80000
    assert server.get("focuser/0/absolute") is True
    assert "myFocuserPro2, firmware 291" in server.log()
    until(lambda: ":74#" in focuser.sent() and ":06#" in focuser.sent(), "it was looked at while it rests")
    assert set(focuser.sent()) <= {":02#", ":03#", ":08#", ":83#", ":24#", ":00#", ":01#", ":06#", ":74#", ":76#"}
    for target in (20500, 20499, 0, 23000):
        server.put("focuser/0/move", Position=target)
        assert server.get("focuser/0/ismoving") is True
        assert server.wait_still() == target
    assert ":0523000#" in focuser.sent()
    server.put("focuser/0/move", Position=80000)
    until(lambda: server.get("focuser/0/position") > 23100, "the motor runs")
    server.put("focuser/0/halt")
    rest = server.wait_still()
    assert 23100 < rest < 80000
    assert focuser.sent().count(":27#") >= 1
    server.put("focuser/0/move", Position=rest - 100)
    assert server.wait_still() == rest - 100


# What heals by itself or does not matter: moves arrive.
HARMLESS = ["delay", "partial", "garbage", "duplicate", "no-reply-once", "late-reply", "half-reply", "reset-on-open",
            "slow-start", "retargets", "two-digit-moving", "old-firmware", "probe-lost", "probe-nan", "no-probe",
            "own-backlash", "compensates"]
ELSEWHERE = ["silent", "drop-line", "stall", "wrong-position", "reset", "unasked-motion", "backwards", "runs-past",
             "misheard"]


def test_every_fault_has_a_test():
    text = subprocess.run([BINARY, "emulate", "myfocuserpro2", "--fault", "help"], capture_output=True, text=True,
                          check=True).stdout
    names = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    assert names == {*HARMLESS, *ELSEWHERE}


@pytest.mark.parametrize("part", [HARMLESS[0::3], HARMLESS[1::3], HARMLESS[2::3]], ids=["a", "b", "c"])
def test_moves_arrive_whatever_the_line_or_the_build_does(serve, device, part):
    """Some focusers with one fault each, all at once."""
    server = serve(*[config(device("myfocuserpro2", faults=[fault], position=20000, time_factor=40).path, number=n)
                     for n, fault in enumerate(part)])
    for target in (21000, 0, 1):
        for n in range(len(part)):
            server.put(f"focuser/{n}/move", Position=target)
        for n, fault in enumerate(part):
            assert server.wait_still(n) == target, fault


TEMPERATURES = {"": -2.5, "old-firmware": -2.5, "probe-lost": VALUE_NOT_SET, "probe-nan": VALUE_NOT_SET,
                "no-probe": NOT_IMPLEMENTED}


def test_temperature_and_compensation(serve, device):
    focusers = [device("myfocuserpro2", faults=[fault] if fault else [], temperature=-2.5) for fault in TEMPERATURES]
    compensating = device("myfocuserpro2", faults=["compensates"])
    server = serve(*[config(focuser.path, number=n) for n, focuser in enumerate([*focusers, compensating])])
    for number, (fault, expected) in enumerate(TEMPERATURES.items()):
        member = f"focuser/{number}/temperature"
        if isinstance(expected, float):
            until(lambda name=member, value=expected: error_of(lambda: server.get(name)) == 0
                  and server.get(name) == value, f"{expected} degrees")
        else:
            if expected == VALUE_NOT_SET:
                until(lambda n=number: ":06#" in focusers[n].sent(), "it was asked for")
            assert error_of(lambda name=member: server.get(name)) == expected, fault
        available = fault != "no-probe"
        assert server.get(f"focuser/{number}/tempcompavailable") is available, fault
        # The emulated controller of old knows :24# as the others do.
        assert server.get(f"focuser/{number}/tempcomp") is False, fault
    server.put("focuser/0/tempcomp", TempComp="True")
    until(lambda: ":231#" in focusers[0].sent(), "it is switched on")
    assert server.get("focuser/0/tempcomp") is True
    server.put("focuser/0/tempcomp", TempComp="False")
    until(lambda: ":230#" in focusers[0].sent(), "it is switched off")
    # One that does it already is told of.
    number = len(focusers)
    assert server.get(f"focuser/{number}/tempcomp") is True
    assert not [command for command in compensating.sent() if command.startswith(":23")]


def test_max_step(serve, device):
    """The lower limit of both counts, and a wish beyond the controller's is told of."""
    lower = device("myfocuserpro2", position=20000)
    higher = device("myfocuserpro2", position=20000)
    server = serve(config(lower.path, "max_step = 30000\n"), config(higher.path, "max_step = 100000\n", 1))
    assert [server.get(f"focuser/{n}/maxstep") for n in (0, 1)] == [30000, 80000]
    assert "max_step = 100000 is configured, but the controller ends at 80000" in server.log()
    server.put("focuser/0/move", Position=40000)
    assert server.wait_still() == 30000


def test_two_owners_of_backlash_are_told_of(serve, device):
    focuser = device("myfocuserpro2", faults=["own-backlash"])
    server = serve(config(focuser.path, "backlash_steps = 100\n"))
    until(lambda: "takes up 120 steps of backlash itself" in server.log(), "it is said")


def told(server):
    return until(lambda: error_of(lambda: server.get("focuser/0/ismoving")), "the failure is told")


def test_a_stalled_motor_is_stopped_and_told(serve, device):
    focuser = device("myfocuserpro2", faults=["stall"], position=20000)
    server = serve(config(focuser.path))
    server.put("focuser/0/move", Position=30000)
    assert told(server) == STALLED
    until(lambda: ":27#" in focuser.sent(), "it is stopped")
    assert server.get("focuser/0/position") == 20100


def test_beside_the_target(serve, device):
    server = serve(config(device("myfocuserpro2", faults=["wrong-position"], position=20000).path))
    server.put("focuser/0/move", Position=20500)
    assert told(server) == STALLED
    assert server.get("focuser/0/position") == 20507


def test_motion_that_nobody_asked_for_is_shown(serve, device):
    server = serve(config(device("myfocuserpro2", faults=["unasked-motion"], position=20000, time_factor=1).path))
    until(lambda: server.get("focuser/0/ismoving"), "it moves by itself")
    assert server.wait_still() == 20200


@pytest.mark.parametrize("kind, position, command", [("myfocuserpro2", 20000, ":0524000#"), ("moonlite", 0, ":SN5DC0#")])
def test_a_reset_on_the_way_drives_nowhere(make_observatory, device, kind, position, command):
    """The one finds the count of its last rest, the other 0: by neither it may be driven on."""
    focuser = device(kind, faults=["reset"], position=20000, time_factor=1)
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = {kind}\nport = {focuser.path}\nopen_wait_ms = 0\nconnect = start\n"))
    until(lambda: server.get("focuser/0/connected"), "connected")
    # The emulator resets itself when it is asked on its way, which takes 8 s, however late somebody asks.
    server.put("focuser/0/move", Position=24000)
    # It is deaf while it boots: that may be taken for a lost link, and then for another count behind it.
    assert told(server) != 0
    until(lambda: error_of(lambda: server.get("focuser/0/position")) == 0, "it can be read", pause_s=0.05)
    assert server.get("focuser/0/position") == position
    until(lambda: any(words in server.log() for words in ("lost count", "lost its count", "position unknown:",
                                                          "position shifted:")), "it is said")
    assert focuser.sent().count(command) == 1


def test_the_line_drops_and_comes_back(serve, device):
    focuser = device("myfocuserpro2", faults=["drop-line"], position=20000, time_factor=1)
    server = serve(config(focuser.path))
    server.put("focuser/0/move", Position=20600)
    assert told(server) != 0
    until(lambda: error_of(lambda: server.get("focuser/0/position")) == 0, "it is found again", pause_s=0.05)
    # The controller went on by itself, as real ones do.
    until(lambda: server.get("focuser/0/position") == 20600, "the truth is shown")
    assert sum(command.startswith(":05") for command in focuser.sent()) == 1


def test_silence(make_observatory, device):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = myfocuserpro2\nport = {device('myfocuserpro2', faults=['silent']).path}\n"
        "open_wait_ms = 0\n"))
    with pytest.raises(AlpacaError) as error:
        server.put("focuser/0/connected", Connected="True")
    assert "nothing answers on" in error.value.message
    assert server.get("focuser/0/connected") is False


def test_over_tcp(serve, device):
    """Its Ethernet and WiFi builds: the same language."""
    focuser = device("myfocuserpro2", position=20000)
    listener = socket.create_server(("127.0.0.1", 0))
    ends = []

    def copy(read, write):
        try:
            while data := read():
                write(data)
        except (OSError, ValueError):
            pass

    def bridge():
        peer, _ = listener.accept()
        terminal = open(focuser.path, "r+b", buffering=0)  # noqa: SIM115  closed below
        ends.extend((peer, terminal))
        threading.Thread(target=copy, args=(lambda: terminal.read(64), peer.sendall), daemon=True).start()
        copy(lambda: peer.recv(64), terminal.write)

    served = threading.Thread(target=bridge, daemon=True)
    served.start()
    server = serve(config(f"tcp://127.0.0.1:{listener.getsockname()[1]}"))
    server.put("focuser/0/move", Position=23000)
    assert server.wait_still() == 23000
    server.stop()
    served.join()
    focuser.stop()
    for end in ends:
        end.close()
    listener.close()
