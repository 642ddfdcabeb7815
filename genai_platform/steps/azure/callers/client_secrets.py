"""Client secrets of this environment's applications: whether one lasts, which of them go, and a new one."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime, timedelta

from genai_platform.tools.aws.caller_secrets import Password, StoredCaller
from genai_platform.tools.azure.entra import Entra
from genai_platform.tools.azure.rest import Body

PASSWORD_DAYS = 180
RENEW_DAYS = 14
"""A client secret that ends this soon gets a successor at the next ``up``."""
PROBE = "probe."
"""What the names begin with under which the client secrets of the applications for checks are kept; no caller has a dot."""


def held(application: Body) -> frozenset[str]:
    """Key ids of the client secrets that the directory holds for an application."""
    return frozenset(str(entry["keyId"]) for entry in application.get("passwordCredentials") or ())


def lasting(kept: StoredCaller | None, held: Set[str]) -> bool:
    """Whether one of the client secrets in the directory is known here and lasts."""
    soon = datetime.now(UTC) + timedelta(days=RENEW_DAYS)
    return kept is not None and any(one.key_id in held and one.expires > soon and not one.remove_after for one in kept.passwords)


def over(kept: StoredCaller | None) -> set[str]:
    """Key ids of client secrets past their overlap, or past their end."""
    now = datetime.now(UTC)
    return {one.key_id for one in kept.passwords if min(one.remove_after or one.expires, one.expires) <= now} if kept else set()


def without_old(graph: Entra, kept: StoredCaller, application: Body) -> StoredCaller:
    """What is kept without client secrets that nobody knows or that are past their overlap: those are removed."""
    known, there = {one.key_id for one in kept.passwords} - over(kept), held(application)
    for key_id in sorted(there - known):
        graph.remove_password(str(application["id"]), key_id)
    return StoredCaller(str(application["appId"]).lower(), tuple(one for one in kept.passwords if one.key_id in there & known))


def new_password(graph: Entra, name: str, application: Body) -> Password:
    """A new client secret in the directory; the caller of this function stores it."""
    until = (datetime.now(UTC) + timedelta(days=PASSWORD_DAYS)).replace(microsecond=0)
    key_id, value = graph.add_password(str(application["id"]), f"genai {name}", until)
    return Password(key_id, value, until)
