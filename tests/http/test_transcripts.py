# SPDX-License-Identifier: MIT
"""Transcripts through the whole program: what it writes, the replay test plays back to the driver."""
import pathlib
import subprocess

from conftest import BINARY, until

REPLAY = pathlib.Path(BINARY).parent.parent / "tests" / "unit" / "drivers" / "test_replay"


def faults(server):
    return sorted((server.folder / "state" / "transcripts").glob("focuser.0-*.txt"))


def replay(path):
    done = subprocess.run([REPLAY, path], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout + path.read_text(encoding="ascii")


def test_a_session_is_played_back(make_observatory, emulator):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\ntranscript = yes\n"))
    server.put("focuser/0/connected", Connected="True")
    server.put("focuser/0/move", Position=9000)
    assert server.wait_still() == 9000
    server.put("focuser/0/connected", Connected="False")
    server.stop()
    assert faults(server) == []
    path = server.folder / "state" / "transcripts" / "focuser.0.txt"
    text = path.read_text(encoding="ascii")
    assert "# driver: moonlite\n" in text
    assert " = move 9000\n" in text
    replay(path)


def test_a_pulled_cable_leaves_a_transcript(make_observatory, emulator):
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    assert faults(server) == []
    emulator.stop()
    path = until(lambda: faults(server), "the transcript is written")[0]
    until(lambda: f"what was said before is in {path}" in server.log(), "the log names it")
    text = path.read_text(encoding="ascii")
    assert "# reason: " in text and "is gone" in text
    assert text.endswith(" ! io\n")
    assert " < 1DB0#" in text
    until(lambda: all(f"transcript {line}\n" in server.log() for line in text.splitlines()[-5:]), "its end is in the log")
    replay(path)
    assert not (server.folder / "state" / "transcripts" / "focuser.0.txt").exists()


def test_who_answers_nonsense_is_on_record(make_observatory, make_emulator):
    emulator = make_emulator(7600, "--fault", "garbage")
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n"))
    server.put("focuser/0/connected", Connected="True")
    path = until(lambda: faults(server), "the transcript is written")[0]
    until(lambda: "what was said before" in server.log(), "the log names it")
    assert " < \\xFE\\x80z4\\x00?\n" in path.read_text(encoding="ascii")
    replay(path)
