"""What LiteLLM and Langfuse are told for signing in: everything but the secret, which lies in a Kubernetes Secret."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from genai_platform.config.settings import Settings
from genai_platform.errors import NeverBuilt
from genai_platform.render import langfuse, litellm, sign_in
from genai_platform.render.secrets import PlatformSecrets, SignInClient

from .test_langfuse import URL, outputs, target
from .test_litellm_render import DATA

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = SignInClient(
    client_id="client", address="https://litellm.example.com", key_id="0123456789", secret=SecretStr("the-secret"),
    expires=datetime(2030, 1, 1, tzinfo=UTC),
)  # fmt: skip
SECRETS = PlatformSecrets(sign_in={"litellm": CLIENT, "langfuse": CLIENT})
ENTRA = {
    "litellm": {"sign_in": "entra"},
    "langfuse": {"sign_in": "entra"},
    "sign_in": {"people": ["anna@example.com"], "langfuse_role": "MEMBER"},
    "azure": {"enabled": True, "tenant_id": TENANT},
}


def proxy(settings: Settings) -> tuple[str, dict[str, str]]:
    """LiteLLM's deployment as text, and its variables."""
    made = litellm.proxy(settings, DATA, "arn:r", SECRETS)
    deployment = next(one for one in made if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return str(made), {one["name"]: one["value"] for one in container["env"]}


def values(**of_langfuse: Any) -> tuple[str, dict[str, str]]:
    """Langfuse's values as text, and its variables; of the secret one, where it lies."""
    settings = Settings.model_validate(ENTRA | {"langfuse": {"sign_in": "entra", **of_langfuse}})
    text = langfuse.values_text(replace(target(), settings=settings), outputs(), URL, CLIENT)
    found = yaml.safe_load(text)["langfuse"]
    env = {one["name"]: one["value"] if "value" in one else one["valueFrom"]["secretKeyRef"]["key"] for one in found["additionalEnv"]}
    return text, env | {"sign-up disabled": found["features"]["signUpDisabled"]}


def test_litellm_is_told_its_application_and_its_own_address() -> None:
    text, env = proxy(Settings.model_validate(ENTRA))
    assert env["MICROSOFT_CLIENT_ID"] == "client"
    assert env["MICROSOFT_TENANT"] == TENANT
    assert env["PROXY_BASE_URL"] == "https://litellm.example.com"
    assert "the-secret" not in text
    made = litellm.config(Settings.model_validate(ENTRA), DATA, "arn:r", SECRETS)
    secret = next(one for one in made if one["kind"] == "Secret")
    assert base64.b64decode(secret["data"]["MICROSOFT_CLIENT_SECRET"]) == b"the-secret"


def test_without_the_setting_litellm_is_told_nothing() -> None:
    assert not any(name.startswith(("MICROSOFT", "PROXY_BASE")) for name in proxy(Settings())[1])


def test_langfuse_makes_an_account_at_the_first_sign_in_and_no_password_opens_it() -> None:
    text, env = values()
    assert env["AUTH_AZURE_AD_CLIENT_ID"] == "client"
    assert env["AUTH_AZURE_AD_TENANT_ID"] == TENANT
    assert (env["LANGFUSE_DEFAULT_ORG_ID"], env["LANGFUSE_DEFAULT_ORG_ROLE"]) == ("genai", "MEMBER")
    assert env["AUTH_DISABLE_USERNAME_PASSWORD"] == "true"
    assert env["sign-up disabled"] is False
    assert "the-secret" not in text
    kept = langfuse.secret_document(SECRETS, CLIENT)["data"]
    assert base64.b64decode(kept[env["AUTH_AZURE_AD_CLIENT_SECRET"]]) == b"the-secret"


def test_beside_passwords_nobody_signs_up_in_langfuse() -> None:
    _, env = values(password_sign_in=True)
    assert "AUTH_DISABLE_USERNAME_PASSWORD" not in env
    assert env["sign-up disabled"] is True


def test_another_client_secret_makes_other_pods_of_langfuse() -> None:
    assert sign_in.langfuse_key(CLIENT) != sign_in.langfuse_key(CLIENT.model_copy(update={"key_id": "9876543210"}))


def test_the_number_of_free_seats_is_said() -> None:
    callers = {"azure": {"enabled": True, "tenant_id": TENANT, "callers": {"a": {}, "b": {}}}}
    (said,) = sign_in.notices(Settings.model_validate(ENTRA | callers))
    assert "at most 5 users" in said
    assert "2 of them are callers" in said
    assert "3 people may sign in" in said
    assert sign_in.notices(Settings()) == []


def test_an_application_that_was_not_made_is_named_with_the_command_that_makes_it() -> None:
    with pytest.raises(NeverBuilt) as raised:
        sign_in.client(Settings.model_validate(ENTRA), PlatformSecrets(), "litellm")
    assert "azure.sign_in" in str(raised.value.remedy)
