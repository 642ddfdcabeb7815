"""Tags as most of AWS's answers list them: ``[{"Key": …, "Value": …}]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags by their key, as AWS's answers and requests list them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def values(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """The tags by their key; a tag without a value has an empty one."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def carries(tags: Iterable[Mapping[str, str]] | None, wanted: Mapping[str, str]) -> bool:
    """Whether all wanted tags are among them: a thing with an environment's tags is that environment's."""
    return values(tags).items() >= wanted.items()
