"""Images for the node agent's tests: whatever the container's command says, run by this Python or a shell; and a web server."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from genai_platform.sandbox.image import Container, Image
from genai_platform.sandbox.layout import SandboxLayout


def _argv(layout: SandboxLayout, container: Container) -> list[str]:
    if container.command:
        return [*container.command, *container.args]
    return [sys.executable, "-m", "http.server", "--bind", container.address, *container.args]


def _variables(layout: SandboxLayout, container: Container) -> Mapping[str, str]:
    return {"ADDRESS": container.address, "PYTHONUNBUFFERED": "1"}


SERVER = """
import os, uvicorn

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

keep = int(os.environ.get("KEEPALIVE_TIMEOUT", "5"))
uvicorn.run(app, host=os.environ["ADDRESS"], port=4000, lifespan="off", timeout_keep_alive=keep, access_log=False)
"""
"""Stands and falls as LiteLLM's proxy does, without its 40 seconds of imports: the same server, told the same by the same variable."""


def _server(layout: SandboxLayout, container: Container) -> list[str]:
    return [sys.executable, "-c", SERVER]


IMAGES = (
    Image("tests/python", "stand-in", "3", _argv, _variables),
    Image("tests/server", "stand-in", "1", _server, _variables),
)
