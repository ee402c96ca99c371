# SPDX-License-Identifier: MIT
"""R14, N.I.N.A.'s autofocus over our two devices, and R15, our autofocus as its action."""
import threading

import nina as n
import numpy
import pytest
from conftest import Observatory, until
from nina import Nina
from wire import in_parallel

BEST = 12345.0
CONFIG = f"[simulator]\nbest_position = {BEST}\nwidth = 640\nheight = 480\nstars = 60\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    observatory = Observatory(tmp_path_factory.mktemp("autofocus"), time_factor=40, config=CONFIG)
    yield observatory
    observatory.stop()


def frame_of(body):
    width, height = numpy.frombuffer(body[32:40], "<i4")
    return numpy.frombuffer(body[44:], "<u2").reshape(width, height).astype(float)


def box(image, half):
    """Sums over squares of 2 half + 1 pixels."""
    total = numpy.pad(image, ((half + 1, half), (half + 1, half))).cumsum(0).cumsum(1)
    side = 2 * half + 1
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]


def mean_radius(image, count=12, radius=24):
    """What N.I.N.A. calls HFR: sum(flux r) / sum(flux) of the brightest stars that stand alone.  This
    test's own measurement, so that nothing of the server's agrees with itself."""
    image = image - numpy.median(image)
    blurred = box(image, 4)
    blurred[:radius, :] = blurred[-radius:, :] = blurred[:, :radius] = blurred[:, -radius:] = -1e9
    across, down = numpy.mgrid[-radius:radius + 1, -radius:radius + 1]
    found = []
    for _ in range(count):
        x, y = numpy.unravel_index(blurred.argmax(), blurred.shape)
        if blurred[x, y] <= 0:
            break
        part = image[x - radius:x + radius + 1, y - radius:y + radius + 1]
        part = part - numpy.median(part[(across ** 2 + down ** 2) > (radius - 4) ** 2])
        part = numpy.where(across ** 2 + down ** 2 <= radius ** 2, part, 0)
        flux = part.sum()
        bright = numpy.clip(part, 0, None)
        cx, cy = (bright * across).sum() / bright.sum(), (bright * down).sum() / bright.sum()
        found.append((part * numpy.hypot(across - cx, down - cy)).sum() / flux)
        blurred[x - radius:x + radius + 1, y - radius:y + radius + 1] = -1e9
    return float(numpy.median(found))


def test_r14_autofocus_of_nina(server):
    focuser = n.connect_focuser(server.port)
    camera = n.connect(Nina(server.port, "camera/0"))
    start = int(BEST) + 40
    n.move(focuser, start)
    offset, step = 4, 50
    points = {}

    def sample(position, following=None):
        n.expose(camera, 4)
        body = n.wait_image(camera)
        if following is not None:
            n.move(focuser, following)  # while the picture is analysed
        points[position] = mean_radius(frame_of(body))

    position = start + offset * step
    n.move(focuser, position)
    for k in range(offset + 1):
        following = position - step if k < offset else None
        sample(position, following)
        position -= step
    while True:
        low = min(points, key=points.get)
        left = [p for p in points if p < low and points[p] > points[low] + 0.1]
        right = [p for p in points if p > low and points[p] > points[low] + 0.1]
        if len(left) >= offset and len(right) >= offset:
            break
        assert len(points) < 10 * offset, f"no curve: {points}"
        following = min(points) - step if len(left) < offset else max(points) + step
        n.move(focuser, following)
        sample(following)
    # A hyperbola: the square of its value is a parabola.
    where = numpy.array(sorted(points))
    value = numpy.array([points[p] for p in where])
    middle = where.mean()
    a, b, _ = numpy.polyfit(where - middle, value ** 2, 2, w=1 / value)
    result = middle - b / (2 * a)
    n.move(focuser, round(result))
    sample(round(result))
    assert abs(result - BEST) <= 10, points
    focuser.close()
    camera.close()


def poll_while(server, over):
    def focuser():
        nina = n.connect_focuser(server.port)
        seen = set()
        while not over.is_set():
            n.poll_focuser(nina)
            seen.add(nina.state()["Position"])
        nina.close()
        assert len(seen) > 3, "positions move"

    def camera():
        nina = n.connect(Nina(server.port, "camera/0"))
        while not over.is_set():
            n.poll_camera(nina)
            assert nina.state()["ImageReady"] is False, "a run's frames are its own"
        nina.close()

    return focuser, camera


def connected(server):
    """Both devices, the camera without a picture."""
    camera = Nina(server.port, "camera/0")
    camera.do("connected", Connected="True")
    focuser = n.connect_focuser(server.port)
    return focuser, camera


@pytest.fixture
def fresh(tmp_path):
    observatory = Observatory(tmp_path, time_factor=40, config=CONFIG)
    yield observatory
    observatory.stop()


def test_r15_a_run_from_start_to_end(fresh):
    focuser, camera = connected(fresh)
    names = focuser.value("supportedactions")
    assert {"Autofocus", "AutofocusStatus", "AutofocusWait", "AutofocusAbort"} <= set(names)
    over = threading.Event()

    def run():
        try:
            ids = focuser.ids_now()
            first, started = n.action(focuser, "Autofocus", ids=ids)
            assert started["state"] == "running"
            # Sent again with the same ids it joins; with others it is refused, naming the run.
            assert n.action(focuser, "Autofocus", ids=ids)[0] == first
            second, _ = n.action(focuser, "Autofocus")
            assert second["ErrorNumber"] == 0x40B and str(started["run"]) in second["ErrorMessage"]
            # Nobody else moves or exposes.
            refused = focuser.P("move", Position=100)
            assert refused["ErrorNumber"] == 0x40B and str(started["run"]) in refused["ErrorMessage"]
            refused = camera.P("startexposure", Duration=1, Light=True)
            assert refused["ErrorNumber"] == 0x40B and str(started["run"]) in refused["ErrorMessage"]
            phases = set()

            def status():
                _, run = n.action(focuser, "AutofocusStatus")
                assert run["run"] == started["run"] and 0 <= run["progress"] <= 1
                phases.add(run["phase"])
                return run["state"] != "running"

            until(status, "the run ends", pause_s=0.05, deadline_s=200)
            assert len(phases) > 2
            found, run = n.action(focuser, "AutofocusWait")
            assert found["ErrorNumber"] == 0 and run["state"] == "succeeded", run
            assert abs(run["best_position"] - BEST) <= 13  # a quarter of the critical focus zone
            assert focuser.value("position") == run["final_position"]
        finally:
            over.set()

    in_parallel(run, *poll_while(fresh, over))
    focuser.close()
    camera.close()


def test_r15_wait_tells_a_run_that_goes_on(server):
    focuser, camera = connected(server)
    n.action(focuser, "Autofocus", '{"exposure_s": 600}')
    found, _ = n.action(focuser, "AutofocusWait", "0.1")
    assert found["ErrorNumber"] == 0x40B and "running" in found["ErrorMessage"]
    n.action(focuser, "AutofocusAbort")
    until(lambda: n.action(focuser, "AutofocusStatus")[1]["state"] == "aborted", "it is aborted")
    found, _ = n.action(focuser, "AutofocusWait")
    assert found["ErrorNumber"] == 0x40E
    focuser.close()
    camera.close()


@pytest.mark.parametrize("who", ["the same client", "another client"])
def test_r15_halt_ends_the_run_where_it_stands(server, who):
    focuser, camera = connected(server)
    start = focuser.value("position")
    n.action(focuser, "Autofocus", '{"exposure_s": 60}')
    until(lambda: focuser.value("position") != start, "the run moves", pause_s=0)
    halter = focuser if who == "the same client" else n.connect_focuser(server.port)
    halter.do("halt")
    until(lambda: n.action(focuser, "AutofocusStatus")[1]["state"] == "aborted", "it is aborted")
    until(lambda: focuser.value("ismoving") is False, "it rests")
    rest = focuser.value("position")
    until(lambda: camera.value("camerastate") == 0, "the camera is free")
    for _ in range(50):
        assert focuser.value("ismoving") is False and focuser.value("position") == rest
    assert n.action(focuser, "AutofocusStatus")[1]["final_position"] == rest
    n.move(focuser, start)
    focuser.close()
    camera.close()


def test_r15_abortexposure_ends_the_run(server):
    """Abort, not halt: the focuser goes back to where the run began."""
    focuser, camera = connected(server)
    start = focuser.value("position")
    n.action(focuser, "Autofocus", '{"exposure_s": 600}')
    until(lambda: camera.value("camerastate") == 2, "it exposes")
    camera.do("abortexposure")
    until(lambda: n.action(focuser, "AutofocusStatus")[1]["state"] == "aborted", "it is aborted")
    until(lambda: focuser.value("ismoving") is False, "it rests")
    assert focuser.value("position") == start
    focuser.close()
    camera.close()


def test_r15_unknown_action(server):
    focuser, _ = connected(server)
    assert n.action(focuser, "Levitate")[0]["ErrorNumber"] == 0x40C
    assert Nina(server.port, "camera/0").P("action", Action="Levitate", Parameters="")[
        "ErrorNumber"] == 0x40C


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("body, number", [
    ("Action=autofocusstatus&Parameters=", 0),
    ("Action=AUTOFOCUSSTATUS&Parameters=", 0),
    ("Action=AutofocusStatus", 0),
    ("Action=AutofocusStatus&Parameters=+", 0),
    ("Action=MeasureStars&Parameters=%7B%22exposure_s%22%3A+1%7D", 0),
    ('Action=MeasureStars&Parameters={"exposure_s": 1}', 0),
    ("Action=MeasureStars&Parameters=%7B%22exposure_s%22%3A%22lang%22%7D", 0x401),
    ("Action=MeasureStars&Parameters=%7B%22belichtung_%C3%A4%22%3A1%7D", 0x401),
    ("Action=Sch%C3%A4rfe&Parameters=", 0x40C),
    ("Parameters=&Action=AutofocusStatus&Parameters=x", 0),
])
def test_r15_spellings(server, body, number):
    focuser, _ = connected(server)
    answer = focuser.raw("PUT", "/api/v1/focuser/0/action", body, FORM)
    assert answer.status == 200, answer.body[:300]
    assert answer.json()["ErrorNumber"] == number, answer.json()
    focuser.close()
