"""A door for checks: tokens with any claims, signed by the sandbox's Entra ID, and secrets that cannot be read for a while.

Entra ID never signs an expired token or one of another tenant, and no vault fails on demand; the checks of what the
gateway must refuse need all three. The door asks for a secret of its own.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure.entra import Entra
from genai_platform.sandbox.azure.world import World
from genai_platform.sandbox.place import Place

PATH = "/_sandbox/probe"
_LONGEST = 120.0


def secret_file(place: Place) -> Path:
    """Where the door's secret lies (0600), made when missing."""
    file = place.folder("azure") / "probe"
    with place.lock("probe"):
        if not file.exists():
            with os.fdopen(os.open(file.with_suffix(".new"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as opened:
                opened.write(secrets.token_urlsafe(32))
            file.with_suffix(".new").replace(file)
    return file


class Probe:
    """``POST …/token {claims}`` and ``POST …/unreachable {secret, seconds}``, both with the door's own bearer secret."""

    def __init__(self, world: World, entra: Entra) -> None:
        self._entra = entra
        self._secret = secret_file(world.place).read_text().strip()
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def routes(self) -> list[Route]:
        return [
            Route(f"{PATH}/token", self._token, methods=["POST"]),
            Route(f"{PATH}/unreachable", self._fail, methods=["POST"]),
        ]

    def unreachable(self, name: str) -> bool:
        """Whether a secret cannot be read now."""
        with self._lock:
            return self._until.get(name, 0.0) > time.monotonic()

    async def _token(self, request: Request) -> Response:
        body = await self._asked(request)
        if body is None:
            return JSONResponse({"error": "not allowed"}, 403)
        return JSONResponse({"access_token": self._entra.sign(dict(body.get("claims") or {}))})

    async def _fail(self, request: Request) -> Response:
        body = await self._asked(request)
        if body is None:
            return JSONResponse({"error": "not allowed"}, 403)
        seconds = min(float(body.get("seconds", 0)), _LONGEST)
        with self._lock:
            self._until[str(body["secret"])] = time.monotonic() + seconds
        return JSONResponse({"seconds": seconds})

    async def _asked(self, request: Request) -> dict[str, Any] | None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            return None
        body: dict[str, Any] = json.loads(await request.body() or b"{}")
        return body
