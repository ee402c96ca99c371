# SPDX-License-Identifier: MIT
"""INDI's own server and simulators (Debian: indi-bin), with focusd on them: the other side of the bridge is not ours.
The truth that an autofocus has to find is the simulator's own: SIM_FOCUSING.SIM_FOCUS_POSITION of the camera, where its
stars are smallest.  Stars come from packaging/indi/gsc, a made-up catalogue, since Debian has none.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess

import pytest
from conftest import BINARY, ROOT, AlpacaError, device, until  # noqa: F401  device is a fixture
from indi import INPUT_FLUSH
from line_focusers import Dmfc, Esatto, FocusCube, PrimaLuce

# The default of indi_simulator_ccd.
BEST = 36700


class Simulators:
    def __init__(self, folder, drivers, preload):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None
        self.drivers, self.preload = drivers, preload
        self.start()

    def start(self):
        with open(self.folder / "indi.log", "ab") as log:
            self.process = subprocess.Popen(
                ["indiserver", "-r", "3", "-p", str(self.port), "-u", str(self.folder / "socket"), *self.drivers],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "HOME": str(self.folder), "PATH": f"{ROOT / 'packaging/indi'}:{os.environ['PATH']}",
                     **({"LD_PRELOAD": str(self.preload)} if self.preload else {})})
        until(self.answers, "indiserver answers")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None

    def set(self, text):
        subprocess.run(["indi_setprop", "-p", str(self.port), text], check=True, timeout=30)

    def get(self, name):
        """The value of one member, None while it is not there."""
        told = subprocess.run(["indi_getprop", "-p", str(self.port), "-t", "1", "-1", name], check=False, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
        return told or None

    def there(self, *names):
        """Waits until the drivers have told of their devices: on a busy machine that may be seconds after the server
        listens, and a connect waits for some seconds only."""
        for name in names:
            until(lambda n=name: self.get(f"{n}.CONNECTION.CONNECT"), f"{name} is there")

    def point(self):
        """Points the telescope at stars; at the pole, where it is at first, the simulator draws none."""
        self.there("Telescope Simulator", "CCD Simulator", "Focuser Simulator")
        for name in ("Telescope Simulator", "CCD Simulator"):
            self.set(f"{name}.CONNECTION.CONNECT=On")
        until(lambda: self.get("Telescope Simulator.EQUATORIAL_EOD_COORD.RA"), "the telescope is connected")
        self.set("Telescope Simulator.ON_COORD_SET.SYNC=On")
        self.set("Telescope Simulator.EQUATORIAL_EOD_COORD.RA=3;DEC=30")


@pytest.fixture
def simulators(tmp_path_factory):
    running = []

    def make(*drivers, preload=None):
        for program in ("indiserver", *drivers):
            if shutil.which(program) is None:
                pytest.skip(f"{program} is not installed (Debian: indi-bin)")
        running.append(Simulators(tmp_path_factory.mktemp("indi"), drivers, preload))
        return running[-1]

    yield make
    for simulator in running:
        simulator.stop()


def config(indi, focuser=True, camera=True):
    port = f"driver = indi\nport = tcp://127.0.0.1:{indi.port}\n"
    return ("[focuser.0]\n" + port if focuser else "") + ("[camera.0]\n" + port if camera else "")


def picture(server):
    answer = server.raw("GET", f"/api/v1/camera/0/imagearray?ClientID={server.client_id}",
                        headers={"Accept": "application/imagebytes"})
    return struct.unpack("<11i", answer.body[:44])[8:10], answer.body[44:]


def expose(server, seconds):
    server.put("camera/0/startexposure", Duration=seconds, Light="True")
    until(lambda: server.get("camera/0/imageready"), "the picture is there")
    return picture(server)


def test_what_there_is_is_listed(simulators):
    indi = simulators("indi_simulator_ccd", "indi_simulator_focus")
    until(lambda: indi.get("CCD Simulator.DRIVER_INFO.DRIVER_INTERFACE"), "the camera's driver runs")
    until(lambda: indi.get("Focuser Simulator.DRIVER_INFO.DRIVER_INTERFACE"), "the focuser's driver runs")
    command = [BINARY, "ports", "--indi", f"127.0.0.1:{indi.port}"]
    told = json.loads(subprocess.run([*command, "--json"], check=True, stdout=subprocess.PIPE).stdout)["indi"]
    assert sorted((d["device"], d["camera"], d["focuser"], d["connected"]) for d in told["devices"]) == [
        ("CCD Simulator", True, False, False), ("Focuser Simulator", False, True, False)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert f"[camera.0]\n        driver = indi\n        port = tcp://127.0.0.1:{indi.port}\n" in text
    # It only listened.
    assert indi.get("CCD Simulator.CONNECTION.CONNECT") == "Off"


def test_the_focuser(simulators, make_observatory):
    indi = simulators("indi_simulator_focus")
    indi.there("Focuser Simulator")
    server = make_observatory(simulate=False, time_factor=1, config=config(indi, camera=False))
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 50000
    assert server.get("focuser/0/maxstep") == 100000
    for target in (51000, 50999, 48000):
        server.put("focuser/0/move", Position=target)
        assert server.wait_still() == target
    assert float(indi.get("Focuser Simulator.ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION")) == 48000
    indi.set("Focuser Simulator.ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION=47000")
    until(lambda: server.get("focuser/0/position") == 47000, "another client's move is followed")
    indi.set("Focuser Simulator.CONNECTION.DISCONNECT=On")
    until(lambda: "link is back" in server.log(), "it is connected again")


def test_the_camera(simulators, make_observatory):
    indi = simulators("indi_simulator_ccd")
    indi.there("CCD Simulator")
    server = make_observatory(simulate=False, time_factor=1, config=config(indi, focuser=False))
    server.put("camera/0/connected", Connected="True")
    assert server.get("camera/0/cameraxsize") == 1280 and server.get("camera/0/cameraysize") == 1024
    size, pixels = expose(server, 0.2)
    assert size == (1280, 1024) and len(set(pixels[:2000])) > 2
    for member, value in {"BinX": 2, "BinY": 2, "StartX": 10, "StartY": 20, "NumX": 100, "NumY": 60}.items():
        server.put(f"camera/0/{member.lower()}", **{member: value})
    assert expose(server, 0.2)[0] == (100, 60)
    server.put("camera/0/startexposure", Duration=60, Light="True")
    until(lambda: server.get("camera/0/camerastate") == 2, "it exposes")
    server.put("camera/0/abortexposure")
    until(lambda: server.get("camera/0/camerastate") == 0, "it is idle")
    assert expose(server, 0.2)[0] == (100, 60)
    server.put("camera/0/setccdtemperature", SetCCDTemperature=-5)
    server.put("camera/0/cooleron", CoolerOn="True")
    until(lambda: server.get("camera/0/ccdtemperature") < -1, "it cools")


def test_a_driver_that_crashes(simulators, make_observatory):
    indi = simulators("indi_simulator_ccd")
    indi.there("CCD Simulator")
    server = make_observatory(simulate=False, time_factor=1, config=config(indi, focuser=False))
    server.put("camera/0/connected", Connected="True")
    server.put("camera/0/startexposure", Duration=60, Light="True")
    until(lambda: server.get("camera/0/camerastate") == 2, "it exposes")
    # The simulator's own crash; indiserver starts it again.
    indi.set("CCD Simulator.CCD_SIMULATE_CRASH.CRASH=On")
    until(lambda: "link lost" in server.log(), "it is noticed")
    until(lambda: "link is back" in server.log(), "it is found again")
    assert expose(server, 0.2)[0] == (1280, 1024)


def test_autofocus_finds_the_simulator_s_truth(simulators, make_observatory):
    indi = simulators("indi_simulator_telescope", "indi_simulator_ccd", "indi_simulator_focus")
    indi.point()
    server = make_observatory(simulate=False, time_factor=1,
                              config=config(indi) + "[autofocus]\nexposure_s = 1\nstep = 2500\n")
    server.connect()
    server.put("focuser/0/move", Position=42000)
    server.wait_still()
    run, number = server.focus()
    assert number == 0, run
    # Stars are smallest where the simulator has its focus; its blur grows with the square of the distance.
    assert abs(run["best_position"] - BEST) < max(3 * run["uncertainty_steps"], 150), run
    assert server.wait_still() == pytest.approx(run["best_position"], abs=1)
    assert run["hfr_final_px"] < 1.1 * run["hfr_min_px"] if "hfr_min_px" in run else run["hfr_final_px"] < 2


# INDI's own drivers of real focusers, each on an emulated device: focusd, indiserver, the driver, the device.
DRIVERS = [("indi_moonlite_focus", "MoonLite", "moonlite"),
           ("indi_myfocuserpro2_focus", "MyFocuserPro2", "myfocuserpro2")]


@pytest.mark.parametrize("program, name, kind", DRIVERS)
def test_a_real_driver(simulators, make_observatory, device, program, name, kind):
    drive(simulators, make_observatory, device(kind, position=20000, time_factor=20), program, name)


# The focusers that people own, on scripts of their lines: the program, INDI's name, the script, its temperature.
FOCUSERS = [("indi_pegasus_focuscube", "Pegasus FocusCube", FocusCube, 4.5), ("indi_dmfc_focus", "Pegasus DMFC", Dmfc, 4.5),
            ("indi_sestosenso2_focus", "Sesto Senso 2", PrimaLuce, 4.5),
            ("indi_sestosenso2_focus", "Sesto Senso 2", Esatto, 4.5),
            ("indi_esattoarco_focus", "Esatto Arco", Esatto, 4.5)]


@pytest.mark.parametrize("program, name, kind, celsius", FOCUSERS)
def test_focusers_that_people_own(simulators, make_observatory, program, name, kind, celsius):
    motor = kind(position=20000)
    try:
        server, rest = drive(simulators, make_observatory, motor, program, name)
        # Drivers tell the place of a halt when they ask the next time.
        until(lambda: server.get("focuser/0/position") == motor.position, "focusd says where the motor is")
        assert not motor.moves and abs(motor.position - rest) < 20000
        assert server.get("focuser/0/temperature") == celsius
        assert not any("W:" in line or '"CAL_' in line and '"cmd"' in line for line in motor.heard)
    finally:
        motor.stop()


def drive(simulators, make_observatory, motor, program, name):
    """Moves the device on this line to and fro and halts it; the server, and where it rests then."""
    indi = simulators(program, preload=INPUT_FLUSH)
    until(lambda: indi.get(f"{name}.DEVICE_PORT.PORT"), "a port can be set")
    indi.set(f"{name}.DEVICE_PORT.PORT={motor.path}")
    # Off, or a failed connect would roam over all ports of this machine.
    indi.set(f"{name}.DEVICE_AUTO_SEARCH.INDI_DISABLED=On")
    server = make_observatory(simulate=False, time_factor=1, config=config(indi, camera=False) + f"device = {name}\n")

    def connected():
        try:
            server.put("focuser/0/connected", Connected="True")
        except AlpacaError:
            return False
        return server.get("focuser/0/connected")

    # The driver's handshake may take longer than one connect.
    until(connected, "it is connected")
    assert server.get("focuser/0/position") == 20000
    for target in (20400, 19900):
        server.put("focuser/0/move", Position=target)
        assert server.wait_still() == target
    server.put("focuser/0/move", Position=min(server.get("focuser/0/maxstep"), 60000))
    until(lambda: server.get("focuser/0/position") > 20500, "the motor runs")
    server.put("focuser/0/halt")
    rest = server.wait_still()
    assert 20500 < rest < 60000
    assert -30 < server.get("focuser/0/temperature") < 50
    return server, rest
