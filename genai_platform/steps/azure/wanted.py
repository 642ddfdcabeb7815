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
    found = datetime.fromisoformat(caller.expires.replace("Z", "+00:00"))
    if len(caller.expires) == 10:
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def callers(target: Target) -> str:
    """How many callers there are. Raises ``ConfigError`` for a caller that cannot be made as it is configured."""
    azure, seen = target.settings.azure, dict[str, str]()
    for name, caller in azure.callers.items():
        _expiry_is_ahead(name, caller)
        if caller.client_id and (other := seen.setdefault(caller.client_id, name)) != name:
            raise ConfigError(
                f"azure.callers.{name}.client_id: {caller.client_id} is the caller '{other}' already",
                remedy="give each caller an application of its own",
                id="config.client_id_twice",
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


def _expiry_is_ahead(name: str, caller: Caller) -> None:
    try:
        end = expiry(caller)
    except ValueError:
        raise ConfigError(
            f"azure.callers.{name}.expires: '{caller.expires}' is no ISO 8601 date or time",
            remedy="write it like 2027-03-31 or 2027-03-31T18:00:00Z",
            id="config.expires",
        ) from None
    if end is not None and end <= datetime.now(UTC):
        raise ConfigError(
            f"azure.callers.{name}.expires: {caller.expires} lies in the past",
            remedy=f"set a later date, or remove [azure.callers.{name}]",
            id="config.expires_past",
        )
