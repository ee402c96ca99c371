# SPDX-License-Identifier: MIT
"""N.I.N.A.'s side of the wire: its parameter order, ids, headers, repetitions, and its flows."""
import itertools
import json
import random
import urllib.parse

from conftest import Client, until
from wire import envelope

# One counter for all devices of the process, and not in step with time.
transactions = itertools.count(1)


class Nina(Client):
    """One connection of one device."""

    headers = {"Accept": "application/json", "User-Agent": "ASCOMAlpacaClient/2.1.0"}

    def __init__(self, port, device):
        super().__init__("127.0.0.1", port)
        self.device = device
        self.client_id = random.randint(1, 65536)
        self.failures = []

    def ids_now(self):
        return {"ClientID": self.client_id, "ClientTransactionID": next(transactions)}

    def G(self, member, headers=None):
        """GET: the envelope, checked."""
        ids = self.ids_now()
        answer = self.raw("GET", f"/api/v1/{self.device}/{member}?{urllib.parse.urlencode(ids)}",
                          headers={**self.headers, **(headers or {})})
        return envelope(answer, echo=ids["ClientTransactionID"])

    def P(self, member, ids=None, **form):
        """PUT: member parameters first, then the ids; the envelope, checked."""
        ids = ids or self.ids_now()
        answer = self.raw("PUT", f"/api/v1/{self.device}/{member}",
                          urllib.parse.urlencode({**form, **ids}),
                          {**self.headers, "Content-Type": "application/x-www-form-urlencoded"})
        return envelope(answer, echo=ids["ClientTransactionID"])

    def value(self, member):
        found = self.G(member)
        assert found["ErrorNumber"] == 0, f"{member}: {found}"
        return found["Value"]

    def optional(self, member, *allowed):
        found = self.G(member)
        assert found["ErrorNumber"] in (0, *allowed), f"{member}: {found}"
        return found["Value"] if found["ErrorNumber"] == 0 else None

    def do(self, member, **form):
        found = self.P(member, **form)
        assert found["ErrorNumber"] == 0, f"{member}: {found}"

    def state(self):
        items = self.value("devicestate")
        assert all(item["Value"] is not None for item in items)
        return {item["Name"]: item["Value"] for item in items}

    def image(self):
        ids = self.ids_now()
        answer = self.raw("GET", f"/api/v1/camera/0/imagearray?{urllib.parse.urlencode(ids)}", headers={
            "Accept": "application/imagebytes, application/json", "base64handoff": "true",
            "User-Agent": self.headers["User-Agent"]})
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/imagebytes", answer.body[:200]
        assert int(answer.headers["Content-Length"]) == len(answer.body)
        assert "Transfer-Encoding" not in answer.headers
        return answer.body


def connect(nina):
    """The beginning of R2 and R9: its names stay for the connection."""
    nina.do("connected", Connected="True")
    assert nina.value("connected") is True
    assert nina.value("interfaceversion") == 4
    nina.names = set(nina.state())
    return nina


def connect_focuser(port):
    nina = connect(Nina(port, "focuser/0"))
    assert nina.value("maxstep") > 0
    assert nina.value("absolute") is True
    return nina


def poll_focuser(nina):
    """R3, once."""
    assert nina.value("connected") is True
    assert set(nina.state()) >= nina.names
    if nina.value("tempcompavailable"):
        nina.value("tempcomp")


CAMERA_POLL = ("connected", "cooleron", "ccdtemperature", "cangetcoolerpower", "coolerpower",
               "camerastate", "cansetccdtemperature", "setccdtemperature", "electronsperadu",
               "readoutmode", "exposuremin", "pixelsizex", "gain", "offset")


def poll_camera(nina):
    """R10, once: gain and offset have no other error than NotImplemented."""
    assert set(nina.state()) >= nina.names
    for member in CAMERA_POLL:
        nina.optional(member, 0x400)
    nina.value("connected")


def move(nina, target, pause_s=0.02):
    """R4: steps 1 to 9."""
    highest = nina.value("maxstep")
    assert 0 <= target <= highest
    if nina.value("tempcompavailable"):
        nina.value("tempcomp")
    if nina.state()["Position"] == target:
        return
    nina.do("move", Position=target)
    nina.value("ismoving")
    until(lambda: nina.value("ismoving") is False, f"the move to {target} ends", pause_s=pause_s)
    assert nina.state()["Position"] == target
    assert nina.value("position") == target
    assert nina.state()["Position"] == target


def expose(nina, seconds, binning=1, frame=None, light=True):
    """R11: the steps of one exposure up to its picture."""
    gain = nina.optional("gain", 0x400)
    if gain is not None:
        nina.do("gain", Gain=gain)
        nina.value("gain")
    nina.optional("electronsperadu", 0x400)
    offset = nina.optional("offset", 0x400)
    if offset is not None:
        assert nina.value("offsetmin") <= offset <= nina.value("offsetmax")
        nina.do("offset", Offset=offset)
    for name in ("BinX", "BinY"):
        nina.do(name.lower(), **{name: binning})
    width, height = nina.value("cameraxsize"), nina.value("cameraysize")
    nina.do("numx", NumX=width // binning)
    nina.do("numy", NumY=height // binning)
    assert (nina.value("binx"), nina.value("biny")) == (binning, binning)
    assert nina.value("exposuremin") <= seconds
    left, top, wide, high = frame or (0, 0, width // binning, height // binning)
    # StartX before NumX: for a moment the two may leave the sensor.
    for name, value in (("StartX", left), ("StartY", top), ("NumX", wide), ("NumY", high)):
        nina.do(name.lower(), **{name: value})
    if not nina.value("canfastreadout"):
        nina.value("readoutmode")
    nina.do("startexposure", Duration=seconds, Light=light)
    return wide, high


def wait_image(nina):
    """Polls as N.I.N.A. does, then its header reads, then the picture."""
    polls = itertools.count()
    until(lambda: next(polls) >= 0 and nina.state()["ImageReady"], "the image is ready", pause_s=0.005)
    for member in ("connected", "gain", "offset", "cansetccdtemperature", "setccdtemperature", "binx",
                   "biny", "electronsperadu", "pixelsizex", "canfastreadout", "readoutmodes",
                   "readoutmode", "sensortype", "ccdtemperature"):
        nina.optional(member, 0x400, 0x402)
    return nina.image()


def action(nina, name, parameters="", ids=None):
    found = nina.P("action", ids=ids, Action=name, Parameters=parameters)
    assert isinstance(found["Value"], str)
    return found, json.loads(found["Value"]) if found["ErrorNumber"] == 0 else None
