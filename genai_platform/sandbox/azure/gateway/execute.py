"""Runs the sections of a compiled policy over one request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from genai_platform.sandbox.azure.gateway.expressions import Context, evaluate
from genai_platform.sandbox.azure.gateway.program import Node, Program
from genai_platform.sandbox.azure.gateway.tokens import Refused, Tokens


@dataclass(frozen=True)
class Answer:
    """A response that a policy makes itself."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


FAILURE = Answer(500, {"content-type": "application/json"}, '{"statusCode":500,"message":"Internal server error"}')


class Cache:
    """The built-in cache: values by key, each until its time. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[float, str]] = {}

    def get(self, key: str) -> str | None:
        with self._lock:
            until, value = self._entries.get(key, (0.0, ""))
            return value if until > time.monotonic() else None

    def put(self, key: str, value: str, seconds: int) -> None:
        with self._lock:
            self._entries[key] = (time.monotonic() + seconds, value)

    def remove(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)


class Executor:
    """Executes statements.

    Args:
        tokens: checks JSON Web Tokens.
        cache: the service's built-in cache.
        client: sends ``send-request``.
        identity: an access token of the service's managed identity for a resource.
    """

    def __init__(self, tokens: Tokens, cache: Cache, client: httpx.Client, identity: Callable[[str], str]) -> None:
        self._tokens, self._cache, self._client, self._identity = tokens, cache, client, identity
        self._statements: Mapping[str, Callable[[Node, Context], Answer | None]] = {
            "choose": self._choose,
            "set-header": self._set_header,
            "set-variable": self._set_variable,
            "set-backend-service": self._set_backend,
            "validate-jwt": self._validate,
            "cache-lookup-value": self._lookup,
            "cache-store-value": self._store,
            "cache-remove-value": self._remove,
            "send-request": self._send,
            "return-response": self._return,
        }

    def section(self, program: Program, name: str, context: Context) -> Answer | None:
        """Run a section; an answer ends it. A fault inside answers 500, as the service does."""
        try:
            return self._run(program[name], context)
        except Exception:
            # The service tells the caller nothing about an expression that failed.
            return FAILURE

    def _run(self, nodes: Iterable[Node], context: Context) -> Answer | None:
        for node in nodes:
            if node.tag in ("base", "forward-request"):
                continue
            if answer := self._statements[node.tag](node, context):
                return answer
        return None

    def _choose(self, node: Node, context: Context) -> Answer | None:
        for block in node.children:
            if block.tag == "otherwise" or evaluate(block.get("condition"), context):
                return self._run(block.children, context)
        return None

    def _set_header(self, node: Node, context: Context) -> None:
        name, action = str(evaluate(node.get("name"), context)).lower(), node.get("exists-action", "override")
        if action == "delete":
            context.headers.pop(name, None)
        elif not (action == "skip" and name in context.headers):
            values = [str(evaluate(value.text, context)) for value in node.all("value")]
            context.headers[name] = ",".join([context.headers[name], *values] if action == "append" and name in context.headers else values)

    def _set_variable(self, node: Node, context: Context) -> None:
        context.variables[node.get("name")] = evaluate(node.get("value"), context)

    def _set_backend(self, node: Node, context: Context) -> None:
        context.backend_id = str(evaluate(node.get("backend-id"), context))

    def _validate(self, node: Node, context: Context) -> Answer | None:
        try:
            claims = self._tokens.validate(node, context.headers.get(node.get("header-name").lower()))
        except Refused:
            status = int(node.get("failed-validation-httpcode", "401"))
            message = node.get("failed-validation-error-message", "JWT validation failed.")
            body = f'{{"statusCode":{status},"message":"{message}"}}'
            return Answer(status, {"content-type": "application/json"}, body)
        if variable := node.get("output-token-variable-name"):
            context.variables[variable] = claims
        return None

    def _lookup(self, node: Node, context: Context) -> None:
        value = self._cache.get(str(evaluate(node.get("key"), context)))
        if value is not None:
            context.variables[node.get("variable-name")] = value

    def _store(self, node: Node, context: Context) -> None:
        key, value = str(evaluate(node.get("key"), context)), str(evaluate(node.get("value"), context))
        self._cache.put(key, value, int(evaluate(node.get("duration"), context)))

    def _remove(self, node: Node, context: Context) -> None:
        self._cache.remove(str(evaluate(node.get("key"), context)))

    def _send(self, node: Node, context: Context) -> None:
        variable, ignore = node.get("response-variable-name"), node.get("ignore-error", "false") == "true"
        headers = _headers(node, context)
        try:
            if identity := node.first("authentication-managed-identity"):
                headers["authorization"] = f"Bearer {self._identity(identity.get('resource'))}"
            context.variables[variable] = self._client.request(
                _text(node, "set-method", context) or "GET",
                _text(node, "set-url", context),
                headers=headers,
                content=_text(node, "set-body", context) or None,
                timeout=float(node.get("timeout", "60")),
            )
        except httpx.HTTPError:
            if not ignore:
                raise
            context.variables[variable] = None

    def _return(self, node: Node, context: Context) -> Answer:
        status = node.first("set-status")
        return Answer(int(status.get("code")) if status else 200, _headers(node, context), _text(node, "set-body", context))


def _headers(node: Node, context: Context) -> dict[str, str]:
    values = [(part.get("name").lower(), value.text) for part in node.all("set-header") for value in part.all("value")]
    return {name: str(evaluate(text, context)) for name, text in values}


def _text(node: Node, tag: str, context: Context) -> str:
    part = node.first(tag)
    return str(evaluate(part.text, context)) if part else ""
