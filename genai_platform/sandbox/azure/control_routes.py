"""Control routes for checks and tests: what Azure never does on demand, and a world with more in it than one subscription and one deployer.

Entra ID never signs an expired token or one of another tenant, no vault fails and no service throttles on demand. These routes
ask for a secret of their own.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.azure import tenancy
from genai_platform.sandbox.azure.control_address import PATH, secret_file
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.state import AzureState
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION, TENANT

_LONGEST = 120.0


class ControlRoutes:
    """All with their own bearer secret.

    ``POST …/token {claims}``: a token with them. ``POST …/unreachable {secret, seconds}``: a secret that cannot be read.
    ``POST …/throttle {service, requests, retry_after}``: answers 429. ``POST …/subscription {name, tenant?}``: a new one with a
    deployer of its own, by default in the first tenant. ``POST …/person {name, subscription?, directory_roles?}``: somebody
    who can sign in and build there. ``POST …/user {name, tenant?, groups?}``: somebody who can sign in and nothing else;
    one who is there stays as they are.
    """

    def __init__(self, azure: AzureState, entra: Entra) -> None:
        self._azure, self._entra = azure, entra
        self._secret = secret_file(azure.layout).read_text().strip()
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def routes(self) -> list[Route]:
        asked = {
            "token": self._token,
            "unreachable": self._fail,
            "throttle": self._slow_down,
            "subscription": self._subscription,
            "person": self._person,
            "user": self._user,
        }
        return [Route(f"{PATH}/{name}", self._guarded(handler), methods=["POST"]) for name, handler in asked.items()]

    def unreachable(self, name: str) -> bool:
        """Whether a secret cannot be read now."""
        with self._lock:
            return self._until.get(name, 0.0) > time.monotonic()

    def _token(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"access_token": self._entra.sign(dict(body.get("claims") or {}))}

    def _fail(self, body: dict[str, Any]) -> dict[str, Any]:
        seconds = min(float(body.get("seconds", 0)), _LONGEST)
        with self._lock:
            self._until[str(body["secret"])] = time.monotonic() + seconds
        return {"seconds": seconds}

    def _slow_down(self, body: dict[str, Any]) -> dict[str, Any]:
        self._azure.throttle.order(str(body["service"]), int(body["requests"]), float(body.get("retry_after", 1)))
        return {}

    def _subscription(self, body: dict[str, Any]) -> dict[str, Any]:
        store, name = self._azure.store, str(body["name"])
        subscription, tenant = str(uuid4()), str(body.get("tenant") or TENANT)
        client, secret = str(uuid4()), secrets.token_urlsafe(32)
        with store.exclusively():
            tenancy.add_subscription(store, subscription, tenant, name)
            tenancy.add_deployer(store, subscription, client, secret, f"{name} deployer")
        return {"subscription_id": subscription, "tenant_id": tenant, "client_id": client, "client_secret": secret}

    def _person(self, body: dict[str, Any]) -> dict[str, Any]:
        subscription, roles = str(body.get("subscription") or SUBSCRIPTION), list(body.get("directory_roles") or ())
        with self._azure.store.exclusively():
            return dict(tenancy.add_person(self._azure.store, subscription, str(body["name"]), roles))

    def _user(self, body: dict[str, Any]) -> dict[str, Any]:
        directory = self._azure.directory(str(body.get("tenant") or TENANT))
        with self._azure.store.exclusively():
            known = directory.find("users", "userPrincipalName", str(body["name"]))
            if known is not None:
                return {"object_id": known["id"], "username": known["userPrincipalName"], "password": known["password"]}
            return dict(tenancy.add_user(directory, str(body["name"]), list(body.get("groups") or ())))

    def _guarded(self, handler: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._secret.encode()):
                return JSONResponse({"error": "not allowed"}, 403)
            return JSONResponse(handler(json.loads(await request.body() or b"{}")))

        return answer
