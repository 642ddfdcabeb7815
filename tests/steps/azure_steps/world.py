"""A world for the Azure steps: the stand-ins in a process of their own, LiteLLM, AWS and Kubernetes in memory."""

from __future__ import annotations

import hashlib
import itertools
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
from pydantic import SecretStr

from genai_platform.config.endpoints import AwsEndpoints, AzureEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import NeverBuilt
from genai_platform.render.outputs import ClusterOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.sandbox.azure import arm_providers, control_address
from genai_platform.sandbox.azure.part import PART
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION, TENANT
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure import steps
from genai_platform.steps.azure.resource_providers import NAMESPACES
from genai_platform.steps.clients import Clients
from genai_platform.tools.kubernetes.client import ClusterAbsent
from genai_platform.tools.litellm.keys import KeyAdmin

_numbers = itertools.count(1)
PACE = 0.0003
"""An assigned role takes effect after 0.1 s."""


@contextmanager
def running(root: Path) -> Iterator[SandboxLayout]:
    """The stand-ins of one sandbox."""
    layout = SandboxLayout.create(root, "sandbox", pace=PACE)
    PART.prepare(layout)
    process = subprocess.Popen(PART.argv(layout))
    try:
        while not PART.ready(layout):
            assert process.poll() is None
            time.sleep(0.05)
        yield layout
    finally:
        process.kill()  # nobody reads its world again; a server that is asked to end waits for its clients
        process.wait(10)


def registered(layout: SandboxLayout) -> None:
    """The first subscription has been in use for a while: its resource providers are registered."""
    opened = Store(layout.root / "azure" / "world.sqlite")
    for namespace in NAMESPACES:
        arm_providers.register(opened, SUBSCRIPTION, namespace)
    opened.close()


class Quiet:
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None:
        return


class SecretsManager:
    """AWS Secrets Manager, as far as documents need it."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.writes = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        if SecretId not in self.documents:
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": self.documents[SecretId]}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        self.get_secret_value(SecretId)
        assert len(SecretString) <= 65536
        self.documents[SecretId] = SecretString
        self.writes += 1

    def create_secret(self, Name: str, SecretString: str, **more: Any) -> None:
        self.documents[Name] = SecretString
        self.writes += 1

    def delete_secret(self, SecretId: str, **more: Any) -> None:
        del self.documents[SecretId]


class FakeAws:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.secrets = SecretsManager()
        self.platform: PlatformSecrets | None = None

    def client(self, name: str) -> SecretsManager:
        assert name == "secretsmanager"
        return self.secrets

    def platform_secrets(self) -> PlatformSecrets | None:
        return self.platform

    def update_secrets(self, change: Callable[[PlatformSecrets | None], PlatformSecrets]) -> bool:
        self.platform = change(self.platform)
        return True


class FakeKube:
    """Ingresses in memory; each has an address at once. And how many pods of LiteLLM's deployment are ready."""

    ready = 1

    def __init__(self) -> None:
        self.there = True
        self.ingresses: dict[str, dict[str, Any]] = {"litellm": {"metadata": {"name": "litellm"}, "spec": {"ingressClassName": "alb"}}}
        self.ingresses["langfuse"] = {"metadata": {"name": "langfuse"}, "spec": {"ingressClassName": "alb"}}

    def exists(self) -> bool:
        return self.there

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        if not self.there:
            raise ClusterAbsent("the cluster does not exist")
        if kind == "Deployment":
            return {"metadata": {"name": name}, "status": {"readyReplicas": self.ready} if self.ready else {}}
        found = self.ingresses.get(name)
        return {**found, "status": {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}} if found else None

    def list(self, *ref: Any, **more: Any) -> list[dict[str, Any]]:
        return list(self.ingresses.values())

    def apply(self, document: dict[str, Any]) -> None:
        self.ingresses[document["metadata"]["name"]] = document

    def differs(self, document: dict[str, Any]) -> list[str] | None:
        found = self.ingresses.get(document["metadata"]["name"])
        return None if found is None else [] if found == document else ["spec"]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None, **more: Any) -> bool:
        return self.ingresses.pop(name, None) is not None

    def events(self, *ref: Any) -> list[dict[str, Any]]:
        return []


class FakeLitellm:
    """LiteLLM's users and keys in memory, answering as its proxy does."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.values: list[str] = []
        self.fail_after: int | None = None
        """Answer 500 to every change after so many of them: a way to be killed in the middle."""
        self.answers = threading.Event()
        """Requests wait until it is set."""
        self.answers.set()
        self._lock = threading.Lock()

    def admin(self) -> KeyAdmin:
        client = httpx.Client(base_url="https://litellm.test", transport=httpx.MockTransport(self._answer))
        return KeyAdmin(client, SecretStr("sk-master"))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.answers.wait(60)
        with self._lock:
            body = json.loads(request.content) if request.content else {}
            if request.method == "POST" and self.fail_after is not None:
                self.fail_after -= 1
                if self.fail_after < 0:
                    return httpx.Response(500, json={"error": {"message": "gone"}})
            return getattr(self, "_" + request.url.path.strip("/").replace("/", "_"))(body, request)

    def _user_list(self, body: Any, request: httpx.Request) -> httpx.Response:
        return self._page("users", list(self.users.values()), request, int(request.url.params["page_size"]))

    def _key_list(self, body: Any, request: httpx.Request) -> httpx.Response:
        return self._page("keys", list(self.keys.values()), request, int(request.url.params["size"]))

    @staticmethod
    def _page(name: str, entries: list[Any], request: httpx.Request, size: int) -> httpx.Response:
        page = int(request.url.params["page"])
        total = max(1, -(-len(entries) // size))
        return httpx.Response(200, json={name: entries[(page - 1) * size : page * size], "total_pages": total})

    def _user_new(self, body: Any, request: httpx.Request) -> httpx.Response:
        if body["user_id"] in self.users:
            return httpx.Response(409, json={"error": {"message": "User with id already exists"}})
        self.users[body["user_id"]] = {**body, "spend": 0.0}
        return httpx.Response(200, json={})

    def _user_update(self, body: Any, request: httpx.Request) -> httpx.Response:
        self.users[body["user_id"]] |= body
        return httpx.Response(200, json={})

    def _user_delete(self, body: Any, request: httpx.Request) -> httpx.Response:
        for id in body["user_ids"]:
            del self.users[id]
        return httpx.Response(200, json={})

    def _key_generate(self, body: Any, request: httpx.Request) -> httpx.Response:
        if any(key["key_alias"] == body["key_alias"] for key in self.keys.values()):
            return httpx.Response(400, json={"error": {"message": "Unique key aliases are required"}})
        value = f"sk-{next(_numbers):030d}"
        self.values.append(value)
        hash = hashlib.sha256(value.encode()).hexdigest()
        self.keys[hash] = {**body, "token": hash, "expires": _after(body.get("duration")), "blocked": None, "spend": 0.0}
        return httpx.Response(200, json={"key": value, "token_id": hash})

    def _key_update(self, body: Any, request: httpx.Request) -> httpx.Response:
        entry = self.keys[body["key"]]
        entry |= {name: value for name, value in body.items() if name != "key"}
        if "duration" in body:
            entry["expires"] = _after(body["duration"])
        return httpx.Response(200, json={})

    def _key_block(self, body: Any, request: httpx.Request) -> httpx.Response:
        self.keys[body["key"]]["blocked"] = True
        return httpx.Response(200, json={})

    def _key_delete(self, body: Any, request: httpx.Request) -> httpx.Response:
        for hash in body["keys"]:
            if hash not in self.keys:
                return httpx.Response(404, json={"error": {"message": "key not found"}})
            del self.keys[hash]
        return httpx.Response(200, json={})


def _after(duration: str | None) -> str | None:
    return (datetime.now(UTC) + timedelta(seconds=int(duration[:-1]))).isoformat() if duration else None


def ask(layout: SandboxLayout, what: str, **body: Any) -> dict[str, Any]:
    """The stand-ins' own door: what Azure does at its own time."""
    headers = {"Authorization": f"Bearer {control_address.secret_file(layout).read_text().strip()}"}
    url = f"https://localhost:{layout.ports['entra']}{control_address.PATH}/{what}"
    answer = httpx.post(url, json=body, headers=headers, verify=ssl.create_default_context(cafile=str(layout.ca_file)))
    return dict(answer.raise_for_status().json())


class _Clients(Clients):
    """Clients whose LiteLLM and secrets are the world's."""

    def __init__(self, world: AzureWorld) -> None:
        super().__init__(world.target, aws=cast(Any, world.aws), kube=cast(Any, world.kube))
        assert world.aws
        self._admin, self._stored, self._issuer = world.litellm.admin(), world.aws.platform or world.secrets, world.issuer

    def litellm_admin(self) -> KeyAdmin:
        return self._admin

    def secrets(self) -> PlatformSecrets:
        return self._stored or super().secrets()

    def cluster(self) -> ClusterOutputs:
        if self._issuer is None:
            raise NeverBuilt("the cluster was never made")
        arn = f"arn:aws:iam::111122223333:oidc-provider/{self._issuer.removeprefix('https://')}"
        names = dict.fromkeys(ClusterOutputs.model_fields, "")
        return ClusterOutputs(**{**names, "oidc_provider_arn": arn})


class AzureWorld:
    """One environment in the stand-ins, and everything else in memory.

    Args:
        subscription: another one than the first, as the door ``subscription`` made it.
    """

    def __init__(self, layout: SandboxLayout, environment: str, subscription: dict[str, Any] | None = None, **azure: Any) -> None:
        self.layout, self.environment = layout, environment
        self.litellm, self.kube = FakeLitellm(), FakeKube()
        self.subscription = subscription or {"subscription_id": SUBSCRIPTION, "tenant_id": TENANT}
        self._folder = layout.root / f"{environment}-{self.subscription['subscription_id'][:8]}"
        self._folder.mkdir(exist_ok=True)
        self._deployer = layout.root / "azure" / "deployer.json"
        if subscription:
            self._deployer = self._folder / "deployer.json"
            self._deployer.write_text(json.dumps(subscription))
        self.aws: FakeAws | None = None
        self.issuer: str | None = None
        """Of the cluster's service account tokens; None while there is no cluster."""
        self.models = [{"name": "gpt-4o-mini", "azure_deployment": "gpt-4o-mini", "api_base": "https://x.openai.azure.com"}]
        self.secrets: PlatformSecrets | None = PlatformSecrets()
        self.configure(**azure)

    def configure(self, people: dict[str, Any] | None = None, **azure: Any) -> Clients:
        """Other settings for the same world; new clients for them.

        Args:
            people: settings of signing in: ``sign_in`` and what is said in the tables ``litellm`` and ``langfuse``.
        """
        endpoints = Endpoints(
            aws=AwsEndpoints(url="http://127.0.0.1:1"),
            azure=AzureEndpoints(
                authority=f"https://localhost:{self.layout.ports['entra']}",
                arm=f"https://localhost:{self.layout.ports['arm']}",
                graph=f"https://localhost:{self.layout.ports['graph']}",
                vault_suffix=f"vault.localhost:{self.layout.ports['vault']}",
                gateway_suffix=f"azure-api.localhost:{self.layout.ports['gateway']}",
                client_id=json.loads(self._deployer.read_text())["client_id"],
                client_secret_file=self._deployer,
            ),
            ca_bundle=self.layout.ca_file,
        )
        common = {
            "enabled": True,
            "tenant_id": self.subscription["tenant_id"],
            "subscription_id": self.subscription["subscription_id"],
            "resource_group": f"group-{self.environment}",
            "auth": "service_principal",
            "callers": {"team-a": {"models": ["gpt-4o-mini"], "max_budget": 50, "budget_duration": "30d"}},
        }
        azure = {**azure, "apim": {"publisher_email": "a@example.com", **azure.get("apim", {})}}
        tools = {"litellm": {}, **(people or {})}
        tools["litellm"] = {"models": self.models, **tools["litellm"]}
        settings = Settings.model_validate({"azure": common | azure, "ingress": {"litellm_port": 8443, "langfuse_port": 8444}, **tools})
        self.target = Target(self.environment, settings, endpoints, self._folder)
        if self.aws is None:
            self.aws = FakeAws(self.target)
        self.aws.target = self.target
        return self.clients()

    def clients(self) -> Clients:
        """Fresh clients: nothing is remembered between two runs."""
        return _Clients(self)


@contextmanager
def store(world: AzureWorld) -> Iterator[Store]:
    opened = Store(world.layout.root / "azure" / "world.sqlite")
    try:
        yield opened
    finally:
        opened.close()


def up(world: AzureWorld) -> list[str]:
    """What was done, as the scheduler would do it."""
    done = []
    for step in steps(world.clients()):
        found = observe(step)
        assert found.state is not State.UNKNOWN, (step.id, found.evidence)
        if found.state is not State.PRESENT:
            step.apply(Quiet())
            done.append(step.id)
    return done


def down(world: AzureWorld) -> None:
    for step in reversed(steps(world.clients())):
        if observe(step).state is not State.ABSENT:
            step.destroy(Quiet())


def states(world: AzureWorld) -> set[State]:
    return {observe(step).state for step in steps(world.clients())}


def until(look: Callable[[], object]) -> None:
    """Wait for what Azure does at its own time."""
    for _ in range(600):
        if look():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within half a minute")
