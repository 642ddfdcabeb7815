"""Two sandboxes in one Entra tenant, as two teams of a company are: each with its own AWS, cluster, subscription and deployer.

The second one runs no Azure stand-ins. It uses those of the first, in which a subscription was added for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import httpx

from genai_platform.errors import ConfigError, MissingError
from genai_platform.files import write_private
from genai_platform.sandbox import processes
from genai_platform.sandbox.azure import control_address
from genai_platform.sandbox.azure.part import PART
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION, TENANT
from genai_platform.sandbox.layout import SandboxLayout, in_its_folder

VARIABLE = "GENAI_SANDBOX_TENANT"
"""The environment variable that names the folder (``.genai/ENVIRONMENT``) of the sandbox whose tenant a new sandbox joins."""


def chosen(environ: Mapping[str, str] | None = None) -> Path | None:
    """The root of the sandbox whose tenant ``GENAI_SANDBOX_TENANT`` asks for; ``None`` when it is not set.

    Raises:
        ConfigError: there is no sandbox in that folder.
        MissingError: its Azure stand-ins do not run.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        layout = SandboxLayout.open(Path(text).expanduser() / "world").azure
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{VARIABLE}: '{text}' is not valid: expected the folder of an existing sandbox, e.g. /home/me/first/.genai/sandbox",
            remedy="start that sandbox first, or unset the variable for a tenant of its own",
            id="sandbox.tenant",
        ) from None
    return _running(layout).root


def require(layout: SandboxLayout) -> None:
    """Raises ``MissingError`` when this sandbox has joined a tenant whose stand-ins are gone or do not run."""
    if layout.tenant is not None:
        _running(layout.azure)


def _running(host: SandboxLayout) -> SandboxLayout:
    if processes.recorded(host, PART.name) is None:
        raise MissingError(
            f"the tenant of the sandbox in {host.root.parent} is to be used, and its Azure stand-ins do not run",
            remedy=f"start it first: {in_its_folder(host.root, 'up')}",
            id="sandbox.tenant_stopped",
        )
    return host


def prepare(layout: SandboxLayout) -> None:
    """The deployer's file ``azure/deployer.json`` (0600), made when missing; in another one's tenant with a new subscription.

    Raises:
        MissingError: the stand-ins of that tenant do not answer.
    """
    file = layout.folder("azure") / "deployer.json"
    if file.exists():
        return
    # Not at the top: most commands only ask where a sandbox is, and these bring a web framework and the whole directory.
    from genai_platform.sandbox.azure import state

    if layout.tenant is None:
        state.prepare(layout)
        return
    host = layout.azure
    try:
        answer = control_address.post(host, "subscription", {"name": layout.root.parents[2].name})
    except httpx.HTTPError as error:
        raise MissingError(
            f"the sandbox in {host.root.parent} did not add a subscription for '{layout.environment}': {error}",
            remedy=f"see that it runs ({in_its_folder(host.root, 'status')}), then run the same command again",
            id="sandbox.tenant_silent",
        ) from None
    write_private(file, json.dumps(answer.json()))


def subscription(layout: SandboxLayout) -> dict[str, str]:
    """``tenant_id`` and ``subscription_id`` of this sandbox, once it is prepared."""
    known = json.loads((layout.folder("azure") / "deployer.json").read_text())
    return {"tenant_id": known.get("tenant_id", TENANT), "subscription_id": known.get("subscription_id", SUBSCRIPTION)}
