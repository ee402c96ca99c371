# SPDX-License-Identifier: MIT
"""What the page shows while the position cannot be written down."""
import shutil

import pytest
from conftest import block_journal, until
from test_page import page  # noqa: F401  a fixture; it opens what `observatory` serves
from test_trust import picture


@pytest.fixture
def observatory(make_observatory, make_emulator):
    """A focuser whose journal cannot be written: a folder stands in its place and cannot be put aside."""
    server = make_observatory(simulate=False, config=(
        f"[focuser.0]\nname = Pier stepper\ndriver = moonlite\nport = {make_emulator(7600).path}\nopen_wait_ms = 0\n"
        "[camera.0]\ndriver = simulator\n"))
    block_journal(server.folder / "state" / "position-0")
    return server


def test_an_unprotected_position(page, observatory):
    """Said in words and with a sign beside the position; it goes when the position is written again."""
    page.ready()
    page.connect()
    page.click(".focuser .out")
    warning = page.one(".focuser .unprotected")
    page.wait(warning.is_displayed, "the warning")
    assert warning.text.startswith("⚠ Position unprotected") and "power fails" in warning.text
    assert page.fits() and page.stop_in_view()
    picture(page, "unprotected-day")
    page.click("#night")
    picture(page, "unprotected-night")
    page.wait(lambda: not page.moving(), "rest")
    shutil.rmtree(observatory.folder / "state" / "position-0")
    page.click(".focuser .in")
    page.wait(lambda: not warning.is_displayed(), "no warning any more", 60)
    until(lambda: not observatory.focuser_state()["journal_failing"], "it has healed")
    assert page.complaints() == []
