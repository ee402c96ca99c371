# SPDX-License-Identifier: MIT
"""The fit subcommand from outside: exit codes, JSON by the contract, real frames where they are."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1:]


def fit(*args):
    return subprocess.run([*PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=60)


def check(condition, what):
    if not condition:
        print("failed:", what)
        sys.exit(1)


check(fit().returncode == 2, "no frames is a usage error")
check(fit("--wrong", "x").returncode == 2, "unknown option is a usage error")
done = fit("--help")
check(done.returncode == 0 and "FOCUSPOS" in done.stdout, "help")
done = fit("/nonexistent/c8_7350_3s.fits")
check(done.returncode == 1 and "c8_7350_3s.fits" in done.stderr, "an unreadable file is named")

frames = pathlib.Path(os.environ.get("FOCUSD_SHARED", "../shared")) / "data/frames"
sweep = sorted((frames / "c8-sweep").glob("*.fits.gz"))
if len(sweep) != 17:
    print(f"skipped the rest: no frames in {frames} (FOCUSD_SHARED names the folder)")
    sys.exit(77)

done = fit("--json", *sweep)
check(done.returncode == 0, "the sweep is fitted")
check("8000" in done.stderr and "8025" in done.stderr, "name and header that differ are named")
result = json.loads(done.stdout)
low, high = result["interval95_steps"]
check(abs(result["best_position"] - 7990) < 5 and low < 7990 < high, "best focus is 7990")
check(result["accepted"] is True and "reason" not in result, "accepted, no reason")
for key in "uncertainty_steps", "hfr_min_px", "r_squared", "chi2_dof":
    check(isinstance(result[key], float), key)
check(result["model"].startswith("hyperbola"), "model")
check(len(result["points"]) == 17, "every frame is a point")
for point in result["points"]:
    check({"position", "hfr_px", "error_px", "stars", "used", "file"} <= point.keys(), "point")
check("best position 79" in fit(*sweep).stdout, "table")
check("best focus" not in fit(*sweep).stdout, "no picture where nobody looks")

# The picture read back by its own axes: every sample stands within a cell of where the numbers say.
drawn = fit("--plot", *sweep).stdout.split("HFR, px\n")[1].splitlines()
check(all(len(line) <= 80 for line in drawn), "the picture fits into 80 columns")
rows, axis, ends, mark = drawn[:16], drawn[16], drawn[17], drawn[18]
left, width = axis.index("+") + 1, axis.count("-")
lowest, highest = float(ends.split()[0]), float(ends.split()[1])
top = float(rows[0].split()[0])
for point in result["points"]:
    column = left + (point["position"] - lowest) / (highest - lowest) * (width - 1)
    row = 15 - point["hfr_px"] / top * 15
    check(any(abs(x - column) <= 1 and abs(y - row) <= 1 and c == "o" for y, line in enumerate(rows)
              for x, c in enumerate(line)), f"{point['position']} is drawn")
best = left + (7990 - lowest) / (highest - lowest) * (width - 1)
check(abs(mark.index("^") - best) <= 1, "best focus 7990 is marked")
check(sum(line.count("|") for line in rows) > 16, "error bars")

done = fit("--json", *[p for p in sweep if int(p.name.split("_")[1]) <= 7850])
result = json.loads(done.stdout)
check(done.returncode == 0 and result["accepted"] is False, "one side is not accepted")
check("larger positions" in result["reason"], "and says where to look")

# The same sweep under names that end in a counter and an exposure: the headers tell the positions.
with tempfile.TemporaryDirectory() as folder:
    for number, path in enumerate(sweep, 7):
        shutil.copy(path, f"{folder}/m42_{number:04d}_2s.fits.gz")
    counted = sorted(pathlib.Path(folder).iterdir())
    done = fit("--json", *counted)
    result = json.loads(done.stdout)
    check(done.returncode == 0 and result["accepted"] is True, "a sweep with a counter is accepted")
    check(abs(result["best_position"] - 7990) < 10, "best focus is by the headers, one of which says 8025 for 8000")
    check(done.stderr.count("merely count") == 1 and "is taken" not in done.stderr, "the list is judged once")
    done = fit("--json", counted[3])
    check(json.loads(done.stdout)["points"][0]["position"] == 7650, "a single counter is far from its header")

with tempfile.TemporaryDirectory() as folder:
    for position in range(1000, 1500, 100):
        shutil.copy(frames / "huntsman_dark.fits.gz", f"{folder}/dark_{position}_3s.fits.gz")
    done = fit("--json", *sorted(pathlib.Path(folder).iterdir()))
    result = json.loads(done.stdout)
    check(done.returncode == 0 and result["accepted"] is False, "dark frames make no curve")
    check(result["best_position"] is None and result["interval95_steps"] is None, "null, not 0")
    check(all(p["hfr_px"] is None and p["stars"] == 0 for p in result["points"]), "no sizes")
print("passed")
