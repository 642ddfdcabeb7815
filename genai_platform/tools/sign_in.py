"""How LiteLLM and Langfuse begin to sign somebody in: as a browser asks for it, and with no person behind it."""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from genai_platform.errors import StepError, Unreachable

_LANGFUSE = "/api/auth/signin/azure-ad"


def litellm(http: httpx.Client) -> httpx.Response:
    """LiteLLM's answer to "Login with SSO": a redirect to Entra ID, or why there is none."""
    return _send(http, "GET", "/sso/key/generate")


def langfuse(http: httpx.Client) -> str:
    """Where Langfuse sends a browser that chose Entra ID (NextAuth, "REST API"). Raises ``StepError``."""
    answer = _form(http, _LANGFUSE)
    url = _document(answer).get("url")
    if answer.status_code != 200 or not isinstance(url, str):
        raise StepError(f"{_LANGFUSE} answered {answer.status_code} without an address", id="sign_in.no_address")
    return url


def langfuse_password(http: httpx.Client, email: str, password: SecretStr) -> int:
    """Status of a sign-in with a password: 200 where it opens, 401 where it does not."""
    return _form(http, "/api/auth/callback/credentials", email=email, password=password.get_secret_value()).status_code


def _form(http: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """A form of the sign-in page, with its token against forgery; the answer is JSON in place of a redirect."""
    token = _document(_send(http, "GET", "/api/auth/csrf")).get("csrfToken", "")
    return _send(http, "POST", path, {"csrfToken": str(token), "callbackUrl": str(http.base_url), "json": "true", **fields})


def _send(http: httpx.Client, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
    try:
        return http.request(method, path, data=form)
    except httpx.HTTPError as error:
        raise Unreachable(f"{path} could not be reached: {type(error).__name__}", id="sign_in.unreachable") from None


def _document(answer: httpx.Response) -> dict[str, object]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
