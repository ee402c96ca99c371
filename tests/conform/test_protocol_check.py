# SPDX-License-Identifier: MIT
"""The protocol check of the official checker, call by call: each member of both devices in every variant
that it sends, judged as its tolerant and as its strict mode judge."""
import re

import pytest
from conftest import SANITIZED, Observatory, until
from wire import (CAMERA_GETS, CAMERA_SETTERS, COMMON_GETS, FOCUSER_GETS, FOCUSER_SETTERS, IMAGE_GETS,
                  LAST_GETS, Member, envelope, query_of, refusal, send, text_of)

CLIENT, TRANSACTION, BAD = "123456", "67890", "asduio6fghZZ"
IDS = [("ClientID", CLIENT), ("ClientTransactionID", TRANSACTION)]
BAD_IDS = [(name, value) for name, values in (
    ("ClientID", ("", "     ", "-12345", "NASDAQ")),
    ("ClientTransactionID", ("", "     ", "-67890", "qweqwe"))) for value in values]
DEVICES = ("focuser/0", "camera/0")

GETS = {f"{device}/{name}": kind
        for device, members in (("focuser/0", {**COMMON_GETS, **FOCUSER_GETS}),
                                ("camera/0", {**COMMON_GETS, **CAMERA_GETS, **IMAGE_GETS, **LAST_GETS}))
        for name, kind in members.items()}
SETTERS = {**{f"focuser/0/{name}": parameter for name, parameter in FOCUSER_SETTERS.items()},
           **{f"camera/0/{name}": parameter for name, parameter in CAMERA_SETTERS.items()}}
METHODS = {
    "focuser/0/connected": [("Connected", "True")], "focuser/0/halt": [], "focuser/0/move": None,
    "focuser/0/connect": [], "camera/0/connected": [("Connected", "True")], "camera/0/connect": [],
    "camera/0/abortexposure": [], "camera/0/pulseguide": [("Direction", "0"), ("Duration", "1")],
    "camera/0/startexposure": [("Duration", "2"), ("Light", "False")], "camera/0/stopexposure": [],
}
PUTS = [*SETTERS, *METHODS]
WITH_PARAMETERS = [path for path in PUTS if METHODS.get(path, True) != []]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("protocol"), time_factor=200, config=(
        "[server]\nname = protocol\n[simulator]\nwidth = 160\nheight = 120\n"))
    yield observatory
    assert observatory.raw("GET", "/healthz").text.strip() == "ok"
    observatory.stop()


@pytest.fixture(scope="module", params=["strict"] if SANITIZED else ["tolerant", "strict"])
def mode(request, server):
    """Begins as the check begins: True, False, True with the parameters in another order."""
    for device in DEVICES:
        for fields in ([("Connected", "True"), *IDS], [("Connected", "False"), *IDS],
                       [*reversed(IDS), ("Connected", "True")]):
            found = envelope(send(server, "PUT", f"{device}/connected", fields), echo=67890)
            assert found["ErrorNumber"] == 0
        found = envelope(send(server, "GET", f"{device}/interfaceversion", IDS), echo=67890, kind=int)
        assert found["Value"] == 4
    yield request.param
    for device in DEVICES:
        assert envelope(send(server, "PUT", f"{device}/disconnect", IDS))["ErrorNumber"] == 0


def fields_of(server, path):
    """The member parameters of a PUT with the values that the checker takes: the present ones."""
    if path in METHODS and METHODS[path] is not None:
        return METHODS[path]
    device, _, name = path.rpartition("/")
    name, parameter = ("position", "Position") if name == "move" else (name, SETTERS[path])
    found = envelope(send(server, "GET", f"{device}/{name}", IDS))
    if found["ErrorNumber"] == 0:
        return [(parameter, text_of(found["Value"]))]
    kind = {**FOCUSER_GETS, **CAMERA_GETS}[name]
    return [(parameter, "False" if kind is bool else "1")]


def settle(server, path):
    """Between two calls the checker waits only where it starts something."""
    member = Member(server, path.rsplit("/", 1)[0])
    if path.endswith("/startexposure"):
        until(lambda: envelope(send(server, "GET", "camera/0/camerastate", IDS))["Value"] in (0, 5),
              "the camera is idle")
    elif path.endswith(("/move", "/halt")):
        until(lambda: envelope(send(server, "GET", "focuser/0/ismoving", IDS))["Value"] is False,
              "the focuser rests")
    elif path.endswith("/connect"):
        until(lambda: envelope(send(server, "GET", f"{member.device}/connecting", IDS))["Value"] is False,
              "connecting ends")


def put(server, path, fields):
    answer = send(server, "PUT", path, fields)
    settle(server, path)
    return answer


def judge_bad_value(answer, mode):
    """400, or 0x401; the tolerant mode also takes NotImplemented."""
    if answer.status == 400:
        refusal(answer)
        return
    assert envelope(answer)["ErrorNumber"] in ((0x401,) if mode == "strict" else (0x401, 0x400))


def judge_get(answer, path, mode):
    found = envelope(answer, echo=67890, kind=GETS[path], strict=mode == "strict")
    assert found["ErrorNumber"] in (0, 0x400, 0x402, 0x40B)
    if path.endswith(("imagearray", "imagearrayvariant")) and "Value" in found:
        assert "Type" in found and "Rank" in found
    return found


# ---- the address ----

@pytest.mark.parametrize("path", ["/apx/v1/{}/0/connected", "/api/1/{}/0/connected",
                                  "/api/v/{}/0/connected", "/api/V1/{}/0/connected",
                                  "/api/v2/{}/0/connected"])
@pytest.mark.parametrize("kind", ["focuser", "camera"])
def test_wrong_root_is_answered(server, mode, kind, path):
    answer = server.raw("GET", path.format(kind) + "?" + query_of(IDS))
    assert 400 <= answer.status < 500 and answer.body.strip()


@pytest.mark.parametrize("verb", ["POST", "DELETE"])
@pytest.mark.parametrize("device", DEVICES)
def test_wrong_verb_is_answered(server, mode, device, verb):
    answer = server.raw(verb, f"/api/v1/{device}/connected", "Connected=True&" + query_of(IDS))
    assert answer.status in (400, 405) and answer.body.strip()


@pytest.mark.parametrize("path", [
    "FOCUSER/0/description", "CAMERA/0/description", "baddevicetype/0/description",
    "focuser/-1/description", "focuser/99999/description", "focuser/A/description",
    "camera/-1/description", "camera/99999/description", "camera/A/description",
    "focuser/0/descrip", "camera/0/descrip", "focuser/0/isMoving", "focuser/00/description"])
def test_bad_path_is_refused(server, mode, path):
    refusal(send(server, "GET", path, IDS))


# ---- every GET ----

@pytest.mark.parametrize("path", GETS)
def test_get(server, mode, path):
    judge_get(send(server, "GET", path, IDS), path, mode)


@pytest.mark.parametrize("path", GETS)
def test_get_with_an_extra_parameter(server, mode, path):
    judge_get(send(server, "GET", path, [*IDS, ("ExtraParameter", "ExtraValue")]), path, mode)


@pytest.mark.parametrize("path", GETS)
def test_get_with_ids_in_lower_case(server, mode, path):
    judge_get(send(server, "GET", path, [(name.lower(), value) for name, value in IDS]), path, mode)


@pytest.mark.parametrize("path", GETS)
def test_get_with_bad_ids(server, mode, path):
    for name, value in BAD_IDS:
        fields = [(key, value if key == name else good) for key, good in IDS]
        refusal(send(server, "GET", path, fields))


# ---- every PUT ----

@pytest.mark.parametrize("path", PUTS)
def test_put(server, mode, path):
    found = envelope(put(server, path, [*fields_of(server, path), *IDS]), echo=67890)
    assert found["ErrorNumber"] in (0, 0x400)


@pytest.mark.parametrize("path", PUTS)
def test_put_with_an_extra_parameter(server, mode, path):
    fields = [*fields_of(server, path), *IDS, ("ExtraParameter", "ExtraValue")]
    assert envelope(put(server, path, fields), echo=67890)["ErrorNumber"] in (0, 0x400)


@pytest.mark.parametrize("path", PUTS)
def test_put_with_client_id_in_lower_case(server, mode, path):
    fields = [*fields_of(server, path), ("clientid", CLIENT), IDS[1]]
    assert envelope(put(server, path, fields), echo=67890)["ErrorNumber"] in (0, 0x400)


@pytest.mark.parametrize("path", PUTS)
def test_put_with_transaction_id_in_lower_case_has_none(server, mode, path):
    fields = [*fields_of(server, path), IDS[0], ("clienttransactionid", TRANSACTION)]
    assert envelope(put(server, path, fields), echo=0)["ErrorNumber"] in (0, 0x400)


@pytest.mark.parametrize("path", PUTS)
def test_put_with_bad_ids_does_nothing(server, mode, path):
    fields = fields_of(server, path)
    for name, value in BAD_IDS:
        refusal(send(server, "PUT", path, [*fields, *((key, value if key == name else good)
                                                      for key, good in IDS)]))
    if path.endswith("/startexposure"):
        assert envelope(send(server, "GET", "camera/0/camerastate", IDS))["Value"] == 0


@pytest.mark.parametrize("path", WITH_PARAMETERS)
def test_put_with_bad_values(server, mode, path):
    good = fields_of(server, path)
    for name, _ in good:
        fields = [(key, BAD if key == name else value) for key, value in good]
        judge_bad_value(put(server, path, [*fields, *IDS]), mode)


@pytest.mark.parametrize("path", WITH_PARAMETERS)
def test_put_with_names_in_inverted_case(server, mode, path):
    good = fields_of(server, path)
    for name, _ in good:
        fields = [(key.swapcase() if key == name else key, value) for key, value in good]
        refusal(put(server, path, [*fields, *IDS]))


@pytest.mark.parametrize("value", ["", "123456", "asdqwe"])
@pytest.mark.parametrize("device", DEVICES)
def test_put_connected_with_bad_values(server, mode, device, value):
    judge_bad_value(send(server, "PUT", f"{device}/connected", [("Connected", value), *IDS]), mode)
    assert envelope(send(server, "GET", f"{device}/connected", IDS))["Value"] is True


@pytest.mark.parametrize("device", DEVICES)
def test_disconnect_and_connect_several_times_without_waiting(server, mode, device):
    variants = ([*IDS], [*IDS, ("ExtraParameter", "ExtraValue")], [("clientid", CLIENT), IDS[1]],
                [IDS[0], ("clienttransactionid", TRANSACTION)])
    for member in ("disconnect", "connect"):
        for fields in variants:
            assert envelope(send(server, "PUT", f"{device}/{member}", fields))["ErrorNumber"] == 0
    settle(server, f"{device}/connect")
    assert envelope(send(server, "GET", f"{device}/connected", IDS))["Value"] is True


# ---- single rules ----

@pytest.mark.parametrize("device", DEVICES)
def test_devicestate_items_have_name_and_value(server, mode, device):
    for item in envelope(send(server, "GET", f"{device}/devicestate", IDS))["Value"]:
        assert set(item) == {"Name", "Value"} and item["Value"] is not None


def test_server_transaction_ids_grow(server, mode):
    seen = [envelope(send(server, "GET", "focuser/0/position", IDS))["ServerTransactionID"]
            for _ in range(5)]
    assert all(later > earlier for earlier, later in zip(seen, seen[1:]))


@pytest.mark.parametrize("member", ["imagearray", "imagearrayvariant"])
def test_image_with_json_named_first(server, mode, member):
    """Either form may come; the old base64 form is not offered."""
    envelope(put(server, "camera/0/startexposure", [("Duration", "2"), ("Light", "False"), *IDS]))
    answer = send(server, "GET", f"camera/0/{member}", IDS, {
        "base64handoff": "true", "Accept": "application/json, application/imagebytes"})
    assert answer.status == 200 and "base64handoff" not in answer.headers
    assert answer.headers["Content-Type"] == "application/imagebytes"
    assert answer.body[:8] == b"\x01\0\0\0\0\0\0\0"  # version 1, no error
    assert int.from_bytes(answer.body[8:12], "little") == 67890
    assert int.from_bytes(answer.body[12:16], "little") >= 1


def test_image_as_json_begins_with_type_and_rank(server, mode):
    """Clients find them with this pattern before they read the rest."""
    envelope(put(server, "camera/0/startexposure", [("Duration", "2"), ("Light", "False"), *IDS]))
    answer = send(server, "GET", "camera/0/imagearray", IDS, {"Accept": "application/json"})
    assert re.search(rb'"Type":(\d*),"Rank":(\d*)', answer.body[:64]).groups() == (b"2", b"2")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("verb, member", [("GET", "connected"), ("GET", "devicestate"), ("PUT", "connect")])
def test_ids_beyond_32_bits_are_refused(server, mode, device, verb, member):
    for name, _ in IDS:
        refusal(send(server, verb, f"{device}/{member}", [(name, "4294967296")]))
    found = envelope(send(server, verb, f"{device}/{member}", [(name, "4294967295") for name, _ in IDS]))
    assert found["ClientTransactionID"] == 4294967295
