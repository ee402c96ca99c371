# SPDX-License-Identifier: MIT
"""R16, what clients do with HTTP, and the habits of single clients: alpyca, CCDciel, INDI, PHD2, ASCOM's
dynamic drivers, curl and other HTTP libraries of the distribution."""
import json
import shutil
import socket
import struct
import subprocess

import pytest
from conftest import Observatory, until
from wire import FORM, Member, envelope, in_parallel, raw_once, read_reply, refusal

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("rough"), time_factor=100, config=(
        f"[simulator]\nwidth = {WIDTH}\nheight = {HEIGHT}\n"))
    observatory.connect()
    yield observatory
    assert observatory.raw("GET", "/healthz").text.strip() == "ok"
    observatory.stop()


def put_text(path, body, *headers, version="1.1"):
    lines = [f"PUT /api/v1/{path} HTTP/{version}", "Host: 127.0.0.1",
             "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body.encode()


def once(server, data):
    """One request on a connection of its own; status, headers, body."""
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        wire.sendall(data)
        return read_reply(wire.makefile("rb"))


# ---- R16 ----

def test_r16_01_two_question_marks(server):
    for start in ("?", "??", "???"):
        answer = server.raw("GET", f"/api/v1/focuser/0/position?{start[1:]}ClientID=12&ClientTransactionID=34")
        assert envelope(answer, echo=34)["ErrorNumber"] == 0
    other = server.client()
    other.raw("PUT", "/api/v1/focuser/0/connected", "Connected=False&ClientID=4711", FORM)
    # The id behind the second mark counts: this client said False.
    answer = server.raw("GET", "/api/v1/focuser/0/connected??ClientID=4711&ClientTransactionID=1")
    assert envelope(answer, echo=1)["Value"] is False


def test_r16_02_no_ids(server):
    assert envelope(server.raw("GET", "/api/v1/focuser/0/position"), echo=0)["ErrorNumber"] == 0
    assert envelope(server.raw("PUT", "/api/v1/focuser/0/halt", "", FORM), echo=0)["ErrorNumber"] == 0
    assert envelope(server.raw("PUT", "/api/v1/focuser/0/halt"), echo=0)["ErrorNumber"] == 0


@pytest.mark.parametrize("host", ["", "Host: 127.0.0.1\r\n"])
@pytest.mark.parametrize("path", ["focuser/0/position", "camera/0/imagearray", "focuser/0/devicestate"])
def test_r16_03_http_1_0(server, path, host):
    reply = raw_once(server.port, f"GET /api/v1/{path} HTTP/1.0\r\n{host}Connection: close\r\n\r\n".encode())
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.split()[1] == b"200"
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    assert len(lengths) == 1 and int(lengths[0].split(b":")[1]) == len(body)
    assert b"chunked" not in head.lower()
    json.loads(body)


def test_r16_04_expect_100_continue(server):
    """The body is held back until the server asks for it; or comes anyway."""
    body = "Position=1500&ClientID=5&ClientTransactionID=6"
    whole = put_text("focuser/0/move", body, "Expect: 100-continue")
    head = whole[:-len(body)]
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        stream = wire.makefile("rb")
        wire.sendall(head)
        assert stream.readline().split()[1] == b"100"
        assert stream.readline() == b"\r\n"
        wire.sendall(body.encode())
        status, _, reply = read_reply(stream)
        assert status == 200 and json.loads(reply)["ErrorNumber"] == 0
        # On the same connection, without waiting for the 100.
        wire.sendall(put_text("focuser/0/halt", "ClientID=5&ClientTransactionID=7", "Expect: 100-continue"))
        line = stream.readline()
        if line.split()[1] == b"100":
            assert stream.readline() == b"\r\n"
            status, _, reply = read_reply(stream)
        else:
            assert line.split()[1] == b"200"
    assert server.wait_still() >= 0


def test_r16_04_expect_with_a_wrong_request(server):
    """An error must not leave the client waiting for its 100."""
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        stream = wire.makefile("rb")
        wire.sendall(put_text("focuser/0/nothing", "x=1", "Expect: 100-continue")[:-3])
        line = stream.readline()
        if line.split()[1] == b"100":
            stream.readline()
            wire.sendall(b"x=1")
            line = stream.readline()
        assert line.split()[1] == b"400"


def test_r16_05_largest_ids(server):
    for name in ("ClientID", "ClientTransactionID"):
        answer = server.raw("GET", f"/api/v1/focuser/0/position?{name}=4294967295")
        assert envelope(answer, echo=4294967295 if name != "ClientID" else 0)["ErrorNumber"] == 0


@pytest.mark.parametrize("value, false", [("true", "false"), ("True", "False"), ("TRUE", "FALSE"),
                                          ("tRuE", "fAlSe")])
def test_r16_06_booleans_in_any_case(server, value, false):
    for device in ("focuser/0", "camera/0"):
        answer = server.raw("PUT", f"/api/v1/{device}/connected", f"Connected={value}", FORM)
        assert envelope(answer)["ErrorNumber"] == 0
    other = f"Connected={false}&ClientID=77"
    assert envelope(server.raw("PUT", "/api/v1/focuser/0/connected", other, FORM))["ErrorNumber"] == 0
    assert envelope(server.raw("GET", "/api/v1/focuser/0/connected?ClientID=77"))["Value"] is False


def test_r16_07_any_order(server):
    for body in ("ClientTransactionID=9&ClientID=8&Position=1600",
                 "ClientID=8&Position=1700&ClientTransactionID=10"):
        answer = server.raw("PUT", "/api/v1/focuser/0/move", body, FORM)
        assert envelope(answer)["ErrorNumber"] == 0
        server.wait_still()
    assert server.get("focuser/0/position") == 1700


def test_r16_08_names_in_the_wrong_case(server):
    text = refusal(server.raw("PUT", "/api/v1/focuser/0/move", "position=5", FORM)).text
    assert "Position" in text
    for query in ("clientid=3&clienttransactionid=44", "CLIENTID=3&CLIENTTRANSACTIONID=44"):
        envelope(server.raw("GET", f"/api/v1/focuser/0/position?{query}"), echo=44)


@pytest.mark.parametrize("body", ["Position=1.0", "Position=", "Position=abc", "", "Position",
                                  "Position=1e3", "Position=%201", "Position=2147483648",
                                  "Position=1,000", "Position=0x10"])
def test_r16_09_positions_that_are_none(server, body):
    before = server.get("focuser/0/position")
    assert "Position" in refusal(server.raw("PUT", "/api/v1/focuser/0/move", body, FORM)).text
    assert server.get("focuser/0/position") == before


def test_r16_09_position_in_the_query(server):
    text = refusal(server.raw("PUT", "/api/v1/focuser/0/move?Position=5", "", FORM)).text
    assert "body" in text


@pytest.mark.parametrize("pieces", [[b"Position=1800"], [b"Posi", b"tion=18", b"00"]])
def test_r16_10_chunked_body(server, pieces):
    head = (b"PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n")
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    status, _, reply = once(server, head + body)
    assert status == 411 or status == 200 and json.loads(reply)["ErrorNumber"] == 0
    if status == 200:
        assert server.wait_still() == 1800


def test_r16_11_pipelined_requests(server):
    members = ["position", "ismoving", "maxstep", "connected", "devicestate"] * 4
    data = b"".join(f"GET /api/v1/focuser/0/{name}?ClientTransactionID={k + 1} HTTP/1.1\r\n"
                    f"Host: 127.0.0.1\r\n\r\n".encode() for k, name in enumerate(members))
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        wire.sendall(data)
        stream = wire.makefile("rb")
        for k in range(len(members)):
            status, _, body = read_reply(stream)
            assert status == 200 and json.loads(body)["ClientTransactionID"] == k + 1


def test_r16_11_byte_by_byte(server):
    data = put_text("focuser/0/move", "Position=1900")
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for k in range(len(data)):
            wire.sendall(data[k:k + 1])
        status, _, body = read_reply(wire.makefile("rb"))
    assert status == 200 and json.loads(body)["ErrorNumber"] == 0
    assert server.wait_still() == 1900


def test_r16_11_many_idle_and_half_sent_connections(server):
    """They starve nobody: a polling client goes on meanwhile, on old and on new connections."""
    idle = []
    try:
        for k in range(30):
            wire = socket.create_connection((server.host, server.port), timeout=60)
            idle.append(wire)
            if k % 3 == 1:
                wire.sendall(b"GET /api/v1/focuser/0/posi")
            elif k % 3 == 2:
                wire.sendall(put_text("focuser/0/move", "Position=1")[:-4])
        for _ in range(20):
            assert server.get("focuser/0/position") >= 0
            fresh = server.client()
            assert fresh.get("focuser/0/connected") is True
            fresh.close()
    finally:
        for wire in idle:
            wire.close()


def test_r16_12_long_parameters(server):
    body = "Action=AutofocusStatus&Parameters=" + "x" * 200_000
    reply = raw_once(server.port, put_text("focuser/0/action", body, "Connection: close"))
    assert reply.split()[1] == b"413" and b"65536" in reply
    assert envelope(server.raw("PUT", "/api/v1/focuser/0/action",
                               "Action=AutofocusStatus&Parameters=" + "1" * 60_000, FORM))["ErrorNumber"] == 0x401


@pytest.mark.parametrize("verb, path, statuses", [
    ("GET", "/api/v1/focuser/9/position", (400,)), ("GET", "/api/v1/focuser/0/nothing", (400,)),
    ("PUT", "/api/v1/focuser/0/position", (400, 405)), ("POST", "/api/v1/focuser/0/move", (400, 405)),
    ("GET", "/api/v1/camera/0/startexposure", (400, 405)), ("GET", "/somewhere", (404,))])
def test_r16_13_unknown_things(server, verb, path, statuses):
    answer = server.raw(verb, path, "Position=1" if verb != "GET" else None, FORM)
    assert answer.status in statuses
    assert answer.headers["Content-Type"].startswith(("text/plain", "text/html")) and answer.body.strip()


@pytest.mark.parametrize("path", ["focuser/0/position", "camera/0/devicestate", "camera/0/imageready"])
def test_r16_14_imagebytes_asked_of_other_members(server, path):
    answer = server.raw("GET", f"/api/v1/{path}", headers={"Accept": "application/imagebytes"})
    assert envelope(answer)["ErrorNumber"] == 0


@pytest.mark.parametrize("accept, kind", [
    (None, "application/json"), ("*/*", "application/json"), ("application/json", "application/json"),
    ("application/imagebytes", "application/imagebytes"),
    ("APPLICATION/ImageBytes", "application/imagebytes"),
    ("text/html, application/json;q=0.9, application/imagebytes;q=0.1", "application/imagebytes"),
    ("application/imagebytes;q=0, application/json", "application/json"),
])
def test_negotiation_of_the_picture(server, accept, kind):
    camera = Member(server, "camera/0")
    if not camera.get("imageready"):
        camera.put("startexposure", Duration=1, Light=True)
        until(lambda: camera.get("imageready"), "an image")
    for member in ("imagearray", "imagearrayvariant"):
        answer = server.raw("GET", f"/api/v1/camera/0/{member}", headers={"Accept": accept} if accept else {})
        assert answer.headers["Content-Type"].split(";")[0] == kind
        assert kind == "application/json" or answer.headers["Content-Type"] == kind
        assert "base64handoff" not in answer.headers


def test_head_is_get_without_body(server):
    answer = server.raw("HEAD", "/api/v1/focuser/0/position")
    assert answer.status == 200 and answer.body == b"" and int(answer.headers["Content-Length"]) > 0


# ---- alpyca ----

ALPYCA = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "python-requests/2.31.0"}


def test_alpyca_order_and_spelling(server):
    """ClientTransactionID, ClientID, then data; the answer's keys in their one spelling; no gzip."""
    body = "ClientTransactionID=3&ClientID=60123&Connected=True"
    answer = server.raw("PUT", "/api/v1/focuser/0/connected", body, {**ALPYCA, **FORM})
    assert envelope(answer, echo=3)["ErrorNumber"] == 0
    answer = server.raw("GET", "/api/v1/focuser/0/position?ClientTransactionID=4&ClientID=60123", headers=ALPYCA)
    assert set(envelope(answer, echo=4)) == {
        "Value", "ClientTransactionID", "ServerTransactionID", "ErrorNumber", "ErrorMessage"}
    assert "Content-Encoding" not in answer.headers


def test_alpyca_action_without_parameters(server):
    for body, number in (("Action=AutofocusStatus", 0),
                         ("Action=AutofocusStatus&Parameters=", 0),
                         ("Action=AutofocusWait&Parameters=0&Parameters=77", 0x40B)):
        answer = server.raw("PUT", "/api/v1/focuser/0/action",
                            "ClientTransactionID=5&ClientID=60123&" + body, {**ALPYCA, **FORM})
        assert envelope(answer, echo=5)["ErrorNumber"] == number


def test_alpyca_connect_and_poll(server):
    server.raw("PUT", "/api/v1/camera/0/connect", "ClientTransactionID=6&ClientID=60124", {**ALPYCA, **FORM})
    until(lambda: not server.get("camera/0/connecting"), "connecting ends")
    assert server.get("camera/0/connected") is True


def test_alpyca_picture(server):
    """Content-Type compared as a whole; 16 bits on the wire, since it misreads 32."""
    camera = Member(server, "camera/0")
    camera.put("startexposure", Duration=1, Light=True)
    until(lambda: camera.get("imageready"), "an image")
    answer = server.raw("GET", "/api/v1/camera/0/imagearray?ClientTransactionID=7&ClientID=60125",
                        headers={"accept": "application/imagebytes"})
    assert answer.headers["Content-Type"] == "application/imagebytes"
    assert struct.unpack("<ii", answer.body[20:28]) == (2, 8)


# ---- CCDciel ----

def test_ccdciel_one_connection_per_request(server):
    for line in ("GET /api/v1/focuser/0/interfaceversion?ClientID=4294967295&ClientTransactionID=1",
                 "GET /management/v1/configureddevices?ClientID=1"):
        reply = raw_once(server.port, f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                                      "Connection: close\r\n\r\n".encode())
        assert reply.split()[1] == b"200"


def test_ccdciel_forms_without_encoding(server):
    """Blanks, braces, quotes and a lone percent sign stand in the body as they are."""
    for value, number in (('{"exposure_s": 1}', 0), ('{"exposure_s": 1, "gain": 100%}', 0x401),
                          ("50% of it", 0x401)):
        body = f"Action=MeasureStars&Parameters={value}&ClientID=4294967295&ClientTransactionID=2"
        status, _, reply = once(server, put_text("focuser/0/action", body))
        assert status == 200 and json.loads(reply)["ErrorNumber"] == number, reply
        assert json.loads(reply)["ClientTransactionID"] == 2


def test_ccdciel_connect(server):
    ids = "ClientID=3999999999&ClientTransactionID=1"
    for verb in ("disconnect", "connect"):
        assert envelope(server.raw("PUT", f"/api/v1/focuser/0/{verb}", ids, FORM))["ErrorNumber"] == 0
    until(lambda: envelope(server.raw("GET", f"/api/v1/focuser/0/connecting?{ids}"))["Value"] is False, "done")
    for name in ("connected", "name", "driverinfo", "driverversion", "absolute", "temperature"):
        assert envelope(server.raw("GET", f"/api/v1/focuser/0/{name}?{ids}"))["ErrorNumber"] == 0


# ---- INDI ----

def test_indi_focuser(tmp_path):
    """No ids at all, lower case booleans, `connected` asked before anything else."""
    fresh = Observatory(tmp_path, time_factor=100)
    try:
        def get(name):
            return envelope(fresh.raw("GET", f"/api/v1/focuser/0/{name}"), echo=0)

        def put(name, body):
            return envelope(fresh.raw("PUT", f"/api/v1/focuser/0/{name}", body, FORM), echo=0)

        assert get("connected")["Value"] is False and get("connected")["ErrorNumber"] == 0
        assert put("connected", "Connected=true")["ErrorNumber"] == 0
        for name in ("description", "driverinfo", "driverversion", "interfaceversion", "maxstep", "position",
                     "temperature", "absolute", "tempcompavailable", "tempcomp"):
            assert get(name)["ErrorNumber"] == 0, name
        assert put("move", "Position=2500")["ErrorNumber"] == 0
        until(lambda: get("ismoving")["Value"] is False, "it rests")
        assert get("position")["Value"] == 2500
        # Without ids the same body is a new wish each time.
        assert put("move", "Position=2600")["ErrorNumber"] == 0
        until(lambda: get("ismoving")["Value"] is False, "it rests")
        assert put("move", "Position=2500")["ErrorNumber"] == 0
        until(lambda: get("ismoving")["Value"] is False, "it rests")
        assert get("position")["Value"] == 2500
        assert put("connected", "Connected=false")["ErrorNumber"] == 0
        assert get("connected")["Value"] is False
    finally:
        fresh.stop()


def test_indi_camera(server):
    """Doubles with six decimals, integers as integers."""
    ids = "&ClientID=31337&ClientTransactionID=1"
    for name, value in (("StartX", 0), ("StartY", 0), ("NumX", WIDTH), ("NumY", HEIGHT)):
        envelope(server.raw("PUT", f"/api/v1/camera/0/{name.lower()}", f"{name}={value}", FORM))
    answer = server.raw("PUT", "/api/v1/camera/0/startexposure", "Duration=4.000000&Light=true" + ids, FORM)
    assert envelope(answer)["ErrorNumber"] == 0
    until(lambda: server.get("camera/0/imageready"), "an image")
    answer = server.raw("GET", "/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"})
    assert len(answer.body) == 44 + 2 * WIDTH * HEIGHT
    assert server.get("camera/0/lastexposureduration") == pytest.approx(4)


# ---- PHD2 ----

def test_phd2_fixed_ids(server):
    """The same ClientID from two threads and ids that begin anew: every PUT is meant, no PUT is a retry."""
    def thread(client_id):
        client = server.client()
        for k in range(20):
            body = f"ClientID={client_id}&ClientTransactionID={1 + k % 2}"
            assert envelope(client.raw("PUT", "/api/v1/camera/0/abortexposure", body, FORM))["ErrorNumber"] == 0
            answer = client.raw("GET", f"/api/v1/camera/0/camerastate?ClientID={client_id}&ClientTransactionID=1")
            assert envelope(answer, echo=1)["ErrorNumber"] == 0
        client.close()

    in_parallel(lambda: thread(1), lambda: thread(2), lambda: thread(1))


# ---- ASCOM dynamic drivers (.NET) ----

def test_dotnet_exponents_and_booleans(server):
    body = "Duration=1E-05&Light=False&ClientID=1&ClientTransactionID=9001"
    answer = server.raw("PUT", "/api/v1/camera/0/startexposure", body, {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Accept": "application/json", "Connection": "keep-alive"})
    assert envelope(answer, echo=9001)["ErrorNumber"] == 0
    until(lambda: server.get("camera/0/imageready"), "an image")


def test_dotnet_keep_alive(server):
    """Connection: keep-alive is honoured over errors, too."""
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        stream = wire.makefile("rb")
        for data, expected in ((put_text("focuser/0/move", "Position=abc", "Connection: keep-alive"), 400),
                               (put_text("focuser/0/nothing", "x" * 3000, "Connection: keep-alive"), 400),
                               (put_text("focuser/0/position", "a=b", "Connection: keep-alive"), 405),
                               (put_text("focuser/0/halt", "", "Connection: keep-alive"), 200)):
            wire.sendall(data)
            status, headers, _ = read_reply(stream)
            assert status == expected
            assert headers.get("connection", "keep-alive").lower() != "close"


# ---- other HTTP clients of the distribution ----

def test_curl_and_jq(server):
    """The smoke script: what a person types, checked with jq."""
    for tool in ("curl", "jq"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    script = """set -eu
S=$1; F=$S/api/v1/focuser/0; C=$S/api/v1/camera/0
curl() { command curl --fail --silent --show-error --max-time 60 "$@"; }
curl $S/management/v1/configureddevices | jq -e '.Value | length == 2' >/dev/null
for D in $F $C; do curl -X PUT -d Connected=True $D/connected | jq -e '.ErrorNumber == 0' >/dev/null; done
curl -X PUT -d Position=12000 $F/move | jq -e '.ErrorMessage == ""' >/dev/null
until curl $F/ismoving | jq -e '.Value == false' >/dev/null; do :; done
curl $F/position | jq -e '.Value == 12000' >/dev/null
curl -X PUT $F/halt | jq -e '.ErrorNumber == 0' >/dev/null
curl -X PUT -d Duration=2 -d Light=True $C/startexposure | jq -e '.ErrorNumber == 0' >/dev/null
until curl $C/imageready | jq -e '.Value' >/dev/null; do :; done
N=$(curl $C/numx | jq .Value)
curl $C/imagearray | jq -e --argjson n "$N" '.Type == 2 and .Rank == 2 and (.Value | length) == $n' >/dev/null
curl -H 'Accept: application/imagebytes' $C/imagearray | head -c 4 | od -An -td4 | grep -q '^ *1$'
curl --http1.0 $F/devicestate | jq -e '[.Value[].Name] | index("Position") != null' >/dev/null
curl -X PUT -d Action=AutofocusStatus $F/action | jq -e '.Value | fromjson | .state' >/dev/null
! curl -X PUT -d position=1 $F/move 2>/dev/null
echo well
"""
    result = subprocess.run(["sh", "-c", script, "sh", f"http://127.0.0.1:{server.port}"],
                            capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == "well\n", result.stderr


def test_requests_library(server):
    """The library under alpyca."""
    requests = pytest.importorskip("requests", reason="python3-requests is not installed")
    base = f"http://127.0.0.1:{server.port}/api/v1"
    with requests.Session() as session:
        for position in (3000, 3100):
            reply = session.put(f"{base}/focuser/0/move", data={
                "ClientTransactionID": position, "ClientID": 61000, "Position": str(position)}, timeout=60)
            assert reply.json()["ErrorNumber"] == 0
            until(lambda: session.get(f"{base}/focuser/0/ismoving", params={"ClientID": 61000},
                                      timeout=60).json()["Value"] is False, "it rests")
            assert session.get(f"{base}/focuser/0/position", timeout=60).json()["Value"] == position
        assert session.put(f"{base}/focuser/0/action", timeout=60, data={
            "Action": "AutofocusWait", "Parameters": ["0", "1"]}).json()["ErrorNumber"] == 0x40B


def test_wget(server):
    if shutil.which("wget") is None:
        pytest.skip("wget is not installed")
    url = f"http://127.0.0.1:{server.port}/api/v1/focuser/0"
    for arguments in ([f"{url}/position"], ["--method=PUT", "--body-data=Position=3300", f"{url}/move"]):
        result = subprocess.run(["wget", "-q", "-O", "-", "-T", "60", *arguments], capture_output=True,
                                timeout=120, check=True)
        assert json.loads(result.stdout)["ErrorNumber"] == 0
