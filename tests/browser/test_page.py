# SPDX-License-Identifier: MIT
"""The status page in a real browser, against a simulated observatory.

The fixture `observatory` gives .url, the address of a running focusd with one simulated focuser and
camera.  Every wait is for a condition that the page itself shows.
"""
import json
import urllib.request

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SIZES = {"phone": (360, 740), "desk": (1440, 900)}
RUN_LIMIT_S = 120


class Page:
    """What a person sees and does, by its name."""

    def __init__(self, driver, url):
        self.driver = driver
        self.url = url.rstrip("/")

    def open(self, path="/"):
        self.driver.get(self.url + path)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def js(self, script, *args):
        return self.driver.execute_script("return " + script, *args)

    def wait(self, condition, what, seconds=20):
        WebDriverWait(self.driver, seconds, poll_frequency=0.1).until(lambda _: condition(), what)

    def click(self, selector):
        element = self.one(selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def ready(self):
        self.open()
        self.wait(lambda: self.js("document.querySelectorAll('.focuser, .camera').length") >= 2,
                  "a card for focuser and camera")
        self.wait(lambda: self.one("#news").get_attribute("data-state") == "live", "live news")

    def connect(self):
        for card in (".focuser", ".camera"):
            if self.one(f"{card} .connect").get_attribute("data-does") == "connect":
                self.click(f"{card} .connect")
        for card in (".focuser", ".camera"):
            self.wait(lambda c=card: self.one(f"{c} .link").get_attribute("data-link") == "up",
                      f"{card} connected")
        self.wait(lambda: self.steps() is not None, "a position")

    def steps(self):
        value = self.one(".focuser .steps").get_attribute("data-value")
        return int(value) if value else None

    def moving(self):
        return "is-moving" in self.one(".focuser").get_attribute("class")

    def run(self):
        """The number of the run that is shown, and its state."""
        return (self.one(".chart").get_attribute("data-run") or "",
                self.one(".autofocus").get_attribute("data-state") or "")

    def newest_run(self):
        with urllib.request.urlopen(self.url + "/focusd/v1/runs?limit=1", timeout=10) as answer:
            runs = json.load(answer)
        return runs[0]["run"] if runs else 0

    def start_autofocus(self):
        before = self.newest_run()
        self.click(".autofocus .start")
        self.wait(lambda: int(self.run()[0] or 0) > before, "a new run")

    def fits(self):
        return self.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    def stop_in_view(self):
        """STOP lies inside the window and nothing lies over it."""
        return self.js("""(() => {
            const stop = document.getElementById('stop');
            const r = stop.getBoundingClientRect();
            const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
            return r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && r.right <= innerWidth &&
                r.height >= 56 && document.elementFromPoint(x, y) === stop;
        })()""")

    def complaints(self):
        """What the browser's console says in anger."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]


@pytest.fixture(params=list(SIZES))
def page(request, observatory):
    options = webdriver.ChromeOptions()
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        driver.set_window_size(*SIZES[request.param])
        WebDriverWait(driver, 20, poll_frequency=0.05).until(
            lambda d: d.execute_script("return innerWidth") == SIZES[request.param][0], "the size of the window")
        yield Page(driver, observatory.url)
    finally:
        driver.quit()


def test_first_light(page):
    """From a fresh page to a focused telescope with three buttons."""
    page.ready()
    assert page.fits()
    assert page.stop_in_view()
    page.connect()
    page.start_autofocus()
    page.wait(lambda: page.run()[1] in ("succeeded", "failed", "aborted"), "the end of the run",
              RUN_LIMIT_S)
    assert page.run()[1] == "succeeded", page.one(".result-detail").text
    assert "Best focus" in page.one(".result-head").text
    assert "HFR" in page.one(".result-detail").text
    assert int(page.one(".chart").get_attribute("data-points")) >= 5
    assert page.one(".chart").get_attribute("data-fit") == "yes"
    assert page.js("document.querySelectorAll('.chart canvas').length") >= 1
    # Something is drawn on the curve's canvas.
    assert page.js("""[...document.querySelectorAll('.chart canvas')].some((c) =>
        c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0))""")
    page.wait(lambda: page.js("document.querySelector('.frame').naturalWidth") > 0, "the last frame")
    page.wait(lambda: page.js("document.querySelectorAll('.runs .succeeded').length") >= 1,
              "the run in the history")
    # What it taught is shown, and can be forgotten.
    page.click(".learned summary")
    page.wait(lambda: "least HFR" in page.one(".lessons").text, "what was learned")
    assert "1 run, the last" in page.one(".lessons").text
    assert page.fits()
    page.click(".forget")
    page.wait(lambda: page.one(".learned .none").is_displayed(), "nothing is known")
    assert page.one(".lessons").text == "" and not page.one(".forget").is_displayed()
    page.js("scrollTo(0, document.body.scrollHeight)")
    assert page.stop_in_view()
    assert page.complaints() == []


def test_steps_and_go_to(page):
    page.ready()
    page.connect()
    page.wait(lambda: not page.moving(), "rest")
    start = page.steps()
    page.click(".focuser .sizes label:nth-of-type(2)")
    # Away from whichever end of the range is near.
    sign, button = (-10, ".in") if start >= 10 else (10, ".out")
    page.click(f".focuser {button}")
    page.wait(lambda: page.steps() == start + sign and not page.moving(), "one step of 10")
    field = page.one(".goto input")
    field.send_keys(str(start))
    page.click(".goto button")
    page.wait(lambda: page.steps() == start and not page.moving(), "the way back")
    field.clear()
    field.send_keys("not a number")
    page.click(".goto button")
    assert "whole steps" in page.one(".focuser .say").text
    assert page.complaints() == []


def test_stop_ends_a_run(page):
    page.ready()
    page.connect()
    page.start_autofocus()
    page.wait(lambda: page.run()[1] == "running", "a run going on")
    page.one("#stop").click()
    page.wait(lambda: page.run()[1] == "aborted", "the run stopped")
    page.wait(lambda: not page.moving(), "rest")
    assert page.one(".result-head").text == "The run was stopped"
    assert page.one("#banner").get_attribute("hidden") is not None
    assert page.complaints() == []


def test_messages_go_when_they_are_no_longer_true(page):
    page.ready()
    said = lambda: page.one(".focuser .say").text
    page.click(".focuser .in")
    assert said() == "Not connected. Press Connect first."
    assert page.one(".focuser .in").get_attribute("title") == said()
    # Why no run can be started stands beside the button, for each device that a run needs.
    why_off = lambda: page.one(".autofocus .why-off").text
    assert why_off() == f"{page.one('.focuser .name').text} is not connected. Press Connect first."
    assert page.one(".autofocus .start").get_attribute("aria-disabled") == "true"
    background = "getComputedStyle(document.querySelector('.autofocus .start')).backgroundColor"
    greyed = page.js(background)
    before = page.newest_run()
    page.click(".autofocus .start")
    page.click(".focuser .connect")
    page.wait(lambda: why_off() == f"{page.one('.camera .name').text} is not connected. Press Connect first.",
              "the camera is missing")
    page.connect()
    page.wait(lambda: why_off() == "" and page.one(".autofocus .start").get_attribute("aria-disabled") == "false",
              "nothing is missing")
    page.wait(lambda: page.js(background) != greyed, "it looks as if it did something")
    assert page.newest_run() == before
    page.wait(lambda: said() == "" and page.one(".focuser .in").get_attribute("title") == "", "the message gone")
    page.wait(lambda: not page.moving(), "rest")
    page.one("#stop").click()
    page.wait(lambda: said() == "Stopped.", "Stopped.")
    # The move comes from elsewhere: no command of this page takes the message away.
    target = page.steps() + (1000 if page.steps() < 10000 else -1000)
    page.js("void fetch('/api/v1/focuser/0/connected', {method: 'PUT', body: new URLSearchParams({Connected: 'True', "
            "ClientID: 77})}).then(() => fetch('/api/v1/focuser/0/move', {method: 'PUT', body: new URLSearchParams("
            "{Position: arguments[0], ClientID: 77})}))", target)
    page.wait(lambda: said() == "", "Stopped. is gone when it moves")
    page.wait(lambda: page.steps() == target and not page.moving(), "the end of the move")
    assert page.complaints() == []


def test_disconnect_in_a_run_asks_first(page):
    page.ready()
    page.connect()
    page.start_autofocus()
    page.wait(lambda: page.run()[1] == "running", "a run going on")
    page.click(".focuser .connect")
    asked = page.driver.switch_to.alert
    assert "ends the run" in asked.text
    asked.dismiss()
    assert page.one(".focuser .connect").get_attribute("data-does") == "disconnect"
    assert page.run()[1] == "running"
    page.click(".focuser .connect")
    page.driver.switch_to.alert.accept()
    page.wait(lambda: page.run()[1] in ("failed", "aborted"), "the end of the run")
    assert page.complaints() == []


def test_frame_enlarged(page):
    page.ready()
    page.connect()
    serial = page.one(".frame").get_attribute("data-serial")
    field = page.one(".expose input")
    field.clear()
    field.send_keys("0.5")
    page.click(".expose button")
    page.wait(lambda: page.one(".frame").get_attribute("data-serial") not in (None, "", serial),
              "a new frame")
    page.click(".picture")
    loaded = "document.querySelector('.viewer-image').complete && " \
        "document.querySelector('.viewer-image').naturalWidth"
    page.wait(lambda: page.js(loaded), "the whole frame")
    assert page.stop_in_view()
    page.one(".viewer-image").click()
    page.wait(lambda: "x=" in page.one(".viewer-image").get_attribute("src") and page.js(loaded),
              "the part under the finger")
    assert "1:1" in page.one(".viewer-text").text
    assert page.fits()
    page.one(".viewer-close").click()
    assert not page.one("#viewer").is_displayed()
    assert page.complaints() == []


def test_night_is_remembered(page):
    page.ready()
    page.js("scrollTo(0, 0)")
    page.one("#night").click()
    page.ready()
    assert page.js("document.documentElement.classList.contains('night')")
    # Nothing but red reaches a dark-adapted eye.
    colours = page.js("""[...document.querySelectorAll('body *')]
        .filter((e) => e.checkVisibility()).flatMap((e) => {
        const s = getComputedStyle(e);
        return [s.color, s.backgroundColor];
    })""")
    for colour in set(colours):
        red, green, blue = [float(v) for v in colour[colour.index("(") + 1:-1].split(",")[:3]]
        assert green <= 70 and blue <= 50 and red >= green, colour
    page.open("/setup")
    assert page.js("document.documentElement.classList.contains('night')")
    assert page.complaints() == []


@pytest.mark.parametrize("path", ["/setup", "/setup/v1/focuser/0/setup", "/setup/v1/camera/0/setup"])
def test_setup_pages(page, path):
    page.open(path)
    assert page.fits()
    assert page.one("h1").text != ""
    assert page.complaints() == []
