# SPDX-License-Identifier: MIT
"""A disk that is slow, or a database that another program holds, is in nobody's way: STOP reaches the wire with the
motor short of its target, and runs are written later, in order.  What the motor did decides, not a clock."""
import contextlib
import pathlib
import sqlite3
import threading

import pytest

from conftest import BINARY, INVALID_OPERATION, SANITIZED, AlpacaError, until

SLOW_DISK = pathlib.Path(BINARY).resolve().parent.parent / "tests" / "http" / "libslow_disk.so"
SMALL = "[simulator]\nwidth = 1000\nheight = 800\n"
FAR = 30000


def motor_and_camera(path):
    return f"[focuser.0]\ndriver = moonlite\nport = {path}\nopen_wait_ms = 0\n[camera.0]\ndriver = simulator\n" + SMALL


def database(server):
    return contextlib.closing(sqlite3.connect(server.folder / "state" / "focusd.db", isolation_level=None, timeout=60))


def stop_it(server, crowd):
    """PUT halt beside clients that ask for what is on the disk, and after one has asked again and again for a run, which
    needs an id; where the motor then rests."""
    clients = [server.client() for _ in range(crowd)]
    asking = [threading.Thread(target=client.raw, args=("GET", "/focusd/v1/runs"), daemon=True) for client in clients]
    for thread in asking:
        thread.start()
    for _ in range(crowd):
        with pytest.raises(AlpacaError) as refused:
            server.action("Autofocus")
        assert refused.value.number == INVALID_OPERATION, "the motor is on its way"
    server.put("focuser/0/halt")
    server.wait_still()
    for thread in asking:
        thread.join()
    for client in clients:
        client.close()
    return server.get("focuser/0/position")


def move_far(server):
    start = server.get("focuser/0/position")
    server.put("focuser/0/move", Position=FAR)
    until(lambda: server.get("focuser/0/position") != start, "the motor runs")


@pytest.mark.skipif(SANITIZED, reason="the preload library and a sanitizer do not go together")
def test_stop_with_a_slow_disk(make_observatory, device):
    """Each sync takes 1.5 s.  The motor needs 10 s for the way; a halt that waited for four syncs would come too late
    by more than half of it."""
    motor = device("moonlite", position=1000, time_factor=10)
    server = make_observatory(simulate=False, config=motor_and_camera(motor.path), time_factor=10,
                              env={"LD_PRELOAD": str(SLOW_DISK), "SLOW_DISK_MS": "1500"})
    server.connect()
    run = server.action("Autofocus")["run"]
    server.put("focuser/0/halt")
    until(lambda: server.action("AutofocusStatus", str(run))["state"] == "aborted", "the run has ended")
    # The end of the run is on its way to the disk while the motor goes.
    move_far(server)
    rested = stop_it(server, crowd=6)
    assert rested < FAR / 2, "stopped short of the target"
    assert motor.sent().count(":FQ#") >= 1
    until(lambda: server.raw("GET", f"/focusd/v1/runs/{run}").json()["state"] == "aborted", "it is in the history")
    server.stop()
    with database(server) as db:
        assert db.execute("SELECT id, state FROM runs").fetchall() == [(run, 3)]


@pytest.mark.parametrize("held", ["BEGIN; SELECT count(*) FROM runs", "BEGIN EXCLUSIVE"], ids=["reader", "exclusive"])
def test_stop_while_another_program_holds_the_database(make_observatory, device, held):
    motor = device("moonlite", position=1000, time_factor=10)
    server = make_observatory(simulate=False, config=motor_and_camera(motor.path), time_factor=10)
    server.connect()
    with database(server) as db:
        for statement in held.split("; "):
            db.execute(statement)
        runs = []
        for _ in range(2):
            runs.append(server.action("Autofocus")["run"])
            server.put("focuser/0/halt")
            until(lambda: server.action("AutofocusStatus", str(runs[-1]))["state"] == "aborted", "the run has ended")
        move_far(server)
        assert stop_it(server, crowd=6) < FAR / 2, "stopped short of the target"
        # Kept in memory or written, they are history.
        assert [run["run"] for run in server.raw("GET", "/focusd/v1/runs").json()] == runs[::-1]
        if "EXCLUSIVE" in held:
            until(lambda: f"run {runs[0]} could not be written yet" in server.log(), "the log says that it is kept")
            assert "another program holds it; it is kept" in server.log()
            assert db.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        db.execute("ROLLBACK")
        until(lambda: db.execute("SELECT count(*) FROM runs WHERE state = 3").fetchone() == (2,), "they are written")
    if "EXCLUSIVE" in held:
        until(lambda: f"run {runs[0]} is written" in server.log(), "the log says that it is written")
    server.stop()
    with database(server) as db:
        assert [row[0] for row in db.execute("SELECT id FROM runs ORDER BY id")] == runs
