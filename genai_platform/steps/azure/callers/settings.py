"""What the configuration asks for callers, as far as it can be judged without asking anybody."""

from __future__ import annotations

from datetime import UTC, datetime, time

from genai_platform.config.settings import Caller
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError


def expiry(caller: Caller) -> datetime | None:
    """When a caller's key ends; None: never. A date means the end of that day, UTC."""
    if caller.expires is None:
        return None
    found = datetime.fromisoformat(caller.expires)
    if len(caller.expires) == 10:
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def callers(target: Target) -> str:
    """How many callers there are. Raises ``ConfigError`` for those whose keys would have ended already.

    Asked before something is built, and not whenever the configuration is read: time alone must not forbid a ``down``.
    """
    azure = target.settings.azure
    ended = [name for name, caller in azure.callers.items() if (end := expiry(caller)) and end <= datetime.now(UTC)]
    if ended:
        raise ConfigError(
            "; ".join(f"azure.callers.{name}.expires: {azure.callers[name].expires} lies in the past" for name in ended),
            remedy=f"set a later date, or remove {', '.join(f'[azure.callers.{name}]' for name in ended)}",
            id="config.expires_past",
        )
    count = f"{len(azure.callers)} caller{'' if len(azure.callers) == 1 else 's'} configured"
    limited = sum(any(getattr(caller, field) for field in _OF_A_KEY) for caller in azure.callers.values())
    if azure.apim.keys == "shared" and limited:
        return f"{count}; budgets, limits and ends of {limited} have no effect, since all share one key (azure.apim.keys)"
    return count


def everybody(target: Target) -> Caller:
    """What the one key of shared mode may do: the models that any caller may use, without a budget and an end of its own."""
    callers = target.settings.azure.callers.values()
    if not callers or any(not caller.models for caller in callers):
        return Caller()
    return Caller(models=tuple(sorted({model for caller in callers for model in caller.models})))


_OF_A_KEY = ("max_budget", "budget_duration", "rpm_limit", "tpm_limit", "expires")


def publisher(target: Target) -> str:
    """The address that Azure writes to about the service that is made here; empty for an existing one, which has its own.

    Raises:
        ConfigError: none is configured.
    """
    apim = target.settings.azure.apim
    if apim.existing:
        return ""
    if apim.publisher_email is None:
        raise ConfigError(
            "azure.apim.publisher_email is not set: Azure sends its notices about the API Management service there (changes, retirements)",
            remedy="set it to an address that is read",
            id="config.publisher_email",
        )
    return apim.publisher_email
