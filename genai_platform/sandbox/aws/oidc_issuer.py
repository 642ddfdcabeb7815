"""Where EKS publishes a cluster's OpenID Connect issuer: discovery document and keys, for everybody on the Internet.

Published as long as there is a cluster, as on AWS: from then on nobody outside can check its tokens.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from genai_platform.errors import MissingError
from genai_platform.sandbox import ca, public_addresses
from genai_platform.sandbox.cluster.issuer import documents, issuer
from genai_platform.sandbox.layout import SandboxLayout


class OidcIssuer:
    """The public address of one sandbox's issuer."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._layout, self._address = layout, issuer(layout)
        self._server: BaseWSGIServer | None = None
        self._lock = threading.Lock()

    def opened(self) -> None:
        """There is a cluster."""
        with self._lock:
            if self._server is None:
                host, port = self._address.split("/")[2], self._layout.ports["oidc"]
                certificate = ca.issue(self._layout, [host])
                paths = (str(certificate.cert), str(certificate.key))
                self._server = make_server("127.0.0.1", port, Request.application(self._answer), threaded=True, ssl_context=paths)
                threading.Thread(target=self._server.serve_forever, name="oidc-issuer", daemon=True).start()
            with contextlib.suppress(MissingError):  # the tenant that this sandbox has joined is gone: nobody asks
                public_addresses.publish(self._layout, self._address, self._layout.ports["oidc"])

    def closed(self) -> None:
        """The last cluster is being deleted."""
        with self._lock:
            with contextlib.suppress(MissingError):
                public_addresses.withdraw(self._layout, self._address)
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None

    def _answer(self, request: Request) -> Response:
        path = "/" + self._address.split("/", 3)[3]
        try:
            found: dict[str, Any] | None = documents(self._layout).get(request.path.removeprefix(path))
        except FileNotFoundError:
            found = None
        if found is None or not request.path.startswith(path):
            return Response("not found", 404)
        return Response(json.dumps(found), content_type="application/json")
