"""``genai token`` and ``genai azure env``: how a caller signs in. Printing secrets is what these commands are for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit, urlunsplit

import typer

from genai_platform.cli import completion, preflight
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError, StepError

if TYPE_CHECKING:
    from genai_platform.tools.azure.token import Client

Caller = Annotated[
    str | None,
    typer.Option("--caller", help="A caller. Default: the only one there is.", metavar="NAME", autocompletion=completion.callers),
]
app = typer.Typer()


@command(app, "token", "genai token --caller team-a")
def token(run: Run, caller: Caller = None) -> None:
    """Print an Entra ID access token of a caller, for API Management."""
    from datetime import UTC, datetime

    from genai_platform.tools.azure import token as tokens

    client = client_of(run, caller)
    assert client.secret is not None
    found = tokens.fetch(run.target, client.tenant_id, client.client_id, client.secret, client.scope)
    expires = datetime.fromtimestamp(int(tokens.claims(found)["exp"]), UTC).isoformat()
    if run.screen.json:
        run.screen.document({"caller": client.caller, "token": found.get_secret_value(), "expires": expires})
    else:
        print(found.get_secret_value(), flush=True)
        run.screen.detail(f"valid until {expires}")


def env(run: Run, caller: Caller = None) -> None:
    """Print shell exports with which a caller's curl or SDK signs in. They hold its client secret."""
    run.screen.exports(variables(run, client_of(run, caller)))


def client_of(run: Run, caller: str | None) -> Client:
    """How a caller signs in. Raises ``ConfigError`` when the name is missing or unknown, ``StepError`` when it cannot."""
    from genai_platform.steps.azure.callers import keys

    preflight.azure(run.target.settings)
    configured = run.target.settings.azure.callers
    if caller is None:
        if len(configured) != 1:
            names = ", ".join(sorted(configured)) or "none"
            raise ConfigError("which caller?", remedy=f"give --caller NAME; configured are: {names}", id="usage.caller")
        caller = next(iter(configured))
    client = keys.client(run.clients, caller)
    if client.secret is None:
        raise StepError(
            f"'{caller}' is an existing application ({client.client_id}): its client secret is not kept here",
            remedy="sign in with that application's own credentials",
            id="azure.no_secret",
        )
    return client


def variables(run: Run, client: Client) -> dict[str, str]:
    """The exports. Away from the public clouds also what leads curl and Python clients there."""
    from genai_platform.tools.azure.transport import public

    assert client.secret is not None
    found = {
        "TENANT_ID": client.tenant_id,
        "CLIENT_ID": client.client_id,
        "CLIENT_SECRET": client.secret.get_secret_value(),
        "SCOPE": client.scope,
        "AUTHORITY": client.authority,
        "APIM_URL": client.gateway_url,
    }
    if public(client.authority):
        return found
    found["APIM_URL"] = _plain(client.gateway_url)
    if (bundle := run.target.endpoints.ca_bundle) is not None:
        found |= dict.fromkeys(("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(bundle))
    return found | {"CURL_HOME": str(_curlrc(run.target.folder, client))}


def _plain(url: str) -> str:
    """Python's resolver need not know names under ``localhost``; the gateway answers to ``localhost/SERVICE``, too."""
    parts = urlsplit(url)
    service, _, domain = (parts.hostname or "").partition(".")
    if not f".{domain}".endswith(".localhost"):
        return url
    return urlunsplit(parts._replace(netloc=f"localhost:{parts.port}" if parts.port else "localhost", path=f"/{service}{parts.path}"))


def _curlrc(folder: Path, client: Client) -> Path:
    """A folder for ``CURL_HOME`` whose ``.curlrc`` leads the public sign-in address to this world's."""
    home = folder / "curl"
    home.mkdir(mode=0o700, exist_ok=True)
    authority = urlsplit(client.authority)
    (home / ".curlrc").write_text(f'connect-to = "login.microsoftonline.com:443:{authority.hostname}:{authority.port or 443}"\n')
    return home
