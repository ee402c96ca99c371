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
                link.socket.close()
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

    def soon(self, seconds, call):
        """Does this after a while, or at once."""
        if seconds > 0:
            self.later(seconds, call)
        else:
            call()

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


def fits(pixels, exposure_s, started=None, extra=()):
    """A plain FITS file of rows of numbers (numpy: uint8, uint16, int32, float32; a third axis in front for planes)."""
    kind = {"uint8": (8, 0, ">u1"), "uint16": (16, 32768, ">i2"), "int32": (32, 0, ">i4"),
            "float32": (-32, 0, ">f4")}[str(pixels.dtype)]
    cards = ["SIMPLE  =                    T", f"BITPIX  = {kind[0]:20d}", f"NAXIS   = {pixels.ndim:20d}"]
    cards += [f"NAXIS{k + 1}  = {size:20d}" for k, size in enumerate(reversed(pixels.shape))]
    if kind[1]:
        cards += [f"BZERO   = {kind[1]:20d}", f"BSCALE  = {1:20d}"]
    if exposure_s is not None:
        cards += [f"EXPTIME = {exposure_s:20.6f}"]
    if started is not None:
        cards += [f"DATE-OBS= '{started:%Y-%m-%dT%H:%M:%S}.{started.microsecond // 1000:03d}'"]
    header = "".join(f"{card:80.80s}" for card in [*cards, *extra, "END"])
    header += " " * (-len(header) % 2880)
    data = (pixels.astype("int64") - kind[1]).astype(kind[2]) if kind[1] else pixels.astype(kind[2])
    raw = data.tobytes()
    return header.encode("ascii") + raw + bytes(-len(raw) % 2880)


class FakeCamera(FakeDevice):
    """Delivers a ramp: element (x, y) of the sensor is (7 * x + 13 * y + 5) modulo 65521, of bin * bin pixels the
    upper left one."""

    interface = 2
    width, height = 64, 48
    dtype = "uint16"
    bits = 16
    planes = 1
    align = 1               # frames are rounded down to multiples of this
    image_first = True      # the picture comes before Ok
    picture_s = 0.0         # so long after the end of the exposure
    spoil = None            # what becomes of the picture: takes and returns (format, data)
    text = None             # what becomes of its base64
    fault = None            # alert, idle, busy, none, older, foreign, wrong
    cooler = True
    variant = "CCD_GAIN"
    answer_s = 0.0          # a setting is answered so long after it was told
    abort_s = 0.0           # and an abort ends what goes on so long after
    upload = "UPLOAD_CLIENT"
    cfa = None
    offset = 0              # is added to every element
    frame_perm = "rw"
    others = {}             # properties that this family has besides: name -> (kind, members, more)
    guides = None           # how a pulse of its guide port is told: busy, silent, hangs

    def connected(self):
        self.pictures = 0
        self.frame = (0, 0, self.width, self.height)
        self.begun = None
        self.add("CCD_EXPOSURE", "Number", {"CCD_EXPOSURE_VALUE": "1"}, ranges={"CCD_EXPOSURE_VALUE": (0.001, 3600)})
        self.add("CCD_ABORT_EXPOSURE", "Switch", {"ABORT": "Off"})
        self.add("CCD_FRAME", "Number", {"X": "0", "Y": "0", "WIDTH": str(self.width), "HEIGHT": str(self.height)},
                 ranges={"X": (0, self.width), "Y": (0, self.height), "WIDTH": (1, self.width),
                         "HEIGHT": (1, self.height)})
        self.vectors["CCD_FRAME"].perm = self.frame_perm
        self.define("CCD_FRAME")
        for name, (kind, members, more) in self.others.items():
            self.add(name, kind, members, **more)
        for axis in ("NS", "WE") if self.guides else ():
            self.add(f"TELESCOPE_TIMED_GUIDE_{axis}", "Number", {f"TIMED_GUIDE_{d}": "0" for d in axis},
                     ranges={f"TIMED_GUIDE_{d}": (0, 60000) for d in axis})
        self.add("CCD_BINNING", "Number", {"HOR_BIN": "1", "VER_BIN": "1"}, ranges={"HOR_BIN": (1, 4), "VER_BIN": (1, 4)})
        if self.cooler:
            self.add("CCD_TEMPERATURE", "Number", {"CCD_TEMPERATURE_VALUE": "12.5"},
                     ranges={"CCD_TEMPERATURE_VALUE": (-50, 50)})
            self.add("CCD_COOLER", "Switch", {"COOLER_ON": "Off", "COOLER_OFF": "On"})
            self.add("CCD_COOLER_POWER", "Number", {"CCD_COOLER_VALUE": "0"}, perm="ro")
        if self.variant == "CCD_GAIN":
            self.add("CCD_GAIN", "Number", {"GAIN": "90"}, ranges={"GAIN": (0, 570)})
            self.add("CCD_OFFSET", "Number", {"OFFSET": "10"}, ranges={"OFFSET": (0, 240)})
        else:
            self.add("CCD_CONTROLS", "Number", {"Gain": "90", "Offset": "10", "BandWidth": "40"},
                     ranges={"Gain": (0, 570), "Offset": (0, 240), "BandWidth": (40, 100)})
        self.add("CCD_FRAME_TYPE", "Switch", {"FRAME_LIGHT": "On", "FRAME_BIAS": "Off", "FRAME_DARK": "Off",
                                              "FRAME_FLAT": "Off"})
        self.add("UPLOAD_MODE", "Switch", {m: "On" if m == self.upload else "Off"
                                           for m in ("UPLOAD_CLIENT", "UPLOAD_LOCAL", "UPLOAD_BOTH")})
        self.add("CCD_COMPRESSION", "Switch", {"INDI_ENABLED": "Off", "INDI_DISABLED": "On"})
        if self.cfa:
            self.add("CCD_CFA", "Text", {"CFA_OFFSET_X": "0", "CFA_OFFSET_Y": "0", "CFA_TYPE": self.cfa})
        self.add("CCD1", "BLOB", {"CCD1": ""}, perm="ro")
        # The size of the sensor is known a little later, as libindi's drivers do it.
        self.add("CCD_INFO", "Number", {m: "0" for m in ("CCD_MAX_X", "CCD_MAX_Y", "CCD_PIXEL_SIZE",
                                                         "CCD_PIXEL_SIZE_X", "CCD_PIXEL_SIZE_Y", "CCD_BITSPERPIXEL")})
        self.set("CCD_INFO", "Ok", CCD_MAX_X=str(self.width), CCD_MAX_Y=str(self.height), CCD_PIXEL_SIZE="3.76",
                 CCD_PIXEL_SIZE_X="3.76", CCD_PIXEL_SIZE_Y="3.76", CCD_BITSPERPIXEL=str(self.bits))

    def order(self, name, members):
        if name == "CCD_EXPOSURE":
            self.expose(float(members["CCD_EXPOSURE_VALUE"]))
        elif name == "CCD_ABORT_EXPOSURE":
            self.switch(name, "")
            self.cancel()
            self.soon(self.abort_s, lambda: self.set("CCD_EXPOSURE", "Idle", CCD_EXPOSURE_VALUE="0"))
        elif name == "CCD_FRAME":
            x, y, w, h = (round(float(members[m])) for m in ("X", "Y", "WIDTH", "HEIGHT"))
            w, h = max(self.align, w - w % self.align), max(self.align, h - h % self.align)
            self.frame = (x, y, w, h)
            self.soon(self.answer_s, lambda: self.set(name, "Ok", X=str(x), Y=str(y), WIDTH=str(w), HEIGHT=str(h)))
        elif name.startswith("TELESCOPE_TIMED_GUIDE_"):
            if self.guides != "silent":
                self.set(name, "Busy", **members)
            if self.guides == "busy":
                self.later(max(map(float, members.values())) / 1000,
                           lambda: self.set(name, "Ok", **{member: "0" for member in members}))
        elif name == "CCD_TEMPERATURE":
            self.switch("CCD_COOLER", "COOLER_ON")
            self.set(name, "Busy", **{"CCD_TEMPERATURE_VALUE": "3.5"})
            self.set("CCD_COOLER_POWER", "Busy", CCD_COOLER_VALUE="60")
        else:
            super().order(name, members)

    def expose(self, seconds):
        self.cancel()
        self.begun = datetime.datetime.now(datetime.timezone.utc)
        if self.fault == "alert":
            self.set("CCD_EXPOSURE", "Alert", message="[ERROR] the sensor does not answer", CCD_EXPOSURE_VALUE="0")
            return
        self.set("CCD_EXPOSURE", "Busy", CCD_EXPOSURE_VALUE=str(seconds))
        if self.fault != "busy":
            self.later(seconds + self.picture_s, lambda: self.over(seconds))

    def over(self, seconds):
        if self.fault == "idle":
            self.set("CCD_EXPOSURE", "Idle", CCD_EXPOSURE_VALUE="0")
            return
        steps = [lambda: self.fault == "none" or self.picture(seconds),
                 lambda: self.set("CCD_EXPOSURE", "Ok", CCD_EXPOSURE_VALUE="0")]
        for step in steps if self.image_first else reversed(steps):
            step()

    def pixels(self):
        import numpy
        bin_x = round(self.value("CCD_BINNING", "HOR_BIN"))
        x, y, w, h = self.frame
        columns, rows = numpy.meshgrid(x + bin_x * numpy.arange(w // bin_x), y + bin_x * numpy.arange(h // bin_x))
        ramp = (7 * columns + 13 * rows + 5) % 65521
        if self.dtype == "uint8":
            ramp %= 251
        if self.planes == 3:
            ramp = numpy.stack([ramp, ramp + 1, ramp + 2])
        return (ramp + self.offset).astype(self.dtype)

    def picture(self, seconds, started=None, exposure_s=None):
        """The picture of an exposure of so many seconds that has ended now."""
        self.pictures += 1
        data = fits(self.pixels(), seconds if exposure_s is None else exposure_s, started or self.begun)
        form = ".fits"
        if self.spoil:
            form, data = self.spoil(form, data)
        self.blob(form, data)

    def blob(self, form, data):
        text = base64.encodebytes(data).decode("ascii")
        text = self.text(text) if self.text else text
        if text is None:
            return
        self.server.send(self.name, "CCD1", f"<setBLOBVector device={quoteattr(self.name)} name=\"CCD1\" state=\"Ok\" "
                         f"timestamp=\"{self.now()}\">\n<oneBLOB name=\"CCD1\" size=\"{len(data)}\" "
                         f"enclen=\"{len(text)}\" format=\"{form}\">\n{text}</oneBLOB>\n</setBLOBVector>\n", blob=True)
