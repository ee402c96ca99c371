# SPDX-License-Identifier: MIT
"""R1, the discovery at N.I.N.A.'s start, and the discovery diagnostics of the official checker."""
import json
import select
import socket
import uuid

import pytest
from conftest import Observatory, until
from wire import in_parallel

REQUEST = b"alpacadiscovery1"
BROADCAST = "127.255.255.255"


def udp():
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    asker.bind(("", 0))
    asker.settimeout(60)
    return asker


@pytest.fixture(scope="module")
def neighbour():
    """Another Alpaca server on this host, which shares the port as the 2026 rule says."""
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    other.bind(("0.0.0.0", 0))
    other.settimeout(60)
    yield other
    other.close()


@pytest.fixture(scope="module")
def port(neighbour):
    return neighbour.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory, port):
    observatory = Observatory(tmp_path_factory.mktemp("discovery"), extra=(
        "--discovery-port", str(port)))
    yield observatory
    observatory.stop()


def ask(port, data=REQUEST, where=BROADCAST):
    with udp() as asker:
        asker.sendto(data, (where, port))
        return asker.recvfrom(2048)


def management(server, path):
    """As N.I.N.A. asks: no query, no Accept, nothing but a Host."""
    with socket.create_connection((server.host, server.port), timeout=60) as wire:
        wire.sendall(f"GET /management/{path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
                     "User-Agent: ASCOMLibrary/2.2.1\r\n\r\n".encode())
        from wire import read_reply
        status, headers, body = read_reply(wire.makefile("rb"))
    assert status == 200 and headers["content-type"].split(";")[0] == "application/json"
    assert headers["content-type"].split(";")[1:] in ([], [" charset=utf-8"])
    return json.loads(body)


def identify(server):
    assert management(server, "apiversions")["Value"] == [1]
    return management(server, "v1/configureddevices")["Value"]


def test_r1_ten_discoveries_at_once(server, port):
    askers = [udp() for _ in range(10)]
    for asker in askers:
        asker.sendto(REQUEST, (BROADCAST, port))
    for asker in askers:
        reply, (host, source) = asker.recvfrom(2048)
        assert json.loads(reply) == {"AlpacaPort": server.port}
        assert (host, source) == ("127.0.0.1", port)
        asker.close()
    seen = in_parallel(*[lambda: identify(server) for _ in range(10)])
    assert all(devices == seen[0] for devices in seen)


def test_r1_noise_is_not_answered(server, port):
    with udp() as asker:
        for noise in (b"alpacadiscovery", b"ALPACADISCOVERY1", b"hello", b"", b"\xff" * 2000,
                      b" alpacadiscovery1", b"alpacadiscovery\x00", b"{\"AlpacaPort\":1}"):
            asker.sendto(noise, (BROADCAST, port))
        # The answer to a good one comes behind all that it would have answered before.
        asker.sendto(REQUEST, (BROADCAST, port))
        assert json.loads(asker.recvfrom(2048)[0]) == {"AlpacaPort": server.port}
        assert select.select([asker], [], [], 0)[0] == []


def test_r1_reserved_bytes_are_ignored(server, port):
    assert json.loads(ask(port, REQUEST + b"\0" * 48)[0])["AlpacaPort"] == server.port


def test_r1_the_same_identities_after_a_restart(tmp_path, port):
    observatory = Observatory(tmp_path)
    try:
        before = identify(observatory)
        observatory.stop()
        observatory.start()
        assert identify(observatory) == before
    finally:
        observatory.stop()


@pytest.mark.parametrize("path", ["/setup", "/setup/v1/focuser/0/setup", "/setup/v1/camera/0/setup"])
def test_r1_setup_pages(server, path):
    answer = server.raw("GET", path)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<html" in answer.text.lower()


def test_setup_page_tells_who_it_is(server):
    text = server.raw("GET", "/setup").text
    description = management(server, "v1/description")["Value"]
    for key in ("ServerName", "Manufacturer", "ManufacturerVersion"):
        assert description[key] in text, key


# ---- the checker's diagnostics ----

def test_reply_is_compact_and_clean(server, port):
    text = ask(port)[0].decode("ascii")
    assert text == f'{{"AlpacaPort":{server.port}}}'


def test_port_is_shared_with_a_neighbour(server, neighbour, port):
    ask(port)
    # The neighbour heard the broadcasts, too; and a second of ours joins the two.
    assert neighbour.recv(2048)


def test_two_servers_both_answer(server, tmp_path, port):
    second = Observatory(tmp_path, extra=("--discovery-port", str(port)))
    try:
        ports = set()
        with udp() as asker:
            asker.sendto(REQUEST, (BROADCAST, port))
            until(lambda: ports.add(json.loads(asker.recv(2048))["AlpacaPort"]) or len(ports) == 2,
                  "both answer")
        assert ports == {server.port, second.port}
        assert {d["UniqueID"] for d in identify(server)}.isdisjoint(
            d["UniqueID"] for d in identify(second))
    finally:
        second.stop()


def test_apiversions_is_one(server):
    assert management(server, "apiversions")["Value"] == [1]


def test_description_is_filled(server):
    value = management(server, "v1/description")["Value"]
    assert set(value) == {"ServerName", "Manufacturer", "ManufacturerVersion", "Location"}
    assert all(isinstance(text, str) for text in value.values())
    assert value["ServerName"] and value["Manufacturer"] and value["ManufacturerVersion"]


def test_configureddevices(server):
    devices = management(server, "v1/configureddevices")["Value"]
    assert devices
    for device in devices:
        assert set(device) == {"DeviceName", "DeviceType", "DeviceNumber", "UniqueID"}
        assert device["DeviceType"] in ("Focuser", "Camera")
        assert type(device["DeviceNumber"]) is int and device["DeviceNumber"] >= 0
        assert device["DeviceName"] and device["UniqueID"].isascii()
        assert str(uuid.UUID(device["UniqueID"])) == device["UniqueID"]
    assert len({device["UniqueID"] for device in devices}) == len(devices)


def test_ids_are_echoed_when_given(server):
    for path in ("apiversions", "v1/description", "v1/configureddevices"):
        for query, echo in (("", 0), ("?ClientID=1&ClientTransactionID=1", 1),
                            ("?clientid=9&clienttransactionid=4294967295", 4294967295)):
            answer = server.raw("GET", f"/management/{path}{query}")
            assert answer.status == 200
            assert answer.json()["ClientTransactionID"] == echo
            assert answer.json()["ServerTransactionID"] >= 1


@pytest.mark.parametrize("path", ["/management", "/management/", "/management/v1", "/management/v2/description",
                                  "/management/v1/Description", "/Management/apiversions",
                                  "/management/v1/apiversions", "/management/configureddevices"])
def test_bad_management_paths(server, path):
    answer = server.raw("GET", path)
    assert answer.status in (400, 403, 404) and answer.text.strip()


@pytest.mark.parametrize("path", ["/setup/v1/focuser/9/setup", "/setup/v1/rotator/0/setup",
                                  "/setup/v1/Focuser/0/setup", "/Setup", "/setup/v1/focuser/0"])
def test_bad_setup_paths(server, path):
    assert server.raw("GET", path).status in (403, 404)


def test_management_needs_no_hardware(tmp_path, port):
    """A device whose port does not exist is listed all the same, with its number and its id."""
    observatory = Observatory(tmp_path, simulate=False, config=(
        f"[focuser.3]\ndriver = moonlite\nport = {tmp_path}/absent\nconnect = start\n"
        "[focuser.1]\ndriver = simulator\nname = two\n"))
    try:
        devices = identify(observatory)
        assert {(d["DeviceType"], d["DeviceNumber"]) for d in devices} == {("Focuser", 1), ("Focuser", 3)}
    finally:
        observatory.stop()
