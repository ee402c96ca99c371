# SPDX-License-Identifier: MIT
"""Stars know where they stand: the field that a run learns, and the focus error that a single frame then tells.  The
truth is what the configuration gives the simulated sky: tilt from edge to edge, curvature from the middle to the
corners, best focus in the middle."""
import json
import struct
import subprocess

import numpy
import pytest
from astropy.io import fits
from conftest import BINARY, Observatory, until

BEST = 8200
TILT_X, TILT_Y, CURVATURE = 80, -40, 60
STEP_UM = 3


def sky(**settings):
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    return f"[simulator]\nbest_position = {BEST}\n{lines}"


def best_of_stars(field):
    """Best focus at the mean place of the stars, to which focus errors refer, by the truth."""
    x, y, q = field["train"]["centre"]
    half = 0.5 * numpy.hypot(field["train"]["width"], field["train"]["height"])
    across, down = half / field["train"]["width"], half / field["train"]["height"]
    return BEST + (TILT_X * x * across + TILT_Y * y * down + CURVATURE * q) / STEP_UM


def go_and_measure(server, position):
    server.put("focuser/0/move", Position=round(position))
    server.wait_still()
    return server.action("MeasureStars", {"exposure_s": 3})


@pytest.fixture(scope="module")
def oblique(tmp_path_factory):
    server = Observatory(tmp_path_factory.mktemp("oblique"),
                         config=sky(tilt_x_um=TILT_X, tilt_y_um=TILT_Y, curvature_um=CURVATURE))
    try:
        server.connect()
        run, number = server.focus()
        assert (run["state"], number) == ("succeeded", 0), run["reason"]
        yield server, run
    finally:
        server.stop()


def test_a_run_learns_tilt_and_curvature(oblique):
    _, run = oblique
    field = run["field"]
    for name, truth in (("tilt_x", TILT_X), ("tilt_y", TILT_Y), ("curvature", CURVATURE)):
        # Pixels and close pairs add to what the stars' noise explains.
        assert abs(field[f"{name}_um"] - truth) < max(3 * field[f"{name}_sigma_um"], 3), (name, field)
        assert field[f"{name}_um"] == pytest.approx(field[f"{name}_steps"] * STEP_UM)
        assert field[f"{name}_sigma_um"] < 5
    assert abs(field["best_middle"] - BEST) < 4
    assert abs(field["best_whole"] - (BEST + CURVATURE / STEP_UM / 3)) < 4
    assert field["um_per_step"] == STEP_UM
    assert field["stars"] > 40 and field["frames"] >= 5


def test_one_frame_tells_the_side(oblique):
    server, run = oblique
    for offset in (-200, -60, -25, 25, 60, 200):
        tells(server, best_of_stars(run["field"]), offset)


def tells(server, best, offset):
    seen = go_and_measure(server, best + offset)
    assert seen["focus_note"] is None
    assert abs(seen["focus_error_steps"] - offset) < max(0.08 * abs(offset), 4)
    assert abs(seen["focus_error_steps"] - offset) * STEP_UM < 4 * seen["focus_error_sigma_um"]
    assert seen["focus_error_um"] == pytest.approx(seen["focus_error_steps"] * STEP_UM)
    assert seen["sign_probability"] > 0.99


def write_frame(server, path):
    server.put("camera/0/startexposure", Duration=3, Light="True")
    until(lambda: server.get("camera/0/imageready"), "the image is ready")
    body = server.raw("GET", "/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"}).body
    start, _, element, _, width, height, _ = struct.unpack("<7i", body[16:44])
    kind = {8: "<u2", 2: "<i4"}[element]
    fits.PrimaryHDU(numpy.frombuffer(body[start:], kind).reshape(width, height).T.astype("u2")).writeto(path)


def measure(*arguments):
    result = subprocess.run([BINARY, "measure", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                            check=False)
    return result


def test_a_file_is_told_by_the_train_of_a_run(oblique, tmp_path):
    server, run = oblique
    best = best_of_stars(run["field"])
    export = tmp_path / "run.json"
    export.write_bytes(server.raw("GET", f"/focusd/v1/runs/{run['run']}").body)
    server.put("focuser/0/move", Position=round(best - 60))
    server.wait_still()
    frame = tmp_path / "frame.fits"
    write_frame(server, frame)
    seen = json.loads(measure("--json", "--train", export, frame).stdout)
    assert abs(seen["focus_error_steps"] + 60) < 5 and seen["sign_probability"] > 0.99
    assert "focus error -" in measure("--train", export, frame).stdout
    # Without a train nothing is said of it; a file that holds none is refused before any frame is read.
    assert "focus_error_um" not in json.loads(measure("--json", frame).stdout)
    export.write_text("{}", encoding="ascii")
    refused = measure("--train", export, frame)
    assert refused.returncode == 1 and "no train" in refused.stderr and refused.stdout == ""
    assert measure("--train", tmp_path / "absent.json", frame).returncode == 1


def test_a_flat_field_cannot_tell(make_observatory):
    server = make_observatory(config=sky())
    server.connect()
    # Before the first run nothing is known.
    assert "focus_error_um" not in server.action("MeasureStars", {"exposure_s": 3})
    run, _ = server.focus()
    assert abs(run["field"]["tilt_x_um"]) < 5 and abs(run["field"]["curvature_um"]) < 8
    for offset in (-150, 150):
        seen = go_and_measure(server, run["best_position"] + offset)
        assert seen["focus_error_um"] is None and seen["focus_note"].startswith("cannot tell")
        assert seen["focus_error_sigma_um"] > 100 * STEP_UM
        assert seen["focus_distance_steps"] == pytest.approx(150, rel=0.1)


def test_what_was_learned_outlasts_the_server(make_observatory):
    server = make_observatory(config=sky(tilt_x_um=TILT_X, tilt_y_um=TILT_Y, curvature_um=CURVATURE))
    server.connect()
    run, _ = server.focus()
    server.stop()
    server.start()
    server.connect()
    again = server.action("AutofocusStatus")
    assert again["field"] == run["field"]
    seen = go_and_measure(server, best_of_stars(run["field"]) + 60)
    assert abs(seen["focus_error_steps"] - 60) < 6


def test_a_run_begins_on_the_side_that_its_first_frame_tells(make_observatory):
    server = make_observatory(config=sky(tilt_x_um=TILT_X, tilt_y_um=TILT_Y, curvature_um=CURVATURE))
    server.connect()
    run, _ = server.focus()
    # To either side of focus: one of them is the side that a run begins with when it knows none.
    for offset in (-150, 150):
        server.put("focuser/0/move", Position=round(best_of_stars(run["field"]) + offset))
        server.wait_still()
        again, number = server.focus()
        assert (again["state"], number) == ("succeeded", 0), again["reason"]
        first, second = (point["position"] for point in again["points"][:2])
        assert (second - first) * offset < 0
        assert abs(again["field"]["tilt_x_um"] - TILT_X) < 5
