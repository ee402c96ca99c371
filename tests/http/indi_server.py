# SPDX-License-Identifier: MIT
"""An INDI server that a test writes: devices with properties, and what they do when they are told something.  It speaks
the protocol from its description (INDI, E. C. Downey, 2007) and what indiserver 1.9.9 and its simulators were seen
to do, and shares no code with focusd.

    server = IndiServer()
    focuser = FakeFocuser(server, "Toy")
    ... tcp://127.0.0.1:{server.port} ...
    server.stop()
"""
import base64
import datetime
import itertools
import re
import select
import socket
import threading
import time
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape, quoteattr


class Vector:
    """One property: its kind (Number, Switch, Text, BLOB), state and members."""

    def __init__(self, kind, members, state="Idle", perm="rw", ranges=None):
        self.kind, self.members, self.state, self.perm = kind, dict(members), state, perm
        self.ranges = ranges or {}


class Link:
    """One client."""

    def __init__(self, sock):
        self.socket = sock
        self.only = None       # (device, property) that it asked for, "" any; None before it asked
        self.blobs = {}        # (device, property) -> Never, Also, Only
        self.lock = threading.Lock()

    def wants(self, device, name):
        return self.only is not None and self.only[0] in ("", device) and self.only[1] in ("", name)

    def send(self, data):
        try:
            with self.lock:
                self.socket.sendall(data)
        except OSError:
            pass


class IndiServer:
    def __init__(self, port=0):
        self.devices = {}
        self.lock = threading.RLock()
        self.links = []
        self.heard = []            # elements that clients sent, as (tag, device, property, {member: text})
        self.connections = 0
        self.deaf = False          # reads nothing, answers nothing: it hangs
        self.answers_pings = True
        self.chunk = None          # bytes that are sent at once
        self.listener = None
        self.port = port
        self.listen()

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            link = Link(sock)
            with self.lock:
                self.links.append(link)
                self.connections += 1
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def stop(self):
        """The server goes: nobody listens, and every connection ends."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            links, self.links = self.links, []
        for link in links:
            try:
                link.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            link.socket.close()

    def _serve(self, link):
        parser = ElementTree.XMLPullParser(["start", "end"])
        parser.feed("<session>")
        depth = 0
        while True:
            try:
                select.select([link.socket], [], [])
                while self.deaf:
                    time.sleep(0.02)
                data = link.socket.recv(65536)
            except (OSError, ValueError):
                data = b""
            if not data:
                with self.lock:
                    if link in self.links:
                        self.links.remove(link)
                return
            parser.feed(data)
            for event, element in parser.read_events():
                depth += 1 if event == "start" else -1
                if event == "end" and depth == 1:
                    self._take(link, element)

    def _take(self, link, element):
        device, name = element.get("device", ""), element.get("name", "")
        with self.lock:
            members = {e.get("name"): (e.text or "").strip() for e in element}
            self.heard.append((element.tag, device, name, members))
            if element.tag == "getProperties":
                link.only = (device, name) if link.only is None or link.only != ("", "") else link.only
                for one in list(self.devices.values()):
                    one.define(link=link)
            elif element.tag == "pingRequest" and self.answers_pings:
                link.send(f'<pingReply uid="{element.get("uid")}"/>\n'.encode())
            elif element.tag == "enableBLOB":
                link.blobs[(device, name)] = (element.text or "").strip()
            elif element.tag.startswith("new") and device in self.devices:
                self.devices[device].told(name, members)

    def send(self, device, name, data, blob=False):
        if isinstance(data, str):
            data = data.encode("utf-8")
        with self.lock:
            for link in self.links:
                mode = link.blobs.get((device, name), link.blobs.get((device, ""), "Never"))
                if link.wants(device, name) and (not blob or mode != "Never"):
                    link.send(data)

    def sent_to(self, device, name):
        """What clients have told this property, in order."""
        with self.lock:
            return [members for tag, d, n, members in self.heard
                    if tag.startswith("new") and (d, n) == (device, name)]


class FakeDevice:
    """A device whose driver is loaded; connecting gives it the properties of connected()."""

    interface = 0

    def __init__(self, server, name, is_connected=False, **other):
        """other: attributes of the class that are otherwise here."""
        self.server, self.name = server, name
        self.__dict__.update(other)
        self.vectors = {}
        self.timers = []
        self.refuses_connection = None    # words for the Alert
        self.never_connects = False       # stays Busy
        with server.lock:
            server.devices[name] = self
            self.add("CONNECTION", "Switch", {"CONNECT": "Off", "DISCONNECT": "On"})
            self.add("DRIVER_INFO", "Text", {"DRIVER_NAME": name, "DRIVER_EXEC": "fake", "DRIVER_VERSION": "1.0",
                                             "DRIVER_INTERFACE": str(self.interface)}, perm="ro")
            if is_connected:
                self.connect()

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")

    # ---- what it has ----

    def add(self, name, kind, members, **more):
        self.vectors[name] = Vector(kind, members, **more)
        self.define(name)

    def define(self, only=None, link=None):
        for name, v in self.vectors.items():
            if only is not None and name != only:
                continue
            inside = ""
            for member, value in v.members.items():
                low, high = v.ranges.get(member, (0, 0))
                limits = f' format="%g" min="{low}" max="{high}" step="0"' if v.kind == "Number" else ""
                inside += f"<def{v.kind} name={quoteattr(member)} label=\"\"{limits}>\n{escape(value)}\n</def{v.kind}>"
            text = (f"<def{v.kind}Vector device={quoteattr(self.name)} name=\"{name}\" label=\"\" group=\"\" "
                    f"state=\"{v.state}\" perm=\"{v.perm}\" rule=\"OneOfMany\" timeout=\"60\" "
                    f"timestamp=\"{self.now()}\">{inside}</def{v.kind}Vector>\n")
            if link is None:
                self.server.send(self.name, name, text)
            elif link.wants(self.name, name):
                link.send(text.encode("utf-8"))

    def remove(self, name):
        del self.vectors[name]
        self.server.send(self.name, name, f'<delProperty device={quoteattr(self.name)} name="{name}"/>\n')

    def die(self):
        """The driver crashes: the device is gone from the server."""
        with self.server.lock:
            self.cancel()
            self.server.devices.pop(self.name, None)
            self.vectors = {}
            for link in self.server.links:
                link.send(f"<delProperty device={quoteattr(self.name)}/>\n".encode())

    def set(self, name, state=None, message=None, **members):
        with self.server.lock:
            v = self.vectors[name]
            v.state = state or v.state
            for member, value in members.items():
                v.members[member] = value
            inside = "".join(f"<one{v.kind} name={quoteattr(m)}>\n{escape(v.members[m])}\n</one{v.kind}>"
                             for m in v.members) if members else ""
            said = f" message={quoteattr(message)}" if message else ""
            self.server.send(self.name, name, f"<set{v.kind}Vector device={quoteattr(self.name)} name=\"{name}\" "
                             f"state=\"{v.state}\" timestamp=\"{self.now()}\"{said}>{inside}</set{v.kind}Vector>\n")

    def switch(self, name, member, state="Ok", **more):
        v = self.vectors[name]
        self.set(name, state, **{m: "On" if m == member else "Off" for m in v.members}, **more)

    def on(self, name):
        return [m for m, value in self.vectors[name].members.items() if value == "On"]

    def value(self, name, member):
        return float(self.vectors[name].members[member])

    # ---- what it does ----

    def later(self, seconds, call):
        """Does this after a while, unless something cancels it."""
        def run():
            with self.server.lock:
                if timer in self.timers:
                    self.timers.remove(timer)
                    call()
        timer = threading.Timer(seconds, run)
        timer.daemon = True
        self.timers.append(timer)
        timer.start()

    def cancel(self):
        for timer in self.timers:
            timer.cancel()
        self.timers = []

    def connect(self):
        self.vectors["CONNECTION"].members = {"CONNECT": "On", "DISCONNECT": "Off"}
        self.set("CONNECTION", "Ok", CONNECT="On", DISCONNECT="Off")
        self.connected()

    def disconnect(self):
        """Its cable is pulled, or another client did it."""
        with self.server.lock:
            self.cancel()
            self.set("CONNECTION", "Idle", CONNECT="Off", DISCONNECT="On")

    def connected(self):
        raise NotImplementedError

    def told(self, name, members):
        if name == "CONNECTION" and members.get("CONNECT") == "On":
            if self.refuses_connection:
                self.set("CONNECTION", "Alert", message=self.refuses_connection, CONNECT="Off", DISCONNECT="On")
            elif self.never_connects:
                self.set("CONNECTION", "Busy")
            else:
                self.connect()
        elif name in self.vectors:
            self.order(name, members)

    def order(self, name, members):
        """Takes what it is told, as libindi's drivers do with settings."""
        v = self.vectors[name]
        if v.kind == "Switch":
            self.switch(name, next(iter(members)))
            return
        for member, text in members.items():
            low, high = v.ranges.get(member, (0, 0))
            if v.kind == "Number" and low != high and not low <= float(text) <= high:
                self.set(name, "Alert", message=f"[ERROR] {member} = {text} is out of range")
                return
        self.set(name, "Ok", **members)


class FakeFocuser(FakeDevice):
    interface = 8
    position = 20000
    maximum = 60000
    move_s = 0.15           # a move takes so long
    steps_on_way = 3        # and tells so often where it is
    silent = False          # a move jumps to Ok without having been Busy
    stays_busy = False
    refuses = None          # words for the Alert
    old_position_first = False
    has_abort = True
    relative_only = False

    def connected(self):
        self.add("FOCUS_MOTION", "Switch", {"FOCUS_INWARD": "On", "FOCUS_OUTWARD": "Off"}, state="Ok")
        self.add("REL_FOCUS_POSITION", "Number", {"FOCUS_RELATIVE_POSITION": "0"}, state="Ok",
                 ranges={"FOCUS_RELATIVE_POSITION": (0, self.maximum / 2)})
        if not self.relative_only:
            self.add("ABS_FOCUS_POSITION", "Number", {"FOCUS_ABSOLUTE_POSITION": str(self.position)}, state="Ok",
                     ranges={"FOCUS_ABSOLUTE_POSITION": (0, self.maximum)})
            self.add("FOCUS_SYNC", "Number", {"FOCUS_SYNC_VALUE": "0"}, ranges={"FOCUS_SYNC_VALUE": (0, self.maximum)})
        self.add("FOCUS_BACKLASH_TOGGLE", "Switch", {"INDI_ENABLED": "Off", "INDI_DISABLED": "On"})
        self.add("FOCUS_BACKLASH_STEPS", "Number", {"FOCUS_BACKLASH_VALUE": "0"})
        self.add("FOCUS_TEMPERATURE", "Number", {"TEMPERATURE": "4.5"}, perm="ro")
        if self.has_abort:
            self.add("FOCUS_ABORT_MOTION", "Switch", {"ABORT": "Off"})

    def go(self, target):
        self.cancel()
        start, steps = self.position, self.steps_on_way
        if self.silent:
            self.position = target
            self.set("ABS_FOCUS_POSITION", "Ok", FOCUS_ABSOLUTE_POSITION=str(target))
            return
        self.set("ABS_FOCUS_POSITION", "Busy")
        if self.stays_busy:
            return

        def step(k):
            self.position = start + (target - start) * k // steps
            last = k == steps
            if last and self.old_position_first:
                self.set("ABS_FOCUS_POSITION", "Ok", FOCUS_ABSOLUTE_POSITION=str(start))
                self.later(0.3, lambda: self.set("ABS_FOCUS_POSITION", "Ok", FOCUS_ABSOLUTE_POSITION=str(target)))
                return
            shown = start if self.old_position_first else self.position
            self.set("ABS_FOCUS_POSITION", "Ok" if last else "Busy", FOCUS_ABSOLUTE_POSITION=str(shown))
            if not last:
                self.later(self.move_s / steps, lambda: step(k + 1))

        self.later(self.move_s / steps, lambda: step(1))

    def order(self, name, members):
        if name == "ABS_FOCUS_POSITION":
            target = round(float(members["FOCUS_ABSOLUTE_POSITION"]))
            if self.refuses or not 0 <= target <= self.maximum:
                self.set(name, "Alert", message=self.refuses or "[ERROR] out of range")
            elif target != self.position or self.vectors[name].state == "Busy":
                self.go(target)
        elif name == "REL_FOCUS_POSITION":
            sign = -1 if self.on("FOCUS_MOTION") == ["FOCUS_INWARD"] else 1
            self.position += sign * round(float(members["FOCUS_RELATIVE_POSITION"]))
            self.set(name, "Busy")
            if not self.stays_busy:
                self.later(self.move_s, lambda: self.set(name, "Ok"))
        elif name == "FOCUS_ABORT_MOTION":
            self.cancel()
            self.switch(name, "")
            moving = "REL_FOCUS_POSITION" if self.relative_only else "ABS_FOCUS_POSITION"
            if self.vectors[moving].state == "Busy":
                self.set(moving, "Idle", **({} if self.relative_only
                                            else {"FOCUS_ABSOLUTE_POSITION": str(self.position)}))
        elif name == "FOCUS_SYNC":
            self.position = round(float(members["FOCUS_SYNC_VALUE"]))
            self.set(name, "Ok", **members)
            self.set("ABS_FOCUS_POSITION", FOCUS_ABSOLUTE_POSITION=str(self.position))
        else:
            super().order(name, members)
