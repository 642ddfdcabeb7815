"""A platform that works, told as data; tests break one thing in it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx

from genai_platform.checks.azure_inventory import Inventory
from genai_platform.checks.platform import Platform
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Chart, Settings
from genai_platform.config.settings import Langfuse as LangfuseSettings
from genai_platform.config.target import Target
from genai_platform.render import clickhouse_job
from genai_platform.render import langfuse as names
from genai_platform.render.clickhouse_disk import DISK, POLICY
from genai_platform.render.outputs import ClusterOutputs, StorageOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.tools.langfuse import Langfuse
from genai_platform.tools.litellm.client import Litellm

ANSWER = "日本の首都は東京です。"
SETTINGS = Settings.model_validate(
    {
        "litellm": {
            "models": [
                {"name": "chat-a", "azure_deployment": "dep-a", "api_base": "https://a.example"},
                {"name": "chat-b", "azure_deployment": "dep-b", "api_base": "https://a.example"},
                {"name": "embed", "azure_deployment": "dep-e", "api_base": "https://a.example", "mode": "embedding"},
            ]
        }
    }
)
SECOND_LINE = SETTINGS.model_copy(update={"langfuse": LangfuseSettings(chart=Chart(version="2.0.0"))})
"""The same with Langfuse 4."""
CLUSTER = ClusterOutputs(
    cluster_name="c", cluster_endpoint="e", cluster_ca="x", cluster_security_group_id="sg", oidc_provider_arn="o",
    litellm_role_arn="arn:litellm", langfuse_role_arn="arn:langfuse", clickhouse_role_arn="arn:clickhouse",
)  # fmt: skip


def without_azure() -> Inventory:
    """These platforms have no Azure half to look at."""
    raise AssertionError("nobody asks what stands in Azure")


@dataclass
class PlatformWorld:
    """What runs. Every field may be changed before a look."""

    settings: Settings = SETTINGS
    secrets: PlatformSecrets = field(default_factory=PlatformSecrets)
    readiness: dict[str, Any] = field(default_factory=lambda: {"status": "healthy", "db": "connected"})
    openapi: Any = field(default_factory=lambda: {"openapi": "3.1.0", "paths": {"/v1/chat/completions": {}}})
    ui: httpx.Response = field(default_factory=lambda: httpx.Response(200, html="<!DOCTYPE html><html></html>"))
    models: list[str] = field(default_factory=lambda: ["chat-a", "chat-b", "embed"])
    answer: bytes = ANSWER.encode()
    embedding: list[float] = field(default_factory=lambda: [0.5, 0.25])
    broken_models: dict[str, str] = field(default_factory=dict)
    stream: list[bytes] = field(default_factory=lambda: [event("東"), event("京"), b"data: [DONE]\n\n"])
    logged: bool = True
    spend: float = 0.0001
    restarts: int = 0
    """Of LiteLLM's container."""
    checks_keys: bool = True
    sign_in: httpx.Response = field(default_factory=lambda: httpx.Response(200, html="<html>Langfuse</html>"))
    sign_up: httpx.Response = field(default_factory=lambda: httpx.Response(422, json={"message": "Sign up is disabled."}))
    projects: list[str] = field(default_factory=lambda: ["genai"])
    delivers: bool = True
    wrong_key: int = 401
    clock_ahead: float = 0.0
    """Seconds this machine's clock is ahead of S3's, which stamps its answers and objects."""
    generation: dict[str, Any] = field(default_factory=lambda: {"model": "dep-a", "usageDetails": {"input": 7, "output": 5}})
    langfuse_objects: list[tuple[str, float]] = field(default_factory=lambda: [("events/a", 1.0)])
    clickhouse_objects: list[tuple[str, float]] = field(
        default_factory=lambda: [(f"disk/{n:03}/part", 1.0 if n else -9e9) for n in range(12)]
    )
    roles: dict[str, str] = field(
        default_factory=lambda: {names.WEB: "arn:langfuse", names.WORKER: "arn:langfuse", names.CLICKHOUSE_STATEFUL_SET: "arn:clickhouse"}
    )
    mounted: bool = True
    clickhouse: str = field(
        default_factory=lambda: json.dumps(
            {
                "disks": [["default", "Local"], [DISK, "ObjectStorage"]],
                "policies": [["default", "default", ["default"]], [POLICY, "s3", [DISK]], [POLICY, "local", ["default"]]],
            }
        )
    )
    job_ends: str = "Complete"
    sessions: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def platform(self) -> Platform:
        platform = Platform(self, without_azure)  # type: ignore[arg-type]
        client = httpx.Client(base_url="https://litellm", transport=httpx.MockTransport(self._litellm))
        other = httpx.Client(base_url="https://langfuse", transport=httpx.MockTransport(self._langfuse))
        platform._kept["litellm"] = Litellm(client, self._secrets.litellm_master_key)
        keys = (self._secrets.langfuse_public_key, self._secrets.langfuse_secret_key)
        platform._kept["langfuse"] = Langfuse(other, *keys, self.settings.langfuse.chart.line)
        return platform

    # -- the doors --------------------------------------------------------------------------------
    def __post_init__(self) -> None:
        self._secrets = self.secrets
        self.secrets = lambda: self._secrets  # type: ignore[assignment,method-assign]
        self.target = Target("test", self.settings, Endpoints(), Path("/nonexistent"))
        self.kube = self
        self.aws = self

    def cluster(self) -> ClusterOutputs:
        return CLUSTER

    def storage(self) -> StorageOutputs:
        return StorageOutputs(langfuse_bucket="bucket-l", clickhouse_bucket="bucket-c", secret_arn="arn:s")

    # -- LiteLLM ----------------------------------------------------------------------------------
    def _litellm(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/health/readiness":
            return httpx.Response(200, json=self.readiness)
        if path == "/openapi.json":
            return httpx.Response(200, json=self.openapi)
        if path == "/ui":
            return httpx.Response(307, headers={"location": "/ui/"})
        if path == "/ui/":
            return self.ui
        given = request.headers.get("authorization", "")
        if self.checks_keys and given != f"Bearer {self._secrets.litellm_master_key.get_secret_value()}":
            return httpx.Response(self.wrong_key if given else 401, json={"error": {"message": "no"}})
        if path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": name} for name in self.models]})
        if path == "/spend/logs":
            entry = {"request_id": request.url.params["request_id"], "total_tokens": 12, "spend": self.spend}
            return httpx.Response(200, json=[entry] if self.logged else [])
        return self._chat(request)

    def _chat(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.sent.append(request.content)
        self.sessions.append((body.get("metadata") or {}).get("session_id", ""))
        if body["model"] in self.broken_models:
            return httpx.Response(500, json={"error": {"message": self.broken_models[body["model"]]}})
        if request.url.path == "/v1/embeddings":
            return httpx.Response(200, json={"data": [{"embedding": self.embedding}]})
        if body.get("stream"):
            return httpx.Response(200, content=iter(self.stream))
        text = json.dumps({"id": f"chatcmpl-{body['model']}", "model": body["model"], "choices": [{"message": {"content": "@@"}}]}).encode()
        return httpx.Response(200, content=text.replace(b"@@", self.answer))

    # -- Langfuse ---------------------------------------------------------------------------------
    def _langfuse(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/auth/sign-in":
            return self.sign_in
        if path == "/api/auth/signup":
            assert "@" not in json.loads(request.content)["email"]  # never one that could open an account
            return self.sign_up
        pair = f"{self._secrets.langfuse_public_key.get_secret_value()}:{self._secrets.langfuse_secret_key.get_secret_value()}"
        if request.headers.get("authorization") != "Basic " + base64.b64encode(pair.encode()).decode():
            return httpx.Response(401, json={"message": "Invalid credentials"})
        if path == "/api/public/projects":
            return httpx.Response(200, json={"data": [{"name": name} for name in self.projects]})
        session = request.url.params.get("sessionId", "")
        known = self.delivers and session in self.sessions
        if self.settings.langfuse.chart.line == 2:
            if path != "/api/public/v2/observations":
                return httpx.Response(404, json={"message": "not in this version"})
            # It does not know the filter: what other sessions left comes, too.
            others = [{**self.generation, "traceId": "t0", "sessionId": "yesterday"}]
            return httpx.Response(200, json={"data": others + [{**self.generation, "traceId": "t1", "sessionId": session}] * known})
        if path == "/api/public/traces":
            return httpx.Response(200, json={"data": [{"id": "t1"}] if known else []})
        assert path == "/api/public/observations"
        return httpx.Response(200, json={"data": [self.generation]})

    # -- S3 ---------------------------------------------------------------------------------------
    def client(self, name: str) -> PlatformWorld:
        return self

    def get_paginator(self, name: str) -> PlatformWorld:
        return self

    def paginate(self, Bucket: str) -> list[dict[str, Any]]:
        content = self.langfuse_objects if Bucket == "bucket-l" else self.clickhouse_objects
        now = datetime.now(UTC) - timedelta(seconds=self.clock_ahead)
        told = {"HTTPHeaders": {"date": format_datetime(now, usegmt=True)}}
        return [
            {
                "ResponseMetadata": told,
                "Contents": [{"Key": key, "LastModified": now + timedelta(seconds=max(age, -86400))} for key, age in content],
            }
        ]

    # -- Kubernetes -------------------------------------------------------------------------------
    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        if kind == "Job":
            return {"status": {"conditions": [{"type": self.job_ends, "status": "True"}]}}
        return {"spec": {"selector": {"matchLabels": {"app": name}}}}

    def list(self, api_version: str, kind: str, namespace: str | None = None, *, label_selector: str = "") -> list[dict[str, Any]]:
        label, _, name = label_selector.partition("=")
        if label == "job-name":
            return [{"metadata": {"name": "question"}}]
        if not label_selector:
            # The operator's pods carry its own labels.
            name = names.CLICKHOUSE_STATEFUL_SET
        if name == "litellm":
            return [{"metadata": {"uid": "u"}, "status": {"phase": "Running", "containerStatuses": [{"restartCount": self.restarts}]}}]
        if name not in self.roles:
            return []
        mount = [{"name": "v", "mountPath": names.DISK_PATH, "subPath": names.DISK_FILE}] if self.mounted else []
        env = [{"name": "AWS_ROLE_ARN", "value": self.roles[name]}] if self.roles[name] else []
        spec = {
            "serviceAccountName": names.CLICKHOUSE_ACCOUNT if name == names.CLICKHOUSE_STATEFUL_SET else names.ACCOUNT,
            "containers": [{"name": "c", "env": env, "volumeMounts": mount}],
            "volumes": [{"name": "v", "configMap": {"name": names.DISK_CONFIG_MAP}}],
        }
        return [{"metadata": {"name": f"{name}-0"}, "spec": spec, "status": {"phase": "Running"}}]

    def create(self, document: dict[str, Any]) -> dict[str, Any]:
        assert document["spec"]["template"]["spec"]["containers"][0]["image"] == clickhouse_job.IMAGE
        return document

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        self.deleted.append(name)
        return True

    def logs(self, pod: str, namespace: str) -> str:
        return self.clickhouse


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"id": "s", "choices": [{"delta": {"content": text}}]}, ensure_ascii=False).encode() + b"\n\n"
