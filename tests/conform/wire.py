# SPDX-License-Identifier: MIT
"""Requests as they stand on the wire, and what every answer must be (ASCOM Alpaca API Reference)."""
import itertools
import json
import threading
import urllib.parse

import pytest
from conftest import AlpacaError, until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UINT32 = range(0, 2**32)

# The members of both devices as the interfaces have them (IFocuserV4, ICameraV4): what GET reads, and
# what PUT takes.  Written from the interface definitions, not from the server's table.
COMMON_GETS = {
    "connected": bool, "connecting": bool, "description": str, "devicestate": list, "driverinfo": str,
    "driverversion": str, "interfaceversion": int, "name": str, "supportedactions": list,
}
FOCUSER_GETS = {
    "absolute": bool, "ismoving": bool, "maxincrement": int, "maxstep": int, "position": int,
    "stepsize": float, "tempcomp": bool, "tempcompavailable": bool, "temperature": float,
}
CAMERA_GETS = {
    "bayeroffsetx": int, "bayeroffsety": int, "binx": int, "biny": int, "camerastate": int,
    "cameraxsize": int, "cameraysize": int, "canabortexposure": bool, "canasymmetricbin": bool,
    "canfastreadout": bool, "cangetcoolerpower": bool, "canpulseguide": bool,
    "cansetccdtemperature": bool, "canstopexposure": bool, "ccdtemperature": float, "cooleron": bool,
    "coolerpower": float, "electronsperadu": float, "exposuremax": float, "exposuremin": float,
    "exposureresolution": float, "fastreadout": bool, "fullwellcapacity": float, "gain": int,
    "gainmax": int, "gainmin": int, "gains": list, "hasshutter": bool, "heatsinktemperature": float,
    "imageready": bool, "ispulseguiding": bool, "maxadu": int, "maxbinx": int, "maxbiny": int,
    "numx": int, "numy": int, "offset": int, "offsetmax": int, "offsetmin": int, "offsets": list,
    "percentcompleted": int, "pixelsizex": float, "pixelsizey": float, "readoutmode": int,
    "readoutmodes": list, "sensorname": str, "sensortype": int, "setccdtemperature": float,
    "startx": int, "starty": int, "subexposureduration": float,
}
IMAGE_GETS = {"imagearray": list, "imagearrayvariant": list}
LAST_GETS = {"lastexposureduration": float, "lastexposurestarttime": str}
# Setters whose current value is read by GET of the same name.
FOCUSER_SETTERS = {"tempcomp": "TempComp"}
CAMERA_SETTERS = {
    "binx": "BinX", "biny": "BinY", "cooleron": "CoolerOn", "fastreadout": "FastReadout",
    "gain": "Gain", "numx": "NumX", "numy": "NumY", "offset": "Offset", "readoutmode": "ReadoutMode",
    "setccdtemperature": "SetCCDTemperature", "startx": "StartX", "starty": "StartY",
    "subexposureduration": "SubExposureDuration",
}
STATE_NAMES = {
    "focuser": {"IsMoving": bool, "Position": int, "Temperature": float, "TimeStamp": str},
    "camera": {"CameraState": int, "CCDTemperature": float, "CoolerPower": float,
               "HeatSinkTemperature": float, "ImageReady": bool, "IsPulseGuiding": bool,
               "PercentCompleted": int, "TimeStamp": str},
}


def is_of(value, kind):
    """JSON types as typed clients read them: an integer is no bool and has no decimal point."""
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def text_of(value):
    """A value as .NET clients write it."""
    return str(value)


def form_of(fields):
    return urllib.parse.urlencode(fields)


def query_of(fields):
    return urllib.parse.urlencode(fields, quote_via=urllib.parse.quote)


def send(client, verb, path, fields, headers=None):
    """fields as pairs: in the query of a GET (blanks as %20), in the body of a PUT (blanks as +)."""
    if verb == "GET":
        return client.raw("GET", f"/api/v1/{path}?{query_of(fields)}", headers=headers)
    return client.raw("PUT", f"/api/v1/{path}", form_of(fields), {**FORM, **(headers or {})})


def envelope(answer, echo=None, kind=None, strict=True):
    """Everything that is demanded of an answer with status 200; its envelope."""
    assert answer.status == 200, f"HTTP {answer.status}: {answer.body[:300]!r}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    found = json.loads(answer.body.decode("utf-8"), parse_constant=lambda text: pytest.fail(text))
    for key in ("ClientTransactionID", "ServerTransactionID", "ErrorNumber", "ErrorMessage"):
        assert key in found, f"{key} is missing: {found}"
    assert is_of(found["ClientTransactionID"], int) and found["ClientTransactionID"] in UINT32
    assert is_of(found["ServerTransactionID"], int) and found["ServerTransactionID"] in UINT32
    assert found["ServerTransactionID"] >= 1
    number, message = found["ErrorNumber"], found["ErrorMessage"]
    assert is_of(number, int) and (number == 0 or 0x400 <= number <= 0xFFF)
    assert isinstance(message, str) and (number != 0) == (message != "")
    assert found.get("Value", 0) is not None
    assert "DriverException" not in found
    if echo is not None:
        assert found["ClientTransactionID"] == echo
    if kind is not None and (number == 0 or strict):
        assert "Value" in found and is_of(found["Value"], kind), f"{found} is no {kind.__name__}"
    return found


def refusal(answer):
    """HTTP 400 in plain words."""
    assert answer.status == 400, f"HTTP {answer.status}: {answer.body[:300]!r}"
    assert answer.headers["Content-Type"].split(";")[0] == "text/plain"
    assert len(answer.text.strip()) > 10
    return answer


class Member:
    """One client's members of one device, with the error number where one is expected."""

    def __init__(self, client, device):
        self.client, self.device = client, device

    def get(self, name):
        return self.client.get(f"{self.device}/{name}")

    def put(self, name, **form):
        return self.client.put(f"{self.device}/{name}", **form)

    def read(self, name):
        """(value, 0), or (None, error number)."""
        try:
            return self.get(name), 0
        except AlpacaError as error:
            return None, error.number

    def write(self, name, **form):
        """0, or the error number."""
        try:
            self.put(name, **form)
            return 0
        except AlpacaError as error:
            return error.number

    def state(self):
        return {item["Name"]: item["Value"] for item in self.get("devicestate")}


class Poller:
    """Another client that reads all the time, like a status window; what went wrong is told at stop()."""

    def __init__(self, client, paths):
        self.client, self.paths = client, paths
        self.over = threading.Event()
        self.failure = None
        self.rounds = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                for path in self.paths:
                    self.client.get(path)
                self.rounds += 1
                self.over.wait(0.005)
        except Exception as failure:  # told by stop()
            self.failure = failure
        finally:
            self.client.close()

    def stop(self):
        self.over.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure
        assert self.rounds > 0


def in_parallel(*jobs):
    """Runs all at once; the first failure is raised when all have ended."""
    failures, results = [], [None] * len(jobs)

    def work(index, job):
        try:
            results[index] = job()
        except BaseException as failure:  # told below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def raw_once(port, data, half_close=False):
    """Sends bytes on a fresh connection and reads to its end."""
    import socket
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        wire.sendall(data)
        if half_close:
            wire.shutdown(socket.SHUT_WR)
        reply = b""
        while True:
            piece = wire.recv(65536)
            if not piece:
                return reply
            reply += piece


def read_reply(stream):
    """One HTTP reply from a socket's file: status, headers in lower case, body."""
    status = stream.readline().split()
    headers = {}
    for line in iter(stream.readline, b"\r\n"):
        assert line, "the connection ended in the headers"
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status[1]), headers, stream.read(int(headers.get("content-length", 0)))


def expose(camera, seconds=1.0, light="True"):
    camera.put("startexposure", Duration=seconds, Light=light)
    until(lambda: camera.get("imageready"), "the image is ready")


transaction_ids = itertools.count(500000)
