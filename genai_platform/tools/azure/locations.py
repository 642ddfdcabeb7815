"""Names of Azure's regions."""

from __future__ import annotations


def normalized(location: str) -> str:
    """``japaneast`` for ``Japan East``: some services answer with the display name, and none takes it in a path."""
    return location.replace(" ", "").lower()
