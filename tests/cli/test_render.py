"""``render`` shows what Terraform, Kubernetes and Helm would get; secrets only on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from genai_platform.cli import app as cli
from genai_platform.cli.run import Run
from genai_platform.engine.graph import Graph
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.tools.aws.client import Aws
from tests.cli.conftest import Shell
from tests.worlds import World


class Rendering:
    """A step's face for ``render``."""

    def __init__(self, step: Any, documents: list[dict[str, Any]], files: dict[str, str]) -> None:
        self._step = step
        self.documents = lambda: documents
        self.files = lambda: files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)


SECRETS = PlatformSecrets(gateway_header=SecretStr("header-value"), upstream_keys={"AZURE_API_KEY": SecretStr("upstream-value")})
DOCUMENTS = [
    {"kind": "Ingress", "metadata": {"name": "i", "annotations": {"conditions": '[{"values": ["header-value"]}]'}}},
    {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"KEY": "confidential"}},
    {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"s3disk.xml": "<clickhouse/>"}},
]


@pytest.mark.parametrize("words", [["render", "litellm"], ["plan"], ["up", "--yes"], ["litellm"]])
def test_a_faulty_configuration_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    (tmp_path / "genai.toml").write_text('[platform]\nname = "genai"\n[nonsense]\na = 1\n')
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli.app, [*words, "--plain"]).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["genai.toml"]


@pytest.fixture
def rendering(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    world = World()
    objects = Rendering(world.step("langfuse.config"), DOCUMENTS, {})
    chart = Rendering(world.step("langfuse.chart", "langfuse.config"), [], {"values.yaml": "replicas: 1\n"})
    monkeypatch.setattr(Run, "graph", Graph([objects, chart, world.step("infra.network")]))
    monkeypatch.setattr(Aws, "platform_secrets", lambda self: SECRETS)
    return shell


def test_files_as_they_would_be_applied(rendering: Shell, tmp_path: Path) -> None:
    assert rendering("render", "--out", "out").code == 0
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == {"langfuse.config.yaml", "langfuse.config/s3disk.xml", "langfuse.chart/values.yaml"}
    assert (tmp_path / "out" / "langfuse.config" / "s3disk.xml").read_text() == "<clickhouse/>"
    assert "confidential" not in "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())


def test_secrets_are_shown_on_request_only(rendering: Shell) -> None:
    assert "confidential" not in rendering("render").out
    assert "confidential" in rendering("render", "--show-secrets").out
    assert "confidential" not in rendering("render", "--json").document["rendered"]["langfuse.config.yaml"]


def test_a_secret_is_hidden_wherever_it_stands(rendering: Shell) -> None:
    assert "header-value" not in rendering("render").out
    assert '"values": ["(secret)"]' in rendering("render").out
    assert "header-value" in rendering("render", "--show-secrets").out


def test_before_there_are_secrets_there_is_nothing_to_hide(rendering: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Aws, "platform_secrets", lambda self: None)
    assert rendering("render").code == 0
