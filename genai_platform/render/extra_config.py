"""The proxy's configuration with a person's own part over it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_platform.config.extra_config import OWN_VARIABLES, ExtraConfig
from genai_platform.config.faults import dotted
from genai_platform.errors import ConfigError

Place = tuple[str | int, ...]


def merged(own: Mapping[str, Any], extra: ExtraConfig) -> dict[str, Any]:
    """Tables by key; a list continues ours; a value that we give stays ours.

    Raises:
        ConfigError: the file gives a value that we give, a model that is configured, or a variable of the proxy; all of them at once.
    """
    faults: list[tuple[Place, str]] = []
    document, names = extra.document or {}, {model["model_name"] for model in own["model_list"]}
    for number, model in enumerate(document.get("model_list") or ()):
        if model["model_name"] in names:
            faults.append((("model_list", number, "model_name"), f"'{model['model_name']}' is a model of genai.toml already"))
    for name in document.get("environment_variables") or ():
        if OWN_VARIABLES.fullmatch(str(name)):
            faults.append((("environment_variables", name), "is a variable that the platform sets"))
    found = _over(own, document, (), faults)
    if faults:
        told = [f"{extra.path}, line {extra.line(*place)}: {dotted(place)} {what}" for place, what in faults]
        raise ConfigError(
            f"litellm.extra_config: {told[0]}" if len(told) == 1 else "\n".join(["litellm.extra_config:", *(f"  {one}" for one in told)]),
            remedy=f"remove {'it' if len(told) == 1 else 'these'} from {extra.path}; what genai.toml has a setting for is set there",
            id="config.extra_config",
        )
    return found


def _over(own: Mapping[str, Any], more: Mapping[str, Any], place: Place, faults: list[tuple[Place, str]]) -> dict[str, Any]:
    result = dict(own)
    for key, value in more.items():
        mine = own.get(key)
        if key not in own or (value is None and isinstance(mine, Mapping | list)):
            result.setdefault(key, value)
        elif isinstance(mine, Mapping) and isinstance(value, Mapping):
            result[key] = _over(mine, value, (*place, key), faults)
        elif isinstance(mine, list) and isinstance(value, list):
            result[key] = [*mine, *value]
        else:
            faults.append(((*place, key), "is set by the platform"))
    return result
