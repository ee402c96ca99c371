# SPDX-License-Identifier: MIT
"""focusd is killed at random moments during moves; after each, the journal is read by a reader of its own and
compared with the emulated motor, which is another process and goes on.  Then focusd is started again
and must say how far the position is to be trusted.

In each third kill the controller loses its power, too, and comes back saying 0.

FOCUSD_KILLS: how many in all (24; the long suite asks for 200).
"""
import json
import os
import random
import re
import select
import time

import position_file
import pytest
from conftest import until

SEEDS = 4
KILLS = int(os.environ.get("FOCUSD_KILLS", "24"))
MAX = 60000


class Motor:
    """The emulated controller, asked over its own terminal: the truth."""

    def __init__(self, emulator):
        self.emulator = emulator

    def ask(self, question):
        port = os.open(self.emulator.path, os.O_RDWR | os.O_NOCTTY)
        try:
            # An answer that the killed program did not fetch may still lie in the line.
            while select.select([port], [], [], 0.02)[0]:
                os.read(port, 4096)
            os.write(port, question)
            answer = b""
            while not answer.endswith(b"#"):
                assert select.select([port], [], [], 30)[0], "the emulator does not answer"
                answer += os.read(port, 64)
        finally:
            os.close(port)
        return int(re.fullmatch(rb"([0-9A-F]+)#", answer).group(1), 16)

    def position(self):
        return self.ask(b":GP#")

    def target(self):
        return self.ask(b":GN#")

    def moving(self):
        return self.ask(b":GI#") != 0

    def rest(self):
        until(lambda: not self.moving(), "the motor comes to rest")
        return self.position()


def state(server):
    """The focuser's part of the first event."""
    answer = server.raw("GET", "/events?once=1") if False else None
    assert answer is None
    with server.client().events() as events:
        return events


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kills(make_observatory, make_emulator, seed):
    chance = random.Random(f"kills {seed}")
    emulator = make_emulator(30000)
