"""Settings and words that are refused: exit code 2, one message with key, value and remedy, and nothing is made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from genai_platform.cli import app as cli

MODEL = '[[litellm.models]]\nname = "{}"\nazure_deployment = "a"\napi_base = "https://a.openai.azure.com"\n'
Refuse = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """A command in an empty folder: its exit code and its document."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("GENAI_", "AWS_", "AZURE_"))]:
        monkeypatch.delenv(name)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        result = CliRunner().invoke(cli.app, [*words, "--sandbox", "--json"])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        document: dict[str, Any] = json.loads(result.stdout)
        return result.exit_code, document

    return run


@pytest.fixture
def refuse(run: Callable[..., tuple[int, dict[str, Any]]], tmp_path: Path) -> Refuse:
    """Expect that a command is refused in all these words."""

    def refuse(words: tuple[str, ...], *said: str) -> None:
        code, document = run(*words)
        error = document["error"]
        assert (code, [word for word in said if word not in error["message"] + error["remedy"]]) == (2, []), error
        assert error["id"]
        assert error["remedy"]
        assert not (tmp_path / ".genai" / "sandbox" / "world").exists()

    return refuse


CONFIGURATIONS = {
    "an unknown key": ("[litellm]\nreplica = 2\n", ("litellm.replica", "did you mean 'replicas'")),
    "an unknown table": ("[lite]\nreplicas = 2\n", ("lite", "litellm")),
    "a wrong type": ('[litellm]\nreplicas = "two"\n', ("litellm.replicas", "'two'", "a whole number")),
    "a table that is a value": ('network = "10.0.0.0/16"\n', ("network", "10.0.0.0/16", "[network]")),
    "a CIDR that is none": ('[network]\ncidr = "10.0.0.0/99"\n', ("network.cidr", "10.0.0.0/99")),
    "a CIDR with host bits": ('[network]\ncidr = "10.0.0.5/16"\n', ("network.cidr", "10.0.0.5/16")),
    "a CIDR that is too small": ('[network]\ncidr = "10.0.0.0/28"\n', ("network.cidr", "10.0.0.0/28", "/22")),
    "a public CIDR": ('[network]\ncidr = "8.8.0.0/16"\n', ("network.cidr", "8.8.0.0/16", "private")),
    "one zone": ("[network]\nzones = 1\n", ("network.zones", "1", "at least 2")),
    "seven zones": ("[network]\nzones = 7\n", ("network.zones", "7", "at most 6")),
    "a model name used twice": (MODEL.format("gpt") * 2, ("litellm.models", "'gpt'", "twice")),
    "a word that is not allowed": ('[langfuse]\npost_install = "pach"\n', ("langfuse.post_install", "'pach'", "did you mean 'patch'")),
    "malformed TOML": ("[network\nzones = 2\n", ("genai.toml", "not valid TOML", "line 1")),
    "a chart path that is none": ('[langfuse.chart]\npath = "nowhere/x"\n', ("langfuse.chart.path", "nowhere/x", "does not exist")),
    "a caller with an unknown model": ('[azure.callers.a]\nmodels = ["gpt-4o-mimi"]\n', ("azure.callers.a.models", "'gpt-4o-mini'")),
    "a caller whose key has ended": ('[azure.callers.a]\nexpires = "2020-01-01"\n', ("azure.callers.a.expires", "2020-01-01", "past")),
    "an expression in a model's name": (MODEL.format("@(1)"), ("litellm.models", "'@(1)'")),
    "a named value in the gateway's path": ('[azure.apim]\npath = "{{x}}"\n', ("azure.apim.path", "'{{x}}'")),
    "a tier that cannot stream": ('[azure.apim]\nsku = "Consumption"\n', ("azure.apim.sku", "streaming")),
    "no TLS behind API Management": ('[ingress]\ntls = "none"\n', ("ingress.tls", "API Management")),
    "two chart sources": ('[langfuse.chart]\npath = "."\noci = "oci://example.com/a"\n', ("langfuse.chart", "path", "oci")),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configuration(refuse: Refuse, tmp_path: Path, case: str) -> None:
    text, words = CONFIGURATIONS[case]
    (tmp_path / "genai.toml").write_text(text)
    refuse(("up", "--yes"), *words)


@pytest.mark.parametrize("command", ["plan", "infra", "down", "status", "doctor"])
def test_configuration_is_looked_at_by_every_command(
    run: Callable[..., tuple[int, dict[str, Any]]], refuse: Refuse, tmp_path: Path, command: str
) -> None:
    (tmp_path / "genai.toml").write_text('[langfuse.chart]\npath = "nowhere/chart"\n[network]\nzones = 1\n')
    if command == "doctor":
        code, document = run(command)
        assert (code, [one["id"] for one in document["problems"]]) == (3, ["configuration"])
    else:
        refuse((command, *(["--yes"] if command == "down" else [])), "network.zones")


def test_every_fault_is_told_at_once(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "genai.toml").write_text('[network]\nzones = 1\n[litellm]\nreplica = 2\n[platform]\nname = "Ж"\n')
    refuse(("up", "--yes"), "3 faults", "network.zones", "litellm.replica", "platform.name")


def test_a_file_that_is_no_text(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "genai.toml").write_bytes(b"[network]\nname = '\xff'\n")
    refuse(("up", "--yes"), "genai.toml", "UTF-8")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("up", "--yes", "--only", "infra.netwrk"), ("infra.netwrk", "infra.network")),
        (("up", "--yes", "--skip", "langfus"), ("langfus", "langfuse")),
        (("plan", "--only", "infra.netwrk"), ("infra.netwrk", "infra.network")),
        (("up", "--yes", "--set", "litellm.replicas"), ("litellm.replicas", "key=value")),
        (("up", "--yes", "--set", "litellm.replicas=many"), ("litellm.replicas", "'many'", "--set litellm.replicas")),
        (("up", "--yes", "--env", "Two!"), ("Two!", "lower-case")),
    ],
)
def test_usage(refuse: Refuse, words: tuple[str, ...], named: tuple[str, ...]) -> None:
    refuse(words, *named)
