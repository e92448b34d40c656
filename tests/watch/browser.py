"""A headless Chromium for tests, driven over a pipe by its DevTools protocol.

The protocol: JSON objects that end with a zero byte; commands go to the browser's file descriptor
3, answers and events come from 4 (chromedevtools.github.io/devtools-protocol).
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

PATIENCE_S = 30.0

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_START = "import os, sys; os.dup2({0}, 3); os.dup2({1}, 4); os.execv(sys.argv[1], sys.argv[1:])"
_HIGH = fcntl.F_DUPFD_CLOEXEC
_KEY_CODES = {" ": "Space"}


def find_chromium() -> str | None:
    """The program, where there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """A Chromium that runs from entering the block to leaving it."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._ids = itertools.count(1)
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        self._folder = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        ours, theirs = _pipe(), _pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _START.format(ours[0], theirs[1]), self._program),
                *(*_SWITCHES, f"--user-data-dir={self._folder.name}", "about:blank"),
            ],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = ours[1], theirs[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.call("Browser.close")
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._write)
            os.close(self._read)
            self._folder.cleanup()

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command and give its result; what comes before it is kept in `events`."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']['message']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], PATIENCE_S)
            assert ready, "the browser does not answer"
            piece = os.read(self._read, 1 << 20)
            assert piece, "the browser ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, url: str, size: tuple[int, int] = (1280, 800)) -> Tab:
        """Open a page in a tab of its own, (width, height) pixels large."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.resize(*size)
        tab.go(url)
        return tab


class Tab:
    """A page in a browser."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session
        self._call("Log.enable")
        self._call("Runtime.enable")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def go(self, url: str) -> None:
        """Load another page, up to the end of its text; pictures may still be on their way."""
        self._call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState !== 'loading'")

    def resize(self, width: int, height: int) -> None:
        """Give the page another size, in pixels."""
        settings = {"deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, **settings)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, or of the promise that it gives."""
        settings = {"returnByValue": True, "awaitPromise": True}
        answer = self._call("Runtime.evaluate", expression=script, **settings)
        assert "exceptionDetails" not in answer, f"{script}: {answer['result']}"
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait for an expression to come true; its value."""
        end = time.monotonic() + PATIENCE_S
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, f"it did not come true in time: {script}"
            time.sleep(0.05)
        return value

    def press(self, key: str) -> None:
        """Press a key: a letter, or a space."""
        typed = {"key": key, "text": key, "code": _KEY_CODES.get(key, f"Key{key.upper()}")}
        self._call("Input.dispatchKeyEvent", type="keyDown", **typed)
        self._call("Input.dispatchKeyEvent", type="keyUp", **typed)

    def click(self, selector: str) -> None:
        """Click with the mouse into the middle of an element."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        how = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self._call("Input.dispatchMouseEvent", type="mousePressed", **how)
        self._call("Input.dispatchMouseEvent", type="mouseReleased", **how)

    def text(self, selector: str) -> str:
        """The text that an element shows."""
        shown = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return str(shown)

    def screenshot(self, path: Path | None = None) -> Image.Image:
        """What is to be seen, as RGB; written to `path` as a PNG where it is given."""
        data = base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])
        if path:
            path.write_bytes(data)
        return Image.open(BytesIO(data)).convert("RGB")

    def complaints(self) -> list[str]:
        """Errors of scripts, and whatever else the browser told the page's developer."""
        self.evaluate("0")
        told = [e for e in self._browser.events if e.get("sessionId") == self._session]
        kinds = {"Log.entryAdded": "entry", "Runtime.exceptionThrown": "exceptionDetails"}
        return [str(e["params"][kinds[e["method"]]]) for e in told if e["method"] in kinds]

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)


def _pipe() -> tuple[int, int]:
    """A pipe (to read, to write) whose numbers are not those that the browser takes."""
    read, write = os.pipe()
    high = fcntl.fcntl(read, _HIGH, 10), fcntl.fcntl(write, _HIGH, 10)
    os.close(read)
    os.close(write)
    return high
