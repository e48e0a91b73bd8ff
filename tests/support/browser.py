"""
A real browser for tests: Debian's Chromium, headless, spoken to through a pipe.

Nothing but the standard library is needed: the browser's own protocol runs over two
file descriptors, one JSON object after the other, each ended by a zero byte. It refuses
to reach any host but loopback, so that a page which needs one is seen not to work.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Self

Record = dict[str, Any]

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0

# The browser reads from descriptor 3 and writes to 4.
_AS_3_AND_4 = """
import os, sys
reading, writing = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2]))
os.dup2(reading, 3), os.dup2(writing, 4)
os.set_inheritable(3, True), os.set_inheritable(4, True)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class BrowserError(Exception):
    """The browser said no, or nothing at all."""


class Browser:
    """
    One page in a browser of its own; a context manager that ends it.

    Attributes:
        requests: the address of each request that the page made.
        complaints: what the browser wrote to its console: errors, refusals under the
            content security policy, uncaught exceptions.

    Args:
        hosts: further host names that mean 127.0.0.1 here.

    """

    def __init__(self, *, hosts: tuple[str, ...] = ()) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = 0
        self._answers: dict[int, Record] = {}
        self._loaded = 0
        self._buffer = b""
        self._hosts = hosts

    def _start(self, program: str) -> None:
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours, theirs = os.pipe(), os.pipe()
        self._to, self._from = ours[1], theirs[0]
        named = ", ".join(f"MAP {host} 127.0.0.1" for host in self._hosts)
        rules = f"{named}, " if named else ""
        rules += "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        command = [
            program,
            "--headless",
            "--no-sandbox",  # Tests may run as root, in a container.
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
            "--hide-scrollbars",
            f"--user-data-dir={self._home.name}",
            f"--host-resolver-rules={rules}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        descriptors = [str(ours[0]), str(theirs[1])]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_3_AND_4, *descriptors, *command],
            pass_fds=(ours[0], theirs[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        pages: list[str] = []
        end = time.monotonic() + PATIENCE
        while not pages and time.monotonic() < end:
            targets = self._call("Target.getTargets", session=None)["targetInfos"]
            pages = [t["targetId"] for t in targets if t["type"] == "page"]
        self._session = self._call(
            "Target.attachToTarget", session=None, targetId=pages[0], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.size(1280, 900)

    # The protocol.

    def call(self, method: str, **parameters: object) -> Record:
        """Call a method of the browser's protocol for the page."""
        return self._call(method, session=self._session, **parameters)

    def _call(
        self, method: str, *, session: str | None, **parameters: object
    ) -> Record:
        self._number += 1
        number = self._number
        told: Record = {"id": number, "method": method, "params": parameters}
        if session is not None:
            told["sessionId"] = session
        os.write(self._to, json.dumps(told).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while number not in self._answers:
            self._hear(end)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(answer["error"]["message"])
        result: Record = answer["result"]
        return result

    def _hear(self, end: float) -> None:
        readable, _, _ = select.select(
            [self._from], [], [], max(0, end - time.monotonic())
        )
        piece = os.read(self._from, 1 << 20) if readable else b""
        if not piece:
            raise BrowserError("the browser says nothing")
        *messages, self._buffer = (self._buffer + piece).split(b"\0")
        for message in messages:
            self._take(json.loads(message))

    def _take(self, message: Record) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        told = message["params"]
        match message["method"]:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Page.loadEventFired":
                self._loaded += 1
            case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(told["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning"}:
                self.complaints.append(json.dumps(told["args"]))

    # What tests do.

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        """Give the window a size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def scheme(self, name: str) -> None:
        """Prefer ``light`` or ``dark``."""
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": name}],
        )

    def open(self, url: str) -> None:
        """Go to an address and wait until it has loaded."""
        before = self._loaded
        self.call("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE
        while self._loaded == before:
            self._hear(end)

    def run(self, script: str) -> Any:
        """Return what a script's last expression is, promises awaited."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise BrowserError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until a script's last expression is true, and return it."""
        end = time.monotonic() + PATIENCE
        while not (found := self.run(script)):
            if time.monotonic() > end:
                raise BrowserError(f"never true: {script}\n{self.text()}")
            time.sleep(0.05)
        return found

    def text(self) -> str:
        """Return the visible text."""
        return str(self.run("document.body.innerText"))

    def press(self, key: str) -> None:
        """Press and release a key of the keyboard."""
        codes = {"Tab": 9, "Enter": 13}
        more = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
                **(more if kind == "keyDown" else {}),
            )

    def picture(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the window, or of the whole page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(found["data"])

    def __enter__(self) -> Self:
        program = find()
        if program is None:
            raise BrowserError("there is no Chromium here")
        try:
            self._start(program)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()
