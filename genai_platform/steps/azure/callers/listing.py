"""The configured callers as a person may see them."""

from __future__ import annotations

from datetime import UTC

from genai_platform.steps.azure.callers.caller import Key, KeyState
from genai_platform.steps.azure.callers.observed import Callers


def listed(work: Callers) -> list[Key]:
    """Every configured caller, in the order of their names."""
    return [shown(work, name) for name in sorted(work.configured)]


def shown(work: Callers, name: str) -> Key:
    """One configured caller."""
    caller, client = work.configured[name], work.client_id(name)
    models = work.limits(caller).models
    if work.shared:
        holds = client is not None and work.principal(client) in work.assigned
        state: KeyState = "revoked" if work.revoked(name) else "active" if holds else "missing"
        return Key(caller=name, client_id=client, state=state, models=models)
    held = work.stored(client)
    user = work.users.get(client) if client else None
    key = work.current(client) if client else None
    if work.revoked(name):
        state = "revoked"
    elif key is not None:
        state = "active"
    elif held and held.expires and held.expires <= work.now:
        state = "expired"
    else:
        state = "missing"
    end = key.expires if key else held.expires if held else None
    return Key(
        caller=name,
        client_id=client,
        state=state,
        alias=key.alias if key else held.tags.get("alias") if held else None,
        expires=end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if end else None,
        spend=user.spend if user else None,
        budget=user.budget if user else caller.max_budget,
        models=models,
    )
