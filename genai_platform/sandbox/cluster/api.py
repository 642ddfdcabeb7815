"""The sandbox's client of its Kubernetes API: JSON documents in and out, as the API has them.

Its users are the node agent, the stand-in of the ClickHouse operator, the webhook and the load balancer.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx

from genai_platform.errors import StepError
from genai_platform.sandbox import ca
from genai_platform.sandbox.layout import SandboxLayout

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"
_WATCH = 300
"""Seconds after which the server ends a watch, so that the client notices a connection that died unseen."""


class ApiError(StepError):
    """The API refused, or could not be reached (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, id="sandbox.cluster")
        self.status = status


def session(layout: SandboxLayout, user: tuple[str, str], port: str = "kubernetes", timeout: float = 30) -> httpx.Client:
    """HTTPS requests to a program of the cluster, with a client certificate of the sandbox's authority.

    Proxies of the person's environment do not apply.

    Args:
        user: name and group in the certificate.
        port: the program's port in ``SandboxLayout.ports``.
        timeout: in seconds, for each request.
    """
    issued = ca.issue_user(layout, *user)
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    context.load_cert_chain(issued.cert, issued.key)
    # A watch holds its connection, and each pod's worker asks in a thread of its own: no request waits for a connection.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60)
    transport = httpx.HTTPTransport(verify=context, limits=limits, retries=1)
    return httpx.Client(base_url=layout.url(port, "https"), transport=transport, timeout=timeout, trust_env=False)


class Api:
    """The Kubernetes API through an HTTP session. Safe for threads."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    @classmethod
    def connect(cls, layout: SandboxLayout, user: tuple[str, str]) -> Self:
        """As ``user`` (name and group). Nothing is sent yet."""
        return cls(session(layout, user))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def get(self, path: str) -> Object:
        return self._send("GET", path)

    def find(self, path: str) -> Object | None:
        """``get``, with None for what does not exist."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: Object) -> Object:
        return self._send("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any], kind: str = MERGE) -> Object:
        return self._send("PATCH", path, body, kind)

    def apply(self, collection: str, document: Object, owner: str = "genai-sandbox") -> Object:
        """Make an object what the document says (server-side apply).

        Args:
            collection: path of the collection it belongs to.
            owner: the field manager.

        Raises:
            ApiError: the API refused it; the message names the object.
        """
        name = document["metadata"]["name"]
        try:
            return self._send("PATCH", f"{collection}/{name}", document, _APPLY, {"fieldManager": owner, "force": "true"})
        except ApiError as error:
            raise ApiError(error.status, f"the sandbox's cluster refused {document['kind']} '{name}': {error.message[:300]}") from error

    def delete(self, path: str, body: Object | None = None) -> None:
        """Delete; an object that does not exist any more is fine."""
        try:
            self._send("DELETE", path, body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def watch(self, path: str, version: str) -> Iterator[Object]:
        """The events of a collection after a resource version, until the server ends the watch (five minutes).

        Raises:
            ApiError: the API refused, or the connection broke.
        """
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH)}
        with _readable_errors(), self._http.stream("GET", path, params=query, timeout=httpx.Timeout(30, read=_WATCH + 30)) as answer:
            _refusal(answer)
            rest = b""
            # Not iter_lines(), which also ends a line at characters that JSON allows within a string.
            for piece in answer.iter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                yield from (json.loads(line) for line in lines if line)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = "application/json", query: Object | None = None
    ) -> Object:
        content = None if body is None else json.dumps(body)
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": kind})
        with _readable_errors():
            answer = self._http.request(method, path, params=query, content=content, headers=headers)
            _refusal(answer)
            document: Object = answer.json()
            return document


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The path of a namespaced core object or collection, e.g. ``path_of("pods", "default", "web-0")``."""
    return f"/api/v1/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


@contextlib.contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise ApiError(0, f"the Kubernetes API does not answer ({type(error).__name__})") from error
    except ValueError as error:
        raise ApiError(0, "the Kubernetes API's answer is not JSON") from error


def _refusal(answer: httpx.Response) -> None:
    """Raise the API's own message for an unsuccessful answer."""
    if answer.is_success:
        return
    text = answer.read().decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["message"]
    raise ApiError(answer.status_code, text)
