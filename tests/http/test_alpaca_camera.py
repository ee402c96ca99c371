# SPDX-License-Identifier: MIT
"""A camera of another Alpaca server in the place of one's own: a second focusd with a simulated camera, and a server
that answers as tests want (upstream.py, from the Alpaca API reference)."""
import json
import struct
import threading
import time

import numpy as np
import pytest
import upstream as wrong
from conftest import INVALID_OPERATION, AlpacaError, until
from upstream import Upstream

# ImageBytes: code of the element type -> numpy's name, Alpaca API reference chapter 8.
ELEMENTS = {1: "<i2", 2: "<i4", 3: "<f8", 4: "<f4", 5: "<u8", 6: "u1", 7: "<i8", 8: "<u2", 9: "<u4"}
BYTES = "application/imagebytes"


def config(port, extra=""):
    return f"[camera.0]\ndriver = alpaca\nport = 127.0.0.1:{port}/0\n{extra}"


def image_bytes(pixels, element, start=44, rank=2, **header):
    """pixels is [x][y] or [x][y][plane], as Alpaca has them."""
    shape = list(pixels.shape) + [0]
    fields = {"version": 1, "error": 0, "start": start, "kind": 2, "element": element, "rank": rank,
              "x": shape[0], "y": shape[1], "planes": shape[2] if rank == 3 else 0, **header}
    head = struct.pack("<iiIIiiiiiii", fields["version"], fields["error"], 7, 8, fields["start"], fields["kind"],
                       fields["element"], fields["rank"], fields["x"], fields["y"], fields["planes"])
    return head + b"\0" * (start - 44) + np.ascontiguousarray(pixels).astype(ELEMENTS[element]).tobytes()


class Camera(Upstream):
    """A camera of 12 by 7 pixels; .picture(x, y) answers imagearray, .exposures counts."""

    def __init__(self, **how):
        self.size, self.planes, self.max_adu, self.sensor_type = (12, 7), 1, 65535, 0
        self.frame = {"BinX": 1, "BinY": 1, "StartX": 0, "StartY": 0, "NumX": 12, "NumY": 7, "Gain": 5}
        self.exposures, self.ready, self.duration, self.end = 0, False, 0.0, 0.0
        self.element, self.cooler, self.set_point = 8, False, -5.0
        super().__init__(listed=[{"DeviceName": "Upstream camera", "DeviceType": "Camera", "DeviceNumber": 0,
                                  "UniqueID": "upstream-camera-1"}], **how)

    def reply(self, r):
        constant = {"cameraxsize": self.size[0], "cameraysize": self.size[1], "maxbinx": 2, "maxbiny": 3,
                    "canabortexposure": True, "canstopexposure": True, "exposuremin": 0.001, "exposuremax": 100.0,
                    "exposureresolution": 0.001, "pixelsizex": 3.8, "pixelsizey": 3.8, "sensortype": self.sensor_type,
                    "sensorname": "IMX571", "maxadu": self.max_adu, "electronsperadu": 0.25, "hasshutter": False,
                    "gain": self.frame["Gain"], "gainmin": 0, "gainmax": 100, "readoutmodes": ["Fast", "Quiet"],
                    "canfastreadout": False, "ccdtemperature": 3.25, "cansetccdtemperature": True,
                    "cangetcoolerpower": True, "coolerpower": 40.0, "canpulseguide": False,
                    "cooleron": self.cooler, "setccdtemperature": self.set_point}
        put = {"binx": "BinX", "biny": "BinY", "startx": "StartX", "starty": "StartY", "numx": "NumX", "numy": "NumY",
               "gain": "Gain", "readoutmode": "ReadoutMode"}
        if (r.verb, r.member) not in self.replies and (r.verb, "*") not in self.replies:
            if r.verb == "GET" and r.member in constant:
                return r.value(constant[r.member])
            if r.verb == "PUT" and r.member in put:
                self.frame[put[r.member]] = int(r.fields[put[r.member]])
                return r.value()
        return super().reply(r)

    def PUT_startexposure(self, r):
        self.exposures += 1
        self.duration = float(r.fields["Duration"])
        self.end = time.monotonic() + self.duration
        self.ready = True
        r.value()

    def PUT_abortexposure(self, r):
        self.ready = False
        r.value()

    def PUT_stopexposure(self, r):
        self.duration, self.end = self.duration - max(0, self.end - time.monotonic()), 0
        r.value()

    def PUT_cooleron(self, r):
        self.cooler = r.fields["CoolerOn"].lower() == "true"
        r.value()

    def PUT_setccdtemperature(self, r):
        self.set_point = float(r.fields["SetCCDTemperature"])
        r.value()

    def exposing(self):
        return self.ready and time.monotonic() < self.end

    def GET_imageready(self, r):
        r.value(self.ready and not self.exposing())

    def GET_camerastate(self, r):
        r.value(2 if self.exposing() else 0)

    def GET_lastexposureduration(self, r):
        r.value(self.duration)

    def pixels(self):
        x, y = self.frame["NumX"], self.frame["NumY"]
        count = x * y * self.planes
        # 1000, 1001, ... in Alpaca's order; within 8 bits where the camera says so.
        values = np.arange(count) + (1000 if self.max_adu > 255 else 3)
        return values.reshape((x, y, self.planes) if self.planes > 1 else (x, y))

    def GET_imagearray(self, r):
        assert BYTES in r.headers["accept"]
        r.raw(image_bytes(self.pixels(), self.element, rank=3 if self.planes > 1 else 2), kind=BYTES)


@pytest.fixture
def make_camera():
    running = []

    def make(**how):
        running.append(Camera(**how))
        return running[-1]

    yield make
    for one in running:
        one.close()


@pytest.fixture
def there(make_camera):
    return make_camera()


@pytest.fixture
def serve(make_observatory):
    def make(there, extra="", **how):
        server = make_observatory(simulate=False, config=config(there.port, extra), **how)
        return server
    return make


def connect(server):
    server.put("camera/0/connected", Connected="True")
    return server


def error_of(call):
    with pytest.raises(AlpacaError) as caught:
        call()
    return caught.value


def expose(server, duration=0.01, light=True, **frame):
    for name, value in frame.items():
        server.put(f"camera/0/{name.lower()}", **{name: value})
    server.put("camera/0/startexposure", Duration=duration, Light=light)
    until(lambda: server.get("camera/0/imageready"), "the picture is there")


def picture(server):
    """The picture as [x][y](plane) by ImageBytes."""
    answer = server.raw("GET", "/api/v1/camera/0/imagearray", headers={"Accept": BYTES})
    assert answer.headers["Content-Type"] == BYTES, answer.body[:300]
    fields = struct.unpack("<iiIIiiiiiii", answer.body[:44])
    shape = fields[8:8 + fields[7]]
    return np.frombuffer(answer.body[44:], dtype=ELEMENTS[fields[6]]).reshape(shape)


def test_members_of_a_second_focusd(observatory, make_observatory):
    """What the simulated camera says there it says here, member by member."""
    ours = connect(make_observatory(simulate=False, config=config(observatory.port)))
    for member in ("cameraxsize", "cameraysize", "maxbinx", "maxbiny", "canabortexposure", "canstopexposure",
                   "canasymmetricbin", "canpulseguide", "cansetccdtemperature", "cangetcoolerpower", "exposuremin",
                   "exposuremax", "exposureresolution", "pixelsizex", "sensortype", "sensorname", "maxadu",
                   "electronsperadu", "fullwellcapacity", "hasshutter", "gain", "gainmin", "gainmax", "offset",
                   "offsetmin", "offsetmax", "readoutmodes", "canfastreadout", "bayeroffsetx"):
        answers = []
        for server in (observatory, ours):
            try:
                answers.append(server.get(f"camera/0/{member}"))
            except AlpacaError as error:
                answers.append(error.number)
        assert answers[0] == answers[1], member


def test_a_picture_of_a_second_focusd_is_the_same_there_and_here(observatory, make_observatory):
    ours = connect(make_observatory(simulate=False, config=config(observatory.port)))
    for frame in ({}, {"BinX": 2, "NumX": 100, "NumY": 60, "StartX": 10, "StartY": 7}):
        expose(ours, 0.5, **frame)
        here = picture(ours)
        assert here.shape == ((100, 60) if frame else (ours.get("camera/0/cameraxsize"), ours.get("camera/0/cameraysize")))
        assert np.array_equal(here, picture(observatory))
        assert ours.get("camera/0/lastexposureduration") == pytest.approx(0.5, abs=0.02)


def test_autofocus_through_a_second_focusd(make_observatory):
    """Focuser and camera are the other server's; the best position is the one its simulation knows."""
    truth = 14321
    theirs = make_observatory(config=f"[server]\nname = far\n[simulator]\nbest_position = {truth}\n")
    where = f"127.0.0.1:{theirs.port}/0"
    text = (f"[focuser.0]\ndriver = alpaca\nport = {where}\n[camera.0]\ndriver = alpaca\nport = {where}\n"
            "[telescope.0]\nfocal_length_mm = 1000\naperture_mm = 200\n")
    ours = make_observatory(simulate=False, config=text)
    ours.connect()
    ours.put("focuser/0/move", Position=truth - 350)
    ours.wait_still()
    run, number = ours.focus(exposure_s=1)
    assert number == 0, run
    assert abs(run["best_position"] - truth) <= run["critical_focus_zone_steps"] / 2, run
    assert theirs.get("focuser/0/position") == ours.get("focuser/0/position") == run["final_position"]


@pytest.mark.parametrize("element", sorted(ELEMENTS))
@pytest.mark.parametrize("max_adu", [255, 65535, 1000000])
@pytest.mark.parametrize("planes", [1, 3])
def test_every_element_type(there, serve, element, max_adu, planes):
    there.max_adu, there.planes, there.sensor_type = max_adu, planes, 1 if planes == 3 else 0
    there.element = element
    if planes == 3 and max_adu == 255:
        there.frame.update(NumX=4, NumY=3)
        there.size = (4, 3)
    ours = connect(serve(there))
    if element == 6 and max_adu > 255:
        there.answer("GET", "imagearray", lambda r: r.raw(
            image_bytes(there.pixels() % 256, 6, rank=3 if planes > 1 else 2), kind=BYTES))
        expected = there.pixels() % 256
    else:
        expected = there.pixels()
    expose(ours)
    assert np.array_equal(picture(ours), expected)
    assert there.exposures == 1


def test_pixels_that_do_not_fit_are_cut_off_and_told(there, serve):
    ours = connect(serve(there))
    values = there.pixels().astype("float64")
    values[0, 0], values[0, 1], values[0, 2], values[1, 0] = -7, 70000.4, np.nan, 1234.6
    there.answer("GET", "imagearray", lambda r: r.raw(image_bytes(values, 3), kind=BYTES))
    expose(ours)
    here = picture(ours)
    assert list(here[0, :3]) == [0, 65535, 0] and here[1, 0] == 1235
    assert "2 pixels are outside" in ours.log()


def test_what_is_said_before_an_exposure(there, serve):
    ours = connect(serve(there))
    expose(ours, 0.02, light=False, BinX=2, NumX=3, NumY=2, StartX=1, StartY=1, Gain=77, ReadoutMode=1)
    assert there.frame == {"BinX": 2, "BinY": 2, "StartX": 1, "StartY": 1, "NumX": 3, "NumY": 2, "Gain": 77,
                           "ReadoutMode": 1}
    start = there.seen("PUT", "startexposure")[-1]
    assert start.fields["Light"] == "False" and float(start.fields["Duration"]) == 0.02
    assert np.array_equal(picture(ours), there.pixels())


def test_pieces_and_a_header_that_is_longer(there, serve):
    """The pixels come in pieces that end within an element, after a gap that the header announces."""
    there.element = 2
    body = image_bytes(there.pixels(), 2, start=61)

    def pieces(r):
        r.send(f"HTTP/1.1 200 OK\r\nContent-Type: {BYTES}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for at in range(0, len(body), 7):
            part = body[at:at + 7]
            r.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        r.send(b"0\r\n\r\n")

    there.answer("GET", "imagearray", pieces)
    ours = connect(serve(there))
    expose(ours)
    assert np.array_equal(picture(ours), there.pixels())


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_a_server_that_sends_text_only(there, serve, planes, kind):
    """Alpaca API reference, chapter 8: a server that knows no ImageBytes answers with Value[x][y], which is whole numbers
    or, here for colours, doubles; it comes in pieces that end anywhere."""
    there.planes, there.sensor_type = planes, 1 if planes == 3 else 0
    ours = connect(serve(there))

    def as_text(r):
        values = there.pixels() if planes == 1 else there.pixels() + 0.25
        body = json.dumps({"Type": 2 if planes == 1 else 3, "Rank": 2 if planes == 1 else 3, "Value": values.tolist(),
                           "ClientTransactionID": 1, "ServerTransactionID": there.count(), "ErrorNumber": 0,
                           "ErrorMessage": ""}).encode()
        r.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for at in range(0, len(body), 11):
            part = body[at:at + 11]
            r.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        r.send(b"0\r\n\r\n")

    there.answer("GET", "imagearray", as_text)
    expose(ours)
    assert np.array_equal(picture(ours), there.pixels())
    assert there.exposures == 1


def test_a_torn_picture_is_fetched_once_more(there, serve):
    ours = connect(serve(there))
    body = image_bytes(there.pixels(), 8)
    torn = []

    def tear_once(r):
        if torn:
            return there.GET_imagearray(r)
        torn.append(r)
        r.raw(body[:-20], kind=BYTES, length=len(body))
        return wrong.close(r)

    there.answer("GET", "imagearray", tear_once)
    expose(ours)
    assert torn and there.exposures == 1
    assert np.array_equal(picture(ours), there.pixels())


PIXELS = np.zeros((12, 7))


@pytest.mark.parametrize("reply, words", [
    (wrong.text(image_bytes(np.zeros((13, 7)), 8), kind=BYTES), "13x7"),
    (wrong.text(image_bytes(np.zeros((7, 12)), 8), kind=BYTES), "7x12"),
    (wrong.text(image_bytes(np.zeros((12, 7, 3)), 8, rank=3), kind=BYTES), "12x7x3"),
    (wrong.text(image_bytes(PIXELS, 8, rank=4), kind=BYTES), "4 dimensions"),
    (wrong.text(image_bytes(PIXELS, 8, version=2), kind=BYTES), "version 2"),
    (wrong.text(image_bytes(PIXELS, 8)[:-2], kind=BYTES), "83 of 84"),
    (wrong.text(image_bytes(PIXELS, 8) + b"\0\0", kind=BYTES), "goes on"),
    (wrong.text(image_bytes(PIXELS, 8)[:40], kind=BYTES), "40 bytes"),
    (wrong.text(struct.pack("<iiIIiiiiiii", 1, 0, 0, 0, 44, 2, 11, 2, 12, 7, 0), kind=BYTES), "type 11"),
    (wrong.text(struct.pack("<iiIIiiiiiii", 1, 0, 0, 0, 4, 2, 8, 2, 12, 7, 0), kind=BYTES), "begin at 4"),
    (wrong.text(b"", kind=BYTES), "0 bytes"),
    (wrong.text(struct.pack("<iiIIiiiiiii", 1, 0x5AB, 0, 0, 44, 0, 0, 0, 0, 0, 0) + b"The shutter is stuck", kind=BYTES),
     "The shutter is stuck"),
    (wrong.error(0x5AC, "No picture today"), "No picture today"),
    (wrong.text(b'{"Type":2,"Rank":2,"Value":[[1]],"ErrorNumber":0,"ErrorMessage":""}'), "less than the 7 rows"),
    (wrong.text(b'{"Type":2,"Rank":2,"Value":[],"ErrorNumber":1451,"ErrorMessage":"The fan is off"}'), "The fan is off"),
    (wrong.text(b'{"Type":2,"Rank":2,"Value":null,"ErrorNumber":0,"ErrorMessage":""}'), "no picture"),
    (wrong.text(b"x" * 100, kind="image/png"), "JSON"),
    (wrong.text(b"gone", status="404 Not Found", kind="text/plain"), "gone"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_no_picture_fails_the_exposure_with_a_sentence(there, serve, reply, words):
    there.answer("GET", "imagearray", reply)
    ours = connect(serve(there))
    ours.put("camera/0/startexposure", Duration=0.01, Light=True)
    failure = error_of(lambda: until(lambda: ours.get("camera/0/imageready"), "it ends"))
    assert words in failure.message
    assert there.exposures == 2  # core exposes once more before it gives up
    there.right()
    expose(ours)
    assert np.array_equal(picture(ours), there.pixels())
    assert "link lost" not in ours.log()


def test_an_exposure_that_fails_there_fails_in_its_words(there, serve):
    ours = connect(serve(there))
    there.answer("GET", "imageready", wrong.error(0x5D0, "USB is out of bandwidth"))
    ours.put("camera/0/startexposure", Duration=0.01, Light=True)
    failure = error_of(lambda: until(lambda: ours.get("camera/0/imageready"), "it ends"))
    assert failure.number == 0x5D0 and "USB is out of bandwidth" in failure.message


def test_a_start_that_is_refused_fails_in_its_words(there, serve):
    ours = connect(serve(there))
    there.answer("PUT", "startexposure", wrong.error(0x40B, "Somebody else exposes"))
    ours.put("camera/0/startexposure", Duration=0.01, Light=True)
    failure = error_of(lambda: until(lambda: ours.get("camera/0/imageready"), "it ends"))
    assert failure.number == INVALID_OPERATION and "Somebody else exposes" in failure.message


def test_an_exposure_that_somebody_ended_there(there, serve):
    ours = connect(serve(there))
    ours.put("camera/0/startexposure", Duration=50, Light=True)
    until(lambda: there.seen("GET", "camerastate"), "it is watched")
    there.ready = False
    failure = error_of(lambda: until(lambda: ours.get("camera/0/imageready"), "it ends"))
    assert "without a frame" in failure.message


def test_a_picture_of_somebody_elses_exposure_is_not_ours(there, serve):
    """The duration that the other server tells is not the one that was asked for."""
    ours = connect(serve(there))
    there.answer("GET", "lastexposureduration", lambda r: r.value(30.0))
    ours.put("camera/0/startexposure", Duration=0.01, Light=True)
    failure = error_of(lambda: until(lambda: ours.get("camera/0/imageready"), "it ends"))
    assert "another client" in failure.message


def test_abort_and_stop(there, serve):
    ours = connect(serve(there))
    ours.put("camera/0/startexposure", Duration=50, Light=True)
    until(lambda: there.exposures, "it exposes")
    ours.put("camera/0/abortexposure")
    until(lambda: there.seen("PUT", "abortexposure"), "the abort is there")
    assert ours.get("camera/0/imageready") is False
    ours.put("camera/0/startexposure", Duration=50, Light=True)
    until(lambda: there.exposures == 2, "it exposes")
    ours.put("camera/0/stopexposure")
    until(lambda: ours.get("camera/0/imageready"), "the picture is there")
    assert there.seen("PUT", "stopexposure") and ours.get("camera/0/lastexposureduration") < 50


@pytest.mark.parametrize("stage", ["start", "question", "picture"])
def test_abort_waits_for_no_answer(there, serve, stage):
    """Whatever hangs, the abort goes out on a connection of its own, and the next exposure works."""
    ours = connect(serve(there))
    hangs = {"start": ("PUT", "startexposure"), "question": ("GET", "imageready"), "picture": ("GET", "imagearray")}[stage]
    there.answer(*hangs, wrong.hang)
    ours.put("camera/0/startexposure", Duration=0.01, Light=True)
    until(lambda: there.seen(*hangs), "it hangs")
    ours.put("camera/0/abortexposure")
    until(lambda: there.seen("PUT", "abortexposure"), "the abort is there")
    until(lambda: ours.get("camera/0/camerastate") == 0, "it is idle")
    there.right()

    def works():
        try:
            expose(ours)
            return True
        except AlpacaError:
            return False
    until(works, "the next exposure works")
    assert np.array_equal(picture(ours), there.pixels())


def test_a_start_that_was_late_is_aborted_again(there, serve):
    ours = connect(serve(there))
    taken = threading.Event()

    def late(r):
        taken.wait()
        there.PUT_startexposure(r)

    there.answer("PUT", "startexposure", late)
    ours.put("camera/0/startexposure", Duration=50, Light=True)
    until(lambda: there.seen("PUT", "startexposure"), "the start is out")
    ours.put("camera/0/abortexposure")
    until(lambda: there.seen("PUT", "abortexposure"), "the abort is there")
    taken.set()
    until(lambda: there.exposures, "it exposes after all")
    there.replies.clear()

    def again():
        try:
            ours.put("camera/0/startexposure", Duration=0.01, Light=True)
        except AlpacaError:
            pass
        return "aborted again" in ours.log()
    until(again, "it is aborted again")


def test_lost_in_an_exposure_and_found_again(there, serve):
    ours = connect(serve(there))
    ours.put("camera/0/startexposure", Duration=50, Light=True)
    until(lambda: there.exposures, "it exposes")
    port = there.port
    there.close()
    until(lambda: "link lost" in ours.log(), "the loss is noticed")
    assert error_of(lambda: until(lambda: ours.get("camera/0/imageready"), "it ends")).number != 0
    there.connected, there.ready = False, False
    there.open(port)
    until(lambda: "link is back" in ours.log(), "the link is back")
    expose(ours)
    assert np.array_equal(picture(ours), there.pixels())


def test_cooler(there, serve):
    there.cooler = True
    ours = connect(serve(there))
    assert ours.get("camera/0/ccdtemperature") == 3.25
    assert ours.get("camera/0/coolerpower") == 40.0
    assert ours.get("camera/0/cooleron") is True and ours.get("camera/0/setccdtemperature") == -5.0
    assert not there.seen("PUT", "cooleron") and not there.seen("PUT", "setccdtemperature")
    ours.put("camera/0/setccdtemperature", SetCCDTemperature=-12.5)
    until(lambda: there.set_point == -12.5, "the set point is there")
    ours.put("camera/0/cooleron", CoolerOn="False")
    until(lambda: not there.cooler, "it is switched off")


def test_gains_that_have_names_are_chosen_by_number(there, serve):
    there.frame["Gain"] = 1
    there.answer("GET", "gains", lambda r: r.value(["Low", "Middle", "High"]))
    for member in ("gainmin", "gainmax"):
        there.answer("GET", member, wrong.error(0x400, "names"))
    ours = connect(serve(there))
    assert [ours.get(f"camera/0/{m}") for m in ("gainmin", "gainmax", "gain")] == [0, 2, 1]
    expose(ours, Gain=2)
    assert there.frame["Gain"] == 2
