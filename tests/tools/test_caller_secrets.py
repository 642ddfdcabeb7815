"""Client secrets of callers in few documents: none is lost, whatever fails, and none outgrows its document."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pydantic import SecretStr

from genai_platform.tools.aws.caller_secrets import CallerSecrets, Password, StoredCaller


class SecretsManager:
    """AWS Secrets Manager with its limit, and a switch that makes writing fail."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.fails = False
        self.order: list[str] = []

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        if SecretId not in self.documents:
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": self.documents[SecretId]}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        self.get_secret_value(SecretId)
        self.create_secret(SecretId, SecretString)

    def create_secret(self, Name: str, SecretString: str, **more: Any) -> None:
        if self.fails:
            raise ConnectionError("gone")
        assert len(SecretString) <= 65536
        self.documents[Name] = SecretString
        self.order.append(Name)


class Aws:
    def __init__(self) -> None:
        self.secrets = SecretsManager()

    target = type("Target", (), {"prefix": "genai", "tags": {}})()

    def client(self, name: str) -> SecretsManager:
        return self.secrets


@pytest.fixture
def aws() -> Aws:
    return Aws()


def store(aws: Aws) -> CallerSecrets:
    return CallerSecrets(cast(Any, aws))


def kept(name: str, passwords: int = 1) -> StoredCaller:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    return StoredCaller(f"{name:>036}", tuple(Password(f"{n:>036}", SecretStr("s" * 40), until) for n in range(passwords)))


def filled(aws: Aws, names: list[str]) -> CallerSecrets:
    first = store(aws)
    for name in names:
        first.put(name, kept(name))
    return first


def test_everybody_may_get_more_client_secrets(aws: Aws) -> None:
    names = [f"team-{number}" for number in range(300)]
    first = filled(aws, names)
    for name in names:
        first.put(name, kept(name, 3))
    assert store(aws).read() == {name: kept(name, 3) for name in names}


def test_a_caller_that_moves_is_written_to_its_new_place_first(aws: Aws) -> None:
    names = [f"team-{number}" for number in range(150)]
    first = filled(aws, names)
    assert set(aws.secrets.documents) == {"genai/callers"}
    for name in names:
        aws.secrets.order.clear()
        first.put(name, kept(name, 3))
        if len(aws.secrets.order) > 1:
            assert aws.secrets.order == ["genai/callers-2", "genai/callers"]
            return
    pytest.fail("no caller moved")


def test_nobody_takes_a_failed_write_for_done(aws: Aws) -> None:
    first = filled(aws, ["team-0"])
    aws.secrets.fails = True
    refused: list[str] = []

    def put(name: str) -> None:
        try:
            first.put(name, kept(name))
        except Exception:
            refused.append(name)

    threads = [threading.Thread(target=put, args=(f"team-{number}",)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8
    aws.secrets.fails = False
    first.put("team-9", kept("team-9"))
    assert set(store(aws).read()) >= {"team-0", "team-9"}


def test_what_is_forgotten_is_gone(aws: Aws) -> None:
    filled(aws, ["team-a", "team-b"]).forget(["team-a", "team-x"])
    assert set(store(aws).read()) == {"team-b"}


def test_values_are_in_no_representation() -> None:
    assert "ssss" not in repr(kept("team-a"))
