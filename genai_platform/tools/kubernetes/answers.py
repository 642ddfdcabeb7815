"""What the Kubernetes API's refusals say, and what to do about them."""

from __future__ import annotations

import json
from typing import Any

from genai_platform.advice import Remedy, advice, genai

REMEDIES: dict[int, Remedy] = {
    401: "the cluster did not accept this identity: check cluster.admins and the AWS credentials in use",
    403: advice("this identity may not do that: add it to cluster.admins and run: {}", genai("infra")),
    409: "something else changes the same object: run the same command again",
}


def unreached(error: Exception) -> str:
    """What kept a request from being answered; urllib3 hides it in the last of its tries."""
    from urllib3.exceptions import NameResolutionError, NewConnectionError

    cause = getattr(error, "reason", None) or error
    if isinstance(cause, NameResolutionError):
        return "its name does not resolve"
    if isinstance(cause, NewConnectionError) and "refused" in str(cause):
        return "connection refused"
    return type(cause).__name__


def reason_of(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])[:500]
    except (TypeError, ValueError, KeyError):
        return str(error.reason or "")[:200]
