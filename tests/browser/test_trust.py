# SPDX-License-Identifier: MIT
"""What the page shows of a position that is not to be trusted, and how it is settled."""
import os

import pytest
from conftest import until
from test_page import page  # noqa: F401  a fixture; it opens what `observatory` serves


@pytest.fixture
def emulator(make_emulator):
    return make_emulator(7600)


@pytest.fixture
def observatory(make_observatory, emulator):
    """A focuser that stood at 7600 and says 0 now."""
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\nname = Pier stepper\ndriver = moonlite\nport = {emulator.path}\nopen_wait_ms = 0\n"
        "[camera.0]\ndriver = simulator\n"))
    server.put("focuser/0/connected", Connected="True")
    until((server.folder / "state" / "position-0").exists, "the first entry")
    server.stop()
    emulator.stop()
    emulator.start(0)
    server.start()
    return server


def doubt(page):
    return page.one(".focuser .doubt")


def picture(page, name, card=".focuser"):
    """For the eye, when FOCUSD_SHOTS names a folder."""
    folder = os.environ.get("FOCUSD_SHOTS")
    if folder:
        page.js("document.querySelector(arguments[0]).scrollIntoView()", card)
        page.driver.save_screenshot(os.path.join(folder, f"{name}-{page.js('innerWidth')}.png"))


def show(page):
    page.ready()
    page.connect()
    page.wait(lambda: doubt(page).is_displayed(), "the doubt")


def test_a_shifted_position(page):
    """Told in words and with a sign, in reach of a thumb; a move goes on, and restore settles it."""
    show(page)
    assert page.one(".doubt-head").text == "⚠ Position shifted"
    assert "says 0, as after a reset, but stood at 7600" in page.one(".doubt-why").text
    assert page.one(".doubt .restore").text == "Restore 7\u202f600"
    for button in (".restore", ".keep"):
        box = page.js("arguments[0].getBoundingClientRect().toJSON()", page.one(f".doubt {button}"))
        assert box["height"] >= 44 and box["width"] >= 120
    assert page.fits() and page.stop_in_view()
    picture(page, "day")
    page.click("#night")
    picture(page, "night")
    page.click(".focuser .out")
    page.wait(lambda: page.steps() == 100 and not page.moving(), "a step of 100")
    page.wait(lambda: page.one(".doubt .restore").text == "Restore 7\u202f700", "the offer moved along")
    page.click(".doubt .restore")
    page.wait(lambda: page.steps() == 7700, "the restored position")
    page.wait(lambda: not doubt(page).is_displayed(), "no doubt any more")
    assert "Nothing has moved" in page.one(".focuser .say").text
    assert page.complaints() == []


def test_a_move_that_was_cut_short(page, observatory, emulator):
    """Unknown, with the two ends between which the motor is; to set it to where it was last seen is told to be a guess,
    and only to keep that settles it."""
    observatory.put("focuser/0/connected", Connected="True")
    observatory.action("SetPosition", "restore")
    observatory.put("focuser/0/move", Position=60000)
    until(lambda: observatory.get("focuser/0/position") > 7700, "it is on its way")
    observatory.process.kill()
    observatory.process.communicate()
    observatory.close()
    emulator.stop()
    emulator.start(0)
    # The page's address has to stay.
    observatory.arguments[observatory.arguments.index("--port") + 1] = str(observatory.port)
    observatory.start()
    show(page)
    assert page.one(".doubt-head").text == "⚠ Position unknown, within 7\u202f600 to 60\u202f000"
    assert page.fits() and page.stop_in_view()
    picture(page, "cut")
    page.click(".doubt .restore")
    page.wait(lambda: "guess" in page.one(".focuser .say").text, "it is told to be a guess")
    assert page.one(".doubt-head").text == "⚠ Position unknown, within 7\u202f600 to 60\u202f000"
    page.wait(lambda: not page.one(".doubt .restore").is_displayed(), "nothing more to restore")
    page.click(".doubt .keep")
    page.wait(lambda: not doubt(page).is_displayed(), "no doubt any more")
    assert page.complaints() == []
