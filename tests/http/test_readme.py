# SPDX-License-Identifier: MIT
"""The README's chapter on curl is pasted in one go into a shell, against a simulated server: it ends in focus and in a
picture, and no answer on the way is a refusal."""
import html
import json
import re
import shutil
import subprocess

import pytest
from conftest import BINARY, DEADLINE_S, ROOT

# Stands in for curl on the PATH: runs the real one with the arguments as they are, and keeps what the server answered.
RECORDER = """#!/bin/sh
n=$(ls {log} | wc -l)
printf '%s\\n' "$*" > {log}/$(printf %04d "$n").asked
exec {curl} -D {log}/$(printf %04d "$n").head "$@" | tee {log}/$(printf %04d "$n").body
"""


def blocks():
    """The shell blocks below "Everything with curl", as they would be pasted."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.split("\n## Everything with curl\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", chapter, re.S)


def answers(log):
    """What was asked, the status line and the body of every request, in order."""
    return [(path.read_text(), path.with_suffix(".head").read_text().splitlines()[0],
             path.with_suffix(".body").read_bytes()) for path in sorted(log.glob("*.asked"))]


def test_the_readme_pasted_in_one_go(make_observatory, tmp_path):
    for program in ("curl", "jq", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    server = make_observatory(time_factor=50)
    log, programs, home = tmp_path / "log", tmp_path / "programs", tmp_path / "home"
    for folder in (log, programs, home):
        folder.mkdir()
    (programs / "curl").write_text(RECORDER.format(log=log, curl=shutil.which("curl")), encoding="utf-8")
    (programs / "curl").chmod(0o755)
    first, rest = blocks()
    assert first.startswith("S=http://127.0.0.1:11111\n")
    paste = first.replace("http://127.0.0.1:11111", server.url.rstrip("/"), 1)
    # A shell reads what is pasted from its input, line by line, and goes on after a line that failed.
    printed = []
    for text in (paste, paste.split("\n\n")[0] + "\nRUN=1\n" + rest):
        ran = subprocess.run(["bash", "-u"], input=text, cwd=home, capture_output=True, text=True, timeout=300,
                             check=False, env={"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C"})
        assert ran.stderr == "", ran.stderr
        printed.append(ran.stdout)
        if len(printed) == 1:
            # The simulator's truth is not asked: the run itself checked the focus with a frame of its own.
            run = json.loads(server.raw("GET", "/focusd/v1/runs/1").text)
            assert run["state"] == "succeeded"
            assert server.get("focuser/0/position") == run["final_position"]
            assert not server.get("focuser/0/ismoving")
            assert (home / "frame.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
            picture = (home / "frame.bin").read_bytes()
            assert picture[:4] == b"\x01\0\0\0" and len(picture) > 1000000
    done = answers(log)
    assert len(done) >= 18
    for asked, status, body in done:
        assert " 200 " in status, f"{asked}\n{status}\n{body[:300]!r}"
        if body.startswith(b'{') and b"ErrorNumber" in body:
            assert json.loads(body)["ErrorNumber"] == 0, f"{asked}\n{body!r}"
    assert "Run 1 succeeded: best focus at " in printed[0]
    assert "null" not in printed[0].splitlines()
    assert "1\tsucceeded\t" in printed[1] and "position,hfr_px," in printed[1]


@pytest.mark.parametrize("path", sorted((ROOT / "packaging" / "examples").glob("*.conf")), ids=lambda path: path.name)
def test_no_example_pairs_a_real_motor_with_recorded_frames(path):
    text = path.read_text(encoding="utf-8")
    if re.search(r"^driver = replay\b", text, re.M):
        # Recorded frames follow an emulated motor's position, which lies on a pseudo terminal.
        assert re.findall(r"^port = (\S+)", text, re.M) == ["/dev/pts/PUT-THE-NUMBER-HERE"]


def modes():
    """The README's table of whose the camera is, a list of rows without the marks of code."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text.split("\n| | focusd serves the camera")[1].split("\n\n")[0].replace("`", "").splitlines()
    rows = [("| | focusd serves the camera" + lines[0]), *lines[2:]]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_setup_page_shows_the_table_of_the_readme(make_observatory):
    server = make_observatory()
    page = server.raw("GET", "/setup").text
    table = re.search(r'<table class="modes">(.*?)</table>', page, re.S).group(1)
    shown = [[html.unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)]
             for row in re.findall(r"<tr>(.*?)</tr>", table)]
    assert shown == modes()
    page = html.unescape(server.raw("GET", "/setup/v1/camera/0/setup").text)
    for label, words, *_ in modes()[2:]:
        assert f"<dt>{label}</dt><dd>{words}</dd>" in page


def check(tmp_path, driver, *lines):
    path = tmp_path / "check.conf"
    path.write_text("\n".join(["[camera.0]", f"driver = {driver}", *lines, ""]), encoding="utf-8")
    done = subprocess.run([BINARY, "--check", "--config", path], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False)
    return done.stdout, done.stderr


def test_check_says_of_each_driver_whose_the_camera_is(tmp_path):
    drivers = re.search(r"there are (.*)", check(tmp_path, "none-of-these")[1]).group(1)
    title, names = modes()[0], modes()[1]
    for driver in drivers.split(", "):
        column = next(i for i, text in enumerate(names) if driver in text.split(", "))
        said = check(tmp_path, driver, "port = tcp://127.0.0.1:7624", f"path = {tmp_path}", "command = /bin/cp x {out}.fits")[0]
        about = said.split("[camera.0] ")[1].splitlines()
        assert about[0] == f"{driver}: {title[column]}"
        assert about[1:7] == [f"  {row[0]}: {row[column]}" for row in modes()[2:]]


@pytest.mark.parametrize("lines, drop_in", [
    ("driver = exec\ncommand = /usr/bin/gphoto2 -o {out}.fits", "usb-camera.conf"),
    ("driver = exec\ncommand = /usr/bin/rpicam-still -o {out}.fits", "rpicam-camera.conf"),
    ("driver = exec\ncommand = /usr/bin/cp x {out}.fits", "usb-camera.conf for a camera on USB, rpicam-camera.conf"),
    ("driver = replay\npath = FOLDER", "folder-camera.conf"),
    ("driver = replay\npath = /", None),
    ("driver = simulator", None),
])
def test_check_names_what_the_service_must_be_allowed(tmp_path, lines, drop_in):
    """The folder of a test lies below /tmp, of which the service has one of its own."""
    driver, *rest = lines.replace("FOLDER", str(tmp_path)).removeprefix("driver = ").splitlines()
    said = re.findall(r"^  As a service it needs (.*)$", check(tmp_path, driver, *rest)[0], re.M)
    assert [drop_in in line for line in said] == ([True] if drop_in else [])
    for name in re.findall(r"[\w-]+\.conf", " ".join(said)):
        assert (ROOT / "packaging" / "systemd" / name).is_file()
