"""``genai`` at work in the background, and what is left running of a sandbox."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.end_to_end.conftest import GENAI, Platform, clean_environment, wait_until


@contextmanager
def started(platform: Platform, *words: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[str, str], None]]]:
    """``genai`` at work, and a way to wait until a step has come to a point."""
    events = platform.folder / "events.jsonl"
    events.unlink(missing_ok=True)
    process = subprocess.Popen(
        [str(GENAI), *words, "--sandbox", "--yes", "--plain", "--events", str(events)],
        cwd=platform.folder, env=clean_environment() | platform.extra, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # As a terminal starts it. What runs in the background of a script is told to ignore Ctrl-C, and would pass that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip

    def until(step: str, said: str) -> None:
        def reached() -> bool:
            assert process.poll() is None, f"it ended before:\n{process.stdout.read() if process.stdout else ''}"
            text = events.read_text() if events.exists() else ""
            return any(
                event.get("step") == step and said in json.dumps(event)
                for event in map(json.loads, text.splitlines(keepends=False)[: text.count("\n")])
            )

        wait_until(reached, f"{step}: {said}", limit=300, interval=0.1)

    try:
        yield process, until
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def processes_of(folder: Path) -> list[int]:
    """Everything that runs and says that it belongs to a sandbox in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.environ().get("GENAI_SANDBOX_PLACE", "") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def listening(network: int, ports: list[int]) -> list[Any]:
    """What listens on a sandbox's ports or in its own loopback network."""
    return [
        connection.laddr
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and (connection.laddr.port in ports or connection.laddr.ip.startswith(f"127.{network}."))
    ]
