# SPDX-License-Identifier: MIT
"""Our emulated Celestron focus motor under INDI's own driver, which nobody of us wrote.

Version 1.9.9 takes its own echo as the answer, so there is none here; it publishes raw counts and wants a lower
limit above 0.
"""
import re

import pytest
from indi import device, stranger  # noqa: F401  fixtures

DRIVER = ("indi_celestron_sct_focus", "Celestron SCT")

# What the log shows of a byte: itself, or \xNN.
ESCAPED = re.compile(r"\\x([0-9A-F]{2})|(\\\\)|(.)", re.S)


def packets(text):
    """Whole AUX packets of the log's text, as hexadecimal."""
    data = bytearray()
    for code, backslash, plain in ESCAPED.findall(text):
        data.append(int(code, 16) if code else 0x5C if backslash else ord(plain))
    found, at = [], 0
    while at + 6 <= len(data):
        size = data[at + 1] + 3
        if data[at] != 0x3B or at + size > len(data) or sum(data[at + 1:at + size]) % 256:
            at += 1
            continue
        found.append(data[at:at + size].hex(" ").upper())
        at += size
    return found


@pytest.fixture
def pair(device, stranger):  # noqa: F811

    def make(**options):
        emulated = device("celestron", **options)
        indi = stranger(*DRIVER)
        indi.connect(emulated.path)
        return emulated, indi

    return make


@pytest.mark.parametrize("faults", [(), ("bare-ack",)])
def test_connects_and_moves(pair, faults):
    emulated, indi = pair(position=20000, time_factor=200, faults=faults)
    indi.wait(lambda: indi.position == 20000, "the position is read")
    # Limits as the motor tells them.
    assert indi["ABS_FOCUS_POSITION"].ranges["FOCUS_ABSOLUTE_POSITION"][1] == 40000
    for target in (23000, 2000, 40000, 22999):
        assert indi.move(target) == target
    sent = packets(emulated.wire(">"))
    # 3B 06 20 12 02 00 59 D8 95 in the description of the bus.
    assert "3B 06 20 12 02 00 59 D8 95" in sent
    assert sent[0] == "3B 03 20 12 FE CD"


def test_aborts(pair):
    emulated, indi = pair(position=20000, time_factor=1)
    indi.wait(lambda: indi.position == 20000, "the position is read")
    indi.start_move(40000)
    indi.wait(lambda: indi.position > 20000, "the motor is on its way")
    indi.set("FOCUS_ABORT_MOTION", ABORT="On")
    indi.wait(lambda: indi["ABS_FOCUS_POSITION"].state == "Idle", "the motion is aborted")
    assert "3B 04 20 12 24 00 A6" in packets(emulated.wire(">"))

    def readings():
        return [p for p in packets(emulated.wire("<")) if p.startswith("3B 06 12 20 01")]

    # Two that agree: it stands.
    before = len(readings())
    indi.wait(lambda: len(readings()) > before + 1 and readings()[-1] == readings()[-2], "it stands")
    there = int(readings()[-1][15:23].replace(" ", ""), 16)
    indi.wait(lambda: abs(indi.position - there) <= 5, "the last position is told")
    assert 20000 < there < 40000


def test_calibrates(pair):
    emulated, indi = pair(position=1234, time_factor=50, faults=("uncalibrated",))
    indi.wait(lambda: "CALIBRATE" in indi.properties and "CALIBRATE_STATE" in indi.properties, "it can calibrate")
    indi.set("CALIBRATE", START="On")
    indi.wait(lambda: "3B 04 20 12 2A 01 9F" in packets(emulated.wire(">")), "it is begun")
    indi.wait(lambda: "complete" in indi["CALIBRATE_STATE"]["CALIBRATE_STATE"].lower(), "it is complete")
    # Position and limits are new.
    indi.wait(lambda: indi.position == 21000, "the new position is read")
    assert indi.move(23000) == 23000
