"""What a group of deployments and fallbacks between models may not say."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from genai_platform.config.merged import Contradiction, entries, known_models, table, texts, unknown_models
from genai_platform.config.models import PROVIDERS, Model, with_regions
from genai_platform.config.values import REGION

KINDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def contradictions(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Those of the groups, then those of the fallbacks."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in entries(values):
        if isinstance(name := one.get("name"), str):
            groups.setdefault(name, []).append(one)
    region = str(table(values, "platform").get("region", REGION))
    for name, group in groups.items():
        for text in (*_same(name, group, region), *_modes(name, group), *_shares(name, group)):
            yield ("litellm", "models"), text
    fallbacks = {kind: table(values, "litellm", "fallbacks", kind) for kind in KINDS}
    modes = {name: str(group[0].get("mode", "chat")) for name, group in groups.items()}
    known = known_models(values)
    for kind, chosen in fallbacks.items():
        named = dict.fromkeys([*chosen, *(other for value in chosen.values() for other in texts(value))])
        for text in (*unknown_models(named, known), *_other_mode(chosen, modes), *_circle(chosen)):
            yield ("litellm", "fallbacks", kind), text
    yield from _callers(values, fallbacks)


def _same(name: str, group: Sequence[Mapping[str, Any]], region: str) -> Iterator[str]:
    """Each deployment of a group is another one. What is a fault by itself is passed over."""
    found: list[Model] = []
    for one in with_regions(group, region):
        with contextlib.suppress(ValidationError, KeyError):
            found.append(PROVIDERS[str(one.get("provider", "azure"))].model_validate(one))
    places = Counter((model.upstream, model.address, model.key_variable) for model in found)
    for (deployment, address, _), count in places.items():
        if count > 1:
            used = f"the name '{name}' is used {'twice' if count == 2 else f'{count} times'} for the deployment '{deployment}' at {address}"
            yield f"{used}; deployments of one name share its load, and each must be another one"


def _modes(name: str, group: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found = sorted({str(one.get("mode", "chat")) for one in group})
    if len(found) > 1:
        yield f"the deployments of '{name}' have the modes {' and '.join(found)}; one name has one mode"


def _shares(name: str, group: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """LiteLLM counts a missing share as 0 (litellm/router_strategy/simple_shuffle.py, 1.106.2): such a deployment would never be asked."""
    for key in ("weight", "rpm", "tpm"):
        having = sum(one.get(key) is not None for one in group)
        if 0 < having < len(group):
            only = f"{key} is set for {having} of the {len(group)} deployments of '{name}'"
            yield f"{only}, so the others would never be asked; set it for all of them, or for none"


def _other_mode(chosen: Mapping[str, Any], modes: Mapping[str, str]) -> Iterator[str]:
    for name, value in chosen.items():
        for other in texts(value):
            if name in modes and other in modes and modes[name] != modes[other]:
                yield f"'{name}' is a model for {modes[name]} and '{other}' one for {modes[other]}; a fallback serves the same route"


def _circle(chosen: Mapping[str, Any]) -> Iterator[str]:
    try:
        TopologicalSorter({name: texts(value) for name, value in chosen.items()}).prepare()
    except CycleError as error:
        yield f"the fallbacks go in a circle: {' -> '.join(reversed(error.args[1]))}"


def _callers(values: Mapping[str, Any], fallbacks: Mapping[str, Mapping[str, Any]]) -> Iterator[Contradiction]:
    """A caller that names its models has the fallbacks of each among them: LiteLLM asks no model that a caller may not have."""
    for caller, wanted in table(values, "azure", "callers").items():
        own = texts(table(wanted).get("models"))
        for kind, chosen in fallbacks.items():
            missing = dict.fromkeys(other for name in own for other in texts(chosen.get(name)) if other not in own)
            if missing:
                lacks = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
                why = f"litellm.fallbacks.{kind} leads there from a model of this caller, and who may not have a model is not led to it"
                yield ("azure", "callers", caller, "models"), f"{lacks}: {why}"
