"""An AWS that cannot be reached: every step of the family is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.steps import infra
from tests.tools.aws_world import world


def test_what_cannot_be_seen_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import EndpointConnectionError

    def broken(name: str, region: str | None = None) -> Any:
        raise EndpointConnectionError(endpoint_url="https://aws")

    with world(tmp_path, monkeypatch, terraform={"backend": "s3"}) as clients:
        monkeypatch.setattr(clients.aws, "_boto3", lambda: type("Session", (), {"client": staticmethod(broken)}))
        monkeypatch.setattr(clients.aws, "client", lambda name, region=None: _Refusing())
        assert {step.id: observe(step).state for step in infra.steps(clients)} == {step.id: State.UNKNOWN for step in infra.steps(clients)}


class _Refusing:
    """A client whose every call finds nobody there."""

    class exceptions:
        def __getattr__(self, name: str) -> Any:
            return type(name, (Exception,), {})

    exceptions = exceptions()  # type: ignore[assignment,misc]

    def __getattr__(self, name: str) -> Any:
        from botocore.exceptions import EndpointConnectionError

        def refuse(*_: Any, **__: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://aws")

        return refuse
