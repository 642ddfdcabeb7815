"""An AWS in this process, and a target in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto import mock_aws

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.step import Change
from genai_platform.errors import Interrupted
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.terraform.client import Terraform
from genai_platform.tools.terraform.inventory import Inventory

MODELS = [{"name": "gpt", "azure_deployment": "gpt", "api_base": "https://example.openai.azure.com"}]


class Quiet:
    """Nobody listens, nobody wants to stop."""

    def say(self, text: str) -> None: ...

    def check(self) -> None: ...

    def warn(self, text: str) -> None: ...


class Impatient(Quiet):
    """Stops once it has heard what is waited for."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None:
        if self.said:
            raise Interrupted


class Roots(Terraform):
    """Terraform whose roots stand as told, and whose states are read as ever."""

    def __init__(self, target: Target, aws: Aws) -> None:
        super().__init__(target, aws)
        self.given: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []

    def outputs(self, root: str) -> Any:
        return {name: {"value": value} for name, value in self.given[root].items()} if root in self.given else super().outputs(root)  # type: ignore[arg-type]

    def apply(self, root: str, variables: Any, progress: Any, timeout: float) -> str:
        self.calls.append(("apply", root))
        return "applied"

    def destroy(self, root: str, variables: Any, progress: Any, timeout: float, only: Sequence[str] = ()) -> str:
        self.calls.append(("destroy", ",".join((root, *only))))
        return "destroyed"

    def existing(self, root: str) -> Inventory:
        return Inventory((), {})

    def recover(self, root: str, variables: Any, progress: Any, *, strict: bool = True) -> Any:
        return []

    def plan(self, root: str, variables: Any) -> list[Change]:
        return []


@contextmanager
def world(folder: Path, monkeypatch: Any, **settings: Any) -> Iterator[Clients]:
    """Doors into an empty AWS."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("moto.settings.ACM_VALIDATION_WAIT", 0)  # by itself it takes a minute to prove that a domain is ours
    with mock_aws():
        target = Target("default", Settings.model_validate({"litellm": {"models": MODELS}, **settings}), Endpoints(), folder)
        aws = Aws(target)
        yield Clients(target, aws=aws, terraform=Roots(target, aws))


def secret_container(clients: Clients) -> None:
    clients.aws.client("secretsmanager").create_secret(Name=clients.aws.secret_name)
