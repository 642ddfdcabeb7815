"""LiteLLM's own objects, rolled under load behind the load balancer: real controllers, the node agent, real sockets."""

from __future__ import annotations

import asyncio
import copy
import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from genai_platform.config.settings import Settings
from genai_platform.render import litellm, manifests
from genai_platform.render.outputs import DataOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.sandbox import supervisor
from genai_platform.sandbox.aws.part import Aws
from genai_platform.sandbox.cluster import crds
from genai_platform.sandbox.cluster.agent.part import NodeAgent
from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.cluster.control_plane import ADMIN, API, ETCD, MANAGER
from genai_platform.sandbox.cluster.images import EXTRA
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.load_balancer.listeners import Listeners
from genai_platform.sandbox.load_balancer.routes import groups
from genai_platform.sandbox.load_balancer.watch import Mirror
from genai_platform.sandbox.pace import Pace
from genai_platform.sandbox.parts import PartSpec
from tests.ports import free_port

PACE = Pace(0.1)
"""Of the load balancer, and of what the pods wait for it: both are as much shorter."""
DATA = DataOutputs(
    postgres_cluster_id="c", postgres_host="db", postgres_port=5432, postgres_admin="a", redis_replication_group_id="r",
    redis_host="redis", redis_port=6379,
)  # fmt: skip
SECRETS = PlatformSecrets(upstream_keys={"AZURE_API_KEY": SecretStr("upstream-key-1")})
MODELS = [{"name": "m", "azure_deployment": "m", "api_base": "https://a.example"}]


class AgentWithServer(NodeAgent):
    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        return {EXTRA: "images_for_tests", "PYTHONPATH": str(Path(__file__).parents[1] / "cluster")}


PLAN = [
    PartSpec(Aws()),
    PartSpec(ETCD),
    PartSpec(API, ("etcd",)),
    PartSpec(MANAGER, ("kube-apiserver",)),
    PartSpec(AgentWithServer(), ("kube-apiserver", "kube-controller-manager")),
]


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    made = SandboxLayout.create(tmp_path_factory.mktemp("rolling") / "world", "sandbox", "eu-west-1")
    try:
        supervisor.start(made, Quiet(), PLAN)
        with Api.connect(made, ADMIN) as api:
            crds.install(api)
        yield made
    finally:
        supervisor.stop(made, PLAN)


def kubectl(layout: SandboxLayout, *arguments: str, documents: list[dict[str, Any]] | None = None) -> str:
    text = None if documents is None else json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    command = ["kubectl", "--kubeconfig", str(layout.kubeconfig), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def platform(port: int) -> list[dict[str, Any]]:
    """The product's objects, with a server that starts at once."""
    settings = Settings.model_validate(
        {
            "ingress": {"tls": "none", "litellm_port": port},
            "litellm": {"replicas": 2, "image": "registry.example.com/tests/server:1", "models": MODELS},
        }
    )
    return [
        *manifests.namespace(1),
        *manifests.ingress_class("genai", []),
        *litellm.config(settings, DATA, "arn:aws:iam::123456789012:role/litellm", SECRETS),
        *litellm.ingress(settings, ("127.0.0.0/8",)),
        *(scaled(one) for one in litellm.proxy(settings, DATA, "arn:aws:iam::123456789012:role/litellm", SECRETS)),
    ]


def scaled(document: dict[str, Any]) -> dict[str, Any]:
    """What a Deployment waits for the load balancer, at the load balancer's pace."""
    made = copy.deepcopy(document)
    if made["kind"] == "Deployment":
        (container,) = made["spec"]["template"]["spec"]["containers"]
        if "minReadySeconds" in made["spec"]:
            made["spec"]["minReadySeconds"] = round(made["spec"]["minReadySeconds"] * PACE.factor)
        if "lifecycle" in container:
            sleep = container["lifecycle"]["preStop"]["sleep"]
            sleep["seconds"] = round(sleep["seconds"] * PACE.factor)
        for probe in ("startupProbe", "readinessProbe"):
            container[probe]["periodSeconds"] = 1
    return made


async def balance(mirror: Mirror, listeners: Listeners) -> None:
    """What the load balancer's process does, but for the cloud's side."""
    while True:
        await mirror.changed.wait()
        mirror.changed.clear()
        if mirror.complete:
            await listeners.set([listener for group in groups(mirror.cluster())[0] for listener in group.listeners])


async def load(http: httpx.AsyncClient, url: str, stop: asyncio.Event) -> Counter[str]:
    """Twenty requests a second; what came of them."""
    seen: Counter[str] = Counter()

    async def one(number: int) -> None:
        try:
            method, path = ("POST", "v1/chat/completions") if number % 2 else ("GET", "v1/models")
            seen[str((await http.request(method, f"{url}{path}", content=b"{}")).status_code)] += 1
        except httpx.HTTPError as error:
            seen[type(error).__name__] += 1

    tasks = []
    while not stop.is_set():
        tasks.append(asyncio.create_task(one(len(tasks))))
        await asyncio.sleep(0.05)
    await asyncio.gather(*tasks)
    return seen


def test_no_request_is_lost_while_litellm_is_rolled(layout: SandboxLayout) -> None:
    async def scenario() -> None:
        port = free_port()
        documents = platform(port)
        mirror = Mirror(Api.connect(layout, ADMIN))
        mirror.start()
        listeners = Listeners(lambda arn: 1 / 0, layout.loopback, pace=PACE)
        balancing = asyncio.create_task(balance(mirror, listeners))
        url = f"http://127.0.0.1:{port}/"
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
                await asyncio.to_thread(kubectl, layout, "apply", "-f", "-", documents=documents)
                await asyncio.to_thread(rolled_out, layout)
                while (await http.get(url)).status_code != 200:
                    await asyncio.sleep(0.05)
                before = pods(layout)
                stop = asyncio.Event()
                loading = asyncio.create_task(load(http, url, stop))
                await asyncio.to_thread(kubectl, layout, "-n", "genai-platform", "rollout", "restart", "deployment/litellm")
                await asyncio.to_thread(rolled_out, layout)
                await asyncio.to_thread(kubectl, layout, "-n", "genai-platform", "wait", *sorted(before), "--for=delete", "--timeout=60s")
                stop.set()
                seen = await loading
                assert not before & pods(layout)
                assert set(seen) == {"200"}, seen
        finally:
            balancing.cancel()
            mirror.end()
            await listeners.close()

    asyncio.run(scenario())


def rolled_out(layout: SandboxLayout) -> None:
    kubectl(layout, "-n", "genai-platform", "rollout", "status", "deployment/litellm", "--timeout=90s")


def pods(layout: SandboxLayout) -> set[str]:
    found = json.loads(kubectl(layout, "-n", "genai-platform", "get", "pods", "-l", "app.kubernetes.io/name=litellm", "-o", "json"))[
        "items"
    ]
    return {f"pod/{one['metadata']['name']}" for one in found if not one["metadata"].get("deletionTimestamp")}
