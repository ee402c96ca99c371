# SPDX-License-Identifier: MIT
"""The program as a shell sees it: options, exit codes, files."""
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.request

import pytest
from conftest import BINARY, ROOT, DEADLINE_S, until


def run(*arguments, env=None):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False, env={**os.environ, **(env or {})})


def test_version_has_the_notices():
    result = run("--version")
    assert result.returncode == 0
    notice = " ".join((ROOT / "NOTICE").read_text(encoding="utf-8").split())
    text = " ".join(result.stdout.split())
    for sentence in ("This product includes software developed by the University of Chicago, as Operator of "
                     "Argonne National Laboratory",
                     "This software is based in part on the work of the Independent JPEG Group",
                     "Copyright (c) 2009 Dan Vanderkam"):
        assert sentence in text
        assert sentence in notice


def test_help_fits_a_screen():
    result = run("--help")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) <= 24
    for option in ("--config", "--simulate", "--check", "--ready-file", "--time-factor"):
        assert option in result.stdout


@pytest.mark.parametrize("arguments, says", [
    (["--nonsense"], "--nonsense"), (["dance"], "dance"), (["--port", "x"], "--port"), (["--port"], "--port"),
    (["serve", "more"], "more"), (["--config", "/nonexistent/x.conf"], "/nonexistent/x.conf"),
])
def test_wrong_usage(arguments, says):
    result = run(*arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stdout == ""


def test_check(tmp_path):
    good = ROOT / "packaging" / "examples" / "simulator.conf"
    result = run("--check", "--config", str(good))
    assert (result.returncode, result.stderr) == (0, "")
    bad = tmp_path / "bad.conf"
    bad.write_text("[focuser.0]\ndriver = moonlite\nprot = x\n[autofocus]\npoints = 3\n", encoding="utf-8")
    result = run("--check", "--config", str(bad))
    assert result.returncode == 2
    assert f"{bad}:3:" in result.stderr
    assert f"{bad}:5: points must be 5 to 31 (odd or even), not 3" in result.stderr


def test_everything_wrong_is_told_at_once(tmp_path):
    """Lines that cannot be read do not hide what is wrong with those that can."""
    bad = tmp_path / "bad.conf"
    bad.write_text("[server]\nbind = eth0\n[focuser.0]\ndriver = moonlite\nport = COM3\nmax_step = 0xFFFF\n"
                   "[camera.0]\ndriver = replay\npath = ~/frames\n", encoding="utf-8")
    result = run("--check", "--config", str(bad))
    assert result.returncode == 2
    told = re.findall(r":(\d+): (warning)?", result.stderr)
    assert sorted(told) == [("2", ""), ("5", ""), ("6", ""), ("9", "warning")]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "packaging" / "examples").glob("*.conf")))
def test_the_examples_are_right(name):
    result = run("--check", "--config", str(ROOT / "packaging" / "examples" / name))
    assert result.returncode == 0
    # Nothing is odd about them but that their ports and folders are not on this machine.
    for line in result.stderr.splitlines():
        assert re.search(r":\d+: warning: \[\w+\.0\] (there is no /dev/|there is no program /usr/bin/|cannot read the folder of frames /PUT/)", line), line


FOCUSER, CAMERA, BOTH = "[focuser.0]\ndriver = {}\n", "[camera.0]\ndriver = {}\n", \
    "[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = simulator\n"


@pytest.mark.parametrize("text, line, says", [
    (FOCUSER.format("moonlite") + "port = COM3\n", 3, "a port of Windows"),
    (FOCUSER.format("celestron") + "port = ttyUSB0\n", 3, "did you mean /dev/ttyUSB0?"),
    (FOCUSER.format("myfocuserpro2") + "port = tcp://192.168.4.1\n", 3, "has no port number"),
    (FOCUSER.format("moonlite") + "port = '/dev/ttyUSB0'\n", 3, "without quotes"),
    (FOCUSER.format("moonlite") + "port = /dev/serial/by-id/usb-*\n", 3, "wildcard"),
    (FOCUSER.format("moonlite") + "port = /dev/serial/by-id/\n", 3, "is a folder"),
    (FOCUSER.format("simulator") + "max_step = 1000\nbacklash_steps = 5000\n", 4, "smaller than the range"),
    (FOCUSER.format("MoonLite"), 2, "did you mean 'moonlite'?"),
    (FOCUSER.format("simulator") + "camera = 3\n", 3, "there is no [camera.3]"),
    (CAMERA.format("asi"), 2, "there is no camera driver 'asi'"),
    ("[server]\nbind = pier3.local\n" + BOTH, 2, "is no IP address"),
    ("[server]\nbind = 192.168.1.20:11111\n" + BOTH, 2, "the port number stands in a line of its own"),
])
def test_what_can_never_work_is_an_error(tmp_path, text, line, says):
    """The parsers that run later are asked; the start refuses it in the same words as --check."""
    path = tmp_path / "focusd.conf"
    path.write_text(text, encoding="utf-8")
    checked = run("--check", "--config", str(path))
    started = run("--config", str(path), "--port", "0", "--discovery-port", "0", "--state-dir", str(tmp_path / "state"))
    for result in (checked, started):
        assert result.returncode == 2
        assert re.search(rf"^{re.escape(str(path))}:{line}: \[.*{re.escape(says)}", result.stderr, re.M), result.stderr
    assert "no errors" not in checked.stdout


@pytest.mark.parametrize("text, line, says", [
    (FOCUSER.format("moonlite") + "port = /dev/ttyUSB77\n", 3, "there is no /dev/ttyUSB77"),
    (FOCUSER.format("moonlite") + "port = /etc/passwd\n", 3, "is no serial port"),
    (CAMERA.format("replay") + "path = /PUT/THE/FOLDER/HERE\n", 3, "cannot read the folder of frames /PUT/THE/FOLDER/HERE"),
    (CAMERA.format("replay") + "path = ~/frames\n", 3, "~ and $ mean nothing here"),
    (CAMERA.format("replay") + "path = $HOME/frames\n", 3, "~ and $ mean nothing here"),
    (CAMERA.format("replay") + "path = \"/data\"\n", 3, "without quotes"),
    (CAMERA.format("replay") + "path = /etc\n", 3, "there is no FITS frame in /etc"),
    ("[server]\nbind = 192.0.2.1\n" + BOTH, 2, "no address of this machine just now"),
    (FOCUSER.format("simulator") + "[autofocus]\npoints = 9\n", 1, "there is no [camera.0]"),
    ("[server]\nname = \"Pier\"\n" + BOTH, 2, "without quotes"),
])
def test_what_may_be_right_tomorrow_is_a_warning(tmp_path, text, line, says):
    path = tmp_path / "focusd.conf"
    path.write_text(text, encoding="utf-8")
    result = run("--check", "--config", str(path))
    assert result.returncode == 0
    assert re.fullmatch(rf"{re.escape(str(path))}:{line}: warning: \[.*{re.escape(says)}.*\n", result.stderr), result.stderr
    assert result.stdout.splitlines()[0] == f"{path}: no errors, but see the warnings"


def test_the_address_of_the_command_line_is_read_by_the_same_rules():
    result = run("--simulate", "--bind", "pier3.local", "--port", "0")
    assert result.returncode == 2
    assert "--bind" in result.stderr and "is no IP address" in result.stderr


def test_no_configuration_says_what_to_do(tmp_path):
    if os.path.exists("/etc/focusd/focusd.conf"):
        pytest.skip("this machine has a configuration of its own")
    result = run(env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.returncode == 2
    assert "--simulate" in result.stderr and "--config" in result.stderr
    assert str(tmp_path) in result.stderr


def test_port_is_taken(observatory, tmp_path):
    result = run("--simulate", "--port", str(observatory.port), "--bind", "127.0.0.1",
                 "--discovery-port", "0", "--state-dir", str(tmp_path))
    assert result.returncode == 1
    assert str(observatory.port) in result.stderr


def test_state_directory_unusable(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    result = run("--simulate", "--port", "0", "--discovery-port", "0", "--state-dir", str(tmp_path / "file"))
    assert result.returncode == 1
    assert "file" in result.stderr


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_stops_cleanly(make_observatory, sig):
    server = make_observatory(time_factor=1)
    server.connect()
    server.action("Autofocus", {"exposure_s": 60})
    until(lambda: server.get("camera/0/camerastate") == 2, "an exposure")
    assert server.ready_file.exists()
    server.stop(sig)
    assert not server.ready_file.exists()


@pytest.mark.parametrize("sig", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_ignored_at_start_stays_ignored(tmp_path, sig):
    """As nohup leaves SIGHUP, and a shell SIGINT in its background: then the terminal's end is not the server's."""
    ready = tmp_path / "ready.json"
    process = subprocess.Popen([BINARY, "serve", "--simulate", "--bind", "127.0.0.1", "--port", "0", "--discovery-port",
                                "0", "--state-dir", str(tmp_path), "--ready-file", str(ready)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: signal.signal(sig, signal.SIG_IGN))
    try:
        until(ready.exists, "the server answers")
        url = json.loads(ready.read_text(encoding="utf-8"))["url"]
        process.send_signal(sig)
        # The kernel throws an ignored signal away when it is sent; a server that took it would be going down now.
        for _ in range(5):
            with urllib.request.urlopen(url + "healthz", timeout=DEADLINE_S) as answer:
                assert answer.read().strip() == b"ok"
        assert process.poll() is None
        ignored = int(re.search(r"SigIgn:\s*(\w+)", pathlib.Path(f"/proc/{process.pid}/status").read_text()).group(1), 16)
        assert ignored >> (sig - 1) & 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


def test_quit_stops_the_motor(make_observatory, device):
    """What a person at the terminal presses when everything else has failed."""
    motor = device("moonlite", time_factor=1)
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {motor.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected=True)
    server.put("focuser/0/move", Position=30000)
    until(lambda: server.get("focuser/0/position") > 0, "the motor turns")
    server.stop(signal.SIGQUIT)
    assert ":FQ#" in motor.sent()


def test_run_ended_by_stopping_is_in_the_history(make_observatory):
    server = make_observatory(time_factor=1)
    server.connect()
    run_id = server.action("Autofocus", {"exposure_s": 60})["run"]
    server.stop()
    server.start()
    kept = server.raw("GET", f"/focusd/v1/runs/{run_id}").json()
    assert kept["state"] == "aborted" and kept["reason"]


def test_prints_its_url(make_observatory):
    server = make_observatory()
    line = server.process.stdout.readline().decode()
    assert server.url in line
    assert f":{server.port}/" in server.url
    assert server.raw("GET", "/healthz").status == 200


def test_ready_file_is_one_line(observatory):
    text = observatory.ready_file.read_text(encoding="utf-8")
    assert text.count("\n") == 1 and text.endswith("\n")
    assert set(json.loads(text)) == {"pid", "port", "url"}


def test_emulator_prints_its_path(emulator):
    assert emulator.path.resolve().is_char_device()


def test_measure_and_fit(frames):
    sweep = sorted(str(path) for path in (frames / "c8-sweep").iterdir())
    result = run("fit", "--json", *sweep)
    assert result.returncode == 0, result.stderr
    fit = json.loads(result.stdout)
    assert fit["accepted"] is True
    assert fit["best_position"] == pytest.approx(7990, abs=10)
    assert fit["interval95_steps"][0] <= 7990 <= fit["interval95_steps"][1]
    result = run("measure", "--json", str(frames / "huntsman_dark.fits.gz"), "/nonexistent.fits")
    assert result.returncode == 1
    assert "/nonexistent.fits" in result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["stars"] for row in rows] == [0]
    assert rows[0]["hfr_px"] is None
