"""Entra ID's sign-in: OAuth 2.0 authorization code flow with PKCE, ID tokens and refresh tokens, for people of the directory.

The page asks who it is and no more. What Entra refuses before it may send the browser back, it says on its own page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from genai_platform.sandbox.azure.entra_errors import Refused
from genai_platform.sandbox.azure.entra_person_tokens import assigned, holders
from genai_platform.sandbox.azure.tenancy import Directory

_CODE_SECONDS = 600
"""Microsoft identity platform, authorization code flow: a code expires after about ten minutes."""
_REFRESH_SECONDS = 90 * 86400
_KINDS = ("web", "spa", "publicClient")
Grant = dict[str, Any]


def page(directory: Directory, request: Request, login: str | None) -> Response:
    """``GET`` and ``POST …/oauth2/v2.0/authorize``.

    Args:
        login: the name that was given on the page; None while nobody was asked.
    """
    asked = request.query_params
    try:
        application = _application(directory, asked.get("client_id", ""))
        redirect = asked.get("redirect_uri", "")
        kind = redirect_kind(application, redirect)
    except Refused as refused:
        return _failed(refused)
    try:
        _allowed(asked, kind)
    except Refused as refused:
        return _back(asked, {"error": refused.name, "error_description": str(refused)})
    if login is None:
        if asked.get("prompt") == "none":
            text = "AADSTS50058: A silent sign-in request was sent but no user is signed in."
            return _back(asked, {"error": "login_required", "error_description": text})
        return _form(directory, application, asked.get("login_hint", ""))
    person = directory.find("users", "userPrincipalName", login)
    if person is None:
        return _form(directory, application, login, "This username may be incorrect. Make sure you typed it correctly.")
    try:
        _assigned(directory, application, person)
    except Refused as refused:
        return _failed(refused)
    grant = {
        "client": application["appId"], "person": person["id"], "redirect": redirect, "kind": kind, "scope": asked.get("scope", ""),
        "nonce": asked.get("nonce"), "challenge": asked.get("code_challenge"), "method": asked.get("code_challenge_method", "plain"),
        "until": time.time() + _CODE_SECONDS,
    }  # fmt: skip
    code = secrets.token_urlsafe(40)
    directory.put("authorizationCodes", _digest(code), grant)
    return _back(asked, {"code": code, "session_state": secrets.token_hex(8)})


def redeemed(directory: Directory, application: dict[str, Any], form: dict[str, str]) -> Grant:
    """What a code was given for; it is good for one time. Raises ``Refused``."""
    id = _digest(form.get("code", ""))
    grant = directory.get("authorizationCodes", id)
    if grant is None or grant["client"] != application["appId"]:
        raise Refused("invalid_grant", 70000, "The provided value for the 'code' parameter is not valid.")
    if grant.get("used"):
        raise Refused("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code.")
    if time.time() > grant["until"]:
        raise Refused("invalid_grant", 70008, "The provided authorization code has expired. Send a new interactive authorization request.")
    if form.get("redirect_uri") != grant["redirect"]:
        text = f"The reply address '{form.get('redirect_uri')}' does not match the reply address '{grant['redirect']}' provided when"
        raise Refused("invalid_grant", 500112, f"{text} requesting Authorization code.")
    if grant["challenge"] and not _proves(form.get("code_verifier", ""), grant):
        text = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
        raise Refused("invalid_grant", 501481, text)
    directory.put("authorizationCodes", id, {**grant, "used": True})
    return grant


def refresh_token(directory: Directory, grant: Grant) -> str:
    """A token to go on with, without asking the person again."""
    token = secrets.token_urlsafe(40)
    directory.put("refreshTokens", _digest(token), {**grant, "nonce": None, "until": time.time() + _REFRESH_SECONDS})
    return token


def refreshed(directory: Directory, application: dict[str, Any], form: dict[str, str]) -> Grant:
    """What a refresh token was given for. Raises ``Refused``."""
    grant = directory.get("refreshTokens", _digest(form.get("refresh_token", "")))
    if grant is None or grant["client"] != application["appId"] or time.time() > grant["until"]:
        raise Refused("invalid_grant", 700082, "The refresh token has expired due to inactivity or is not valid.")
    _assigned(directory, application, directory.get("users", grant["person"]) or {"id": grant["person"]})
    return grant


def redirect_kind(application: dict[str, Any], redirect: str) -> str:
    """Under which of its platforms (web, spa, publicClient) an application has a redirect address. Raises ``Refused``."""
    held = {kind: list((application.get(kind) or {}).get("redirectUris") or ()) for kind in _KINDS}
    if not any(held.values()):
        raise Refused("invalid_request", 500113, "No reply address is registered for the application.")
    for kind, addresses in held.items():
        if redirect in addresses or (kind == "publicClient" and _without_port(redirect) in addresses):
            return kind
    text = f"The redirect URI '{redirect}' specified in the request does not match the redirect URIs configured for the application"
    raise Refused("invalid_request", 50011, f"{text} '{application['appId']}'.")


def _without_port(address: str) -> str:
    """``http://localhost`` counts for every port ("Redirect URI restrictions", localhost exceptions)."""
    parts = urlsplit(address)
    return f"http://localhost{parts.path}" if parts.scheme == "http" and parts.hostname == "localhost" else address


def _application(directory: Directory, client_id: str) -> dict[str, Any]:
    found = directory.find("applications", "appId", client_id)
    if found is None or directory.find("servicePrincipals", "appId", client_id) is None:
        text = f"Application with identifier '{client_id}' was not found in the directory '{directory.tenant}'."
        raise Refused("unauthorized_client", 700016, text)
    return found


def _allowed(asked: Any, kind: str) -> None:
    if asked.get("response_type") != "code":
        text = f"response_type '{asked.get('response_type')}' is not enabled for the application."
        raise Refused("unsupported_response_type", 700054, text)
    if "openid" not in asked.get("scope", "").split():
        raise Refused("invalid_request", 900144, "The request body must contain the following parameter: 'scope' with 'openid'.")
    if kind == "spa" and not asked.get("code_challenge"):
        raise Refused("invalid_request", 9002325, "Proof Key for Code Exchange is required for cross-origin authorization code redemption.")


def _assigned(directory: Directory, application: dict[str, Any], person: dict[str, Any]) -> None:
    principal = directory.find("servicePrincipals", "appId", application["appId"]) or {}
    if principal.get("appRoleAssignmentRequired") and not assigned(directory, application, holders(person)):
        text = f"Your administrator has configured the application {application.get('displayName')} ('{application['appId']}') to block"
        text += " users unless they are specifically granted ('assigned') access to the application. The signed in user"
        text += f" '{person.get('userPrincipalName')}' is blocked because they are not a direct member of a group with access,"
        raise Refused("access_denied", 50105, text + " nor had access directly assigned by an administrator.")


def _proves(verifier: str, grant: Grant) -> bool:
    shown = verifier
    if grant["method"] == "S256":
        shown = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(shown, str(grant["challenge"]))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# -- pages ----------------------------------------------------------------------------------------------
def _back(asked: Any, values: dict[str, str]) -> Response:
    """To the application, by the way that it asked for."""
    values = {**values, **({"state": asked["state"]} if "state" in asked else {})}
    redirect, mode = asked.get("redirect_uri", ""), asked.get("response_mode", "query")
    if mode == "form_post":
        fields = "".join(f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">' for name, value in values.items())
        form = f'<form method="post" action="{html.escape(redirect)}">{fields}<button>Continue</button></form>'
        return HTMLResponse(_document("Working...", f"{form}<script>document.forms[0].submit()</script>"))
    mark = "#" if mode == "fragment" else "&" if "?" in redirect else "?"
    return RedirectResponse(redirect + mark + urlencode(values), 302)


def _form(directory: Directory, application: dict[str, Any], login: str, fault: str = "") -> Response:
    names = "".join(f'<option value="{html.escape(one["userPrincipalName"])}">' for one in directory.all("users"))
    field = f'<input type="email" name="login" list="people" value="{html.escape(login)}" autofocus required aria-label="Account">'
    said = f'<p role="alert">{html.escape(fault)}</p>' if fault else ""
    to = f"<p>to continue to {html.escape(str(application.get('displayName')))}</p>"
    form = f'<form method="post">{field}<datalist id="people">{names}</datalist><button type="submit">Sign in</button></form>'
    return HTMLResponse(_document("Sign in", to + said + form))


def _failed(refused: Refused) -> Response:
    text = "Sorry, but we’re having trouble signing you in."
    return HTMLResponse(_document("Sign in", f"<p>{text}</p><p>{html.escape(str(refused))}</p>"), 400)


def _document(title: str, body: str) -> str:
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><body><h1>{title}</h1>{body}</body></html>'


async def given(request: Request) -> str | None:
    """The name that was typed in on the page."""
    if request.method != "POST":
        return None
    return parse_qs((await request.body()).decode()).get("login", [""])[0].strip()
