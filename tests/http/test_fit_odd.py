# SPDX-License-Identifier: MIT
"""What `focusd fit` says of lists of frames that make no curve: the odd thing by its name.

The frames are drawn: 25 Gaussian stars on a sky of 1000 ADU with a noise of 10, whose half-flux radius
hypot(2 px, (position - 7990) / 40) is exact for a Gaussian of sigma = radius / sqrt(2 ln 2).
"""
import json
import subprocess

import numpy
import pytest
from astropy.io import fits
from conftest import BINARY

SIZE, TRUTH = 400, 7990
POSITIONS = range(7750, 8251, 50)


def draw(path, position, written=None, binned=1, says=True):
    radius = float(numpy.hypot(2, (position - TRUTH) / 40)) / binned
    sigma = radius / numpy.sqrt(2 * numpy.log(2))
    side = SIZE // binned
    noise, stars = numpy.random.default_rng(position), numpy.random.default_rng(7)
    image = noise.normal(1000, 10, (side, side))
    y, x = numpy.mgrid[:side, :side]
    for _ in range(25):
        at, flux = stars.uniform(40, SIZE - 40, 2) / binned, stars.uniform(6e4, 2e5)
        image += flux / (2 * numpy.pi * sigma**2) * numpy.exp(
            -((x - at[0])**2 + (y - at[1])**2) / (2 * sigma**2))
    frame = fits.PrimaryHDU(numpy.clip(image, 0, 65535).astype("uint16"))
    frame.header["FOCUSPOS"] = position if written is None else written
    frame.header["EXPTIME"] = 3.0
    if says:
        frame.header["XBINNING"] = binned
    frame.writeto(path)
    return path


def fit(*paths):
    done = subprocess.run([BINARY, "fit", "--json", *map(str, paths)], capture_output=True, text=True, timeout=120,
                          check=True)
    return json.loads(done.stdout), done.stderr


def right(result):
    assert result["accepted"] is True and abs(result["best_position"] - TRUTH) < 5


@pytest.mark.parametrize("wrong", [-1, 99999999, 0])
def test_one_position_that_cannot_be(tmp_path, wrong):
    """It is named and left out, and the others make their curve."""
    paths = [draw(tmp_path / f"a{i:02}.fits", p, wrong if i == 4 else None) for i, p in enumerate(POSITIONS)]
    result, said = fit(*paths)
    right(result)
    assert f"a04.fits: position {wrong} cannot be, so far from all the others; it is left out" in said
    assert len(result["points"]) == len(paths) - 1


def test_two_that_cannot_be(tmp_path):
    wrong = {2: -1, 7: 99999999}
    paths = [draw(tmp_path / f"a{i:02}.fits", p, wrong.get(i)) for i, p in enumerate(POSITIONS)]
    result, said = fit(*paths)
    right(result)
    assert said.count("cannot be") == 2


def test_a_first_look_from_far_out_can_be(tmp_path):
    """Eight sweeps away nothing is called odd."""
    paths = [draw(tmp_path / f"a{i:02}.fits", p, TRUTH + 4000 if i == 0 else None) for i, p in enumerate(POSITIONS)]
    result, said = fit(*paths)
    assert "cannot be" not in said and len(result["points"]) == len(paths)


@pytest.mark.parametrize("says", [True, False])
def test_half_of_them_binned(tmp_path, says):
    paths = [draw(tmp_path / f"a{i:02}.fits", p, binned=1 + i % 2, says=says) for i, p in enumerate(POSITIONS)]
    result, _ = fit(*paths)
    assert result["accepted"] is False and result["best_position"] is None
    assert result["reason"] == (
        "6 of 11 frames are binned 1 x 1, others 2 x 2: their sizes in pixels do not compare; fit them apart" if says else
        "6 of 11 frames have 400 x 400 px, others 200 x 200, as if binned: their sizes in pixels do not compare; fit "
        "them apart")
    # Each half by itself is a curve.
    for half in (paths[0::2], paths[1::2]):
        right(fit(*half)[0])


def test_all_at_0(tmp_path):
    paths = [draw(tmp_path / f"a{i:02}.fits", p, 0) for i, p in enumerate(POSITIONS)]
    result, _ = fit(*paths)
    assert result["accepted"] is False
    assert result["reason"] == ("all 11 usable samples were taken at one position, 0; a curve needs different ones "
                                "(was the focuser connected?)")
