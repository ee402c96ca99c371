# SPDX-License-Identifier: MIT
"""What the page says of a STOP that did not arrive, because the cable is out or the server is away."""
import signal

import pytest
from test_page import page  # noqa: F401  a fixture; it opens what `observatory` serves
from test_trust import picture

NOT_SENT = "STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves."


@pytest.fixture(params=["moonlite", "celestron", "myfocuserpro2"])
def emulated(request, device, tmp_path):
    """A focuser whose cable is out 300 ms into its first move, for 2 s."""
    return device(request.param, faults=["drop-line"], position=10000, time_factor=1, link=tmp_path / "cable")


@pytest.fixture
def observatory(make_observatory, emulated, tmp_path, request):
    kind = request.node.callspec.params.get("emulated", "moonlite")
    return make_observatory(simulate=False, config=(
        f"[focuser.0]\nname = Pier stepper\ndriver = {kind}\nport = {tmp_path}/cable\nopen_wait_ms = 0\n"
        "[camera.0]\ndriver = simulator\n"))


def banner(page):  # noqa: F811
    return page.one("#banner").text


def watch_banner(page):  # noqa: F811
    """Keeps every text that the banner has had: the link may be back before a test has looked."""
    page.js("""(() => {
        window.said = [];
        const banner = document.getElementById('banner');
        new MutationObserver(() => window.said.push(banner.textContent)).observe(banner,
            {childList: true, characterData: true, subtree: true});
    })()""")


def move_far(page):  # noqa: F811
    field = page.one(".goto input")
    field.clear()
    field.send_keys("30000")
    page.click(".goto button")


def test_stop_while_the_cable_is_out(page):  # noqa: F811
    page.ready()
    page.connect()
    page.wait(lambda: not page.moving(), "rest")
    watch_banner(page)
    move_far(page)
    page.wait(lambda: page.one(".focuser .link").get_attribute("data-link") == "lost", "the loss")
    page.one("#stop").click()
    page.wait(lambda: NOT_SENT in page.js("window.said.join('|')"), "the banner says it")
    assert f"Pier stepper: {NOT_SENT}" in page.js("window.said.join('|')")
    page.wait(lambda: page.one(".focuser .link").get_attribute("data-link") == "up", "the link is back")
    page.wait(lambda: page.one(".focuser .stop-words").text == "⚠ STOP was sent when the link was back.", "what came of it")
    page.wait(lambda: not page.moving(), "rest")
    assert page.steps() < 20000
    page.wait(lambda: page.one("#banner").get_attribute("hidden") is not None, "the banner is gone")
    assert page.one(".focuser .failure").text == ""
    assert page.one(".focuser .say").text == ""
    page.click(".focuser .sizes label:nth-of-type(2)")
    page.click(".focuser .out")
    page.wait(lambda: not page.one(".focuser .stop-words").is_displayed(), "it is no news any more")
    assert page.fits() and page.complaints() == []


@pytest.mark.parametrize("emulated", ["moonlite"], indirect=True)
def test_stop_with_the_cable_out_is_seen(page, observatory, emulated, tmp_path):  # noqa: F811
    """It stays in sight, by day and by night, with STOP beside it."""
    page.ready()
    page.connect()
    move_far(page)
    page.wait(lambda: page.one(".focuser .link").get_attribute("data-link") == "lost", "the loss")
    emulated.stop()
    page.one("#stop").click()
    page.wait(lambda: banner(page) == f"Pier stepper: {NOT_SENT}", "the banner")
    page.wait(lambda: page.one(".focuser .stop-words").text == f"⚠ {NOT_SENT}", "the card's words")
    assert page.fits() and page.stop_in_view()
    page.js("scrollTo(0, document.body.scrollHeight)")
    assert page.stop_in_view() and page.one("#banner").is_displayed()
    picture(page, "stop-owed-day")
    page.click("#night")
    picture(page, "stop-owed-night")
    # A page that is opened now says it, too.
    page.ready()
    page.wait(lambda: banner(page) == f"Pier stepper: {NOT_SENT}", "the banner of a fresh page")
    assert page.complaints() == []


@pytest.mark.parametrize("emulated", ["moonlite"], indirect=True)
def test_stop_without_a_server(page, observatory, emulated):  # noqa: F811
    page.ready()
    page.connect()
    page.wait(lambda: not page.moving(), "rest")
    observatory.process.send_signal(signal.SIGSTOP)
    try:
        page.one("#stop").click()
        page.wait(lambda: banner(page).startswith("STOP not sent to Pier stepper: the server does not answer. "
                                                  "Trying again"), "said at the first try")
        page.wait(lambda: banner(page).startswith(
            "STOP not sent to Pier stepper: the server does not answer. Press it again, or cut the power if it moves."),
            "said in the end")
        assert page.stop_in_view()
        picture(page, "stop-away")
    finally:
        observatory.process.send_signal(signal.SIGCONT)
    page.wait(lambda: page.one("#banner").get_attribute("hidden") is not None, "the server is back, at rest")
