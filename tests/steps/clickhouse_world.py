"""A cluster with Langfuse and its ClickHouse, whose jobs do to the bucket what ClickHouse would."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, cast

from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse.traces import TracesStep

BUCKET = "genai-clickhouse-abcdef"
_PLACE = re.compile(r"S3\('https://[a-z0-9.-]+/(backup/[0-9-]+)'\)")


@dataclass
class Engine:
    """ClickHouse: what its volume holds, and what lies in the bucket."""

    rows: dict[str, int] = field(default_factory=lambda: {"traces": 0, "observations": 0, "scores": 0})
    tables: int = 12
    marks: list[str] = field(default_factory=list)
    deleted_from: list[str] = field(default_factory=list)
    refuses: str = ""
    damages: bool = False
    """Backups lack half of their rows, though every file is there."""
    statements: list[str] = field(default_factory=list)
    claim: dict[str, str] = field(default_factory=lambda: {"made": "2026-01-01T09:00:05Z", "phase": "Bound"})
    """The claim of its volume."""

    def lose_the_volume(self) -> None:
        self.claim = {"made": "2026-01-01T15:00:00Z", "phase": "Bound"}
        self.rows, self.tables, self.marks, self.deleted_from = {}, 0, [], []


class Cluster:
    """Jobs, deployments and a stateful set. What is queued in Redis reaches ClickHouse as the worker works."""

    def __init__(self, clients: Clients, engine: Engine, line: int = 1) -> None:
        self.s3 = clients.aws.client("s3")
        self.engine, self.scratch, self.queued, self.stuck = engine, dict[str, int](), 0, False
        self.objects: dict[tuple[str, str], dict[str, Any]] = {
            ("StatefulSet", "langfuse-clickhouse-shard0") if line == 1 else ("ClickHouseCluster", "langfuse"): {
                "metadata": {"creationTimestamp": "2026-01-01T09:00:00Z"}
            }
        }
        self.happened: list[str] = []
        for name in ("langfuse-web", "langfuse-worker"):
            container = {"image": f"docker.io/langfuse/{name}:{'3.224.1' if line == 1 else '4.4.0'}"}
            self.objects["Deployment", name] = {
                "metadata": {"name": name},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {"spec": {"containers": [container]}}},
                "status": {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1},
            }

    # -- the API ----------------------------------------------------------------------------------
    def exists(self) -> bool:
        return True

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    def list(self, api_version: str, kind: str, *_: Any, label_selector: str = "", **__: Any) -> list[dict[str, Any]]:
        if kind == "PersistentVolumeClaim":
            claim, names = self.engine.claim, ("data-langfuse-clickhouse-shard0-0", "clickhouse-storage-volume-langfuse-0")
            return [{"metadata": {"name": name, "creationTimestamp": claim["made"]}, "status": {"phase": claim["phase"]}} for name in names]
        if label_selector.startswith("app="):
            running = self.objects["Deployment", label_selector.removeprefix("app=")]["spec"]["replicas"]
            return [{"metadata": {"name": "p", "creationTimestamp": "2026-01-01"}}] * running
        return [{"metadata": {"name": "p", "creationTimestamp": "2026-01-01"}, "status": {"containerStatuses": [{"name": "question"}]}}]

    def events(self, *_: Any) -> tuple[Any, ...]:
        return ()

    def logs(self, *_: Any, **__: Any) -> str:
        return self.said

    def apply(self, document: dict[str, Any]) -> None:
        self.objects[document["kind"], document["metadata"]["name"]] = document

    def patch(self, api_version: str, kind: str, name: str, namespace: str | None, body: Any, strategy: str = "") -> None:
        replicas = body["spec"].get("replicas")
        self.happened.append(f"restart {name}" if replicas is None else f"{name} to {replicas}")
        if replicas is not None:
            self.objects[kind, name]["spec"]["replicas"] = replicas
        elif not self.engine.tables:  # Langfuse makes its tables when it starts
            self.engine.tables, self.engine.rows = 12, {"traces": 0, "observations": 0, "scores": 0}

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None, *_: Any, **__: Any) -> bool:
        return self.objects.pop((kind, name), None) is not None

    def create(self, document: dict[str, Any]) -> None:
        container = document["spec"]["template"]["spec"]["containers"][0]
        variables = {one["name"]: one["value"] for one in container["env"]}
        what = document["metadata"]["name"].split("-")[1]
        self.said = self._run(what, variables)
        state = {"type": "Failed" if self.engine.refuses else "Complete", "status": "True"}
        self.objects["Job", document["metadata"]["name"]] = {
            **document,
            "spec": {"selector": {"matchLabels": {"job-name": "j"}}},
            "status": {"conditions": [state]},
        }

    # -- what the jobs find -----------------------------------------------------------------------
    def _run(self, what: str, variables: dict[str, str]) -> str:
        engine = self.engine
        if engine.refuses:
            return engine.refuses
        if what == "queues":
            self.happened.append(f"{self.queued} queued")
            left = self.queued
            if not self.stuck and self.queued:
                self.queued, engine.rows["traces"] = 0, engine.rows["traces"] + left
            return json.dumps({"waiting": left})
        if what == "holds":
            rows = self.scratch if variables["DATABASE"] != "default" else engine.rows
            last = engine.marks[-1:]
            return json.dumps({"tables": engine.tables, "rows": rows, "backup": last, "deleted_from": engine.deleted_from})
        for statement in json.loads(variables["STATEMENTS"]):
            engine.statements.append(statement)
            self._execute(statement)
        return "{}"

    def _execute(self, statement: str) -> None:
        engine, place = self.engine, _PLACE.search(statement)
        if statement.startswith("BACKUP"):
            assert place
            self.happened.append("backup")
            rows = {name: count // 2 if engine.damages else count for name, count in engine.rows.items()}
            self.s3.put_object(Bucket=BUCKET, Key=f"{place[1]}/data/rows", Body=json.dumps(rows).encode())
            self.s3.put_object(Bucket=BUCKET, Key=f"{place[1]}/.backup")
        elif statement.startswith("RESTORE"):
            assert place
            rows = json.loads(self.s3.get_object(Bucket=BUCKET, Key=f"{place[1]}/data/rows")["Body"].read())
            if " AS " in statement:
                self.scratch = rows
            else:
                self.happened.append("restore")
                engine.tables = 12
                engine.rows = {name: engine.rows.get(name, 0) + rows.get(name, 0) for name in {**engine.rows, **rows}}
        elif statement.startswith("INSERT INTO genai.backups"):
            engine.marks.append(statement.split("'")[1])


def day(clients: Clients, engine: Engine | None = None, line: int = 1) -> tuple[TracesStep, Cluster]:
    """ClickHouse as a fresh ``up`` leaves it, or as it is."""
    cast(Any, clients.terraform.state).resources = lambda root: 1
    roots: Any = clients.terraform
    roots.given["storage"] = {"langfuse_bucket": "genai-langfuse-abcdef", "clickhouse_bucket": BUCKET, "secret_arn": "arn:aws:x"}
    roots.given["data"] = {
        "postgres_cluster_id": "c", "postgres_host": "db", "postgres_port": 5432, "postgres_admin": "a",
        "redis_replication_group_id": "r", "redis_host": "redis", "redis_port": 6379,
    }  # fmt: skip
    cluster = Cluster(clients, engine or Engine(), line)
    clients.kube = cast(Any, cluster)
    return TracesStep(clients), cluster
