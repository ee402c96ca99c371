# SPDX-License-Identifier: MIT
"""A focuser of another Alpaca server in the place of one's own: a second focusd with a simulated focuser, and a
server that answers as tests want (upstream.py, from the Alpaca API reference).
"""
import json
import socket
import subprocess
import threading

import pytest
import upstream as wrong
from conftest import BINARY, NOT_IMPLEMENTED, AlpacaError, until
from upstream import UNIQUE_ID, Upstream

REFUSED, STALLED = 0x503, 0x504


def config(port, extra="", device=None):
    device = f"device = {device}\n" if device else ""
    return f"[focuser.0]\ndriver = alpaca\nport = {port}\n{device}{extra}"


@pytest.fixture
def make_upstream():
    running = []

    def make(**how):
        running.append(Upstream(**how))
        return running[-1]

    yield make
    for one in running:
        one.close()


@pytest.fixture
def there(make_upstream):
    return make_upstream()


@pytest.fixture
def serve(make_observatory):
    def make(there, extra="", **how):
        return make_observatory(simulate=False, config=config(f"127.0.0.1:{there.port}/0", extra), **how)
    return make


def connect(server):
    server.put("focuser/0/connected", Connected="True")


def error_of(call):
    with pytest.raises(AlpacaError) as caught:
        call()
    return caught.value


def test_a_focuser_of_a_second_focusd(observatory, serve):
    theirs = observatory
    ours = serve(theirs)
    connect(ours)
    for member in ("maxstep", "maxincrement", "stepsize", "temperature", "position", "tempcompavailable"):
        try:
            expected = theirs.get(f"focuser/0/{member}")
        except AlpacaError as error:
            assert error_of(lambda m=member: ours.get(f"focuser/0/{m}")).number == error.number
        else:
            assert ours.get(f"focuser/0/{member}") == expected, member
    for target in (12000, 11990, 0, 5000):
        ours.put("focuser/0/move", Position=target)
        assert ours.wait_still() == target
        assert theirs.get("focuser/0/position") == target
    ours.put("focuser/0/move", Position=ours.get("focuser/0/maxstep"))
    until(lambda: ours.get("focuser/0/position") > 5100, "the motor runs")
    ours.put("focuser/0/halt")
    rest = ours.wait_still()
    assert 5100 < rest < ours.get("focuser/0/maxstep")
    assert theirs.get("focuser/0/position") == rest and not theirs.get("focuser/0/ismoving")


def test_limits_and_backlash_of_ours_stand_in_front_of_it(there, serve):
    ours = serve(there, "backlash_steps = 200\napproach = out\nmax_step = 30000\n")
    connect(ours)
    ours.put("focuser/0/move", Position=45000)
    assert ours.wait_still() == 30000
    ours.put("focuser/0/move", Position=25000)
    assert ours.wait_still() == 25000
    # Down past the target by the backlash, and up to it: what backlash compensation is (N.I.N.A.'s overshoot).
    assert [int(r.fields["Position"]) for r in there.seen("PUT", "move")] == [30000, 24800, 25000]


@pytest.mark.parametrize("interface, put", [(4, "connect"), (3, "connected"), (1, "connected")])
def test_connects_as_the_other_server_can(make_upstream, serve, interface, put):
    there = make_upstream(interface=interface)
    if interface < 4:
        for member in ("connect", "disconnect"):
            there.answer("PUT", member, wrong.text(b"unknown", status="404 Not Found", kind="text/plain"))
    ours = serve(there)
    connect(ours)
    assert there.connected
    assert len(there.seen("PUT", put)) == 1
    ours.put("focuser/0/connected", Connected="False")
    until(lambda: not there.connected, "the device there is let go")


def test_says_4_and_has_half_of_it(there, serve):
    """ConformU's issue 28: interface version 4 without connect and connecting."""
    for verb, member in (("PUT", "connect"), ("GET", "connecting")):
        there.answer(verb, member, wrong.text(b"unknown", status="404 Not Found", kind="text/plain"))
    ours = serve(there)
    connect(ours)
    assert there.connected and ours.get("focuser/0/position") == 20000


def test_a_slow_connect_is_waited_for(there, serve):
    done = threading.Event()
    there.answer("PUT", "connect", lambda r: r.value())
    there.answer("GET", "connecting", lambda r: r.value(bool(there.seen("PUT", "connect")) and not done.is_set()))
    there.answer("GET", "connected", lambda r: r.value(done.is_set()))
    ours = serve(there)
    ours.put("focuser/0/connect")
    until(lambda: len(there.seen("GET", "connecting")) > 3, "it is asked whether it has connected")
    assert ours.get("focuser/0/connecting") is True
    done.set()
    until(lambda: ours.get("focuser/0/connected"), "connected")
    assert len(there.seen("PUT", "connect")) == 1


def test_why_it_does_not_connect_is_told_in_its_words(there, serve):
    there.answer("PUT", "connect", wrong.error(0x5A1, "No cable at COM7"))
    there.answer("GET", "connected", lambda r: r.value(False))
    failure = error_of(lambda: connect(serve(there)))
    assert failure.number == 0x5A1 and "No cable at COM7" in failure.message


def test_others_keep_their_connection(there, serve):
    """Who found it connected, or heard somebody else on the server, lets it be."""
    there.connected = True
    ours = serve(there)
    connect(ours)
    ours.put("focuser/0/connected", Connected="False")
    until(lambda: "disconnected" in ours.log(), "ours has let go")
    assert there.connected and not there.seen("PUT", "disconnect")
    there.connected = False
    connect(ours)
    for _ in range(10):
        there.count()  # requests of somebody else
    ours.put("focuser/0/move", Position=20010)
    ours.wait_still()
    ours.put("focuser/0/connected", Connected="False")
    until(lambda: "stays connected there" in ours.log(), "ours says why")
    assert there.connected and not there.seen("PUT", "disconnect")


def test_is_let_go_when_nobody_else_is_there(there, serve):
    ours = serve(there)
    connect(ours)
    ours.put("focuser/0/move", Position=20500)
    assert ours.wait_still() == 20500
    ours.put("focuser/0/connected", Connected="False")
    until(lambda: not there.connected, "the device there is let go")


class Relative:
    """Makes an upstream a relative focuser: it moves by what it is told, and does not tell where it is."""

    def __init__(self, there):
        self.there = there
        there.answer("GET", "absolute", lambda r: r.value(False))
        there.answer("GET", "position", wrong.error(0x400, "a relative focuser has no Position"))
        there.answer("GET", "maxincrement", lambda r: r.value(5000))
        there.answer("PUT", "move", self.move)

    def move(self, r):
        self.there.go(self.there.where() + int(r.fields["Position"]))
        r.value()

    def ways(self):
        return [int(r.fields["Position"]) for r in self.there.seen("PUT", "move")]


def trust(server):
    return server.focuser_state()["trust"]


def test_a_relative_focuser_needs_the_length_of_its_way(there, serve):
    Relative(there)
    assert "max_step" in error_of(lambda: connect(serve(there))).message


def test_a_relative_focuser_is_counted(there, serve):
    """Its true place is the upstream's own; ours differs from it by what it was at the start, all the way."""
    relative = Relative(there)
    ours = serve(there, "max_step = 30000\nbacklash_steps = 100\napproach = out\n")
    connect(ours)
    assert (ours.get("focuser/0/maxstep"), ours.get("focuser/0/position")) == (30000, 15000)
    ours.action("SetPosition", "8000")
    for target, ways in ((9000, [1000]), (8500, [-600, 100]), (20000, [5000, 5000, 1500])):
        before = len(relative.ways())
        ours.put("focuser/0/move", Position=target)
        assert ours.wait_still() == target
        assert relative.ways()[before:] == ways
        assert there.where() == 20000 + target - 8000
    assert not there.seen("GET", "maxstep")


def test_a_relative_focuser_that_was_halted_is_somewhere(make_upstream, serve):
    there = make_upstream(steps_per_s=200)
    relative = Relative(there)
    ours = serve(there, "max_step = 30000\n")
    connect(ours)
    ours.action("SetPosition", "8000")
    assert trust(ours) == "known"
    ours.put("focuser/0/move", Position=12000)
    until(lambda: there.where() > 20000, "it moves")
    ours.put("focuser/0/halt")
    until(lambda: there.seen("PUT", "halt"), "it is halted")
    until(lambda: trust(ours) == "unknown", "nobody knows where it is")
    ours.action("SetPosition", "9000")
    stood = there.where()
    there.steps_per_s = 50000
    ours.put("focuser/0/move", Position=9100)
    assert ours.wait_still() == 9100 and relative.ways()[-1] == 100 and there.where() == stood + 100


def test_an_order_to_a_relative_focuser_is_never_given_twice(there, serve):
    """The answer gets lost with the connection: the motor may have gone, and is not sent again."""
    relative = Relative(there)
    ours = serve(there, "max_step = 30000\n")
    connect(ours)
    ours.action("SetPosition", "8000")

    def take_and_close(r):
        there.go(there.where() + int(r.fields["Position"]))
        wrong.close(r)

    there.answer("PUT", "move", take_and_close)
    ours.put("focuser/0/move", Position=9000)
    until(lambda: trust(ours) == "unknown", "nobody knows where it is")
    assert relative.ways() == [1000]


def test_a_relative_focuser_that_was_lost_on_its_way_is_somewhere(make_upstream, serve):
    """It arrives while nobody looks, and nobody could tell that from a stall."""
    there = make_upstream(steps_per_s=500)
    Relative(there)
    ours = serve(there, "max_step = 30000\n")
    connect(ours)
    ours.action("SetPosition", "8000")
    ours.put("focuser/0/move", Position=8400)
    until(lambda: there.where() > 20000, "it moves")
    port = there.port
    there.close()
    until(lambda: "link lost" in ours.log(), "the loss is noticed")
    until(lambda: there.where() == there.target, "it arrives")
    there.open(port)
    until(lambda: "link is back" in ours.log(), "the link is back")
    until(lambda: trust(ours) == "unknown", "nobody knows where it is")


def test_somebody_else_moves_a_relative_focuser(make_upstream, serve):
    there = make_upstream(steps_per_s=2000)
    Relative(there)
    ours = serve(there, "max_step = 30000\n")
    connect(ours)
    ours.action("SetPosition", "8000")
    there.go(there.where() + 4000)
    until(lambda: trust(ours) == "shifted", "it is noticed")
    assert "moved by something else" in ours.focuser_state()["trust_why"]


def test_which_device(make_upstream, make_observatory):
    def listed(*devices):
        return [{"DeviceName": name, "DeviceType": kind, "DeviceNumber": number, "UniqueID": f"id-{name}"}
                for name, kind, number in devices]

    def attempt(there, where, device=None):
        server = make_observatory(simulate=False, config=config(where.format(there.port), device=device))
        connect(server)
        return server

    both = make_upstream(listed=listed(("A", "Focuser", 0), ("B", "Focuser", 3), ("C", "Camera", 1)))
    assert "/0 (A)" in error_of(lambda: attempt(both, "127.0.0.1:{}")).message
    for where, device in (("127.0.0.1:{}/3", None), ("alpaca://127.0.0.1:{}", "3"), ("http://127.0.0.1:{}/", "id-B")):
        attempt(both, where, device)
        assert "/api/v1/focuser/3/position" in [r.path for r in both.log]
        both.log.clear()
    assert "no focuser" in error_of(lambda: attempt(both, "127.0.0.1:{}/7")).message
    alone = make_upstream(listed=listed(("A", "Focuser", 5), ("C", "Camera", 1)))
    attempt(alone, "127.0.0.1:{}")
    assert "/api/v1/focuser/5/position" in [r.path for r in alone.log]
    bare = make_upstream()
    bare.answer("GET", "configureddevices", wrong.text(b"", status="404 Not Found", kind="text/plain"))
    attempt(bare, "127.0.0.1:{}/0")


def test_itself_is_refused(make_observatory, free_port):
    """A focuser.1 that leads back to focuser.0 of the same server."""
    text = "[focuser.0]\ndriver = simulator\n[focuser.1]\ndriver = alpaca\nport = 127.0.0.1:{}/0\n"
    server = make_observatory(simulate=False, config=text.format(free_port), extra=("--port", str(free_port)))
    failure = error_of(lambda: server.put("focuser/1/connected", Connected="True"))
    assert "this very focusd" in failure.message


@pytest.mark.parametrize("kind", ["focuser", "camera"])
@pytest.mark.parametrize("count", [2, 3])
def test_servers_that_borrow_in_a_circle(make_observatory, free_port, kind, count):
    """Each would wait for the next one, and nobody ever has hardware: whoever is asked gets the reason, and all rest."""
    text = f"[{kind}.0]\ndriver = alpaca\nport = 127.0.0.1:{{}}/0\n"
    servers = [make_observatory(simulate=False, config=text.format(free_port))]
    while len(servers) < count - 1:
        servers.append(make_observatory(simulate=False, config=text.format(servers[-1].port)))
    last = make_observatory(simulate=False, config=text.format(servers[-1].port), extra=("--port", str(free_port)))
    servers.append(last)
    error_of(lambda: last.put(f"{kind}/0/connected", Connected="True"))
    # A machine that is busy may answer that it goes on trying; the reason comes all the same.
    until(lambda: "leads back to this very focusd" in last.log(), "the reason is told")

    def rests(server):
        try:
            return not server.get(f"{kind}/0/connecting")
        except AlpacaError:
            return False  # the reason, which is told for a while
    until(lambda: all(rests(server) for server in servers), "all have given up")
    assert not any(f"{kind}.0: connected" in server.log() for server in servers)


@pytest.mark.parametrize("where", ["", "ftp://host", "host:0", "host:99999", "host/x", "host/-1", "a b", "[::1", "auto:x"])
def test_check_tells_what_is_no_place(tmp_path, where):
    (tmp_path / "focusd.conf").write_text(config(where), encoding="utf-8")
    check = subprocess.run([BINARY, "--check", "--config", tmp_path / "focusd.conf"], capture_output=True, text=True,
                           check=False)
    assert check.returncode == 2
    assert "focusd.conf:3: [focuser.0]" in check.stderr + check.stdout or not where


# ---- searches ----

@pytest.fixture
def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unique_id(server):
    listed = server.raw("GET", "/management/v1/configureddevices").json()["Value"]
    return next(d["UniqueID"] for d in listed if d["DeviceType"] == "Focuser")


def test_the_only_focuser_in_the_network(make_observatory, free_udp_port):
    """The searching server answers searches, too, and does not find itself."""
    searched = ("--discovery-port", str(free_udp_port))
    theirs = make_observatory(extra=searched)
    ours = make_observatory(simulate=False, config=config(f"auto:{free_udp_port}"), extra=searched)
    connect(ours)
    assert ours.get("focuser/0/position") == theirs.get("focuser/0/position")
    ours.put("focuser/0/connected", Connected="False")
    second = make_observatory(extra=searched)
    failure = error_of(lambda: connect(ours))
    assert f":{theirs.port}/0" in failure.message and f":{second.port}/0" in failure.message


def test_found_again_by_its_id_at_another_address(make_observatory, free_udp_port):
    searched = ("--discovery-port", str(free_udp_port))
    theirs = make_observatory(extra=searched, time_factor=1)
    wanted = unique_id(theirs)
    make_observatory(extra=searched)  # another one, which is not meant
    ours = make_observatory(simulate=False, config=config(f"auto:{free_udp_port}", device=wanted))
    connect(ours)
    assert f"127.0.0.1:{theirs.port}" in ours.log()
    old_port = theirs.port
    theirs.stop()
    until(lambda: "link lost" in ours.log(), "the loss is noticed")
    theirs.start()
    assert theirs.port != old_port
    until(lambda: "link is back" in ours.log(), "it is found at its new port")
    assert ours.get("focuser/0/position") == theirs.get("focuser/0/position")


def test_a_server_that_answers_at_two_addresses_is_one(make_upstream, make_observatory, free_udp_port):
    """Its two focusers are two, and not four; 127.0.0.2 is this machine, too (Linux routes all of 127.0.0.0/8 there)."""
    there = make_upstream(listed=[{"DeviceName": name, "DeviceType": "Focuser", "DeviceNumber": number,
                                   "UniqueID": f"id-{name}"} for number, name in enumerate(("A", "B"))])
    other = socket.create_server(("127.0.0.2", there.port))
    threading.Thread(target=there.accept, args=(other,), daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        ear.bind(("127.255.255.255", free_udp_port))
        second.bind(("127.0.0.2", 0))

        def answer():
            while True:
                try:
                    words, asker = ear.recvfrom(100)
                    if words != b"alpacadiscovery1":
                        return
                    for mouth in (third, second):
                        mouth.sendto(b'{"AlpacaPort": %d}' % there.port, asker)
                except OSError:
                    return

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third:
            third.bind(("127.0.0.1", 0))
            thread = threading.Thread(target=answer)
            thread.start()
            ours = make_observatory(simulate=False, config=config(f"auto:{free_udp_port}"))
            failure = error_of(lambda: connect(ours))
            second.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            second.sendto(b"end", ("127.255.255.255", free_udp_port))
            thread.join()
    other.close()
    assert len(there.seen("GET", "configureddevices")) >= 2
    assert "there are 2 focusers" in failure.message and "(A)" in failure.message and "(B)" in failure.message


def test_nobody_answers_a_search(make_observatory, free_udp_port):
    ours = make_observatory(simulate=False, config=config(f"auto:{free_udp_port}"))
    assert "no Alpaca server" in error_of(lambda: connect(ours)).message


# ---- faults ----

def test_lost_and_found_again(there, serve):
    ours = serve(there)
    connect(ours)
    port = there.port
    there.close()
    until(lambda: "link lost" in ours.log(), "the loss is noticed")
    assert ours.get("focuser/0/connected") is True
    assert error_of(lambda: ours.put("focuser/0/move", Position=100)).number != 0
    there.connected = False
    there.open(port)
    until(lambda: "link is back" in ours.log(), "the link is back")
    assert there.connected
    ours.put("focuser/0/move", Position=20100)
    assert ours.wait_still() == 20100


def test_let_go_by_somebody_else_is_a_loss(there, serve):
    ours = serve(there)
    connect(ours)
    for member in ("ismoving", "position"):
        there.answer("GET", member, wrong.error(0x407, "not connected"))
    there.connected = False
    until(lambda: "is not connected any more" in ours.log(), "the loss is noticed")
    there.right()
    until(lambda: there.connected, "it is connected again")
    until(lambda: "link is back" in ours.log(), "the link is back")


@pytest.mark.parametrize("name, reply", [
    ("chunked", wrong.chunked(20000)),
    ("keep-alive closed", wrong.closes_after(20000)),
])
def test_odd_and_right(there, serve, name, reply):
    there.answer("GET", "position", reply)
    ours = serve(there)
    connect(ours)
    assert ours.get("focuser/0/position") == 20000, name
    before = len(there.seen("GET", "position"))
    until(lambda: len(there.seen("GET", "position")) > before + 3, "it is polled")
    assert "link lost" not in ours.log(), name


@pytest.mark.parametrize("reply", [
    wrong.close, wrong.half, wrong.text(b"<html>", kind="text/html"), wrong.text(b"{"), wrong.text(b"[]"),
    wrong.text(b'{"Value":"20000","ErrorNumber":0}'), wrong.text(b'{"Value":1.5,"ErrorNumber":0}'),
    wrong.text(b'{"ErrorNumber":0}'), wrong.text(b'{"Value":1e99,"ErrorNumber":0}'),
    wrong.text(b'{"Value":1,"ErrorNumber":"x"}'), wrong.text(b"broken", status="500 Oops", kind="text/plain"),
    wrong.text(b" " * 1100000), wrong.error(0x500, "cable out"), wrong.hang,
    lambda r: r.send(b"not HTTP at all\r\n\r\n"),
], ids=["close", "half", "page", "torn JSON", "no object", "text", "fraction", "no value", "huge", "no number",
        "status 500", "too long", "device error", "hang", "no HTTP"])
def test_wrong_answers_end_the_link_and_it_heals(there, serve, reply):
    ours = serve(there)
    connect(ours)
    there.answer("GET", "position", reply)
    until(lambda: "link lost" in ours.log(), "the loss is noticed")
    assert ours.get("focuser/0/connected") is True
    there.right()
    until(lambda: "link is back" in ours.log(), "the link is back")
    assert ours.get("focuser/0/position") == 20000


def test_a_move_that_failed_there_ends_in_its_words(there, serve):
    ours = serve(there)
    connect(ours)
    there.answer("PUT", "move", lambda r: r.value())
    there.answer("GET", "ismoving", wrong.error(0x5C3, "The drawtube is stuck"))
    ours.put("focuser/0/move", Position=30000)
    failure = error_of(lambda: until(lambda: not ours.get("focuser/0/ismoving"), "the move ends"))
    assert failure.number == 0x5C3 and "The drawtube is stuck" in failure.message
    until(lambda: there.seen("PUT", "halt"), "it is halted")
    assert len(there.seen("PUT", "move")) == 1


def test_a_move_that_was_refused_ends_in_its_words(there, serve):
    ours = serve(there)
    connect(ours)
    there.answer("PUT", "move", wrong.error(0x40B, "Parked for the winter"))
    ours.put("focuser/0/move", Position=30000)
    failure = error_of(lambda: until(lambda: not ours.get("focuser/0/ismoving"), "the move ends"))
    assert failure.number == 0x40B and "Parked for the winter" in failure.message


def test_a_focuser_that_takes_no_target_while_it_moves(make_upstream, serve):
    there = make_upstream(steps_per_s=2000)
    ours = serve(there)
    connect(ours)

    def refuse_while_moving(r):
        if there.where() != there.target:
            r.value(None, 0x40B, "it moves")
        else:
            there.PUT_move(r)

    there.answer("PUT", "move", refuse_while_moving)
    ours.put("focuser/0/move", Position=40000)
    until(lambda: ours.get("focuser/0/position") > 20200, "it moves")
    ours.put("focuser/0/move", Position=20000)
    assert ours.wait_still() == 20000


def test_temperature(there, serve):
    ours = serve(there)
    connect(ours)
    assert ours.get("focuser/0/temperature") == 7.5
    there.answer("GET", "temperature", wrong.error(0x400, "no sensor"))
    other = serve(there)
    connect(other)
    assert error_of(lambda: other.get("focuser/0/temperature")).number == NOT_IMPLEMENTED


def test_temperature_compensation_is_the_other_servers(there, serve):
    ours = serve(there)
    connect(ours)
    assert ours.get("focuser/0/tempcompavailable") is True and ours.get("focuser/0/tempcomp") is False
    ours.put("focuser/0/tempcomp", TempComp="True")
    until(lambda: there.tempcomp, "it is switched on there")


# ---- halts ----

def halt_goes_out(there, ours):
    """PUT halt, and when it was on the other server's side, s."""
    before = len(there.seen("PUT", "halt"))
    ours.put("focuser/0/halt")
    until(lambda: len(there.seen("PUT", "halt")) > before, "the halt is there")


def test_halt_waits_for_no_answer(make_upstream, serve):
    """Every question hangs, and so does the order to move; the halt has a connection of its own."""
    there = make_upstream(steps_per_s=100)
    ours = serve(there)
    connect(ours)
    ours.put("focuser/0/move", Position=40000)
    until(lambda: there.where() > 20010, "it moves")
    there.answer("GET", "*", wrong.hang)
    hanging = len(there.seen("GET", "ismoving"))
    until(lambda: len(there.seen("GET", "ismoving")) > hanging, "a question hangs")
    halt_goes_out(there, ours)
    assert there.where() == there.target < 40000
    question = there.seen("GET", "ismoving")[-1]
    assert question.connection is not there.seen("PUT", "halt")[-1].connection
    there.right()


def test_halt_overtakes_an_order_and_is_told_again(there, serve):
    """The other server takes the move only after the halt: the motor must not run on."""
    ours = serve(there)
    connect(ours)
    taken = threading.Event()

    def late(r):
        taken.wait()
        there.PUT_move(r)

    there.steps_per_s = 100
    there.answer("PUT", "move", late)
    ours.put("focuser/0/move", Position=40000)
    until(lambda: there.seen("PUT", "move"), "the order is out")
    halt_goes_out(there, ours)
    taken.set()
    until(lambda: "halted again" in ours.log(), "the late order is noticed")
    until(lambda: there.where() == there.target, "it rests")
    assert there.target < 40000 and len(there.seen("PUT", "move")) == 1


def test_an_order_that_was_never_sent_does_not_follow(there, serve, tmp_path):
    """The server takes no new connection, and the order waits for one when the halt comes: the halt has its own already,
    and the order is given up and not sent afterwards."""
    transcript = tmp_path / "transcript.txt"
    ours = serve(there, f"transcript = {transcript}\n")
    connect(ours)
    there.take_no_connection()
    ours.put("focuser/0/move", Position=40000)
    until(lambda: transcript.exists() and "Position=40000" in transcript.read_text(encoding="utf-8"),
          "the order waits for its connection")
    halt_goes_out(there, ours)
    there.take_connections()
    until(lambda: not ours.get("focuser/0/ismoving"), "it rests")
    ours.put("focuser/0/move", Position=20100)
    assert ours.wait_still() == 20100
    assert [r.fields["Position"] for r in there.seen("PUT", "move")] == ["20100"]


def test_a_hung_server_delays_no_client(there, serve):
    ours = serve(there)
    connect(ours)
    there.answer("GET", "*", wrong.hang)
    before = len(there.seen("GET", "ismoving"))
    until(lambda: len(there.seen("GET", "ismoving")) > before, "a question hangs")
    state = json.dumps(ours.get("focuser/0/devicestate"))
    assert "20000" in state
    there.right()


def test_the_identity_is_told(there, serve):
    ours = serve(there)
    connect(ours)
    assert UNIQUE_ID in ours.log() and "Upstream focuser" in ours.log()
