# SPDX-License-Identifier: MIT
"""A folder into which other software writes: frames are measured as they come, whole or in pieces, by name or by being
moved there; what shows no stars is left out; nothing can be exposed.  The size of the stars is that of the Gaussians
of star_frames.py."""
import datetime
import gzip
import math
import shutil

import pytest
from conftest import INVALID_OPERATION, INVALID_VALUE, AlpacaError, until
from star_frames import HALF_OF_A_GAUSSIAN, frame, write

class Watched:
    def __init__(self, make_observatory, path, more=""):
        self.path = path
        self.path.mkdir()
        self.server = make_observatory(simulate=False, config=(
            f"[camera.0]\ndriver = folder\nname = Sky\npath = {path}\n{more}\n"
            "[focuser.0]\ndriver = manual\nsteps_per_turn = 100\nmax_step = 2500\n"))
        self.server.connect()

    def watched(self):
        return self.server.device_state("camera")["watched"]

    def measured(self, name):
        """What is known once the file of this name was measured."""
        return until(lambda: (w := self.watched())["file"] == name and w, f"{name} is measured")

    def left_out(self, name):
        """Why the file of this name was left out."""
        return until(lambda: (w := self.watched())["left_out_file"] == name and w, f"{name} is left out")["left_out_why"]


@pytest.fixture
def sky(make_observatory, tmp_path):
    return Watched(make_observatory, tmp_path / "night")


def refused(call, number):
    with pytest.raises(AlpacaError) as error:
        call()
    assert error.value.number == number, error.value
    return error.value.message


def test_frames_are_measured_as_they_come(sky):
    assert sky.watched()["measured"] == 0 and sky.watched()["hfr_px"] is None
    assert "no frame has come" in refused(lambda: sky.server.action("MeasureStars"), INVALID_OPERATION)
    write(sky.path / "m42_0001.fits", 2.0, EXPTIME=120.0, FOCUSPOS=812)
    seen = sky.measured("m42_0001.fits")
    assert seen["hfr_px"] == pytest.approx(2.0 * HALF_OF_A_GAUSSIAN, rel=0.02)
    assert (seen["stars"], seen["exposure_s"], seen["position"], seen["left_out"]) == (12, 120.0, 812.0, 0)
    assert 0 <= seen["age_s"] < 60
    # The page shows it, and MeasureStars says which frame it measured.
    picture = sky.server.raw("GET", "/focusd/v1/camera/0/preview.jpg")
    assert picture.status == 200 and picture.body.startswith(b"\xff\xd8")
    assert sky.server.device_state("camera")["frame"]["label"] == "m42_0001.fits"
    answer = sky.server.action("MeasureStars")
    assert answer["file"] == "m42_0001.fits" and answer["stars"] == 12
    assert answer["hfr_px"] == pytest.approx(seen["hfr_px"], rel=1e-6)
    # One that is packed, in a folder that did not exist, and in one inside that.
    deep = sky.path / "2026-11-28" / "LIGHT"
    deep.mkdir(parents=True)
    (deep / "m42_0002.fits.gz").write_bytes(gzip.compress(frame(3.0)))
    assert sky.measured("m42_0002.fits.gz")["hfr_px"] == pytest.approx(3.0 * HALF_OF_A_GAUSSIAN, rel=0.02)
    assert sky.watched()["measured"] == 2


def test_a_frame_that_is_being_written_is_waited_for(sky):
    whole = frame(2.5)
    with (sky.path / "slow.fits").open("wb") as file:
        file.write(whole[:100000])
        file.flush()
        # Another one that is whole passes it meanwhile.
        write(sky.path / "quick.fits", 1.5)
        sky.measured("quick.fits")
        file.write(whole[100000:])
    assert sky.measured("slow.fits")["hfr_px"] == pytest.approx(2.5 * HALF_OF_A_GAUSSIAN, rel=0.02)
    assert sky.watched()["left_out"] == 0


def test_what_is_no_picture_of_the_sky_is_left_out(sky):
    write(sky.path / "light.fits", 2.0, IMAGETYP="LIGHT")
    sky.measured("light.fits")
    for name, header in (("a.fits", {"IMAGETYP": "Dark Frame"}), ("b.fits", {"IMAGETYP": "FLAT"}),
                         ("c.fits", {"FRAME": "Bias"}), ("d.fits", {"IMAGETYP": "DARKFLAT"})):
        write(sky.path / name, 4.0, **header)
        assert "calibration frame" in sky.left_out(name)
    # A dark whose header says nothing has no stars.
    write(sky.path / "e.fits", 2.0, 0)
    assert "no stars" in sky.left_out("e.fits")
    (sky.path / "f.xisf").write_bytes(b"XISF0100" + bytes(5000))
    assert "XISF" in sky.left_out("f.xisf")
    (sky.path / "g.fits").write_bytes(frame(2.0)[:50000])
    assert "g.fits" in sky.left_out("g.fits")
    (sky.path / "h.fits").write_bytes(b"SIMPLE  =                    T" + bytes(range(256)) * 64)
    sky.left_out("h.fits")
    (sky.path / "notes.txt").write_text("not looked at", encoding="ascii")
    (sky.path / ".hidden.fits").write_bytes(frame(5.0))
    seen = sky.watched()
    assert (seen["file"], seen["measured"], seen["left_out"]) == ("light.fits", 1, 8)


def test_a_name_may_hold_any_byte(sky):
    """Whoever may write into the folder chooses it: no byte of it reaches a terminal or breaks what is sent."""
    def come(ending, content):
        with open(bytes(sky.path) + b"/a\xff\x1b[31m\"\n" + ending, "wb") as file:
            file.write(content)

    come(b".xisf", b"XISF0100")
    assert "XISF" in sky.left_out("a??[31m\"?.xisf")
    come(b".fits", frame(2.0))
    sky.measured("a??[31m\"?.fits")
    assert sky.server.action("MeasureStars")["file"] == "a??[31m\"?.fits"
    assert "\x1b" not in sky.server.log()


def test_nothing_can_be_exposed(sky):
    server = sky.server
    message = refused(lambda: server.put("camera/0/startexposure", Duration=1, Light="True"), INVALID_OPERATION)
    assert message == "Sky watches a folder and cannot expose: the software that owns the camera does that"
    write(sky.path / "one.fits", 2.0)
    sky.measured("one.fits")
    assert server.get("camera/0/imageready") is False
    assert server.get("camera/0/camerastate") == 0
    refused(lambda: server.get("camera/0/imagearray"), INVALID_OPERATION)
    assert server.get("camera/0/canabortexposure") is False
    assert "mean" in refused(lambda: server.action("MeasureStars", {"exposure_s": 2}), INVALID_VALUE)
    assert server.raw("GET", "/management/v1/configureddevices").json()["Value"] == []
    assert server.raw("GET", "/setup/v1/camera/0/setup").status == 200


def test_it_is_listed_when_asked(make_observatory, tmp_path):
    server = Watched(make_observatory, tmp_path / "night", "announce = yes").server
    listed = server.raw("GET", "/management/v1/configureddevices").json()["Value"]
    assert [(d["DeviceType"], d["DeviceNumber"]) for d in listed] == [("Camera", 0)]


def test_the_newest_frame_is_known_at_the_start(make_observatory, tmp_path):
    """What lies there is not measured again, but for the newest: so the page has something to show."""
    night = tmp_path / "night"
    sky = Watched(make_observatory, night)
    write(night / "one.fits", 2.0)
    sky.measured("one.fits")
    write(night / "two.fits", 3.0)
    sky.measured("two.fits")
    sky.server.stop()
    sky.server.start()
    sky.server.connect()
    assert sky.measured("two.fits")["measured"] == 1
    assert sky.server.action("MeasureStars")["file"] == "two.fits"


def test_a_folder_that_goes_and_comes(sky):
    shutil.rmtree(sky.path)
    until(lambda: sky.server.device_state("camera")["link"] == "lost", "the loss is noticed", deadline_s=60)
    assert "cannot read the folder" in sky.server.device_state("camera")["last_failure"]
    sky.path.mkdir()
    until(lambda: sky.server.device_state("camera")["link"] == "up", "it is found again", deadline_s=60)
    write(sky.path / "back.fits", 2.0)
    sky.measured("back.fits")


def test_a_knob_is_focused_by_the_frames_that_come(sky):
    """The person turns where it is told to; other software goes on exposing.  Frames that were begun before the knob
    stood still do not count."""
    best = 1200
    server = sky.server
    count = 0

    def expose(begun, position):
        nonlocal count
        count += 1
        write(sky.path / f"x{count}.fits", math.hypot(1.4, (position - best) * 0.012), EXPTIME=0.001,
              DATE_OBS=begun.isoformat(timespec="milliseconds"), FOCUSPOS=0)
        sky.measured(f"x{count}.fits")

    def now():
        return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)

    position = 1000
    server.action("SetPosition", str(position))
    server.action("GuidedFocus", "start")
    used = 0
    for _ in range(60):
        status = until(lambda: ((s := server.action("GuidedFocus"))["state"] != "running" or
                                s.get("exposures") == used) and s, "the next thing to do")
        if status["state"] != "running":
            break
        if status["phase"] == "turn":
            # A frame of a long exposure, during which the knob is turned.
            begun = now()
            position = status["target"]
            server.action("SetPosition", str(position))
            expose(begun - datetime.timedelta(seconds=2), position + 400)
            assert server.action("GuidedFocus")["exposures"] == used
        until(lambda: server.action("GuidedFocus")["phase"] == "measure", "a frame is awaited")
        assert "from now on" in server.action("GuidedFocus")["say"]
        expose(now() + datetime.timedelta(milliseconds=1), position)
        used += 1
    assert status["state"] == "succeeded", status
    assert abs(status["best_position"] - best) < 15
    assert status["exposures"] == used
