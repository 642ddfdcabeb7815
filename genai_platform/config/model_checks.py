"""What the check of each deployment of a model is called. Light: shell completion asks, too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

MODES = ("chat", "embedding")
"""What ``verify`` asks."""
_OTHERS = frozenset({"keyless"})
"""Checks of the family that are not about one deployment."""


def ids(names: Sequence[str]) -> list[str]:
    """The check of each deployment: ``models.NAME``, in a group ``models.NAME.1``, ``models.NAME.2`` and so on.

    What an id cannot have in it becomes a hyphen; no two are the same.

    Args:
        names: of the models, one for each deployment, in the order of the configuration.
    """
    plain = [_plain(name) for name in names]
    count = Counter(plain)
    taken = {one for one in plain if count[one] == 1} | _OTHERS
    found = []
    for one in plain:
        if count[one] > 1 or one in _OTHERS:
            numbered = (f"{one}.{number}" for number in range(1, len(plain) + len(taken) + 2))
            one = next(name for name in numbered if name not in taken)
            taken.add(one)
        found.append(f"models.{one}")
    return found


def _plain(name: str) -> str:
    parts = (re.sub(r"[^a-z0-9_-]+", "-", part) for part in name.lower().split("."))
    return ".".join(part or "-" for part in parts)
