# SPDX-License-Identifier: MIT
"""A reader of `position-N` files of its own, written from the description in
server/store/include/position_journal.h: two slots of 4096 bytes, each a line of JSON padded with blanks, with
zlib's CRC-32 over the bytes from 20 to the end of the slot.
"""
import json
import pathlib
import zlib

SLOT = 4096


def slot(raw):
    """The entry in a slot; None when it was never used, False when it is not whole."""
    if raw == b" " * (SLOT - 1) + b"\n":
        return None
    if raw[:20] != b'{"crc32":"%08x",' % zlib.crc32(raw[20:]):
        return False
    entry = json.loads(raw)
    assert entry["format"] == "focusd-position" and entry["version"] == 1, entry
    assert entry["motion"] in ("rest", "moving") and entry["trust"] in ("known", "shifted", "unknown")
    assert entry["low"] <= entry["position"] <= entry["high"], entry
    assert entry["low"] <= entry["target"] <= entry["high"], entry
    assert entry["low"] <= entry["from"] <= entry["high"], entry
    assert (entry["offset"] is not None) <= (entry["trust"] != "known"), entry
    assert (entry["why"] is not None) == (entry["trust"] != "known"), entry
    if entry["motion"] == "rest":
        assert entry["from"] == entry["target"] == entry["low"] == entry["high"] == entry["position"], entry
    return entry


def read(path):
    """The entry that counts, and whether the other slot was torn."""
    raw = pathlib.Path(path).read_bytes()
    assert len(raw) == 2 * SLOT, len(raw)
    slots = [slot(raw[:SLOT]), slot(raw[SLOT:])]
    good = [entry for entry in slots if entry]
    assert good, "no slot is whole"
    for number, entry in enumerate(slots):
        assert not entry or entry["sequence"] % 2 == number
    return max(good, key=lambda entry: entry["sequence"]), False in slots
