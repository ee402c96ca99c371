# SPDX-License-Identifier: MIT
"""A page of another site in the owner's browser, while the server has a name and an address that are not loopback:
there browsers send no Sec-Fetch-Site, and Origin and Referer alone tell who asks.  The machines are addresses of a
network namespace; where there is none the test skips.

Run by itself this file is all of them: `serve PROGRAM FOLDER` in a fresh user and network namespace.
"""
import http.server
import json
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.request

NET = "10.77.0"
HOSTS = {"pier.example": 1, "evil.example": 2, "friend.example": 3}
READS = ["/api/v1/focuser/0/position", "/api/v1/camera/0/imagearray", "/focusd/v1/runs?limit=1000", "/metrics", "/",
         "/focusd/v1/camera/0/preview.jpg", "/events", "/setup"]
# Everything that a page can try without a person, each told when it is over.
SCRIPT = """
const target = arguments[0], reads = arguments[1], done = arguments[arguments.length - 1];
const told = {};
const ask = (name, path, how) => fetch(target + path, how).then(
    async (r) => { told[name] = r.type === 'opaque' ? 'opaque' : r.status + ' ' + (await r.text()).slice(0, 60); },
    () => { told[name] = 'refused'; });
const shown = (name, tag, path) => new Promise((over) => {
    const e = document.createElement(tag);
    e.onload = () => { told[name] = 'shown'; over(); };
    e.onerror = () => { told[name] = 'refused'; over(); };
    e.src = target + path;
    document.body.append(e);
});
(async () => {
    for (const path of reads) {
        await ask('cors ' + path, path, {mode: 'cors'});
        await ask('no-cors ' + path, path, {mode: 'no-cors'});
        await shown('img ' + path, 'img', path);
        await shown('script ' + path, 'script', path);
    }
    const form = 'application/x-www-form-urlencoded';
    for (const verb of ['PUT', 'POST']) {
        await ask(verb, '/api/v1/focuser/0/move', {method: verb, body: 'Position=17', headers: {'Content-Type': form}});
    }
    await ask('no-cors POST', '/api/v1/focuser/0/move', {method: 'POST', mode: 'no-cors', body: 'Position=17'});
    await shown('iframe', 'iframe', '/');
    done(told);
})();
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


class Site(http.server.BaseHTTPRequestHandler):
    """An empty page; /seen is what another page's request looks like."""

    def do_GET(self):
        if self.path == "/seen":
            self.server.seen.append(dict(self.headers.items()))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.path == "/":
            self.wfile.write(b"<!doctype html><title>a site</title><body></body>")

    def log_message(self, *words):
        """Says nothing."""


def site(name):
    server = http.server.ThreadingHTTPServer((f"{NET}.{HOSTS[name]}", 0), Site)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://{name}:{server.server_port}"


def start(program, folder):
    """The server with a connected focuser and camera; the process and its port."""
    folder = pathlib.Path(folder)
    config = folder / "focusd.conf"
    config.write_text("[server]\nallowed_hosts = pier.example, friend.example\n", encoding="utf-8")
    ready = folder / "ready.json"
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([program, "serve", "--simulate", "--config", config, "--port", "0",
                                    "--bind", f"{NET}.{HOSTS['pier.example']}", "--discovery-port", "0",
                                    "--state-dir", folder / "state", "--ready-file", ready], stderr=log,
                                   stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not ready.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return process, json.loads(ready.read_text(encoding="utf-8"))["port"]


def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    rules = ", ".join(f"MAP {name} {NET}.{number}" for name, number in HOSTS.items())
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                     f"--host-resolver-rules={rules}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_script_timeout(120)
    return driver


class Program:
    """A client that is no browser."""

    def __init__(self, port):
        self.base = f"http://{NET}.{HOSTS['pier.example']}:{port}"

    def get(self, path):
        with urllib.request.urlopen(self.base + path, timeout=60) as reply:
            return reply.read().decode()

    def value(self, member):
        return json.loads(self.get(f"/api/v1/{member}"))["Value"]

    def put(self, member, form):
        request = urllib.request.Request(f"{self.base}/api/v1/{member}", form.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read())["ErrorNumber"]

    def answered(self):
        """How many answers of each class the server has given, this one not counted."""
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith("focusd_http_requests_total{")]
        return {line.split('"')[1]: int(line.split()[-1]) for line in lines}


def serve_main(program, folder):
    ip("link", "set", "lo", "up")
    for number in HOSTS.values():
        ip("addr", "add", f"{NET}.{number}/32", "dev", "lo")
    process, port = start(program, folder)
    client = Program(port)
    for device in ("focuser", "camera"):
        client.put(f"{device}/0/connected", "Connected=True")
    client.put("camera/0/startexposure", "Duration=0.1&Light=True")
    while not client.value("camera/0/imageready"):
        time.sleep(0.05)
    pier = f"http://pier.example:{port}"
    friend, friend_url = site("friend.example")
    _, evil_url = site("evil.example")
    found = {"position": client.value("focuser/0/position")}
    driver = browser()
    try:
        driver.get(evil_url)
        driver.execute_async_script(
            "fetch(arguments[0], {mode: 'no-cors'}).finally(arguments[1])", friend_url + "/seen")
        found["seen"] = friend.seen
        before = client.answered()
        found["evil"] = driver.execute_async_script(SCRIPT, pier, READS)
        after = client.answered()
        found["answers"] = {kind: after[kind] - before[kind] for kind in after}
        found["position after"] = client.value("focuser/0/position")
        # A person follows a link.
        driver.execute_script("const a = document.createElement('a'); a.href = arguments[0]; a.id = 'go';"
                              "a.textContent = 'there'; document.body.append(a);", pier + "/")
        driver.find_element("id", "go").click()
        end = time.monotonic() + 60
        while time.monotonic() < end and driver.execute_script(
                "const news = document.querySelector('#news'); return news && news.dataset.state") != "live":
            time.sleep(0.05)
        found["own page"] = driver.execute_script("return document.querySelector('#news').dataset.state")
        driver.get(friend_url)
        found["friend"] = driver.execute_async_script(SCRIPT, pier, READS[:1])
    finally:
        driver.quit()
    process.send_signal(signal.SIGTERM)
    found["exit"] = process.wait(60)
    print(json.dumps(found))


def test_a_page_of_another_site_under_a_name(tmp_path):
    import pytest
    from conftest import BINARY
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    probe = subprocess.run([*alone, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no network namespaces here: {probe.stderr.strip()}")
    done = subprocess.run([*alone, sys.executable, __file__, "serve", BINARY, tmp_path], stdout=subprocess.PIPE,
                          text=True, timeout=300, check=True)
    found = json.loads(done.stdout)
    assert found["exit"] == 0
    # What the test is about: here the browser does not say in so many words that another site asks.
    [seen] = found["seen"]
    assert seen["Referer"].startswith("http://evil.example") and "Sec-Fetch-Site" not in seen
    evil = found["evil"]
    asked = [name for name in evil if name.split()[0] in ("cors", "img", "script")]
    assert len(asked) == 3 * len(READS)
    assert {evil[name] for name in asked} == {"refused"}
    assert evil["PUT"] == evil["POST"] == "refused"
    # The counts' own page was answered, and the frame's request for the page: without Sec-Fetch-Dest it looks like a
    # visit.  That page is in memory, and its policy keeps it out of frames.  Nothing was done for any other request.
    assert found["answers"]["2xx"] == 2, found["answers"]
    assert found["answers"]["4xx"] >= 4 * len(READS) + 3
    assert found["position after"] == found["position"]
    assert found["own page"] == "live"
    # A page that the owner trusts reads and moves.
    friendly = found["friend"]
    assert friendly["cors " + READS[0]].startswith('200 {"Value":')
    assert friendly["PUT"].startswith("200 "), friendly


if __name__ == "__main__":
    serve_main(*sys.argv[2:])
