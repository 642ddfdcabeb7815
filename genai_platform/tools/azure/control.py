"""Control routes that a world other than the public clouds may have: tokens with any claims, and secrets that cannot be read."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import SecretStr

from genai_platform.config.target import Target
from genai_platform.errors import StepError
from genai_platform.tools import http


class Control:
    """Made by ``find``."""

    def __init__(self, client: httpx.Client, secret: SecretStr) -> None:
        self._client, self._secret = client, secret

    def sign(self, claims: dict[str, Any]) -> SecretStr:
        """A token with these claims; times are added where they are missing."""
        return SecretStr(str(self._ask("token", {"claims": claims})["access_token"]))

    def fail(self, secret: str, seconds: float) -> None:
        """For so long, reading this secret fails as if its vault were down; 0 ends it."""
        self._ask("unreachable", {"secret": secret, "seconds": seconds})

    def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.post(f"/{what}", json=body, headers={"Authorization": f"Bearer {self._secret.get_secret_value()}"})
            return dict(answer.raise_for_status().json())
        except (httpx.HTTPError, ValueError) as error:
            raise StepError(f"the control route did not answer: {type(error).__name__}", id="azure.probe") from None


def find(target: Target) -> Control | None:
    """The control routes that the endpoints name; None on the public clouds, which have none."""
    endpoints = target.endpoints.azure
    if endpoints.control is None or endpoints.control_secret_file is None:
        return None
    secret = SecretStr(endpoints.control_secret_file.read_text().strip())
    return Control(http.client(target, endpoints.control), secret)
