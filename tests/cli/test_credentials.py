"""Credentials that would end before the run does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genai_platform.cli import preflight
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.graph import Selection
from genai_platform.errors import MissingError
from genai_platform.steps.catalog import build
from genai_platform.steps.clients import Clients
from tests.cli.conftest import Shell
from tests.worlds import World


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "x")
    return Clients(Target("default", Settings(), Endpoints(), Path("/nowhere")))


def ends(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat())


def test_credentials_that_end_before_the_run_are_refused(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, 30)
    with pytest.raises(MissingError) as told:
        preflight.credentials(clients, 24, "genai up")
    assert told.value.id == "aws.credentials_end"
    assert "end in 30 minutes" in told.value.message
    assert "genai up may need 36" in told.value.message
    assert "export-credentials" in told.value.remedy


def test_up_asks_before_it_begins(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, 4)
    run: Any = SimpleNamespace(clients=clients, graph=build(clients))
    with pytest.raises(MissingError, match="end in 4 minutes"):
        preflight.world(run, Selection(("litellm.proxy",)))


def test_down_asks_before_it_begins(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.there = {"infra.network"}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "x")
    ends(monkeypatch, 4)
    answer = shell("down", "--yes")
    assert (answer.code, world.there) == (3, {"infra.network"})
    assert "genai down may need" in answer.err


def test_credentials_that_last_are_taken(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, 90)
    preflight.credentials(clients, 24, "genai up")


def test_credentials_whose_end_nobody_knows_are_taken(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CREDENTIAL_EXPIRATION", raising=False)
    preflight.credentials(clients, 24, "genai up")


def test_credentials_that_a_program_renews_are_taken(clients: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=16)).isoformat()
    answer = f'{{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "{soon}"}}'
    (tmp_path / "answer").write_text(answer)
    (tmp_path / "config").write_text(f"[profile day]\ncredential_process = cat {tmp_path / 'answer'}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "day")
    preflight.credentials(clients, 24, "genai up")


@pytest.mark.parametrize(
    ("profile", "token", "refused"),
    [
        ("sso_start_url = https://acme.example.com/start\nsso_region = eu-west-1", {}, True),
        ("sso_session = acme", {}, True),
        ("sso_session = acme", {"refreshToken": "r"}, False),
        ("sso_session = acme", None, False),
    ],
    ids=["without a session", "not renewed", "renewed without a person", "signed out"],
)
def test_a_sign_in_of_identity_center_that_ends_before_the_run(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, profile: str, token: dict[str, str] | None, refused: bool
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "day")
    session = "[sso-session acme]\nsso_start_url = https://acme.example.com/start\nsso_region = eu-west-1\n"
    (tmp_path / "config").write_text(f"{session}[profile day]\nsso_account_id = 123456789012\nsso_role_name = admin\n{profile}\n")
    if token is not None:
        named = "acme" if "sso_session" in profile else "https://acme.example.com/start"
        cache = tmp_path / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        end = (datetime.now(UTC) + timedelta(minutes=20, seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = {"accessToken": "a", "expiresAt": end, **token}
        (cache / f"{hashlib.sha1(named.encode(), usedforsecurity=False).hexdigest()}.json").write_text(json.dumps(content))
    if not refused:
        preflight.credentials(clients, 24, "genai up")
        return
    with pytest.raises(MissingError, match="end in 20 minutes") as told:
        preflight.credentials(clients, 24, "genai up")
    assert "aws sso login" in told.value.remedy


def test_a_run_is_expected_to_take_what_it_usually_took_here(clients: Clients, tmp_path: Path) -> None:
    graph, usually = build(clients), replace(clients.target, folder=tmp_path)
    ids = ("infra.network", "infra.cluster")
    typical = preflight.minutes(clients, graph, ids)
    events: list[dict[str, Any]] = [{"event": "run.started"}]
    for id in ids:
        events.append({"event": "step.started", "step": id, "action": "apply", "found": "absent"})
        events.append({"event": "step.finished", "step": id, "outcome": "done", "seconds": 1800.0})
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    assert preflight.minutes(Clients(usually), graph, ids) == 60.0 != typical
