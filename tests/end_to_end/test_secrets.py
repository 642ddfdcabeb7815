"""No secret of the platform stands where it should not: in files, in the cluster's open objects, in what commands print."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import NAMESPACE, Platform
from tests.end_to_end.looks import LOOKS, Looks

PREFIX = "genai-sandbox"
PUBLIC = {
    "langfuse_public_key",
    "ca_certificate",
    "client_id",
    "key_id",
    "expires",
    "remove_after",
    "address",
    "previous",
    "previous_until",
}
"""Fields of the documents in Secrets Manager that everybody may know."""
SHORTEST = 16
"""Characters of a value that is looked for: a shorter one may stand anywhere by chance."""
COMMANDS = (*LOOKS, ("audit",), ("keys", "list"), ("verify",))


@pytest.fixture(scope="module")
def secrets(platform: Platform) -> dict[str, str]:
    """Where each secret is kept → its value."""
    client = platform.aws("secretsmanager")
    names = [one["Name"] for page in client.get_paginator("list_secrets").paginate() for one in page["SecretList"]]
    ours = sorted(name for name in names if name == f"{PREFIX}/platform" or name.startswith(f"{PREFIX}/callers"))
    assert {f"{PREFIX}/platform", f"{PREFIX}/callers"} <= set(ours), names
    found: dict[str, str] = {}
    for name in ours:
        found |= _values(name, json.loads(client.get_secret_value(SecretId=name)["SecretString"]))
    for wanted in ("litellm_master_key", "postgres_admin_password", "redis_token", "langfuse_secret_key", "ca_key", "upstream_keys"):
        assert any(wanted in where for where in found), sorted(found)
    # The pair as HTTP sends it, and every value as a Kubernetes secret holds it.
    pair = f"{platform.variables['LANGFUSE_PUBLIC_KEY']}:{platform.variables['LANGFUSE_SECRET_KEY']}"
    forms = {"Langfuse's pair": _base64(pair)} | {f"{where} in base64": _base64(value) for where, value in found.items()}
    return found | forms


def _values(where: str, value: Any) -> dict[str, str]:
    """What is secret in a document, by its place. Of a key in lines, each line: a file may hold them otherwise joined."""
    if isinstance(value, str):
        lines = [line for line in value.splitlines() if not line.startswith("-----")]
        return {f"{where} line {number}": line for number, line in enumerate(lines) if len(line) >= SHORTEST}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[str, str] = {}
    for name, part in parts:
        if name not in PUBLIC:
            found |= _values(f"{where}.{name}", part)
    return found


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")


def seen(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Which secret stands where, without showing it."""
    assert all(texts.values()), [where for where, text in texts.items() if not text]
    return [f"{name} in {where}" for where, text in texts.items() for name, value in secrets.items() if value in text]


def test_files_hold_none(platform: Platform, secrets: dict[str, str]) -> None:
    """The journal, Terraform's states, variables and plans. What the sandbox itself keeps is the cloud, and not looked at."""
    folder = platform.folder / ".genai" / "sandbox"
    files = dict(_texts(folder))
    assert {"journal.jsonl", *(f"terraform/{root}/terraform.tfstate" for root in ("network", "cluster", "data", "storage"))} <= set(files)
    assert seen(secrets, {name: text for name, text in files.items() if text}) == []


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        # Terraform's copy of its provider is a program of hundreds of megabytes.
        if name.parts[0] == "world" or "providers" in name.parts or not path.is_file():
            continue
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{name}/{member}", archive.read(member).decode("latin-1")) for member in archive.namelist())
        else:
            yield str(name), path.read_bytes().decode("latin-1")


def test_open_objects_of_the_cluster_hold_none(platform: Platform, secrets: dict[str, str]) -> None:
    """Ingresses are none of them: what the load balancer demands of API Management stands there, where its controller reads it."""
    kinds = ("configmaps", "pods", "jobs", "deployments", "statefulsets", "serviceaccounts", "services", "events")
    texts = {kind: platform.kubectl("get", kind, "--all-namespaces", "--output", "json").out for kind in kinds}
    assert seen(secrets, texts) == []


def test_values_of_releases_hold_none(platform: Platform, secrets: dict[str, str]) -> None:
    releases = [one["name"] for one in json.loads(platform.tool("helm", "list", "--namespace", NAMESPACE, "--output", "json").out)]
    assert "langfuse" in releases
    texts = {name: platform.tool("helm", "get", "values", name, "--all", "--namespace", NAMESPACE).out for name in releases}
    assert seen(secrets, texts) == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_print_none(looks: Looks, secrets: dict[str, str], words: tuple[str, ...]) -> None:
    """The document, and beside it the tables and lines that people read."""
    told = looks(*words).result
    assert seen(secrets, {"the document": told.out, "what people read": told.err}) == []


def test_another_up_prints_and_writes_none_and_changes_nothing(platform: Platform, secrets: dict[str, str], tmp_path: Path) -> None:
    events, pods, revision = tmp_path / "events.jsonl", platform.pods(), platform.revision()
    told = platform.up("--verbose", "--events", str(events))
    assert {step["outcome"] for step in told.steps.values()} == {"present"}
    assert (platform.pods(), platform.revision()) == (pods, revision)
    assert seen(secrets, {"the document": told.out, "what people read": told.err, "the events": events.read_text()}) == []
