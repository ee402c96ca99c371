# SPDX-License-Identifier: MIT
"""N.I.N.A.'s flows with a camera, R9 to R13, request for request; its waits on a shortened clock."""
import json
import struct
import threading

import nina as n
import pytest
from conftest import Observatory, until
from nina import Nina
from wire import in_parallel

WIDTH, HEIGHT = 322, 240
DISPLAY = ("gain", "offset", "binx", "biny", "camerastate", "exposuremax", "exposuremin", "cameraxsize",
           "cameraysize", "cooleron", "cangetcoolerpower", "coolerpower", "gainmin", "gainmax", "gain",
           "hasshutter", "cansetccdtemperature", "offsetmin", "offsetmax", "offset", "pixelsizex",
           "ccdtemperature", "setccdtemperature", "electronsperadu", "readoutmode", "canfastreadout",
           "readoutmodes", "sensortype", "bayeroffsetx", "bayeroffsety", "supportedactions",
           "driverversion", "sensorname", "description", "driverinfo", "pixelsizey", "maxbiny")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("nina"), time_factor=40, config=(
        f"[simulator]\nwidth = {WIDTH}\nheight = {HEIGHT}\n"))
    yield observatory
    observatory.stop()


@pytest.fixture
def camera(server):
    nina = n.connect(Nina(server.port, "camera/0"))
    yield nina
    nina.close()


def words(body):
    return struct.unpack("<iiIIiiiiiii", body[:44])


def pixels(body):
    """Value[x][y] of an ImageBytes body."""
    wire, _, width, height = words(body)[6:10]
    kind = {8: "H", 6: "B", 2: "i"}[wire]
    flat = struct.unpack(f"<{width * height}{kind}", body[44:])
    return [list(flat[x * height:(x + 1) * height]) for x in range(width)]


def test_r9_connect(server):
    nina = Nina(server.port, "camera/0")
    n.connect(nina)
    kinds = {"CameraState": int, "CCDTemperature": (int, float), "CoolerPower": (int, float),
             "HeatSinkTemperature": (int, float), "ImageReady": bool, "IsPulseGuiding": bool,
             "PercentCompleted": int, "TimeStamp": str}
    for name, value in nina.state().items():
        assert isinstance(value, kinds[name]), name
    assert nina.value("sensortype") != 1
    assert 1 <= nina.value("maxbinx") <= 4
    nina.value("canasymmetricbin")
    for _ in range(2):
        nina.optional("gains", 0x400)
    if nina.optional("offset", 0x400) is not None and nina.optional("offsetmin", 0x400) is None:
        assert nina.value("offsets")
    # A profile is written back.
    for name, value in (("BinX", 1), ("BinY", 1), ("NumX", nina.value("cameraxsize")),
                        ("NumY", nina.value("cameraysize"))):
        nina.do(name.lower(), **{name: value})
    for name in ("Gain", "Offset"):
        most = nina.optional(name.lower() + "max", 0x400)
        if most is not None:
            nina.do(name.lower(), **{name: (nina.value(name.lower() + "min") + most) // 2})
    for member in DISPLAY:
        nina.optional(member, 0x400, 0x402)
    nina.close()


def test_r10_polls_while_exposures_go_on(server, camera):
    over = threading.Event()

    def polls():
        other = n.connect(Nina(server.port, "camera/0"))
        while not over.is_set():
            n.poll_camera(other)
        other.close()

    def exposures():
        try:
            for _ in range(4):
                n.expose(camera, 2)
                n.wait_image(camera)
        finally:
            over.set()

    in_parallel(polls, exposures, polls)


def test_r11_exposure_and_download(camera):
    n.expose(camera, 4)
    assert camera.state()["ImageReady"] is False and camera.value("imageready") is False
    body = n.wait_image(camera)
    assert camera.state()["ImageReady"] is True
    version, number, _, server_id, start, element, wire, rank, width, height, planes = words(body)
    assert (version, number, start, element, wire) == (1, 0, 44, 2, 8) and server_id > 0
    assert (rank, width, height, planes) == (2, WIDTH, HEIGHT, 0)
    assert len(body) == 44 + 2 * WIDTH * HEIGHT
    assert camera.image()[44:] == body[44:], "the same picture again"


def test_r11_polls_do_not_disturb(camera):
    """ImageReady is false, then true, and never false again."""
    n.expose(camera, 20)
    seen = []
    until(lambda: seen.append(camera.state()["ImageReady"]) or seen[-1], "ready", pause_s=0)
    seen += [camera.state()["ImageReady"] for _ in range(20)]
    assert seen == sorted(seen) and seen[0] is False


@pytest.mark.parametrize("ready", ["devicestate", "imageready"])
def test_r11_once_ready_the_picture_is_there(camera, ready):
    for _ in range(3):
        n.expose(camera, 0.5)
        until(lambda: camera.state()["ImageReady"] if ready == "devicestate"
              else camera.value("imageready"), "ready", pause_s=0)
        assert len(camera.image()) > 44
        assert camera.value("camerastate") == 0


def test_r11a_subframe_with_bin_2(camera):
    n.expose(camera, 1)
    n.wait_image(camera)
    wide, high = n.expose(camera, 1, binning=2, frame=(20, 10, 60, 50))
    body = n.wait_image(camera)
    assert words(body)[8:10] == (wide, high) == (60, 50)


def test_r11b_illegal_rectangle(camera):
    for frame in ((WIDTH, 0, 10, 10), (0, 0, WIDTH + 1, 10), (0, HEIGHT - 5, 10, 10), (-1, 0, 10, 10),
                  (0, 0, 0, 10), (2**31 - 1, 0, 2**31 - 1, 10)):
        for name, value in zip(("StartX", "StartY", "NumX", "NumY"), frame):
            camera.do(name.lower(), **{name: value})
        assert camera.P("startexposure", Duration=1, Light=True)["ErrorNumber"] == 0x401
        assert camera.value("camerastate") == 0


def test_r11c_json(camera):
    n.expose(camera, 1, frame=(3, 5, 30, 20))
    body = n.wait_image(camera)
    found = camera.G("imagearray", {"Accept": "application/json"})
    assert (found["Type"], found["Rank"]) == (2, 2)
    assert found["Value"] == pixels(body)


def test_r11d_no_picture(server):
    fresh = Nina(server.port, "camera/0")
    fresh.do("connected", Connected="False")
    n.connect(fresh)
    answer = fresh.raw("GET", f"/api/v1/camera/0/imagearray?ClientID={fresh.client_id}", headers={
        "Accept": "application/imagebytes, application/json", "base64handoff": "true"})
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["ErrorNumber"] == 0x40B
    fresh.close()


def test_r11e_repeated_startexposure_is_one_exposure(camera):
    """The answer is lost and the client sends the same again while the exposure goes on."""
    n.expose(camera, 0.5)
    n.wait_image(camera)
    ids = camera.ids_now()
    first = camera.P("startexposure", ids=ids, Duration=600, Light=True)
    assert first["ErrorNumber"] == 0
    until(lambda: camera.value("camerastate") == 2, "it exposes")
    camera.close()
    assert camera.P("startexposure", ids=ids, Duration=600, Light=True) == first
    assert camera.value("camerastate") == 2
    camera.do("abortexposure")
    until(lambda: camera.value("camerastate") == 0, "it is idle")


def test_r11e_the_same_ids_after_its_end_are_another_exposure(camera):
    n.expose(camera, 0.5)
    n.wait_image(camera)
    ids = camera.ids_now()
    first = camera.P("startexposure", ids=ids, Duration=1, Light=True)
    body = n.wait_image(camera)
    again = camera.P("startexposure", ids=ids, Duration=1, Light=True)
    assert again["ErrorNumber"] == 0 and again["ServerTransactionID"] > first["ServerTransactionID"]
    assert n.wait_image(camera)[44:] != body[44:]  # the noise of each picture is its own


def test_r12_abort(camera):
    n.expose(camera, 600)
    until(lambda: camera.value("camerastate") == 2, "it exposes")
    assert camera.value("canabortexposure") is True
    for _ in range(2):
        camera.do("abortexposure")
    assert camera.state()["ImageReady"] is False
    until(lambda: camera.value("camerastate") == 0, "it is idle")
    assert camera.value("imageready") is False
    camera.do("abortexposure")
    n.expose(camera, 1)
    assert len(n.wait_image(camera)) > 44


def test_r12_abort_and_start_at_once(camera):
    """The next exposure right behind an abort is taken or refused in words, never lost."""
    for _ in range(5):
        n.expose(camera, 600)
        camera.do("abortexposure")
        found = camera.P("startexposure", Duration=0.5, Light=True)
        if found["ErrorNumber"] != 0:
            assert found["ErrorNumber"] == 0x40B
            until(lambda: camera.value("camerastate") == 0, "it is idle")
            camera.do("startexposure", Duration=0.5, Light=True)
        n.wait_image(camera)


def test_r13_cooling(camera):
    if camera.optional("cooleron", 0x400) is None:
        for member, form in (("cooleron", {"CoolerOn": "True"}),
                             ("setccdtemperature", {"SetCCDTemperature": "5"})):
            assert camera.P(member, **form)["ErrorNumber"] == 0x400
        pytest.skip("this camera has no cooler")
    camera.do("cooleron", CoolerOn="True")
    assert camera.value("cooleron") is True
    if camera.value("cansetccdtemperature"):
        for target in (5, 0, -5):
            camera.do("setccdtemperature", SetCCDTemperature=target)
            assert camera.value("setccdtemperature") == target
            state = camera.state()
            assert isinstance(state["CCDTemperature"], (int, float))
            assert "CoolerPower" not in state or 0 <= state["CoolerPower"] <= 100
        until(lambda: abs(camera.state()["CCDTemperature"] + 5) < 1, "it is cold")
    camera.do("cooleron", CoolerOn="False")
    assert camera.value("cooleron") is False


def test_several_flows_at_once(server):
    """Two focuser flows, two pollers and an exposure, all on one server."""
    def focuser():
        nina = n.connect_focuser(server.port)
        for _ in range(80):
            n.poll_focuser(nina)
        nina.close()

    def mover():
        nina = n.connect_focuser(server.port)
        for target in (5000, 15000, 5000, 5100):
            n.move(nina, target)
        nina.close()

    def camera():
        nina = n.connect(Nina(server.port, "camera/0"))
        for _ in range(30):
            n.poll_camera(nina)
        nina.close()

    def exposures():
        nina = n.connect(Nina(server.port, "camera/0"))
        for _ in range(3):
            n.expose(nina, 2)
            assert json.dumps(words(n.wait_image(nina)))
        nina.close()

    in_parallel(focuser, mover, camera, exposures, focuser, camera)
