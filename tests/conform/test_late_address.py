# SPDX-License-Identifier: MIT
"""Addresses of `bind` that are not there yet, as with a slow DHCP, a VPN or a wireless stick: they are served when
they come, the others meanwhile.  The machine is a network namespace; where there is none the test skips.

Run by itself this file is that machine: `serve PROGRAM FOLDER` in a fresh user and network namespace.
"""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

LATE = "10.88.0.1"
LATE6 = "fe80::88%late0"
DISCOVERY_PORT = 32227


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


def plug():
    """The interface on which the late addresses are, with its cable."""
    ip("link", "add", "late0", "type", "veth", "peer", "name", "late1")
    for name in ("late0", "late1"):
        ip("link", "set", name, "addrgenmode", "none")
        ip("link", "set", name, "up")


class Server:
    def __init__(self, program, folder, bind, **extra):
        self.ready = folder / "ready.json"
        self.log_file = folder / "log"
        folder.mkdir()
        words = [program, "serve", "--simulate", "--port", "0", "--bind", bind, "--state-dir", folder / "state",
                 "--ready-file", self.ready]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, **extra)

    def wait(self, condition):
        end = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end, self.log_file.read_text(encoding="utf-8")
            time.sleep(0.02)

    def log(self, words):
        """The lines of the log with these words, without their times."""
        return [line.split(" ", 1)[1].strip() for line in self.log_file.read_text(encoding="utf-8").splitlines()
                if words in line]

    def facts(self):
        self.wait(self.ready.exists)
        return json.loads(self.ready.read_text(encoding="utf-8"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        return [self.process.returncode, out]


def ask(host, port):
    """What a client at this address gets; the name of the exception when it gets nothing."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=20) as reply:
            return reply.read().decode()
    except OSError as error:
        return type(getattr(error, "reason", error)).__name__


def discover(host):
    """The port that discovery tells a client that asks this very address; None when it is silent for a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(1)
        asker.sendto(b"alpacadiscovery1", (host, DISCOVERY_PORT))
        try:
            return json.loads(asker.recv(2048))["AlpacaPort"]
        except OSError:
            return None


def one_late_address(program, folder):
    """Nothing is there at first.  The device is served as soon as the address comes."""
    server = Server(program, folder, LATE)
    server.wait(lambda: server.log("no address of this machine yet"))
    found = {"ready before": server.ready.exists()}
    plug()
    ip("addr", "add", f"{LATE}/24", "dev", "late0")
    facts = server.facts()
    found["port"] = facts["port"]
    found["url"] = facts["url"]
    found["answer"] = ask(LATE, facts["port"])
    found["elsewhere"] = ask("127.0.0.1", facts["port"])
    found["discovered"] = [discover(LATE), discover("127.0.0.1")]
    # The address goes and comes again, as a lease does.
    ip("addr", "del", f"{LATE}/24", "dev", "late0")
    ip("addr", "add", f"{LATE}/24", "dev", "late0")
    found["again"] = ask(LATE, facts["port"])
    found["log"] = server.log("http: ")
    found["end"] = server.stop()
    ip("link", "del", "late0")
    return found


def one_of_several(program, folder):
    """What is there is served at once; each other address when it comes, an interface that is missing, too."""
    server = Server(program, folder, f"{LATE} {LATE6} 127.0.0.1")
    facts = server.facts()
    found = {"url": facts["url"], "port": facts["port"], "meanwhile": ask("127.0.0.1", facts["port"])}
    plug()
    ip("addr", "add", f"{LATE}/24", "dev", "late0")
    server.wait(lambda: server.log(f"{LATE} has come"))
    ip("-6", "addr", "add", "fe80::88/64", "dev", "late0", "nodad")
    server.wait(lambda: server.log(f"{LATE6} has come"))
    with socket.socket(socket.AF_INET6) as wire:
        wire.settimeout(20)
        wire.connect(("fe80::88", facts["port"], 0, socket.if_nametoindex("late0")))
        wire.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        found["late6"] = wire.recv(1024).decode().split("\r\n")[0]
    found["late"] = ask(LATE, facts["port"])
    found["still"] = ask("127.0.0.1", facts["port"])
    found["discovered"] = [discover(LATE), discover("127.0.0.1")]
    found["log"] = server.log("http: ")
    found["end"] = server.stop()
    ip("link", "del", "late0")
    return found


def stopped_while_waiting(program, folder):
    server = Server(program, folder, LATE)
    server.wait(lambda: server.log("no address of this machine yet"))
    return {"end": server.stop(), "ready": server.ready.exists()}


def serve_main(program, folder):
    ip("link", "set", "lo", "up")
    folder = pathlib.Path(folder)
    print(json.dumps({step.__name__: step(program, folder / step.__name__)
                      for step in (one_late_address, one_of_several, stopped_while_waiting)}))


def test_addresses_that_come_late(tmp_path):
    import pytest
    from conftest import BINARY
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    probe = subprocess.run([*alone, "ip", "link", "add", "name", "probeA", "type", "veth", "peer", "name", "probeB"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no network namespaces here: {probe.stderr.strip()}")
    done = subprocess.run([*alone, sys.executable, __file__, "serve", BINARY, tmp_path], stdout=subprocess.PIPE,
                          text=True, timeout=300, check=True)
    all_found = json.loads(done.stdout)

    found = all_found["one_late_address"]
    port = found["port"]
    assert found["ready before"] is False
    assert found["url"] == f"http://{LATE}:{port}/"
    assert found["answer"] == found["again"] == "ok\n"
    assert found["elsewhere"] == "ConnectionRefusedError"
    assert found["discovered"] == [port, None]
    # Once when it is missing, once when it has come.
    assert [LATE in line for line in found["log"]] == [True, True], found["log"]
    assert "until then nobody is served" in found["log"][0]
    assert "has come" in found["log"][1]
    assert found["end"] == [0, f"focusd serves http://{LATE}:{port}/\n"]

    found = all_found["one_of_several"]
    port = found["port"]
    assert found["url"] == f"http://127.0.0.1:{port}/"
    assert found["meanwhile"] == found["late"] == found["still"] == "ok\n"
    assert found["late6"] == "HTTP/1.0 200 OK" or found["late6"] == "HTTP/1.1 200 OK"
    assert found["discovered"] == [port, port]
    assert len(found["log"]) == 4, found["log"]
    assert found["end"][0] == 0

    assert all_found["stopped_while_waiting"] == {"end": [0, ""], "ready": False}


def test_what_is_no_address_is_refused_at_once(tmp_path):
    from conftest import BINARY
    for bind in ("pier", "10.0.0.1:11111", "10.0.0.1, 10.0.0.1"):
        done = subprocess.run([BINARY, "serve", "--simulate", "--bind", bind, "--state-dir", tmp_path / "state"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2, done.stderr
        assert "--bind" in done.stderr


if __name__ == "__main__":
    serve_main(*sys.argv[2:])
