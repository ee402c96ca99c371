# SPDX-License-Identifier: MIT
"""Frames of every type of element through the whole server: recorded files of each BITPIX as ImageBytes and as JSON.

The files are written here byte by byte (FITS standard 4.0); the numbers of types are those of the ImageBytes
specification: 2 Int32, 3 Double, 6 Byte, 8 UInt16.
"""
import array
import json
import math
import struct
import sys

import pytest
from conftest import NOT_IMPLEMENTED, AlpacaError, until

WIDTH, HEIGHT = 301, 77


def write_fits(path, bitpix, code, values, bzero=0):
    cards = [f"SIMPLE  = {'T':>20}", f"BITPIX  = {bitpix:>20}", f"NAXIS   = {2:>20}", f"NAXIS1  = {WIDTH:>20}",
             f"NAXIS2  = {HEIGHT:>20}", f"BZERO   = {bzero:>20}", "END"]
    if bzero == 0:
        del cards[5]
    header = "".join(card.ljust(80) for card in cards).encode()
    data = struct.pack(f">{len(values)}{code}", *(value - bzero if bzero else value for value in values))
    path.write_bytes(header.ljust(-(-len(header) // 2880) * 2880, b" ")
                     + data.ljust(-(-len(data) // 2880) * 2880, b"\0"))


def whole(low, high):
    """From low to high in a sequence without a period in rows or columns."""
    return [low + (i * 2654435761 >> 5) % (high - low + 1) for i in range(WIDTH * HEIGHT)]


def fractions(code):
    """Of every size that the type has, and some that are no numbers."""
    out = [math.ldexp((i * 2654435761 % 4093) / 4096 - 0.5, i % 120 - 60) for i in range(WIDTH * HEIGHT)]
    out = list(array.array(code, out))
    out[5] = math.nan
    out[WIDTH * 20 + 11] = math.inf
    return out


CASES = {
    "8": dict(bitpix=8, code="B", values=whole(0, 255), element=2, wire=6, size=1, max_adu=255),
    "16": dict(bitpix=16, code="h", bzero=32768, values=whole(0, 65535), element=2, wire=8, size=2, max_adu=65535),
    "32": dict(bitpix=32, code="i", values=whole(-2**31, 2**31 - 1), element=2, wire=2, size=4,
               max_adu=2**31 - 1),
    "32u": dict(bitpix=32, code="i", bzero=2**31, values=whole(0, 2**32 - 1), element=3, wire=3, size=8,
                max_adu=None),
    "-32": dict(bitpix=-32, code="f", values=fractions("f"), element=3, wire=3, size=8, max_adu=None),
    "-64": dict(bitpix=-64, code="d", values=fractions("d"), element=3, wire=3, size=8, max_adu=None),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_recorded_arrives(make_observatory, tmp_path, name):
    case = CASES[name]
    write_fits(tmp_path / "x_100_1s.fits", case["bitpix"], case["code"], case["values"], case.get("bzero", 0))
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = replay\npath = {tmp_path}\n"))
    server.connect()
    if case["max_adu"] is None:
        with pytest.raises(AlpacaError) as error:
            server.get("camera/0/maxadu")
        assert error.value.number == NOT_IMPLEMENTED
    else:
        assert server.get("camera/0/maxadu") == case["max_adu"]
    server.put("camera/0/startexposure", Duration=0.01, Light="True")
    until(lambda: server.get("camera/0/imageready"), "the image is ready")
    # Value[x][y]; what is missing is 0.
    told = [v if math.isfinite(v) else 0 for v in case["values"]]
    want = [[told[y * WIDTH + x] for y in range(HEIGHT)] for x in range(WIDTH)]

    answer = server.raw("GET", "/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"})
    assert answer.headers["Content-Type"] == "application/imagebytes"
    assert int(answer.headers["Content-Length"]) == len(answer.body) == 44 + case["size"] * WIDTH * HEIGHT
    head = struct.unpack("<11I", answer.body[:44])
    assert head[5:] == (case["element"], case["wire"], 2, WIDTH, HEIGHT, 0)
    pixels = array.array({1: "B", 2: "H", 4: "i", 8: "d"}[case["size"]], answer.body[44:])
    assert sys.byteorder == "little"
    assert [pixels[x * HEIGHT:(x + 1) * HEIGHT].tolist() for x in range(WIDTH)] == want

    answer = server.raw("GET", "/api/v1/camera/0/imagearray")
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    reply = json.loads(answer.body)
    assert (reply["Type"], reply["Rank"], reply["ErrorNumber"]) == (case["element"], 2, 0)
    value = reply["Value"]
    if name == "-32":
        # Nine digits name the float that was nearest.
        value = [array.array("f", column).tolist() for column in value]
    assert value == want
    if case["element"] == 2:
        assert all(isinstance(v, int) for column in reply["Value"] for v in column)

    preview = server.raw("GET", "/focusd/v1/camera/0/preview.jpg")
    assert preview.status == 200 and preview.body[:2] == b"\xff\xd8"


def test_recordings_are_there_when_the_exposure_ends(make_observatory, tmp_path):
    """As with a simulated camera: the next exposure may follow as soon as CameraState is not Exposing any more."""
    for position in (100, 200, 300, 400):
        write_fits(tmp_path / f"x_{position}_1s.fits", 16, "h", whole(0, 65535), 32768)
    server = make_observatory(simulate=False, time_factor=1, config=(
        f"[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = replay\npath = {tmp_path}\n"))
    server.connect()
    for position in (100, 200, 300, 400):
        server.put("focuser/0/move", Position=position)
        until(lambda: not server.get("focuser/0/ismoving"), "the focuser has arrived")
        server.put("camera/0/startexposure", Duration=1, Light="True")
        until(lambda: server.get("camera/0/camerastate") not in (1, 2), "the exposure is over", pause_s=0)
        assert server.get("camera/0/camerastate") == 0
        assert server.get("camera/0/imageready") is True
