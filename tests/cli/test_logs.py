"""``genai logs``: what pods wrote, with secrets hidden."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from genai_platform.render.secrets import PlatformSecrets
from tests.cli.conftest import Shell

MODEL_KEY = "0123456789abcdef0123456789abcdef"
"""As Azure OpenAI's are: nothing in it says what it is."""
SECRETS = PlatformSecrets(upstream_keys={"AZURE_API_KEY": SecretStr(MODEL_KEY)})
PASSWORD, MASTER_KEY = SECRETS.postgres_litellm_password.get_secret_value(), SECRETS.litellm_master_key.get_secret_value()
WRITTEN = f"connecting as litellm {PASSWORD}\nupstream said: bad key {MODEL_KEY}\nkey={MASTER_KEY}\n質問は一つです\n"


@dataclass
class Pods:
    """A cluster, and the account that keeps the secrets."""

    texts: dict[str, str] = field(default_factory=lambda: {"litellm-1": WRITTEN, "litellm-2": "ready\n", "langfuse-web-1": "other\n"})
    secrets: PlatformSecrets | None = SECRETS
    asked: list[tuple[str, int]] = field(default_factory=list)

    def list(self, api: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        assert (api, kind) == ("v1", "Pod")
        return [{"metadata": {"name": name}} for name in self.texts]

    def logs(self, pod: str, namespace: str, *, tail: int) -> str:
        self.asked.append((pod, tail))
        return self.texts[pod]

    def platform_secrets(self) -> PlatformSecrets | None:
        return self.secrets


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Pods:
    pods = Pods()
    for door in ("kube", "aws"):
        monkeypatch.setattr(f"genai_platform.steps.clients.Clients.{door}", pods)
    return pods


def test_a_workload_s_pods_are_shown_one_after_another(shell: Shell, pods: Pods) -> None:
    told = shell("logs", "litellm", "--tail", "7")
    assert told.code == 0
    assert [line for line in told.out.splitlines() if line.startswith("== ")] == ["== litellm-1", "== litellm-2"]
    assert "質問は一つです" in told.out
    assert pods.asked == [("litellm-1", 7), ("litellm-2", 7)]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_secrets_are_hidden(shell: Shell, pods: Pods, words: tuple[str, ...]) -> None:
    told = shell("logs", "litellm", *words)
    assert told.out.count("<secret>") == 3
    assert not any(value in told.out + told.err for value in (PASSWORD, MODEL_KEY, MASTER_KEY))


def test_before_any_secrets_were_made_what_looks_like_one_is_hidden(shell: Shell, pods: Pods) -> None:
    pods.secrets = None
    (text, _) = shell("logs", "litellm", "--json").document["logs"].values()
    assert MASTER_KEY not in text
    assert PASSWORD in text


def test_an_unknown_workload_is_answered_with_the_pods_there_are(shell: Shell, pods: Pods) -> None:
    told = shell("logs", "lite", "--json")
    assert (told.code, told.document["error"]["id"]) == (1, "logs.no_pod")
    assert "langfuse-web-1, litellm-1, litellm-2" in told.document["error"]["remedy"]
    assert pods.asked == []
