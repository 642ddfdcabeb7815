"""Requests that arrive together are answered one after another by a service that cannot be asked by two at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from genai_platform.sandbox.aws.stand_in import AwsStandIn, NoEngines
from genai_platform.sandbox.layout import SandboxLayout


def test_a_service_is_asked_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_platform.sandbox.aws.authorization import Guard  # with all of moto: not in every worker

    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))
    layout = SandboxLayout.create(tmp_path / "world", "sandbox-test")
    seen: list[str] = []
    both = threading.Event()

    def service(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append("begins")
        if len(seen) == 2:
            both.set()
        both.wait(0.5)  # long enough for the other one to come in, if it may
        seen.append("ends")
        return Response("ok")(environ, start_response)

    guard = Client(Guard(AwsStandIn(layout, NoEngines()), service, lambda: None))
    with ThreadPoolExecutor(2) as together:
        answers = list(together.map(lambda _: guard.post("/", data={"Action": "AssumeRoleWithWebIdentity"}), range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert seen == ["begins", "ends", "begins", "ends"]
