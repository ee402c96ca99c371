# SPDX-License-Identifier: MIT
"""Junk on every URL and in every parameter: a clear 4xx or an Alpaca error, and the server lives on."""
import socket
import urllib.parse

import pytest

from conftest import until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# member -> its parameters with a good value each
PUTS = {
    "focuser/0/connected": {"Connected": "True"},
    "focuser/0/move": {"Position": "100"},
    "focuser/0/tempcomp": {"TempComp": "False"},
    "focuser/0/action": {"Action": "AutofocusStatus", "Parameters": ""},
    "camera/0/connected": {"Connected": "True"},
    "camera/0/binx": {"BinX": "1"},
    "camera/0/biny": {"BinY": "1"},
    "camera/0/startx": {"StartX": "0"},
    "camera/0/starty": {"StartY": "0"},
    "camera/0/numx": {"NumX": "10"},
    "camera/0/numy": {"NumY": "10"},
    "camera/0/gain": {"Gain": "1"},
    "camera/0/offset": {"Offset": "1"},
    "camera/0/readoutmode": {"ReadoutMode": "0"},
    "camera/0/startexposure": {"Duration": "0.1", "Light": "True"},
}
TEXTS = {"Action", "Parameters"}
JUNK = ["", " ", "x", "1x", " 1", "nan", "inf", "0x10", "1e", "--1", "99999999999999999999",
        "-99999999999999999999", "%00", "1%002", "%ff%fe", "%zz", "1,5", "tru", "null", "{}",
        "'; DROP TABLE runs; --", "\u00fc", "A" * 3000]
IDS = ["", "-1", "x", "4294967296", "1.0", "%ff", "     "]

GETS = ["focuser/0/position", "focuser/0/devicestate", "camera/0/imagearray", "camera/0/camerastate"]


def is_clear(answer, path):
    """4xx with a text, or an Alpaca error."""
    if answer.status == 200:
        return answer.json()["ErrorNumber"] != 0
    return 400 <= answer.status < 500 and (answer.body.strip() != b"" or path.startswith("HEAD"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from conftest import Observatory, until
    observatory = Observatory(tmp_path_factory.mktemp("junk"))
    observatory.connect()
    yield observatory
    assert observatory.raw("GET", "/healthz").text.strip() == "ok"
    observatory.stop()


@pytest.mark.parametrize("member", PUTS)
def test_wrong_values(server, member):
    for name, good in PUTS[member].items():
        for junk in JUNK:
            if name == "Parameters" and junk in ("", " ", "{}"):
                continue  # nothing said: good
            fields = dict(PUTS[member])
            quoted = junk if junk.startswith("%") or "%00" in junk else urllib.parse.quote(junk)
            body = "&".join(f"{key}={quoted if key == name else urllib.parse.quote(value)}"
                            for key, value in fields.items())
            answer = server.raw("PUT", f"/api/v1/{member}", body, FORM)
            assert is_clear(answer, member), f"{name}={junk[:40]}: {answer.status} {answer.body[:200]!r}"
            if name not in TEXTS and answer.status == 200:
                assert answer.json()["ErrorNumber"] in (0x400, 0x401)
        body = urllib.parse.urlencode(PUTS[member])
        assert server.raw("PUT", f"/api/v1/{member}", body, FORM).status == 200, f"{name}={good} is good"


@pytest.mark.parametrize("member", PUTS)
def test_missing_and_misspelt_parameters(server, member):
    for name in PUTS[member]:
        if name == "Parameters":
            continue  # clients leave it out: absent is empty
        fields = dict(PUTS[member])
        good = fields.pop(name)
        for body in (urllib.parse.urlencode(fields),
                     urllib.parse.urlencode({**fields, name.swapcase(): good})):
            answer = server.raw("PUT", f"/api/v1/{member}", body, FORM)
            assert answer.status == 400, f"{body}: {answer.status} {answer.body[:200]!r}"
            assert "json" not in answer.headers["Content-Type"]


@pytest.mark.parametrize("junk", IDS)
@pytest.mark.parametrize("name", ["ClientID", "ClientTransactionID"])
def test_wrong_ids(server, name, junk):
    quoted = junk if junk.startswith("%") else urllib.parse.quote(junk)
    for member in GETS:
        assert server.raw("GET", f"/api/v1/{member}?{name}={quoted}").status == 400
    assert server.raw("PUT", "/api/v1/focuser/0/halt", f"{name}={quoted}", FORM).status == 400


@pytest.mark.parametrize("path", [
    "/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/focuser/0/position", "/api/V1/focuser/0/position",
    "/api/v1/focuser", "/api/v1/focuser/0", "/api/v1/focuser/0/", "/api/v1/focuser/0/position/",
    "/api/v1/FOCUSER/0/position", "/api/v1/focuser/0/Position", "/api/v1/telescope/0/position",
    "/api/v1/focuser/1/position", "/api/v1/focuser/-1/position", "/api/v1/focuser/A/position",
    "/api/v1/focuser/99999999999999999999/position", "/api/v1/focuser//position",
    "/api/v1/focuser/0/descrip", "/api/v1/focuser/0/imagearray", "/apx/v1/focuser/0/position",
    "/management", "/management/v1", "/management/v2/description", "/management/v1/nothing",
    "/setup/v1/focuser/7/setup", "/setup/v1/rotator/0/setup", "/setup/v1/focuser/x/setup",
    "/focusd/v1/runs/x", "/focusd/v1/runs/-1", "/focusd/v1/runs/999999",
    "/focusd/v1/runs/99999999999999999999999",
    "/focusd/v1/runs/999999/cutouts.jpg", "/focusd/v1/camera/7/preview.jpg",
    "/focusd/v1/camera/x/preview.jpg",
    "/focusd/v1/nothing", "/nothing", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd",
    "/%00", "/%ff%fe", "/%", "/%zz", "//", "/index.html/..", "/a" * 1500,
])
def test_wrong_paths(server, path):
    answer = server.raw("GET", path)
    assert 400 <= answer.status < 500, f"{answer.status} {answer.body[:200]!r}"


@pytest.mark.parametrize("query", ["x=-1&y=0&w=10&h=10", "x=a&y=b&w=c&h=d", "w=0&h=0",
                                   "x=99999&y=99999&w=9&h=9",
                                   "x=1&y=1&w=99999999999999&h=1", "x=%00"])
def test_wrong_parts_of_the_picture(server, query):
    # Some of the junk before this was a valid exposure that may still run.
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "the camera is idle")
    server.put("camera/0/startexposure", Duration=0.1, Light="True")
    until(lambda: server.get("camera/0/imageready"), "an image")
    answer = server.raw("GET", f"/focusd/v1/camera/0/preview.jpg?{query}")
    assert answer.status == 200 and answer.body[:2] == b"\xff\xd8" or 400 <= answer.status < 500


@pytest.mark.parametrize("verb", ["POST", "DELETE", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize("path", ["/", "/api/v1/focuser/0/position", "/api/v1/focuser/0/move", "/events",
                                  "/management/apiversions", "/focusd/v1/runs", "/metrics", "/healthz"])
def test_wrong_verbs(server, verb, path):
    answer = server.raw(verb, path)
    assert 400 <= answer.status < 500


def test_verbs_swapped(server):
    assert server.raw("PUT", "/api/v1/focuser/0/position", "Position=1", FORM).status in (400, 405)
    assert server.raw("GET", "/api/v1/focuser/0/move?Position=1").status in (400, 405)


def test_huge_bodies(server):
    for size in (100_000, 5_000_000):
        try:
            answer = server.raw("PUT", "/api/v1/focuser/0/move", "Position=1&x=" + "y" * size, FORM)
            assert 400 <= answer.status < 500
        except (ConnectionError, OSError):
            server.close()  # cut off in the middle is clear, too
        assert server.raw("GET", "/healthz").status == 200


@pytest.mark.parametrize("text", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\x01\x02\x03\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\nPosition=1",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
    b"Content-Length: 9\r\n\r\nPosition=1",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n",
], ids=lambda text: repr(text[:40]))
def test_bytes_that_are_no_request(server, text):
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        try:
            wire.sendall(text)
            wire.shutdown(socket.SHUT_WR)
            reply = wire.recv(4096)
        except OSError:
            reply = b""
    assert not reply.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")) or reply[9:12] == b"505"
    assert b"HTTP/1.1 200" not in reply[:20]
    assert server.raw("GET", "/healthz").status == 200


def test_foreign_pages_may_not_command(server):
    for headers in ({"Origin": "http://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = server.raw("PUT", "/api/v1/focuser/0/halt", "", {**FORM, **headers})
        assert answer.status == 403
    assert server.raw("PUT", "/api/v1/focuser/0/halt", "", FORM).status == 200
