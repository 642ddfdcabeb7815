"""Operations of a REST service that moto lacks: a path, and the function that answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from moto.core.exceptions import JsonRESTError
from werkzeug.wrappers import Request, Response

Reply = tuple[int, str]
Operation = Callable[[str, str, tuple[str, ...], dict[str, Any]], Reply]
"""Region, method, the path's groups, the body (of a GET: its query, a list for each name) → status and JSON text."""


def reply(document: dict[str, Any], status: int = 200) -> Reply:
    """A JSON answer."""
    return status, json.dumps(document, default=str)


def answer(routes: tuple[tuple[re.Pattern[str], Operation], ...], request: Request, raw_path: str, region: str) -> Response | None:
    """The answer of the first route whose path matches; ``None`` when it is moto's business."""
    for path, operation in routes:
        found = path.match(raw_path)
        if found is None:
            continue
        groups = tuple(unquote(group) for group in found.groups() if group is not None)
        try:
            body = request.args.to_dict(flat=False) if request.method == "GET" else json.loads(request.get_data() or b"{}")
            status, text = operation(region, request.method, groups, body)
            return Response(text, status, content_type="application/json")
        except JsonRESTError as error:
            kind = error.relative_error_type
            return Response(error.description, error.code, {"x-amzn-ErrorType": kind}, content_type="application/json")
    return None
