# SPDX-License-Identifier: MIT
"""Clients that take pictures slowly or not at all: what they keep in memory, who is refused, and who is cut."""
import json
import socket

import pytest

from conftest import DEADLINE_S, INVALID_OPERATION, SANITIZED, AlpacaError, until

WIDTH, HEIGHT = 4000, 3000  # px of 16 bits: more than the sockets of both sides take
FRAME_KIB = 2 * WIDTH * HEIGHT // 1024
BYTES = "application/imagebytes"
IMAGE = "/api/v1/camera/0/imagearray"


@pytest.fixture
def large(make_observatory):
    server = make_observatory(config=f"[simulator]\nwidth = {WIDTH}\nheight = {HEIGHT}\nstars = 20\n")
    server.connect()
    return server


def expose(server):
    server.put("camera/0/startexposure", Duration=0.1, Light="True")
    until(lambda: server.get("camera/0/imageready"), "an image")


def begin(server, accept=BYTES):
    """A client that has taken the first bytes of its answer; they are returned, too."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.settimeout(DEADLINE_S)
    wire.connect((server.host, server.port))
    wire.sendall(f"GET {IMAGE} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
    return wire, wire.recv(1500)


def rest(wire, head):
    """The body, read to the length that the head tells."""
    header, body = head.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in header.split(b"\r\n") if line.startswith(b"Content-Length"))
    body = bytearray(body)
    while len(body) < length:
        piece = wire.recv(1 << 20)
        assert piece, "the connection ended early"
        body += piece
    return bytes(body)


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_slow_readers_keep_two_pictures(large):
    """Twelve clients stall, each in a picture of its own: two are served, the others are told why not."""
    for _ in range(3):
        expose(large)
        large.raw("GET", IMAGE, headers={"Accept": BYTES})
    before = resident_kib(large)
    first = large.raw("GET", IMAGE, headers={"Accept": BYTES}).body
    stalled = []
    for number in range(12):
        if number > 0:
            expose(large)
        stalled.append(begin(large, BYTES if number % 2 else "application/json"))
        refused = f'"ErrorNumber":{INVALID_OPERATION},'.encode() in stalled[-1][1]
        assert refused == (number >= 2), number
    if not SANITIZED:
        # P29: what slow readers keep, in frames.
        assert (resident_kib(large) - before) / FRAME_KIB < 2.5
    with pytest.raises(AlpacaError, match="still reading 2 earlier pictures") as refused:
        large.get("camera/0/imagearray")
    assert refused.value.number == INVALID_OPERATION
    # Who was first was not disturbed; when it has its picture, the newest can be read again.
    body = json.loads(rest(*stalled[0]))
    assert body["ErrorNumber"] == 0
    pixels = memoryview(first)[44:].cast("H")
    assert body["Value"][WIDTH - 1] == pixels[(WIDTH - 1) * HEIGHT:].tolist()
    assert large.get("camera/0/imagearray")
    for wire, _ in stalled:
        wire.close()


def test_a_client_that_takes_nothing_is_cut(large):
    """It loses the connection, the picture goes, and the log says who it was."""
    expose(large)
    wire, _ = begin(large)
    until(lambda: f"cut 127.0.0.1: {IMAGE} was taken at less than 16000 bytes/s" in large.log(), "the slow reader is cut")
    with pytest.raises(ConnectionResetError):
        while wire.recv(1 << 20):
            pass
    wire.close()
    assert large.get("camera/0/imageready")
