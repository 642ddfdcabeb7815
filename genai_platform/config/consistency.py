"""What values say together: each may be right alone, and they still contradict each other.

Looks at merged values before they are typed, so that contradictions are told together with the faults of single values.
What has the wrong type is passed over here: it is a fault already.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Contradiction = tuple[tuple[str | int, ...], str]
"""Where, and what is wrong there."""


def contradictions(values: Mapping[str, Any]) -> list[Contradiction]:
    """Every contradiction in these settings."""
    return [*_model_names(values), *_models_of_callers(values), *_ports(values), *_gateway(values), *_chart(values)]


def _model_names(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    for name, count in Counter(_names(values)).items():
        if count > 1:
            times = "twice" if count == 2 else f"{count} times"
            yield ("litellm", "models"), f"the name '{name}' is used {times}; every model needs its own name"


def _models_of_callers(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    known = sorted(set(_names(values)))
    for caller, wanted in _table(values, "azure", "callers").items():
        models = _table(wanted).get("models")
        for name in models if isinstance(models, list | tuple) else ():
            if isinstance(name, str) and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                yield ("azure", "callers", caller, "models"), f"unknown model '{name}'{hint}; configured are {', '.join(known) or 'none'}"


def _ports(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """One load balancer: what has no name of its own needs a port of its own."""
    ingress = _table(values, "ingress")
    plain, named = ingress.get("tls") == "none", ingress.get("domain") is not None
    litellm = ingress.get("litellm_port") or (80 if plain else 443)
    langfuse = ingress.get("langfuse_port") or (3000 if plain else 443 if named else 8443)
    if litellm == langfuse and not named:
        yield ("ingress", "langfuse_port"), f"{langfuse} is LiteLLM's port, too; without a domain each needs its own"
    if _table(values, "azure").get("enabled") is True and (gateway := ingress.get("gateway_port")) in (litellm, langfuse):
        yield ("ingress", "gateway_port"), f"{gateway} is taken by {'LiteLLM' if gateway == litellm else 'Langfuse'}; it needs its own"


def _gateway(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    if _table(values, "azure").get("enabled") is not True:
        return
    if _table(values, "ingress").get("tls") == "none":
        yield ("ingress", "tls"), "'none' is refused when API Management is in front; leave it 'auto'"
    apim = _table(values, "azure", "apim")
    if apim.get("sku") != "Consumption" or apim.get("existing") is not None:
        return
    if apim.get("streaming", True) is not False:
        yield ("azure", "apim", "sku"), "Consumption cannot be used with streaming; choose BasicV2 or another tier"
    elif apim.get("keys", "per-caller") == "per-caller":
        yield ("azure", "apim", "sku"), "Consumption cannot be used with the cache of per-caller keys; choose BasicV2 or another tier"


def _chart(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    chart = _table(values, "langfuse", "chart")
    given = [name for name in ("repository", "oci", "path") if chart.get(name) is not None]
    if len(given) > 1:
        yield ("langfuse", "chart"), f"give one of repository, oci and path, not {' and '.join(given)}"


def _names(values: Mapping[str, Any]) -> list[str]:
    models = _table(values, "litellm").get("models")
    entries = models if isinstance(models, list | tuple) else ()
    return [name for entry in entries if isinstance(name := _table(entry).get("name"), str)]


def _table(values: Any, *path: str) -> Mapping[str, Any]:
    """The table at a place; an empty one where there is none."""
    here = values
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else None
    return here if isinstance(here, Mapping) else {}
