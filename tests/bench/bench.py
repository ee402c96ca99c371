#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Speed as ratios to yardsticks that run beside the program: bench.py --focusd F --bare B --load L
--transpose T --wire W --paint S --halt H --slow-disk D P1 [P2 ...].  Prints one line for each; fails only when something cannot be
measured.
README.md beside this file explains the figures.
"""
import argparse
import concurrent.futures
import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "http"))
import upstream  # noqa: E402 - found where the tests keep it

PAIRS = 15  # of short runs: what else runs on the machine then disturbs both alike
WIDTH, HEIGHT = 9576, 6388  # px: a 62 Mpx sensor
FRAME_BYTES = 2 * WIDTH * HEIGHT
IDS = "ClientID=1&ClientTransactionID={n}"
POSITION = "/api/v1/focuser/0/position?" + IDS
IMAGE = "/api/v1/camera/0/imagearray?" + IDS
BYTES = "application/imagebytes"
CPUS = sorted(os.sched_getaffinity(0))
CPU = CPUS[-1]

arguments = None
folder = None


def pin(pid, cpus):
    """Every thread of a process that runs already, and all it starts later."""
    for task in glob.glob(f"/proc/{pid}/task/*"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(os.path.basename(task)), cpus)


def load(*words, cpus=None):
    """The result of one run of the load program; a list when it prints several lines."""
    done = subprocess.run([arguments.load, *map(str, words)], stdout=subprocess.PIPE, check=True, text=True,
                          timeout=300, preexec_fn=lambda: os.sched_setaffinity(0, cpus or {CPU}))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines if len(lines) > 1 else lines[0]


class Program:
    """A process that ends with the block."""

    def __init__(self, *words, cpus=None, env=None):
        self.process = subprocess.Popen([*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, **(env or {})},
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus or {CPU}))
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.process.stdin.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            sys.exit(f"{self.process.args[0]} ended")
        return text.strip()

    def drain(self):
        """Waits for the first line and lets the others go."""
        self.line()
        threading.Thread(target=lambda: any(False for _ in self.process.stdout), daemon=True).start()

    def cpu_ns(self):
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total

    def status(self, name):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def memory_kib(self):
        return self.status("VmRSS")

    def peak_kib(self):
        return self.status("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def switches(self):
        """Context switches of all threads: each wake-up from sleep is one."""
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/status"):
            with open(path, encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total


class Bare(Program):
    def __init__(self, cpus=None):
        super().__init__(arguments.bare, 0, cpus=cpus)
        self.port = int(self.line())


class Raw(Program):
    """Answers with so many bytes by write()."""

    def __init__(self, size=FRAME_BYTES, cpus=None):
        super().__init__(arguments.load, "raw", size, cpus=cpus)
        self.port = int(self.line())


def serve_words(config="", port=0, time_factor=1, simulate=True, state=None):
    where = pathlib.Path(tempfile.mkdtemp(dir=folder))
    path = where / "focusd.conf"
    path.write_text(config, encoding="ascii")
    return [arguments.focusd, "serve", "--config", path, "--bind", "127.0.0.1", "--port", port,
            "--discovery-port", 0, "--state-dir", state or where / "state", "--seed", 1, "--time-factor", time_factor,
            "--log-level", "error"] + (["--simulate"] if simulate else [])


class Focusd(Program):
    def __init__(self, config="", connect=("focuser",), cpus=None, env=None, **more):
        super().__init__(*serve_words(config, **more), cpus=cpus, env=env)
        self.port = urllib.parse.urlparse(self.line().split()[-1]).port
        for device in connect:
            self.put(f"{device}/0/connected", Connected="True")

    def call(self, path, form=None):
        data = urllib.parse.urlencode(form | {"ClientID": 1}).encode() if form is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/{path}", data,
                                         method="PUT" if data else "GET")
        with urllib.request.urlopen(request, timeout=120) as reply:
            answer = json.loads(reply.read())
        if answer["ErrorNumber"]:
            sys.exit(f"{path}: {answer['ErrorMessage']}")
        return answer.get("Value")

    def get(self, path):
        return self.call(path)

    def put(self, path, **form):
        return self.call(path, form)

    def expose(self):
        self.put("camera/0/startexposure", Duration=0.1, Light="True")
        while not self.get("camera/0/imageready"):
            time.sleep(0.05)


def big(cpus=None):
    """A server that holds a full frame."""
    server = Focusd(f"[simulator]\nwidth = {WIDTH}\nheight = {HEIGHT}\n", connect=("focuser", "camera"),
                    cpus=cpus)
    server.expose()
    return server


def pairs(one, other, count=PAIRS):
    """Both in turns, the order changing each time; the median of the ratios and both medians."""
    found = []
    for i in range(count):
        if i % 2 == 0:
            a = one()
            b = other()
        else:
            b = other()
            a = one()
        found.append((a, b))
    return (statistics.median(a / b for a, b in found), statistics.median(a for a, _ in found),
            statistics.median(b for _, b in found))


def say(number, what, value, must, goal, unit="", better="more", note=""):
    ok = [value >= limit if better == "more" else value <= limit for limit in (must, goal)]
    verdict = "goal met" if ok[1] else "must met" if ok[0] else "MISSED"
    print(f"{number:4} {what:52} {value:8.3f} {unit:4} must {must:g} goal {goal:g}  {verdict:9} {note}",
          flush=True)


def p1():
    with Focusd() as server, Bare() as bare:
        ratio, own, other = pairs(lambda: load("rate", server.port, 32, 0.3, "GET", POSITION)["rate"],
                                  lambda: load("rate", bare.port, 32, 0.3, "GET", POSITION)["rate"])
    say("P1", "GET position, 32 kept connections, of bare", ratio, 0.85, 0.92,
        note=f"{own:.0f}/s, bare {other:.0f}/s")


def cpu_per_request(program):
    before = program.cpu_ns()
    done = load("rate", program.port, 32, 0.3, "GET", POSITION)["requests"]
    return (program.cpu_ns() - before) / done / 1e3


def p2():
    with Focusd() as server, Bare() as bare:
        ratio, own, other = pairs(lambda: cpu_per_request(server), lambda: cpu_per_request(bare))
    say("P2", "server CPU for a GET, times bare", ratio, 1.25, 1.10, better="less",
        note=f"{own:.2f} us, bare {other:.2f} us")


def p3():
    with Focusd() as server, Bare() as bare:
        halves, tails = [], []

        def one(program):
            return load("poll", program.port, 0, 0.3, "GET", POSITION)

        for i in range(PAIRS):
            order = (server, bare) if i % 2 == 0 else (bare, server)
            found = {program: one(program) for program in order}
            halves.append((found[server]["p50_us"], found[bare]["p50_us"]))
            tails.append((found[server]["p99_us"], found[bare]["p99_us"]))
    for name, values, must, goal in (("p50", halves, 1.2, 1.1), ("p99", tails, 2.0, 1.5)):
        own, other = (statistics.median(column) for column in zip(*values))
        say("P3", f"one connection, {name}, times bare", statistics.median(a / b for a, b in values), must, goal,
            better="less", note=f"{own:.1f} us, bare {other:.1f} us")


def p4():
    with Focusd() as server, Bare() as bare:
        ratio, own, other = pairs(lambda: load("fresh", server.port, 32, 0.3, "GET", POSITION)["rate"],
                                  lambda: load("fresh", bare.port, 32, 0.3, "GET", POSITION)["rate"])
    say("P4", "a connection for each request, of bare", ratio, 0.90, 0.95,
        note=f"{own:.0f}/s, bare {other:.0f}/s")


def p5():
    connections = 1000
    with Focusd() as server:
        def rate():
            return load("rate", server.port, 32, 0.3, "GET", POSITION)["rate"]

        def crowded():
            with Program(arguments.load, "hold", server.port, connections, POSITION) as holder:
                holder.line()
                return rate()

        rate()
        before = server.memory_kib()
        with Program(arguments.load, "hold", server.port, connections, POSITION) as holder:
            holder.line()
            each = (server.memory_kib() - before) * 1.024 / connections
        ratio, own, other = pairs(crowded, rate)
    say("P5", "1000 idle connections, of own rate without", ratio, 0.7, 0.9,
        note=f"{own:.0f}/s, without {other:.0f}/s")
    say("P5", "1000 idle connections, memory of each", each, 20, 9, "kB", better="less")


def p6():
    with Focusd() as server:
        ratio, own, other = pairs(
            lambda: load("rate", server.port, 32, 0.3, "PUT", "/api/v1/focuser/0/move",
                         "Position={p}&" + IDS)["rate"],
            lambda: load("rate", server.port, 32, 0.3, "GET", POSITION)["rate"])
    say("P6", "PUT move accepted, of own GET rate", ratio, 0.8, 0.95, note=f"{own:.0f}/s, GET {other:.0f}/s")


def p7():
    def config(emulator):
        return f"[focuser.0]\ndriver = moonlite\nport = {emulator.line()}\nopen_wait_ms = 0\n"

    words = (arguments.focusd, "emulate", "moonlite", "--position", 20000)
    with Program(*words, "--fault", "delay") as slow_emulator, Program(*words) as fast_emulator, \
            Focusd(config(slow_emulator), simulate=False) as slow, \
            Focusd(config(fast_emulator), simulate=False) as fast:
        def tail(server):
            # While it moves, the driver is at the line all the time.
            server.put("focuser/0/move", Position=60000)
            value = load("poll", server.port, 200, 2, "GET", POSITION)["p99_us"]
            server.put("focuser/0/halt")
            return value

        ratio, own, other = pairs(lambda: tail(slow), lambda: tail(fast), 5)
    say("P7", "GET position p99, device answers in 300 ms, of fast", ratio, 1.5, 1.1, better="less",
        note=f"{own:.0f} us, fast {other:.0f} us")


def p8():
    with big(cpus=CPUS) as server:
        def tail():
            return load("poll", server.port, 500, 1, "GET", POSITION, cpus=CPUS)["p99_us"] / 1e3

        for accept in (BYTES, "application/json"):
            beside, quiet = [], []
            for _ in range(5):
                quiet.append(tail())
                with Program(arguments.load, "fetch", server.port, 1000000, accept, IMAGE, cpus=CPUS) as download:
                    download.drain()
                    beside.append(tail())
            say("P8", f"GET position p99 beside {accept}", statistics.median(beside), 3, 1, "ms", better="less",
                note=f"without downloads {statistics.median(quiet):.2f} ms")


def p9():
    with big() as server, Raw() as raw:
        ratio, own, other = pairs(lambda: load("fetch", server.port, 1, BYTES, IMAGE)["rate"],
                                  lambda: load("fetch", raw.port, 1, BYTES, IMAGE)["rate"])
    say("P9", "ImageBytes of 62 Mpx, of raw TCP", ratio, 0.90, 0.95,
        note=f"{own / 1e9:.2f} GB/s, raw {other / 1e9:.2f} GB/s")


def p10():
    with big() as server:
        first = [load("fetch", server.port, 1, BYTES, IMAGE)["first_ms"] for _ in range(9)]
    say("P10", "first byte of ImageBytes", statistics.median(first), 5, 1, "ms", better="less")


def p11():
    done = subprocess.run([arguments.transpose], stdout=subprocess.PIPE, check=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {CPU}))
    found = json.loads(done.stdout)
    say("P11", "transposition, of memcpy speed", found["ratio"], 0.20, 0.30,
        note=f"{found['transpose_ms']:.1f} ms, memcpy {found['copy_ms']:.1f} ms, "
             f"with a new buffer {found['create_ms']:.1f} ms")


def p12():
    with big() as server, Raw() as raw:
        ratio, own, other = pairs(lambda: load("fetch", server.port, 1, "application/json", IMAGE)["rate"],
                                  lambda: load("fetch", raw.port, 1, BYTES, IMAGE)["rate"], 7)
    say("P12", "JSON image array, text bytes/s, of raw TCP", ratio, 0.50, 0.75,
        note=f"{own / 1e9:.2f} GB/s, raw {other / 1e9:.2f} GB/s")


def p13():
    with big(cpus=CPUS) as server:
        growth = []
        for _ in range(5):
            # Clients that come again keep what the allocator kept; the peak counts it.
            server.forget_peak()
            before = server.memory_kib()
            with concurrent.futures.ThreadPoolExecutor() as pool:
                for download in [pool.submit(load, "fetch", server.port, 3, BYTES, IMAGE, cpus=CPUS)
                                 for _ in range(4)]:
                    download.result()
            growth.append((server.peak_kib() - before) / 1024)
    say("P13", "one frame to 4 clients, memory above the frame", max(growth), 8, 4, "MiB", better="less")


def p18():
    with Focusd(connect=("focuser", "camera")) as server, Bare() as bare:
        load("rate", server.port, 1, 0.1, "GET", POSITION)
        load("rate", bare.port, 1, 0.1, "GET", POSITION)
        own, other = server.memory_kib(), bare.memory_kib()
    say("P18", "resident when idle, times bare", own / other, 3.0, 2.2, better="less",
        note=f"{own / 1024:.1f} MiB, bare {other / 1024:.1f} MiB")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def p19():
    def own():
        return load("start", port, "/management/v1/configureddevices", *words)["start_ms"]

    def other():
        return load("start", bare_port, "/", arguments.bare, bare_port)["start_ms"]

    port, bare_port = free_port(), free_port()
    words = serve_words(port=port)
    own()  # makes the state directory, as the first start of a new installation does
    ratio, mine, bare = pairs(own, other, 11)
    say("P19", "start to first answer, times bare", ratio, 6, 4, better="less",
        note=f"{mine:.1f} ms, bare {bare:.1f} ms")


def rest(server, seconds=10):
    time.sleep(11)  # the watch over slow requests ends with the last connection
    cpu, switches = server.cpu_ns(), server.switches()
    time.sleep(seconds)
    return (server.cpu_ns() - cpu) / 1e9 / seconds * 100, (server.switches() - switches) / seconds


def p20():
    with Focusd(connect=()) as server:
        cpu, wakes = rest(server)
    say("P20", "nothing connected: CPU", cpu, 0.05, 0.0, "%", better="less")
    say("P20", "nothing connected: wake-ups each second", wakes, 2, 0, better="less")
    with Focusd(connect=("focuser",)) as server:
        cpu, wakes = rest(server)
    say("P20", "still focuser: CPU", cpu, 0.05, 0.0, "%", better="less")
    say("P20", "still focuser: wake-ups each second", wakes, 5, 2, better="less")


def p21():
    path = pathlib.Path(folder) / "stripped"
    subprocess.run([shutil.which("strip"), "-o", path, arguments.focusd], check=True)
    say("P21", "stripped binary", path.stat().st_size / 1024, 700, 400, "KiB", better="less")


def p22():
    done = subprocess.run([arguments.wire], stdout=subprocess.PIPE, check=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {CPU}))
    found = json.loads(done.stdout)
    say("P22", "serial exchange, times bare write and read", found["ratio"], 3, 1.5, better="less",
        note=f"{found['own_us']:.1f} us, bare {found['bare_us']:.1f} us")


def p23():
    # ":GP#" and "4E20#" with ten bits a byte, and the 10 ms that the device needs after each answer.
    limit = 1000 / (9 * 10 / 9600 * 1000 + 10)
    record = os.path.join(folder, "wire.txt")

    def last_second(server, target):
        """The position polls in the second before the first answer that says: at rest."""
        server.put("focuser/0/move", Position=target)
        while server.get("focuser/0/ismoving"):
            time.sleep(0.05)
        time.sleep(1.5)  # until it is written
        with open(record, encoding="ascii") as file:
            lines = [line.split(maxsplit=2) for line in file if line[:1] == " "]
        polls = [int(line[0]) for line in lines if line[1:] == [">", ":GP#\n"]]
        ends = [int(line[0]) for before, line in zip(lines, lines[1:])
                if before[1:] == [">", ":GI#\n"] and line[1:] == ["<", "00#\n"]]
        moving = max(int(line[0]) for line in lines if line[1:] == ["<", "01#\n"])
        end = min(ms for ms in ends if ms > moving)
        return sum(end - 1000 <= ms < end for ms in polls)

    words = (arguments.focusd, "emulate", "moonlite", "--position", 20000, "--baud", 9600)
    with Program(*words) as emulator, \
            Focusd(f"[focuser.0]\ndriver = moonlite\nport = {emulator.line()}\nopen_wait_ms = 0\n"
                   f"transcript = {record}\n", simulate=False) as server:
        rates = [last_second(server, target) for target in (20600, 20000, 20700)]
    rate = statistics.median(rates)
    say("P23", "position polls/s at 9600 Bd in the last second of a move, of the wire's", rate / limit, 0.15, 0.4,
        note=f"{rate:.0f}/s of {limit:.1f}/s")


def fill_history(state, count):
    """One run as the program writes it, copied until there are so many."""
    with Focusd(time_factor=100, state=state, connect=("focuser", "camera"), cpus=CPUS) as server:
        for action, parameters in (("Autofocus", ""), ("AutofocusWait", "90")):
            server.put("focuser/0/action", Action=action, Parameters=parameters)
    with contextlib.closing(sqlite3.connect(state / "focusd.db", isolation_level=None)) as db:
        names = {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in ("runs", "points")}
        [(first,)] = db.execute("SELECT max(id) FROM runs").fetchall()
        db.execute("BEGIN")
        for number in range(first + 1, first + count):
            for table, key in (("runs", "id"), ("points", "run")):
                others = ", ".join(name for name in names[table] if name != key)
                db.execute(f"INSERT INTO {table} ({key}, {others}) SELECT ?, {others} FROM {table} WHERE {key} = ?",
                           (number, first))
        db.execute("UPDATE counters SET value = ?", (first + count,))
        db.execute("COMMIT")


class Crowd:
    """Clients on other machines, so at a lower priority: each asks so many times on a connection, then after a pause on
    another, whatever it is answered."""

    def __init__(self, port, wishes):
        self.over = threading.Event()
        self.answered = [0] * len(wishes)
        self.threads = [threading.Thread(target=self.ask, args=(i, port, *wish)) for i, wish in enumerate(wishes)]

    def ask(self, index, port, times, accept, path):
        while not self.over.is_set():
            process = subprocess.Popen([arguments.load, "fetch", str(port), str(times), accept, path], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       preexec_fn=lambda: os.nice(10))
            for _ in process.stdout:
                self.answered[index] += 1
                if self.over.is_set():
                    break
            process.kill()
            process.wait()
            self.over.wait(0.1)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *why):
        self.over.set()
        for thread in self.threads:
            thread.join()


PREVIEW = "/focusd/v1/camera/0/preview.jpg"
PART = "?x={x}&y=0&w=2000&h=2000"
ALWAYS = 1000000


def p24():
    # A camera of 9 Mpx, whose frames take a processor about as long to paint and to measure as they are exposed.
    words = "[simulator]\nwidth = 3600\nheight = 2500\n[autofocus]\nexposure_s = 0.5\n"
    with Focusd(words, connect=("focuser", "camera"), cpus=CPUS) as server:
        def tail():
            return load("poll", server.port, 2000, 2, "GET", POSITION, cpus=CPUS)["p99_us"]

        def action(name):
            return json.loads(server.put("focuser/0/action", Action=name, Parameters=""))

        def beside():
            action("Autofocus")
            value = tail()
            if action("AutofocusStatus")["state"] != "running":
                sys.exit("P24: the run was over before the polling")
            action("AutofocusAbort")
            while action("AutofocusStatus")["state"] == "running" or server.get("focuser/0/ismoving"):
                time.sleep(0.05)
            return value

        ratio, own, other = pairs(beside, tail, 5)
    say("P24", "GET position p99 during an autofocus run, times idle", ratio, 2, 1.2, better="less",
        note=f"{own:.0f} us, idle {other:.0f} us")


def run():
    """What a whole run spends on neither camera nor motor, as its run object tells it."""
    words = "[simulator]\nwidth = 6248\nheight = 4176\nreadout_s = 1\nbest_position = 12000\n"
    with Focusd(words, connect=("focuser", "camera"), cpus=CPUS) as server:
        server.put("focuser/0/action", Action="Autofocus", Parameters="")
        while True:
            time.sleep(1)
            found = json.loads(server.put("focuser/0/action", Action="AutofocusStatus", Parameters=""))
            if found["state"] != "running":
                break
    if found["state"] != "succeeded":
        sys.exit(f"run: {found['reason']}")
    say("run", "26 Mpx: beyond exposure, read-out and motor, of a run", 100 * found["overhead_s"] / found["duration_s"],
        5, 2, "%", better="less", note=f"{found['exposures']} exposures in {found['duration_s']:.0f} s")


def p25():
    state = pathlib.Path(tempfile.mkdtemp(dir=folder))
    fill_history(state, 2000)
    with Program(arguments.halt, cpus=CPUS) as line:
        words = f"[simulator]\nwidth = {WIDTH}\nheight = {HEIGHT}\n[camera.0]\ndriver = simulator\n" \
            f"[focuser.0]\ndriver = moonlite\nport = {line.line()}\nopen_wait_ms = 0\n"

        def measure(server, count):
            line.process.stdin.write(f"measure {server.port} {count}\n")
            line.process.stdin.flush()
            return json.loads(line.line())

        with Focusd(words, connect=("focuser", "camera"), simulate=False, state=state, cpus=CPUS) as server:
            server.expose()
            quiet = measure(server, 200)
        with Focusd(words, connect=("focuser", "camera"), simulate=False, state=state, cpus=CPUS,
                    env={"LD_PRELOAD": arguments.slow_disk}) as server, \
                contextlib.closing(sqlite3.connect(state / "focusd.db", isolation_level=None)) as db:
            server.expose()
            db.execute("BEGIN EXCLUSIVE")
            with Crowd(server.port, [(ALWAYS, "application/json", IMAGE), (ALWAYS, "*/*", "/focusd/v1/runs?limit=1000"),
                                     (1, "*/*", PREVIEW), (ALWAYS, "*/*", PREVIEW + PART)]) as crowd:
                beside = measure(server, 100)
    say("P25", "PUT halt to the wire beside everything, p99, of idle", beside["p99_us"] / quiet["p99_us"], 3, 1.5,
        better="less", note=f"p50 {beside['p50_us'] / 1e3:.2f} ms, p99 {beside['p99_us'] / 1e3:.2f} ms, "
        f"worst {beside['max_us'] / 1e3:.2f} ms; idle {quiet['p50_us'] / 1e3:.2f}, {quiet['p99_us'] / 1e3:.2f}, "
        f"{quiet['max_us'] / 1e3:.2f} ms; answered beside: {crowd.answered}")


class Upstream(upstream.Upstream):
    """Another Alpaca server with a camera of 62 Mpx beside its focuser; a picture is one write() of bytes that are there
    already."""

    def __init__(self):
        self.moments = []
        self.constant = {"cameraxsize": WIDTH, "cameraysize": HEIGHT, "maxbinx": 1, "maxbiny": 1, "maxadu": 65535,
                         "canabortexposure": True, "canstopexposure": False, "imageready": True, "camerastate": 0,
                         "lastexposureduration": 0.001}
        # ImageBytes: version, error, two ids, start, Int32 of the API, UInt16 on the wire, rank, dimensions.
        head = struct.pack("<iiIIiiiiiii", 1, 0, 0, 0, 44, 2, 8, 2, WIDTH, HEIGHT, 0)
        self.picture = head + bytes(i * 2654435761 >> 8 & 0xFF for i in range(4096)) * (FRAME_BYTES // 4096 + 1)
        self.picture = self.picture[:44 + FRAME_BYTES]
        super().__init__(steps_per_s=100, listed=[
            {"DeviceName": kind, "DeviceType": kind, "DeviceNumber": 0, "UniqueID": f"bench-{kind}"}
            for kind in ("Focuser", "Camera")])

    def reply(self, r):
        if r.member in self.constant:
            r.value(self.constant[r.member])
        elif r.member == "imagearray":
            self.moments.append(time.monotonic())
            r.raw(self.picture, kind=BYTES)
        elif r.verb == "PUT" and r.member in ("binx", "biny", "startx", "starty", "numx", "numy", "startexposure"):
            r.value()
        elif r.verb == "GET" and r.path.startswith("/api/v1/camera") and not hasattr(self, f"GET_{r.member}"):
            r.value(None, 0x400, "not implemented")
        else:
            if (r.verb, r.member) == ("PUT", "halt"):
                self.moments.append(time.monotonic())
            super().reply(r)


def tail_of(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def p25u():
    """The halt of a focuser that another server has: from before the request to its arrival there, while that server
    answers, and while it takes every question and answers none."""
    there = Upstream()
    config = f"[focuser.0]\ndriver = alpaca\nport = 127.0.0.1:{there.port}/0\n"
    with Focusd(config, simulate=False, cpus=CPUS) as server:
        def halts(count, hung):
            took = []
            for number in range(count):
                server.put("focuser/0/move", Position=45000 if number % 2 else 5000)
                while there.where() == there.target or not server.get("focuser/0/ismoving"):
                    time.sleep(0.001)
                if hung:
                    asked = len(there.seen("GET", "ismoving"))
                    there.answer("GET", "*", upstream.hang)
                    while len(there.seen("GET", "ismoving")) == asked:
                        time.sleep(0.001)
                before = len(there.moments)
                begin = time.monotonic()
                server.put("focuser/0/halt")
                while len(there.moments) == before:
                    time.sleep(0.0005)
                took.append(there.moments[-1] - begin)
                there.right()
                while server.get("focuser/0/ismoving"):
                    time.sleep(0.001)
                there.log.clear()
            return took

        quiet, hung = halts(100, False), halts(100, True)
    there.close()
    p99 = [tail_of(took, 0.99) for took in (hung, quiet)]
    say("P25", "PUT halt to a hung upstream, p99, of one that answers", p99[0] / p99[1], 3, 1.5, better="less",
        note=f"p50 {statistics.median(hung) * 1e3:.2f} ms, p99 {p99[0] * 1e3:.2f} ms, worst {max(hung) * 1e3:.2f} ms; "
        f"answering {statistics.median(quiet) * 1e3:.2f}, {p99[1] * 1e3:.2f}, {max(quiet) * 1e3:.2f} ms")


def p27():
    """From the request for the picture to the moment when a client sees that it is there; curl keeps it in memory."""
    there = Upstream()
    config = f"[camera.0]\ndriver = alpaca\nport = 127.0.0.1:{there.port}/0\n"
    url = f"http://127.0.0.1:{there.port}/api/v1/camera/0/imagearray"
    with Focusd(config, simulate=False, connect=("camera",), cpus=CPUS) as server:
        def ours():
            there.moments.clear()
            server.put("camera/0/startexposure", Duration=0.001, Light="True")
            while not server.get("camera/0/imageready"):
                time.sleep(0.0005)
            took = time.monotonic() - there.moments[0]
            there.log.clear()
            return 1 / took

        def plain():
            done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{time_total}", url], check=True, text=True,
                                  stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, CPUS))
            return 1 / float(done.stdout)

        ours()
        ratio, own, other = pairs(ours, plain, 11)
    there.close()
    say("P27", "62 Mpx from another Alpaca server, of curl", ratio, 0.8, 0.95,
        note=f"{1e3 / own:.0f} ms, curl {1e3 / other:.0f} ms")


def p29():
    """Twelve clients that take the first bytes of a picture and no more, each of another picture."""
    with big(cpus=CPUS) as server:
        for _ in range(3):
            server.expose()
            load("fetch", server.port, 1, BYTES, IMAGE, cpus=CPUS)
        before = server.memory_kib()
        readers, served = [], 0
        for number in range(12):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", server.port))
            accept = BYTES if number % 2 else "application/json"
            request = f"GET {IMAGE.format(n=1)} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
            reader.sendall(request.encode())
            head = reader.recv(1024)
            assert head.startswith(b"HTTP/1.1 200 "), head
            served += b'"ErrorNumber":1035' not in head
            readers.append(reader)
            server.expose()
        kept = (server.memory_kib() - before) * 1024 / FRAME_BYTES
        for reader in readers:
            reader.close()
    say("P29", "memory held for slow readers, in frames of 62 Mpx", kept, 4, 2, better="less",
        note=f"{served} of {len(readers)} were served")


def ready_late(server, seconds):
    """How long after the end of each of five exposures a client sees that the image is ready, in s."""
    late = []
    for _ in range(5):
        begin = time.monotonic()
        server.put("camera/0/startexposure", Duration=seconds, Light="True")
        while not server.get("camera/0/imageready"):
            time.sleep(0.001)
        late.append(time.monotonic() - begin - seconds)
    return late


def say_late(what, server, seconds):
    late = ready_late(server, seconds)
    say("sky", f"{what}: ready after the end", statistics.median(late), 1, 0.02, "s", better="less",
        note=f"at worst {max(late):.3f} s; resident {server.memory_kib() / 1024:.0f} MiB")


def record(path):
    """A recorded frame of 62 Mpx, plain FITS of 16 bits (FITS standard 4.0)."""
    cards = [f"SIMPLE  = {'T':>20}", f"BITPIX  = {16:>20}", f"NAXIS   = {2:>20}", f"NAXIS1  = {WIDTH:>20}",
             f"NAXIS2  = {HEIGHT:>20}", f"BZERO   = {32768:>20}", f"FOCUSPOS= {100:>20}", "END"]
    with open(path, "wb") as file:
        file.write("".join(card.ljust(80) for card in cards).encode().ljust(2880, b" "))
        row = bytes(i * 2654435761 >> 8 & 0x7F for i in range(2 * WIDTH))
        for _ in range(HEIGHT):
            file.write(row)
        file.write(bytes(-FRAME_BYTES % 2880))


def sky():
    """What the simulated camera needs for a frame that it exposes for one second, and the replay camera for one of
    three seconds, each from another file than the last."""
    for colour in ("mono", "bayer", "rgb"):
        done = subprocess.run([arguments.paint, colour], stdout=subprocess.PIPE, check=True, text=True)
        found = json.loads(done.stdout)
        say("sky", f"62 Mpx, {colour}: painting, of the exposure", found["best_s"], 1, 0.5, better="less",
            note=f"new memory {found['first_s']:.2f} s; {found['cpu_s']:.2f} s of CPU")
        config = f"[simulator]\nwidth = {WIDTH}\nheight = {HEIGHT}\ncolour = {colour}\n"
        with Focusd(config, connect=("camera",), cpus=CPUS) as server:
            say_late(f"62 Mpx, {colour}", server, 1)
    with Focusd("", connect=("camera",), cpus=CPUS) as server:
        say_late("1.2 Mpx", server, 1)
    frames = pathlib.Path(tempfile.mkdtemp(dir=folder))
    for name in ("a.fits", "b.fits"):  # frames of the same position take turns
        record(frames / name)
    devices = f"[focuser.0]\ndriver = simulator\n[camera.0]\ndriver = replay\npath = {frames}\n"
    with Focusd(devices, connect=("focuser", "camera"), cpus=CPUS, simulate=False) as server:
        say_late("62 Mpx, recorded", server, 3)


ALL = {"P1": p1, "P2": p2, "P3": p3, "P4": p4, "P5": p5, "P6": p6, "P7": p7, "P8": p8, "P9": p9, "P10": p10,
       "P11": p11, "P12": p12, "P13": p13, "P18": p18, "P19": p19, "P20": p20, "P21": p21, "P22": p22, "P23": p23,
       "P24": p24, "P25": p25, "P25-upstream": p25u, "P27": p27, "P29": p29, "run": run, "sky": sky}


def main():
    global arguments, folder
    parser = argparse.ArgumentParser()
    for name in ("focusd", "bare", "load", "transpose", "wire", "paint", "halt", "slow-disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("numbers", nargs="+", choices=[*ALL, "all"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = made
        for number in ALL if "all" in arguments.numbers else arguments.numbers:
            ALL[number]()


main()
