# SPDX-License-Identifier: MIT
"""Requests made to hurt: contradictory lengths, foreign hosts and pages, tricks with paths.  Rules: RFC 9112
sections 3.2, 5.1 and 6; what browsers send of themselves (Fetch Metadata, Origin) is in the W3C's pages."""
import socket

import pytest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from conftest import Observatory
    observatory = Observatory(tmp_path_factory.mktemp("hard"), time_factor=20,
                              config="[server]\nname = pier-seven\nallowed_hosts = dome.example.org, other\n")
    observatory.connect()
    yield observatory
    assert observatory.raw("GET", "/healthz").text.strip() == "ok"
    observatory.stop()


def talk(server, data, until_closed=True):
    """Sends bytes; everything that comes back until the server closes (or the first answer is there)."""
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        wire.sendall(data)
        reply = b""
        while until_closed or b"\r\n\r\n" not in reply:
            try:
                piece = wire.recv(65536)
            except ConnectionError:
                break
            if not piece:
                break
            reply += piece
    return reply


def status(reply):
    return int(reply.split(b" ", 2)[1])


MOVE = b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"Position=4321"
# Behind the request stands another one, which must not be answered: whose length is in doubt, ends.
NEXT = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("headers", [
    b"Content-Length: 13\r\nContent-Length: 13\r\n",
    b"Content-Length: 13\r\nContent-Length: 0\r\n",
    b"Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Content-Length: +13\r\n", b"Content-Length: 13, 13\r\n", b"Content-Length: 0xd\r\n", b"Content-Length:\r\n",
    b"Content-Length: -13\r\n", b"Content-Length: 1e1\r\n", b"Content-Length : 13\r\n",
    b"Content-Length: 99999999999999999999999\r\n", b"Content-Length: 9223372036854775807\r\n",
], ids=repr)
def test_length_in_doubt(server, headers):
    server.put("focuser/0/move", Position=100)
    server.wait_still()
    reply = talk(server, MOVE + headers + b"\r\n" + BODY + NEXT)
    assert 400 <= status(reply) < 500
    assert b"HTTP/1.1 200" not in reply, "what stands behind it was not taken for a request"
    assert server.wait_still() == 100, "and it did not move"


@pytest.mark.parametrize("chunks", [
    b"FFFFFFFFFFFFFFFFFFFF\r\n" + BODY + b"\r\n0\r\n\r\n", b"-d\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n", b"d\r\n" + BODY + b"XX\r\n0\r\n\r\n", b"zz\r\n", b"\r\n\r\n",
], ids=repr)
def test_broken_chunks(server, chunks):
    reply = talk(server, MOVE + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert 400 <= status(reply) < 500
    assert b"HTTP/1.1 200" not in reply


FIELDS = MOVE + b"Content-Length: 13\r\n"


@pytest.mark.parametrize("head", [
    # RFC 9112 section 5.2: a continued line is refused, wherever it stands.
    MOVE + b"Content-Length:\r\n 13\r\n\r\n", MOVE + b"Content-Length: 1\r\n 3\r\n\r\n",
    MOVE + b"Content-Length: 1\n\t3\n\n", FIELDS + b" \r\n\r\n", FIELDS + b"\t\r\n\r\n",
    FIELDS + b"X-Note: a\r\n b\r\n\r\n", FIELDS + b"X-Note: a\r\n \r\nX-More: b\r\n\r\n",
    FIELDS + b"X-Note: a\r\n b\r\n c\r\nX-More: d\r\n\r\n",
    FIELDS + b"Origin:\r\n http://evil.example.com\r\n\r\n",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\n .evil.example.com\r\nContent-Length: 13\r\n\r\n",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n",
    # RFC 9110 section 5.5: a NUL in a field is dangerous; so is one in the request line.
    MOVE + b"Content-Length: 1\x003\r\n\r\n", MOVE + b"Content-Length: 13\x00\r\n\r\n",
    FIELDS + b"X-Note: a\x00b\r\n\r\n", FIELDS + b"X-Note:\x00b\r\n\r\n", FIELDS + b"X-No\x00te: b\r\n\r\n",
    FIELDS + b"Origin:\x00http://evil.example.com\r\n\r\n", FIELDS + b"X-Note: a\x00\x00\r\nX-More: b\r\n\r\n",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\x00.evil.example.com\r\nContent-Length: 13\r\n\r\n",
    b"PUT /api/v1/focuser/0/move\x00x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n",
    b"PUT\x00 /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n",
    b"PUT /api/v1/focuser/0/move HTTP/1.1\x00\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n",
    # Section 6.1: HTTP/1.0 knows no transfer codings.
    MOVE.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\nd\r\n",
], ids=repr)
def test_heads_that_hide_something(server, head):
    server.put("focuser/0/move", Position=100)
    server.wait_still()
    reply = talk(server, head + BODY + NEXT)
    assert status(reply) in (400, 505)
    assert b"HTTP/1.1 200" not in reply, "what stands behind it was not taken for a request"
    assert server.wait_still() == 100, "and it did not move"


@pytest.mark.parametrize("head", [
    FIELDS + b"\r\n", FIELDS.replace(b"\r\n", b"\n") + b"\n", b"\r\n" + FIELDS + b"\r\n",
    FIELDS + b"X-Empty:\r\nX-Blank: \t \r\nX-Tight:x\r\nX-Trailing: x \t\r\n\r\n",
    FIELDS.replace(b"localhost", b"localhost \t") + b"\r\n", FIELDS.replace(b"localhost", b"127.0.0.1:80 ") + b"\r\n",
    FIELDS.replace(b"/move", b"/move?a=%41&b&c=+") + b"\r\n", FIELDS.replace(b"/move", b"/%6dove") + b"\r\n",
    FIELDS + b"Cookie: a=b; c=\"d\"\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 300) for i in range(20)) + b"\r\n",
], ids=lambda head: repr(head[:120]))
@pytest.mark.parametrize("pieces", [1, 7])
def test_heads_of_all_legal_forms(server, head, pieces):
    """The same at once and in pieces, and again on the same connection behind what came before."""
    server.put("focuser/0/move", Position=100)
    server.wait_still()
    data = head + BODY
    size = -(-len(data) // pieces)
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for at in range(0, len(data), size):
                wire.sendall(data[at:at + size])
            reply = b""
            while b"\r\n\r\n" not in reply or not reply.endswith(b"}"):
                piece = wire.recv(65536)
                assert piece, reply
                reply += piece
            assert status(reply) == 200, reply
    assert server.wait_still() == 4321


def test_chunks_are_understood(server):
    reply = talk(server, MOVE + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"9;note=1\r\nPosition=\r\n4\r\n4321\r\n0\r\nX-Trailer: 1\r\n\r\n")
    assert status(reply) == 200
    assert server.wait_still() == 4321


def test_many_requests_in_one_breath(server):
    """Pipelining: every request is answered, in order."""
    paths = ["healthz", "api/v1/focuser/0/maxstep", "nothing"] * 20
    data = b"".join(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n{end}\r\n".encode()
                    for path, end in zip(paths, [""] * 59 + ["Connection: close\r\n"]))
    reply = talk(server, data)
    answers = [int(part[:3]) for part in reply.split(b"HTTP/1.1 ")[1:]]
    assert answers == [200, 200, 404] * 20


@pytest.mark.parametrize("request_line, headers, expected", [
    ("GET /healthz HTTP/1.1", "", 400),
    ("GET /healthz HTTP/1.0", "", 200),
    ("GET /healthz HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n", 400),
    ("GET /healthz HTTP/1.1", "Host: localhost\r\nHost: evil.example.com\r\n", 400),
    ("GET /healthz HTTP/2.0", "Host: localhost\r\n", 505),
    ("get /healthz HTTP/1.1", "Host: localhost\r\n", 405),
    ("CONNECT localhost:80 HTTP/1.1", "Host: localhost\r\n", 405),
    ("TRACE / HTTP/1.1", "Host: localhost\r\n", 405),
])
def test_request_lines(server, request_line, headers, expected):
    reply = talk(server, f"{request_line}\r\n{headers}Connection: close\r\n\r\n".encode())
    assert status(reply) == expected


@pytest.mark.parametrize("host, expected", [
    ("127.0.0.1", 200), ("127.0.0.1:11111", 200), ("192.168.3.4:80", 200), ("[::1]", 200), ("[::1]:11111", 200),
    ("[fe80::1%25eth0]:11111", 200), ("localhost", 200), ("LOCALHOST:1", 200), ("localhost.", 200),
    (socket.gethostname(), 200), (socket.gethostname().split(".")[0] + ".local", 200),
    ("pier-seven", 200), ("Pier-Seven.local:11111", 200), ("dome.example.org", 200), ("other:11111", 200),
    ("evil.example.com", 403), ("evil.example.com:11111", 403), ("localhost.evil.example.com", 403),
    ("127.0.0.1.evil.example.com", 403), ("127.0.0.1@evil.example.com", 403), ("evil.example.com#localhost", 403),
    ("xpier-seven", 403), ("pier-seven.local.evil.example.com", 403), ("dome.example.orgx", 403),
    ("example.org", 403), ("", 403), (":80", 403), ("localhost:80x", 403), ("[::1", 403), ("[::1]x", 403),
    ("[::1]:x", 403), ("1.2.3", 403), ("0x7f000001", 403), ("127.0.0.1 evil", 403), (",", 403),
])
def test_hosts(server, host, expected):
    for method, path in (("GET", "/healthz"), ("GET", "/api/v1/focuser/0/position"), ("GET", "/")):
        assert server.raw(method, path, headers={"Host": host}).status == expected


def test_own_name_in_the_routers_domain(tmp_path, monkeypatch):
    """LOCALDOMAIN stands for the "search" of resolv.conf(5).  A name that is refused is logged once, with the line
    that allows it."""
    from conftest import Observatory
    monkeypatch.setenv("LOCALDOMAIN", "fritz.box home.arpa")
    observatory = Observatory(tmp_path, config="[server]\nallowed_hosts = pier3\n")
    own = socket.gethostname().split(".")[0]

    def ask(host):
        return observatory.raw("GET", "/healthz", headers={"Host": host}).status

    assert [ask(f"{own}.{domain}") for domain in ("fritz.box", "HOME.arpa:80", "local")] == [200, 200, 200]
    assert [ask(host) for host in ("other.fritz.box", "fritz.box", f"{own}.evil.example.com", "dome.lan", "Dome.LAN:80")
            ] == [403] * 5
    observatory.stop()
    log = observatory.log()
    assert log.count("host name dome.lan;") == 1
    assert "allowed_hosts = pier3, dome.lan\n" in log


@pytest.mark.parametrize("headers, expected", [
    ({}, 200),
    ({"Origin": "http://SELF"}, 200),
    ({"Origin": "http://SELF", "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Origin": "https://dome.example.org"}, 200),
    ({"Origin": "http://evil.example.com"}, 403),
    ({"Origin": "http://evil.example.com", "Sec-Fetch-Site": "same-origin"}, 403),
    ({"Origin": "http://SELF", "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
    ({"Origin": "http://SELF.evil.example.com"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Origin": "http://SELF@evil.example.com"}, 403),
])
def test_pages(server, headers, expected):
    own = f"{server.host}:{server.port}"
    headers = {name: value.replace("SELF", own) for name, value in headers.items()}
    answer = server.raw("PUT", "/api/v1/focuser/0/halt", "", {**FORM, **headers})
    assert answer.status == expected
    for path in ("/setup/v1/focuser/0/setup", "/"):
        answer = server.raw("POST", path, "x=1", {**FORM, **headers})
        assert answer.status == 403 if expected == 403 else answer.status != 403


DOME = "https://dome.example.org"


# What browsers send of themselves.  Sec-Fetch-* come only where the address is loopback or https; elsewhere there are
# Origin, Referer and, with what a person follows or types, Upgrade-Insecure-Requests.  The first of the two is what a
# page gets ("/"), the second what it gets of data.
@pytest.mark.parametrize("headers, page, data", [
    ({}, 200, 200),
    ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Referer": "http://SELF/"}, 200, 200),
    ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Referer": "https://proxy.example.org/"}, 200, 200),
    ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200, 200),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}, 403, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "http://evil.example.com"}, 403, 403),
    ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Referer": "http://127.0.0.1:1/"}, 403, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe",
      "Upgrade-Insecure-Requests": "1"}, 403, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
      "Upgrade-Insecure-Requests": "1", "Referer": "http://evil.example.com/"}, 200, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": DOME}, 200, 200),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Referer": DOME + "/x?http://SELF/"}, 200, 200),
    ({"Referer": "http://SELF/setup"}, 200, 200),
    ({"Referer": ""}, 200, 200),
    ({"Referer": "http://evil.example.com/?http://SELF/"}, 403, 403),
    ({"Referer": "http://SELF.evil.example.com/"}, 403, 403),
    ({"Referer": "http://evil.example.com/#" + DOME}, 403, 403),
    ({"Referer": "http://127.0.0.1:1/"}, 403, 403),
    ({"Origin": "http://evil.example.com", "Referer": "http://SELF/"}, 403, 403),
    ({"Origin": "null"}, 403, 403),
    ({"Referer": "http://evil.example.com/", "Upgrade-Insecure-Requests": "1"}, 200, 403),
    ({"Referer": DOME + "/"}, 200, 200),
])
def test_reading_from_pages(server, headers, page, data):
    own = f"{server.host}:{server.port}"
    headers = {name: value.replace("SELF", own) for name, value in headers.items()}
    for path in ("/", "/setup", "/setup/v1/focuser/0/setup"):
        answer = server.raw("GET", path, headers=headers)
        assert answer.status == page, path
    for path in ("/api/v1/focuser/0/position", "/metrics", "/focusd/v1/runs", "/management/apiversions"):
        answer = server.raw("GET", path, headers=headers)
        assert answer.status == data, path
        assert answer.headers["Cross-Origin-Resource-Policy"] == (
            "cross-origin" if headers.get("Origin") == DOME else "same-origin")


def test_allowed_pages_may_ask(server):
    """The Fetch standard, section 4.8: what a browser asks before a PUT of another origin, and what it then needs."""
    asked = {"Origin": DOME + ":8443", "Access-Control-Request-Method": "PUT", "Sec-Fetch-Site": "cross-site",
             "Access-Control-Request-Headers": "content-type", "Access-Control-Request-Private-Network": "true"}
    answer = server.raw("OPTIONS", "/api/v1/focuser/0/halt", headers=asked)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == DOME + ":8443"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for method, path, body in (("PUT", "halt", ""), ("GET", "position", None)):
        answer = server.raw(method, "/api/v1/focuser/0/" + path, body,
                            {**FORM, "Origin": DOME, "Sec-Fetch-Site": "cross-site"})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == DOME
        assert "Origin" in answer.headers["Vary"]
    answer = server.raw("GET", "/api/v1/focuser/0/position")
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("target, host, expected", [
    ("http://localhost/healthz", "localhost", 200), ("HTTP://127.0.0.1:80/healthz?x=1", "localhost", 200),
    ("http://dome.example.org", "localhost", 200), ("http://localhost/%68ealthz", "evil.example.com", 200),
    ("http://localhost/nothing", "localhost", 404), ("http://localhost?/healthz", "localhost", 200),
    ("http://evil.example.com/healthz", "localhost", 403), ("http://localhost@evil.example.com/healthz", "localhost", 403),
    ("http://evil%2f/healthz", "localhost", 400), ("http:///healthz", "localhost", 400),
    ("http://localhost/healthz%00", "localhost", 400),
])
def test_absolute_form(server, target, host, expected):
    """RFC 9112 section 3.2.2: everybody has to understand it, and its host counts."""
    reply = talk(server, f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert status(reply) == expected


def test_absolute_form_moves(server):
    reply = talk(server, b"PUT http://localhost/api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                 b"Content-Length: 13\r\n\r\n" + BODY)
    assert status(reply) == 200
    assert server.wait_still() == 4321


@pytest.mark.parametrize("path", ["/", "/events", "/api/v1/focuser/0/position", "/management/apiversions", "/metrics"])
def test_no_cross_origin_sharing(server, path):
    asked = {"Origin": "http://evil.example.com", "Access-Control-Request-Method": "PUT"}
    replies = [talk(server, (f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\n"
                             + "".join(f"{k}: {v}\r\n" for k, v in asked.items()) + "\r\n").encode(), False)
               for verb in ("OPTIONS", "GET")]
    assert 400 <= status(replies[0]) < 500
    assert status(replies[1]) == 403
    for reply in replies:
        assert b"access-control-" not in reply.lower()


@pytest.mark.parametrize("path", [
    "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/..%5c..%5cwindows", "/%c0%ae%c0%ae/etc/passwd",
    "/..;/healthz", "/./healthz", "//healthz", "/healthz/", "/healthz%00", "/healthz%00.js", "/healthz%20", "/healthz%0a",
    "/%00/healthz", "/\u00fc".encode().decode("latin-1"), "/%ff", "/%ed%a0%80", "/%", "/%2", "/%u0041",
    "/api/v1/focuser/0/position%00", "/api/v1/focuser/0%00/position", "/api/v1/focuser/0/../0/position",
    "/api/v1/focuser/%2e%2e/0/position", "/api/v1/focuser/0//position", "//api/v1/focuser/0/position",
    "/api/v1//focuser/0/position", "/api/v1/focuser/+0/position", "/api/v1/focuser/%EF%BC%90/position",
    "/api/v1/focuser/0x0/position", "/api/v1/focuser/1e0/position", "/api/v1/focuser/4294967296/position",
    "/api/v1/focuser/00/position", "/api/v1/focuser/0/position%2f", "/api/v1/focuser/0/position;x=1",
    "/focusd/v1/runs/../runs", "/focusd/v1/runs/1%2f..", "/focusd/v1/runs/0x1", "/focusd/v1/runs/1e400",
    "/focusd/v1/runs/18446744073709551616", "/focusd/v1/camera/../camera/0/preview.jpg",
    "/focusd/v1/camera/4294967296/preview.jpg", "/setup/v1/focuser/4294967296/setup", "/setup/v1/focuser/00/setup",
    "http://evil.example.com/healthz", "*",
])
def test_paths(server, path):
    reply = talk(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert 400 <= status(reply) < 500, reply[:300]
    assert b"root:" not in reply
    reply.split(b"\r\n\r\n", 1)[1].decode("utf-8")  # the answer quotes what was sent, as text


@pytest.mark.parametrize("body", [
    b"Position=\xff\xfe", b"Position=%C3%28", b"Position=\xed\xa0\x80", b"\xff=1&Position=\xf5", b"Position=" + b"9" * 60000,
    b"Position=1" + b"&" * 60000 + b"x", b"=" * 60000, b"%" * 60000, b"Position" * 8000, b"\x00" * 1000,
], ids=lambda body: repr(body[:20]))
def test_bodies(server, body):
    before = server.get("focuser/0/position")
    answer = server.raw("PUT", "/api/v1/focuser/0/move", body, FORM)
    if body.startswith(b"Position=1&"):
        assert answer.status == 200  # long, but good
        server.wait_still()
        return
    assert answer.status == 400
    assert answer.text.strip()
    assert server.get("focuser/0/position") == before


@pytest.mark.parametrize("name, value", [
    ("Duration", "1e308"), ("Duration", "-1e308"), ("Duration", "1e-320"), ("Duration", "0" * 60), ("Duration", "-0"),
])
def test_absurd_exposures(server, name, value):
    """Taken or refused, never stuck: the camera is idle again at once after an abort."""
    from conftest import AlpacaError, until
    try:
        server.put("camera/0/startexposure", **{name: value, "Light": "True"})
        server.put("camera/0/abortexposure")
    except AlpacaError as error:
        assert error.number in (0x401, 0x40B)
    until(lambda: server.get("camera/0/camerastate") == 0, "the camera is idle")


@pytest.mark.parametrize("value", ["2147483647", "-2147483648"])
def test_absurd_targets(server, value):
    """Inside int32 and outside the range: clamped, as the checker demands."""
    server.put("focuser/0/move", Position=value)
    assert server.wait_still() == (server.get("focuser/0/maxstep") if value[0] != "-" else 0)


@pytest.mark.parametrize("member", ["commandblind", "commandbool", "commandstring"])
@pytest.mark.parametrize("device", ["focuser", "camera"])
def test_no_raw_commands(server, device, member):
    """Nobody talks to the hardware past the driver."""
    answer = server.raw("PUT", f"/api/v1/{device}/0/{member}", "Command=:FG%23&Raw=True", FORM)
    assert answer.status == 200
    assert answer.json()["ErrorNumber"] == 0x400


def test_silent_connections_shut_nobody_out(tmp_path):
    """More connections than the server takes, from two addresses, on which nothing is said."""
    import resource
    from conftest import Observatory, until
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("this shell may not open so many sockets")
    observatory = Observatory(tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    silent = []
    try:
        for number in range(1600):
            source = f"127.0.0.{2 + number % 2}"
            silent.append(socket.create_connection((observatory.host, observatory.port), 60, (source, 0)))

        def is_answered():
            try:
                return observatory.raw("GET", "/healthz").status == 200
            except OSError:
                return False
        until(is_answered, "somebody who speaks is answered")
        until(lambda: "on which nothing was ever said are closed" in observatory.log(), "the log says why")
    finally:
        for wire in silent:
            wire.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    observatory.stop()
