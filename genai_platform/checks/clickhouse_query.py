"""Asking ClickHouse what it knows: by a short job in the cluster, since nothing outside reaches it."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import Literal

from genai_platform.config.target import NAMESPACE
from genai_platform.errors import StepError
from genai_platform.render import clickhouse_job
from genai_platform.tools.kubernetes.client import Kube
from genai_platform.tools.kubernetes.wait import job_state

_LIMIT = 150.0
_PREFIX = "genai-verify-clickhouse"


@dataclass(frozen=True)
class ClickHouse:
    """Its disks (name and type) and its storage policies (policy, volume, disks; in order)."""

    disks: tuple[tuple[str, str], ...]
    policies: tuple[tuple[str, str, tuple[str, ...]], ...]


def ask(kube: Kube, line: Literal[1, 2] = 1, *, limit: float = _LIMIT) -> ClickHouse:
    """Run the job and read what it printed. The job is removed afterwards.

    Raises:
        StepError: it failed or did not end; the message has its last lines.
    """
    name, limits = f"{_PREFIX}-{uuid.uuid4().hex[:8]}", clickhouse_job.Limits(1, 120)
    kube.create(clickhouse_job.job(name, purpose="genai-verify", script=_SCRIPT, line=line, limits=limits, variables={}))
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
            said = " ".join(text.split())[-300:] or "the job left no log"
            raise StepError(f"ClickHouse could not be asked: {said}", id="clickhouse.silent")
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
def rows(query):
    with opener.open(request(query + " FORMAT JSONCompact"), timeout=30) as answer:
        return json.load(answer)["data"]

print(json.dumps({
    "disks": rows("SELECT name, type FROM system.disks ORDER BY name"),
    "policies": rows("SELECT policy_name, volume_name, disks FROM system.storage_policies ORDER BY policy_name, volume_priority"),
}))
"""
