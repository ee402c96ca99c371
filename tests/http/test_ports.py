# SPDX-License-Identifier: MIT
"""Serial ports by identity: focusd ports, port = auto, and a cable that is pulled and put back, on a tree
made here in place of /sys, /dev and /proc whose nodes lead to the terminals of emulators.

The tree's shape is that of a real machine (Linux documentation, Documentation/ABI/testing/sysfs-tty and
sysfs-bus-usb); what is expected of it stands in contract.md 1 and serial-protocols.md 0.4.
"""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import tty

import pytest

import conftest
from conftest import AlpacaError, until

PROGRAM = pathlib.Path(conftest.BINARY).parent.parent / "tests" / "ports" / "focusd-fake-tree"
FTDI = {"vid": "0403", "pid": "6001", "manufacturer": "FTDI", "product": "FT232R USB UART", "driver": "ftdi_sio"}
CH340 = {"vid": "1a86", "pid": "7523", "product": "USB Serial", "driver": "ch341-uart"}
MAKER = {"vid": "15a2", "pid": "a50f", "manufacturer": "Celestron", "product": "Test Focuser", "driver": "cdc_acm"}
CELESTRON = {"vid": "15a2", "pid": "a50f", "manufacturer": "Celestron", "product": "Celestron Focuser",
             "driver": "cdc_acm"}


class Tree:
    """sys, dev and proc of a machine."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        for folder in ("sys/class/tty", "dev/serial/by-id", "dev/serial/by-path", "proc"):
            (self.root / folder).mkdir(parents=True)
        self.by_name = {}

    def node(self, name):
        return str(self.root / "dev" / name)

    def by_id(self, name):
        return str(self.root / "dev" / "serial" / "by-id" / name)

    def plug(self, name, socket, terminal, serial="", **usb):
        """A USB port, at a socket such as 1-2 or, behind a hub, 1-2.3; terminal: where its node leads."""
        device = self.root / "sys/devices/usb1" / socket
        port = device / f"{socket}:1.0" / name
        port.mkdir(parents=True)
        for attribute, value in (("idVendor", usb["vid"]), ("idProduct", usb["pid"]), ("serial", serial),
                                 ("manufacturer", usb.get("manufacturer", "")), ("product", usb["product"])):
            if value:
                (device / attribute).write_text(value + "\n", encoding="ascii")
        (device / f"{socket}:1.0" / "bInterfaceNumber").write_text("00\n", encoding="ascii")
        (port / "driver").symlink_to(f"../../../../bus/usb-serial/drivers/{usb['driver']}")
        entry = self.root / "sys/class/tty" / name
        entry.mkdir()
        (entry / "device").symlink_to(port)
        links = [self.root / "dev/serial/by-path" / f"pci-0000:00:14.0-usb-0:{socket[2:]}:1.0-port0"]
        words = [usb.get("manufacturer", usb["vid"]), usb["product"], *([serial] if serial else [])]
        links.append(pathlib.Path(self.by_id("usb-" + re.sub("[ /]", "_", "_".join(words)) + "-if00-port0")))
        # As devtmpfs and udev do it: the node first, then the names that stay.
        (self.root / "dev" / name).symlink_to(terminal)
        for link in links:
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../{name}")
        self.by_name[name] = (device, entry, links)
        return str(links[1])

    def unplug(self, name):
        device, entry, links = self.by_name.pop(name)
        # As the kernel does it: the node goes first, before anything that tells whose it is.
        (self.root / "dev" / name).unlink()
        for path in sorted(device.rglob("*"), reverse=True):
            if path.is_symlink() or path.is_file():
                path.unlink()
            else:
                path.rmdir()
        device.rmdir()
        (entry / "device").unlink()
        entry.rmdir()
        for link in links:
            if link.is_symlink() and os.readlink(link).endswith("/" + name):
                link.unlink()

    def hold(self, pid, program, name):
        folder = self.root / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(program + "\n", encoding="ascii")
        (folder / "fd" / "7").symlink_to(self.node(name))


@pytest.fixture
def tree(monkeypatch):
    # A short name: what is told to a person must not be cut for a folder of the test's.
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        made = Tree(pathlib.Path(folder) / "t")
        monkeypatch.setenv("FOCUSD_TEST_TREE", str(made.root))
        yield made


class Wire:
    """A terminal with nobody behind it: what is sent to it can be read, and it may have said something."""

    def __init__(self, talk=b""):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        os.write(self.master, talk)
        self.name = os.ttyname(self.slave)

    def received(self):
        try:
            return os.read(self.master, 4096)
        except BlockingIOError:
            return b""

    def close(self):
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def make_wire():
    made = []

    def make(talk=b""):
        made.append(Wire(talk))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


@pytest.fixture
def make_focuser(tmp_path):
    """Emulators, each on a terminal of its own."""
    running = []

    def make(position, *extra):
        folder = tmp_path / f"emulator{len(running)}"
        folder.mkdir()
        running.append(conftest.Emulator(folder, position, *extra))
        running[-1].terminal = os.readlink(running[-1].path)
        return running[-1]

    yield make
    for emulator in running:
        emulator.stop()


def ports(*arguments):
    result = subprocess.run([PROGRAM, "ports", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result
    assert result.stderr == ""
    return result.stdout


def listed(*arguments):
    return {os.path.basename(port["node"]): port for port in json.loads(ports("--json", *arguments))["ports"]}


# ---- focusd ports

def test_nothing_attached_says_what_to_look_at(tree):
    text = ports()
    assert "No USB serial port" in text and "dmesg" in text and "brltty" in text
    assert json.loads(ports("--json")) == {"probed": False, "indi": None, "ports": []}


def test_bridges_are_listed_with_the_lines_to_write_and_never_asked(tree, make_wire):
    wire = make_wire()
    name = tree.plug("ttyUSB0", "1-2.3", wire.name, serial="A1", **FTDI)
    text = ports("--probe")
    assert name in text and f"port = {name}" in text and "driver = moonlite" in text
    assert max(len(line) for line in text.splitlines() if "/dev/" not in line) <= 80
    port = listed("--probe")["ttyUSB0"]
    assert (port["port"], port["kind"], port["answer"], port["held_by"]) == (name, "bridge", None, None)
    assert (port["vid"], port["pid"], port["serial"], port["unique"]) == ("0403", "6001", "A1", True)
    assert port["kernel_driver"] == "ftdi_sio" and port["manufacturer"] == "FTDI"
    assert wire.received() == b""


def test_a_port_without_serial_number_is_named_by_its_socket(tree):
    tree.plug("ttyUSB0", "1-2.1", "/dev/null", **CH340)
    tree.plug("ttyUSB1", "1-2.2", "/dev/null", **CH340)
    found = listed()
    for name, socket in (("ttyUSB0", "2.1"), ("ttyUSB1", "2.2")):
        assert found[name]["port"].endswith(f"by-path/pci-0000:00:14.0-usb-0:{socket}:1.0-port0")
        assert found[name]["unique"] is False
    assert "no serial number of its own" in ports()


def test_the_serial_number_of_a_whole_series_tells_nothing(tree):
    """CP2102 leave the factory with 0001; two FTDI copies may share one."""
    tree.plug("ttyUSB0", "1-1", "/dev/null", serial="0001", vid="10c4", pid="ea60", product="CP2102", driver="cp210x")
    tree.plug("ttyUSB1", "1-2", "/dev/null", serial="A50285BI", **FTDI)
    tree.plug("ttyUSB2", "1-3", "/dev/null", serial="A50285BI", **FTDI)
    assert [port["unique"] for port in listed().values()] == [False, False, False]


@pytest.mark.parametrize("usb,what", [
    ({"vid": "1546", "pid": "01a7", "product": "u-blox 7 - GPS/GNSS Receiver", "driver": "cdc_acm"}, "GPS"),
    ({"vid": "2c7c", "pid": "0125", "product": "EG25-G", "driver": "option1"}, "modem"),
    ({"vid": "0403", "pid": "6015", "product": "iOptron Mount", "driver": "ftdi_sio"}, "mount"),
    ({"vid": "0403", "pid": "6015", "product": "PPBA revB", "driver": "ftdi_sio"}, "power box"),
])
def test_other_devices_are_known_and_left_alone(tree, usb, what):
    tree.plug("ttyACM0", "1-4", "/dev/null", serial="X", **usb)
    port = listed("--probe")["ttyACM0"]
    assert (port["kind"], port["driver"], port["answer"]) == ("other", None, None)
    assert what in port["what"]
    assert "left alone" in ports()


def test_probe_asks_a_focuser_of_one_maker_only(tree, make_focuser, make_wire):
    focuser, bridge = make_focuser(4000), make_wire()
    tree.plug("ttyACM0", "1-1", focuser.terminal, serial="C1", **MAKER)
    tree.plug("ttyUSB0", "1-2", bridge.name, serial="A1", **FTDI)
    assert "--probe asks it" in ports()
    found = listed("--probe")
    assert found["ttyACM0"]["kind"] == "focuser" and found["ttyACM0"]["driver"] == "maker"
    assert "Moonlite compatible" in found["ttyACM0"]["answer"]["identity"]
    assert found["ttyUSB0"]["answer"] is None and bridge.received() == b""
    text = ports("--probe")
    assert "asked: Moonlite compatible" in text and "port = auto" in text


def test_probe_says_why_a_focuser_did_not_answer(tree, make_focuser):
    tree.plug("ttyACM0", "1-1", make_focuser(1, "--fault", "silent").terminal, serial="C1", **MAKER)
    answer = listed("--probe")["ttyACM0"]["answer"]
    assert answer["identity"] is None and "nothing answers" in answer["error"]


def test_the_product_string_counts_beside_the_numbers(tree):
    """Another product of that maker has the maker's vid and pid but not its focuser's name."""
    tree.plug("ttyACM0", "1-1", "/dev/null", serial="C1", **{**MAKER, "product": "Something else"})
    assert listed("--probe")["ttyACM0"]["kind"] == "other"


def test_a_held_port_is_not_asked_and_its_holder_is_named(tree, make_wire):
    wire = make_wire()
    tree.plug("ttyACM0", "1-1", wire.name, serial="C1", **MAKER)
    tree.hold(612, "ModemManager", "ttyACM0")
    port = listed("--probe")["ttyACM0"]
    assert port["held_by"] == {"pid": 612, "program": "ModemManager"} and port["answer"] is None
    text = ports("--probe")
    assert "ModemManager (pid 612)" in text and "packaging/udev" in text
    assert wire.received() == b""


def test_talkers_are_not_asked(tree, make_wire):
    """Rule 4: 200 ms of listening before the first byte."""
    wire = make_wire(b"$GPRMC,081836,A,3751.65,S,14507.36,E,000.0,360.0,130998,011.3,E*62\r\n")
    tree.plug("ttyACM0", "1-1", wire.name, serial="C1", **MAKER)
    answer = listed("--probe")["ttyACM0"]["answer"]
    assert "talks unasked" in answer["error"]
    assert wire.received() == b""


def test_usage():
    for arguments, code in ((["--help"], 0), (["--nonsense"], 2), (["more"], 2)):
        result = subprocess.run([PROGRAM, "ports", *arguments], capture_output=True, text=True, check=False)
        assert result.returncode == code
        assert max(len(line) for line in result.stdout.splitlines() or [""]) <= 80


# ---- the server

@pytest.fixture
def make_server(make_observatory, monkeypatch):
    monkeypatch.setattr(conftest, "BINARY", str(PROGRAM))

    def make(port, driver="moonlite", folder=None, more=""):
        config = f"[focuser.0]\ndriver = {driver}\nport = {port}\nopen_wait_ms = 0\n{more}"
        return make_observatory(simulate=False, config=config, time_factor=1, **({"folder": folder} if folder else {}))

    return make


def link(server):
    return server.raw("GET", "/metrics").text


def is_up(server):
    return re.search(r'focusd_link_up\{[^}]*focuser\.0[^}]*\} 1', link(server)) is not None


def lose(server):
    until(lambda: not is_up(server), "the link is lost")


def find_again(server):
    until(lambda: is_up(server), "the link is back")


def connect_fails(server):
    with pytest.raises(AlpacaError) as failed:
        server.put("focuser/0/connected", Connected="True")
    return failed.value.message


def test_replugged_under_another_name_it_is_found_by_its_serial_number(tree, make_focuser, make_server):
    focuser = make_focuser(7600)
    tree.plug("ttyUSB0", "1-2", focuser.terminal, serial="A1", **FTDI)
    server = make_server(tree.node("ttyUSB0"))
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 7600
    tree.unplug("ttyUSB0")
    # The terminal is alive: only the news of the node tells.
    lose(server)
    assert "ttyUSB0 was unplugged" in server.log()
    tree.plug("ttyUSB1", "1-4", focuser.terminal, serial="A1", **FTDI)
    find_again(server)
    assert server.get("focuser/0/connected") is True
    until(lambda: server.get("focuser/0/position") == 7600, "the position is read")
    assert re.search(r"ttyUSB0 is at \S*ttyUSB1 now", server.log()), server.log()


def test_another_device_on_the_old_name_is_refused_until_reconnected(tree, make_focuser, make_server):
    first, second = make_focuser(7600), make_focuser(1200)
    tree.plug("ttyUSB0", "1-2", first.terminal, serial="A1", **FTDI)
    server = make_server(tree.node("ttyUSB0"))
    server.put("focuser/0/connected", Connected="True")
    tree.unplug("ttyUSB0")
    lose(server)
    tree.plug("ttyUSB0", "1-2", second.terminal, serial="B2", **FTDI)
    until(lambda: "is another device now" in server.log(), "the other device is refused")
    assert not is_up(server)
    with pytest.raises(AlpacaError) as refused:
        server.put("focuser/0/move", Position=8000)
    assert "is another device now" in refused.value.message
    tree.unplug("ttyUSB0")
    tree.plug("ttyUSB0", "1-2", first.terminal, serial="A1", **FTDI)
    find_again(server)
    until(lambda: server.get("focuser/0/position") == 7600, "the first one is back")


def test_another_answer_on_the_same_name_is_refused(tree, make_focuser, make_server, tmp_path):
    """No USB identity at all, as a pseudo terminal: what the device says of itself remains."""
    port = tmp_path / "port"
    first = make_focuser(7600)
    port.symlink_to(first.terminal)
    server = make_server(port)
    server.put("focuser/0/connected", Connected="True")
    second = make_focuser(1200, "--fault", "double-hash")
    port.unlink()
    port.symlink_to(second.terminal)
    first.stop()
    until(lambda: "another device answers" in server.log(), "the other answer is refused", deadline_s=120)
    assert not is_up(server)
    server.put("focuser/0/connected", Connected="False")
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 1200
    assert "last time it was" in server.log()


def test_after_a_restart_swapped_names_are_seen_through(tree, make_focuser, make_server, make_wire, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    focuser = make_focuser(7600)
    tree.plug("ttyUSB0", "1-2", focuser.terminal, serial="A1", **FTDI)
    server = make_server(tree.node("ttyUSB0"), folder=folder)
    server.put("focuser/0/connected", Connected="True")
    server.stop()
    tree.unplug("ttyUSB0")
    mount = make_wire()
    tree.plug("ttyUSB0", "1-3", mount.name, serial="M9", **FTDI)
    tree.plug("ttyUSB1", "1-2", focuser.terminal, serial="A1", **FTDI)
    server.start()
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 7600
    assert mount.received() == b""
    server.stop()
    # The focuser has gone, its passing name is another's: not a byte to that one.
    tree.unplug("ttyUSB1")
    server.start()
    message = connect_fails(server)
    assert "M9" in message and "port = " in message and "by-id" in message
    assert mount.received() == b""


def test_a_new_device_under_a_name_that_means_it_is_accepted_with_a_warning(
        tree, make_focuser, make_server, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    first, second = make_focuser(7600), make_focuser(1200)
    tree.plug("ttyUSB0", "1-2", first.terminal, serial="A1", **FTDI)
    by_path = next((tree.root / "dev/serial/by-path").iterdir())
    server = make_server(by_path, folder=folder)
    server.put("focuser/0/connected", Connected="True")
    server.stop()
    tree.unplug("ttyUSB0")
    tree.plug("ttyUSB0", "1-2", second.terminal, serial="B2", **FTDI)
    server.start()
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 1200
    assert "another device than before" in server.log()
    known = json.loads((folder / "state" / "port-0.json").read_text(encoding="utf-8"))
    assert known["serial"] == "B2"


def test_a_changed_configuration_is_a_wish(tree, make_focuser, make_server, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    first, second = make_focuser(7600), make_focuser(1200)
    tree.plug("ttyUSB0", "1-2", first.terminal, serial="A1", **FTDI)
    server = make_server(tree.node("ttyUSB0"), folder=folder)
    server.put("focuser/0/connected", Connected="True")
    server.stop()
    name = tree.plug("ttyUSB1", "1-3", second.terminal, serial="B2", **FTDI)
    server = make_server(name, folder=folder)
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 1200


def test_bridges_alike_are_told_by_their_socket(tree, make_focuser, make_server, make_wire):
    focuser, neighbour = make_focuser(7600), make_wire()
    tree.plug("ttyUSB0", "1-2.1", focuser.terminal, **CH340)
    tree.plug("ttyUSB1", "1-2.2", neighbour.name, **CH340)
    server = make_server(tree.node("ttyUSB0"))
    server.put("focuser/0/connected", Connected="True")
    tree.unplug("ttyUSB0")
    lose(server)
    tree.unplug("ttyUSB1")
    # They come back in the other order.
    tree.plug("ttyUSB0", "1-2.2", neighbour.name, **CH340)
    until(lambda: "one of several alike" in server.log(), "the neighbour is refused")
    assert neighbour.received() == b""
    tree.plug("ttyUSB1", "1-2.1", focuser.terminal, **CH340)
    until(lambda: is_up(server) and server.get("focuser/0/position") == 7600, "the focuser is found at its socket")


def test_the_only_one_without_serial_number_may_change_its_socket(tree, make_focuser, make_server):
    focuser = make_focuser(7600)
    name = tree.plug("ttyUSB0", "1-2.1", focuser.terminal, **CH340)
    server = make_server(name)
    server.put("focuser/0/connected", Connected="True")
    tree.unplug("ttyUSB0")
    lose(server)
    tree.plug("ttyUSB5", "1-4", focuser.terminal, **CH340)
    until(lambda: is_up(server) and server.get("focuser/0/position") == 7600, "it is found under its name")
    assert "sits in another socket" in server.log()


def test_auto_finds_the_one_and_opens_it(tree, make_focuser, make_server):
    focuser = make_focuser(4000)
    server = make_server("auto", driver="maker")
    assert "no maker is attached" in connect_fails(server)
    tree.plug("ttyUSB0", "1-2", make_focuser(1).terminal, serial="A1", **FTDI)
    assert "no maker is attached" in connect_fails(server)
    tree.plug("ttyACM0", "1-1", focuser.terminal, serial="C1", **MAKER)
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 4000
    assert "port = auto is" in server.log()


def test_the_celestron_motor_is_asked_and_found(tree, device, make_server, make_wire):
    """The only driver of ours whose USB identity belongs to its maker; a bridge beside it hears nothing."""
    motor, bridge = device("celestron", position=20000), make_wire()
    tree.plug("ttyUSB0", "1-2", bridge.name, serial="A1", **FTDI)
    tree.plug("ttyACM0", "1-1", os.readlink(motor.path), serial="C1", **CELESTRON)
    port = listed("--probe")["ttyACM0"]
    assert (port["kind"], port["driver"]) == ("focuser", "celestron")
    assert port["answer"]["identity"].startswith("Celestron focus motor, firmware")
    server = make_server("auto", driver="celestron")
    server.put("focuser/0/connected", Connected="True")
    assert server.get("focuser/0/position") == 18000  # the emulated calibration begins at 2000
    # Asked for its position, but never sent anywhere (a goto has three data bytes: length 6).
    assert r";\x03 \x12" in motor.wire(">") and r";\x06 \x12" not in motor.wire(">")
    assert bridge.received() == b""


def test_auto_between_two_names_both(tree, make_focuser, make_server):
    names = [tree.plug(f"ttyACM{n}", f"1-{n + 1}", make_focuser(n).terminal, serial=f"C{n}", **MAKER) for n in (0, 1)]
    message = connect_fails(make_server("auto", driver="maker"))
    for name in names:
        assert f"port = {name}" in message


def test_auto_is_no_way_to_a_bridge(tree, tmp_path):
    name = tree.plug("ttyUSB0", "1-2", "/dev/null", serial="A1", **FTDI)
    config = tmp_path / "focusd.conf"
    config.write_text("[focuser.0]\ndriver = moonlite\nport = auto\n", encoding="ascii")
    result = subprocess.run([PROGRAM, "--check", "--config", config], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f"port = {name}" in result.stderr and "focusd.conf:3:" in result.stderr


def test_start_finds_what_is_plugged_in_later(tree, make_focuser, make_server):
    server = make_server("auto", driver="maker", more="connect = start\n")
    until(lambda: "no maker is attached" in server.log(), "the first try has failed")
    tree.plug("ttyACM0", "1-1", make_focuser(4000).terminal, serial="C1", **MAKER)
    find_again(server)


def test_a_port_that_somebody_holds_is_not_opened(tree, make_focuser, make_server):
    tree.plug("ttyUSB0", "1-2", make_focuser(4000).terminal, serial="A1", **FTDI)
    tree.hold(77, "gpsd", "ttyUSB0")
    message = connect_fails(make_server(tree.node("ttyUSB0")))
    assert "in use by another program: gpsd (pid 77)" in message
