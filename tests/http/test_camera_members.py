# SPDX-License-Identifier: MIT
"""What a camera has beside its pictures, colour cameras, failed read-outs, and frames against the truth
that the simulator writes beside them."""
import json
import statistics
import struct

import pytest
from conftest import (INVALID_OPERATION, INVALID_VALUE, NOT_CONNECTED, NOT_IMPLEMENTED, UNKNOWN_ACTION,
                      AlpacaError, until)


def refused(number, call, *arguments, **members):
    with pytest.raises(AlpacaError) as error:
        call(*arguments, **members)
    assert error.value.number == number


def conf(**options):
    return "[server]\nname = test\n[simulator]\n" + "".join(f"{k} = {v}\n" for k, v in options.items())


def state_names(server):
    return {item["Name"]: item["Value"] for item in server.get("camera/0/devicestate")}


def expose(server, seconds=1.0, **frame):
    for name, value in frame.items():
        server.put(f"camera/0/{name.lower()}", **{name: value})
    server.put("camera/0/startexposure", Duration=seconds, Light="True")
    until(lambda: server.get("camera/0/imageready"), "the image is ready")


def array(server, accept="application/imagebytes"):
    answer = server.raw("GET", "/api/v1/camera/0/imagearray", headers={"Accept": accept})
    assert answer.status == 200
    return answer


def test_cooler(connected):
    assert connected.get("camera/0/cansetccdtemperature") is True
    assert connected.get("camera/0/cangetcoolerpower") is True
    assert connected.get("camera/0/cooleron") is False
    assert connected.get("camera/0/coolerpower") == 0
    assert 5 < connected.get("camera/0/ccdtemperature") < 15
    assert 5 < connected.get("camera/0/heatsinktemperature") < 15
    # The checker's walk: 0 must work, then down and up until an error comes.
    connected.put("camera/0/setccdtemperature", SetCCDTemperature=0.0)
    assert connected.get("camera/0/setccdtemperature") == 0
    for bad in (-273.25, 100, -60, 40):
        refused(INVALID_VALUE, connected.put, "camera/0/setccdtemperature", SetCCDTemperature=bad)
    assert connected.get("camera/0/setccdtemperature") == 0
    assert connected.get("camera/0/cooleron") is False
    connected.put("camera/0/setccdtemperature", SetCCDTemperature=-12)
    connected.put("camera/0/cooleron", CoolerOn="True")
    assert connected.get("camera/0/cooleron") is True
    until(lambda: abs(connected.get("camera/0/ccdtemperature") + 12) < 0.5, "the sensor is cold")
    assert 30 < connected.get("camera/0/coolerpower") < 90
    connected.put("camera/0/cooleron", CoolerOn="False")
    until(lambda: connected.get("camera/0/ccdtemperature") > -8, "the sensor warms up")
    assert connected.get("camera/0/coolerpower") == 0


def test_guide_pulses(slow):
    assert slow.get("camera/0/canpulseguide") is True
    assert slow.get("camera/0/ispulseguiding") is False
    for direction, duration in ((4, 100), (-1, 100), (0, -1)):
        refused(INVALID_VALUE, slow.put, "camera/0/pulseguide", Direction=direction, Duration=duration)
    slow.put("camera/0/pulseguide", Direction=0, Duration=0)
    assert slow.get("camera/0/ispulseguiding") is False
    for direction in range(4):
        slow.put("camera/0/pulseguide", Direction=direction, Duration=300)
        assert slow.get("camera/0/ispulseguiding") is True
        assert state_names(slow)["IsPulseGuiding"] is True
        until(lambda: not slow.get("camera/0/ispulseguiding"), "the pulse ends")


def test_device_state_is_complete_from_the_start(connected):
    want = {"CameraState": int, "CCDTemperature": (int, float), "CoolerPower": (int, float),
            "HeatSinkTemperature": (int, float), "ImageReady": bool, "IsPulseGuiding": bool,
            "PercentCompleted": int, "TimeStamp": str}
    before = state_names(connected)
    assert set(before) == set(want)
    for name, kind in want.items():
        assert isinstance(before[name], kind), name
    expose(connected)
    after = state_names(connected)
    assert set(after) == set(want)
    assert after["ImageReady"] is True and after["PercentCompleted"] == 100 and after["CameraState"] == 0


def test_readout_modes(connected):
    assert connected.get("camera/0/readoutmodes") == ["Normal", "Fast"]
    assert connected.get("camera/0/canfastreadout") is False
    refused(NOT_IMPLEMENTED, connected.get, "camera/0/fastreadout")
    refused(NOT_IMPLEMENTED, connected.put, "camera/0/fastreadout", FastReadout="True")
    for bad in (-1, 2):
        refused(INVALID_VALUE, connected.put, "camera/0/readoutmode", ReadoutMode=bad)
    noise = []
    for mode in (0, 1):
        connected.put("camera/0/readoutmode", ReadoutMode=mode)
        connected.put("camera/0/startexposure", Duration=0, Light="False")  # a bias
        until(lambda: connected.get("camera/0/imageready"), "the bias is ready")
        body = array(connected).body[44:]
        noise.append(statistics.pstdev(struct.unpack(f"<{len(body) // 2}H", body)[:200000]))
    assert noise[1] / noise[0] == pytest.approx(1.6, rel=0.05)


@pytest.mark.parametrize("binning", (1, 2, 3, 4))
def test_every_binning_exposes(connected, binning):
    size = [connected.get(f"camera/0/camera{axis}size") // binning for axis in "xy"]
    expose(connected, 0.1, BinX=binning, NumX=size[0], NumY=size[1])
    body = array(connected).body
    assert list(struct.unpack("<ii", body[32:40])) == size
    assert len(body) == 44 + 2 * size[0] * size[1]
    refused(INVALID_VALUE, connected.put, "camera/0/binx", BinX=5)


def test_exposure_limits(connected):
    shortest = connected.get("camera/0/exposuremin")
    assert 0 < shortest <= connected.get("camera/0/exposureresolution") <= connected.get("camera/0/exposuremax")
    refused(INVALID_VALUE, connected.put, "camera/0/startexposure", Duration=shortest / 2, Light="True")
    refused(INVALID_OPERATION, connected.get, "camera/0/lastexposureduration")
    refused(INVALID_OPERATION, connected.get, "camera/0/lastexposurestarttime")


def test_stop_keeps_what_was_collected(slow):
    slow.put("camera/0/stopexposure")  # nothing to stop, nothing happens
    assert slow.get("camera/0/imageready") is False
    slow.put("camera/0/startexposure", Duration=600, Light="True")
    until(lambda: slow.get("camera/0/camerastate") == 2, "the shutter is open")
    slow.put("camera/0/stopexposure")
    until(lambda: slow.get("camera/0/imageready"), "the image is ready")
    assert slow.get("camera/0/lastexposureduration") < 300


def test_bayer(make_observatory):
    server = make_observatory(config=conf(colour="bayer"))
    server.connect()
    assert server.get("camera/0/sensortype") == 2
    assert (server.get("camera/0/bayeroffsetx"), server.get("camera/0/bayeroffsety")) == (0, 0)
    run, number = server.focus(points=7)
    assert number == 0, run["reason"]


def test_pictures_of_rank_three(make_observatory):
    server = make_observatory(config=conf(colour="rgb"))
    server.connect()
    assert server.get("camera/0/sensortype") == 1
    width, height = 20, 12
    expose(server, 2, StartX=50, StartY=40, NumX=width, NumY=height)
    body = array(server).body
    rank, *size = struct.unpack("<iiii", body[28:44])
    assert (rank, size) == (3, [width, height, 3])
    values = struct.unpack(f"<{width * height * 3}H", body[44:])
    text = array(server, "application/json").json()
    assert (text["Type"], text["Rank"]) == (2, 3)
    flat = [value for column in text["Value"] for pixel in column for value in pixel]
    assert len(text["Value"]) == width and len(text["Value"][0]) == height
    assert tuple(flat) == values
    # Green filters let more of the sky through than red and blue ones.
    red, green, blue = (statistics.mean(values[plane::3]) for plane in range(3))
    assert green > red and green > blue


def test_a_failed_readout_is_repeated(make_observatory):
    server = make_observatory(config=conf(fail_every=2))
    server.connect()
    for _ in range(3):
        expose(server, 1, NumX=64, NumY=64)
    assert "exposing again" in server.log()


def test_readouts_that_always_fail(make_observatory):
    server = make_observatory(config=conf(fail_every=1))
    server.connect()
    server.put("camera/0/startexposure", Duration=1, Light="True")
    until(lambda: server.get("camera/0/camerastate") == 5, "the exposure fails")
    with pytest.raises(AlpacaError) as error:
        server.get("camera/0/imageready")
    assert 0x500 <= error.value.number <= 0xFFF and "read-out" in error.value.message
    assert state_names(server)["ImageReady"] is False


def test_frames_agree_with_the_truth(make_observatory):
    """Sizes within 4 %: the noise of a frame of 20 stars and more, and what sets measured stars apart."""
    server = make_observatory(config=conf(truth="yes", best_position=15000, tilt_x_um=60, curvature_um=40))
    server.connect()
    truth_file = server.folder / "state" / "simulator-truth.jsonl"
    for n, position in enumerate((14850, 15000, 15200)):
        server.put("focuser/0/move", Position=position)
        server.wait_still()
        measured = server.action("MeasureStars", {"exposure_s": 3})
        lines = truth_file.read_text(encoding="utf-8").splitlines()
        assert len(lines) == n + 1
        truth = json.loads(lines[-1])
        assert truth["frame"] == n and truth["failed"] is False
        assert truth["optics_position"] == pytest.approx(position, abs=0.01)
        assert truth["best_position"] == pytest.approx(15000, abs=0.01)
        assert len(truth["stars"]) == 20
        stars = [star["hfr_px"] for star in truth["stars"]]
        assert measured["hfr_px"] == pytest.approx(statistics.median(stars), rel=0.04)
        assert 0.9 < truth["transparency"] <= 1


def test_a_camera_measures_its_stars(make_observatory):
    """The Action MeasureStars on the camera itself: the focuser is not connected, and each camera measures with itself."""
    server = make_observatory(simulate=False, config="[focuser.0]\ndriver = simulator\ncamera = 0\n"
                              "[camera.0]\ndriver = simulator\n[camera.1]\ndriver = simulator\n")
    for number in (0, 1):
        camera = f"camera/{number}"
        assert server.get(f"{camera}/supportedactions") == ["MeasureStars"]
        refused(NOT_CONNECTED, server.put, f"{camera}/action", Action="MeasureStars", Parameters="")
    server.put("camera/1/connected", Connected="True")
    # Camera 0 is not connected, so this is camera 1's frame.
    measured = json.loads(server.put("camera/1/action", Action="measurestars", Parameters='{"exposure_s": 2}'))
    assert measured["width"] == server.get("camera/1/cameraxsize") and measured["stars"] > 0
    assert server.get("camera/1/imageready") is False
    server.put("camera/0/connected", Connected="True")
    assert json.loads(server.put("camera/0/action", Action="MeasureStars", Parameters=""))["stars"] > 0
    refused(INVALID_VALUE, server.put, "camera/0/action", Action="MeasureStars", Parameters='{"points": 5}')
    refused(UNKNOWN_ACTION, server.put, "camera/0/action", Action="Autofocus", Parameters="")


def test_a_server_without_focuser_measures_nothing(make_observatory):
    server = make_observatory(simulate=False, config="[camera.0]\ndriver = simulator\n")
    assert server.get("camera/0/supportedactions") == []
