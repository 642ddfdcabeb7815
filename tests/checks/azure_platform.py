"""The Azure stand-ins with a LiteLLM behind them, told as data: the real gateway executes whatever policy a test deploys."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from genai_platform.checks.azure_platform import AzurePlatform
from genai_platform.checks.platform import Platform
from genai_platform.config.endpoints import AwsEndpoints, AzureEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.render.policy import PolicyValues, render_policy
from genai_platform.sandbox import ca
from genai_platform.sandbox.azure import server
from genai_platform.sandbox.azure.control_routes import PATH, secret_file
from genai_platform.sandbox.azure.roles import SECRETS_USER
from genai_platform.sandbox.azure.state import open_state
from genai_platform.sandbox.azure.tenancy import TENANT
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure.callers.caller import Client
from genai_platform.tools.litellm.client import Litellm
from tests.checks.platform import PlatformWorld

API, CALLER = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
PROBES = {"role": "cccccccc-0000-4000-8000-000000000003", "key": "dddddddd-0000-4000-8000-000000000004"}
OWN, MASTER = "sk-the-callers-own-virtual-key", "sk-master-of-everything-here"
SERVICE, VAULT = "genai-test", "genai-test-vault"
ROUTES = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/models"),
)
_BASE = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/{SERVICE}"
_HEADERS = ("x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key", "x-litellm-key")


class Model:
    """LiteLLM as the gateway and the checks need it: keys, models, a chat, its books."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.logs: list[dict[str, Any]] = []
        self.pieces = ["東", "京", "です"]
        self.gap = 0.05
        self.delay = 0.0
        """Seconds before an answer begins."""
        self.booked_on: str | None = None

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.handle, methods=["GET", "POST"])])

    async def handle(self, request: Request) -> Response:
        given = next((request.headers[name] for name in _HEADERS if name in request.headers), None)
        key = given or request.headers.get("authorization", "").removeprefix("Bearer ")
        if key != MASTER and key not in self.keys:
            return JSONResponse({"error": {"message": "Authentication Error"}}, 401)
        models = ["chat-a", "chat-b"] if key == MASTER else self.keys[key]["models"]
        match request.url.path:
            case "/v1/models":
                return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in models]})
            case "/v1/chat/completions":
                await asyncio.sleep(self.delay)
                return self._chat(key, json.loads(await request.body()))
            case "/key/generate" if key == MASTER:
                body = json.loads(await request.body())
                made = f"sk-{hashlib.sha256(body['key_alias'].encode()).hexdigest()}"
                self.keys[made] = {"alias": body["key_alias"], "models": body["models"], "spend": 0.0}
                return JSONResponse({"key": made})
            case "/key/delete" if key == MASTER:
                gone = json.loads(await request.body())["key_aliases"]
                self.keys = {key: entry for key, entry in self.keys.items() if entry["alias"] not in gone}
                return JSONResponse({"deleted_keys": gone})
            case "/spend/logs" if key == MASTER:
                return JSONResponse([entry for entry in self.logs if entry["request_id"] == request.query_params["request_id"]])
            case "/key/info" if key == MASTER:
                entry = next(entry for key, entry in self.keys.items() if _hash(key) == request.query_params["key"])
                return JSONResponse({"info": {"key_alias": entry["alias"], "spend": entry["spend"]}})
            case "/key/generate" | "/key/delete":
                return JSONResponse({"error": {"message": "only the master key"}}, 403)
        return JSONResponse({"detail": "Not Found"}, 404)

    def _chat(self, key: str, body: dict[str, Any]) -> Response:
        id = f"chatcmpl-{len(self.logs)}"
        self.logs.append({"request_id": id, "api_key": _hash(self.booked_on or key), "spend": 0.001})
        if key in self.keys:
            self.keys[key]["spend"] += 0.001
        common = {"id": id, "model": body["model"], "created": 1}
        if body.get("stream"):
            return StreamingResponse(self._events(common), media_type="text/event-stream")
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "".join(self.pieces)}}
        return JSONResponse(
            {**common, "object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
        )

    async def _events(self, common: dict[str, Any]) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            document = {**common, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": piece}}]}
            yield f"data: {json.dumps(document)}\n\n".encode()
            await asyncio.sleep(self.gap)
        yield b"data: [DONE]\n\n"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class AzurePlatformWorld:
    """Stand-ins on loopback ports. Start once, ``reset`` before each test, break one thing, look."""

    def __init__(self, folder: Path) -> None:
        self.layout = SandboxLayout.create(folder, "sandbox", pace=1e-6)
        ca.authority(self.layout)
        self.state = open_state(self.layout)
        self.model = Model()
        self.kube = PlatformWorld()
        applications = server.applications(self.state)
        self._servers = [server._server(self.layout, port, app) for port, app in applications.items()]
        certificate, key = ca.issue(self.layout, ["localhost"])
        behind = uvicorn.Config(
            self.model.app(), host="127.0.0.1", port=self.layout.ports["litellm"], ssl_certfile=str(certificate), ssl_keyfile=str(key),
            log_level="warning", lifespan="off",
        )  # fmt: skip
        self._servers.append(uvicorn.Server(behind))
        self._thread = threading.Thread(target=lambda: asyncio.run(server._run(self._servers)), daemon=True)

    def start(self) -> None:
        self._thread.start()
        while not all(one.started for one in self._servers):
            time.sleep(0.02)

    def stop(self) -> None:
        for one in self._servers:
            one.should_exit = one.force_exit = True
        self._thread.join(10)
        self.state.store.close()

    @property
    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.layout.ca_file))

    @property
    def policy(self) -> str:
        values = PolicyValues(
            "test", self.state.authority, TENANT, API, VAULT, f"https://{VAULT}.vault.localhost:{self.layout.ports['vault']}", "behind"
        )  # fmt: skip
        return render_policy(values)

    def reset(self) -> None:
        """Everything as it should be."""
        store = self.state.store
        self.check_applications = True
        self.model.__init__()  # type: ignore[misc]
        self.model.keys[OWN] = {"alias": f"{CALLER}.1", "models": ["chat-a"], "spend": 0.0}
        roles = [{"id": "role-1", "value": "Genai.Call", "isEnabled": True}, {"id": "role-2", "value": "Genai.Probe", "isEnabled": True}]
        store.put("applications", "o-api", {"appId": API, "identifierUris": [f"api://{API}"], "appRoles": roles, "secrets": []})
        secret = {"value": "client-secret-1", "from": 0, "until": time.time() + 3600}
        store.put("applications", "o-caller", {"appId": CALLER, "identifierUris": [], "appRoles": [], "secrets": [secret]})
        store.put("servicePrincipals", "p-api", {"id": "p-api", "appId": API, "appRoleAssignmentRequired": True})
        store.put("servicePrincipals", "p-caller", {"id": "p-caller", "appId": CALLER})
        store.put("appRoleAssignments", "p-api/1", {"appRoleId": "role-1", "principalId": "p-caller"})
        for name, app in PROBES.items():
            own = {"id": f"own-{name}", "value": "Genai.Call", "isEnabled": True}
            uris = {"identifierUris": [f"api://{app}"], "appRoles": [own]}
            store.put("appRoleAssignments", f"p-{name}/1", {"appRoleId": own["id"], "principalId": f"p-{name}"})
            store.put("applications", f"o-{name}", {"appId": app, **uris, "secrets": [{**secret, "value": f"{name}-secret"}]})
            store.put("servicePrincipals", f"p-{name}", {"id": f"p-{name}", "appId": app})
            store.put(
                "appRoleAssignments", f"p-api/{name}", {"appRoleId": f"role-{2 if name == 'role' else 1}", "principalId": f"p-{name}"}
            )
        store.put("vaults", VAULT, {"id": f"/vaults/{VAULT}", "name": VAULT})
        store.put("roleAssignments", "1", {"scope": f"/vaults/{VAULT}", "principalId": "gateway", "roleId": SECRETS_USER, "effectiveAt": 0})
        self.store_key(OWN)
        store.put("services", SERVICE, {"id": _BASE, "name": SERVICE})
        self._arm(_BASE, "service", {}, identity={"principalId": "gateway"})
        self.put_backend(f"https://localhost:{self.layout.ports['litellm']}")
        self.put_api(subscriptionKeyParameterNames={"header": "x-unused"})
        for method, template in ROUTES:
            self.put_operation(method, template)
        store.delete("arm", f"{_BASE}/apis/a/operations/post-any")
        self.deploy(self.policy)

    def _arm(self, id: str, kind: str, properties: dict[str, Any], **more: Any) -> None:
        name = id.rsplit("/", 1)[-1]
        body = {"id": id, "name": name, "type": f"Microsoft.ApiManagement/{kind}", "properties": properties, **more}
        self.state.store.put("arm", id, body)

    def put_backend(self, url: str) -> None:
        self._arm(f"{_BASE}/backends/behind", "service/backends", {"url": url})

    def put_api(self, **properties: Any) -> None:
        self._arm(f"{_BASE}/apis/a", "service/apis", {"path": "genai", "subscriptionRequired": False, **properties})

    def put_operation(self, method: str, template: str) -> None:
        name = f"{method}-{template.strip('/').replace('/', '-').replace('*', 'any')}".lower()
        self._arm(f"{_BASE}/apis/a/operations/{name}", "service/apis/operations", {"method": method, "urlTemplate": template})

    def deploy(self, policy: str) -> None:
        self._arm(f"{_BASE}/apis/a/policies/policy", "service/apis/policies", {"value": policy})

    def weaken(self, old: str, new: str = "") -> None:
        """Deploy the policy with one passage changed."""
        assert old in self.policy
        self.deploy(self.policy.replace(old, new, 1))

    def store_key(self, value: str) -> None:
        version = {
            "name": f"litellm-{CALLER}",
            "version": "1",
            "value": value,
            "tags": {},
            "contentType": None,
            "attributes": {"enabled": True},
        }
        self.state.store.put("secrets", f"{VAULT}/litellm-{CALLER}", {"versions": [version]})

    # -- what the checks are given ------------------------------------------------------------------
    @property
    def target(self) -> Target:
        model = {"azure_deployment": "d", "api_base": "https://a.example"}
        settings = Settings.model_validate(
            {
                "litellm": {"models": [{"name": "chat-a", **model}, {"name": "chat-b", **model}]},
                "azure": {"enabled": True, "tenant_id": TENANT, "callers": {"team-a": {"models": ["chat-a"]}}},
            }
        )
        azure = AzureEndpoints(
            authority=self.state.authority, control=f"{self.state.authority}{PATH}", control_secret_file=secret_file(self.layout)
        )  # fmt: skip
        elsewhere = AwsEndpoints(url="http://127.0.0.1:1")
        return Target("test", settings, Endpoints(aws=elsewhere, azure=azure, ca_bundle=self.layout.ca_file), self.layout.root / "state")

    @property
    def client(self) -> Client:
        gateway = f"https://{SERVICE}.azure-api.localhost:{self.layout.ports['gateway']}/genai"
        return Client("team-a", TENANT, CALLER, f"api://{API}/.default", self.state.authority, gateway, SecretStr("client-secret-1"))

    # what checks ask of the clients and of the inventory
    def caller(self) -> Client | None:
        return self.client

    def check_application(self, name: str) -> Client | None:
        return replace(self.client, client_id=PROBES[name], secret=SecretStr(f"{name}-secret")) if self.check_applications else None

    def stored_key(self, client_id: str) -> SecretStr | None:
        secret = self.state.store.get("secrets", f"{VAULT}/litellm-{client_id}")
        return SecretStr(secret["versions"][-1]["value"]) if secret else None

    def view(self, *, real: bool = False) -> AzurePlatform:
        """``real``: as on the public clouds, without a probe door."""
        inventory = _Inventory(self)
        azure = Platform(self, lambda: inventory)  # type: ignore[arg-type]
        http = httpx.Client(base_url=f"https://localhost:{self.layout.ports['litellm']}", verify=self.trusted, trust_env=False)
        azure._kept["litellm"] = Litellm(http, SecretStr(MASTER))
        return AzurePlatform(azure, (lambda: None) if real else None)


class _Inventory:
    def __init__(self, platform: AzurePlatformWorld) -> None:
        self.caller, self.stored_key, self.check_application = platform.caller, platform.stored_key, platform.check_application
        self._platform = platform

    def policy(self) -> str:
        held = self._platform.state.store.get("arm", f"{_BASE}/apis/a/policies/policy")
        assert held is not None
        return str(held["properties"]["value"])
