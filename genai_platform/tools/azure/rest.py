"""REST over azure.core: one pipeline with retries, token and our transport, for what no small SDK covers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import tenacity

from genai_platform.config.endpoints import Endpoints
from genai_platform.tools.azure.errors import Kind, explained, status
from genai_platform.tools.azure.pipeline import retry
from genai_platform.tools.azure.transport import transport

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpRequest

Body = dict[str, Any]


class Rest:
    """One service by its address. Safe for several threads.

    Args:
        kind: reads a refusal whose code does not tell its kind.
    """

    def __init__(self, base: str, scope: str, credential: TokenCredential, endpoints: Endpoints, kind: Kind | None = None) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        self.base = base.rstrip("/")
        self._kind = kind
        bearer = policies.BearerTokenCredentialPolicy(credential, scope)
        chain = [policies.RequestIdPolicy(), policies.UserAgentPolicy("genai"), retry(), bearer]
        self._client: Any = PipelineClient(self.base, transport=transport(endpoints), policies=chain)

    def call(
        self, method: str, path: str, what: str, *, body: Body | None = None, query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None, fresh: float = 0.0,
    ) -> Body | None:  # fmt: skip
        """Send a request, again when the connection ends without an answer.

        Args:
            what: completes "could not …".
            fresh: seconds to go on asking after a 404, for an object that was made a moment ago.

        Returns:
            The answer's JSON document, ``{}`` for an empty one, None for 404.
        """
        from azure.core.rest import HttpRequest

        # send_request does not join the base address: absolute addresses only.
        url = path if path.startswith("https://") else self.base + path
        with explained(what, self._kind):
            return self._patient(HttpRequest(method, url, params=query, headers=headers, json=body), fresh, (method,))

    def post_once(self, path: str, what: str, body: Body, *, fresh: float = 0.0) -> Body | None:
        """As ``call`` with POST, but for what does something else the second time: not sent again without an answer."""
        from azure.core.rest import HttpRequest

        with explained(what, self._kind):
            return self._patient(HttpRequest("POST", self.base + path, json=body), fresh, ())

    def _patient(self, request: HttpRequest, fresh: float, again: tuple[str, ...]) -> Body | None:
        from azure.core.exceptions import ResourceNotFoundError

        asking = tenacity.Retrying(
            stop=tenacity.stop_after_delay(fresh),
            wait=tenacity.wait_exponential(multiplier=0.05, exp_base=1.7, max=5),
            retry=tenacity.retry_if_exception_type(ResourceNotFoundError),
            retry_error_callback=lambda _: None,
        )
        answer: Body | None = asking(self._once, request, again)
        return answer

    def _once(self, request: HttpRequest, again: tuple[str, ...]) -> Body:
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        answer = self._client.send_request(request, retry_on_methods=again)
        if answer.status_code == 404:
            raise ResourceNotFoundError(response=answer)
        if answer.status_code >= 400:
            raise _with_code(HttpResponseError(response=answer))
        text = answer.text()
        document = json.loads(text) if text.strip() else {}
        return document if isinstance(document, dict) else {"value": document}

    def pages(self, path: str, what: str, query: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Iterator[Body]:
        """Every entry of a listing, over all its pages."""
        next_path: str | None = path
        while next_path:
            document = self.call("GET", next_path, what, query=query, headers=headers) or {}
            yield from document.get("value", [])
            next_path, query = document.get("@odata.nextLink") or document.get("nextLink"), None


def _with_code(error: Any) -> Any:
    """azure.core reads OData errors only where the answer says so: Graph's code is taken from the document."""
    if getattr(error, "error", None) is None and status(error):
        with contextlib.suppress(ValueError, AttributeError):
            found = error.response.json().get("error") or {}
            error.error = SimpleNamespace(code=found.get("code"), innererror=None)
            error.message = str(found.get("message") or error.message)
    return error
