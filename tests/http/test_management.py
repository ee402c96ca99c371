# SPDX-License-Identifier: MIT
"""Management API and the pages beside Alpaca (ASCOM Alpaca API Reference, management chapter)."""
import re

import pytest


def management(server, path):
    answer = server.raw("GET", f"/management/{path}?ClientTransactionID=77")
    assert answer.status == 200
    assert "application/json" in answer.headers["Content-Type"]
    envelope = answer.json()
    assert envelope["ClientTransactionID"] == 77
    assert envelope["ServerTransactionID"] >= 1
    return envelope["Value"]


def test_api_versions(observatory):
    assert management(observatory, "apiversions") == [1]


def test_description(observatory):
    value = management(observatory, "v1/description")
    assert value["ServerName"] == "test"
    for key in ("ServerName", "Manufacturer", "ManufacturerVersion", "Location"):
        assert isinstance(value[key], str)
    assert value["Manufacturer"] and value["ManufacturerVersion"]


def test_configured_devices(observatory):
    devices = management(observatory, "v1/configureddevices")
    assert {(d["DeviceType"], d["DeviceNumber"], d["DeviceName"]) for d in devices} == {
        ("Focuser", 0, "Simulated focuser"), ("Camera", 0, "Simulated camera")}
    ids = [d["UniqueID"] for d in devices]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", text) for text in ids)


def test_ids_survive_a_restart(observatory):
    before = management(observatory, "v1/configureddevices")
    observatory.stop()
    observatory.start()
    assert management(observatory, "v1/configureddevices") == before


@pytest.mark.parametrize("path", ["/", "/setup", "/setup/v1/focuser/0/setup", "/setup/v1/camera/0/setup"])
def test_pages_before_anything_is_connected(observatory, path):
    answer = observatory.raw("GET", path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<html" in answer.text.lower()


def test_health_and_metrics(observatory):
    assert observatory.raw("GET", "/healthz").text.strip() == "ok"
    metrics = observatory.raw("GET", "/metrics")
    assert metrics.status == 200
    for name in ("focusd_build_info", "focusd_link_up", "focusd_autofocus_running",
                 "focusd_http_requests_total"):
        assert name in metrics.text


def test_transaction_ids_are_unique(observatory):
    seen = [observatory.raw("GET", "/management/apiversions").json()["ServerTransactionID"]
            for _ in range(20)]
    assert len(set(seen)) == 20


def test_events_tell_of_a_move(connected):
    """A stream opened before the move says something after it."""
    stream = connected.client()
    import http.client
    stream.connection = http.client.HTTPConnection(stream.host, stream.port, timeout=30)
    stream.connection.request("GET", "/events")
    reply = stream.connection.getresponse()
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    connected.put("focuser/0/move", Position=4000)
    seen = b""
    # A line at a time: the timeout of the socket ends the test when nothing comes.
    while not (b"id:" in seen and b"data:" in seen and b"4000" in seen):
        line = reply.readline()
        assert line, "the stream ended"
        seen += line
    stream.close()
