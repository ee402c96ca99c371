# SPDX-License-Identifier: MIT
"""The rules where clients and safety leave no room: repeated PUTs, clients and the link, failed operations,
lost links, temperature, targets, slow connects, waiting calls."""
import http.client
import json
import socket
import threading
import urllib.parse

import pytest
from conftest import AlpacaError, Client, Emulator, Observatory, until
from wire import FORM, Member, envelope, in_parallel

NEAR, FAR = 3000, 20000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("rules"), time_factor=100, config=(
        "[simulator]\nwidth = 96\nheight = 64\nbest_position = 12000\n"))
    yield observatory
    observatory.stop()


@pytest.fixture(autouse=True)
def connected(request):
    if "server" in request.fixturenames:
        request.getfixturevalue("server").connect()


class Fixed(Client):
    """A client that says itself which ids it sends, from which address of this machine."""

    def __init__(self, server, client_id, source="127.0.0.1"):
        super().__init__(server.host, server.port)
        self.client_id = client_id
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=120,
                                                     source_address=(source, 0))

    def send(self, path, transaction, **form):
        if self.client_id is not None:
            form["ClientID"] = self.client_id
        if transaction is not None:
            form["ClientTransactionID"] = transaction
        return envelope(self.raw("PUT", f"/api/v1/{path}", urllib.parse.urlencode(form), FORM))

    def ask(self, path):
        query = f"?ClientID={self.client_id}" if self.client_id is not None else ""
        return envelope(self.raw("GET", f"/api/v1/{path}{query}"))


numbers = iter(range(70001, 80000))


# ---- 8.2 repeated PUTs ----

def test_8_2_every_move_is_carried_out(server):
    """A script that sends constant ids moves, somebody else moves away, and the script moves back."""
    client = Fixed(server, next(numbers))
    for _ in range(2):
        assert client.send("focuser/0/move", 5, Position=NEAR)["ErrorNumber"] == 0
        assert server.wait_still() == NEAR
        server.put("focuser/0/move", Position=FAR)
        assert server.wait_still() == FAR


def test_8_2_a_move_that_is_sent_twice_goes_to_its_target_once(server):
    client = Fixed(server, next(numbers))
    for _ in range(3):
        assert client.send("focuser/0/move", 6, Position=NEAR)["ErrorNumber"] == 0
    assert server.wait_still() == NEAR


STARTS = {
    "exposure": ("camera/0/startexposure", {"Duration": 3000, "Light": True}),
    "run": ("focuser/0/action", {"Action": "Autofocus", "Parameters": '{"exposure_s": 3000}'}),
}


@pytest.fixture(params=STARTS)
def start(server, request):
    """The member and form of a PUT that starts something that lasts; it is ended with the test."""
    yield STARTS[request.param]
    end_starts(server)


def end_starts(server):
    camera = Member(server, "camera/0")
    server.action("AutofocusAbort")
    until(lambda: server.action("AutofocusStatus")["state"] != "running", "no run goes on")
    camera.put("abortexposure")
    until(lambda: camera.get("camerastate") == 0, "the camera is idle")


def test_8_2_a_start_that_comes_again_hears_the_first_answer(server, start):
    """Whatever its client asks or sets in between, with the same ids too."""
    client = Fixed(server, next(numbers))
    path, form = start
    first = client.send(path, 7, **form)
    assert first["ErrorNumber"] == 0
    for member, between in (("focuser/0/tempcomp", {"TempComp": False}), ("camera/0/gain", {"Gain": 0}),
                            ("focuser/0/action", {"Action": "AutofocusStatus"}), ("focuser/0/connect", {})):
        assert client.send(path, 7, **form) == first
        client.send(member, 7, **between)
    assert client.send(path, 7, **form) == first


@pytest.mark.parametrize("why", ["another transaction", "no transaction", "transaction 0", "no client", "client 0",
                                 "another address", "another body"])
def test_8_2_any_other_second_start_is_refused(server, start, why):
    path, form = start
    client_id = {"no client": None, "client 0": 0}.get(why, next(numbers))
    number = {"no transaction": None, "transaction 0": 0}.get(why, 8)
    client = Fixed(server, client_id)
    assert client.send(path, number, **form)["ErrorNumber"] == 0
    if why == "another address":
        client = Fixed(server, client_id, "127.0.0.2")
    if why == "another body":
        form = dict(reversed(form.items()))
    again = client.send(path, 9 if why == "another transaction" else number, **form)
    assert again["ErrorNumber"] == 0x40B


def test_8_2_of_equal_starts_at_once_one_is_done(server, start):
    client_id = next(numbers)
    path, form = start
    answers = in_parallel(*[lambda: Fixed(server, client_id).send(path, 10, **form)] * 8)
    assert answers[0]["ErrorNumber"] == 0
    assert answers == [answers[0]] * 8


def test_8_2_a_start_after_its_end_is_a_new_one(server, start):
    client = Fixed(server, next(numbers))
    path, form = start
    answers = []
    for _ in range(3):
        answers.append(client.send(path, 11, **form))
        assert answers[-1]["ErrorNumber"] == 0
        end_starts(server)
    assert len({answer["ServerTransactionID"] for answer in answers}) == 3


def test_8_2_a_start_after_an_abort_is_not_the_aborted_one(server, start):
    """It is refused while that still ends, or is a new one; never "started" for what is about to be over."""
    client = Fixed(server, next(numbers))
    path, form = start
    first = client.send(path, 12, **form)
    if path == "camera/0/startexposure":
        client.send("camera/0/abortexposure", 12)
    else:
        client.send("focuser/0/action", 12, Action="AutofocusAbort")
    second = client.send(path, 12, **form)
    assert second["ErrorNumber"] == 0x40B or second["ServerTransactionID"] != first["ServerTransactionID"]


def test_8_2_three_exposures_with_the_same_ids_are_three(server):
    client, camera = Fixed(server, next(numbers)), Member(server, "camera/0")
    starts = set()
    for _ in range(3):
        assert client.send("camera/0/startexposure", 13, Duration=1, Light=True)["ErrorNumber"] == 0
        until(lambda: camera.get("imageready"), "an image")
        starts.add(camera.get("lastexposurestarttime"))
    assert len(starts) == 3


def test_8_2_questions_with_the_same_ids_are_answered_anew(server):
    client = Fixed(server, next(numbers))

    def ask(name):
        answer = client.send("focuser/0/action", 14, Action=name, Parameters="")
        assert answer["ErrorNumber"] == 0, answer
        return answer
    run = json.loads(ask("Autofocus")["Value"])["run"]
    assert json.loads(ask("AutofocusStatus")["Value"])["state"] == "running"
    client.send("focuser/0/action", 14, Action="AutofocusAbort", Parameters="")
    status = until(lambda: (now := json.loads(ask("AutofocusStatus")["Value"]))["state"] != "running" and now,
                   "the run is over")
    assert (status["run"], status["state"]) == (run, "aborted")
    assert ask("MeasureStars")["ServerTransactionID"] != ask("MeasureStars")["ServerTransactionID"]


def test_8_2_connected_and_setters_are_never_retries(server):
    client = Fixed(server, next(numbers))
    for value in (True, False, True, False, False, True):
        client.send("focuser/0/connected", 13, Connected=value)
        assert client.ask("focuser/0/connected")["Value"] is value
    camera = Member(server, "camera/0")
    for _ in range(2):
        client.send("camera/0/binx", 13, BinX=3)
        assert camera.get("binx") == 3
        camera.put("binx", BinX=1)


def test_8_2_abort_and_halt_are_never_retries(server):
    client, camera = Fixed(server, next(numbers)), Member(server, "camera/0")
    for _ in range(2):
        camera.put("startexposure", Duration=3000, Light=True)
        client.send("camera/0/abortexposure", 14)
        until(lambda: camera.get("camerastate") == 0, "it is idle")
        server.put("focuser/0/move", Position=0)
        server.wait_still()
        server.put("focuser/0/move", Position=30000)
        client.send("focuser/0/halt", 14)
        assert server.wait_still() < 30000


def test_8_2_a_refused_put_is_refused_again(server):
    client = Fixed(server, next(numbers))
    for _ in range(2):
        assert client.send("camera/0/startexposure", 17, Duration=-1, Light=True)["ErrorNumber"] == 0x401


def test_8_2_equal_waits_each_have_their_answer(server):
    server.action("Autofocus", {"exposure_s": 600})
    client_id = next(numbers)

    def wait():
        return Fixed(server, client_id).send("focuser/0/action", 20, Action="AutofocusWait", Parameters="90")

    def abort():
        for _ in range(20):
            server.get("focuser/0/position")
        server.action("AutofocusAbort")
    *answers, _ = in_parallel(wait, wait, wait, abort)
    assert {answer["ErrorNumber"] for answer in answers} == {0x40E}
    assert len({answer["ServerTransactionID"] for answer in answers}) == 3


# ---- 8.3 clients and the link ----

def test_8_3_a_client_that_said_false_reads_false_and_others_go_on(server):
    one, two = Fixed(server, next(numbers)), Fixed(server, next(numbers))
    for device, member in (("focuser/0", "position"), ("camera/0", "camerastate")):
        one.send(f"{device}/connected", 1, Connected=False)
        assert one.ask(f"{device}/connected")["Value"] is False
        assert one.ask(f"{device}/{member}")["ErrorNumber"] == 0x407
        assert one.ask(f"{device}/devicestate")["Value"] == []
        assert two.ask(f"{device}/connected")["Value"] is True
        assert two.ask(f"{device}/{member}")["ErrorNumber"] == 0
        for name in ("name", "description", "driverinfo", "driverversion", "interfaceversion",
                     "supportedactions", "connecting"):
            assert one.ask(f"{device}/{name}")["ErrorNumber"] == 0
        one.send(f"{device}/connected", 2, Connected=True)
        assert one.ask(f"{device}/{member}")["ErrorNumber"] == 0


def test_8_3_a_client_is_address_and_id(server):
    one = Fixed(server, next(numbers))
    same, elsewhere = Fixed(server, one.client_id), Fixed(server, one.client_id, "127.0.0.3")
    one.send("focuser/0/connected", 1, Connected=False)
    assert same.ask("focuser/0/connected")["Value"] is False
    assert elsewhere.ask("focuser/0/connected")["Value"] is True


def test_8_3_without_ids_one_client_per_address(server):
    one, same, elsewhere = Fixed(server, None), Fixed(server, None), Fixed(server, None, "127.0.0.4")
    one.send("focuser/0/connected", None, Connected=False)
    assert same.ask("focuser/0/connected")["Value"] is False
    assert elsewhere.ask("focuser/0/connected")["Value"] is True
    one.send("focuser/0/connected", None, Connected=True)


def test_8_3_a_second_connect_changes_nothing(server):
    camera = Member(server, "camera/0")
    camera.put("startexposure", Duration=1, Light=True)
    until(lambda: camera.get("imageready"), "an image")
    camera.put("binx", BinX=2)
    for name in ("connected", "connect"):
        camera.put(name, **({"Connected": True} if name == "connected" else {}))
        assert camera.get("connected") is True and camera.get("connecting") is False
        assert camera.get("imageready") is True and camera.get("binx") == 2
    camera.put("binx", BinX=1)


def test_8_3_connecting_again_shows_no_old_picture_and_takes_none_from_others(server):
    one, two = Fixed(server, next(numbers)), Fixed(server, next(numbers))
    camera = Member(server, "camera/0")
    assert two.ask("camera/0/connected")["Value"] is True
    one.send("camera/0/startexposure", 1, Duration=1, Light=True)
    until(lambda: camera.get("imageready"), "an image")
    one.send("camera/0/connected", 2, Connected=False)
    one.send("camera/0/connected", 3, Connected=True)
    assert one.ask("camera/0/imageready")["Value"] is False
    for name in ("imagearray", "lastexposureduration", "lastexposurestarttime"):
        assert one.ask(f"camera/0/{name}")["ErrorNumber"] == 0x40B
        assert two.ask(f"camera/0/{name}")["ErrorNumber"] == 0
    assert two.ask("camera/0/imageready")["Value"] is True
    # The next exposure of anybody is everybody's.
    two.send("camera/0/startexposure", 1, Duration=1, Light=True)
    until(lambda: one.ask("camera/0/imageready")["Value"], "an image")


def test_8_3_the_link_closes_with_the_last_client(tmp_path):
    alone = Observatory(tmp_path, time_factor=100)
    try:
        camera = Member(alone, "camera/0")
        camera.put("connected", Connected=True)
        camera.put("startexposure", Duration=1, Light=True)
        until(lambda: camera.get("imageready"), "an image")
        for name, value in (("BinX", 2), ("NumX", 7), ("StartX", 3), ("Gain", 0)):
            camera.write(name.lower(), **{name: value})
        other = alone.client()
        other.put("camera/0/connected", Connected=True)
        other.put("camera/0/connected", Connected=False)
        assert camera.get("connected") is True
        camera.put("connected", Connected=False)
        assert "focusd_link_up{device=\"camera.0\"} 0" in alone.raw("GET", "/metrics").text
        # Whoever connects now finds it as it was built.
        other.put("camera/0/connected", Connected=True)
        assert camera.get("connected") is True
        fresh = Member(other, "camera/0")
        assert (fresh.get("binx"), fresh.get("startx")) == (1, 0)
        assert fresh.get("numx") == fresh.get("cameraxsize")
        assert fresh.get("imageready") is False
        other.close()
    finally:
        alone.stop()


def test_8_3_many_clients_come_and_go(server):
    def client():
        one = Fixed(server, next(numbers))
        for k in range(4):
            one.send("focuser/0/connected", 2 * k + 1, Connected=True)
            assert one.ask("focuser/0/connected")["Value"] is True
            assert one.ask("focuser/0/position")["ErrorNumber"] == 0
            one.send("focuser/0/connected", 2 * k + 2, Connected=False)
            assert one.ask("focuser/0/connected")["Value"] is False
        one.close()

    in_parallel(*[client] * 8)
    assert server.get("focuser/0/connected") is True


# ---- with a serial focuser ----

@pytest.fixture
def serial(tmp_path):
    made = []

    def make(*options, more="", simulate=False):
        emulator = Emulator(tmp_path, 3000, *options)
        made.append(emulator)
        observatory = Observatory(tmp_path, simulate=simulate, config=(
            f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nmax_step = 40000\nopen_wait_ms = 0\n{more}"))
        made.append(observatory)
        observatory.emulator = emulator
        return observatory

    yield make
    for thing in reversed(made):
        thing.stop()


def error_of(focuser, name):
    try:
        focuser.get(name)
        return None
    except AlpacaError as error:
        return error


# ---- 8.4 failed operations, 8.5 lost links ----

def test_8_4_8_5_the_cable_is_pulled_in_a_move(serial):
    server = serial("--speed", "20")
    focuser, other = Member(server, "focuser/0"), Member(server.client(), "focuser/0")
    focuser.put("connected", Connected=True)
    focuser.put("move", Position=20000)
    until(lambda: focuser.get("position") > 3000, "it moves")
    server.emulator.stop()
    until(lambda: error_of(focuser, "ismoving"), "the failure is told")
    # To everybody, several times, while the state says at once that nothing moves.
    last = focuser.state()["Position"]
    for who in (focuser, other, focuser, other):
        told = error_of(who, "ismoving")
        assert told.number >= 0x500 and len(told.message) > 10
        state = who.state()
        assert state["IsMoving"] is False and state["Position"] == last
        assert set(state) >= {"IsMoving", "Position", "TimeStamp"}
        assert who.get("connected") is True
        stale = error_of(who, "position")
        assert stale.number >= 0x500 and "s old" in stale.message
        with pytest.raises(AlpacaError) as refused:
            who.put("move", Position=4000)
        assert refused.value.number >= 0x500 and "lost" in refused.value.message
    until(lambda: error_of(focuser, "ismoving") is None, "five seconds have passed")
    assert focuser.get("ismoving") is False and other.get("ismoving") is False
    assert "focusd_link_up{device=\"focuser.0\"} 0" in server.raw("GET", "/metrics").text
    # The port returns: nothing moves by itself, and a move is taken again.
    server.emulator.start(5000)
    until(lambda: error_of(focuser, "position") is None, "the link is back")
    for _ in range(20):
        assert (focuser.get("position"), focuser.get("ismoving")) == (5000, False)
    focuser.put("move", Position=5010)
    assert server.wait_still() == 5010


def test_8_4_a_new_move_ends_the_telling(serial):
    server = serial("--fault", "drop-line")
    focuser = Member(server, "focuser/0")
    focuser.put("connected", Connected=True)
    focuser.put("move", Position=20000)
    until(lambda: error_of(focuser, "ismoving"), "the failure is told")
    server.emulator.stop()
    server.emulator.start(3000)
    until(lambda: error_of(focuser, "position") is None, "the link is back")
    focuser.put("move", Position=3010)
    # From here on it is about the new move.
    assert error_of(focuser, "ismoving") is None
    assert server.wait_still() == 3010


def test_8_4_a_failed_connect(tmp_path):
    server = Observatory(tmp_path, simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {tmp_path}/absent\nopen_wait_ms = 0\n"))
    try:
        one, two = Member(server.client(), "focuser/0"), Member(server.client(), "focuser/0")
        assert one.get("connecting") is False
        one.put("connect")
        for who in (one, two):
            told = until(lambda who=who: error_of(who, "connecting"), "the failure is told")
            assert told.number >= 0x500 and "absent" in told.message
            assert who.get("connected") is False
        until(lambda: error_of(one, "connecting") is None, "five seconds have passed")
        assert one.get("connecting") is False and two.get("connecting") is False
        assert one.write("connected", Connected=True) >= 0x500
    finally:
        server.stop()


# ---- 8.6 temperature ----

def test_8_6_a_sensor_without_reading_and_none_at_all(serial):
    server = serial("--fault", "no-probe")
    focuser = Member(server, "focuser/0")
    focuser.put("connected", Connected=True)
    value, number = focuser.read("temperature")
    assert number in (0x402, 0x400) and value is None
    assert number == 0x402, "the sensor is there, only its reading is not"
    assert "Temperature" not in focuser.state()


def test_8_6_no_sensor(serial):
    focuser = Member(serial(more="temperature_source = none\n"), "focuser/0")
    focuser.put("connected", Connected=True)
    assert focuser.read("temperature")[1] == 0x400
    assert "Temperature" not in focuser.state()


def test_8_6_a_reading(server):
    focuser = Member(server, "focuser/0")
    until(lambda: focuser.read("temperature")[1] == 0, "a reading")
    assert -50 < focuser.get("temperature") < 50
    assert focuser.state()["Temperature"] == pytest.approx(focuser.get("temperature"), abs=1)


# ---- 8.7 targets ----

def test_8_7_targets(serial):
    server = serial(more="min_step = 500\n")
    focuser = Member(server, "focuser/0")
    focuser.put("connected", Connected=True)
    # Targets outside end at the limit that there is, without an error; page and log say so.
    for asked, end in ((499, 500), (40001, 40000), (-10, 500), (501, 501), (0, 500)):
        focuser.put("move", Position=asked)
        assert server.wait_still() == end
        clamped = server.focuser_state()["clamped"]
        assert clamped == (None if asked == end else {"asked": asked, "to": end})
        assert (f"move clamped wanted={asked} to={end}" in server.log()) == (asked != end)


# ---- 8.8 slow connects ----

def test_8_8_a_silent_port_is_answered_before_clients_give_up(serial):
    """N.I.N.A. and the checkers wait 5 s; the rest goes on behind `connecting`."""
    server = serial("--fault", "silent")
    client = server.client()
    client.connection = http.client.HTTPConnection(client.host, client.port, timeout=5)
    try:
        with pytest.raises(AlpacaError) as error:
            client.put("focuser/0/connected", Connected="True")
    except socket.timeout:
        pytest.fail("no answer within the 5 s that clients give")
    assert error.value.number >= 0x500 and len(error.value.message) > 20
    assert client.get("focuser/0/connected") is False
    client.close()


def test_8_8_connect_answers_at_once(serial):
    server = serial("--fault", "silent")
    focuser = Member(server, "focuser/0")
    focuser.put("connect")
    assert focuser.get("connecting") is True and focuser.get("connected") is False
    assert focuser.get("devicestate") == []
    for name in ("name", "interfaceversion", "driverversion", "supportedactions"):
        focuser.get(name)
    focuser.put("disconnect")
    until(lambda: error_of(focuser, "connecting") is None and focuser.get("connecting") is False, "it ends")


# ---- 8.10 waiting calls ----

def test_8_10_waiting_calls_hold_no_thread(serial):
    """More of them than any server has threads for, of all three kinds; others are served meanwhile."""
    server = serial("--fault", "silent", more=(
        "[focuser.1]\ndriver = simulator\n[camera.1]\ndriver = simulator\n"))
    for device in ("focuser/1", "camera/1"):
        server.put(f"{device}/connected", Connected=True)
    server.put("focuser/1/action", Action="Autofocus", Parameters='{"exposure_s": 600}')
    waiting = [server.client() for _ in range(40)]
    answers = []

    def wait(index, client):
        try:
            if index % 4 == 0:
                client.put("focuser/0/connected", Connected=True)
            else:
                client.put("focuser/1/action", Action="AutofocusWait", Parameters="90")
        except AlpacaError as error:
            answers.append((index % 4 == 0, error.number))
        client.close()

    threads = [threading.Thread(target=wait, args=pair) for pair in enumerate(waiting)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        server.get("focuser/1/position")
        server.get("camera/1/devicestate")
    assert [answer for answer in answers if not answer[0]] == []
    server.put("focuser/1/action", Action="AutofocusAbort", Parameters="")
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    assert {number for connect, number in answers if not connect} == {0x40E}
    assert all(number >= 0x500 for connect, number in answers if connect)
