"""Faults of a configuration, told to a person: key, value, what is allowed, the nearest valid name, and the layer."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from genai_platform.advice import advice, genai
from genai_platform.config import durations
from genai_platform.config.models import PROVIDERS
from genai_platform.config.settings import Settings
from genai_platform.errors import ConfigError

# What a person should write, for patterns that say it poorly themselves.
_MEANINGS = {
    "platform.name": "lower-case letters and digits, single hyphens between, a letter first, at most 16 characters",
    "platform.region": "an AWS region, e.g. ap-northeast-1",
    "aws.account_id": "twelve digits",
    "cluster.version": "a Kubernetes version in quotes, e.g. \"1.35\"",
    "cluster.admins": "ARNs of IAM roles or users, e.g. arn:aws:iam::123456789012:role/admin",
    "ingress.allowed_cidrs": "networks, e.g. 203.0.113.0/24",
    "ingress.domain": "a host name, e.g. genai.example.com",
    "network.cidr": "a private IPv4 network from /16 to /22, e.g. 10.0.0.0/16",
    "litellm.models.api_base": "the address of the resource, e.g. https://NAME.openai.azure.com",
    "litellm.models.api_base of openai": "the address that OpenAI's routes begin with, e.g. https://api.openai.com/v1",
    "litellm.models.model of bedrock": "the id of a foundation model or an inference profile, e.g. us.amazon.nova-lite-v1:0 "
        "(an ARN belongs to application_inference_profile)",
    "litellm.models.application_inference_profile": "the ARN of an application inference profile, "
        "e.g. arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456",
    "litellm.models.region": "an AWS region, e.g. us-east-1",
    "litellm.models.base_model": "a model as Azure names it, e.g. gpt-4o",
    "litellm.models.api_version": "a date such as 2024-10-21, or v1, latest, preview",
    "litellm.models.api_key_env": "the name of an environment variable, e.g. AZURE_API_KEY",
    "litellm.extra_config": "the path of a YAML file, e.g. \"litellm.extra.yaml\"",
    "langfuse.chart.version": "a version of line 1 or 2, e.g. \"1.5.41\"",
    "litellm.models.mode": "chat, completion, embedding or responses",
    "langfuse.user_email": "an e-mail address",
    "azure.location": "an Azure region, e.g. japaneast",
    "azure.resource_group": "a resource group's name: letters, digits, dots, hyphens, underscores, parentheses",
    "azure.apim.existing": "an API Management service's name: letters, digits and hyphens",
    "azure.apim.path": "a path, e.g. genai",
    "azure.apim.publisher_email": "an e-mail address",
    "azure.apim.routes": "a method and a model route, e.g. POST /v1/rerank (a route with a parameter in braces is not offered)",
    "azure.callers": "a caller's name: lower-case letters, digits and hyphens, at most 40 characters",
    "lifecycle.ends": durations.MEANING,
    "azure.callers.*.budget_duration": "a number and s, m, h or d, e.g. 30d",
}  # fmt: skip
# What people look for and would not find: the nearest valid name would lead them astray.
_NOT_OFFERED = (
    (re.compile(r"vpc|subnet|existing"), "an existing network is not offered: the platform makes its own and removes it"),
    (re.compile(r"scheme|internal"), "an internal load balancer is not offered; ingress.allowed_cidrs says who gets in"),
    (re.compile(r"^tags?$"), "tags of your own are not offered: EKS Auto Mode may not set them on what it makes"),
    (re.compile(r"prox(y|ies)"), "a proxy for what runs on the platform is not offered"),
)


@dataclass(frozen=True)
class Fault:
    """One fault."""

    key: str
    problem: str
    source: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" + (f" ({self.source})" if self.source != "default" else "")


def gather(faults: Sequence[Fault]) -> ConfigError:
    """All faults as one error."""
    listed = "\n".join([f"{len(faults)} faults in the configuration:", *(f"  {fault}" for fault in faults)])
    return ConfigError(
        str(faults[0]) if len(faults) == 1 else listed,
        remedy=advice("correct these and run the command again; `{}` lists every value and its source", genai("config show")),
        id="config.invalid",
    )


def faults_of(error: ValidationError, source: Callable[[tuple[str | int, ...]], str]) -> list[Fault]:
    """What pydantic found, in a person's words."""
    faults: list[Fault] = []
    errors = error.errors(include_url=False)
    # What a model of the wrong provider lacks says nothing: it has the keys of another one.
    misplaced = {found["loc"][:4] for found in errors if found["type"] == "extra_forbidden" and _other_providers(*_place(found["loc"]))}
    for found in errors:
        # A default that is not made follows from what is missing.
        if (found["loc"][:4] in misplaced and found["type"] == "missing") or found["type"] == "default_factory_not_called":
            continue
        path, provider = _place(found["loc"])
        while path and path[-1] == "[key]":
            path = path[:-1]
        where = path[:-1] if found["type"] == "missing" else path
        fault = Fault(*_told(path, provider, found), source(where) if where else "default")
        if fault not in faults:
            faults.append(fault)
    return faults


def _place(loc: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], str | None]:
    """Where a person finds it, and the provider of the model that it is in: pydantic has that as a part of the way."""
    if loc[:2] == ("litellm", "models") and len(loc) > 3:
        return (*loc[:3], *loc[4:]), str(loc[3])
    return loc, None


def _other_providers(path: tuple[str | int, ...], provider: str | None) -> list[str]:
    """The providers whose models have a key that this one's have not."""
    return [name for name, model in PROVIDERS.items() if provider not in (None, name) and path[-1] in model.model_fields]


def _told(path: tuple[str | int, ...], provider: str | None, found: Any) -> tuple[str, str]:
    key = dotted(path)
    kind, context, value = found["type"], found.get("ctx", {}), found.get("input")
    if kind == "extra_forbidden":
        known = sorted(PROVIDERS[provider].model_fields) if provider and len(path) == 4 else _known(path[:-1])
        if others := _other_providers(path, provider):
            return (
                key,
                f"belongs to the provider {' or '.join(others)}, and this model's provider is {provider}; allowed here: {', '.join(known)}",
            )
        missed = next((text for name, text in _NOT_OFFERED if name.search(str(path[-1]))), None)
        return key, f"unknown key{f': {missed}' if missed else _near(str(path[-1]), known)}; allowed here: {', '.join(known)}"
    if kind == "missing":
        return key, "is missing"
    if kind == "union_tag_invalid":
        key, value, kind = f"{key}.provider", value.get("provider"), "literal_error"
        context = {"expected": context["expected_tags"]}
    shown = _shown(value)
    if kind == "literal_error":
        options = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
        return key, f"{shown} is not allowed{_near(str(value), options)}; allowed: {', '.join(options)}"
    meaning = _MEANINGS.get(f"{_general(path)} of {provider}", _MEANINGS.get(_general(path)))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return key, f"{shown} is not a table; write it as [{key}]"
    return key, f"{shown} is not allowed; expected {meaning or _expected(kind, context, found['msg'])}"


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "value_error":
        return str(context.get("error", message))
    told = {
        "greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}",
        "greater_than": "more than {gt}", "less_than": "less than {lt}",
        "string_pattern_mismatch": "text that matches {pattern}", "string_type": "text in quotes", "tuple_type": 'a list, e.g. ["…"]',
        **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
        **dict.fromkeys(("float_parsing", "float_type"), "a number"),
        **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    }  # fmt: skip
    return told[kind].format(**context) if kind in told else message[:1].lower() + message[1:]


def _general(path: Sequence[str | int]) -> str:
    """The place as ``_MEANINGS`` has it: without indices, and with ``*`` for a name that the person chose."""
    names = [part for part in path if isinstance(part, str)]
    if names[:2] == ["azure", "callers"]:
        names[2:3] = ["*"] if len(names) > 3 else []
    return ".".join(names)


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 80 else text[:77] + "..."


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def dotted(path: Sequence[str | int]) -> str:
    """A place as a person writes it, e.g. ``litellm.models[0].name``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _known(path: Sequence[str | int]) -> list[str]:
    """The keys of the table at a place."""
    here: Any = Settings
    for part in path:
        if typing.get_origin(here) in (tuple, dict):
            here = _inner(here)  # an index, or a name the person chose
        elif isinstance(here, type) and issubclass(here, BaseModel) and part in here.model_fields:
            here = here.model_fields[str(part)].annotation
            if typing.get_origin(here) not in (tuple, dict):
                here = _inner(here)
        else:
            return []
    return sorted(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _inner(annotation: Any) -> Any:
    """The table inside ``tuple[Table, ...]``, ``dict[str, Table]`` or ``Table | None``."""
    origin = typing.get_origin(annotation)
    if origin in (tuple, dict, typing.Union, types.UnionType, typing.Annotated):
        return next(
            (found for part in typing.get_args(annotation) if isinstance(found := _inner(part), type) and issubclass(found, BaseModel)),
            annotation,
        )
    return annotation
