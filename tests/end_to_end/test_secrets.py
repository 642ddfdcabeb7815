"""No secret of the platform stands where it should not: in files, in the cluster's open objects, in what commands print.

``up`` and ``verify`` are asked in ``test_down.py``."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import NAMESPACE, Platform
from tests.end_to_end.looks import LOOKS, Looks
from tests.end_to_end.secret_values import kept, seen

COMMANDS = (*LOOKS, ("audit",), ("keys", "list"))


@pytest.fixture(scope="module")
def secrets(platform: Platform) -> dict[str, str]:
    return kept(platform)


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
