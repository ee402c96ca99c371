# SPDX-License-Identifier: MIT
"""The rules where clients and safety leave no room: repeated PUTs, clients and the link, failed operations,
lost links, temperature, targets, slow connects, waiting calls."""
import http.client
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


def moved_away(server, client, number, **how):
    """The client moves to NEAR, somebody else to FAR, and the same PUT comes again: where it stands."""
    path = "focuser/0/move"
    assert client.send(path, number, Position=NEAR)["ErrorNumber"] == 0
    server.wait_still()
    server.put(path, Position=FAR)
    server.wait_still()
    again = how.get("again", client)
    if "between" in how:
        how["between"](client)
    assert again.send(path, how.get("transaction", number), Position=NEAR)["ErrorNumber"] == 0
    return server.wait_still()


# ---- 8.2 repeated PUTs ----

def test_8_2_a_repeated_move_is_a_retry(server):
    assert moved_away(server, Fixed(server, next(numbers)), 5) == FAR


def test_8_2_the_answer_is_the_first_one(server):
    client = Fixed(server, next(numbers))
    first = client.send("focuser/0/move", 6, Position=NEAR)
    assert client.send("focuser/0/move", 6, Position=NEAR) == first


@pytest.mark.parametrize("why", ["another transaction", "no transaction", "transaction 0", "no client",
                                 "client 0"])
def test_8_2_without_both_equal_ids_it_is_meant(server, why):
    client_id = {"no client": None, "client 0": 0}.get(why, next(numbers))
    transaction = {"no transaction": None, "transaction 0": 0}.get(why, 7)
    how = {"transaction": 8} if why == "another transaction" else {}
    assert moved_away(server, Fixed(server, client_id), transaction, **how) == NEAR


def test_8_2_from_another_address_it_is_meant(server):
    client_id = next(numbers)
    other = Fixed(server, client_id, "127.0.0.2")
    other.send("focuser/0/connected", 1, Connected=True)
    assert moved_away(server, Fixed(server, client_id), 9, again=other) == NEAR


@pytest.mark.parametrize("member", ["halt", "connect", "tempcomp"])
def test_8_2_only_the_latest_put_to_the_device_is_a_retry(server, member):
    """Scripts with fixed ids repeat a sequence and mean it."""
    form = {"TempComp": False} if member == "tempcomp" else {}
    assert moved_away(server, Fixed(server, next(numbers)), 10, between=lambda client: client.send(
        f"focuser/0/{member}", 10, **form)) == NEAR


def test_8_2_a_put_to_another_device_does_not_count(server):
    assert moved_away(server, Fixed(server, next(numbers)), 11, between=lambda client: client.send(
        "camera/0/abortexposure", 11)) == FAR


def test_8_2_another_body_is_meant(server):
    client = Fixed(server, next(numbers))
    client.send("focuser/0/move", 12, Position=NEAR)
    server.wait_still()
    client.send("focuser/0/move", 12, Position=NEAR + 1)
    assert server.wait_still() == NEAR + 1


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


def test_8_2_startexposure(server):
    client, camera = Fixed(server, next(numbers)), Member(server, "camera/0")
    first = client.send("camera/0/startexposure", 15, Duration=1, Light=True)
    until(lambda: camera.get("imageready"), "an image")
    started = camera.get("lastexposurestarttime")
    assert client.send("camera/0/startexposure", 15, Duration=1, Light=True) == first
    assert camera.get("imageready") is True and camera.get("lastexposurestarttime") == started
    assert client.send("camera/0/startexposure", 16, Duration=1, Light=True)["ErrorNumber"] == 0
    until(lambda: camera.get("imageready"), "another image")
    assert camera.get("lastexposurestarttime") != started


def test_8_2_a_refused_put_is_refused_the_same_way_again(server):
    client = Fixed(server, next(numbers))
    first = client.send("camera/0/startexposure", 17, Duration=-1, Light=True)
    assert first["ErrorNumber"] == 0x401
    assert client.send("camera/0/startexposure", 17, Duration=-1, Light=True) == first


def test_8_2_action(server):
    client = Fixed(server, next(numbers))
    start = {"Action": "Autofocus", "Parameters": '{"exposure_s": 600}'}
    first = client.send("focuser/0/action", 18, **start)
    assert first["ErrorNumber"] == 0
    assert client.send("focuser/0/action", 18, **start) == first
    assert client.send("focuser/0/action", 19, **start)["ErrorNumber"] == 0x40B
    server.action("AutofocusAbort")
    server.wait_run()


def test_8_2_waiting_retries_join(server):
    """The first still waits when the second comes; both get one answer when it is there."""
    server.action("Autofocus", {"exposure_s": 600})
    client_id = next(numbers)
    answers = []

    def wait():
        client = Fixed(server, client_id)
        answers.append(client.send("focuser/0/action", 20, Action="AutofocusWait", Parameters="90"))
        client.close()

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        server.get("focuser/0/position")
    server.action("AutofocusAbort")
    for thread in threads:
        thread.join()
    assert {answer["ErrorNumber"] for answer in answers} == {0x40E}
    assert len({answer["ServerTransactionID"] for answer in answers}) <= 2


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
