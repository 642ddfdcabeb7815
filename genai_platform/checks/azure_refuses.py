"""azure.refuses.*: what API Management must not let through, one check a row.

Where a row needs a token that Entra ID never signs, the tokens come from the control routes; each is tried next to a control
token that differs in that one point only, so that a refusal for another reason does not count. Real clouds have no such
routes: there two applications made for checks get tokens that come as near as Entra ID allows, and where it allows none
the row is skipped, and what the deployed policy demands is read back instead.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr

from genai_platform.advice import advice, genai, joined, run_genai
from genai_platform.checks.azure_platform import AzurePlatform
from genai_platform.checks.azure_policy import Deployed
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, failed, passed, skipped
from genai_platform.errors import StepError
from genai_platform.render import gateway
from genai_platform.render.addresses import GATEWAY
from genai_platform.render.policy import APP_ROLE, FOREIGN_KEY_HEADERS
from genai_platform.tools import http
from genai_platform.tools.azure import token

ADMIN_ROUTES = ("/key/generate", "/v1/access_group", "/v1/tool/policy", "/user/new", "/v1/agents", "/v1/files")
_CHAT, _MODELS = "/v1/chat/completions", "/v1/models"
_APPLY = advice(
    "the policy or the API differs from what was deployed; run: {}, then {}", genai("azure"), genai("verify --only 'azure.refuses.*'")
)
_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{12,}")
_DEADLINE = 45.0
_PATIENCE = 30.0
"""Seconds for a token; less than the check has, so that it ends with what Entra ID said."""


def checks(view: AzurePlatform) -> list[Check]:
    """One check a row of the matrix."""
    rows = (
        no_token, garbage, expired, audience, tenant, role, no_key, vault_down, admin_routes, subscription_key, foreign_headers, direct,
    )  # fmt: skip
    return [FunctionCheck(f"azure.refuses.{row.__name__}", _DEADLINE, partial(row, view)) for row in rows]


# -- rows that every world can run --------------------------------------------------------------------
def no_token(view: AzurePlatform) -> Outcome:
    return _all(view, {"no token": {}, "an empty Authorization": {"Authorization": ""}}, 401)


def garbage(view: AzurePlatform) -> Outcome:
    head, body, signature = view.token().get_secret_value().split(".")
    broken = signature[:-8] + ("A" * 8 if not signature.endswith("A" * 8) else "B" * 8)
    cases = {
        "garbage": _bearer("garbage"),
        "a broken signature": _bearer(f"{head}.{body}.{broken}"),
        "no signature": _bearer(f"{head}.{body}."),
        "another scheme": {"Authorization": "Basic Z2FyYmFnZTpnYXJiYWdl"},
    }
    return _all(view, cases, 401)


def admin_routes(view: AzurePlatform) -> Outcome:
    """LiteLLM's own routes, with a valid token: the gateway itself says 404."""
    configured = {route.split(" ", 1)[1] for route in view.settings.apim.routes if route.startswith("POST ")}
    routes = [route for route in ADMIN_ROUTES if route not in configured]
    headers, wrong = _bearer(view.token()), []
    for route in routes:
        answer = _send(view, "POST", route, headers, {})
        # A 404 that LiteLLM gives would mean that the request went through; the gateway's own names its statusCode.
        if answer.status_code != 404 or _document(answer).get("statusCode") != 404:
            passed_on = answer.status_code == 404
            wrong.append(f"POST {route} gets {answer.status_code}{' from behind the gateway' if passed_on else ''}")
    if wrong:
        return failed("; ".join(wrong), joined("the API has more operations than it should", _APPLY))
    return passed(f"404: {', '.join(routes)}")


def subscription_key(view: AzurePlatform) -> Outcome:
    """An invalid key in the default header is not looked at."""
    headers = _bearer(view.token()) | {"Ocp-Apim-Subscription-Key": uuid.uuid4().hex}
    answer = _send(view, "GET", _MODELS, headers)
    if answer.status_code != 200:
        hint = joined("the API still reads the default key header" if answer.status_code == 401 else "", _APPLY)
        return failed(f"a bogus Ocp-Apim-Subscription-Key together with a valid token gets {answer.status_code}", hint)
    return passed("a bogus Ocp-Apim-Subscription-Key together with a valid token gets 200")


def foreign_headers(view: AzurePlatform) -> Outcome:
    """Every header from which LiteLLM would read a key, with and without a token, with a made-up and with a valid key."""
    token, litellm = _bearer(view.token()), view.platform.litellm()
    alias = f"genai-verify-{uuid.uuid4()}"
    valid = litellm.create_key(alias, view.platform.chat_models[:1], duration="5m", max_budget=0.01).get_secret_value()
    try:
        cases: dict[str, dict[str, str]] = {}
        for name in FOREIGN_KEY_HEADERS:
            cases[f"{name} alone"] = {name: valid}
            cases[f"{name} together with a valid token"] = token | {name: f"sk-{uuid.uuid4().hex}"}
            cases[f"{name} with a valid key together with a valid token"] = token | {name: valid}
        return _all(view, cases, 400)
    finally:
        litellm.delete_keys([alias])


def direct(view: AzurePlatform) -> Outcome:
    """Past API Management: its port at the load balancer, without its header. LiteLLM itself would say 401."""
    wrong = []
    with http.client(view.platform.clients.target, view.platform.address(GATEWAY), timeout=10) as client:
        for what, headers in {"no header": {}, "a made-up header": {gateway.HEADER: uuid.uuid4().hex}}.items():
            try:
                status = client.get(_MODELS, headers=headers).status_code
            except httpx.TransportError:
                continue  # this address is not admitted at all: that is a refusal, too
            if status != 404:
                wrong.append(f"{what} gets {status}")
    if wrong:
        hint = advice("the load balancer's rule does not demand the header; run: {}", genai("azure --only ingress"))
        return failed(f"{'; '.join(wrong)} at API Management's own port; expected 404", hint)
    return passed("404 or no connection: no header, a made-up header")


# -- rows that need tokens nobody signs ------------------------------------------------------------------
def expired(view: AzurePlatform) -> Outcome:
    now = int(time.time())
    changes = {"a token that expired an hour ago": {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}}
    return _signed(view, changes, "Entra ID signs no expired token", Deployed.expiry)


def audience(view: AzurePlatform) -> Outcome:
    if view.control() is None:
        what = "a token of the same tenant for another application"
        return _issued(view, "role", what, 401, lambda policy: policy.audience(view.expected()), own=True)
    changes = {"another audience": {"aud": str(uuid.uuid4())}, "the Graph's audience": {"aud": "https://graph.microsoft.com"}}
    return _signed(view, changes, "", lambda policy: policy.audience(view.expected()))


def tenant(view: AzurePlatform) -> Outcome:
    expected, mine, other = view.expected().issuer, view.client().tenant_id, str(uuid.uuid4())
    changes = {
        "another tenant": {"iss": expected.replace(mine, other), "tid": other},
        "the v1 issuer": {"iss": f"https://sts.windows.net/{mine}/"},
    }
    return _signed(view, changes, "it needs an application in another tenant", lambda policy: policy.tenant(view.expected()))


def role(view: AzurePlatform) -> Outcome:
    if view.control() is None:
        return _issued(view, "role", "a token with another role of the API", 401, lambda policy: policy.role())
    changes: dict[str, dict[str, Any]] = {
        "no role": {"roles": None},
        "another role": {"roles": ["Genai.Other"]},
        "a person's token": {"roles": None, "scp": "Genai.Call", "idtyp": "user"},
    }
    return _signed(view, changes, "", lambda policy: policy.role())


def no_key(view: AzurePlatform) -> Outcome:
    """A valid token and the role, but nothing in the vault: 403, and no key of anybody else."""
    if not view.per_caller:
        return skipped("all callers share one key (azure.apim.keys is shared)")
    control = view.control()
    if control is None:
        return _issued(view, "key", "a caller without a key", 403, lambda policy: policy.verdict("denied", 403))
    return _all(view, {"a caller without a key": _bearer(control.sign(_claims(view)))}, 403)


def vault_down(view: AzurePlatform) -> Outcome:
    """The vault cannot be read: 503, and the failure is not remembered."""
    if not view.per_caller:
        return skipped("all callers share one key (azure.apim.keys is shared)")
    control = view.control()
    if control is None:
        return _read_back(view, "no vault fails on demand", lambda policy: policy.verdict("unavailable", 503))
    claims, again = _claims(view), _claims(view)
    headers, later = _bearer(control.sign(claims)), _bearer(control.sign(again))
    secrets = [f"litellm-{entry['azp']}" for entry in (claims, again)]
    for secret in secrets:
        control.fail(secret, 60)
    try:
        outcome = _all(view, {"a vault that cannot be read": headers}, 503)
        # Once only: LiteLLM would refuse what was stored for a failure, and with that the gateway forgets it.
        first = _send(view, "GET", _MODELS, later).status_code
    finally:
        for secret in secrets:
            control.fail(secret, 0)
    if outcome.status != "pass":
        return outcome
    after = _send(view, "GET", _MODELS, later).status_code
    if (first, after) != (503, 403):  # this caller has no key: the vault was asked again and said so
        return failed(f"once the vault is back, the same caller gets {after}, expected 403", joined("the failure was remembered", _APPLY))
    return passed(f"{outcome.evidence}; the vault is asked again once it is back")


def _claims(view: AzurePlatform, **changed: Any) -> dict[str, Any]:
    """Claims that the policy accepts, of a caller nobody knows."""
    expected, caller = view.expected(), str(uuid.uuid4())
    claims = {"iss": expected.issuer, "aud": expected.audience, "tid": view.client().tenant_id, "ver": "2.0", "roles": [APP_ROLE]}
    claims |= {**dict.fromkeys(("azp", "oid", "sub"), caller), **changed}
    return {name: value for name, value in claims.items() if value is not None}


def _signed(view: AzurePlatform, changes: Mapping[str, Mapping[str, Any]], reason: str, read: Callable[[Deployed], str | None]) -> Outcome:
    control = view.control()
    if control is None:
        return _read_back(view, reason, read)
    allowed = _send(view, "GET", _MODELS, _bearer(control.sign(_claims(view))))
    if allowed.status_code == 401:
        return failed("a token that differs in nothing is refused, too: 401", joined("the policy refuses every token", _APPLY))
    return _all(view, {what: _bearer(control.sign(_claims(view, **change))) for what, change in changes.items()}, 401)


def _issued(
    view: AzurePlatform, name: str, what: str, wanted: int, read: Callable[[Deployed], str | None], *, own: bool = False
) -> Outcome:
    """The same with a token that Entra ID does issue, to an application that is there for checks.

    Args:
        own: a token for that application itself instead of one for the API.
    """
    client = view.inventory().check_application(name)
    if client is None or client.secret is None:
        return _read_back(view, "there is no application for checks (genai azure --only check_applications makes it)", read)
    allowed = _send(view, "GET", _MODELS, _bearer(view.token()))
    if allowed.status_code == 401:
        return failed("a caller's own token is refused, too: 401", joined("the policy refuses every token", _APPLY))
    # For itself an application gets a token under its GUID only (AADSTS90009).
    scope = f"{client.client_id}/.default" if own else client.scope
    found = token.fetch(view.platform.clients.target, client.tenant_id, client.client_id, client.secret, scope, _PATIENCE)
    return _all(view, {what: _bearer(found)}, wanted)


def _read_back(view: AzurePlatform, reason: str, read: Callable[[Deployed], str | None]) -> Outcome:
    """Nothing can be sent here; the policy must at least say what it should."""
    try:
        wrong = read(Deployed(view.inventory().policy()))
    except ValueError as error:
        wrong = str(error)
    if wrong:
        return failed(f"read from the deployed policy: {wrong}", _APPLY)
    return skipped(f"cannot be provoked here: {reason}; the deployed policy was read back and demands it")


# -- the wire ---------------------------------------------------------------------------------------------
def _all(view: AzurePlatform, cases: Mapping[str, Mapping[str, str]], wanted: int) -> Outcome:
    """Every case gets the wanted status, and no answer shows a key."""
    wrong = []
    for what, headers in cases.items():
        for method, path in (("POST", _CHAT), ("GET", _MODELS)):
            answer = _send(view, method, path, headers, {"model": "none", "messages": []} if method == "POST" else None)
            if answer.status_code != wanted:
                wrong.append(f"{what} ({method} {path}) gets {answer.status_code}")
            elif _KEY.search(answer.text + " ".join(answer.headers.values())):
                wrong.append(f"{what} ({method} {path}): the answer shows a key")
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        return failed("; ".join(wrong[:4]) + f"{more}; expected {wanted}", _APPLY)
    return passed(f"{wanted}: {', '.join(cases) if len(cases) <= 4 else f'{len(cases)} combinations'}")


def _send(view: AzurePlatform, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> httpx.Response:
    try:
        return view.gateway().request(method, path, headers=dict(headers), json=body)
    except httpx.HTTPError as error:
        text = f"API Management could not be reached: {type(error).__name__}"
        raise StepError(text, remedy=run_genai("azure"), id="azure.gateway") from None


def _bearer(token: SecretStr | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.get_secret_value() if isinstance(token, SecretStr) else token}"}


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
