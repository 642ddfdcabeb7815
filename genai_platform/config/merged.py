"""Merged values before they are typed: what has the wrong type is a fault already, and is passed over."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def entries(values: Any) -> list[Mapping[str, Any]]:
    """The entries of ``litellm.models``; an empty table for what is not one."""
    found = table(values, "litellm").get("models")
    return [table(one) for one in found] if isinstance(found, list | tuple) else []


def extra_config(values: Mapping[str, Any]) -> ExtraConfig | None:
    """``litellm.extra_config``, where its path was given and is a text."""
    found = table(values, "litellm").get("extra_config")
    return found if isinstance(found, ExtraConfig) else None


def known_models(values: Mapping[str, Any]) -> list[str] | None:
    """The names of all models, also those that ``extra_config`` adds, sorted; ``None`` where its file was not read."""
    extra = extra_config(values)
    if table(values, "litellm").get("extra_config") is not None and (extra is None or extra.document is None):
        return None
    return sorted({*texts([entry.get("name") for entry in entries(values)]), *(extra.model_names if extra else ())})


def unknown_models(asked: Iterable[str], known: Sequence[str] | None) -> Iterator[str]:
    """What is wrong with each name that is not among ``known_models``."""
    for name in asked:
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            yield f"unknown model '{name}'{hint}; configured are {', '.join(known) or 'none'}"


def texts(value: Any) -> list[str]:
    """The texts in a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
