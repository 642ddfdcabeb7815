"""What each expression form means, over the context of one request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from genai_platform.render import policy_forms as forms


@dataclass
class Context:
    """One request on its way: what ``context`` is in a policy expression."""

    method: str
    headers: dict[str, str]
    """Lower-case names."""
    variables: dict[str, Any] = field(default_factory=dict)
    named_values: Mapping[str, str] = field(default_factory=dict)
    response_status: int | None = None
    backend_id: str | None = None


def evaluate(text: str, context: Context) -> Any:
    """A text's value: an expression's result, or the text with ``{{named values}}`` put in."""
    if text.startswith("@"):
        recognised = forms.recognise(text)
        if recognised is None:
            raise ValueError(f"unknown expression: {text[:100]}")
        form, holes = recognised
        return _MEANING[form.id](context, holes)
    for name, value in context.named_values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _answer(context: Context) -> httpx.Response | None:
    answer = context.variables.get("vault")
    return answer if isinstance(answer, httpx.Response) else None


def _secret(context: Context) -> dict[str, Any]:
    answer = _answer(context)
    if answer is None:
        raise ValueError("NullReferenceException: the response variable 'vault' is null")
    document: dict[str, Any] = answer.json()
    return document


def _until(document: dict[str, Any]) -> int | None:
    exp = (document.get("attributes") or {}).get("exp")
    return None if exp is None else int(exp)


def _guid(context: Context, holes: Mapping[str, str]) -> str:
    claims = context.variables[holes["variable"]]
    try:
        return str(UUID(str(claims.get(holes["claim"], ""))))
    except ValueError:
        return ""


def _verdict(context: Context, holes: Mapping[str, str]) -> str:
    answer = _answer(context)
    if answer is None:
        return "unavailable"
    if answer.status_code == 404:
        return "denied"
    if answer.status_code == 403:
        return "denied" if "SecretDisabled" in answer.text else "unavailable"
    if answer.status_code != 200:
        return "unavailable"
    try:
        document = answer.json()
        if not document.get("value"):
            return "unavailable"
        until = _until(document)
    except (json.JSONDecodeError, AttributeError, TypeError, ValueError):
        return "unavailable"
    return "denied" if until is not None and until <= time.time() else "ok"


def _lifetime(context: Context, holes: Mapping[str, str]) -> int:
    until = _until(_secret(context))
    left = int(holes["limit"]) if until is None else until - int(time.time())
    return min(int(holes["limit2"]), max(1, left))


def _names(holes: Mapping[str, str]) -> list[str]:
    return [name.strip().strip('"').lower() for name in holes["names"].split(",")]


_MEANING: Mapping[str, Callable[[Context, Mapping[str, str]], Any]] = {
    forms.ANY_HEADER.id: lambda context, holes: any(name in context.headers for name in _names(holes)),
    forms.HEADER_PREFIX.id: lambda context, holes: any(name.startswith(holes["prefix"].lower()) for name in context.headers),
    forms.FIRST_HEADER.id: lambda context, holes: next(
        (name for name in context.headers if name.startswith(holes["prefix"].lower())), holes["prefix2"]
    ),
    forms.CLAIM_GUID.id: _guid,
    forms.VARIABLE_IS.id: lambda context, holes: context.variables[holes["variable"]] == holes["text"],
    forms.VARIABLE_EMPTY.id: lambda context, holes: not context.variables.get(holes["variable"]),
    forms.VARIABLE.id: lambda context, holes: str(context.variables[holes["variable"]]),
    forms.JOIN.id: lambda context, holes: f"{holes['before']}{context.variables[holes['variable']]}{holes['after']}",
    forms.BEARER.id: lambda context, holes: f"Bearer {context.variables[holes['variable']]}",
    forms.SECRET_VERDICT.id: _verdict,
    forms.SECRET_VALUE.id: lambda context, holes: str(_secret(context)["value"]),
    forms.SECRET_LIFETIME.id: _lifetime,
    forms.RESPONSE_HEADER.id: lambda context, holes: context.headers.get(holes["header"].lower(), ""),
    forms.RESPONSE_STATUS.id: lambda context, holes: context.response_status == int(holes["status"]),
}
