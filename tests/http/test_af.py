# SPDX-License-Identifier: MIT
"""focusd af, as sequencers call it: one line of output and an exit code (the table of both stands in the man page)."""
import json
import re
import signal
import socket
import subprocess
import threading

import conftest
import pytest
from conftest import until

BEST = 12000
SKY = f"[simulator]\nbest_position = {BEST}\n"


def af(server, *words, timeout=120):
    url = server if isinstance(server, str) else f"http://127.0.0.1:{server.port}"
    return subprocess.run([conftest.BINARY, "af", *words, "--url", url], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout)


def begin(server, *words):
    return subprocess.Popen([conftest.BINARY, "af", *words, "--url", f"http://127.0.0.1:{server.port}"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def running(server):
    return until(lambda: server.action("AutofocusStatus")["state"] == "running", "the run")


def test_a_run_says_one_line_and_exits_with_0(make_observatory, tmp_path):
    """It connects what is not connected, and puts the report where N.I.N.A. looks (nina.md 3.4)."""
    server = make_observatory(config=SKY)
    reports = tmp_path / "AutoFocus"
    reports.mkdir()
    done = af(server, "run", "--filter", "Ha", "--nina-report", str(reports))
    assert done.returncode == 0, done
    assert done.stderr == ""
    line = re.fullmatch(r"focus (\d+) \+- (\d+(?:\.\d)?) steps \((\d\.\d\d) Z\), HFR (\d+\.\d\d) px, (\d+) s, "
                        r"(\d+) frames\n", done.stdout)
    assert line, done.stdout
    run = server.action("AutofocusStatus")
    assert run["filter"] == "Ha" and run["mode"] == "full"
    assert float(line[1]) == round(run["best_position"]) == server.get("focuser/0/position")
    assert abs(run["best_position"] - BEST) < run["critical_focus_zone_steps"] / 4
    assert float(line[3]) == round(run["uncertainty_steps"] / run["critical_focus_zone_steps"], 2)
    assert float(line[4]) == round(run["hfr_final_px"], 2) and int(line[6]) == run["exposures"]
    [report] = reports.iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d--\d\d-\d\d-\d\d--Focusd\.json", report.name)
    told = json.loads(report.read_text())
    assert told["Filter"] == "Ha" and told["Fitting"] == "HYPERBOLIC"
    assert told["CalculatedFocusPoint"]["Position"] == pytest.approx(run["best_position"])
    assert [child.name for child in tmp_path.iterdir()] == ["AutoFocus"]
    # What it learned is enough to look whether it is still in focus, with one frame and without a move.
    check = af(server, "run", "--mode", "check")
    assert check.returncode == 1, check
    assert check.stdout.endswith(", 1 frame\n") and check.stdout.startswith("focus ")
    server.put("focuser/0/move", Position=BEST + 900)
    server.wait_still()
    check = af(server, "run", "--mode", "check")
    assert check.returncode == 10, check
    assert "out of focus: HFR" in check.stdout and server.get("focuser/0/position") == BEST + 900
    # 900 steps away, as the frame and the slope tell it.
    assert 800 < int(re.search(r"about (\d+) steps", check.stdout)[1]) < 1000
    quiet = af(server, "run", "--mode", "quick", "--quiet")
    assert (quiet.returncode, quiet.stdout) == (0, "")
    assert server.action("AutofocusStatus")["mode"] == "quick"
    frames = server.action("AutofocusStatus")["exposures"]
    server.put("focuser/0/move", Position=BEST + 900)
    server.wait_still()
    assert af(server, "run").returncode == 0
    assert frames < server.action("AutofocusStatus")["exposures"]
    status = af(server, "status")
    assert status.returncode == 0 and status.stdout.startswith("focus ")


def test_no_stars_is_11_and_the_focuser_is_back(make_observatory):
    server = make_observatory(config="[simulator]\ncloud = 1\n")
    server.connect()
    start = server.get("focuser/0/position")
    done = af(server, "run")
    assert done.returncode == 11, done
    assert done.stdout.startswith("failed: ") and done.stdout.count("\n") == 1
    assert server.get("focuser/0/position") == start


def test_a_check_without_knowledge_says_so(make_observatory):
    server = make_observatory(config=SKY)
    done = af(server, "run", "-m", "check")
    assert done.returncode == 10 and "run a full one first" in done.stdout


def test_a_second_run_is_refused_with_13(make_observatory):
    server = make_observatory(config=SKY, time_factor=1)
    server.connect()
    first = begin(server, "run")
    running(server)
    second = af(server, "run")
    assert second.returncode == 13, second
    assert "autofocus run 1 is going on" in second.stdout
    status = af(server, "status")
    assert status.returncode == 13 and status.stdout.startswith("running: run 1, ")
    start = server.action("AutofocusStatus")["start_position"]
    ended = af(server, "abort")
    assert ended.returncode == 0 and "the focuser is back where the run began" in ended.stdout
    out, _ = first.communicate(timeout=30)
    assert first.returncode == 10 and out.startswith("aborted: ")
    assert server.get("focuser/0/position") == start
    nothing = af(server, "abort")
    assert nothing.returncode == 0


@pytest.mark.parametrize("how", ["signal", "timeout"])
def test_who_gives_up_ends_the_run(make_observatory, how):
    server = make_observatory(config=SKY, time_factor=1)
    server.connect()
    client = begin(server, "run", *(["--timeout", "1"] if how == "timeout" else []))
    running(server)
    if how == "signal":
        client.send_signal(signal.SIGTERM)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 10, out
    assert server.action("AutofocusStatus")["state"] == "aborted"


def test_a_halted_run_is_12_because_the_focuser_is_elsewhere(make_observatory):
    server = make_observatory(config=f"{SKY}speed_steps_per_s = 200\n", time_factor=1)
    server.connect()
    start = server.get("focuser/0/position")
    client = begin(server, "run")
    until(lambda: server.get("focuser/0/position") != start, "the first move")
    server.put("focuser/0/halt")
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 12 and "halted" in out


def test_a_server_that_dies_is_20(make_observatory):
    server = make_observatory(config=SKY, time_factor=1)
    server.connect()
    client = begin(server, "run")
    running(server)
    server.stop()
    out, _ = client.communicate(timeout=15)
    assert client.returncode == 20 and out.startswith("no answer from http://127.0.0.1:")


def test_a_server_that_is_silent_is_20():
    """It takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        done = af(f"http://127.0.0.1:{door.getsockname()[1]}/", "status", timeout=30)
    assert done.returncode == 20 and "no reply came in 5 s" in done.stdout


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"Val",
                                   b"", b"HTTP/1.1 200 OK\r\n\r\nhello"])
def test_something_else_answers(reply):
    """Another program, half a reply, none: never taken for a run."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        def answer():
            peer, _ = door.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(reply)
        thread = threading.Thread(target=answer)
        thread.start()
        done = af(f"http://127.0.0.1:{door.getsockname()[1]}", "status", timeout=30)
        thread.join()
    assert done.returncode in (20, 64), done
    assert done.stdout.count("\n") == 1


def test_no_such_focuser(observatory):
    done = af(observatory, "run", "--focuser", "7")
    assert done.returncode == 64 and done.stdout.startswith("refused: "), done


@pytest.mark.parametrize("words", [[], ["go"], ["run", "--mode", "fast"], ["run", "--timeout", "0"], ["run", "more"],
                                   ["run", "--url"], ["status", "-n", "x"]])
def test_usage_is_64(words):
    done = subprocess.run([conftest.BINARY, "af", *words], capture_output=True, text=True, timeout=10)
    assert done.returncode == 64 and done.stdout == "" and "focusd af --help" in done.stderr


@pytest.mark.parametrize("url", ["pier", "https://pier", "http://", "http://pier:0", "http://pier:70000", "http://pier/x",
                                 "http://[::1", "http://:11111"])
def test_a_url_that_is_none(url):
    done = subprocess.run([conftest.BINARY, "af", "status", "-u", url], capture_output=True, text=True, timeout=10)
    assert done.returncode == 64, done


def test_what_was_learned_is_told_and_forgotten(make_observatory, tmp_path):
    """A run teaches the next one, also after a restart; the Action tells it and forgets it."""
    server = make_observatory(config=SKY)
    server.connect()
    assert server.action("Learned") == {"focuser": 0, "learned": []}
    run, _ = server.focus(filter="Ha")
    assert run["taught"]["hfr_min_px"] > 0 and run["note"] is None
    server.stop()
    server.start()
    [known] = server.action("Learned")["learned"]
    assert known["filter"] == "Ha" and known["runs"] == 1 and known["last_run"] == run["run"]
    assert known["slope_px_per_step"] == pytest.approx(run["taught"]["slope_px_per_step"])
    assert known["slope_sigma"] > 0 and known["hfr_min_sigma_px"] > 0
    assert known["best_position"] == pytest.approx(run["best_position"])
    assert known["date"] == run["started"] and known["temperature_c"] == run["temperature_c"]
    with pytest.raises(conftest.AlpacaError) as error:
        server.action("Learned", "everything")
    assert error.value.number == conftest.INVALID_VALUE
    assert server.action("Learned", "forget")["learned"] == []
    assert af(server, "run", "-m", "check").returncode == 10  # nothing is known to compare with
    assert server.get("focuser/0/supportedactions").count("Learned") == 1


def test_frames_are_kept_with_their_words(make_observatory):
    """save_frames: plain FITS with the words that other programs look for (sequencers.md 7), which focusd fit reads."""
    server = make_observatory(config=f"{SKY}[autofocus]\nsave_frames = yes\n")
    server.connect()
    run, _ = server.focus(filter="Ha", gain=120)
    kept = sorted((server.folder / "state" / "frames").rglob("*"))
    folder = server.folder / "state" / "frames" / f"run-{run['run']:06d}"
    assert kept == [folder] + [folder / f"{n:03d}.fits" for n in range(1, run["exposures"] + 1)]
    data = kept[1].read_bytes()
    assert len(data) % 2880 == 0
    words = {}
    for at in range(0, 2880, 80):
        card = data[at:at + 80].decode("ascii")
        if card.startswith("END "):
            break
        words[card[:8].strip()] = card[10:].strip().strip("'").strip()
    assert words["FILTER"] == "Ha" and words["GAIN"] == "120" and words["ROWORDER"] == "TOP-DOWN"
    assert float(words["FOCPOS"]) == float(words["FOCUSPOS"]) == run["points"][0]["position"]
    assert float(words["EXPTIME"]) == float(words["EXPOSURE"]) == run["exposure_s"]
    assert float(words["XPIXSZ"]) == server.get("camera/0/pixelsizex") * run["binning"]
    assert int(words["XBINNING"]) == run["binning"] and words["FOCNAME"] == run["focuser_name"]
    assert float(words["FOCUSSZ"]) == server.get("focuser/0/stepsize")
    assert float(words["FOCALLEN"]) > 0 and float(words["FOCTEMP"]) == pytest.approx(run["temperature_c"], abs=1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", words["DATE-OBS"])
    fit = json.loads(subprocess.run([conftest.BINARY, "fit", "--json", *map(str, kept[1:])], capture_output=True,
                                    text=True, timeout=60, check=True).stdout)
    assert fit["accepted"] and abs(fit["best_position"] - run["best_position"]) < run["critical_focus_zone_steps"] / 8


def test_wrong_optics_are_said_and_do_no_harm(make_observatory, frames):
    """A step_size_um of 3.6 times what slope (0.0127 px/step) and telescope say, which is 2.5 um, on recorded frames: a
    second plan lets the curve count, and the run says so.  packaging/examples/c8-replay.conf has the truth."""
    server = make_observatory(simulate=False, time_factor=100, config=(
        "[focuser.0]\ndriver = simulator\nstep_size_um = 9\n"
        f"[camera.0]\ndriver = replay\npath = {frames / 'c8-sweep'}\npixel_size_um = 3.8\n"
        "[telescope.0]\nfocal_length_mm = 1400\naperture_mm = 203\nobstruction_mm = 69\n"))
    server.connect()
    server.put("focuser/0/move", Position=7600)
    server.wait_still()
    run, number = server.focus()
    assert number == 0, run["reason"]
    assert "once more with the slope" in server.log()
    assert abs(run["best_position"] - 7990) < 10
    assert re.match(r"the curve is 3(\.\d)? times as flat as the telescope section", run["note"])
