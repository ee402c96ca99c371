# SPDX-License-Identifier: MIT
"""Every command of the README's chapter on curl is run as it stands there, against a simulated server."""
import json
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, until


def commands():
    """The lines of the shell blocks below "Everything with curl"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.split("\n## Everything with curl\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", chapter, re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_the_curl_commands(make_observatory, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    server = make_observatory(time_factor=50)
    variables, done = [], []
    for line in commands():
        if not line.startswith("curl "):
            name, value = re.fullmatch(r"([A-Z])=(\S+)", line).groups()
            variables.append(f"{name}={server.url.rstrip('/') if name == 'S' else value}")
            continue
        if "imagearray" in line:
            until(lambda: server.get("camera/0/imageready"), "the picture")
        # A line that is pasted must not need the shell's mercy: undefined variables are faults.
        words = line.replace("curl ", "curl -sS -w '\\n%{http_code} %{content_type}' ", 1)
        ran = subprocess.run(["sh", "-euc", "\n".join([*variables, words])], cwd=tmp_path, capture_output=True,
                             text=True, timeout=300, check=False)
        assert ran.returncode == 0, f"{line}\n{ran.stderr}"
        body, status = ran.stdout.rsplit("\n", 1)
        assert status.startswith("200 "), f"{line}\n{ran.stdout}"
        if "/api/v1/" in line.replace("$F", "/api/v1/").replace("$C", "/api/v1/") and body:
            assert json.loads(body)["ErrorNumber"] == 0, f"{line}\n{body}"
        done.append((line, body))
    assert len(done) >= 15
    bodies = dict(done)
    assert len(json.loads(bodies["curl $S/management/v1/configureddevices"])["Value"]) == 2
    picture = (tmp_path / "frame.bin").read_bytes()
    assert picture[:4] == b"\x01\0\0\0" and len(picture) > 1000000
    assert (tmp_path / "frame.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    wait = next(body for line, body in done if "AutofocusWait" in line)
    assert json.loads(json.loads(wait)["Value"])["state"] == "succeeded"
    assert json.loads(bodies["curl $S/focusd/v1/runs"])
    assert bodies['curl "$S/focusd/v1/runs/1?format=csv"'].count("\n") > 5
