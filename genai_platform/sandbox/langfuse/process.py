"""What both processes do alike: options, a log on standard error, a clear end when the start fails, serving."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from typing import TypeVar

import uvicorn
from starlette.applications import Starlette

from genai_platform.sandbox.langfuse.api import failure

T = TypeVar("T")
log = logging.getLogger("langfuse")


def arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(name)
    parser.add_argument("--layout", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--version", required=True)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {name} %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return parser.parse_args()


def must(what: str, act: Callable[[], T]) -> T:
    """Do it or end the process with exit code 1 and one clear line, so that the pod restarts as the real one does."""
    result: list[T] = []
    if fault := failure(lambda: result.append(act())):
        log.error("could not %s: %s", what, fault)
        sys.exit(1)
    return result[0]


def serve(app: Starlette, address: str, port: int) -> None:
    """Serve until SIGTERM. ``KEEP_ALIVE_TIMEOUT`` (milliseconds) is Next.js's own variable; Node's default is 5 seconds."""
    keep_alive = int(os.environ.get("KEEP_ALIVE_TIMEOUT") or 5000) // 1000
    uvicorn.run(app, host=address, port=port, log_level="warning", timeout_graceful_shutdown=3, timeout_keep_alive=keep_alive)
