"""The platform's secrets against an AWS in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from genai_platform.config.models import BedrockModel
from genai_platform.engine.step import State
from genai_platform.errors import MissingError, StepError
from genai_platform.steps.infra.secrets import SecretsStep
from tests.tools.aws_world import Quiet, secret_container, world


def test_secrets_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-1"})
        secret_container(clients)
        assert step.observe().state is State.ABSENT
        assert "written" in step.apply(Quiet())
        first = clients.secrets()
        assert step.observe().state is State.PRESENT
        assert "as it was" in step.apply(Quiet())
        assert clients.secrets() == first


def test_a_new_key_in_the_environment_is_drift_and_changes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        secret_container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key-1"}).apply(Quiet())
        before = clients.secrets()
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-2"})
        assert step.observe().state is State.DRIFTED
        step.apply(Quiet())
        assert clients.secrets().upstream_keys["AZURE_API_KEY"].get_secret_value() == "key-2"
        assert clients.secrets().litellm_salt_key == before.litellm_salt_key
        assert SecretsStep(clients, {}).observe().state is State.PRESENT


def test_a_key_that_is_nowhere_is_named_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        secret_container(clients)
        with pytest.raises(MissingError, match="AZURE_API_KEY"):
            SecretsStep(clients, {}).apply(Quiet())
        assert clients.aws.secret_document() is None


def test_without_its_container_the_step_names_the_one_that_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients, pytest.raises(StepError) as caught:
        SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
    assert "infra.storage" in str(caught.value.remedy)


def test_foreign_entries_survive_and_no_value_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        secret_container(clients)
        clients.aws.client("secretsmanager").put_secret_value(SecretId=clients.aws.secret_name, SecretString='{"of_tomorrow": 1}')
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-1"})
        assert step.observe().state is State.DRIFTED
        step.apply(Quiet())
        document = clients.aws.secret_document()
        assert document is not None
        assert document["of_tomorrow"] == 1
        assert document["redis_token"] not in repr(clients.secrets())


BEDROCK = BedrockModel(name="nova", provider="bedrock", model="amazon.nova-lite-v1:0", region="us-east-1")


@pytest.mark.parametrize("other", [None, BEDROCK], ids=["entra", "bedrock"])
def test_a_key_that_no_model_reads_goes_once_models_are_asked_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: BedrockModel | None
) -> None:
    with world(tmp_path, monkeypatch) as clients:
        secret_container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key-1"}).apply(Quiet())
        litellm = clients.target.settings.litellm
        models = (other,) if other else tuple(one.model_copy(update={"auth": "entra"}) for one in litellm.models)
        settings = clients.target.settings.model_copy(update={"litellm": litellm.model_copy(update={"models": models})})
        clients.target = replace(clients.target, settings=settings)
        step = SecretsStep(clients, {"AZURE_API_KEY": "key-1"})
        assert step.observe().evidence.endswith("holds AZURE_API_KEY, which no model reads")
        step.apply(Quiet())
        assert step.observe().state is State.PRESENT
        assert "key-1" not in str(clients.aws.secret_document())
