"""Settings of signing in: what contradicts what, and that nothing changes without them."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.config.settings import Settings
from genai_platform.config.sign_in import contradictions

GROUP = "5a5a5a5a-1111-2222-3333-444444444444"
RIGHT: dict[str, Any] = {"litellm": {"sign_in": "entra"}, "azure": {"enabled": True}, "sign_in": {"groups": [GROUP]}}


def told(**changes: Any) -> list[str]:
    return [f"{'.'.join(map(str, path))}: {text}" for path, text in contradictions(RIGHT | changes)]


def test_what_fits_is_no_fault() -> None:
    assert told() == []
    assert told(sign_in={"people": ["Anna@example.com"], "litellm_roles": {"anna@example.com": "proxy_admin"}}) == []
    assert list(contradictions({})) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"azure": {}}, "azure.enabled = true"),
        ({"ingress": {"tls": "none"}}, "https"),
        ({"sign_in": {}}, "nobody could sign in"),
        ({"sign_in": {"groups": [GROUP], "litellm_roles": {"b@example.com": "proxy_admin"}}}, "sign_in.litellm_roles.b@example.com"),
        ({"langfuse": {"password_sign_in": False}}, "no way to sign in"),
    ],
)
def test_what_contradicts_is_told(changes: dict[str, Any], words: str) -> None:
    (fault,) = told(**changes)
    assert words in fault


@pytest.mark.parametrize(
    ("langfuse", "passwords"),
    [({}, True), ({"sign_in": "entra"}, False), ({"sign_in": "entra", "password_sign_in": True}, True)],
)
def test_passwords_open_langfuse_until_people_sign_in_with_entra_id(langfuse: dict[str, Any], passwords: bool) -> None:
    assert Settings.model_validate({"langfuse": langfuse}).langfuse.passwords is passwords
