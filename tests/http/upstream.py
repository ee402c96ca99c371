# SPDX-License-Identifier: MIT
"""Another Alpaca server that does what tests want: a focuser that moves, and every way of answering wrongly.

It is written from the Alpaca API reference and shares nothing with focusd.  answer(verb, member, reply) replaces the
answer to one member by `reply`, a function of the Request; the functions below make the usual wrong ones.
"""
import json
import socket
import threading
import time
import urllib.parse

UNIQUE_ID = "5b0c5f0e-6d3c-4b57-a6e0-c0f6a3d3a001"


class Request:
    def __init__(self, upstream, connection, verb, path, fields, headers):
        self.upstream, self.connection = upstream, connection
        self.verb, self.path, self.fields, self.headers = verb, path, fields, headers
        self.member = path.rsplit("/", 1)[-1]
        self.at = time.monotonic()

    def send(self, data):
        self.connection.sendall(data)

    def raw(self, body, status="200 OK", kind="application/json", length=None):
        length = len(body) if length is None else length
        self.send(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode() + body)

    def value(self, value=None, number=0, message=""):
        envelope = {"ClientTransactionID": int(self.fields.get("ClientTransactionID", 0)),
                    "ServerTransactionID": self.upstream.count(), "ErrorNumber": number, "ErrorMessage": message}
        if value is not None:
            envelope["Value"] = value
        self.raw(json.dumps(envelope).encode())


# Wrong answers, each a function that makes the function that gives it.

def error(number, message):
    return lambda r: r.value(None, number, message)


def text(body, **how):
    return lambda r: r.raw(body, **how)


def hang(r):
    """Takes the request and never answers."""
    r.upstream.released.wait()


def close(r):
    """Ends the connection without an answer."""
    r.connection.shutdown(socket.SHUT_RDWR)


def half(r):
    """Says more bytes than it sends, then ends the connection."""
    r.raw(b'{"Value":1', length=200)
    r.connection.shutdown(socket.SHUT_RDWR)


def chunked(value):
    """A right answer in pieces of one byte."""
    def give(r):
        body = json.dumps({"Value": value, "ServerTransactionID": r.upstream.count(), "ErrorNumber": 0,
                           "ErrorMessage": ""}).encode()
        r.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            r.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        r.send(b"0\r\n\r\n")
    return give


def closes_after(value):
    """A right answer, and the end of a connection that was to be kept."""
    def give(r):
        r.value(value)
        r.connection.shutdown(socket.SHUT_RDWR)
    return give


class Upstream:
    """Serves on a port of 127.0.0.1; .log holds each Request."""

    def __init__(self, port=0, steps_per_s=5000, interface=4, unique_id=UNIQUE_ID, listed=None):
        self.steps_per_s, self.interface = steps_per_s, interface
        self.listed = listed if listed is not None else [
            {"DeviceName": "Upstream focuser", "DeviceType": "Focuser", "DeviceNumber": 0, "UniqueID": unique_id}]
        self.connected = False
        self.start, self.target, self.began = 20000, 20000, 0.0
        self.temperature = 7.5
        self.tempcomp = False
        self.transaction = 0
        self.lock = threading.Lock()
        self.replies, self.log = {}, []
        self.released = threading.Event()
        self.paused, self.taken = threading.Event(), threading.Event()
        self.paused.set()
        self.fillers = []
        self.sockets = []
        self.socket = None
        self.open(port)

    # --- the server

    def open(self, port):
        self.socket = socket.create_server(("127.0.0.1", port), backlog=8)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                self.paused.wait()
                connection, _ = listener.accept()
                self.taken.set()
                self.paused.wait()
            except OSError:
                return
            self.sockets.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def take_no_connection(self):
        """Connections that there are go on; new ones wait, because the server's queue of them is full.  Ended by
        take_connections()."""
        self.paused.clear()
        self.taken.clear()
        # The thread waits in accept() and takes one more before it pauses.
        self.fillers = [socket.create_connection(("127.0.0.1", self.port))]
        self.taken.wait()
        while True:
            filler = socket.socket()
            filler.settimeout(0.2)
            self.fillers.append(filler)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return

    def take_connections(self):
        for filler in self.fillers:
            filler.close()
        self.paused.set()

    def close(self):
        """As when its machine is switched off, but for the packets that say so."""
        self.released.set()
        for one in [self.socket, *self.sockets]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
        self.sockets.clear()

    def serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while True:
                line = stream.readline().decode("ascii").split()
                if len(line) != 3:
                    return
                headers = {}
                while (header := stream.readline().strip()):
                    name, value = header.decode("latin-1").split(":", 1)
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", 0))).decode()
                path, _, query = line[1].partition("?")
                fields = dict(urllib.parse.parse_qsl(body if line[0] == "PUT" else query, keep_blank_values=True))
                request = Request(self, connection, line[0], path, fields, headers)
                with self.lock:
                    self.log.append(request)
                self.reply(request)
        except (OSError, ValueError):
            return

    def count(self):
        with self.lock:
            self.transaction += 1
            return self.transaction

    def answer(self, verb, member, reply):
        self.replies[verb, member] = reply

    def right(self):
        """Everything is answered as it should be from here on, what hangs too."""
        self.replies.clear()
        self.released.set()
        self.released = threading.Event()

    def reply(self, r):
        given = self.replies.get((r.verb, r.member)) or self.replies.get((r.verb, "*"))
        if given is not None:
            given(r)
        elif r.path == "/management/v1/configureddevices":
            r.value(self.listed)
        else:
            getattr(self, f"{r.verb}_{r.member}", lambda r: r.raw(b"no such member", status="404 Not Found",
                                                                   kind="text/plain"))(r)

    def seen(self, verb, member):
        with self.lock:
            return [r for r in self.log if r.verb == verb and r.member == member]

    # --- the focuser

    def where(self):
        way = (time.monotonic() - self.began) * self.steps_per_s
        if self.target >= self.start:
            return min(self.target, int(self.start + way))
        return max(self.target, int(self.start - way))

    def go(self, target):
        self.start, self.target, self.began = self.where(), target, time.monotonic()

    def GET_interfaceversion(self, r):
        r.value(self.interface)

    def GET_connected(self, r):
        r.value(self.connected)

    def PUT_connected(self, r):
        self.connected = r.fields["Connected"].lower() == "true"
        r.value()

    def PUT_connect(self, r):
        self.connected = True
        r.value()

    def PUT_disconnect(self, r):
        self.connected = False
        r.value()

    def GET_connecting(self, r):
        r.value(False)

    def GET_absolute(self, r):
        r.value(True)

    def GET_maxstep(self, r):
        r.value(50000)

    GET_maxincrement = GET_maxstep

    def GET_stepsize(self, r):
        r.value(None, 0x400, "StepSize is not known")

    def GET_tempcompavailable(self, r):
        r.value(True)

    def GET_tempcomp(self, r):
        r.value(self.tempcomp)

    def PUT_tempcomp(self, r):
        self.tempcomp = r.fields["TempComp"].lower() == "true"
        r.value()

    def GET_temperature(self, r):
        r.value(self.temperature)

    def GET_ismoving(self, r):
        r.value(self.where() != self.target)

    def GET_position(self, r):
        r.value(self.where())

    def PUT_move(self, r):
        self.go(int(r.fields["Position"]))
        r.value()

    def PUT_halt(self, r):
        self.go(self.where())
        r.value()
