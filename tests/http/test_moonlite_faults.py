# SPDX-License-Identifier: MIT
"""Every fault that `focusd emulate moonlite` knows, seen from a client: answers are true, nothing hangs, and
what can heal does.  What goes over the wire is read from the emulator's own log.
"""
import fcntl
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest
from conftest import (BINARY, DEADLINE_S, INVALID_OPERATION, NOT_CONNECTED, NOT_IMPLEMENTED, VALUE_NOT_SET,
                      AlpacaError, until)

DRIVER_ERRORS = range(0x500, 0x510)
IO, TIMEOUT, PROTOCOL, REFUSED, STALLED = range(0x500, 0x505)


class Wire:
    """An emulated focuser behind a link that survives a replug, with every byte in a log."""

    def __init__(self, folder, *arguments, faults=(), position=20000, factor=20):
        self.path = folder / "port"
        self.log_path = folder / "wire.log"
        command = [BINARY, "emulate", "moonlite", "-v", "--link", str(self.path), "--position", str(position),
                   "--time-factor", str(factor), *arguments]
        for fault in faults:
            command += ["--fault", fault]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout.readline().startswith("/dev/pts/")

    def stop(self):
        self.process.kill()
        self.process.communicate()

    def lines(self):
        """(seconds since midnight, direction, text) of what went over the wire."""
        found = []
        for line in self.log_path.read_text(encoding="ascii", errors="replace").splitlines():
            match = re.match(r"\S+T(\d+):(\d+):([\d.]+)Z ([<>]) (.*)", line)
            if match:
                hour, minute, second, direction, text = match.groups()
                found.append((int(hour) * 3600 + int(minute) * 60 + float(second), direction, text))
        return found

    def sent(self):
        """The commands that came from the server, in order."""
        return re.findall(r":[^#:]*#", "".join(text for _, way, text in self.lines() if way == ">"))


def now():
    return time.time() % 86400


@pytest.fixture
def make_wire(tmp_path):
    running = []

    def make(*arguments, **options):
        running.append(Wire(tmp_path, *arguments, **options))
        return running[-1]

    yield make
    for wire in running:
        wire.stop()


def serve(make_observatory, port, extra="", connect=True):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {port}\nopen_wait_ms = 0\n{extra}"))
    if connect:
        connect_as_clients_do(server)
    return server


def connect_as_clients_do(server):
    """PUT connected with the patience of real clients: five seconds.  The error number, 0 when connected;
    an answer that comes while it is still being tried is waited out."""
    # Sanitized programs on busy machines are slower than telescopes.
    patience = http.client.HTTPConnection(server.host, server.port, timeout=5 if not os.environ.get(
        "FOCUSD_SANITIZED") else DEADLINE_S)
    body = urllib.parse.urlencode({"Connected": "True", **server.ids_now()})
    patience.request("PUT", "/api/v1/focuser/0/connected", body,
                     {"Content-Type": "application/x-www-form-urlencoded"})
    answer = patience.getresponse()
    assert answer.status == 200
    envelope = json.loads(answer.read())
    patience.close()
    return envelope["ErrorNumber"], envelope["ErrorMessage"]


def error_of(call):
    try:
        call()
        return 0
    except AlpacaError as error:
        return error.number


HARMLESS = ["delay", "partial", "garbage", "duplicate", "no-reply-once", "late-reply", "reset-on-open",
            "double-hash", "missing-hash", "width8", "one-digit-gi", "sn-moves", "ignore-while-moving",
            "constant-temperature", "no-probe", "no-temperature", "wrap16", "half-reply", "slow-start",
            "lost-target", "lower-case", "fixed-coefficient", "cooling"]
# Tested below, in test_astray.py, or in the suite that drives the driver alone (tests/unit/drivers).
TESTED = HARMLESS + ["silent", "drop-line", "stall", "offset-", "unasked-motion", "wrong-position", "reset",
                     "forgets", "below-zero", "backwards", "runs-past", "misheard", "no-gv", "no-gn", "missing-hash-gi"]


def test_every_fault_has_a_test():
    text = subprocess.run([BINARY, "emulate", "moonlite", "--fault", "help"], capture_output=True, text=True,
                          check=True).stdout
    names = {line.split()[0] for part in text.split("Faults of ")[1:] for line in part.splitlines()[1:]
             if line.startswith("  ")}
    assert names == set(TESTED)


def test_a_clone_without_version_is_named_by_its_user(make_observatory, make_wire):
    """Mounts share the alphabet, so a missing answer to the first question is not guessed about."""
    wire = make_wire(faults=["no-gv"])
    server = serve(make_observatory, wire.path, connect=False)
    with pytest.raises(AlpacaError) as refused:
        server.put("focuser/0/connected", Connected="True")
    assert "quirks = no-version" in refused.value.message and "mounts" in refused.value.message
    assert set(wire.sent()) <= {":GV#", ":GP#"}
    server.stop()
    server = serve(make_observatory, wire.path, "quirks = no-version\n")
    assert server.get("focuser/0/connected") is True


@pytest.mark.parametrize("faults", [HARMLESS[0::3], HARMLESS[1::3], HARMLESS[2::3]], ids=["a", "b", "c"])
def test_moves_arrive_whatever_the_line_does(make_observatory, tmp_path_factory, faults):
    """Eight focusers with one fault each, all at once."""
    wires = [Wire(tmp_path_factory.mktemp(fault), faults=[fault], factor=40) for fault in faults]
    try:
        server = make_observatory(simulate=False, config="".join(
            f"[focuser.{i}]\ndriver = moonlite\nport = {wire.path}\nopen_wait_ms = 0\nconnect = start\n"
            for i, wire in enumerate(wires)))
        all_of_them_arrive(server, faults)
    finally:
        for wire in wires:
            wire.stop()


def all_of_them_arrive(server, faults):
    each = range(len(faults))
    for i in each:
        until(lambda n=i: server.get(f"focuser/{n}/connected"), f"connected with {faults[i]}")
        assert server.get(f"focuser/{i}/position") == 20000
    for target in (21000, 20990, 0, 20002):
        for i in each:
            server.put(f"focuser/{i}/move", Position=target)
            assert server.get(f"focuser/{i}/ismoving") is True
        for i in each:
            assert server.wait_still(i) == target, faults[i]
    # A halt on the way holds, and the next move works.

    def beyond(number, least):
        try:
            return server.get(f"focuser/{number}/position") > least
        except AlpacaError:
            return False

    for i in each:
        server.put(f"focuser/{i}/move", Position=65535)
        until(lambda n=i: beyond(n, 20100), f"moves with {faults[i]}")
        server.put(f"focuser/{i}/halt")
    rests = [server.wait_still(i) for i in each]
    for _ in range(5):
        for i in each:
            assert 20002 < rests[i] < 65535, faults[i]
            assert server.get(f"focuser/{i}/position") == rests[i], faults[i]
    for i in each:
        server.put(f"focuser/{i}/move", Position=20000)
    for i in each:
        assert server.wait_still(i) == 20000, faults[i]


TEMPERATURES = {"": 10.0, "width8": 10.0, "constant-temperature": 16.0, "no-probe": VALUE_NOT_SET,
                "no-temperature": VALUE_NOT_SET}


@pytest.mark.parametrize("fault", TEMPERATURES)
def test_temperature(make_observatory, make_wire, fault):
    """16.0 is what 20# means by the protocol: half degrees, hexadecimal."""
    wire = make_wire(faults=[fault] if fault else [])
    server = serve(make_observatory, wire.path)
    expected = TEMPERATURES[fault]
    if expected == VALUE_NOT_SET:
        until(lambda: ":GT#" in wire.sent(), "asked for the temperature")
        assert error_of(lambda: server.get("focuser/0/temperature")) == VALUE_NOT_SET
    else:
        def known():
            try:
                return server.get("focuser/0/temperature") == expected
            except AlpacaError as error:
                assert error.number == VALUE_NOT_SET
                return False
        until(known, f"{expected} degrees")
    quiet = serve(make_observatory, wire.path, "temperature_source = none\n", connect=False)
    assert error_of(lambda: quiet.get("focuser/0/temperature")) in (NOT_CONNECTED, NOT_IMPLEMENTED)


def black_hole():
    """A port on which nobody takes calls any more: further ones are not answered at all."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    callers = []
    for _ in range(4):
        caller = socket.socket()
        caller.setblocking(False)
        caller.connect_ex(listener.getsockname())
        callers.append(caller)
    return listener, callers


@pytest.mark.parametrize("case", ["silent", "absent", "held", "closed", "black hole", "mute", "talker", "no port"])
def test_a_connect_that_cannot_work_is_answered_in_time(make_observatory, make_wire, tmp_path, case):
    keep = []
    if case == "silent":
        port = make_wire(faults=["silent"]).path
        words = "nothing answers"
    elif case == "absent":
        port = tmp_path / "absent"
        words = "there is no"
    elif case == "held":
        port = make_wire().path
        keep.append(os.open(port, os.O_RDWR | os.O_NOCTTY))
        fcntl.flock(keep[0], fcntl.LOCK_EX)
        words = "in use by another program"
    elif case == "no port":
        port = tmp_path / "file"
        port.write_text("not a port", encoding="ascii")
        words = "no serial port"
    else:
        listener, callers = black_hole()
        keep += [listener, *callers]
        port = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
        words = "cannot connect"
        if case == "closed":
            listener.close()
        if case in ("mute", "talker"):
            listener.close()
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(5)
            keep.append(listener)
            port = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
            words = "nothing answers"
    server = serve(make_observatory, port, connect=False)
    if case == "talker":
        words = "GPS"
        server_side = {}

        def talk():
            server_side["peer"], _ = listener.accept()
            server_side["peer"].sendall(b"$GPGGA,123519,4807.038,N*47\r\n" * 40)

        talking = threading.Thread(target=talk)
        talking.start()
        keep.append(server_side)
    number, message = connect_as_clients_do(server)
    if case == "talker":
        talking.join()
    assert number in DRIVER_ERRORS, message
    assert words in message or "not answered yet" in message
    assert server.get("focuser/0/connected") is False

    def told():
        try:
            return server.get("focuser/0/connecting") is False
        except AlpacaError as error:
            assert error.number in DRIVER_ERRORS and words in error.message
            return True
    until(told, "the reason is told")
    # And everything else answers on.
    assert server.raw("GET", "/healthz").status == 200
    for thing in keep:
        if isinstance(thing, int):
            os.close(thing)


def test_connect_at_start_waits_for_the_device(make_observatory, make_wire, tmp_path):
    """Switched on after the server: it is found without anybody asking."""
    server = serve(make_observatory, tmp_path / "port", "connect = start\n", connect=False)
    assert server.get("focuser/0/connected") is False
    wire = make_wire(position=1234)
    until(lambda: server.get("focuser/0/connected"), "found")
    assert server.get("focuser/0/position") == 1234
    assert not [command for command in wire.sent() if command.startswith((":SN", ":F", ":SP"))]


def test_halt_is_one_exchange_away(make_observatory, make_wire):
    """With a device that takes 300 ms for each answer there is always a question on the wire."""
    wire = make_wire(faults=["delay"], factor=1)
    server = serve(make_observatory, wire.path)
    for target in (40000, 0):
        server.put("focuser/0/move", Position=target)
        before = len(wire.sent())
        until(lambda: server.get("focuser/0/position") != 20000 and len(wire.sent()) > before + 2, "it runs")
        asked = now()
        server.put("focuser/0/halt")
        # How long the request itself took says nothing about the line, so what was asked before its answer counts not.
        answered = now()
        until(lambda: ":FQ#" in [text for at, way, text in wire.lines() if way == ">" and at >= asked - 0.001],
              "the halt is on the wire")
        between = []
        for at, way, text in wire.lines():
            if way == ">" and at >= asked - 0.001:
                if text == ":FQ#":
                    break
                if at >= answered:
                    between.append(text)
        assert len(between) <= 1, between
        server.wait_still()


def test_the_line_is_not_flooded(make_observatory, make_wire):
    """960 bytes a second go through a line of 9600 baud, both ways together no more than a part of it."""
    wire = make_wire(factor=1)
    server = serve(make_observatory, wire.path)

    def rate(seconds):
        begin = now()
        until(lambda: now() - begin > seconds, "time passes", pause_s=0.1)
        return sum(len(text) for at, _, text in wire.lines() if begin <= at <= begin + seconds) / seconds

    assert rate(2) < 50
    server.put("focuser/0/move", Position=60000)
    assert rate(1) < 300
    server.put("focuser/0/halt")
    server.wait_still()


def test_nothing_but_questions_until_somebody_moves(make_observatory, make_wire):
    wire = make_wire()
    server = serve(make_observatory, wire.path)
    server.put("focuser/0/connected", Connected="False")
    server.put("focuser/0/connected", Connected="True")
    until(lambda: wire.sent().count(":GP#") > 4, "some polls")
    assert set(wire.sent()) <= {":GV#", ":GP#", ":GI#", ":GH#", ":GD#", ":C#", ":GT#"}


def test_a_stalled_motor_is_stopped_and_told(make_observatory, make_wire):
    wire = make_wire(faults=["stall"])
    server = serve(make_observatory, wire.path)
    server.put("focuser/0/move", Position=30000)
    assert until(lambda: error_of(lambda: server.get("focuser/0/ismoving")), "the failure is told") == STALLED
    until(lambda: ":FQ#" in wire.sent(), "it is stopped")
    assert server.get("focuser/0/position") == 20100
    until(lambda: error_of(lambda: server.get("focuser/0/ismoving")) == 0, "told for some seconds only")
    assert server.get("focuser/0/ismoving") is False


def test_beside_the_target(make_observatory, make_wire):
    """Two steps are forgiven, and clients see their target; more is a failure, and the truth is shown."""
    wire = make_wire(faults=["offset-2"])
    server = serve(make_observatory, wire.path)
    for target in (20500, 20499, 20000):
        server.put("focuser/0/move", Position=target)
        assert server.wait_still() == target
    assert ":SN%04X#" % 20499 in wire.sent()


def test_far_beside_the_target(make_observatory, make_wire):
    server = serve(make_observatory, make_wire(faults=["offset-7"]).path)
    server.put("focuser/0/move", Position=20500)
    assert until(lambda: error_of(lambda: server.get("focuser/0/ismoving")), "the failure is told") == STALLED
    assert server.get("focuser/0/position") == 20507


def test_sixteen_bits_are_not_driven_past(make_observatory, make_wire):
    wire = make_wire("--max", "100000", faults=["wrap16"])
    server = serve(make_observatory, wire.path, "max_step = 100000\nquirks = extended\n")
    assert server.get("focuser/0/maxstep") == 100000
    server.put("focuser/0/move", Position=70000)
    assert until(lambda: error_of(lambda: server.get("focuser/0/ismoving")), "the refusal is told") == REFUSED
    assert server.get("focuser/0/position") == 20000
    assert ":FG#" not in wire.sent()
    server.put("focuser/0/move", Position=20100)
    assert server.wait_still() == 20100


def test_motion_that_nobody_asked_for_is_shown(make_observatory, make_wire):
    server = serve(make_observatory, make_wire(faults=["unasked-motion"], factor=1).path)
    until(lambda: server.get("focuser/0/ismoving"), "it moves by itself")
    assert server.wait_still() == 20200


def test_reverse(make_observatory, make_wire):
    wire = make_wire(position=20000)
    server = serve(make_observatory, wire.path, "reverse = yes\nmax_step = 60000\n")
    assert server.get("focuser/0/position") == 40000
    server.put("focuser/0/move", Position=45000)
    assert server.wait_still() == 45000
    assert ":SN%04X#" % 15000 in wire.sent()


@pytest.mark.parametrize("approach, target, first", [("out", 19000, 18700), ("in", 21000, 21300)])
def test_the_last_leg_comes_from_the_chosen_side(make_observatory, make_wire, approach, target, first):
    wire = make_wire(factor=5)
    server = serve(make_observatory, wire.path, f"backlash_steps = 300\napproach = {approach}\n")
    server.put("focuser/0/move", Position=target)
    moving = True
    while moving:
        moving = server.get("focuser/0/ismoving")
        position = server.get("focuser/0/position")
    assert position == target
    legs = [int(command[3:-1], 16) for command in wire.sent() if command.startswith(":SN")]
    assert legs == [first, target]
    # On a way that takes the backlash up by itself there is no detour.
    further = target + (500 if approach == "out" else -500)
    server.put("focuser/0/move", Position=further)
    assert server.wait_still() == further
    legs = [int(command[3:-1], 16) for command in wire.sent() if command.startswith(":SN")]
    assert legs == [first, target, further]


def test_two_clients_see_the_plug_pulled_and_put_back(make_observatory, make_wire):
    """The emulator takes its terminal away 300 ms into the move and comes back under the same link 2 s later."""
    wire = make_wire(faults=["drop-line"], factor=1)
    server = serve(make_observatory, wire.path)
    other = server.client()
    assert other.get("focuser/0/connected") is True
    server.put("focuser/0/move", Position=20600)
    for client in (server, other):
        assert until(lambda c=client: error_of(lambda: c.get("focuser/0/ismoving")), "told") == IO
        assert client.get("focuser/0/connected") is True
        assert error_of(lambda c=client: c.get("focuser/0/position")) in (IO, 0)
    state = {item["Name"]: item["Value"] for item in server.get("focuser/0/devicestate")}
    assert state["IsMoving"] is False or state["Position"] != 20000
    sent = len(wire.sent())
    def answers(client):
        return error_of(lambda: client.get("focuser/0/position")) == 0
    until(lambda: answers(server) and answers(other), "back again")
    assert set(wire.sent()[sent:]) <= {":GV#", ":GP#", ":GI#", ":GH#", ":GD#", ":C#", ":GT#"}
    # The motor went on by itself meanwhile, and that is what is shown.
    until(lambda: server.get("focuser/0/position") == 20600, "its own end")
    assert other.get("focuser/0/connected") is True
    until(lambda: error_of(lambda: other.get("focuser/0/ismoving")) == 0, "told for some seconds only")
    other.put("focuser/0/move", Position=20610)
    assert other.wait_still() == 20610
    other.put("focuser/0/connected", Connected="False")
    assert error_of(lambda: other.get("focuser/0/position")) == NOT_CONNECTED
    assert server.get("focuser/0/position") == 20610


def test_a_dead_device_heals_when_it_speaks_again(make_observatory, make_wire):
    """Stopped, the emulator neither answers nor closes its terminal: a controller that hangs."""
    wire = make_wire()
    server = serve(make_observatory, wire.path)
    wire.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: error_of(lambda: server.get("focuser/0/position")) in DRIVER_ERRORS, "an old position is none")
        assert error_of(lambda: server.put("focuser/0/move", Position=100)) in (IO, TIMEOUT, 0, INVALID_OPERATION)
        assert server.get("focuser/0/connected") is True
    finally:
        wire.process.send_signal(signal.SIGCONT)
    until(lambda: error_of(lambda: server.get("focuser/0/position")) == 0, "healed")
    until(lambda: error_of(lambda: server.get("focuser/0/ismoving")) == 0, "the failure was told")
    server.put("focuser/0/move", Position=20010)
    assert server.wait_still() == 20010
