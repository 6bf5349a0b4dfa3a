# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, asked over chromedriver's WebDriver protocol (https://www.w3.org/TR/webdriver2/).
Nothing sleeps: the page itself says when a condition holds."""

import base64
import contextlib
import json
import subprocess
import urllib.error
import urllib.request

PATIENCE_S = 30

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-breakpad", "--disable-dev-shm-usage", "--no-proxy-server", "--hide-scrollbars",
]

# Looks again whenever the document changes; what holds is handed back.
UNTIL = """
const given = [...arguments], done = given.pop();
const condition = function () { %s };
const look = () => {
    const value = condition.apply(null, given);
    if (value) {
        observer.disconnect();
        done(value);
    }
};
const observer = new MutationObserver(look);
observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
look();
"""


class Browser:
    def __init__(self, folder):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.session = None
        try:
            self.session = f"http://127.0.0.1:{self.read_port()}/session"
            options = {"args": [*ARGUMENTS, f"--user-data-dir={folder}"],
                       "perfLoggingPrefs": {"enableNetwork": True}}
            answer = self.call("POST", "", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
            self.session += "/" + answer["sessionId"]
            self.call("POST", "/timeouts", {"script": PATIENCE_S * 1000})
        except BaseException:
            self.driver.kill()
            self.driver.wait()
            raise

    def read_port(self):
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                return int(line.strip().rstrip(".").split()[-1])
        raise RuntimeError("chromedriver does not start")

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.session + path, method=method, headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode())
        try:
            with DIRECT.open(request, timeout=2 * PATIENCE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The body of a function, in the page; what it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script, *arguments):
        """Waits until the function returns what is true; hands it back."""
        try:
            return self.call("POST", "/execute/async", {"script": UNTIL % script, "args": list(arguments)})
        except RuntimeError as error:
            raise AssertionError(f"{error}; in vain: {' '.join(script.split())} {arguments}") from None

    def type(self, selector, keys):
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        self.call("POST", f"/element/{next(iter(found.values()))}/value", {"text": keys})

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look_like(self, width, scheme):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900,
                      deviceScaleFactor=1, mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, file):
        """Of the whole page, as PNG."""
        size = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        image = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1})
        file.write_bytes(base64.b64decode(image["data"]))

    def complaints(self):
        """What the console has had to say since the last time, violations of the policy among it."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """The addresses that were asked for since the last time."""
        messages = [json.loads(entry["message"])["message"]
                    for entry in self.call("POST", "/se/log", {"type": "performance"})]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def quit(self):
        with contextlib.suppress(RuntimeError, OSError):
            self.call("DELETE", "")
        self.driver.terminate()
        self.driver.wait()


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
