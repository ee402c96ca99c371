# SPDX-License-Identifier: MIT
"""The camera part of the official conformance check, one test for each of its checks, in its order:
twice in a row on one server, then once more while another client polls.  What a camera says it cannot
do must be refused in the way that the checker demands.  Its pauses run on a shortened clock."""
import calendar
import re
import struct
import time

import pytest
from conftest import SANITIZED, Observatory, until
from test_focuser_check import begin
from wire import STATE_NAMES, Member, Poller, is_of

RUNS = ("first", "polled") if SANITIZED else ("first", "second", "polled")
POLLED = ["camera/0/devicestate", "camera/0/connected", "camera/0/imageready", "camera/0/camerastate"]
IDLE, EXPOSING, ERROR = 0, 2, 5
BINS = (1, 2, 3, 4)
EXPOSURE_S = 2.0
FACTOR = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An odd size, so that no binning divides it."""
    observatory = Observatory(tmp_path_factory.mktemp("camera"), time_factor=FACTOR, config=(
        "[simulator]\nwidth = 323\nheight = 241\n"))
    yield observatory
    observatory.stop()


@pytest.fixture(scope="module", params=RUNS)
def camera(request, server):
    poller = None
    if request.param == "polled":
        second = server.client()
        second.put("camera/0/connected", Connected="True")
        poller = Poller(second, POLLED)
    member = Member(server.client(), "camera/0")
    begin(member)
    yield member
    # The checker's way out: it leaves a frame of one pixel and expects nothing of it.
    for name in ("abortexposure", "stopexposure"):
        member.write(name)
    for name, value in (("StartX", 0), ("StartY", 0), ("BinX", 1), ("BinY", 1), ("NumX", 1), ("NumY", 1)):
        member.put(name.lower(), **{name: value})
    member.put("disconnect")
    until(lambda: member.get("connecting") is False, "connecting ends")
    assert member.get("connected") is False
    if poller is not None:
        poller.stop()
    member.client.close()


# ---- common members ----

def test_interfaceversion(camera):
    assert camera.get("interfaceversion") == 4


def test_description(camera):
    assert 0 < len(camera.get("description")) <= 64


@pytest.mark.parametrize("name", ["driverinfo", "name"])
def test_texts(camera, name):
    assert isinstance(camera.get(name), str) and camera.get(name)


def test_driverversion(camera):
    assert re.fullmatch(r"\d+\.\d+", camera.get("driverversion"))


def test_supportedactions(camera):
    assert all(isinstance(name, str) and name for name in camera.get("supportedactions"))


def test_devicestate(camera):
    state = camera.state()
    for name, value in state.items():
        assert is_of(value, STATE_NAMES["camera"][name]), f"{name}={value!r}"
    assert {"CameraState", "ImageReady", "TimeStamp"} <= set(state)
    for name in set(STATE_NAMES["camera"]) - {"TimeStamp"}:
        assert (name in state) == (camera.read(name.lower())[1] == 0), name


# ---- what it can ----

@pytest.mark.parametrize("name", ["canabortexposure", "canasymmetricbin", "cangetcoolerpower",
                                  "canpulseguide", "cansetccdtemperature", "canstopexposure",
                                  "canfastreadout"])
def test_flag(camera, name):
    assert is_of(camera.get(name), bool)


# ---- first use ----

@pytest.mark.parametrize("name", ["lastexposureduration", "lastexposurestarttime"])
def test_no_last_exposure_at_first_use(camera, name):
    assert camera.read(name)[1] == 0x40B


# ---- properties ----

def test_maxbin(camera):
    wide, high = camera.get("maxbinx"), camera.get("maxbiny")
    assert 1 <= wide <= 16 and 1 <= high <= 16
    assert wide == high or camera.get("canasymmetricbin")


@pytest.mark.parametrize("name", ["binx", "biny"])
def test_bin_reads_one(camera, name):
    assert camera.get(name) == 1


@pytest.mark.parametrize("name", ["BinX", "BinY"])
def test_bin_out_of_range(camera, name):
    for value in (0, camera.get("max" + name.lower()) + 1):
        assert camera.write(name.lower(), **{name: value}) == 0x401
        assert camera.get(name.lower()) == 1


def test_every_bin_can_be_set(camera):
    for value in range(1, camera.get("maxbinx") + 1):
        camera.put("binx", BinX=value)
        camera.put("biny", BinY=value)
        assert (camera.get("binx"), camera.get("biny")) == (value, value)
    camera.put("binx", BinX=1)
    camera.put("biny", BinY=1)


def test_symmetric_bins_follow_each_other(camera):
    if camera.get("canasymmetricbin"):
        pytest.skip("this camera bins the axes independently")
    camera.put("biny", BinY=2)
    assert camera.get("binx") == 2
    camera.put("binx", BinX=1)
    assert camera.get("biny") == 1


def test_camerastate_is_idle(camera):
    assert camera.get("camerastate") == IDLE


@pytest.mark.parametrize("name", ["cameraxsize", "cameraysize"])
def test_size(camera, name):
    assert camera.get(name) >= 1


@pytest.mark.parametrize("name", ["ccdtemperature", "heatsinktemperature"])
def test_temperatures(camera, name):
    value, number = camera.read(name)
    assert number in (0x400, 0x402) or -273.15 <= value <= 1000


def test_cooleron(camera):
    before, number = camera.read("cooleron")
    if number != 0:
        assert number == 0x400 == camera.write("cooleron", CoolerOn=True)
        return
    for value in (not before, before):
        camera.put("cooleron", CoolerOn=value)
        assert camera.get("cooleron") is value


def test_coolerpower(camera):
    value, number = camera.read("coolerpower")
    assert (number == 0) == camera.get("cangetcoolerpower")
    assert number == 0x400 or 0 <= value <= 100


@pytest.mark.parametrize("name, least", [("electronsperadu", 0.00001), ("fullwellcapacity", 0),
                                         ("maxadu", 1), ("pixelsizex", 1), ("pixelsizey", 1)])
def test_sensor_facts(camera, name, least):
    value, number = camera.read(name)
    assert number == 0x400 or value >= least


def test_hasshutter(camera):
    value, number = camera.read("hasshutter")
    assert number == 0x400 or is_of(value, bool)


def test_imageready_is_false_at_first_use(camera):
    assert camera.get("imageready") is False
    assert camera.state()["ImageReady"] is False


@pytest.mark.parametrize("name", ["imagearray", "imagearrayvariant"])
@pytest.mark.parametrize("accept", ["application/imagebytes, application/json", "application/json"])
def test_no_image_at_first_use(camera, name, accept):
    answer = camera.client.raw("GET", f"/api/v1/camera/0/{name}?ClientID={camera.client.client_id}",
                               headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["ErrorNumber"] == 0x40B


def test_ispulseguiding_is_false(camera):
    value, number = camera.read("ispulseguiding")
    assert value is False or number == 0x400 and not camera.get("canpulseguide")


@pytest.mark.parametrize("name, size", [("NumX", "cameraxsize"), ("NumY", "cameraysize")])
def test_num_read_and_write(camera, name, size):
    assert 1 <= camera.get(name.lower()) <= camera.get(size)
    half = round(camera.get(size) / 2)
    camera.put(name.lower(), **{name: half})
    assert camera.get(name.lower()) == half


@pytest.mark.parametrize("name, size", [("StartX", "cameraxsize"), ("StartY", "cameraysize")])
def test_start_read_and_write(camera, name, size):
    assert 0 <= camera.get(name.lower()) <= camera.get(size) - 1
    half = round(camera.get(size) / 2)
    camera.put(name.lower(), **{name: half})
    assert camera.get(name.lower()) == half


def test_setccdtemperature(camera):
    before, number = camera.read("setccdtemperature")
    if not camera.get("cansetccdtemperature"):
        assert number in (0, 0x400)
        assert camera.write("setccdtemperature", SetCCDTemperature=0) == 0x400
        return
    assert -273.15 <= before <= 100
    cooler, _ = camera.read("cooleron")
    assert camera.write("setccdtemperature", SetCCDTemperature=0.0) == 0
    assert camera.get("setccdtemperature") == 0
    for values in ([10 - 5 * n for n in range(57)] + [-273.25], [5 + 5 * n for n in range(20)]):
        # Some value on the way must be refused, at the latest the last.
        numbers = [camera.write("setccdtemperature", SetCCDTemperature=value) for value in values]
        assert 0x401 in numbers and set(numbers) <= {0, 0x401}
    camera.put("setccdtemperature", SetCCDTemperature=before)
    assert camera.read("cooleron")[0] == cooler  # a set point is no switch


def test_sensortype_and_bayer_offsets(camera):
    kind, number = camera.read("sensortype")
    assert number == 0x400 or kind in range(6)
    high = {2: (2, 2), 3: (2, 2), 4: (2, 4), 5: (4, 4)}.get(kind, (1, 1))
    for name, limit in zip(("bayeroffsetx", "bayeroffsety"), high):
        value, error = camera.read(name)
        if number != 0 or kind == 0:
            assert error == 0x400
        else:
            assert 0 <= value < limit


def test_exposure_limits(camera):
    longest, shortest = camera.get("exposuremax"), camera.get("exposuremin")
    assert longest >= 0.0001 and 0 <= shortest <= longest
    assert 0 <= camera.get("exposureresolution") <= longest


def test_fastreadout(camera):
    before, number = camera.read("fastreadout")
    if not camera.get("canfastreadout"):
        assert number == 0x400 == camera.write("fastreadout", FastReadout=True)
        return
    for value in (not before, before):
        camera.put("fastreadout", FastReadout=value)
        assert camera.get("fastreadout") is value


@pytest.mark.parametrize("name", ["Gain", "Offset"])
def test_gain_and_offset(camera, name):
    """One of the three modes, whole: none, index into names, or a value between limits."""
    low = name.lower()
    value, number = camera.read(low)
    names, names_number = camera.read(low + "s")
    (least, least_number), (most, most_number) = camera.read(low + "min"), camera.read(low + "max")
    if number != 0:
        assert {number, names_number, least_number, most_number} == {0x400}
        assert camera.write(low, **{name: 1}) == 0x400
    elif names_number == 0:
        assert least_number == most_number == 0x400
        assert names and 0 <= value < len(names)
    else:
        assert (names_number, least_number, most_number) == (0x400, 0, 0)
        assert least <= value <= most
        for good in (least, most):
            camera.put(low, **{name: good})
            assert camera.get(low) == good
        for bad in (least - 1, most + 1):
            assert camera.write(low, **{name: bad}) == 0x401
            assert camera.get(low) == most
        camera.put(low, **{name: value})


def test_percentcompleted_at_rest(camera):
    value, number = camera.read("percentcompleted")
    assert number == 0x400 or value == 0


def test_readoutmodes(camera):
    modes = camera.get("readoutmodes")
    assert modes and all(isinstance(name, str) and name for name in modes)
    assert 0 <= camera.get("readoutmode") < len(modes)
    assert camera.write("readoutmode", ReadoutMode=len(modes)) == 0x401
    assert camera.write("readoutmode", ReadoutMode=-1) == 0x401
    for index in range(len(modes)):
        camera.put("readoutmode", ReadoutMode=index)
        assert camera.get("readoutmode") == index
    camera.put("readoutmode", ReadoutMode=0)
    assert len(modes) == 1 or not camera.get("canfastreadout")


def test_sensorname(camera):
    assert isinstance(camera.get("sensorname"), str) and len(camera.get("sensorname")) <= 250


def test_subexposureduration(camera):
    value, number = camera.read("subexposureduration")
    if number != 0:
        assert number == 0x400 == camera.write("subexposureduration", SubExposureDuration=1)
        return
    assert value > 0
    camera.put("subexposureduration", SubExposureDuration=value)
    assert camera.get("subexposureduration") == value


# ---- methods at rest ----

def test_abort_at_rest(camera):
    assert camera.get("camerastate") == IDLE
    assert (camera.write("abortexposure") == 0) == camera.get("canabortexposure")


def test_pulseguide(camera):
    if not camera.get("canpulseguide"):
        assert camera.write("pulseguide", Direction=0, Duration=0) == 0x400
        return
    for direction in range(4):
        camera.put("pulseguide", Direction=direction, Duration=2000)
        assert camera.get("ispulseguiding") is True
        until(lambda: camera.get("ispulseguiding") is False, "the pulse ends")
    assert camera.write("pulseguide", Direction=4, Duration=100) == 0x401
    assert camera.write("pulseguide", Direction=-1, Duration=100) == 0x401
    assert camera.write("pulseguide", Direction=0, Duration=-1) == 0x401


def test_stop_at_rest_makes_no_image(camera):
    assert (camera.write("stopexposure") == 0) == camera.get("canstopexposure")
    for _ in range(20):
        assert camera.get("imageready") is False


# ---- exposures ----

def set_frame(camera, binning, **changed):
    width, height = camera.get("cameraxsize"), camera.get("cameraysize")
    frame = {"BinX": binning, "BinY": binning, "StartX": 0, "StartY": 0, "NumX": width // binning,
             "NumY": height // binning, **changed}
    for name, value in frame.items():
        camera.put(name.lower(), **{name: value})
        assert camera.get(name.lower()) == value
    return frame["NumX"], frame["NumY"]


@pytest.mark.parametrize("binning", BINS)
def test_exposure(camera, binning):
    assert binning <= camera.get("maxbinx"), "the table of bins in this test is too long"
    assert camera.get("camerastate") == IDLE
    width, height = set_frame(camera, binning)
    camera.put("startexposure", Duration=EXPOSURE_S, Light=True)
    # No moment at which it is neither busy nor done.
    assert not (camera.get("imageready") and camera.get("camerastate") == IDLE)
    until(lambda: camera.get("camerastate") in (EXPOSING, ERROR), "it exposes", pause_s=0.001)
    seen = time.time()
    assert camera.get("imageready") is False
    done = []
    while camera.get("camerastate") == EXPOSING:
        done.append(camera.get("percentcompleted"))
    assert done == sorted(done) and all(0 <= value <= 100 for value in done)
    until(lambda: camera.get("camerastate") in (IDLE, ERROR), "it is idle")
    until(lambda: camera.get("imageready"), "the image is ready")
    assert camera.get("camerastate") == IDLE
    assert camera.get("percentcompleted") == 100
    assert camera.get("lastexposureduration") == pytest.approx(EXPOSURE_S, rel=0.02)
    started = camera.get("lastexposurestarttime")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", started)
    assert calendar.timegm(time.strptime(started[:19], "%Y-%m-%dT%H:%M:%S")) <= seen + 1
    for name in ("imagearray", "imagearrayvariant"):
        answer = camera.client.raw("GET", f"/api/v1/camera/0/{name}", headers={
            "Accept": "application/json"})
        image = answer.json()
        assert (image["Type"], image["Rank"]) == (2, 2)
        assert len(image["Value"]) == width and {len(row) for row in image["Value"]} == {height}
        assert all(is_of(value, int) and 0 <= value <= camera.get("maxadu") for value in image["Value"][0])
        fast = camera.client.raw("GET", f"/api/v1/camera/0/{name}", headers={
            "Accept": "application/imagebytes, application/json", "base64handoff": "true"}).body
        assert struct.unpack("<iiii", fast[28:44]) == (2, width, height, 0)
        kind = {8: "H", 6: "B", 2: "i"}[struct.unpack("<i", fast[24:28])[0]]
        flat = [value for row in image["Value"] for value in row]
        assert list(struct.unpack(f"<{width * height}{kind}", fast[44:])) == flat
    for name in ("stopexposure", "abortexposure"):
        camera.write(name)
    assert camera.get("imageready") is True, "stop and abort at rest change nothing"


def refused(camera, duration):
    assert camera.write("startexposure", Duration=duration, Light=True) == 0x401
    assert camera.get("camerastate") == IDLE


def test_negative_exposure(camera):
    set_frame(camera, 1)
    refused(camera, -1.0)


@pytest.mark.parametrize("binning", BINS)
@pytest.mark.parametrize("name, size", [("NumX", "cameraxsize"), ("NumY", "cameraysize"),
                                        ("StartX", "cameraxsize"), ("StartY", "cameraysize")])
def test_frame_beyond_the_sensor(camera, name, size, binning):
    """The writes succeed; only the start fails."""
    set_frame(camera, binning, **{name: round(camera.get(size) / binning + 1)})
    refused(camera, 0.1)


# ---- beyond the checker's list: the rules of the interface text ----

def test_exposure_longer_than_the_longest(camera):
    set_frame(camera, 1)
    refused(camera, camera.get("exposuremax") * 1.01 + 1)


def test_bias(camera):
    set_frame(camera, 4)
    camera.put("startexposure", Duration=0, Light=False)
    until(lambda: camera.get("imageready"), "the bias is ready")
    assert camera.get("lastexposureduration") >= 0


def test_stop_keeps_the_image(camera):
    if not camera.get("canstopexposure"):
        pytest.skip("this camera cannot stop")
    set_frame(camera, 2)
    camera.put("startexposure", Duration=300, Light=True)
    until(lambda: camera.get("camerastate") == EXPOSING, "it exposes", pause_s=0.001)
    camera.put("stopexposure")
    until(lambda: camera.get("imageready"), "the image is ready")
    assert 0 <= camera.get("lastexposureduration") < 300


def test_settings_are_latched_at_the_start(camera):
    width, height = set_frame(camera, 2)
    camera.put("startexposure", Duration=EXPOSURE_S, Light=True)
    for name, value in (("BinX", 1), ("NumX", 7), ("NumY", 5), ("StartX", 3)):
        camera.put(name.lower(), **{name: value})
    until(lambda: camera.get("imageready"), "the image is ready")
    fast = camera.client.raw("GET", "/api/v1/camera/0/imagearray", headers={
        "Accept": "application/imagebytes"}).body
    assert struct.unpack("<ii", fast[32:40]) == (width, height)
