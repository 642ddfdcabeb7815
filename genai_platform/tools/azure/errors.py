"""What the Azure SDKs raise, as errors a person understands."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from genai_platform.advice import Remedy, advice, genai
from genai_platform.errors import GenaiError, MissingError, StepError, Unreachable, of_status


class PurgeProtected(StepError):
    """What was deleted may not be purged by anybody: a policy of the subscription set purge protection."""


class DeniedByPolicy(StepError):
    """An Azure Policy assignment does not allow the request."""


class UnknownTenant(MissingError):
    """Entra ID knows no such tenant."""


class TemporaryRefusal(StepError):
    """A service refuses because it does not yet know what was made a moment ago: the same request is accepted soon."""


_NO_TENANT = ("authority configuration", "AADSTS90002")
"""How azure-identity and Entra ID say that a tenant does not exist (MSAL's discovery of the authority; Entra ID's error codes)."""
Kind = Callable[[int, str], type[StepError] | None]
"""The kind of error that a status, and the service's code and words as one text, mean; None where the status says enough."""


def status(error: BaseException) -> int:
    """The HTTP status an Azure error carries; 0 for none."""
    return int(getattr(error, "status_code", 0) or 0)


def code(error: BaseException) -> str:
    """The service's error code, the inner one where there is one (``ForbiddenByRbac``)."""
    found = getattr(error, "error", None)
    inner = getattr(found, "innererror", None) or {}
    if isinstance(inner, dict) and inner.get("code"):
        return str(inner["code"])
    return str(getattr(found, "code", "") or "")


def unregistered(error: BaseException) -> bool:
    """Whether Azure refused because the resource provider is not registered with the subscription: then it holds nothing there."""
    return code(error) == "MissingSubscriptionRegistration"


T = TypeVar("T")


def unless(statuses: Collection[int], ask: Callable[[], T]) -> T | None:
    """What Azure answers; None where it answers with one of these statuses, or has not registered the resource provider."""
    from azure.core.exceptions import HttpResponseError

    try:
        return ask()
    except HttpResponseError as error:
        if error.status_code not in statuses and not unregistered(error):
            raise
        return None


def taken(ask: Callable[[], Any]) -> str | None:
    """None when a name is free everywhere, else why not; empty when it cannot be asked: that is a right at the subscription."""
    answer = unless([403], ask)
    if answer is None:
        return ""
    return None if answer.name_available else str(answer.message or answer.reason)


def named(name: str, deleted: Callable[[], Iterable[Any]]) -> Any | None:
    """The soft-deleted resource of this name; None when there is none, or none that we may see."""
    found = unless([403, 404], lambda: list(deleted())) or ()
    return next((entry for entry in found if str(entry.name).lower() == name.lower()), None)


@contextlib.contextmanager
def explained(what: str, kind: Kind | None = None) -> Iterator[None]:
    """Turn what the SDKs raise into an error that says what was being done and what helps.

    Args:
        what: completes "could not …", e.g. ``read the vault genai-x``.
        kind: reads a refusal of a service whose codes do not tell its kinds apart.

    Raises:
        UnknownTenant: the tenant does not exist.
        MissingError: nobody is signed in, or the credential was refused.
        StepError: Azure could not be reached, refused, or failed: its class says which, ``error_code`` is Azure's own.
    """
    from azure.core import exceptions

    try:
        yield
    except exceptions.ClientAuthenticationError as error:
        remedy = "sign in again: az login --tenant TENANT, or check AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (azure.auth)"
        if "Failed to invoke" in str(error):  # the SDK's words for an `az` that does not answer in time
            remedy = "see whether `az account get-access-token` answers within a minute, then run the same command again"
        elif "Azure CLI not found" in str(error):
            remedy = "install the Azure CLI and sign in (az login --tenant TENANT), or choose another azure.auth"
        kind_of_failure = UnknownTenant if any(words in str(error) for words in _NO_TENANT) else MissingError
        raise kind_of_failure(
            f"could not {what}: signing in to Entra ID failed: {_short(error)}",
            remedy=remedy,
            id="azure.credentials",
        ) from None
    except exceptions.HttpResponseError as error:
        raise refusal(what, error, kind) from None
    except (exceptions.ServiceRequestError, exceptions.ServiceResponseError) as error:
        raise Unreachable(
            f"could not {what}: Azure did not answer ({type(error).__name__}: {_short(error)})",
            remedy="check the network and any proxy, then run the same command again",
            id="azure.unreachable",
        ) from None
    except exceptions.AzureError as error:
        raise StepError(f"could not {what}: {_short(error)}", id="azure.failed") from None


def refusal(what: str, error: Any, kind: Kind | None = None) -> GenaiError:
    """The error for an unsuccessful answer. Args as for ``explained``."""
    number, name = status(error), code(error)
    remedy: Remedy = ""
    if name == "RequestDisallowedByPolicy":
        policy, id = _policy(error)
        return DeniedByPolicy(
            f"could not {what}: the Azure Policy assignment '{policy}' does not allow it",
            remedy="ask those who administer the subscription for an exemption, or configure what it allows"
            + (f": az policy assignment show --ids {id}" if id else f"; Azure says: {_short(error)}"),
            id="azure.policy",
        )
    if unregistered(error):
        namespace = re.search(r"'([A-Za-z]+\.[A-Za-z.]+)'", _short(error))
        return StepError(
            f"could not {what}: {_short(error)}",
            remedy=f"az provider register --namespace {namespace[1] if namespace else 'NAMESPACE'}, then run the same command again",
            id="azure.not_registered",
        )
    if number in (400, 405, 409) and re.search(r"DeletedVaultPurge|purge protection", str(error), re.IGNORECASE):
        return PurgeProtected(f"could not {what}: it is protected against purging", id="azure.purge_protected")
    if number == 403:
        remedy = advice("the signed-in identity lacks a right; `{}` names it and the command that grants it", genai("doctor"))
    elif number == 429:
        remedy = "Azure asks to slow down; run the same command again in a minute"
    said = _short(error)
    found = (kind(number, f"{name} {said}") if kind else None) or of_status(number)
    return found(f"could not {what}: {name or number}: {said}", remedy=remedy, id=f"azure.{number}", error_code=name)


def _policy(error: Any) -> tuple[str, str]:
    """Display name and id of the policy assignment that denied a request; the id is empty where Azure did not say."""
    try:
        details = error.response.json()["error"].get("additionalInfo") or ()
    except (AttributeError, KeyError, TypeError, ValueError):
        details = ()
    for detail in details:
        info = detail.get("info") or {}
        if detail.get("type") == "PolicyViolation":
            name = info.get("policyAssignmentDisplayName") or info.get("policyAssignmentName") or info.get("policyDefinitionDisplayName")
            return str(name), str(info.get("policyAssignmentId") or "")
    named = re.search(r'"policyAssignment": ?\{"name": ?"([^"]+)"(?:, ?"id": ?"([^"]+)")?', str(error))
    return (named[1], named[2] or "") if named else ("unknown", "")


def _short(error: BaseException) -> str:
    text = str(getattr(getattr(error, "error", None), "message", "") or getattr(error, "message", "") or error)
    return " ".join(text.split())[:400]
