"""A headless Chromium that tests talk to over a pipe, in its own protocol: no driver, no port, no network."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time


def _starts(command):  # Ubuntu's does not until its snap is there
    return subprocess.run([command, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(_starts, filter(None, map(shutil.which, _NAMES))), None)
_PATIENCE = 120  # seconds; a loaded machine is slow, a hanging one fails


class Browser:
    """One page. What it logs, throws and asks for is in ``events``."""

    def __init__(self, folder):
        (read, self._write), (self._read, write) = os.pipe(), os.pipe()
        options = ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run",
                   "disable-dev-shm-usage", "remote-debugging-pipe", f"user-data-dir={folder}")  # fmt: skip
        command = [CHROMIUM, *(f"--{option}" for option in options)]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", *command, "about:blank"],
            pass_fds=(read, write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read)
        os.close(write)
        os.set_blocking(self._read, False)
        self._buffer, self._numbers, self._session, self.events = b"", itertools.count(1), None, []
        (page,) = [target for target in self._call("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(_PATIENCE)
        os.close(self._read)
        os.close(self._write)

    def open(self, path, width=1280, height=900, scheme="light"):
        """Loads a file into a window of that size and theme; returns when it is drawn."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self._call("Page.navigate", url=path.as_uri())
        self._until(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events))
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script):
        """The value of a JavaScript expression, awaited."""
        told = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def screenshot(self, path):
        """The whole page as PNG."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        told = self._call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))

    def complaints(self):
        """Errors and warnings of the console, and exceptions that nobody caught."""
        found = []
        for event in self.events:
            told = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(told["exceptionDetails"])
            elif event["method"] == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
                found.append(told["args"])
            elif event["method"] == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                found.append(told["entry"])
        return found

    def requests(self):
        """Addresses that were asked for, but for the file itself and what it holds."""
        urls = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]

    def _call(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        answers = []
        self._until(lambda: answers or self._take(number, answers))
        (answer,) = answers
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _take(self, number, answers):
        answers += [event for event in self.events if event.get("id") == number]
        self.events[:] = [event for event in self.events if "id" not in event]
        return answers

    def _until(self, holds):
        start = time.monotonic()
        while not holds():
            assert time.monotonic() - start < _PATIENCE, "the browser does not answer"
            assert self._process.poll() is None, "the browser ended"
            try:
                self._buffer += os.read(self._read, 1 << 20)
            except BlockingIOError:
                time.sleep(0.01)
            *whole, self._buffer = self._buffer.split(b"\0")
            self.events += [json.loads(message) for message in whole]
