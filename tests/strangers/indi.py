# SPDX-License-Identifier: MIT
"""Programs by other people that drive our emulated devices: INDI's own drivers (Debian: indi-bin), each under
an indiserver of its own, and a small INDI client that tells it what to do.

    from indi import device, stranger  # fixtures

    def test_it(device, stranger):
        focuser = device("moonlite", faults=["slow-start"], position=20000)
        indi = stranger("indi_moonlite_focus", "MoonLite")
        indi.connect(focuser.path)
        indi.move(23000)
        assert focuser.sent()[-1] == ":GP#"

A server has its own HOME (drivers keep settings there), port, socket and process group; the group ends with
the test, since some drivers live on when their server is gone.

Drivers flush their port, both ways, between two commands.  A real port has passed the first command on by then; a
pseudo terminal on a busy machine may not have, and drops it, which nobody could help.  So drivers get a library
(input_flush.c) in which a flush drops what was received only.
"""
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import BINARY, DEADLINE_S, device, until  # noqa: F401  device is a fixture

INPUT_FLUSH = pathlib.Path(BINARY).resolve().parent.parent / "tests" / "strangers" / "libinput_flush.so"


class Property:
    """One vector of the device: its kind, its state, and its members as text, or numbers."""

    def __init__(self, kind):
        self.kind = kind
        self.state = ""
        self.values = {}
        self.ranges = {}
        self.updates = 0

    def __getitem__(self, member):
        return self.values[member]

    @property
    def chosen(self):
        """Of a switch with one position: which."""
        on = [name for name, value in self.values.items() if value == "On"]
        return on[0] if on else None


class Indi:
    """An indiserver with one driver, and a client of it."""

    def __init__(self, folder, driver, device):
        self.device = device
        self.log_path = folder / "indi.log"
        self.properties = {}
        self.messages = []
        self.parser = ElementTree.XMLPullParser(["end"])
        self.parser.feed("<session>")
        self.process = self.socket = None
        for _ in range(5):
            # Somebody may take the port between our look and the server's.
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    ["indiserver", "-r", "0", "-p", str(self.port), "-u", str(folder / "indi.socket"), driver],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    env={**os.environ, "HOME": str(folder), "LD_PRELOAD": str(INPUT_FLUSH)})
            until(self._reach, "indiserver answers or has ended")
            if self.process.poll() is None:
                break
            self.stop()
        assert self.process.poll() is None, self.log_path.read_text(encoding="utf-8")
        self._send('<getProperties version="1.7"/>')
        self.wait(lambda: "CONNECTION" in self.properties, f"{driver} tells what it has")

    def _reach(self):
        if self.process.poll() is not None:
            return True
        try:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=1)
        except OSError:
            return False
        return True

    def stop(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def _send(self, text):
        self.socket.sendall(text.encode())

    def _take(self, element):
        if element.tag == "message":
            self.messages.append(element.get("message", ""))
        if element.tag == "delProperty":
            gone = element.get("name")
            for name in [gone] if gone else list(self.properties):
                self.properties.pop(name, None)
        match = re.fullmatch(r"(def|set)(Text|Number|Switch|Light)Vector", element.tag)
        if not match or element.get("device") != self.device:
            return
        name = element.get("name")
        if match.group(1) == "def":
            self.properties[name] = Property(match.group(2))
        vector = self.properties.get(name)
        if vector is None:
            return
        vector.state = element.get("state", vector.state)
        vector.updates += 1
        if element.get("message"):
            self.messages.append(element.get("message"))
        for member in element:
            text = (member.text or "").strip()
            vector.values[member.get("name")] = float(text) if vector.kind == "Number" else text
            if member.get("min") is not None:
                vector.ranges[member.get("name")] = (float(member.get("min")), float(member.get("max")))

    def listen(self, seconds):
        """Takes in what comes in this time at most; True when something did."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        data = self.socket.recv(65536)
        assert data, "indiserver closed the connection:\n" + self.log_path.read_text(encoding="utf-8")
        self.parser.feed(data)
        for _, element in self.parser.read_events():
            if element.tag.endswith("Vector") or element.tag in ("message", "delProperty"):
                self._take(element)
        return True

    def wait(self, condition, what, deadline_s=DEADLINE_S):
        """Listens until condition() is true; its value."""
        end = time.monotonic() + deadline_s
        while True:
            value = condition()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                pytest.fail(f"gave up waiting: {what}\nlast words: {self.messages[-5:]}")
            self.listen(min(left, 1))

    def __getitem__(self, name):
        return self.properties[name]

    def set(self, name, **members):
        """Sends new values; members with blanks or dots as set(name, **{"Half Step": "On"})."""
        kind = self.properties[name].kind
        inside = "".join(f'<one{kind} name="{key}">{value}</one{kind}>' for key, value in members.items())
        self._send(f'<new{kind}Vector device="{self.device}" name="{name}">{inside}</new{kind}Vector>')

    def set_and_wait(self, name, **members):
        """The state that the driver answers with: Ok, Busy, Alert or Idle."""
        before = self.properties[name].updates
        self.set(name, **members)
        return self.wait(lambda: self.properties[name].updates > before and self.properties[name].state,
                         f"an answer to {name}")

    def connect(self, path, ready="ABS_FOCUS_POSITION"):
        """Connects on this port and looks at no other; returns when it is ready."""
        self.wait(lambda: "DEVICE_PORT" in self.properties and "DEVICE_AUTO_SEARCH" in self.properties,
                  "a port can be set")
        self.set_and_wait("DEVICE_PORT", PORT=path)
        # Off, or a failed connect would roam over all ports of this machine.
        self.set_and_wait("DEVICE_AUTO_SEARCH", INDI_DISABLED="On")
        self.set("CONNECTION", CONNECT="On")
        self.wait(lambda: self["CONNECTION"].state == "Alert" or self["CONNECTION"].chosen == "CONNECT"
                  and self["CONNECTION"].state == "Ok", "an answer to CONNECTION")
        assert self["CONNECTION"].state == "Ok", self.messages
        self.wait(lambda: ready in self.properties, f"{ready} is there")

    @property
    def position(self):
        return self["ABS_FOCUS_POSITION"]["FOCUS_ABSOLUTE_POSITION"]

    def start_move(self, target):
        self.set("ABS_FOCUS_POSITION", FOCUS_ABSOLUTE_POSITION=target)
        self.wait(lambda: self["ABS_FOCUS_POSITION"].state in ("Busy", "Alert") or self.position == target,
                  f"a move to {target} begins")

    def move(self, target):
        """Moves there; where the driver says it is at the end."""
        self.start_move(target)
        self.wait(lambda: self["ABS_FOCUS_POSITION"].state != "Busy", f"the move to {target} ends")
        assert self["ABS_FOCUS_POSITION"].state == "Ok", self.messages[-3:]
        return self.position


@pytest.fixture
def stranger(tmp_path_factory):
    """stranger("indi_moonlite_focus", "MoonLite"): that driver under a server of its own."""
    running = []

    def make(driver, name):
        if shutil.which("indiserver") is None or shutil.which(driver) is None:
            pytest.skip(f"{driver} is not installed (Debian: indi-bin)")
        assert INPUT_FLUSH.exists(), f"{INPUT_FLUSH} is not built"
        running.append(Indi(tmp_path_factory.mktemp("indi"), driver, name))
        return running[-1]

    yield make
    for indi in running:
        indi.stop()
