# SPDX-License-Identifier: MIT
"""Every operation of the OpenAPI files for management, focuser and camera, called well and badly; every
answer checked against the schema that the file gives for it."""
import json

import pytest
from conftest import SANITIZED, SHARED, Observatory, until
from wire import send

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")

FOLDER = SHARED / "reference" / "openapi"
IDS = [("ClientID", "65"), ("ClientTransactionID", "77")]
# Values that are good for a simulated observatory; anything else takes 1, "1" or False by its type.
GOOD = {"Connected": "True", "Action": "AutofocusStatus", "Parameters": "", "Position": "2000",
        "Duration": "1", "Light": "True", "Direction": "0", "NumX": "64", "NumY": "48", "StartX": "0",
        "StartY": "0", "Raw": "True", "ReadoutMode": "0", "SetCCDTemperature": "-5"}
FALLBACK = {"integer": "1", "number": "1", "boolean": "False", "string": "1"}


def load(name):
    path = FOLDER / name
    if not path.is_file():
        return None
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def operations():
    """(file, verb, address, path in the file) of everything that a focuser, a camera or a server has."""
    found = []
    for name in ("AlpacaDeviceAPI_v1.yaml",) + (() if SANITIZED else ("AlpacaDeviceAPI_v1P7.yaml",)):
        for path, verbs in (load(name) or {"paths": {}})["paths"].items():
            path_here = path[len("/api/v1"):] if path.startswith("/api/v1/") else path
            for kind in ("focuser", "camera"):
                if path_here.startswith((f"/{kind}/", "/{device_type}/")):
                    address = path_here.replace("{device_type}", kind).replace("{device_number}", "0")
                    found += [(name, verb.upper(), "/api/v1" + address, path) for verb in verbs
                              if verb in ("get", "put")]
    for path, verbs in (load("AlpacaManagementAPI_v1.yaml") or {"paths": {}})["paths"].items():
        for kind in ("focuser", "camera") if "{device_type}" in path else ("",):
            address = path.replace("{device_type}", kind).replace("{device_number}", "0")
            found += [("AlpacaManagementAPI_v1.yaml", verb.upper(), address, path) for verb in verbs]
    return found


OPERATIONS = operations()
NAMES = [f"{name.split('_')[1].split('.')[0]}-{verb}{address}" for name, verb, address, _ in OPERATIONS]
WRITES = [entry for entry in OPERATIONS if entry[1] == "PUT"]
DEVICE_CALLS = [entry for entry in OPERATIONS if entry[2].startswith("/api/")]


def test_the_files_are_there():
    if not FOLDER.is_dir():
        pytest.skip(f"no OpenAPI files: {FOLDER} does not exist (set FOCUSD_SHARED)")
    # 15 common members with 16 operations for each of two devices, 11 + 12 of a focuser, 59 + 72 of a
    # camera, 5 of the server with one page for each device: alpaca.md sections 2 to 6.
    newest = [entry for entry in OPERATIONS if entry[0] == "AlpacaDeviceAPI_v1.yaml"]
    assert len([e for e in newest if "/focuser/" in e[2]]) == 16 + 12
    assert len([e for e in newest if "/camera/" in e[2]]) == 16 + 72
    assert len([e for e in OPERATIONS if e[0].startswith("AlpacaManagement")]) == 6


@pytest.fixture(scope="module")
def document():
    loaded = {}

    def of(name):
        if name not in loaded:
            loaded[name] = load(name)
        return loaded[name]

    return of


def resolve(document, node):
    """Follows references, so that validators of any draft read the schema without a store."""
    if isinstance(node, dict):
        if "$ref" in node:
            target = document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            return resolve(document, target)
        # An item of DeviceState is "one of" text and time: every time is a text as well.
        times = any(isinstance(part, dict) and part.get("format") == "date-time"
                    for part in node.get("oneOf", []))
        return {"anyOf" if key == "oneOf" and times else key: resolve(document, value)
                for key, value in node.items()
                if key not in ("example", "examples", "description", "discriminator")
                or isinstance(value, dict)}
    if isinstance(node, list):
        return [resolve(document, item) for item in node]
    return node


def operation(document, path, verb):
    return resolve(document, document["paths"][path][verb.lower()])


def parameters(described):
    """Name -> JSON type of the member parameters of a PUT."""
    schema = described.get("requestBody", {}).get("content", {}).get(
        "application/x-www-form-urlencoded", {}).get("schema", {})
    found = {}
    for part in [schema, *schema.get("allOf", [])]:
        for name, facts in part.get("properties", {}).items():
            if name not in ("ClientID", "ClientTransactionID"):
                kind = facts.get("type", "integer")
                found[name] = kind[0] if isinstance(kind, list) else kind
    return found


def good_fields(described):
    return [(name, GOOD.get(name, FALLBACK[kind])) for name, kind in parameters(described).items()]


def validate(answer, described):
    """The answer against what the file says of its status; errors carry a Value only as a dummy."""
    content = described["responses"][str(answer.status)]["content"]
    kind = answer.headers["Content-Type"].split(";")[0]
    assert kind in content, f"{kind} is not among {list(content)}"
    schema = content[kind].get("schema", {})
    if kind != "application/json":
        assert answer.text.strip()
        return None
    body = answer.json()
    subject = dict(body)
    if body.get("ErrorNumber", 0) != 0:
        for key in ("Value", "Type", "Rank"):
            subject.pop(key, None)
        schema = {"allOf": [part for part in schema.get("allOf", [schema])
                            if "oneOf" not in part and "Type" not in part.get("properties", {})]}
    jsonschema.Draft202012Validator(schema).validate(subject)
    return body


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("openapi"), time_factor=200, config=(
        "[simulator]\nwidth = 96\nheight = 64\n"))
    yield observatory
    observatory.stop()


@pytest.fixture(scope="module", params=["fresh", "after an exposure"] if SANITIZED else [
    "fresh", "disconnected", "connected", "after an exposure"])
def ready(request, server):
    """Every state in which a client may find the devices; the order brings them about."""
    if request.param == "disconnected":
        for device in ("focuser/0", "camera/0"):
            for client in ("65", "0"):
                send(server, "PUT", f"{device}/disconnect", [("ClientID", client)])
    elif request.param != "fresh":
        for device in ("focuser/0", "camera/0"):
            send(server, "PUT", f"{device}/connected", [("Connected", "True"), *IDS])
    if request.param == "after an exposure":
        for name, value in (("NumX", 64), ("NumY", 48), ("StartX", 0), ("StartY", 0)):
            send(server, "PUT", f"camera/0/{name.lower()}", [(name, value), *IDS])
        send(server, "PUT", "camera/0/startexposure", [("Duration", "1"), ("Light", "True"), *IDS])
        until(lambda: send(server, "GET", "camera/0/imageready", IDS).json()["Value"], "an image")
    return request.param


def call(server, verb, address, fields):
    if address.startswith("/api/v1/"):
        return send(server, verb, address[len("/api/v1/"):], fields)
    query = "&".join(f"{name}={value}" for name, value in fields)
    return server.raw(verb, f"{address}?{query}")


@pytest.mark.parametrize("name, verb, address, path", [
    entry for entry in OPERATIONS if not entry[2].endswith(("connected", "connect"))],
    ids=[n for n in NAMES if not n.endswith(("connected", "connect"))])
def test_reads_and_writes(server, ready, document, name, verb, address, path):
    described = operation(document(name), path, verb)
    answer = call(server, verb, address, [*good_fields(described), *IDS])
    assert answer.status == 200, answer.body[:300]
    body = validate(answer, described)
    if body is None:
        assert address.startswith("/setup")
        return
    assert body["ClientTransactionID"] == 77 and body["ServerTransactionID"] >= 1
    if "/imagearray" in address:
        # In the newest file ImageArrayVariant is no longer offered; the checker still wants it.
        assert body["ErrorNumber"] in ((0,) if ready == "after an exposure" else (0, 0x407, 0x40B))
    if address.endswith("/startexposure") and body["ErrorNumber"] == 0:
        until(lambda: send(server, "GET", "camera/0/camerastate", IDS).json()["Value"] == 0, "idle")


@pytest.mark.parametrize("name, verb, address, path", [e for e in DEVICE_CALLS if e[2].endswith(
    ("connected", "connect"))], ids=lambda value: value if str(value).startswith("/api") else "")
def test_connecting(server, document, name, verb, address, path):
    described = operation(document(name), path, verb)
    answer = call(server, verb, address, [*good_fields(described), *IDS])
    assert validate(answer, described)["ErrorNumber"] == 0


@pytest.mark.parametrize("name, verb, address, path", OPERATIONS, ids=NAMES)
def test_bad_ids(server, document, name, verb, address, path):
    if address.startswith("/setup"):
        pytest.skip("a page takes no ids")
    described = operation(document(name), path, verb)
    for bad in ([("ClientID", "-1")], [("ClientTransactionID", "seventy")]):
        answer = call(server, verb, address, [*good_fields(described), *bad])
        assert answer.status == 400 and answer.text.strip()
        if "400" in described["responses"]:
            validate(answer, described)


@pytest.mark.parametrize("name, verb, address, path", WRITES, ids=[
    n for n in NAMES if "-PUT/" in n])
def test_parameters_missing_misspelt_or_unreadable(server, document, name, verb, address, path):
    described = operation(document(name), path, verb)
    good = good_fields(described)
    kinds = parameters(described)
    for parameter, value in good:
        if parameter == "Parameters":
            continue  # some clients leave it out: absent is empty
        bad = [[pair for pair in good if pair[0] != parameter],
               [(key.swapcase() if key == parameter else key, held) for key, held in good]]
        if kinds[parameter] != "string":
            bad += [[(key, wrong if key == parameter else held) for key, held in good]
                    for wrong in ("", "asdqwe", "1,5", "0x10")]
        for fields in bad:
            answer = call(server, verb, address, [*fields, *IDS])
            assert answer.status == 400, f"{fields}: {answer.status} {answer.body[:200]!r}"
            validate(answer, described)
        assert value is not None


@pytest.mark.parametrize("name, verb, address, path", OPERATIONS, ids=NAMES)
def test_unknown_numbers_and_names(server, document, name, verb, address, path):
    described = operation(document(name), path, verb)
    wrong = [address + "x", address.replace("/0/", "/7/"), address.replace("/0/", "/x/")]
    for other in wrong:
        if other != address:
            answer = call(server, verb, other, [*good_fields(described), *IDS])
            assert answer.status in (400, 404), f"{other}: {answer.status}"
            assert answer.text.strip()


@pytest.mark.parametrize("name, verb, address, path", OPERATIONS, ids=NAMES)
def test_the_other_verb(server, document, name, verb, address, path):
    verbs = set(document(name)["paths"][path])
    for other in ("get", "put", "delete"):
        if other not in verbs:
            if address.startswith("/setup"):
                continue  # a page has forms of its own
            answer = server.raw(other.upper(), address, "" if other == "put" else None)
            assert answer.status in (400, 405) and answer.text.strip()
            if answer.status == 405:
                assert {word.strip().lower() for word in answer.headers["Allow"].split(",")} == \
                    verbs & {"get", "put"}


def test_schemas_would_catch_a_wrong_answer(document):
    """The validation itself: a number as text must not pass."""
    name, path = "AlpacaDeviceAPI_v1.yaml", "/focuser/{device_number}/position"
    if document(name) is None:
        pytest.skip("no OpenAPI files")
    described = operation(document(name), path, "get")
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    good = {"Value": 5, "ClientTransactionID": 1, "ServerTransactionID": 1, "ErrorNumber": 0,
            "ErrorMessage": ""}
    jsonschema.Draft202012Validator(schema).validate(good)
    for key, wrong in (("Value", "5"), ("ServerTransactionID", "1"), ("ErrorNumber", 5),
                       ("ErrorMessage", None)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({**good, key: wrong})
    assert json.dumps(described)
