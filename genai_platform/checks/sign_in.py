"""sign_in.*: people are sent to Entra ID, come back to the right address, and only those who are configured are let in."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs, urlsplit

from genai_platform.advice import advice, genai
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed
from genai_platform.config.sign_in import FREE_SEATS
from genai_platform.render import sign_in as render
from genai_platform.tools import sign_in

_AGAIN = advice("run: {}", genai("up"))
_TOO_MANY = "SSO for more than"


def checks(platform: Platform) -> list[Check]:
    """One for each tool that people sign in to with Entra ID."""
    looks = {"litellm": _litellm, "langfuse": _langfuse}
    return [FunctionCheck(f"sign_in.{tool}", 60, partial(looks[tool], platform)) for tool in render.tools(platform.settings)]


def _litellm(platform: Platform) -> Outcome:
    answer = sign_in.litellm(platform.browser("litellm"))
    if answer.status_code == 403 and _TOO_MANY in answer.text:
        return failed(
            f"LiteLLM refuses everybody: its open edition signs people in while it knows at most {FREE_SEATS} users, and callers of API"
            " Management are users, too",
            advice("remove callers or users, or set a license of LiteLLM; see docs, sign-in; who there is: {}", genai("keys list")),
        )
    if "location" not in answer.headers:
        return failed(f"LiteLLM answers {answer.status_code} instead of a redirect to Entra ID", _AGAIN)
    return _judged(platform, "litellm", answer.headers["location"])


def _langfuse(platform: Platform) -> Outcome:
    settings, browser = platform.settings.langfuse, platform.browser("langfuse")
    url, password = sign_in.langfuse(browser), platform.secrets().langfuse_user_password
    if not settings.passwords and sign_in.langfuse_password(browser, settings.user_email, password) == 200:
        return failed("the first user's password still opens Langfuse, though password sign-in is closed", _AGAIN)
    return _judged(platform, "langfuse", url, "" if settings.passwords else "; passwords open nothing")


def _judged(platform: Platform, tool: str, url: str, more: str = "") -> Outcome:
    """Compare where a browser is sent with the application, and the application with the configuration."""
    target, own = platform.clients.target, platform.inventory().sign_in(tool)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    page = url.partition("?")[0]
    wanted = f"{target.endpoints.azure.authority.rstrip('/')}/{platform.settings.azure.tenant_id}/oauth2/v2.0/authorize"
    redirect = render.redirect_uri(tool, platform.address(tool))
    differs = [
        f"{what} '{seen}' instead of '{right}'"
        for what, seen, right in (
            ("the page", page, wanted),
            ("client_id", asked.get("client_id"), own.client_id),
            ("redirect_uri", asked.get("redirect_uri"), redirect),
        )
        if seen != right
    ]
    if differs:
        return failed(f"people are sent to Entra ID with {', '.join(differs)}", _AGAIN)
    if own.faults:
        return failed("; ".join(own.faults), _AGAIN)
    return passed(
        f"people are sent to Entra ID and come back to {redirect}; the application requires an assignment, and exactly the {own.assigned}"
        f" configured groups and people have one (nobody was signed in: that needs a person){more}"
    )
