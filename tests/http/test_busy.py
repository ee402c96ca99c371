# SPDX-License-Identifier: MIT
"""Many clients at once while a run goes on and pictures are fetched."""
import threading

from conftest import until


def test_pollers_during_a_run(make_observatory):
    server = make_observatory(time_factor=10)
    server.connect()
    server.put("camera/0/startexposure", Duration=1, Light="True")
    until(lambda: server.get("camera/0/imageready"), "the first image")
    highest = server.get("focuser/0/maxstep")
    over = threading.Event()
    counts, failures = [], []

    def poll(client):
        count = 0
        try:
            while not over.is_set():
                position = client.get("focuser/0/position")
                assert 0 <= position <= highest
                count += 1
        except Exception as failure:  # told by the main thread
            failures.append(failure)
        counts.append(count)
        client.close()

    def fetch(client):
        count = 0
        try:
            while not over.is_set():
                answer = client.raw("GET", "/api/v1/camera/0/imagearray",
                                    headers={"Accept": "application/imagebytes"})
                assert answer.status == 200
                assert len(answer.body) == int(answer.headers["Content-Length"]) > 44
                count += 1
        except Exception as failure:
            failures.append(failure)
        counts.append(count)
        client.close()

    threads = [threading.Thread(target=poll, args=(server.client(),)) for _ in range(32)]
    threads.append(threading.Thread(target=fetch, args=(server.client(),)))
    try:
        server.action("Autofocus", {"points": 7})
        for thread in threads:
            thread.start()
        run, number = server.wait_run()
    finally:
        over.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    assert not failures, failures[:3]
    assert number == 0, run["reason"]
    assert len(counts) == 33 and min(counts) > 0


def test_waiting_calls_hold_nobody_up(slow):
    """More waiting calls than the server has threads; others are answered meanwhile."""
    slow.action("Autofocus", {"exposure_s": 60})
    replies = []

    def wait(client):
        replies.append(client.wait_run())
        client.close()

    threads = [threading.Thread(target=wait, args=(slow.client(),)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        slow.get("focuser/0/position")
    assert not replies
    slow.action("AutofocusAbort")
    for thread in threads:
        thread.join()
    assert [run["state"] for run, _ in replies] == ["aborted"] * 12
