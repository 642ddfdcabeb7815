"""The world of these tests with one thing missing, or another than it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .world import SUBSCRIPTION, AzureWorld, store


@contextmanager
def without(world: AzureWorld, kind: str, match: str, change: dict[str, Any] | None = None) -> Iterator[None]:
    """The stand-ins' memory without one thing, or with a changed one."""
    with store(world) as opened:
        found = [one for one in opened.all(kind) if match in json.dumps(one)]
        if kind == "seededRoles":  # those of people who were added are not meant
            people = {person["id"] for person in opened.all("users")}
            found = [one for one in found if one["principalId"] not in people and one["scope"].endswith(SUBSCRIPTION)]
        (entry,) = found
        id = entry["id"] if "id" in entry else f"{entry['scope']}/{entry['role']}"
        opened.delete(kind, id)
        if change:
            opened.put(kind, id, {**entry, **change})
        try:
            yield
        finally:
            opened.put(kind, id, entry)
