"""A headless Chromium, driven by the Chrome DevTools Protocol: what a person sees, types and presses."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

_LIMIT = 120.0
"""Seconds for anything to show, on a machine that is busy with other things."""


class Browser:
    """One page. Each browser begins without cookies."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; None while the page is being exchanged."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer.get("result", {}).get("value")

    @property
    def address(self) -> str:
        return str(self.run("location.href") or "")

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return str(self.run("document.body ? document.body.innerText : ''") or "")

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Look until it gives something true. The page is in the failure."""
        deadline = time.monotonic() + _LIMIT
        while not (found := look()):
            assert time.monotonic() < deadline, f"{what}: not shown; at {self.address}: {self.text[:500]}"
            time.sleep(0.2)
        return found

    def shows(self, words: str) -> None:
        self.until(lambda: words in self.text, words)

    def press(self, words: str) -> None:
        """Press the button or link that is called so."""
        script = f"""(() => {{
            const called = [...document.querySelectorAll('button, a')].find(one => one.innerText.trim() === {json.dumps(words)});
            if (called) called.click();
            return Boolean(called);
        }})()"""
        self.until(lambda: self.run(script), f"a button '{words}'")

    def type(self, field: str, value: str) -> None:
        """Type into the field that a CSS selector names."""
        self.until(lambda: self.run(f"document.querySelector({json.dumps(field)}) !== null"), field)
        self.run(f"document.querySelector({json.dumps(field)}).focus()")
        self._call("Input.insertText", text=value)

    def picture(self, file: Path) -> None:
        """A screenshot as a PNG file."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_LIMIT))
            if answer.get("id") == number:
                return dict(answer.get("result") or {})


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A new browser with its profile in this folder. Certificates of the sandbox's authority are not in its store: none is checked."""
    command = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--ignore-certificate-errors", "--remote-debugging-port=0", f"--user-data-dir={folder}",
        "--window-size=1200,900", "about:blank")  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_page(folder / "DevToolsActivePort", process), max_size=None, proxy=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(30)


def _page(file: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the first page, once the browser says its port."""
    deadline = time.monotonic() + _LIMIT
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < deadline, "the browser says no port"
        time.sleep(0.1)
    pages = httpx.get(f"http://127.0.0.1:{file.read_text().split()[0]}/json/list", trust_env=False, timeout=_LIMIT).json()
    return str(next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page"))
