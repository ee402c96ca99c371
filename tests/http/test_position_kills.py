# SPDX-License-Identifier: MIT
"""focusd is killed at random moments during moves; after each, the journal is read by a reader of its own and
compared with the emulated motor, which is another process and goes on.  Then focusd is started again and
must say how far the position is to be trusted.

In a third of the kills the controller loses its power, too, and comes back saying 0, or what it saved when it
rested last.

FOCUSD_KILLS: how many in all (24; the long suite asks for 200).
"""
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
START = 30000
TOLERANCE = 2  # steps, of an arrival
SPEED = ("--speed", "1000")  # times fifty: the range in 1.2 s


class Motor:
    """The emulated controller: asked over its own terminal while no server is there, the truth."""

    def __init__(self, make_emulator, folder):
        self.wire = folder / "wire.log"
        self.emulator = make_emulator(START)
        self.power_cycle(START)

    def power_cycle(self, position):
        """It forgets where it was and says another number."""
        self.emulator.stop()
        self.emulator.start(position, "--verbose", *SPEED, record=self.wire)

    def told_to_move(self, since):
        """Whether anything that moves was sent to it after so many bytes of its log."""
        return re.search(rb"> .*:(SN|FG|FQ|\+)", self.wire.read_bytes()[since:]) is not None

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

    def moving(self):
        return self.ask(b":GI#") != 0


class Night:
    """A server, a motor, and what happened to them."""

    def __init__(self, make_observatory, motor, chance):
        self.motor = motor
        self.chance = chance
        self.server = make_observatory(simulate=False, config=(
            f"[focuser.0]\ndriver = moonlite\nport = {motor.emulator.path}\nopen_wait_ms = 0\nmax_step = {MAX}\n"
            "backlash_steps = 150\n"))
        self.journal = self.server.folder / "state" / "position-0"
        self.sequence = 0
        self.seen = {"moving": 0, "rest": 0, "running": 0, "torn": 0, "forgot": 0, "not begun": 0,
                     "stopped": 0}

    def move_and_kill(self):
        """The target; the server dies some time after it was told."""
        target = self.chance.randrange(1000, MAX)
        self.server.put("focuser/0/move", Position=target)
        delay_s = self.chance.choice((0.02, 0.15, 0.3, 0.5, 0.8)) * self.chance.random()
        if delay_s > 0:
            time.sleep(delay_s)
        if self.chance.random() < 0.2:
            self.server.put("focuser/0/halt")
        self.server.close()
        self.server.process.kill()
        self.server.process.communicate()
        return target

    def check(self, target):
        """The journal is whole and says nothing that is not so; the entry."""
        entry, torn = position_file.read(self.journal)
        # The motor first runs on, so both answers are about one state when they agree that it rests.
        running = self.motor.moving()
        position = self.motor.position()
        assert entry["sequence"] >= self.sequence
        self.sequence = entry["sequence"]
        assert entry["trust"] == "known" and entry["driver"] == "moonlite" and entry["max_step"] == MAX
        if entry["motion"] == "rest":
            assert not running, f"the journal says rest at {entry['position']}, but the motor runs"
            assert abs(position - entry["position"]) <= TOLERANCE
        else:
            assert entry["low"] <= position <= entry["high"], (position, entry)
            assert entry["target"] == target
        self.seen[entry["motion"]] += 1
        self.seen["running"] += running
        self.seen["torn"] += torn
        return entry

    def restart(self):
        """What the server says when it is there again; it has moved nothing."""
        bytes_before = self.motor.wire.stat().st_size
        self.server.start()
        self.server.put("focuser/0/connected", Connected="True")
        state = self.server.focuser_state()
        self.server.wait_still()
        assert not self.motor.told_to_move(bytes_before)
        return state

    def goes_on(self, entry):
        """The controller kept its power: its number is right.  Where it rests at the beginning of its way, one
        that fell back to a saved number would say the same."""
        state = self.restart()
        begun = abs(state["position"] - entry["from"]) > TOLERANCE or state["moving"]
        ends = [entry["target"], entry["low"], entry["high"]]
        if entry["motion"] == "moving" and begun and not state["moving"] and \
                min(abs(state["position"] - end) for end in ends) > 10:
            # It was halted just before the kill, and the journal does not know it.
            assert state["trust"] == "unknown" and "nobody here stopped it" in state["trust_why"], (state, entry)
            assert state["within_low"] <= state["position"] <= state["within_high"]
            self.server.action("SetPosition", "keep")
            self.seen["stopped"] += 1
            return
        if entry["motion"] == "rest" or begun or abs(entry["target"] - entry["from"]) <= TOLERANCE:
            assert state["trust"] == "known" and state["trust_why"] is None, (state, entry)
            return
        assert state["trust"] == "unknown" and "where that move began" in state["trust_why"], (state, entry)
        assert self.server.action("SetPosition", "keep") == {"position": state["position"], "trust": "known"}
        self.seen["not begun"] += 1

    def forgets(self, entry):
        """The controller lost its power together with the computer, and says 0, or what it saved at rest."""
        position = self.motor.position()
        saved = entry["motion"] == "moving" and abs(entry["target"] - entry["from"]) > TOLERANCE
        says = entry["from"] if saved and self.chance.random() < 0.5 else 0
        self.motor.power_cycle(says)
        state = self.restart()
        assert state["trust"] == ("unknown" if entry["motion"] == "moving" else "shifted"), (state, entry)
        assert state["position"] == says and state["remembered_position"] == entry["position"]
        if entry["motion"] == "moving":
            assert state["within_low"] <= position <= state["within_high"], (state, entry)
        if entry["motion"] == "rest":
            reply = self.server.action("SetPosition", "restore")
        else:
            reply = self.server.action("SetPosition", {"position": position})
        assert reply == {"position": entry["position"] if entry["motion"] == "rest" else position,
                         "trust": "known"}
        assert self.server.get("focuser/0/position") == reply["position"]
        entry, _ = position_file.read(self.journal)
        assert (entry["motion"], entry["trust"]) == ("rest", "known")
        assert entry["position"] == reply["position"]
        self.sequence = entry["sequence"]
        self.seen["forgot"] += 1


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kills(make_observatory, make_emulator, tmp_path, seed):
    chance = random.Random(f"kills {seed}")
    night = Night(make_observatory, Motor(make_emulator, tmp_path), chance)
    night.server.put("focuser/0/connected", Connected="True")
    until(night.journal.exists, "the first entry")
    for _ in range(KILLS // SEEDS):
        entry = night.check(night.move_and_kill())
        if chance.random() < 1 / 3:
            night.forgets(entry)
        else:
            night.goes_on(entry)
    print(f"seed {seed}: {night.seen}, {night.sequence} entries")
