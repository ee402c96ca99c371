# SPDX-License-Identifier: MIT
"""Frames with stars of a known size: Gaussians, half of whose light lies within 1.17741 sigma (the square root of
2 ln 2) of the middle."""
import io

import numpy
from astropy.io import fits

HALF_OF_A_GAUSSIAN = 1.17741
WIDE, HIGH = 320, 240


def frame(sigma, stars=12, **header):
    """A frame with stars of this size, as bytes of a FITS file."""
    rng = numpy.random.default_rng(5)
    y, x = numpy.mgrid[0:HIGH, 0:WIDE]
    pixels = rng.normal(1000, 8, (HIGH, WIDE))
    for k in range(stars):
        cx, cy = 40 + 78 * (k % 4) + 0.3, 40 + 78 * (k // 4) + 0.6
        pixels += 250000 / (2 * numpy.pi * sigma**2) * numpy.exp(-((x - cx)**2 + (y - cy)**2) / (2 * sigma**2))
    hdu = fits.PrimaryHDU(numpy.clip(pixels, 0, 65535).astype(numpy.uint16))
    for key, value in header.items():
        hdu.header[key.replace("_", "-")] = value
    file = io.BytesIO()
    hdu.writeto(file)
    return file.getvalue()


def write(path, *args, **header):
    """Writes as N.I.N.A. does: under another name, then moved into place."""
    draft = path.with_name(path.name + ".tmp")
    draft.write_bytes(frame(*args, **header))
    draft.rename(path)
