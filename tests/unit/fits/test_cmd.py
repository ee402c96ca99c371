#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The measure subcommand as a user calls it: the arguments are the program and its subcommand."""
import json
import math
import os
import random
import subprocess
import sys
import tempfile


def run(*args):
    return subprocess.run([*sys.argv[1:], *args], capture_output=True, text=True)


def cut(name):
    """A name as the line of progress shows it: the end of a long one."""
    return name if len(name) <= 50 else "..." + name[-50:]


def card(text):
    return text.ljust(80).encode()


def write_star(path, sigma):
    random.seed(4)
    size = 128
    data = bytearray()
    for y in range(size):
        for x in range(size):
            r2 = (x - 60.0) ** 2 + (y - 70.0) ** 2
            v = 500 + random.gauss(0, 5) + (4000 * math.exp(-r2 / 2 / sigma**2) if sigma else 0)
            data += int(round(v)).to_bytes(2, "big")
    head = b"".join(card(c) for c in [
        "SIMPLE  =                    T", "BITPIX  =                   16",
        "NAXIS   =                    2", f"NAXIS1  = {size:20d}", f"NAXIS2  = {size:20d}", "END"])
    with open(path, "wb") as file:
        file.write(head.ljust(2880) + bytes(data).ljust(-(-len(data) // 2880) * 2880, b"\0"))


with tempfile.TemporaryDirectory() as folder:
    star = os.path.join(folder, "star.fits")
    empty = os.path.join(folder, "empty.fits")
    absent = os.path.join(folder, "absent.fits")
    write_star(star, 2.0)
    write_star(empty, 0.0)

    usage = run("--help")
    assert usage.returncode == 0 and "--json" in usage.stdout and len(usage.stdout.splitlines()) < 24
    assert run().returncode == 2
    assert run("--nonsense", star).returncode == 2

    both = run("--json", "--stars", absent, star, empty)
    assert both.returncode == 1
    assert "absent.fits" in both.stderr, both.stderr
    assert len(both.stderr.splitlines()) == 1, both.stderr
    first, second = [json.loads(line) for line in both.stdout.splitlines()]
    assert first["file"] == star and first["stars"] == 1
    # 1.17741 sqrt(sigma^2 + 1/12): pixels are sampled here, not integrated
    assert abs(first["hfr_px"] - 2.379) < 0.04, first["hfr_px"]
    assert abs(first["list"][0]["x"] - 60.0) < 0.05 and abs(first["list"][0]["y"] - 70.0) < 0.05
    assert second["stars"] == 0 and second["list"] == []
    for key in ("hfr_px", "hfr_mad_px", "fwhm_px", "mean_radius_px", "eccentricity"):
        assert second[key] is None, key
    assert {"width", "height", "background_adu", "noise_adu", "saturated", "donut",
            "elapsed_ms"} <= set(second)

    table = run(star, empty)
    assert table.returncode == 0 and len(table.stdout.splitlines()) == 3
    # The names begin in one column, whatever stands before them, and none of it is wider than a terminal.
    head, *rows = table.stdout.splitlines()
    assert [row.index(folder) for row in rows] == [head.index("file")] * 2 and head.index("file") < 80
    assert table.stderr == ""

    # On a terminal a line tells how far the work is, and is gone before the rows are printed.
    terminal, other = os.openpty()
    subprocess.run([*sys.argv[1:], star, empty], stdout=subprocess.DEVNULL, stderr=other, check=True)
    os.close(other)
    shown = os.read(terminal, 4096).decode()
    os.close(terminal)
    assert shown == f"1 of 2: {cut(star)}\r\033[K2 of 2: {cut(empty)}\r\033[K", repr(shown)
print("ok")
