# SPDX-License-Identifier: MIT
"""What a device answers right after connecting, when clients ask once and believe it all night, and what it refuses
because it cannot come to anything.  The answers are those of the contract, section 8, points 6 and 8, and of the
Alpaca specification for members that a device does not have (0x400)."""
import pytest
from conftest import (INVALID_OPERATION, NOT_IMPLEMENTED, VALUE_NOT_SET, AlpacaError, until)
from test_frame_types import CASES, write_fits

FOCUSER_MEMBERS = ("absolute", "ismoving", "maxincrement", "maxstep", "position", "stepsize", "tempcomp",
                   "tempcompavailable", "temperature", "devicestate")
CAMERA_MEMBERS = ("camerastate", "ccdtemperature", "cooleron", "coolerpower", "gain", "gainmax", "gainmin",
                  "heatsinktemperature", "offset", "setccdtemperature", "sensortype", "ispulseguiding", "readoutmode",
                  "binx", "numx", "numy", "devicestate")


def ask_all(server, device, members):
    """What each member answers: its value, or the number of its error."""
    answers = {}
    for member in members:
        try:
            answers[member] = server.get(f"{device}/{member}")
        except AlpacaError as error:
            answers[member] = error.number
    return answers


def names(answers):
    return {item["Name"] for item in answers["devicestate"]}


@pytest.mark.parametrize("kind, temperature, options", [
    ("moonlite", True, {}),
    ("myfocuserpro2", True, {}),
    ("celestron", False, {}),
])
def test_a_focuser_answers_everything_at_once(make_observatory, device, kind, temperature, options):
    emulated = device(kind, time_factor=1, **options)
    server = make_observatory(simulate=False, time_factor=1, config=(
        f"[focuser.0]\ndriver = {kind}\nport = {emulated.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    first = ask_all(server, "focuser/0", FOCUSER_MEMBERS)
    assert VALUE_NOT_SET not in first.values(), first
    assert -55 < first["temperature"] < 60 if temperature else first["temperature"] == NOT_IMPLEMENTED
    assert ("Temperature" in names(first)) == temperature
    assert "Position" in names(first)


def test_simulated_devices_answer_everything_at_once(make_observatory):
    server = make_observatory(time_factor=1)
    server.connect()
    focuser = ask_all(server, "focuser/0", FOCUSER_MEMBERS)
    camera = ask_all(server, "camera/0", CAMERA_MEMBERS)
    assert VALUE_NOT_SET not in [*focuser.values(), *camera.values()], (focuser, camera)
    assert {"Temperature", "Position"} <= names(focuser)
    assert {"CCDTemperature", "CoolerPower", "HeatSinkTemperature"} <= names(camera)


def test_a_dead_sensor_is_told_and_does_not_fail_the_connect(make_observatory, device):
    """The emulated controller never answers the question for the temperature."""
    emulated = device("moonlite", faults=["no-temperature"], time_factor=1)
    server = make_observatory(simulate=False, time_factor=1, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulated.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    first = ask_all(server, "focuser/0", FOCUSER_MEMBERS)
    assert first["temperature"] == VALUE_NOT_SET
    assert isinstance(first["position"], int)
    assert server.log().count("the temperature sensor has said nothing yet") == 1


@pytest.fixture
def recorded(make_observatory, tmp_path):
    """A replay camera whose focuser exists and is not connected."""
    for position in (4900, 5000, 5100):
        case = CASES["16"]
        write_fits(tmp_path / f"star_{position}_1s.fits", case["bitpix"], case["code"], case["values"], case["bzero"])
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = simulator\nname = Knob\n[camera.0]\ndriver = replay\npath = {tmp_path}\n"))
    server.put("camera/0/connected", Connected="True")
    return server


def test_an_exposure_without_its_focuser_is_refused_at_its_start(recorded):
    for _ in range(2):
        with pytest.raises(AlpacaError) as error:
            recorded.put("camera/0/startexposure", Duration=0.1, Light="True")
        assert error.value.number == INVALID_OPERATION
        assert "Knob" in error.value.message and "connect" in error.value.message
        assert recorded.get("camera/0/camerastate") == 0
        assert recorded.get("camera/0/imageready") is False
        recorded.put("camera/0/abortexposure")
        assert recorded.get("camera/0/camerastate") == 0
    recorded.put("focuser/0/connected", Connected="True")
    recorded.put("camera/0/startexposure", Duration=0.1, Light="True")
    until(lambda: recorded.get("camera/0/imageready"), "the image is ready")


def test_refused_starts_take_no_run_number(recorded):
    """Refused for a focuser that is not connected, a parameter, and a camera that is busy; the run after them is the
    first."""
    for parameters in ("", {"points": 3}, {"camera": 7}):
        with pytest.raises(AlpacaError):
            recorded.action("Autofocus", parameters)
    recorded.put("focuser/0/connected", Connected="True")
    with pytest.raises(AlpacaError):
        recorded.action("Autofocus", {"points": 3})
    recorded.put("camera/0/startexposure", Duration=3000, Light="True")
    with pytest.raises(AlpacaError) as error:
        recorded.action("Autofocus")
    assert "busy" in error.value.message
    recorded.put("camera/0/abortexposure")
    until(lambda: recorded.get("camera/0/camerastate") == 0, "the camera is idle")
    assert recorded.action("AutofocusStatus")["run"] == 0
    assert recorded.action("Autofocus")["run"] == 1
    recorded.wait_run()
