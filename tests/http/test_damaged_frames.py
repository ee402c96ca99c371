# SPDX-License-Identifier: MIT
"""Frames that are damaged, or no FITS at all: each ends in a sentence, and neither the other frames nor the server
suffer.  The damages are ones that were seen to crash the FITS library: tile sizes of 0, an error bound of 0, bytes
of the compressed data that are not what they were."""
import subprocess
import warnings

import numpy
import pytest
from astropy.io import fits
from conftest import BINARY, DEADLINE_S

SIZE = 256


def sky(seed=1):
    """Stars of known place on a flat sky, as 16 bit."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:SIZE, 0:SIZE]
    image = random.normal(500, 5, (SIZE, SIZE))
    for cx, cy in random.uniform(30, SIZE - 30, (12, 2)):
        image += 8000 * numpy.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2.0 ** 2))
    return numpy.clip(image, 0, 65535).astype(numpy.uint16)


def write_fz(path, position=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdu = fits.CompImageHDU(sky(), compression_type="RICE_1")
        if position is not None:
            hdu.header["FOCUSPOS"] = position
        hdu.writeto(path)
    return path


def set_card(path, key, value):
    """Writes the card of a keyword anew, in the file as it lies there."""
    data = path.read_bytes()
    at = data.index(f"{key:<8}= ".encode())
    path.write_bytes(data[:at] + f"{key:<8}= {value:>20}".encode().ljust(80) + data[at + 80:])


def spoil_data(path):
    data = bytearray(path.read_bytes())
    for at in range(len(data) - 4000, len(data) - 1000, 3):
        data[at] ^= 0xA5
    path.write_bytes(bytes(data))


def spoil_descriptors(path):
    """The table of where each tile lies points everywhere."""
    data = bytearray(path.read_bytes())
    table = -(-(data.index(b"END" + b" " * 77, data.index(b"ZBITPIX")) + 80) // 2880) * 2880
    for at in range(table, table + 8 * SIZE):
        data[at] ^= 0x5A
    path.write_bytes(bytes(data))


DAMAGES = {
    "ztile1": lambda path: set_card(path, "ZTILE1", 0),
    "ztile2": lambda path: set_card(path, "ZTILE2", 0),
    "zval1": lambda path: set_card(path, "ZVAL1", 0),
    "negative": lambda path: set_card(path, "ZNAXIS1", -5),
    "huge": lambda path: set_card(path, "ZNAXIS1", 2000000000),
    "data": spoil_data,
    "descriptors": spoil_descriptors,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:9000]),
}


def measure(*paths):
    return subprocess.run([BINARY, "measure", *map(str, paths)], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_good_ones_beside_it_are_measured(tmp_path, damage):
    first, bad, second = (write_fz(tmp_path / f"{name}.fits.fz") for name in ("first", "bad", "second"))
    DAMAGES[damage](bad)
    result = measure(first, bad, second)
    rows = [line for line in result.stdout.splitlines() if line.endswith(".fits.fz")]
    assert [row.split()[-1] for row in rows if "bad" not in row] == [str(first), str(second)]
    # Spoiled pixels may still read as pixels; then the frame has a row like the others.
    if len(rows) == 2:
        assert result.returncode == 1
        assert str(bad) in result.stderr and len(result.stderr.splitlines()) == 1
    else:
        assert damage in ("data", "descriptors", "zval1") and result.returncode == 0


def test_tiles_without_size_kill_no_process(tmp_path):
    """This one is known to end the library's process by a division by zero."""
    bad = write_fz(tmp_path / "bad.fits.fz")
    set_card(bad, "ZTILE1", 0)
    result = measure(bad)
    assert result.returncode == 1
    assert "damaged" in result.stderr


def test_a_server_outlives_them(tmp_path, make_observatory):
    for position in range(1000, 1500, 100):
        write_fz(tmp_path / f"frame_{position}.fits.fz", position)
    bad = write_fz(tmp_path / "bad.fits.fz", 1250)
    set_card(bad, "ZTILE1", 0)
    server = make_observatory(simulate=False, config="[focuser.0]\ndriver = simulator\n"
                              f"[camera.0]\ndriver = replay\npath = {tmp_path}\n")
    server.connect()
    assert server.get("camera/0/cameraxsize") == SIZE
    assert "bad.fits.fz" in server.log()


@pytest.mark.parametrize("name, head, says", [
    ("a.xisf", b"XISF0100" + bytes(100), "XISF"), ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(100), "JPEG"),
    ("a.tif", b"II*\0" + bytes(100), "TIFF"), ("a.cr2", b"II*\0\x10\0\0\0CR\2\0" + bytes(100), "CR2"),
    ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"), ("a.raf", b"FUJIFILMCCD-RAW" + bytes(100), "Fujifilm"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_other_formats_are_named(tmp_path, name, head, says):
    path = tmp_path / name
    path.write_bytes(head)
    result = measure(path)
    assert result.returncode == 1
    assert says in result.stderr and "FITS" in result.stderr


@pytest.mark.parametrize("make, says", [(lambda path: path.write_bytes(b""), "empty"),
                                        (lambda path: path.mkdir(), "no file")], ids=["empty", "folder"])
def test_what_is_no_file_is_said(tmp_path, make, says):
    path = tmp_path / "x.fits"
    make(path)
    result = measure(path)
    assert result.returncode == 1 and says in result.stderr


def test_the_largest_image_is_measured(tmp_path):
    path = tmp_path / "thumbnail.fits"
    fits.HDUList([fits.PrimaryHDU(numpy.full((40, 40), 500, numpy.uint16)), fits.ImageHDU(sky())]).writeto(path)
    result = subprocess.run([BINARY, "measure", "--json", str(path)], capture_output=True, text=True,
                            timeout=DEADLINE_S, check=False)
    assert result.returncode == 0
    assert f'"width":{SIZE},"height":{SIZE}' in result.stdout.replace(" ", "")
