# SPDX-License-Identifier: MIT
"""Discovery between hosts: directed and limited IPv4 broadcast, the IPv6 group, the reply from where it was
heard.  The hosts are network namespaces of this machine, joined by two cables; where it has none the test skips.

Run by itself this file is one of the hosts: `serve PROGRAM FOLDER` in a fresh user and network namespace, which
starts the other one, `ask`.
"""
import ipaddress
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

PORT = 32227
GROUP = "ff12::a1:9aca"
CABLES = (("left", "10.77.0"), ("right", "192.168.77"))


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


def set_up(end, host):
    """Our end of each cable; no address is doubted, so that all can be used at once."""
    ip("link", "set", "lo", "up")
    for number, (name, net) in enumerate(CABLES):
        ip("link", "set", name + end, "addrgenmode", "none")
        ip("addr", "add", f"{net}.{host}/24", "brd", "+", "dev", name + end)
        ip("link", "set", name + end, "up")
        ip("-6", "addr", "add", f"fe80::{number + 1}:{host}/64", "dev", name + end, "nodad")


def ask(to, cable, data):
    """The reply and who sent it; nothing for a second means no reply."""
    six = ":" in to
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(20 if data == "alpacadiscovery1" else 1)
        if six:
            asker.sendto(data.encode(), (to, PORT, 0, socket.if_nametoindex(cable)))
        else:
            asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            asker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, cable.encode())
            asker.sendto(data.encode(), (to, PORT))
        try:
            reply, source = asker.recvfrom(2048)
        except TimeoutError:
            return None
        return [json.loads(reply), source[0].split("%")[0], source[1]]


def ask_main():
    print("here", flush=True)
    sys.stdin.readline()
    set_up("B", 2)
    print("up", flush=True)
    for line in sys.stdin:
        print(json.dumps(ask(*json.loads(line))), flush=True)


def serve_main(program, folder):
    folder = pathlib.Path(folder)
    asker = subprocess.Popen(["unshare", "--net", sys.executable, __file__, "ask"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    assert asker.stdout.readline() == "here\n"
    for name, _ in CABLES:
        ip("link", "add", name + "A", "type", "veth", "peer", "name", name + "B", "netns", str(asker.pid))
    set_up("A", 1)
    print("up", file=asker.stdin, flush=True)
    assert asker.stdout.readline() == "up\n"
    ready = folder / "ready.json"
    server = subprocess.Popen([program, "serve", "--simulate", "--port", "0", "--bind", "all", "--state-dir",
                               folder / "state", "--ready-file", ready], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not ready.exists() and server.poll() is None and time.monotonic() < end:
        time.sleep(0.01)

    def question(*words):
        print(json.dumps(words), file=asker.stdin, flush=True)
        return json.loads(asker.stdout.readline())

    found = {"port": json.loads(ready.read_text(encoding="utf-8"))["port"], "answers": {}}
    for name, net in CABLES:
        for to in (f"{net}.255", "255.255.255.255", f"{net}.1", GROUP):
            found["answers"][f"{name} {to}"] = question(to, name + "B", "alpacadiscovery1")
        found["answers"][f"{name} garbage"] = question(GROUP, name + "B", "alpacadiscovery")
    asker.stdin.close()
    asker.wait(30)
    server.send_signal(signal.SIGTERM)
    found["exit"] = server.wait(60)
    print(json.dumps(found))


def test_discovery_between_hosts(tmp_path):
    import pytest
    from conftest import BINARY
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    probe = subprocess.run([*alone, "ip", "link", "add", "name", "probeA", "type", "veth", "peer", "name", "probeB"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no network namespaces here: {probe.stderr.strip()}")
    done = subprocess.run([*alone, sys.executable, __file__, "serve", BINARY, tmp_path], stdout=subprocess.PIPE,
                          text=True, timeout=300, check=True)
    found = json.loads(done.stdout)
    assert found["exit"] == 0
    for number, (name, net) in enumerate(CABLES):
        answers = {key.split()[1]: answer for key, answer in found["answers"].items() if key.startswith(name)}
        assert answers.pop("garbage") is None
        assert len(answers) == 4
        for to, (reply, source, port) in answers.items():
            # Unicast, from the address of the very interface that heard it, and from the port that was asked.
            wanted = f"fe80::{number + 1}:1" if ":" in to else f"{net}.1"
            assert ipaddress.ip_address(source) == ipaddress.ip_address(wanted), to
            assert port == PORT
            assert reply == {"AlpacaPort": found["port"]}


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask_main()
    else:
        serve_main(*sys.argv[2:])
