# SPDX-License-Identifier: MIT
"""The README's chapter on curl is pasted in one go into a shell, against a simulated server: it ends in focus and in a
picture, and no answer on the way is a refusal."""
import json
import re
import shutil
import subprocess

import pytest
from conftest import ROOT

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
