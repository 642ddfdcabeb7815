"""What was asked of the Azure stand-ins, and whether it would have changed anything in the subscription or the directory."""

from __future__ import annotations

import itertools
import re
from collections import deque
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_READING = re.compile(
    r"/(token|devicecode|checknameavailability|listsecrets|listkeys|listvalue|checkdomainavailability|getbyids|getmemberobjects|getmembergroups|resources)$",
    re.IGNORECASE,
)
"""Questions that are asked with POST."""


class Requests:
    """The last requests of all ports but the gateway's, whose callers change nothing in Azure."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._held: deque[dict[str, Any]] = deque(maxlen=20_000)

    def over(self, port: str, application: ASGIApp) -> ASGIApp:
        """The application of a port, with its requests written down."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and not scope["path"].startswith("/_sandbox/"):
                method, path = scope["method"], scope["path"]
                writing = method not in ("GET", "HEAD", "OPTIONS") and not (method == "POST" and _READING.search(path))
                self._held.append({"number": next(self._numbers), "service": port, "method": method, "path": path, "writing": writing})
            await application(scope, receive, send)

        return watched

    async def show(self, request: Request) -> Response:
        """``GET /_sandbox/requests?since=NUMBER``: those after that one."""
        since = int(request.query_params.get("since", "0"))
        return JSONResponse([entry for entry in tuple(self._held) if entry["number"] > since])
