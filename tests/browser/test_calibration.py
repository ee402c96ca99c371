# SPDX-License-Identifier: MIT
"""A motor that has to be calibrated first, on the page: refused with a sentence, consented to, watched, ended
by STOP, and put away when it is done."""
import re

import pytest
from test_page import page  # noqa: F401  a fixture; it opens what `observatory` serves


@pytest.fixture
def motor(device):
    return device("celestron", faults=["uncalibrated"], position=5000, time_factor=40)


@pytest.fixture
def observatory(make_observatory, motor):
    return make_observatory(simulate=False, config=(
        f"[focuser.0]\nname = C8 motor\ndriver = celestron\nport = {motor.path}\nopen_wait_ms = 0\n"
        "[camera.0]\ndriver = simulator\n"))


def begin(page):
    assert not page.one(".start-calibration").is_enabled()
    page.click(".sure")
    page.click(".start-calibration")
    page.wait(lambda: page.one(".calibrating").is_displayed(), "the progress")


def test_calibration(page, motor, observatory):
    page.ready()
    page.connect()
    page.wait(lambda: page.one(".calibration").is_displayed(), "the offer")
    assert page.one(".calibration").get_attribute("open") is not None
    assert "not know its ends" in page.one(".calibration-state").text
    # Numbers stay in one piece beside their unit.
    turns = page.one(".focuser .turns")
    assert turns.text == "= 5.00 turns" and turns.size["height"] < 30
    page.click(".focuser .out")
    page.wait(lambda: "not calibrated" in page.one(".focuser .say").text, "the reason")
    # No packet of three data bytes has gone to the motor: no goto.
    assert r";\x06 \x12" not in motor.wire(">") and r";\x03 \x12" in motor.wire(">")
    assert page.fits() and page.stop_in_view()
    begin(page)
    page.wait(lambda: re.search(r"step [2-9] of 12", page.one(".calibration-words").text), "the second step, or later")
    assert not page.one(".doubt").is_displayed()
    page.click("#stop")
    page.wait(lambda: not page.one(".calibrating").is_displayed(), "its end")
    page.wait(lambda: page.one(".calibration").get_attribute("open") is not None, "the offer again")
    begin(page)
    page.wait(lambda: "2\u202f000 to 40\u202f000" in page.one(".calibration-state").get_attribute("textContent"),
              "the limits")
    assert page.one(".calibration").get_attribute("open") is None
    page.click(".focuser .out")
    page.wait(lambda: page.steps() is not None and page.steps() % 1000 == 100 and not page.moving(), "a step of 100")
    # The dot stands on the scale from 0 to the length of the range, and the motor's own number beside the position.
    share = page.steps() / 38000
    own = page.one(".focuser .own")
    page.wait(lambda: own.text.replace("\u202f", "") == f"motor’s own number {page.steps() + 2000}", "the own number")
    assert page.js("parseFloat(document.querySelector('.here').style.left)") == pytest.approx(100 * share, abs=0.01)
    assert not page.one(".focuser .clamped").is_displayed()
    # Another program asks for what is beyond the range.
    observatory.put("focuser/0/connected", Connected="True")
    observatory.put("focuser/0/move", Position=-10)
    page.wait(lambda: page.one(".focuser .clamped").text == "\u221210 was asked for; 0 is as far as it may go.",
              "the clamp")
    page.wait(lambda: page.steps() == 0 and not page.moving(), "the lower limit")
    assert page.fits()
    assert page.complaints() == []
