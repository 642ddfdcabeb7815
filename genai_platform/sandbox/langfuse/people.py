"""Signing in as a person: the routes of NextAuth that a browser and a script use, and the pages around them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.langfuse import azure_ad
from genai_platform.sandbox.langfuse.azure_ad import AzureAd
from genai_platform.sandbox.langfuse.directory import Directory, User

_DAYS_30 = 30 * 24 * 3600
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} | Langfuse</title>
<style>body{{font-family:system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;background:#fafafa;color:#18181b}}
main{{background:#fff;border:1px solid #e4e4e7;border-radius:12px;padding:2.5rem;width:min(22rem,90vw)}}h1{{font-size:1.4rem}}
label{{display:block;margin:1rem 0 .3rem}}input{{width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #d4d4d8;border-radius:6px}}
button{{margin-top:1.5rem;width:100%;padding:.6rem;border:0;border-radius:6px;background:#18181b;color:#fff}}
p.note{{color:#71717a;font-size:.85rem}}p.error{{color:#b91c1c}}</style></head>
<body><main>{body}<p class="note">Langfuse stand-in of the genai sandbox</p></main></body></html>"""


class People:
    """The routes; made once per process."""

    def __init__(
        self, directory: Directory, secret: str, public_url: str, *, sign_up_disabled: bool, home: str,
        passwords: bool = True, entra: AzureAd | None = None,
    ) -> None:  # fmt: skip
        self._directory, self._secret, self._url = directory, secret.encode(), public_url
        self._closed, self._home = sign_up_disabled, home
        self._passwords, self._entra = passwords, entra
        self._secure = public_url.startswith("https://")
        secure, host = ("__Secure-", "__Host-") if self._secure else ("", "")
        self._session_cookie, self._state_cookie = f"{secure}next-auth.session-token", f"{secure}next-auth.state"
        self._csrf_cookie = f"{host}next-auth.csrf-token"

    def routes(self) -> list[Route]:
        return [
            Route("/", self.home),
            Route("/auth/sign-in", self.sign_in),
            Route("/auth/sign-up", self.sign_up_page),
            Route("/project/{id}", self.project_page),
            Route("/api/auth/csrf", self.csrf),
            Route("/api/auth/session", self.session),
            Route("/api/auth/callback/credentials", self.credentials, methods=["POST"]),
            Route(f"/api/auth/signin/{azure_ad.ID}", self.to_entra, methods=["POST"]),
            Route(azure_ad.CALLBACK, self.from_entra),
            Route("/api/auth/signup", self.sign_up, methods=["POST"]),
        ]

    def signed_in(self, request: Request) -> dict[str, Any] | None:
        """The person a request's cookie names, if it is ours and still valid."""
        text, _, mark = request.cookies.get(self._session_cookie, "").partition(".")
        if not mark or not hmac.compare_digest(mark, self._sign(text)):
            return None
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
        return found if found["expires"] > time.time() else None

    # -- pages -------------------------------------------------------------------------------------------
    def home(self, request: Request) -> Response:
        return RedirectResponse(self._home if self.signed_in(request) else "/auth/sign-in", 307)

    def sign_in(self, request: Request) -> Response:
        token, cookie = self._csrf(request)
        said = request.query_params.get("error", "")
        said = "Invalid credentials" if said == "CredentialsSignin" else said
        wrong = f'<p class="error">{html.escape(said)}</p>' if said else ""
        more = "" if self._closed else '<p class="note">No account yet? <a href="/auth/sign-up">Sign up</a></p>'
        field = f'<input type="hidden" name="csrfToken" value="{html.escape(token)}">'
        body = f"<h1>Sign in to your account</h1>{wrong}"
        if self._entra is not None:
            body += f'<form method="post" action="/api/auth/signin/{azure_ad.ID}">{field}<button type="submit">Azure AD</button></form>'
        if self._passwords:
            body += self._password_form(field) + more
        return self._with_csrf(HTMLResponse(_PAGE.format(title="Sign in", body=body)), cookie)

    @staticmethod
    def _password_form(field: str) -> str:
        return (
            f'<form method="post" action="/api/auth/callback/credentials">{field}'
            '<label for="email">Email</label><input id="email" name="email" type="email" autocomplete="username" required>'
            '<label for="password">Password</label>'
            '<input id="password" name="password" type="password" autocomplete="current-password" required>'
            '<button type="submit">Sign in</button></form>'
        )

    def sign_up_page(self, request: Request) -> Response:
        text = "No new accounts can be created: sign up is disabled." if self._closed else "Sign up with POST /api/auth/signup."
        return HTMLResponse(_PAGE.format(title="Sign up", body=f"<h1>Create new account</h1><p>{text}</p>"))

    def project_page(self, request: Request) -> Response:
        found = self.signed_in(request)
        if found is None:
            return RedirectResponse("/auth/sign-in", 307)
        body = (
            f"<h1>Project {html.escape(request.path_params['id'])}</h1><p>Signed in as {html.escape(found['email'])}.</p>"
            "<p>Traces are read through the public API: <code>/api/public/traces</code></p>"
        )
        return HTMLResponse(_PAGE.format(title="Project", body=body))

    # -- routes ------------------------------------------------------------------------------------------
    def csrf(self, request: Request) -> Response:
        token, cookie = self._csrf(request)
        return self._with_csrf(JSONResponse({"csrfToken": token}), cookie)

    def session(self, request: Request) -> Response:
        found = self.signed_in(request)
        if found is None:
            return JSONResponse({})
        expires = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found["expires"]))
        return JSONResponse({"user": {key: found[key] for key in ("id", "email", "name")}, "expires": expires})

    async def credentials(self, request: Request) -> Response:
        form = await _form(request)
        wants_json = form.get("json", "").lower() == "true"
        if not self._proves(request, form):
            return self._sent("/auth/sign-in?csrf=true", wants_json)
        if not self._passwords:
            text = "Sign in with email and password is disabled for this instance. Please use SSO."
            return self._sent(f"/auth/sign-in?error={quote(text)}", wants_json, 401)
        user = await run_in_threadpool(self._directory.user_of, form.get("email", ""), form.get("password", ""))
        if user is None:
            return self._sent("/auth/sign-in?error=CredentialsSignin", wants_json, 401)
        return self._admitted(user, wants_json)

    async def to_entra(self, request: Request) -> Response:
        """To Entra ID's page, with a state in a cookie."""
        form = await _form(request)
        wants_json = form.get("json", "").lower() == "true"
        if self._entra is None or not self._proves(request, form):
            return self._sent("/auth/sign-in?csrf=true", wants_json)
        url, state = self._entra.address()
        answer: Response = JSONResponse({"url": url}) if wants_json else RedirectResponse(url, 302)
        answer.set_cookie(self._state_cookie, state, max_age=900, httponly=True, samesite="lax", secure=self._secure)
        return answer

    def from_entra(self, request: Request) -> Response:
        """Back from there, with a code or an error."""
        if self._entra is None:
            return RedirectResponse("/auth/sign-in", 302)
        try:
            user = self._entra.person(request.query_params, request.cookies.get(self._state_cookie, ""))
        except azure_ad.Refused as refused:
            return self._sent(f"/auth/sign-in?error={quote(str(refused))}", wants_json=False)
        return self._admitted(user, wants_json=False)

    def _admitted(self, user: User, wants_json: bool) -> Response:
        answer = self._sent(self._home, wants_json)
        answer.set_cookie(self._session_cookie, self._ticket(user), max_age=_DAYS_30, httponly=True, samesite="lax", secure=self._secure)
        return answer

    def _sent(self, target: str, wants_json: bool, status: int = 200) -> Response:
        """To another page: a script is told its address, a browser goes there."""
        return JSONResponse({"url": self._url + target}, status) if wants_json else RedirectResponse(target, 302)

    def _proves(self, request: Request, form: dict[str, str]) -> bool:
        token = self._csrf_token(request)
        return token is not None and form.get("csrfToken") == token

    async def sign_up(self, request: Request) -> Response:
        if self._closed:
            return JSONResponse({"message": "Sign up is disabled."}, 422)
        if not self._passwords:
            return JSONResponse({"message": "Sign up with email and password is disabled for this instance. Please use SSO."}, 422)
        try:
            asked = await request.json()
            email, name, password = str(asked["email"]), str(asked.get("name") or asked["email"]), str(asked["password"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"message": "Invalid input: email and password are required"}, 422)
        if len(password) < 8:
            return JSONResponse({"message": "Password needs to be at least 8 characters long."}, 422)
        user = await run_in_threadpool(self._directory.sign_up, email, name, password)
        if user is None:
            return JSONResponse({"message": "User with email already exists. Please sign in."}, 422)
        return JSONResponse({"message": "User created"})

    # -- marks -------------------------------------------------------------------------------------------
    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def _ticket(self, user: User) -> str:
        claims = {"id": user.id, "email": user.email, "name": user.name, "expires": int(time.time()) + _DAYS_30}
        text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
        return f"{text}.{self._sign(text)}"

    def _csrf_token(self, request: Request) -> str | None:
        """The token of the browser's cookie, if it is ours."""
        token, _, mark = request.cookies.get(self._csrf_cookie, "").partition("|")
        return token if mark and hmac.compare_digest(mark, self._sign(token)) else None

    def _csrf(self, request: Request) -> tuple[str, str | None]:
        """The token a form must carry, and the cookie to set when the browser has none yet."""
        if (token := self._csrf_token(request)) is not None:
            return token, None
        token = secrets.token_hex(32)
        return token, f"{token}|{self._sign(token)}"

    def _with_csrf(self, answer: Response, cookie: str | None) -> Response:
        if cookie:
            answer.set_cookie(self._csrf_cookie, cookie, httponly=True, samesite="lax", secure=self._secure)
        return answer


async def _form(request: Request) -> dict[str, str]:
    if "json" in request.headers.get("content-type", ""):
        found = await request.json()
        return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
