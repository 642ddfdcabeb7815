"""People sign in to LiteLLM's own page with Entra ID, in a real browser: on the session's platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import Browser, browser
from tests.end_to_end.conftest import Platform


def sign_in(page: Browser, litellm: str, person: str) -> None:
    page.open(f"{litellm}/ui/login")
    page.press("Login with SSO")
    page.type("input[name=login]", person)
    page.press("Sign in")


@pytest.fixture
def litellm(platform: Platform) -> str:
    return str(platform.run("status").document["endpoints"]["litellm"])


def test_who_is_assigned_is_signed_in_and_nobody_else(platform: Platform, litellm: str, tmp_path: Path) -> None:
    with browser(tmp_path / "anna") as page:
        sign_in(page, litellm, "anna@example.com")
        page.until(lambda: page.address.startswith(f"{litellm}/ui/"), "LiteLLM's page")
        page.shows("anna@example.com")
    with browser(tmp_path / "stranger") as page:
        sign_in(page, litellm, "stranger@example.com")
        page.shows("AADSTS50105")
        assert not page.address.startswith(litellm)


def test_verify_sees_it(platform: Platform) -> None:
    assert platform.verify("sign_in").checks["sign_in.litellm"]["status"] == "pass"
