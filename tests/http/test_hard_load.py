# SPDX-License-Identifier: MIT
"""Clients that take and do not give: half requests, connections by the thousand, readers that do not read; and
the end of the server in the middle of everything."""
import json
import signal
import socket
import subprocess
import threading

import pytest

from conftest import DEADLINE_S, SANITIZED, until

# As api/http/http_mhd.c has them.
PER_ADDRESS, ALL = 1088, 1536


def wire_to(server, source=None, room=None):
    wire = socket.socket()
    if room is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    wire.settimeout(DEADLINE_S)
    if source is not None:
        wire.bind((source, 0))
    wire.connect((server.host, server.port))
    return wire


def ask(wire, path, method="GET", body=""):
    """Sends a request and returns the first bytes of its answer."""
    wire.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    return wire.recv(4096)


def closed(wire):
    """Whether the other side has closed (and sent nothing more that matters)."""
    wire.setblocking(False)
    try:
        while True:
            if not wire.recv(65536):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def new_image(server):
    server.put("camera/0/startexposure", Duration=0.1, Light="True")
    until(lambda: server.get("camera/0/imageready"), "an image")


def test_half_requests_starve_nobody(connected):
    """Every way of not coming to an end: nothing, a byte, half a header, half a body, a header that never ends."""
    halves = [b"", b"G", b"GET / HTTP/1.1\r\nHost: loc", b"GET / HTTP/1.1\r\nHost: localhost\r\n",
              b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nPosition=1",
              b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nPos"]
    wires = [wire_to(connected) for _ in range(len(halves) * 40)]
    for number, wire in enumerate(wires):
        wire.sendall(halves[number % len(halves)])
    dripping = [wire for number, wire in enumerate(wires) if halves[number % len(halves)] != b""]

    def all_closed():
        for wire in list(dripping):
            assert connected.get("focuser/0/absolute") is True, "others are served meanwhile"
            try:
                wire.send(b"x")  # a byte now and then must not keep it alive
            except OSError:
                pass
            if closed(wire):
                dripping.remove(wire)
        return not dripping

    until(all_closed, "requests without an end are cut off", pause_s=0.2)
    for wire in wires:
        wire.close()


def test_connections_by_the_thousand(connected):
    """One address cannot take all places, and when it lets go all is well."""
    with wire_to(connected) as kept:
        assert b" 200 " in ask(kept, "/healthz")
        wires = []
        for _ in range(ALL):
            try:
                wires.append(wire_to(connected))
            except OSError:
                break
        assert b" 200 " in ask(kept, "/healthz"), "who was there is still served"
        with wire_to(connected, "127.0.0.2") as other:
            assert b" 200 " in ask(other, "/api/v1/focuser/0/position"), "another address has room"
        until(lambda: sum(closed(wire) for wire in wires) >= ALL - PER_ADDRESS, "too many of one address are closed")
        for wire in wires:
            wire.close()
    until(lambda: connected.client().raw("GET", "/healthz").status == 200, "a new client")


def test_subscribers_that_never_read(connected):
    new_image(connected)
    before = resident_kib(connected)
    wires = [wire_to(connected, room=2048) for _ in range(100)]
    for wire in wires:
        wire.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for turn in range(30):
        connected.put("focuser/0/move", Position=1000 + 500 * (turn % 2))
        connected.wait_still()
    if not SANITIZED:
        # 100 subscribers cost what a connection and a ring of events cost, not what was published.
        assert resident_kib(connected) - before < 100 * 256
    # One of them wakes up: what it reads is whole lines of the protocol.
    text = b""
    while text.count(b"\n\n") < 3:
        piece = wires[0].recv(65536)
        assert piece, "the stream goes on"
        text += piece
    for wire in wires:
        wire.close()
    assert connected.raw("GET", "/healthz").status == 200


def test_downloads_that_stall(connected):
    """A stalled download keeps its own frame, delays nobody and ends as the frame that it began with."""
    new_image(connected)
    url = "/api/v1/camera/0/imagearray"
    whole = connected.raw("GET", url, headers={"Accept": "application/imagebytes"}).body
    stalled = [wire_to(connected, room=4096) for _ in range(20)]
    for wire in stalled:
        wire.sendall(f"GET {url} HTTP/1.1\r\nHost: localhost\r\nAccept: application/imagebytes\r\n"
                     "Connection: close\r\n\r\n".encode())
    heads = [wire.recv(100) for wire in stalled]
    for _ in range(3):
        new_image(connected)
    connected.put("focuser/0/move", Position=2000)
    assert connected.wait_still() == 2000
    got = heads[0]
    while piece := stalled[0].recv(1 << 20):
        got += piece
    body = got.split(b"\r\n\r\n", 1)[1]
    assert len(body) == len(whole)
    assert body[44:] == whole[44:], "the pixels of the frame that it began with"
    assert body[44:] != connected.raw("GET", url, headers={"Accept": "application/imagebytes"}).body[44:]
    for wire in stalled:
        wire.close()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_of_everything(make_observatory, signal_number):
    """Downloads, subscribers, waiting calls, half requests, a run and its exposure: the server ends, with 0."""
    server = make_observatory(time_factor=3)
    server.connect()
    new_image(server)
    wires = [wire_to(server, room=4096) for _ in range(60)]
    for number, wire in enumerate(wires):
        wire.sendall([
            b"GET /api/v1/camera/0/imagearray HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /hea",
            b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nPos",
        ][number % 4])
    started = server.action("Autofocus")["run"]
    until(lambda: server.action("AutofocusStatus")["exposures"] > 0, "the run exposes")
    answers = []

    def wait_for_run():
        with wire_to(server) as wire:
            body = "Action=AutofocusWait&Parameters=90"
            answers.append(ask(wire, "/api/v1/focuser/0/action", "PUT", body))

    waiting = [threading.Thread(target=wait_for_run) for _ in range(5)]
    for thread in waiting:
        thread.start()
    server.stop(signal_number)
    for thread in waiting:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    for answer in answers:
        # Whoever waited when it ended is told how, unless the request came too late.
        assert answer == b"" or b" 200 " in answer or b" 503 " in answer
    for wire in wires:
        wire.close()
    server.start()
    runs = {run["run"]: run for run in server.raw("GET", "/focusd/v1/runs").json()}
    assert runs[started]["state"] == "aborted"


def test_stopped_while_starting(make_observatory):
    """A signal at any moment of the start: it ends, cleanly, and the next start is fine."""
    server = make_observatory()
    server.stop()
    for delay in range(8):
        server.ready_file.unlink(missing_ok=True)
        with subprocess.Popen(server.arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            if delay > 0:
                process.stdout.readline()  # it says that it serves; before that, anything may be half done
            process.send_signal(signal.SIGTERM)
            code = process.wait(DEADLINE_S)
        assert code in ((0, -signal.SIGTERM) if delay == 0 else (0,))
    server.start()
    assert json.loads(server.ready_file.read_text())["port"] == server.port
