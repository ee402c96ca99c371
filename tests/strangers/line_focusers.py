# SPDX-License-Identifier: MIT
"""Focusers that people own, as far as their INDI drivers ask: each a script on a pseudo terminal, written from the makers'
commands as other programs use them.  They know one motor that runs at a constant speed; none shares code with focusd.

    focuser = FocusCube(position=20000)
    ... a driver opens focuser.path ...
    focuser.stop()
"""
import json
import os
import pty
import select
import threading
import time
import tty


class LineFocuser:
    """A device that answers what comes on its line, on a thread of its own."""

    steps_per_s = 4000
    maximum = 60000

    def __init__(self, position):
        self.origin, self.target, self.since = position, position, time.monotonic()
        self.heard = []
        self.lock = threading.Lock()
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.wake_read, self.wake = os.pipe()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        os.write(self.wake, b"x")
        self.thread.join()
        for fd in (self.master, self.slave, self.wake_read, self.wake):
            os.close(fd)

    def _run(self):
        said = b""
        while True:
            ready, _, _ = select.select([self.master, self.wake_read], [], [])
            if self.wake_read in ready:
                return
            said += os.read(self.master, 4096)
            with self.lock:
                while True:
                    command, said = self.cut(said)
                    if command is None:
                        break
                    self.heard.append(command)
                    os.write(self.master, self.answer(command).encode("ascii") + b"\r\n")

    # ---- the motor ----

    @property
    def position(self):
        way = self.target - self.origin
        gone = min(abs(way), int((time.monotonic() - self.since) * self.steps_per_s))
        return self.origin + (gone if way > 0 else -gone)

    @property
    def moves(self):
        return self.position != self.target

    def go(self, target):
        self.origin, self.target, self.since = self.position, target, time.monotonic()

    def halt(self):
        self.origin = self.target = self.position


class FocusCube(LineFocuser):
    """Pegasus Astro's text lines: a letter, a number where it sets something, LF; the answer to a setting is its echo."""

    word = "OK_FC"

    @staticmethod
    def cut(said):
        line, end, rest = said.partition(b"\n")
        return (line.decode("ascii").strip(), rest) if end else (None, said)

    def answer(self, command):
        name, _, value = command.partition(":")
        number = int("".join(c for c in value if c in "-0123456789") or 0)
        if name == "#":
            return self.word
        if name == "A":
            # Motor, temperature, position, moving, LED, reverse, encoder, backlash.
            return f"{self.word}:2.8:1:4.50:{self.position}:{int(self.moves)}:1:0:0:0"
        if name == "P":
            return str(self.position)
        if name == "T":
            return "4.50"
        if name == "I":
            return str(int(self.moves))
        if name == "M":
            self.go(number)
        elif name == "G":
            self.go(self.position + number)
        elif name == "W":
            self.origin = self.target = number
        elif name == "H":
            self.halt()
            return "H:1"
        return command


class Dmfc(FocusCube):
    word = "OK_DMFCN"


class PrimaLuce(LineFocuser):
    """PrimaLuceLab's JSON: {"req": {"get"|"set"|"cmd": ...}} without an end of line; the answer repeats what was asked, with
    values, or "done", at its leaves."""

    serial, model = "SESTOSENSO20123", "SESTOSENSO2"

    @staticmethod
    def cut(said):
        depth = 0
        start = said.find(b"{")
        for at in range(max(start, 0), len(said)):
            depth += {ord("{"): 1, ord("}"): -1}.get(said[at], 0)
            if start >= 0 and depth == 0:
                return said[start:at + 1].decode("ascii"), said[at + 1:]
        return None, said

    def state(self):
        return {
            "SN": self.serial, "MODNAME": self.model, "SWVERS": {"SWAPP": "1.2", "SWWEB": "1.0"}, "ARCO": 0,
            "EXT_T": "4.50", "VIN_12V": "12.10", "VIN_USB": "5.00", "RUNPRESET": "light",
            "MOT1": {
                "ABS_POS": self.position, "ABS_POS_STEP": self.position, "POSITION_STEP": self.position,
                "SPEED": 500 if self.moves else 0, "NTC_T": "5.25", "CAL_MAXPOS": self.maximum, "CAL_MINPOS": 0,
                "CAL_STATUS": "stop", "CAL_DIR": "normal", "BKLASH": 0, "CAL_BKLASH": 0, "HOLDCURR_STATUS": 1,
                "FnRUN_ACC": 5, "FnRUN_DEC": 5, "FnRUN_SPD": 5, "FnRUN_CURR_ACC": 5, "FnRUN_CURR_DEC": 5,
                "FnRUN_CURR_SPD": 5, "FnRUN_CURR_HOLD": 3,
                "STATUS": {"HIZ": 0, "BUSY": int(self.moves), "DIR": 0, "MST": "cstspd" if self.moves else "stop"}}}

    def fill(self, asked, values):
        if not isinstance(asked, dict):
            return values
        return {key: self.fill(what, values[key]) if isinstance(values, dict) and key in values
                else "Error: invalid key" for key, what in asked.items()}

    def act(self, asked):
        motor = asked.get("MOT1", {}) if isinstance(asked, dict) else {}
        move = motor.get("MOVE_ABS", motor)
        target = motor.get("GOTO", move.get("STEP", move.get("STEPS")) if isinstance(move, dict) else None)
        if target is not None:
            self.go(int(target))
        elif "MOT_STOP" in motor or "MOT_ABORT" in motor:
            self.halt()

    def done(self, asked):
        return {key: self.done(what) for key, what in asked.items()} if isinstance(asked, dict) else "done"

    def answer(self, command):
        request = json.loads(command)["req"]
        verb = next(iter(request))
        if verb == "get":
            result = self.fill(request["get"], self.state())
        else:
            self.act(request[verb])
            result = self.done(request[verb])
        return json.dumps({"res": {verb: result}}, separators=(",", ":"))


class Esatto(PrimaLuce):
    """With the rotator Arco beside it, without which INDI 1.9.9 has no driver for an Esatto but the Sesto Senso's."""

    serial, model = "ESATTO20123", "ESATTO2"

    def state(self):
        return {**super().state(), "ARCO": 1, "ARCO_SN": "ARCO0123", "MOT2": {
            "POSITION_DEG": 10.0, "POSITION_STEP": 1000, "POSITION_ARCSEC": 36000, "ABS_POS": 10.0, "SPEED": 0, "REVERSE": 0,
            "CAL_STATUS": "stop", "STATUS": {"BUSY": 0, "MST": "stop"}}}

    def done(self, asked):
        # Devices differ in the leaf; the driver for the Arco takes no other for a move that it asks for in STEPS.
        if isinstance(asked, dict) and "STEPS" in asked.get("MOVE_ABS", {}):
            return {"STEPS": "done"}
        return super().done(asked)
