# SPDX-License-Identifier: MIT
"""What every test of the whole program needs: servers, clients and emulators that end with the test.

FOCUSD_BINARY  the program (default build/server/focusd)
FOCUSD_SHARED  folder with data/frames (default ../shared); without it the tests with real frames skip
FOCUSD_SANITIZED  set when the program was built with a sanitizer: fewer repetitions, longer deadlines
"""
import http.client
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("FOCUSD_BINARY", str(ROOT / "build" / "server" / "focusd"))
SHARED = pathlib.Path(os.environ.get("FOCUSD_SHARED", str(ROOT.parent / "shared")))
SANITIZED = bool(os.environ.get("FOCUSD_SANITIZED"))
# Tests wait so long for what must happen; it is generous, since a passing test never uses it up.
DEADLINE_S = 120 if SANITIZED else 60

# Whoever runs the tests in the background has SIGINT and SIGQUIT ignored, and under nohup SIGHUP; what is started from
# here would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

NOT_IMPLEMENTED, INVALID_VALUE, VALUE_NOT_SET = 0x400, 0x401, 0x402
NOT_CONNECTED, INVALID_OPERATION, UNKNOWN_ACTION, CANCELLED = 0x407, 0x40B, 0x40C, 0x40E
NO_STARS, BAD_FIT, NO_MINIMUM, VALIDATION, FOCUSER_FAILED, CAMERA_FAILED = range(0x510, 0x516)


class AlpacaError(Exception):
    """The answer had an ErrorNumber other than 0."""

    def __init__(self, number, message):
        super().__init__(f"0x{number:03X} {message}")
        self.number = number
        self.message = message


def until(condition, what, deadline_s=DEADLINE_S, pause_s=0.01):
    """Asks again and again until condition() is true and returns its value; fails after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"gave up waiting: {what}")
        time.sleep(pause_s)


def block_journal(journal):
    """A folder where the journal of positions belongs, and no name left under which it could be put aside: the server
    keeps 99 damaged files of a name and leaves the rest to a person.  Removing the folder heals it."""
    for number in range(1, 100):
        journal.with_name(f"{journal.name}.damaged-{number}").touch()
    journal.mkdir()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)


class Client:
    """One Alpaca client: a ClientID, increasing transaction ids, and one kept connection."""

    ids = itertools.count(1001)

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.client_id = next(Client.ids)
        self.transaction = itertools.count(1)
        self.connection = None

    def raw(self, method, path, body=None, headers=None):
        """Sends a request and returns the Answer, whatever its status."""
        for attempt in (1, 2):
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
            try:
                self.connection.request(method, path, body=body, headers=headers or {})
                reply = self.connection.getresponse()
                answer = Answer(reply.status, reply.headers, reply.read())
                if reply.will_close:
                    self.close()
                return answer
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A kept connection may have been closed while it was idle; a fresh one may not.
                self.close()
                if fresh or attempt == 2:
                    raise
        raise AssertionError("not reached")

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ids_now(self):
        return {"ClientID": self.client_id, "ClientTransactionID": next(self.transaction)}

    @staticmethod
    def value(answer):
        assert answer.status == 200, f"HTTP {answer.status}: {answer.body[:300]!r}"
        envelope = answer.json()
        assert (envelope["ErrorNumber"] != 0) == (envelope["ErrorMessage"] != ""), envelope
        if envelope["ErrorNumber"] != 0:
            raise AlpacaError(envelope["ErrorNumber"], envelope["ErrorMessage"])
        return envelope.get("Value")

    def get(self, path, **query):
        """The Value of an Alpaca member, e.g. get("focuser/0/position")."""
        query.update(self.ids_now())
        return self.value(self.raw("GET", f"/api/v1/{path}?{urllib.parse.urlencode(query)}"))

    def put(self, path, **form):
        form.update(self.ids_now())
        return self.value(self.raw("PUT", f"/api/v1/{path}", urllib.parse.urlencode(form),
                                   {"Content-Type": "application/x-www-form-urlencoded"}))

    def action(self, name, parameters="", focuser=0):
        """Calls an Action and returns its reply as an object; parameters may be text or an object."""
        if not isinstance(parameters, str):
            parameters = json.dumps(parameters)
        return json.loads(self.put(f"focuser/{focuser}/action", Action=name, Parameters=parameters))

    def focuser_state(self, focuser=0):
        return self.device_state("focuser", focuser)

    def device_state(self, kind, number=0):
        """What /events says of the device in its first event."""
        stream = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            stream.request("GET", "/events")
            reply = stream.getresponse()
            while True:
                line = reply.readline()
                assert line, "the stream ended"
                if line.startswith(b"data:") and b'"devices"' in line:
                    return next(d for d in json.loads(line[5:])["devices"]
                                if d["type"] == kind and d["number"] == number)
        finally:
            stream.close()

    def connect(self):
        self.put("focuser/0/connected", Connected="True")
        self.put("camera/0/connected", Connected="True")

    def wait_still(self, focuser=0):
        until(lambda: not self.get(f"focuser/{focuser}/ismoving"), "the focuser comes to rest")
        return self.get(f"focuser/{focuser}/position")

    def wait_run(self, focuser=0):
        """Waits for the end of the run; returns its object and the error number (0 when it succeeded)."""
        end = time.monotonic() + 4 * DEADLINE_S
        while True:
            try:
                return self.action("AutofocusWait", "90", focuser), 0
            except AlpacaError as error:
                if error.number != INVALID_OPERATION or "running" not in error.message:
                    return self.action("AutofocusStatus", "", focuser), error.number
            assert time.monotonic() < end, "the run does not end"

    def focus(self, **parameters):
        started = self.action("Autofocus", parameters or "")
        assert started["state"] == "running"
        run, number = self.wait_run()
        assert run["run"] == started["run"]
        return run, number


class Observatory(Client):
    """A focusd server in a folder of its own."""

    def __init__(self, folder, simulate=True, config=None, time_factor=50, seed=1, extra=(), env=None):
        self.env = {**os.environ, **(env or {})}
        self.folder = pathlib.Path(folder)
        self.ready_file = self.folder / "ready.json"
        self.log_file = self.folder / "focusd.log"
        self.arguments = [BINARY, "serve", "--port", "0", "--bind", "127.0.0.1", "--discovery-port", "0",
                          "--state-dir", str(self.folder / "state"), "--ready-file", str(self.ready_file),
                          "--time-factor", str(time_factor), *extra]
        if seed is not None:
            self.arguments += ["--seed", str(seed)]
        if simulate:
            self.arguments.append("--simulate")
        path = self.folder / "focusd.conf"
        path.write_text(config or "[server]\nname = test\n", encoding="utf-8")
        self.arguments += ["--config", str(path)]
        self.process = None
        super().__init__("127.0.0.1", 0)
        self.start()

    def start(self):
        self.ready_file.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=log,
                                            env=self.env)

        def ready():
            assert self.process.poll() is None, \
                f"focusd ended with {self.process.returncode}:\n{self.log()}"
            return self.ready_file.exists()

        until(ready, "the server is ready")
        facts = json.loads(self.ready_file.read_text(encoding="utf-8"))
        self.url = facts["url"]
        self.port = facts["port"]
        assert facts["pid"] == self.process.pid

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def client(self):
        return Client(self.host, self.port)

    def stop(self, sig=signal.SIGTERM):
        """Ends the server; its exit code must be 0, which it is not after a finding of a sanitizer."""
        self.close()
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(sig)
        try:
            process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            pytest.fail(f"focusd does not stop:\n{self.log()[-4000:]}")
        assert process.returncode == 0, f"focusd ended with {process.returncode}:\n{self.log()[-8000:]}"


class Emulator:
    """`focusd emulate moonlite`; .path is a name of its terminal that stays when the emulator is replaced."""

    kind = "moonlite"

    def __init__(self, folder, position=0, *extra):
        self.path = pathlib.Path(folder) / "focuser-port"
        self.process = None
        self.start(position, *extra)

    def start(self, position, *extra, record=os.devnull):
        """Starts it; the file record gets what the emulator says (with --verbose every byte)."""
        with open(record, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "emulate", self.kind, "--position", str(position), "--time-factor", "50",
                 *extra], stdout=subprocess.PIPE, stderr=log, text=True)
        terminal = self.process.stdout.readline().strip()
        assert terminal.startswith("/dev/pts/"), terminal
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(terminal)
        fresh.replace(self.path)

    def stop(self):
        """Ends the emulator, so that its terminal is gone, as when the cable is pulled.  Its name goes, too, as udev's
        would: the next terminal on this machine gets the same number, and may be the motor of another test."""
        if self.process is not None:
            self.process.kill()
            self.path.unlink(missing_ok=True)
            self.process.communicate()
            self.process = None


class Device:
    """`focusd emulate KIND` behind a name that survives a replug; every byte is in a log."""

    def __init__(self, folder, kind, faults=(), position=0, time_factor=20, **options):
        self.path = folder / "port"
        self.log_path = folder / "wire.log"
        command = [BINARY, "emulate", kind, "--verbose", "--link", str(self.path), "--position", str(position),
                   "--time-factor", str(time_factor)]
        for fault in faults:
            command += ["--fault", fault]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout.readline().startswith("/dev/"), self.log_path.read_text(encoding="ascii")

    def stop(self):
        """As Emulator.stop(); it may be called again."""
        if self.process.returncode is None:
            self.process.kill()
            self.path.unlink(missing_ok=True)
            self.process.wait()
            self.process.stdout.close()

    def wire(self, direction, after=""):
        """Everything that came from the client (">") or went to it ("<"), escaped as the log has it; only what
        followed the client's word `after`, where one is given."""
        found = ""
        heard = ""
        for line in self.log_path.read_text(encoding="ascii", errors="replace").splitlines():
            match = re.match(r"\S+Z ([<>]) (.*)", line)
            if match and match.group(1) == direction and after in heard:
                found += match.group(2)
            if match and match.group(1) == ">":
                heard += match.group(2)
        return found

    def sent(self, pattern=r":[^#:]*#"):
        """The client's commands in order; pattern is what one looks like."""
        return re.findall(pattern, self.wire(">"))


@pytest.fixture
def make_observatory(tmp_path_factory):
    """Starts servers with arguments of their own; all end with the test, and must end well."""
    running = []

    def make(**arguments):
        folder = arguments.pop("folder", None) or tmp_path_factory.mktemp("observatory")
        running.append(Observatory(folder, **arguments))
        return running[-1]

    yield make
    failures = []
    for observatory in running:
        try:
            observatory.stop()
        except BaseException as failure:  # stop them all before telling
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture
def observatory(make_observatory):
    """A simulated observatory, fifty times faster than life, nothing connected."""
    return make_observatory()


@pytest.fixture
def connected(observatory):
    observatory.connect()
    return observatory


@pytest.fixture
def slow(make_observatory):
    """A simulated observatory as fast as life, connected, to look at what goes on while something takes time."""
    server = make_observatory(time_factor=1)
    server.connect()
    return server


@pytest.fixture
def make_emulator(tmp_path):
    running = []

    def make(position=0, *extra):
        running.append(Emulator(tmp_path, position, *extra))
        return running[-1]

    yield make
    for emulator in running:
        emulator.stop()


@pytest.fixture
def device(tmp_path_factory):
    """device("moonlite", faults=[...], position=N, ...): an emulated focuser; .path is its terminal, in a folder of its
    own or, where the next one is to have the same path, in the folder that is given."""
    running = []

    def make(kind, folder=None, **options):
        running.append(Device(folder or tmp_path_factory.mktemp(kind), kind, **options))
        return running[-1]

    yield make
    for emulated in running:
        emulated.stop()


@pytest.fixture
def emulator(make_emulator):
    return make_emulator(7600)


@pytest.fixture(scope="session")
def frames():
    folder = SHARED / "data" / "frames"
    if not folder.is_dir():
        pytest.skip(f"no real frames: {folder} does not exist (set FOCUSD_SHARED)")
    return folder


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
