# SPDX-License-Identifier: MIT
"""The page of a focuser without a motor: no button that moves, and a place to say where it stands."""
import pytest
from test_page import page  # noqa: F401  a fixture; it opens what `observatory` serves


@pytest.fixture
def observatory(make_observatory):
    return make_observatory(simulate=False, config=(
        "[focuser.0]\nname = Knob\ndriver = manual\nsteps_per_turn = 100\nmax_step = 2500\n"
        "[camera.0]\ndriver = simulator\n"))


def say(page, text):
    field = page.one(".stands input")
    field.clear()
    field.send_keys(text)
    page.click(".stands button")


def test_where_it_stands_is_said(page):
    page.ready()
    page.click(".focuser .connect")
    page.wait(lambda: page.one(".focuser .link").get_attribute("data-link") == "up", "connected")
    page.click(".camera .connect")
    page.wait(lambda: page.one(".focuser .doubt").is_displayed(), "the doubt")
    assert "Nobody has said yet" in page.one(".doubt-why").text
    assert not page.one(".doubt .keep").is_displayed()
    for name in (".sizes", ".focuser .in", ".focuser .out", ".goto"):
        assert not page.one(name).is_displayed(), name
    say(page, "1,5 turns")
    page.wait(lambda: "whole steps" in page.one(".focuser .say").text, "what to type")
    say(page, "1200")
    page.wait(lambda: page.steps() == 1200, "the position that was said")
    page.wait(lambda: not page.one(".focuser .doubt").is_displayed(), "no doubt any more")
    assert "12.00 turns" in page.one(".focuser .turns").text
    page.js("document.querySelector('.stands select').value = 'turns'")
    say(page, "3,25")
    page.wait(lambda: page.steps() == 325, "3.25 turns of 100 divisions")
    assert "Nothing has moved" in page.one(".focuser .say").text
    say(page, "26")
    page.wait(lambda: "outside 0..2500" in page.one(".focuser .say").text, "the end of the range")
    assert page.steps() == 325
    assert "turned by hand" in page.one(".autofocus .why-off").text
    assert page.fits() and page.stop_in_view()
    assert page.complaints() == []
