# SPDX-License-Identifier: MIT
"""The state directory under bad conditions: shared by mistake, damaged, full, and after a kill.  Ids increase,
ids of devices stay, nothing is overwritten, errors are sentences."""
import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import urllib.request

import pytest

from conftest import BINARY, DEADLINE_S, SANITIZED, until


# A small sensor: these runs are about what is kept of them.
SMALL = "[simulator]\nwidth = 1000\nheight = 800\n"


def refused(*arguments, program=BINARY, **options):
    """Starts a server that must end by itself; what it said on standard error."""
    result = subprocess.run([program, "serve", "--simulate", "--bind", "127.0.0.1", "--discovery-port", "0",
                             *arguments],
                            capture_output=True, text=True, timeout=DEADLINE_S, check=False, **options)
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    return result.stderr


def runs_of(server):
    return [run["run"] for run in server.raw("GET", "/focusd/v1/runs").json()]


def unique_ids(server):
    return [device["UniqueID"] for device in
            server.value(server.raw("GET", "/management/v1/configureddevices"))]


def test_two_servers_on_one_directory(make_observatory):
    first = make_observatory()
    said = refused("--port", "0", "--state-dir", str(first.folder / "state"))
    assert "another focusd" in said and str(first.process.pid) in said and "--state-dir" in said
    assert first.raw("GET", "/healthz").status == 200
    # The place is free again as soon as it has ended, well or not.
    first.process.kill()
    first.process.communicate()
    first.process = None
    first.close()
    first.start()


def test_port_in_use(make_observatory, tmp_path):
    first = make_observatory()
    said = refused("--port", str(first.port), "--state-dir", str(tmp_path / "other"))
    assert str(first.port) in said and "in use" in said


@pytest.mark.parametrize("place", ["/proc/focusd", "/dev/null", "/dev/null/x"])
def test_no_place_for_the_state(place):
    said = refused("--port", "0", "--state-dir", place)
    assert place in said


def first_start(*arguments, program=BINARY, **options):
    """Starts a server that must serve although it can write nothing; asks it for its devices and for runs, ends it, and
    tells what it said on standard error."""
    process = subprocess.Popen([program, "serve", "--simulate", "--bind", "127.0.0.1", "--port", "0",
                                "--discovery-port", "0", *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    try:
        line = process.stdout.readline()
        if line == "":
            pytest.fail(process.communicate(timeout=DEADLINE_S)[1])
        url = line.removeprefix("focusd serves ").strip()
        with urllib.request.urlopen(url + "management/v1/configureddevices", timeout=DEADLINE_S) as reply:
            assert [len(device["UniqueID"]) for device in json.load(reply)["Value"]] == [36, 36]
        with urllib.request.urlopen(url + "focusd/v1/runs", timeout=DEADLINE_S) as reply:
            runs = json.load(reply)
        process.terminate()
        said = process.communicate(timeout=DEADLINE_S)[1]
        assert process.returncode == 0, said
        return said, runs
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_no_permission_for_the_state(tmp_path):
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        said, runs = first_start("--state-dir", str(tmp_path))
        assert "nothing is remembered" in said and str(tmp_path) in said and runs == []
        return
    # Root may write everywhere, so nobody tries; the program must be where nobody may read it.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(BINARY, folder)
        said, runs = first_start("--state-dir", folder, program=program, user=65534, group=65534, extra_groups=[])
        assert "nothing is remembered" in said and folder in said and runs == []


def test_killed_in_the_middle_of_runs(make_observatory):
    server = make_observatory(config=SMALL, time_factor=20)
    devices = unique_ids(server)
    seen = []
    for _ in range(3):
        server.connect()
        seen.append(server.action("Autofocus")["run"])
        until(lambda: server.action("AutofocusStatus")["exposures"] > 0, "the run exposes")
        server.process.send_signal(signal.SIGKILL)
        server.process.communicate()
        server.process = None
        server.close()
        with sqlite3.connect(server.folder / "state" / "focusd.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        server.start()
        assert unique_ids(server) == devices
        cut = server.raw("GET", f"/focusd/v1/runs/{seen[-1]}").json()
        assert cut["state"] == "aborted" and "cut short" in cut["reason"]
        assert cut["start_position"] is not None
        assert cut["final_position"] is None and cut["duration_s"] is None
    server.connect()
    run, number = server.focus()
    assert number == 0
    assert seen + [run["run"]] == sorted(set(seen + [run["run"]])), "ids increase"
    assert run["run"] in runs_of(server)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "page"])
def test_damaged_run_store(make_observatory, damage):
    server = make_observatory(config=SMALL)
    server.connect()
    before = server.focus()[0]["run"]
    server.stop()
    path = server.folder / "state" / "focusd.db"
    good = path.read_bytes()
    path.write_bytes({"garbage": b"this is no database " * 500, "truncated": good[:len(good) // 2 + 100], "empty": b"",
                      "page": good[:4096] + b"\xff" * 4096 + good[8192:]}[damage])
    kept = path.read_bytes()
    server.start()
    server.connect()
    run, number = server.focus()
    assert number == 0
    assert run["run"] in runs_of(server)
    asides = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    assert [file.read_bytes() for file in asides] == [kept], "the damaged file is kept as it was"
    assert "run store was damaged" in server.log()
    if damage == "page":
        assert run["run"] >= before
    server.stop()
    server.start()
    assert run["run"] in runs_of(server)


@pytest.mark.parametrize("text", [b"", b"\x00" * 100, b"{\"focuser.0\":", b"[]", b"\xff\xfe", b"[" * 5000, b" " * 99999],
                         ids=lambda text: repr(text[:9]))
def test_damaged_ids(make_observatory, text):
    """Clients know the devices by these; a night is worth more, and the file is kept for a person."""
    server = make_observatory()
    server.stop()
    path = server.folder / "state" / "devices.json"
    path.write_bytes(text)
    server.start()
    devices = unique_ids(server)
    assert path.with_name("devices.json.damaged-1").read_bytes() == text
    assert "devices.json was damaged" in server.log() and "new ids" in server.log()
    server.stop()
    server.start()
    assert unique_ids(server) == devices


REPLACED = {
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "link": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
    "dangling": lambda path: path.symlink_to("/nonexistent/x"),
}


@pytest.mark.parametrize("what", REPLACED)
@pytest.mark.parametrize("name", ["devices.json", "focusd.db", "focusd.db-wal", "lock", "simulator-settings.json"])
def test_no_regular_file(make_observatory, name, what):
    """Whatever stands in the place of a file is put aside, and never followed or waited for."""
    server = make_observatory()
    server.stop()
    path = server.folder / "state" / name
    path.unlink(missing_ok=True)
    REPLACED[what](path)
    mode = path.lstat().st_mode
    server.start()
    assert server.raw("GET", "/focusd/v1/runs").status == 200
    asides = [file for file in path.parent.iterdir() if file.name.startswith(name + ".damaged")]
    assert [file.lstat().st_mode for file in asides] == [mode]
    assert f"{name}" in server.log() and asides[0].name in server.log()


def test_newer_run_store(make_observatory):
    server = make_observatory()
    server.stop()
    path = server.folder / "state" / "focusd.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    kept = path.read_bytes()
    assert "newer" in refused("--port", "0", "--state-dir", str(path.parent))
    assert path.read_bytes() == kept


def disk_full():
    """No file may grow; the writer gets an error instead of a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.skipif(SANITIZED, reason="sanitizers write files of their own")
def test_full_disk(make_observatory):
    """Focusing goes on when nothing can be written; the history tells what was kept."""
    server = make_observatory(config=SMALL)
    server.connect()
    before = server.focus()[0]["run"]
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    found = [server.focus() for _ in range(2)]
    assert [number for _, number in found] == [0, 0]
    assert [run["run"] for run, _ in found] == [before + 1, before + 2]
    assert runs_of(server) == [before + 2, before + 1, before], "what is kept in memory is history, too"
    # Until here the log could not be written either.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
    until(lambda: f"run {before + 2} is written" in server.log(), "the log says that it is written")
    assert server.log().index(f"run {before + 1} is written") < server.log().index(f"run {before + 2} is written")
    server.stop()
    server.start()
    assert runs_of(server) == [before + 2, before + 1, before]


@pytest.mark.skipif(SANITIZED, reason="sanitizers write files of their own")
def test_full_disk_at_the_first_start(tmp_path):
    said, runs = first_start("--state-dir", str(tmp_path / "state"), preexec_fn=disk_full)
    assert "nothing is remembered" in said and "no run is remembered" in said and runs == []


@pytest.mark.skipif(SANITIZED, reason="sanitizers write files of their own")
@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_full_disk_at_a_later_start(make_observatory, end):
    """What was kept before can still be read, whether or not the last server left its side files."""
    server = make_observatory(config=SMALL, seed=None)
    server.connect()
    before = server.focus()[0]["run"]
    devices = unique_ids(server)
    if end == "killed":
        # A run is over before it is written: by another thread, a moment later.
        with sqlite3.connect(f"file:{server.folder}/state/focusd.db?mode=ro", uri=True) as db:
            ended = "SELECT id FROM runs WHERE phase = 'over'"
            until(lambda: db.execute(ended).fetchall() == [(before,)], "the end of the run is kept")
        db.close()
        server.process.kill()
        server.process.communicate()
        server.process = None
        server.close()
    else:
        server.stop()
    said, runs = first_start("--state-dir", str(server.folder / "state"), preexec_fn=disk_full)
    assert "nothing is remembered" in said and "the id of" not in said
    assert [run["run"] for run in runs] == [before]
    server.start()
    assert unique_ids(server) == devices
    assert runs_of(server) == [before]


def test_run_store_is_readable_by_others(make_observatory):
    """A reader that holds the database open does not stop a run from being kept."""
    server = make_observatory(config=SMALL)
    server.connect()
    first = server.focus()[0]["run"]
    with sqlite3.connect(server.folder / "state" / "focusd.db") as db:
        assert db.execute("SELECT id FROM runs").fetchall() == [(first,)]
        second = server.focus()[0]["run"]
        assert second in runs_of(server)


def test_ready_file_goes_with_the_server(make_observatory):
    server = make_observatory()
    assert json.loads(server.ready_file.read_text())["pid"] == server.process.pid
    server.stop()
    assert not server.ready_file.exists()
