"""Merged values before they are typed: what has the wrong type is a fault already, and is passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genai_platform.config.extra_config import ExtraConfig

Contradiction = tuple[tuple[str | int, ...], str]
"""Where, and what is wrong there."""


def table(values: Any, *path: str) -> Mapping[str, Any]:
    """The table at a place; an empty one where there is none."""
    here = values
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else None
    return here if isinstance(here, Mapping) else {}


def models(values: Mapping[str, Any]) -> Sequence[Any]:
    """The entries of ``litellm.models``."""
    found = table(values, "litellm").get("models")
    return found if isinstance(found, list | tuple) else ()


def names(values: Mapping[str, Any]) -> list[str]:
    """The names of the models, one for each entry, and of those that ``extra_config`` adds."""
    extra = table(values, "litellm").get("extra_config")
    own = [name for entry in models(values) if isinstance(name := table(entry).get("name"), str)]
    return [*own, *(extra.model_names if isinstance(extra, ExtraConfig) else ())]


def all_known(values: Mapping[str, Any]) -> bool:
    """Whether every model's name is known: not where the file of ``extra_config`` was not read."""
    extra = table(values, "litellm").get("extra_config")
    return extra is None or (isinstance(extra, ExtraConfig) and extra.document is not None)


def texts(value: Any) -> list[str]:
    """The texts in a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
