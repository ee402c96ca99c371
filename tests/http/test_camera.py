# SPDX-License-Identifier: MIT
"""The camera (ASCOM ICameraV4): exposures, frame settings, and the picture in both forms."""
import struct

import pytest
from conftest import INVALID_OPERATION, INVALID_VALUE, AlpacaError, until

WIDTH, HEIGHT = 40, 24


def expose(server, seconds=1.0):
    server.put("camera/0/startexposure", Duration=seconds, Light="True")
    until(lambda: server.get("camera/0/imageready"), "the image is ready")


def subframe(server, start_x=100, start_y=60):
    for name, value in (("StartX", start_x), ("StartY", start_y), ("NumX", WIDTH), ("NumY", HEIGHT)):
        server.put(f"camera/0/{name.lower()}", **{name: value})


def image_bytes(server):
    answer = server.raw("GET", "/api/v1/camera/0/imagearray?ClientID=3&ClientTransactionID=99",
                        headers={"Accept": "application/imagebytes"})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/imagebytes"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    return answer.body


def test_states_of_an_exposure(slow):
    assert slow.get("camera/0/imageready") is False
    assert slow.get("camera/0/camerastate") == 0
    slow.put("camera/0/startexposure", Duration=30, Light="True")
    assert slow.get("camera/0/imageready") is False
    assert slow.get("camera/0/camerastate") in (1, 2)
    with pytest.raises(AlpacaError) as error:
        slow.put("camera/0/startexposure", Duration=1, Light="True")
    assert error.value.number == INVALID_OPERATION
    assert slow.get("camera/0/canabortexposure") is True
    slow.put("camera/0/abortexposure")
    until(lambda: slow.get("camera/0/camerastate") == 0, "the camera is idle")
    assert slow.get("camera/0/imageready") is False
    slow.put("camera/0/abortexposure")  # fine when idle


def test_the_next_exposure_may_follow_at_once(slow):
    """The official protocol checker starts the next exposure as soon as CameraState is not Exposing any more: a camera
    without a read-out of its own is idle then, and has the picture, as the state machine of ICameraV4 wants it."""
    for _ in range(4):
        slow.put("camera/0/startexposure", Duration=1, Light="False")
        until(lambda: slow.get("camera/0/camerastate") not in (1, 2), "the exposure is over", pause_s=0)
        assert slow.get("camera/0/camerastate") == 0
        assert slow.get("camera/0/imageready") is True


def test_no_image_before_the_first_exposure(connected):
    with pytest.raises(AlpacaError) as error:
        connected.get("camera/0/imagearray")
    assert error.value.number == INVALID_OPERATION


def test_image_bytes_and_json_agree(connected):
    subframe(connected)
    expose(connected)
    body = image_bytes(connected)
    (version, number, client, server_id, start, element, wire, rank, dim1, dim2, dim3) = struct.unpack(
        "<iiIIiiiiiii", body[:44])
    assert (version, number, client, start, element) == (1, 0, 99, 44, 2)
    assert server_id >= 1
    assert (rank, dim1, dim2, dim3) == (2, WIDTH, HEIGHT, 0)
    code = {8: "H", 6: "B", 2: "i"}[wire]
    pixels = struct.unpack(f"<{WIDTH * HEIGHT}{code}", body[44:])
    # x outer, y inner
    expected = [list(pixels[x * HEIGHT:(x + 1) * HEIGHT]) for x in range(WIDTH)]

    answer = connected.raw("GET", "/api/v1/camera/0/imagearray", headers={"Accept": "application/json"})
    assert "application/json" in answer.headers["Content-Type"]
    envelope = answer.json()
    assert envelope["Type"] == 2 and envelope["Rank"] == 2 and envelope["ErrorNumber"] == 0
    assert envelope["Value"] == expected
    assert len(set(pixels)) > 10  # noise, no constant
    assert max(pixels) <= connected.get("camera/0/maxadu")


def test_full_frame_and_last_exposure(connected):
    width, height = connected.get("camera/0/cameraxsize"), connected.get("camera/0/cameraysize")
    expose(connected, 2)
    body = image_bytes(connected)
    wire, rank, dim1, dim2 = struct.unpack("<iiii", body[24:40])
    assert (rank, dim1, dim2) == (2, width, height)
    assert len(body) == 44 + width * height * {8: 2, 6: 1, 2: 4}[wire]
    assert connected.get("camera/0/lastexposureduration") == pytest.approx(2, rel=0.02)
    assert connected.get("camera/0/camerastate") == 0
    assert connected.get("camera/0/percentcompleted") == 100


def test_binning_changes_the_size(connected):
    width, height = connected.get("camera/0/cameraxsize"), connected.get("camera/0/cameraysize")
    connected.put("camera/0/binx", BinX=2)
    assert connected.get("camera/0/biny") == 2
    connected.put("camera/0/numx", NumX=width // 2)
    connected.put("camera/0/numy", NumY=height // 2)
    expose(connected)
    assert struct.unpack("<ii", image_bytes(connected)[32:40]) == (width // 2, height // 2)


def test_wrong_frames_and_values(connected):
    width = connected.get("camera/0/cameraxsize")
    connected.put("camera/0/startx", StartX=10)  # with NumX of the whole sensor it does not fit
    with pytest.raises(AlpacaError) as error:
        connected.put("camera/0/startexposure", Duration=1, Light="True")
    assert error.value.number == INVALID_VALUE
    connected.put("camera/0/startx", StartX=0)
    connected.put("camera/0/numx", NumX=width)
    for duration in (-1, 1e9):
        with pytest.raises(AlpacaError) as error:
            connected.put("camera/0/startexposure", Duration=duration, Light="True")
        assert error.value.number == INVALID_VALUE
    for value in (0, -1, 1000):
        with pytest.raises(AlpacaError) as error:
            connected.put("camera/0/binx", BinX=value)
        assert error.value.number == INVALID_VALUE


def test_the_picture_of_the_page(connected):
    expose(connected)
    answer = connected.raw("GET", "/focusd/v1/camera/0/preview.jpg")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.body[:2] == b"\xff\xd8" and answer.body[-2:] == b"\xff\xd9"


def test_a_run_leaves_the_picture_of_the_client(connected):
    subframe(connected)
    expose(connected)
    before = image_bytes(connected)[44:]
    run, number = connected.focus(points=5)
    assert run["exposures"] > 0, number
    assert connected.get("camera/0/imageready") is True
    assert image_bytes(connected)[44:] == before
    assert connected.get("camera/0/numx") == WIDTH
