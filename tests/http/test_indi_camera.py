# SPDX-License-Identifier: MIT
"""A camera behind an INDI server, through the whole of focusd: pictures of every kind, bin and part of the sensor, and
every way in which INDI's cameras were seen to fail.  The pixels that are expected are those of FakeCamera's ramp.
"""
import datetime
import gzip
import struct
import threading
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


def tiled(folder, **how):
    """Compresses pictures as another program, astropy, does."""
    from astropy.io import fits as astropy_fits

    def tile(form, data):
        plain, packed = folder / "plain.fits", folder / "packed.fits"
        plain.write_bytes(data)
        with astropy_fits.open(plain) as hdus:
            astropy_fits.CompImageHDU(hdus[0].data, hdus[0].header, **how).writeto(packed, overwrite=True)
        return ".fits.fz", packed.read_bytes()
    return tile


PACKINGS = {"zlib": lambda folder: lambda form, data: (".fits.z", zlib.compress(data)),
            "gzip": lambda folder: lambda form, data: (".fits.gz", gzip.compress(data)),
            "rice": lambda folder: tiled(folder, compression_type="RICE_1"),
            # Without losses, which RICE_1 has with floating point.
            "gzip tiles": lambda folder: tiled(folder, compression_type="GZIP_1", quantize_level=0)}


@pytest.mark.parametrize("packing, dtype, planes", [
    ("rice", "uint8", 1), ("rice", "uint16", 1), ("rice", "int32", 1), ("gzip tiles", "float32", 1),
    ("rice", "uint16", 3), ("zlib", "int32", 3), ("gzip", "uint16", 1), ("gzip", "float32", 3)])
def test_packed_pictures(indi, serve, tmp_path, packing, dtype, planes):
    bits = {"uint8": 8, "uint16": 16}.get(dtype, 32)
    camera = FakeCamera(indi, "Toy", dtype=dtype, bits=bits, planes=planes, spoil=PACKINGS[packing](tmp_path))
    server = serve(config(indi))
    if planes == 3 or dtype == "float32":
        # What the properties do not tell is seen in the first picture.
        start(server)
        failure(server, "another kind of pixels")
        until(lambda: _is(server, "sensortype", 1) if planes == 3
              else _is(server, "cameraxsize", 64) and not _is(server, "maxadu", 2**31 - 1), "the link is opened anew")
    # Beyond what 24 bits hold.
    camera.offset = 2**30 if dtype == "int32" else 0
    pixels = expose(server, NumX=30, NumY=20, StartX=3, StartY=5)
    wanted = ramp(3, 5, 30, 20, modulo=251 if bits == 8 else None) + camera.offset
    assert (pixels == (wanted if planes == 1 else numpy.stack([wanted, wanted + 1, wanted + 2], axis=2))).all()


def test_a_packed_picture_of_another_exposure(indi, serve, tmp_path):
    # The moment at which it began is read in a packed picture as well.
    camera = FakeCamera(indi, "Toy", fault="none", spoil=tiled(tmp_path, compression_type="RICE_1"))
    server = serve(config(indi))
    start(server, 0.3)
    until(lambda: camera.vectors["CCD_EXPOSURE"].state == "Ok", "the exposure is over, without a picture")
    with indi.lock:
        camera.picture(0.3, started=camera.begun - datetime.timedelta(seconds=60))
    until(lambda: "is not taken for the one" in server.log(), "it is passed over")
    with indi.lock:
        camera.picture(0.3)
    assert ready(server) is None


def dng(pixels, exposure_ms):
    """A raw file after its specification (Adobe, Digital Negative 1.4): one plain strip of 16 bits, green and blue over
    red and green."""
    high, wide = pixels.shape
    entries, behind = [], b""
    room = 8 + 2 + 12 * 32 + 4

    def hang_on(data):
        nonlocal behind
        at = room + len(behind)
        behind += data + bytes(len(data) % 2)
        return at

    byte, text, short, long, fraction, signed = 1, 2, 3, 4, 5, 10
    matrix = struct.pack("<18i", *(v for k in range(9) for v in (int(k % 4 == 0), 1)))
    for tag, kind, count, value in [
            (254, long, 1, 0), (256, long, 1, wide), (257, long, 1, high), (258, short, 1, 16), (259, short, 1, 1),
            (262, short, 1, 32803), (271, text, 6, hang_on(b"Maker\0")), (272, text, 6, hang_on(b"Model\0")),
            (273, long, 1, 4096), (274, short, 1, 1), (277, short, 1, 1), (278, long, 1, high),
            (279, long, 1, 2 * wide * high), (284, short, 1, 1), (33421, short, 2, 2 | 2 << 16),
            (33422, byte, 4, 0x01000201), (33434, fraction, 1, hang_on(struct.pack("<2I", exposure_ms, 1000))),
            (50706, byte, 4, 0x00000401), (50708, text, 6, hang_on(b"Model\0")), (50714, short, 1, 0),
            (50717, long, 1, 65535), (50721, signed, 9, hang_on(matrix)),
            (50728, fraction, 3, hang_on(struct.pack("<6I", *[1] * 6)))]:
        entries.append(struct.pack("<HHII", tag, kind, count, value))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries)
    return (head.ljust(room, b"\0") + behind).ljust(4096, b"\0") + pixels.astype("<u2").tobytes()


@pytest.mark.parametrize("form", [".dng", ".dng.z"])
def test_a_camera_s_own_files(indi, serve, form):
    # They have the whole sensor whatever the camera was told, and cells of which its driver says nothing.
    whole = ramp(0, 0, 64, 48).astype("uint16")
    camera = FakeCamera(indi, "Toy", exif_ms=100)
    camera.spoil = lambda _, data: (form, zlib.compress(dng(whole, camera.exif_ms)) if form.endswith(".z")
                                    else dng(whole, camera.exif_ms))
    server = serve(config(indi))
    start(server)
    failure(server, "coloured cells")
    until(lambda: _is(server, "sensortype", 2), "the link is opened anew")
    # Green, blue, red, green: the first red cell is the first of the second row.
    assert [server.get(f"camera/0/bayeroffset{axis}") for axis in "xy"] == [0, 1]
    assert (expose(server) == whole).all()
    assert (expose(server, NumX=30, NumY=20, StartX=3, StartY=5) == whole[5:25, 3:33]).all()
    # A third of a stop is rounding, another exposure is not.
    camera.exif_ms = 125
    assert (expose(server) == whole[5:25, 3:33]).all()
    camera.exif_ms = 20000
    start(server)
    until(lambda: "is not taken for the one" in server.log(), "it is passed over")
    server.put("camera/0/abortexposure")


def test_gain_and_offset_of_zwo(indi, serve):
    camera = FakeCamera(indi, "Toy", variant="CCD_CONTROLS")
    server = serve(config(indi))
    assert server.get("camera/0/gainmax") == 570
    server.put("camera/0/gain", Gain=200)
    server.put("camera/0/offset", Offset=33)
    expose(server)
    # The whole vector, with what is not ours as it was.
    assert camera.vectors["CCD_CONTROLS"].members == {"Gain": "200", "Offset": "33", "BandWidth": "40"}


def test_read_out_modes_that_are_a_number(indi, serve):
    # QHY: the first is how it stands.
    camera = FakeCamera(indi, "Toy", others={
        "READ_MODE": ("Number", {"MODE": "1"}, {"ranges": {"MODE": (0, 2)}})})
    server = serve(config(indi))
    assert server.get("camera/0/readoutmodes") == ["Mode 1", "Mode 0", "Mode 2"]
    assert server.get("camera/0/readoutmode") == 0
    expose(server)
    assert indi.sent_to("Toy", "READ_MODE") == []
    server.put("camera/0/readoutmode", ReadoutMode=2)
    expose(server)
    assert indi.sent_to("Toy", "READ_MODE") == [{"MODE": "2"}]
    # A mode with another number of pixels: the link is opened anew, with the modes in their order.
    order = camera.order

    def shrink(name, members):
        order(name, members)
        if name == "READ_MODE":
            camera.width, camera.frame = 32, (0, 0, 32, 48)
            camera.set("CCD_INFO", "Ok", CCD_MAX_X="32")
    camera.order = shrink
    server.put("camera/0/readoutmode", ReadoutMode=1)
    start(server)
    failure(server, "another size")
    until(lambda: _is(server, "cameraxsize", 32), "the link is opened anew")
    assert server.get("camera/0/readoutmodes") == ["Mode 1", "Mode 0", "Mode 2"]
    assert (expose(server, NumX=32) == ramp(0, 0, 32, 48)).all()


def test_read_out_modes_that_are_switches(indi, serve):
    # QSI and Apogee, where none is on at first: then it is left as it is, until somebody chooses.
    camera = FakeCamera(indi, "Toy", others={
        "READOUT_QUALITY": ("Switch", {"QUALITY_HIGH": "Off", "QUALITY_LOW": "Off"}, {"perm": "wo"})})
    server = serve(config(indi))
    assert server.get("camera/0/readoutmodes") == ["Normal", "QUALITY_HIGH", "QUALITY_LOW"]
    expose(server)
    assert indi.sent_to("Toy", "READOUT_QUALITY") == []
    server.put("camera/0/readoutmode", ReadoutMode=2)
    expose(server)
    assert camera.on("READOUT_QUALITY") == ["QUALITY_LOW"]


def test_a_raspberry_pi(indi, serve):
    # indi_pylibcamera tells its sensor's name, and delivers the whole of it.
    FakeCamera(indi, "Toy", frame_perm="ro", others={"CAMERA_INFO": ("Text", {"CAMERA_MODEL": "imx477"}, {"perm": "ro"})})
    server = serve(config(indi))
    assert server.get("camera/0/sensorname") == "imx477"
    assert (expose(server, NumX=30, NumY=20, StartX=3, StartY=5) == ramp(3, 5, 30, 20)).all()
    assert indi.sent_to("Toy", "CCD_FRAME") == []


@pytest.mark.parametrize("guides", ["busy", "silent", "hangs"])
def test_the_guide_port(indi, serve, guides):
    FakeCamera(indi, "Toy", guides=guides)
    server = serve(config(indi))
    assert server.get("camera/0/canpulseguide") is True
    for direction, axis, sent in ((0, "NS", {"TIMED_GUIDE_N": "300", "TIMED_GUIDE_S": "0"}),
                                  (3, "WE", {"TIMED_GUIDE_W": "300", "TIMED_GUIDE_E": "0"})):
        server.put("camera/0/pulseguide", Direction=direction, Duration=300)
        assert server.get("camera/0/ispulseguiding") is True
        until(lambda: not server.get("camera/0/ispulseguiding"), "the pulse ends")
        assert indi.sent_to("Toy", f"TELESCOPE_TIMED_GUIDE_{axis}") == [sent]


def test_no_guide_port(indi, serve):
    FakeCamera(indi, "Toy")
    assert serve(config(indi)).get("camera/0/canpulseguide") is False


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


def test_an_abort_before_the_driver_has_begun(indi, serve):
    # A driver that is at work takes one order after the other: what it says of the first exposure comes when the second
    # was asked for.
    camera = FakeCamera(indi, "Toy")
    server = serve(config(indi))
    obey = camera.order

    def locked(call):
        with indi.lock:
            call()

    def obey_late(name, members):
        seconds = float(members.get("CCD_EXPOSURE_VALUE", 0))
        if seconds == 60:
            for at, left in ((0.6, 60), (0.8, 59)):
                threading.Timer(at, locked, [lambda s=left: camera.set("CCD_EXPOSURE", "Busy", CCD_EXPOSURE_VALUE=str(s))]).start()
        elif name in ("CCD_EXPOSURE", "CCD_ABORT_EXPOSURE"):
            threading.Timer(1.2 if seconds else 1.0, locked, [lambda: obey(name, members)]).start()
        else:
            obey(name, members)
    camera.order = obey_late
    start(server, 60)
    until(lambda: indi.sent_to("Toy", "CCD_EXPOSURE"), "it is told")
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")
    assert (expose(server) == ramp(0, 0, 64, 48)).all()
    assert "another program" not in server.log()


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
    (lambda form, data: (".jpg", b"\xff\xd8\xff\xe0" + data), "the picture is JPEG"),
    (lambda form, data: (".nef", b"MM\0*" + data), "cannot be read"),
    (lambda form, data: (".fits.fz", data[:3000]), "the picture"),
    (lambda form, data: (".dng.z", zlib.compress(data)[:-900]), "cut off"),
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
