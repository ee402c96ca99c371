# SPDX-License-Identifier: MIT
"""A camera behind an INDI server, through the whole of focusd: pictures of every kind, bin and part of the sensor, and
every way in which INDI's cameras were seen to fail.  The pixels that are expected are those of FakeCamera's ramp.
"""
import datetime
import struct
import zlib

import numpy
import pytest
from conftest import INVALID_OPERATION, AlpacaError, until
from indi_server import FakeCamera, FakeFocuser, IndiServer

# Numbers of element types: Alpaca API reference, ImageBytes.
TYPES = {1: "int16", 2: "int32", 3: "float64", 4: "float32", 6: "uint8", 8: "uint16"}


def config(server, extra=""):
    return f"[camera.0]\ndriver = indi\nport = tcp://127.0.0.1:{server.port}\n{extra}"


@pytest.fixture
def indi():
    server = IndiServer()
    yield server
    for device in list(server.devices.values()):
        device.cancel()
    try:
        server.stop()
    except OSError:
        pass


@pytest.fixture
def serve(make_observatory):
    def make(text, connect=True):
        server = make_observatory(simulate=False, config=text, time_factor=1)
        if connect:
            server.put("camera/0/connected", Connected="True")
        return server
    return make


def error_of(call):
    with pytest.raises(AlpacaError) as caught:
        call()
    return caught.value


def start(server, seconds=0.1, light=True):
    server.put("camera/0/startexposure", Duration=seconds, Light=str(light))


def ready(server):
    """Waits for the picture; the error when there is none."""
    try:
        until(lambda: server.get("camera/0/imageready"), "the picture is there")
    except AlpacaError as error:
        return error
    return None


def image(server):
    """The picture as rows of pixels (rows, columns[, planes])."""
    answer = server.raw("GET", f"/api/v1/camera/0/imagearray?ClientID={server.client_id}",
                        headers={"Accept": "application/imagebytes"})
    _, number, _, _, at, _, sent, rank, x, y, planes = struct.unpack("<11i", answer.body[:44])
    assert number == 0
    pixels = numpy.frombuffer(answer.body, TYPES[sent], offset=at)
    return pixels.reshape((x, y, planes) if rank == 3 else (x, y)).swapaxes(0, 1)


def expose(server, seconds=0.1, **members):
    for name, value in members.items():
        server.put(f"camera/0/{name.lower()}", **{name: value})
    start(server, seconds)
    error = ready(server)
    assert error is None, error
    return image(server)


def ramp(x, y, w, h, step=1, modulo=None):
    columns, rows = numpy.meshgrid(x + step * numpy.arange(w), y + step * numpy.arange(h))
    pixels = (7 * columns + 13 * rows + 5) % 65521
    return pixels % modulo if modulo else pixels


def failure(server, words):
    error = ready(server)
    assert error is not None and words in error.message, error
    return error


# ---- what there is ----

def test_tells_what_it_is(indi, serve):
    FakeCamera(indi, "Toy & Co")
    server = serve(config(indi))
    facts = {"cameraxsize": 64, "cameraysize": 48, "maxbinx": 4, "pixelsizex": 3.76, "gain": 90, "gainmin": 0,
             "gainmax": 570, "offset": 10, "offsetmax": 240, "exposuremax": 3600, "cansetccdtemperature": True,
             "cooleron": False, "ccdtemperature": 12.5, "coolerpower": 0, "sensortype": 0, "maxadu": 65535,
             "canabortexposure": True, "canstopexposure": False}
    assert {name: pytest.approx(server.get(f"camera/0/{name}"), rel=1e-6) for name in facts} == facts
    # Nothing but the connection was touched.
    assert {name for tag, _, name, _ in indi.heard if tag.startswith("new")} == {"CONNECTION"}


def test_a_picture_and_its_parts(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    assert (expose(server) == ramp(0, 0, 64, 48)).all()
    assert (expose(server, NumX=30, NumY=20, StartX=3, StartY=5) == ramp(3, 5, 30, 20)).all()
    assert (expose(server, BinX=2, BinY=2, StartX=4, StartY=2, NumX=20, NumY=10) == ramp(8, 4, 20, 10, 2)).all()
    assert (expose(server, BinX=3, BinY=3, StartX=0, StartY=0, NumX=21, NumY=16) == ramp(0, 0, 21, 16, 3)).all()
    assert server.get("camera/0/lastexposureduration") == pytest.approx(0.1)
    # Pictures were enabled for this camera only, on a connection of their own, and only while one was waited for.
    asked = [e for e in indi.heard if e[0] == "enableBLOB"]
    assert {(device, name) for _, device, name, _ in asked} == {("Toy", "CCD1")}
    assert len(asked) == 8
    assert indi.connections == 2
    # The person's settings come back.
    server.put("camera/0/connected", Connected="False")
    until(lambda: camera.frame == (0, 0, 64, 48) and camera.value("CCD_BINNING", "HOR_BIN") == 1, "they are back")


def test_a_camera_that_rounds_its_frame(indi, serve):
    # ZWO ASI: widths are multiples of 8, heights of 2.
    FakeCamera(indi, "Toy", align=8)
    server = serve(config(indi))
    assert (expose(server, NumX=30, NumY=21, StartX=3, StartY=5) == ramp(3, 5, 30, 21)).all()


@pytest.mark.parametrize("dtype, bits, sent, most", [("uint8", 8, "uint8", 255), ("uint16", 16, "uint16", 65535),
                                                    ("int32", 32, "int32", 2**31 - 1)])
def test_kinds_of_pixels(indi, serve, dtype, bits, sent, most):
    FakeCamera(indi, "Toy", dtype=dtype, bits=bits)
    server = serve(config(indi))
    assert server.get("camera/0/maxadu") == most
    pixels = expose(server)
    assert (pixels == ramp(0, 0, 64, 48, modulo=251 if bits == 8 else None)).all()


def test_narrow_pixels_in_a_wide_frame(indi, serve):
    FakeCamera(indi, "Toy", dtype="uint8", bits=16)
    assert (expose(serve(config(indi))) == ramp(0, 0, 64, 48, modulo=251)).all()


def test_colours_are_learned(indi, serve):
    # That a driver sends three planes is seen in its first picture only.
    FakeCamera(indi, "Toy", planes=3, dtype="uint8", bits=8)
    server = serve(config(indi))
    start(server)
    failure(server, "another kind of pixels")
    until(lambda: _is(server, "sensortype", 1), "the link is opened anew")
    pixels = expose(server, NumX=30, NumY=20, StartX=3, StartY=5)
    wanted = ramp(3, 5, 30, 20, modulo=251)
    assert pixels.shape == (20, 30, 3)
    assert all((pixels[:, :, k] == wanted + k).all() for k in range(3))


def _is(server, member, value):
    try:
        return server.get(f"camera/0/{member}") == value
    except AlpacaError:
        return False


@pytest.mark.parametrize("cfa, x, y", [("RGGB", 0, 0), ("GRBG", 1, 0), ("GBRG", 0, 1), ("BGGR", 1, 1)])
def test_mosaics(indi, serve, cfa, x, y):
    FakeCamera(indi, "Toy", cfa=cfa)
    server = serve(config(indi))
    assert [server.get(f"camera/0/{m}") for m in ("sensortype", "bayeroffsetx", "bayeroffsety")] == [2, x, y]


def test_compressed_pictures(indi, serve):
    camera = FakeCamera(indi, "Toy", spoil=lambda form, data: (".fits.z", zlib.compress(data)))
    server = serve(config(indi))
    assert (expose(server) == ramp(0, 0, 64, 48)).all()
    camera.spoil = lambda form, data: (".fits.z", zlib.compress(data)[:-900])
    start(server)
    failure(server, "cut off")
    camera.spoil = lambda form, data: (".fits.z", b"garbage" * 100)
    start(server)
    failure(server, "damaged")


def test_tiles(indi, serve, tmp_path):
    # Compressed by another program, astropy.
    from astropy.io import fits as astropy_fits

    def tile(form, data):
        plain = tmp_path / "plain.fits"
        plain.write_bytes(data)
        with astropy_fits.open(plain) as hdus:
            packed = astropy_fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")
            packed.writeto(tmp_path / "packed.fits", overwrite=True)
        return ".fits.fz", (tmp_path / "packed.fits").read_bytes()

    FakeCamera(indi, "Toy", spoil=tile)
    assert (expose(serve(config(indi))) == ramp(0, 0, 64, 48)).all()


def test_gain_and_offset_of_zwo(indi, serve):
    camera = FakeCamera(indi, "Toy", variant="CCD_CONTROLS")
    server = serve(config(indi))
    assert server.get("camera/0/gainmax") == 570
    server.put("camera/0/gain", Gain=200)
    server.put("camera/0/offset", Offset=33)
    expose(server)
    # The whole vector, with what is not ours as it was.
    assert camera.vectors["CCD_CONTROLS"].members == {"Gain": "200", "Offset": "33", "BandWidth": "40"}


def test_the_cooler(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    server.put("camera/0/setccdtemperature", SetCCDTemperature=-10)
    server.put("camera/0/cooleron", CoolerOn="True")
    until(lambda: server.get("camera/0/ccdtemperature") == 3.5, "it is told")
    assert indi.sent_to("Toy", "CCD_TEMPERATURE") == [{"CCD_TEMPERATURE_VALUE": "-10"}]
    assert server.get("camera/0/coolerpower") == 60
    server.put("camera/0/cooleron", CoolerOn="False")
    until(lambda: camera.on("CCD_COOLER") == ["COOLER_OFF"], "it is off")


def test_an_upload_to_disk_alone_is_changed_and_put_back(indi, serve):
    camera = FakeCamera(indi, "Toy", upload="UPLOAD_LOCAL")
    server = serve(config(indi))
    assert (expose(server) == ramp(0, 0, 64, 48)).all()
    assert camera.on("UPLOAD_MODE") == ["UPLOAD_CLIENT"]
    server.put("camera/0/connected", Connected="False")
    until(lambda: camera.on("UPLOAD_MODE") == ["UPLOAD_LOCAL"], "it is as it was")


def test_darks(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 0.1, light=False)
    assert ready(server) is None
    assert camera.on("CCD_FRAME_TYPE") == ["FRAME_DARK"]


def test_ok_before_the_picture(indi, serve):
    FakeCamera(indi, "Toy", image_first=False)
    assert (expose(serve(config(indi))) == ramp(0, 0, 64, 48)).all()


# ---- what goes wrong ----

def test_abort_and_again(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 60)
    until(lambda: server.get("camera/0/camerastate") == 2, "it exposes")
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")
    until(lambda: indi.sent_to("Toy", "CCD_ABORT_EXPOSURE") == [{"ABORT": "On"}], "it is told to end")
    assert (expose(server) == ramp(0, 0, 64, 48)).all()
    assert camera.pictures == 1


def test_a_camera_that_is_slow_to_take_its_settings(indi, serve):
    # Longer than one call of a driver may last; what it rounds is not told twice.
    camera = FakeCamera(indi, "Toy", align=8, answer_s=2.5)
    server = serve(config(indi))
    assert (expose(server, NumX=30, NumY=21, StartX=3, StartY=5) == ramp(3, 5, 30, 21)).all()
    told = [m["WIDTH"] for m in indi.sent_to("Toy", "CCD_FRAME")]
    assert told == ["30", "64"]
    assert camera.pictures == 1


def test_an_abort_while_the_camera_takes_its_settings(indi, serve):
    camera = FakeCamera(indi, "Toy", answer_s=4)
    server = serve(config(indi))
    server.put("camera/0/numx", NumX=30)
    start(server, 60)
    until(lambda: indi.sent_to("Toy", "CCD_FRAME"), "it is told")
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")
    # It was not told to expose, so there was nothing to end.
    assert indi.sent_to("Toy", "CCD_EXPOSURE") == [] and indi.sent_to("Toy", "CCD_ABORT_EXPOSURE") == []
    camera.answer_s = 0
    assert (expose(server) == ramp(0, 0, 30, 48)).all()


def test_a_camera_that_is_slow_to_end_an_exposure(indi, serve):
    camera = FakeCamera(indi, "Toy", abort_s=3)
    server = serve(config(indi))
    start(server, 60)
    until(lambda: server.get("camera/0/camerastate") == 2 and camera.begun, "it exposes")
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")
    assert (expose(server) == ramp(0, 0, 64, 48)).all()


def test_news_that_are_looked_at_late(indi, serve):
    # A read-out during which the driver counts on: the last of its time stamps is not that of the exposure's beginning.
    camera = FakeCamera(indi, "Toy", fault="busy")
    server = serve(config(indi))
    late = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)
    now = camera.now

    def expose_and_count(seconds):
        with indi.lock:
            FakeCamera.expose(camera, seconds)
            camera.now = lambda: f"{late:%Y-%m-%dT%H:%M:%S}"
            camera.set("CCD_EXPOSURE", "Busy", CCD_EXPOSURE_VALUE="0")
            camera.now = now
            camera.later(0.3, lambda: camera.over(seconds))
    camera.expose = expose_and_count
    assert (expose(server) == ramp(0, 0, 64, 48)).all()


def test_a_late_picture_is_not_the_next_one(indi, serve):
    # The driver goes on with what was aborted.
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 0.7)
    until(lambda: camera.begun, "it exposes")
    old = camera.begun
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")
    start(server, 0.7)
    until(lambda: camera.begun is not old, "it exposes again")
    wrong = lambda form, data: (form, data[:2880] + bytes(len(data) - 2880))
    with indi.lock:
        camera.spoil = wrong
        camera.picture(0.7, started=old)
        camera.spoil = None
    assert ready(server) is None
    assert (image(server) == ramp(0, 0, 64, 48)).all()
    assert "is not taken for the one" in server.log()


@pytest.mark.parametrize("seconds, started", [(5, 0), (0.3, -60)])
def test_pictures_of_others_are_passed_over(indi, serve, seconds, started):
    camera = FakeCamera(indi, "Toy", fault="none")
    server = serve(config(indi))
    start(server, 0.3)
    until(lambda: camera.vectors["CCD_EXPOSURE"].state == "Ok", "the exposure is over, without a picture")
    with indi.lock:
        camera.picture(0.3, started=camera.begun + datetime.timedelta(seconds=started), exposure_s=seconds)
    until(lambda: "is not taken for the one" in server.log(), "it is passed over")
    assert server.get("camera/0/imageready") is False
    with indi.lock:
        camera.picture(0.3)
    assert ready(server) is None


def test_somebody_else_exposes(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    with indi.lock:
        camera.expose(60)
        camera.set("CCD_TEMPERATURE", CCD_TEMPERATURE_VALUE="7")
    # What is told behind the exposure has been heard, and so has the exposure.
    until(lambda: server.get("camera/0/ccdtemperature") == 7, "the exposure is known")
    start(server)
    failure(server, "exposing for another program")
    assert [m["CCD_EXPOSURE_VALUE"] for m in indi.sent_to("Toy", "CCD_EXPOSURE")] == []


def test_somebody_else_takes_it_away(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 20)
    until(lambda: server.get("camera/0/camerastate") == 2 and camera.begun, "it exposes")
    with indi.lock:
        camera.expose(100)
    failure(server, "another program has begun an exposure")
    # It is not fought for, and not aborted.
    assert len(indi.sent_to("Toy", "CCD_EXPOSURE")) == 1
    assert indi.sent_to("Toy", "CCD_ABORT_EXPOSURE") == []


@pytest.mark.parametrize("fault, words", [("alert", "the sensor does not answer"),
                                          ("idle", "was ended by another program")])
def test_exposures_that_fail(indi, serve, fault, words):
    camera = FakeCamera(indi, "Toy", fault=fault)
    server = serve(config(indi))
    start(server)
    failure(server, words)
    camera.fault = None
    until(lambda: _is(server, "camerastate", 0) or _is(server, "camerastate", 5), "it is over")
    assert (expose(server) == ramp(0, 0, 64, 48)).all()


@pytest.mark.parametrize("spoil, words", [
    (lambda form, data: (form, data[:3000]), "cut off"),
    (lambda form, data: (form, b"not FITS" * 1000), "no FITS"),
    (lambda form, data: (".cr2", data), "choose FITS"),
    (lambda form, data: (form, data.replace(b"NAXIS1  =                   64", b"NAXIS1  =                   32")), "32x48"),
])
def test_pictures_that_are_of_no_use(indi, serve, spoil, words):
    camera = FakeCamera(indi, "Toy", spoil=spoil)
    server = serve(config(indi))
    start(server)
    failure(server, words)
    # The first failure was tried again.
    assert camera.pictures == 2
    camera.spoil = None
    assert (expose(server) == ramp(0, 0, 64, 48)).all()


def test_damaged_base64(indi, serve):
    FakeCamera(indi, "Toy", text=lambda text: text.replace("A", "*", 5))
    server = serve(config(indi))
    start(server)
    failure(server, "damaged on its way")


def test_half_a_picture_and_the_connection_ends(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))

    def cut(text):
        camera.text = None
        for link in [link for link in indi.links if link.blobs]:
            link.send(f"<setBLOBVector device=\"Toy\" name=\"CCD1\"><oneBLOB name=\"CCD1\" format=\".fits\" "
                      f"size=\"9000\">{text[:4000]}".encode())
            link.socket.shutdown(2)

    camera.text = cut
    start(server)
    # The connection for pictures is made anew, and the exposure again.
    assert ready(server) is None
    assert (image(server) == ramp(0, 0, 64, 48)).all()
    assert "exposing again" in server.log()


def test_a_driver_that_dies_in_an_exposure(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 60)
    until(lambda: server.get("camera/0/camerastate") == 2 and camera.begun, "it exposes")
    camera.die()
    failure(server, "has gone from the INDI server")
    FakeCamera(indi, "Toy")
    until(lambda: _is(server, "camerastate", 0) or _is(server, "camerastate", 5), "it is found again")
    until(lambda: "link is back" in server.log(), "it is found again")
    assert (expose(server) == ramp(0, 0, 64, 48)).all()


def test_a_server_that_goes_in_an_exposure(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 60)
    until(lambda: server.get("camera/0/camerastate") == 2 and camera.begun, "it exposes")
    indi.stop()
    failure(server, "INDI server")
    camera.cancel()
    camera.vectors["CCD_EXPOSURE"].state = "Idle"
    indi.listen()
    until(lambda: "link is back" in server.log(), "it is found again")
    assert (expose(server) == ramp(0, 0, 64, 48)).all()


def test_a_refused_setting_says_why(indi, serve):
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    camera.vectors["CCD_BINNING"].ranges = {"HOR_BIN": (0, 1), "VER_BIN": (0, 1)}
    server.put("camera/0/binx", BinX=2)
    server.put("camera/0/biny", BinY=2)
    server.put("camera/0/numx", NumX=10)
    server.put("camera/0/numy", NumY=10)
    start(server)
    failure(server, "is out of range")


def test_positions_wait_behind_no_picture(indi, make_observatory):
    # A picture whose end does not come: focuser and camera share a server, and their connection.
    camera = FakeCamera(indi, "Toy", text=lambda text: None)
    focuser = FakeFocuser(indi, "Motor")
    server = make_observatory(simulate=False, time_factor=1, config=config(indi) + (
        f"[focuser.0]\ndriver = indi\nport = tcp://127.0.0.1:{indi.port}\n"))
    server.connect()
    assert indi.connections == 1
    start(server)
    until(lambda: camera.pictures == 1, "the exposure is over")
    with indi.lock:
        blob = [link for link in indi.links if link.blobs]
        assert len(blob) == 1
        blob[0].send(b'<setBLOBVector device="Toy" name="CCD1"><oneBLOB name="CCD1" size="1" format=".fits">\nU0lN')
    server.put("focuser/0/move", Position=21000)
    assert server.wait_still() == 21000
    assert focuser.position == 21000
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")


def test_a_second_start_is_refused(indi, serve):
    FakeCamera(indi, "Toy")
    server = serve(config(indi))
    start(server, 30)
    assert error_of(lambda: start(server, 30)).number == INVALID_OPERATION
    server.put("camera/0/abortexposure")
