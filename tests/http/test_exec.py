# SPDX-License-Identifier: MIT
"""A camera that is a command: one that works, and those that are met at a telescope: it fails, says nothing, hangs,
ignores being asked, writes half a frame or none, floods.  The truth is in the scripts that stand for it."""
import os
import pathlib
import stat
import subprocess
import textwrap

import numpy
import pytest
from astropy.io import fits
from conftest import BINARY, DEADLINE_S, AlpacaError, until

WIDE, HIGH = 30, 20


def write_frame(path):
    """Every pixel is another number, so that none can stand in a wrong place."""
    pixels = numpy.arange(WIDE * HIGH, dtype=numpy.uint16).reshape(HIGH, WIDE) + 1000
    fits.PrimaryHDU(pixels).writeto(path)
    return pixels


@pytest.fixture
def telescope(tmp_path, make_observatory):
    """Makes a server whose camera is a shell script with the frame's path as $1 and the exposure in seconds as $2;
    until the file `ready` exists, the script is one that works."""
    write_frame(tmp_path / "good.fits")

    def make(script, extra=""):
        path = tmp_path / "camera"
        path.write_text(f"#!/bin/sh\ncd {tmp_path}\n[ -e ready ] || exec cp good.fits \"$1\"\n" + textwrap.dedent(script),
                        encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        server = make_observatory(simulate=False, config="[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = exec\n"
                                  f"command = {path} {{out}}.fits {{s}}\n{extra}")
        server.connect()
        (tmp_path / "ready").touch()
        return server

    return make


def expose(server, duration=0.01, **more):
    server.put("camera/0/startexposure", Duration=duration, Light="True", **more)


def failure(server):
    """The words with which an exposure failed."""
    def failed():
        try:
            assert not server.get("camera/0/imageready")
        except AlpacaError as error:
            return error.message
        return None

    return until(failed, "the exposure fails")


def test_the_frame_arrives_as_it_was_written(tmp_path, telescope):
    server = telescope('cp good.fits "$1"; echo "$2" >asked')
    assert (server.get("camera/0/cameraxsize"), server.get("camera/0/cameraysize")) == (WIDE, HIGH)
    assert server.get("camera/0/description").startswith("Command camera")
    expose(server, 0.25)
    until(lambda: server.get("camera/0/imageready"), "the frame is there")
    assert (tmp_path / "asked").read_text(encoding="ascii") == "0.25\n"
    truth = fits.getdata(tmp_path / "good.fits")
    # Alpaca's first index is x.
    assert numpy.array_equal(numpy.array(server.get("camera/0/imagearray")), truth.T)
    server.put("camera/0/startx", StartX=3)
    server.put("camera/0/starty", StartY=5)
    server.put("camera/0/numx", NumX=4)
    server.put("camera/0/numy", NumY=2)
    expose(server)
    until(lambda: server.get("camera/0/imageready"), "the part is there")
    assert numpy.array_equal(numpy.array(server.get("camera/0/imagearray")), truth[5:7, 3:7].T)


@pytest.mark.parametrize("script, says", [
    ("echo 'ERROR: no cameras available' >&2; exit 1", "camera failed (1): ERROR: no cameras available"),
    ("exit 3", "camera failed (3): it said nothing"),
    ("echo done", "wrote no frame"),
    ('head -c 2900 good.fits >"$1"', "frame-"),
    ('echo hello >"$1"', "frame-"),
    ("kill -SEGV $$", "camera was ended by a signal (Segmentation fault)"),
    ("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last; exit 4", "camera failed (4): last"),
], ids=["fails", "silent", "no frame", "half a frame", "no FITS", "crash", "flood"])
def test_what_goes_wrong_is_said_and_the_next_one_works(tmp_path, telescope, script, says):
    server = telescope("[ -e mended ] && exec cp good.fits \"$1\"\n" + script)
    expose(server)
    assert says in failure(server)
    assert server.get("camera/0/connected") is True
    (tmp_path / "mended").touch()
    expose(server)
    until(lambda: server.get("camera/0/imageready"), "the next frame is there")


def alive(pid):
    """Whether it runs.  The file goes away with the process, also between the opening and the reading (ESRCH)."""
    try:
        stat_line = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat_line.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("trap", ["", "trap '' TERM"], ids=["goes", "ignores TERM"])
@pytest.mark.parametrize("how", ["abort", "disconnect", "stop"])
def test_a_command_that_hangs_is_ended(tmp_path, telescope, trap, how):
    server = telescope(f"{trap}\necho $$ >pid.new; mv pid.new pid; while :; do sleep 0.05; done")
    expose(server)
    until(lambda: (tmp_path / "pid").exists(), "the command runs")
    pid = int((tmp_path / "pid").read_text(encoding="ascii"))
    assert alive(pid)
    assert server.get("focuser/0/position") >= 0
    if how == "abort":
        server.put("camera/0/abortexposure")
    elif how == "disconnect":
        server.put("camera/0/connected", Connected="False")
        server.client().put("camera/0/disconnect")
        server.stop()
    else:
        server.stop()
    until(lambda: not alive(pid), "the command is gone")


def test_nothing_is_left_behind(telescope):
    def folders():
        return {name for name in os.listdir("/dev/shm") if name.startswith("focusd-exec.")}

    before = folders()
    server = telescope('cp good.fits "$1"; cp good.fits "$1.jpg"')
    mine = folders() - before
    for _ in range(3):
        expose(server)
        until(lambda: server.get("camera/0/imageready"), "the frame is there")
    server.stop()
    assert mine and not mine & folders()


def test_another_size_is_learned(tmp_path, telescope):
    server = telescope('cp good.fits "$1"')
    (tmp_path / "good.fits").unlink()
    fits.PrimaryHDU(numpy.full((50, 40), 7, numpy.uint16)).writeto(tmp_path / "good.fits")
    expose(server)
    assert "40 x 50 px now and were 30 x 20" in failure(server)
    until(lambda: server.get("camera/0/cameraxsize") == 40, "the camera was looked at anew")


def check(tmp_path, lines):
    path = tmp_path / "check.conf"
    path.write_text("[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = exec\n" + lines, encoding="utf-8")
    done = subprocess.run([BINARY, "--check", "--config", path], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("lines, code, says", [
    ("", 2, "driver exec needs a command"),
    ("command = rpicam-still -o {out}.fits\n", 2, "check.conf:5: [camera.0] command must begin with the whole path of a program"),
    ("command = /bin/cp x {out}.fits {exposure}\n", 2, "there is no place {exposure}"),
    ("command = /bin/cp \"x {out}.fits\n", 2, "the quote \" is not closed"),
    ("command = /bin/cp x y\n", 2, "command must contain {out}"),
    ("command = /bin/cp x {out}.dng\nframe = frame.dng\n", 2, "frame must contain {out}"),
    ("command = /usr/bin/no-such-camera -o {out}.fits\n", 0, "there is no program /usr/bin/no-such-camera"),
    ("command = /bin/cp x {out}.fits\npath = /tmp\n", 0, "does not use path"),
    ("command = /bin/cp x {out}.fits\n", 0, "no errors"),
])
def test_check_reads_the_command(tmp_path, lines, code, says):
    got, said = check(tmp_path, lines)
    assert says in said
    assert got == code


def test_a_run_focuses_with_a_command(tmp_path, make_observatory):
    """The script is a camera that sees where the focuser stands, as a real one does: stars whose width has its least at
    7990 and grows with the distance from there.  That number is the truth, and nothing but the script knows it."""
    script = tmp_path / "telescope"
    script.write_text(textwrap.dedent(f"""\
        #!/usr/bin/python3
        import gzip, json, pathlib, sys, urllib.request
        import numpy
        facts = pathlib.Path({str(tmp_path / 'where')!r}).read_text()
        url = facts + "api/v1/focuser/0/position?ClientID=77&ClientTransactionID=1"
        position = json.load(urllib.request.urlopen(url))["Value"]
        sigma, size = numpy.hypot(1.5, (position - 7990) / 45), 600
        sky = numpy.random.default_rng(4)
        image = numpy.full((size, size), 1000.0)
        for x, y, flux in zip(sky.uniform(60, 540, 40), sky.uniform(60, 540, 40), sky.uniform(5e4, 5e5, 40)):
            across = numpy.exp(-0.5 * ((numpy.arange(size) - x) / sigma) ** 2)
            down = numpy.exp(-0.5 * ((numpy.arange(size) - y) / sigma) ** 2)
            image += flux / (2 * numpy.pi * sigma ** 2) * numpy.outer(down, across)
        image += numpy.random.default_rng(position).normal(0, 10, image.shape)
        cards = [f"SIMPLE  = {{'T':>20}}", f"BITPIX  = {{16:>20}}", f"NAXIS   = {{2:>20}}", f"NAXIS1  = {{size:>20}}",
                 f"NAXIS2  = {{size:>20}}", f"BZERO   = {{32768:>20}}", "END"]
        head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
        data = (numpy.clip(image, 0, 65535).round() - 32768).astype(">i2").tobytes()
        pathlib.Path(sys.argv[1]).write_bytes(gzip.compress(head + data + bytes(-len(data) % 2880), 1))
        """), encoding="utf-8")
    script.chmod(0o755)
    server = make_observatory(simulate=False, config=textwrap.dedent(f"""\
        [focuser.0]
        driver = simulator
        [simulator]
        best_position = 8000
        [camera.0]
        driver = exec
        command = {script} {{out}}.fits.gz
        frame = {{out}}.fits.gz
        pixel_size_um = 3.8
        [telescope.0]
        focal_length_mm = 1400
        aperture_mm = 203
        obstruction_mm = 69
        """))
    (tmp_path / "where").write_text(server.url, encoding="ascii")
    server.put("focuser/0/connected", Connected="True")
    server.put("focuser/0/move", Position=7700)
    server.wait_still()
    server.put("camera/0/connected", Connected="True")
    run, number = server.focus(exposure_s=0.01)
    assert number == 0, run["reason"]
    assert abs(run["best_position"] - 7990) < 15
