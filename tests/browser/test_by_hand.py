# SPDX-License-Identifier: MIT
"""The page of a focuser without a motor: no button that moves, and a place to say where it stands."""
import datetime
import math

import pytest
from star_frames import write
from test_page import page  # noqa: F401  a fixture; it opens what `observatory` serves
from test_trust import picture


@pytest.fixture
def night(tmp_path):
    path = tmp_path / "night"
    path.mkdir()
    return path


@pytest.fixture
def observatory(make_observatory, night):
    return make_observatory(simulate=False, config=(
        "[focuser.0]\nname = Knob\ndriver = manual\nsteps_per_turn = 100\nmax_step = 2500\n"
        f"[camera.0]\nname = Frames\ndriver = folder\npath = {night}\n"))


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
    assert not page.one(".autofocus").is_displayed()
    assert page.fits() and page.stop_in_view()
    assert page.complaints() == []


def test_the_page_tells_where_to_turn(page, night):
    """From the first frame to the end by the page alone; other software exposes."""
    best, position, count = 1200, 1000, 0

    def expose():
        nonlocal count
        count += 1
        begun = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        write(night / f"x{count}.fits", math.hypot(1.4, (position - best) * 0.012), EXPTIME=0.001,
              DATE_OBS=begun.isoformat(timespec="milliseconds"))

    def amount():
        return page.one(".guided .amount").text

    page.ready()
    assert "not connected" in page.one(".guided .why-off").text
    for card in (".focuser", ".camera"):
        page.click(f"{card} .connect")
    page.wait(lambda: "Say where it stands" in page.one(".guided .why-off").text, "what is missing")
    assert not page.one(".camera .expose").is_displayed()
    assert "cannot expose" in page.one(".camera .refusal").text
    say(page, str(position))
    page.wait(lambda: page.one(".guided .why-off").text == "", "it can begin")
    page.click("#night")
    page.click(".guided .begin")
    page.wait(lambda: amount() == "WAIT", "a frame is awaited")
    for _ in range(60):
        expose()
        page.wait(lambda: amount() != "WAIT", "the next thing to do")
        if amount() == "DONE":
            break
        way = page.one(".guided .which").text
        turns, steps = float(amount()), page.one(".guided .unit").text.replace("\u202f", "")
        assert ("IN" in way) != ("OUT" in way) and turns > 0 and f"({round(turns * 100)} division" in steps
        if count == 3:
            page.one(".guided .order").location_once_scrolled_into_view  # pylint: disable=pointless-statement
            picture(page, "guided-turn", ".guided")
            # Readable at arm's length: a quarter of a phone's width each line; and nothing of it is cut off.
            assert float(page.js("getComputedStyle(document.querySelector('.amount')).fontSize.slice(0, -2)")) >= 90
            assert page.js("((e) => e.scrollWidth <= e.clientWidth)(document.querySelector('.amount'))")
            assert page.fits() and page.stop_in_view()
        position = int(page.one(".guided .there").text.replace("\u202f", "").split()[3])
        page.click(".guided .there")
        page.wait(lambda: page.steps() == position, "the position that was said")
        page.wait(lambda: amount() == "WAIT", "a frame is awaited")
    assert page.js("((e) => e.scrollWidth <= e.clientWidth)(document.querySelector('.amount'))")
    assert amount() == "DONE" and abs(position - best) < 20
    assert "in focus at" in page.one(".guided .words").text
    page.wait(lambda: f"x{count}.fits" in page.one(".camera .watched-facts").text, "the newest frame")
    picture(page, "guided-stop", ".guided")
    assert page.fits() and page.complaints() == []
