"""Routes that AWS does not have: the caller's address, a certificate's key, saving, ending credentials, quotas, the request log."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from urllib.parse import unquote

from moto.acm.models import acm_backends
from werkzeug.wrappers import Request, Response

from genai_platform.sandbox.aws import eks_versions, quotas
from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.request_log import Requests
from genai_platform.sandbox.aws.sessions import issue


class ControlRoutes:
    """``/_sandbox/…``."""

    def __init__(self, key: str, save: Callable[[], None], requests: Requests) -> None:
        self._key = key
        self._save = save
        self._requests = requests

    def __call__(self, request: Request) -> Response:
        if request.path == "/_sandbox/checkip":
            return Response(f"{request.remote_addr}\n", content_type="text/plain")
        if request.path == "/_sandbox/ready":
            return Response("ready\n", content_type="text/plain")
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {self._key}".encode()):
            return Response("this route needs its key\n", 401, content_type="text/plain")
        if request.path == "/_sandbox/save" and request.method == "POST":
            self._save()
            return Response("saved\n", content_type="text/plain")
        if request.path == "/_sandbox/requests":
            return _json(list(self._requests.since(request.args.get("since", 0, int))))
        if request.path == "/_sandbox/sessions" and request.method == "POST":
            wanted = request.get_json()
            return _json(issue(float(wanted.get("seconds", 3600)), wanted.get("after", "")).document())
        if request.path == "/_sandbox/eks/end-standard-support" and request.method == "POST":
            asked = request.get_json()
            return _json({"upgraded": eks_versions.end_standard(asked["region"], asked["version"])})
        if request.path == "/_sandbox/quotas" and request.method == "POST":
            asked = request.get_json()
            quotas.apply(asked["region"], asked["code"], float(asked["value"]))
            return _json(asked)
        if request.path.startswith("/_sandbox/acm/"):
            return _certificate(unquote(request.path.removeprefix("/_sandbox/acm/")))
        return Response("not found\n", 404, content_type="text/plain")


def _certificate(arn: str) -> Response:
    region = arn.split(":")[3] if arn.count(":") >= 5 else ""
    held = acm_backends[ACCOUNT][region]._certificates.get(arn) if region in acm_backends[ACCOUNT] else None
    if held is None:
        return Response("no such certificate\n", 404, content_type="text/plain")
    chain = (getattr(held, "own_chain", None) or b"").decode()
    return _json({"certificate": held.cert.decode(), "chain": chain, "key": held.key.decode()})


def _json(document: object) -> Response:
    return Response(json.dumps(document), content_type="application/json")
