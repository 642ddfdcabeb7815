"""Asking ClickHouse what it knows: by a short job in the cluster, since nothing outside reaches it."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from genai_platform.config.target import NAMESPACE
from genai_platform.errors import StepError
from genai_platform.render import langfuse, manifests

if TYPE_CHECKING:
    from genai_platform.tools.kube import Kube

IMAGE = "public.ecr.aws/docker/library/python:3.12-alpine"
_LIMIT = 150.0
_HOSTS = {1: "langfuse-clickhouse", 2: "langfuse-clickhouse-headless"}
_PREFIX = "genai-verify-clickhouse"


@dataclass(frozen=True)
class ClickHouse:
    """Its disks (name and type) and its storage policies (policy, volume, disks; in order)."""

    disks: tuple[tuple[str, str], ...]
    policies: tuple[tuple[str, str, tuple[str, ...]], ...]


def job(name: str, line: Literal[1, 2] = 1) -> dict[str, Any]:
    """The job's document. Its password comes from the platform's secret and never shows in its command line."""
    made = manifests.objects(
        "clickhouse-question",
        name=name,
        namespace=NAMESPACE,
        image=IMAGE,
        script=_SCRIPT,
        host=_HOSTS[line],
        secret=langfuse.SECRET,
        key="clickhouse-password",
        purpose="genai-verify",
        tries=1,
        seconds=120,
        variables={},
    )
    return made[0]


def ask(kube: Kube, line: Literal[1, 2] = 1, *, limit: float = _LIMIT) -> ClickHouse:
    """Run the job and read what it printed. The job is removed afterwards.

    Raises:
        StepError: it failed or did not end; the message has its last lines.
    """
    from genai_platform.tools.kube_wait import job_state

    name = f"{_PREFIX}-{uuid.uuid4().hex[:8]}"
    kube.create(job(name, line))
    try:
        deadline = time.monotonic() + limit
        while True:
            found = kube.get("batch/v1", "Job", name, NAMESPACE)
            state = job_state(found) if found else "failed"
            if state != "running":
                break
            if time.monotonic() > deadline:
                raise StepError(f"the job that asks ClickHouse did not end within {limit:.0f} s", id="clickhouse.silent")
            time.sleep(1)
        text = _log(kube, name)
        if state == "failed":
            raise StepError(
                f"ClickHouse could not be asked: {' '.join(text.split())[-300:] or 'the job left no log'}", id="clickhouse.silent"
            )
        return read(text)
    finally:
        with contextlib.suppress(StepError):
            kube.delete("batch/v1", "Job", name, NAMESPACE)


def read(text: str) -> ClickHouse:
    """Parse the job's log: one JSON document on its last line."""
    try:
        document = json.loads(text.strip().splitlines()[-1])
        return ClickHouse(
            disks=tuple((str(name), str(kind)) for name, kind in document["disks"]),
            policies=tuple((str(policy), str(volume), tuple(map(str, disks))) for policy, volume, disks in document["policies"]),
        )
    except (IndexError, ValueError, KeyError, TypeError):
        raise StepError(f"the job that asks ClickHouse printed something else: {text[-200:]!r}", id="clickhouse.silent") from None


def _log(kube: Kube, name: str) -> str:
    for pod in kube.list("v1", "Pod", NAMESPACE, label_selector=f"job-name={name}"):
        text = kube.logs(pod["metadata"]["name"], NAMESPACE)
        if text.strip():
            return text
    return ""


_SCRIPT = """\
import json, os, urllib.request

def rows(query):
    request = urllib.request.Request("http://" + os.environ["CLICKHOUSE_HOST"] + ":8123/", data=(query + " FORMAT JSONCompact").encode())
    request.add_header("X-ClickHouse-User", os.environ.get("CLICKHOUSE_USER", "default"))
    request.add_header("X-ClickHouse-Key", os.environ["CLICKHOUSE_PASSWORD"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)["data"]

print(json.dumps({
    "disks": rows("SELECT name, type FROM system.disks ORDER BY name"),
    "policies": rows("SELECT policy_name, volume_name, disks FROM system.storage_policies ORDER BY policy_name, volume_priority"),
}))
"""
