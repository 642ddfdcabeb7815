"""Whether a policy document allows something: statements, wildcards and the conditions that occur in this platform."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

Context = Mapping[str, str]
"""Condition keys with their values, e.g. ``s3:prefix``. Keys are compared without regard to case."""


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in text)
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(patterns: Any, value: str, *, fold: bool = False) -> bool:
    texts = [str(one).lower() if fold else str(one) for one in _listed(patterns)]
    return any(_pattern(text).match(value.lower() if fold else value) for text in texts)


class Unsupported(Exception):
    """A policy uses something that is not judged here. Guessing could open what AWS keeps shut."""


def _condition(test: str, wanted: Any, actual: str | None) -> bool:
    name = test.removesuffix("IfExists").split(":")[-1]
    if name not in _OPERATORS:
        raise Unsupported(f"the condition operator {test} is not judged in the sandbox")
    if name == "Null":
        return (actual is None) == (str(_listed(wanted)[0]).lower() == "true")
    if actual is None:
        return test.endswith("IfExists") or "Not" in name
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in _listed(wanted)]
    if name == "StringEquals":
        return actual in texts
    if name == "StringNotEquals":
        return actual not in texts
    if name in ("StringLike", "ArnLike", "ArnEquals"):
        return _matches(texts, actual)
    if name in ("StringNotLike", "ArnNotLike", "ArnNotEquals"):
        return not _matches(texts, actual)
    if name in ("StringEqualsIgnoreCase", "Bool"):
        return actual.lower() in [text.lower() for text in texts]
    return any(_NUMERIC[name](float(actual), float(text)) for text in texts)


_NUMERIC = {
    "NumericEquals": operator.eq, "NumericNotEquals": operator.ne, "NumericLessThan": operator.lt,
    "NumericLessThanEquals": operator.le, "NumericGreaterThan": operator.gt, "NumericGreaterThanEquals": operator.ge,
}  # fmt: skip
_OPERATORS = _NUMERIC.keys() | {
    "Null", "Bool", "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
    "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike",
}  # fmt: skip


def conditions_hold(statement: Mapping[str, Any], context: Context) -> bool:
    """Whether every condition of the statement holds."""
    lowered = {key.lower(): value for key, value in context.items()}
    return all(
        _condition(test, wanted, lowered.get(key.lower()))
        for test, keys in (statement.get("Condition") or {}).items()
        for key, wanted in keys.items()
    )


def statements(document: str | Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements of a policy document."""
    parsed = json.loads(document) if isinstance(document, str) else document
    return _listed(parsed.get("Statement", []))


def verdict(documents: Iterable[str | Mapping[str, Any]], action: str, resource: str | None, context: Context) -> str:
    """``deny`` where a statement denies, else ``allow`` where one allows, else ``none``.

    Args:
        resource: its ARN; None where the sandbox does not know it: then it is not judged whether an allowing statement covers it.
    """
    answer = "none"
    for document in documents:
        for statement in statements(document):
            if not concerns(statement, action, resource) or not conditions_hold(statement, context):
                continue
            if statement["Effect"] == "Deny":
                return "deny"
            answer = "allow"
    return answer


def concerns(statement: Mapping[str, Any], action: str, resource: str | None) -> bool:
    """Whether a statement is about this action on this resource, its conditions left aside."""
    if "Action" in statement and not _matches(statement["Action"], action, fold=True):
        return False
    if "NotAction" in statement and _matches(statement["NotAction"], action, fold=True):
        return False
    if resource is None:
        return statement["Effect"] == "Allow" or "*" in _listed(statement.get("Resource", "*"))
    if "Resource" in statement and not _matches(statement["Resource"], resource):
        return False
    return not ("NotResource" in statement and _matches(statement["NotResource"], resource))


def principal_matches(statement: Mapping[str, Any], arns: Iterable[str]) -> bool:
    """Whether a bucket policy's or trust policy's AWS principal is one of these."""
    principal = statement.get("Principal") or {}
    return principal == "*" or any(one == "*" or one in arns for one in _listed(principal.get("AWS", [])))
