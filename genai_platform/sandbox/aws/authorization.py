"""Authorization in the sandbox's AWS: who calls, whether the signature is theirs, and whether their policies allow it."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from moto.core.utils import utcnow
from werkzeug.wrappers import Request, Response

from genai_platform.sandbox.aws import (
    control_routes,
    eks,
    errors,
    operations,
    policy,
    principals,
    request_log,
    rest_operations,
    s3,
    signature,
    sts,
)
from genai_platform.sandbox.aws.bedrock import access, routes
from genai_platform.sandbox.aws.identity import ACCOUNT, ADMINISTRATOR, administrator, control_key
from genai_platform.sandbox.aws.sessions import SESSIONS
from genai_platform.sandbox.aws.stand_in import AwsStandIn

logger = logging.getLogger("genai.sandbox.aws")
_SECURE = {"aws:SecureTransport": "true"}
# It speaks plain HTTP on loopback, in place of AWS's TLS endpoints, so policies that demand TLS are content.


class Guard:
    """A WSGI application in front of moto's."""

    def __init__(self, stand_in: AwsStandIn, application: Any, save: Any) -> None:
        self._application = application
        self._layout = stand_in.layout
        self._admin = administrator(stand_in.layout)
        self.changes = 0
        """How many requests may have changed something."""
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._requests = request_log.Requests()
        self._control_routes = control_routes.ControlRoutes(control_key(stand_in.layout), save, self._requests)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        try:
            refused = self._judge(environ)
            return refused(environ, start_response) if refused else self._one_at_a_time(environ, start_response)
        except Exception as error:
            # Answered as a refusal: a server fault would have every client try again for minutes.
            logger.exception("%s %s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            signed = signature.read(environ)
            service = signed.service if signed else "s3"
            return errors.refusal(service, "NotSupportedBySandbox", f"{type(error).__name__}: {error}"[:300], 400)(environ, start_response)

    def _one_at_a_time(self, environ: dict[str, Any], start_response: Any) -> Any:
        """moto's services read what other threads of theirs write, and fail halfway ("dictionary changed size during iteration"):
        the change is made, the answer is a server fault, and who asks again is told that it exists. Amazon S3 may be asked by many at once:
        each of its requests can be repeated."""
        signed = signature.read(environ)
        service = signed.service if signed else "sts"
        # The network of a cluster is Amazon EC2's.
        with contextlib.nullcontext() if service == "s3" else self._turns["ec2" if service == "eks" else service]:
            return self._application(environ, start_response)

    def _judge(self, environ: dict[str, Any]) -> Response | None:
        """An answer in place of moto's, or ``None`` to let it pass."""
        path = environ.get("PATH_INFO", "")
        written = environ["REQUEST_METHOD"] not in ("GET", "HEAD")
        if path.startswith("/_sandbox/"):
            self.changes += written
            return self._control_routes(Request(environ))
        if path.startswith(("/moto-api", "/latest/")):
            return Response("not found\n", 404, content_type="text/plain")
        signed = signature.read(environ)
        if signed is None:
            self.changes += written  # a session for a pod
            return self._unsigned(environ)
        service = signed.service
        if signature.overdue(signed, environ):
            return errors.refusal(service, "AccessDenied", "Request has expired")
        body = _body(environ) if service != "s3" or environ["REQUEST_METHOD"] == "POST" else None
        asked = operations.asked(environ, signed, body or b"")
        actions = [action for action, _ in asked]
        # A session of the administrator's, one of a role, a user: at most one of the three has the key.
        own, held, user = SESSIONS.get(signed.access_key_id), sts.session(signed.access_key_id), principals.user(signed.access_key_id)
        who = user.arn if user else held.arn if held else ADMINISTRATOR
        # Many services are asked by POST: counted by the method, the node's agent alone would have everything saved all the time.
        self.changes += self._requests.add(environ["REQUEST_METHOD"], service, actions, path, who, environ.get("HTTP_USER_AGENT", ""))
        key: Any = self._admin if signed.access_key_id == self._admin.access_key_id else own or held
        if user:
            key = user.get_access_key_by_id(signed.access_key_id)
        if key is None or signed.token != getattr(key, "session_token", signed.token):
            return errors.unknown_key(service)
        if not signature.valid(signed, key.secret_access_key, environ, body):
            return errors.wrong_signature(service)
        if (own and own.ended) or (held and held.expiration <= utcnow()):
            return errors.expired(service)
        if own and own.after in actions:
            own.expiration = datetime.now(UTC)  # this one is still answered
        return self._policies(environ, signed, asked, user or held) or self._missing_operations(environ, signed)

    def _unsigned(self, environ: dict[str, Any]) -> Response | None:
        form = parse_qs((_body(environ) if "form-urlencoded" in environ.get("CONTENT_TYPE", "") else b"").decode("utf-8", "replace"))
        action = (form.get("Action") or parse_qs(environ.get("QUERY_STRING", "")).get("Action") or [""])[0]
        if action == "AssumeRoleWithWebIdentity":
            return None
        if action:
            return errors.refusal("sts", "MissingAuthenticationToken", "Request is missing Authentication Token")
        if environ.get("PATH_INFO", "").startswith(routes.PATHS):
            return errors.refusal("bedrock", "MissingAuthenticationTokenException", "Missing Authentication Token")
        return errors.refusal("s3", "AccessDenied", "Access Denied")

    def _missing_operations(self, environ: dict[str, Any], signed: signature.Signed) -> Response | None:
        if signed.service == "bedrock":
            return routes.answer(self._layout, Request(environ), operations.raw_path(environ), signed.region)
        if signed.service != "eks":
            return None
        return rest_operations.answer(eks.ROUTES, Request(environ), operations.raw_path(environ), signed.region)

    # -- policies -------------------------------------------------------------------------------
    def _policies(
        self, environ: dict[str, Any], signed: signature.Signed, asked: list[tuple[str, str]], principal: Any | None
    ) -> Response | None:
        """``principal``: a session of a role, or a user; None: the administrator."""
        documents = None if principal is None else principals.documents(getattr(principal, "role_arn", principal.arn))
        who = ADMINISTRATOR if principal is None else principal.arn
        if signed.service == "s3" and not environ["PATH_INFO"].startswith("/v20180820/"):
            return self._s3(environ, asked, who, documents, principal)
        if documents is None:
            return None
        if signed.service == "bedrock":
            wanted = access.needed(environ["REQUEST_METHOD"], operations.raw_path(environ), signed.region)
            refused = (one for one in wanted if policy.verdict(documents, one.action, one.resource, _SECURE | one.context) != "allow")
            return next((errors.denied(signed.service, who, one.action, one.resource) for one in refused), None)
        person, context = not hasattr(principal, "role_arn"), _SECURE | {"aws:RequestedRegion": signed.region}
        for action, resource in asked:
            judged = None if person and resource == "*" else resource
            if action != "sts:GetCallerIdentity" and policy.verdict(documents, action, judged, context) != "allow":
                return errors.denied(signed.service, who, action, resource)
        return None

    def _s3(
        self, environ: dict[str, Any], asked: list[tuple[str, str]], who: str, documents: list[str] | None, principal: Any | None
    ) -> Response | None:
        bucket, key = s3.split(environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"))
        given = parse_qs(environ.get("QUERY_STRING", ""))
        context = _SECURE | {f"s3:{name}": given[name][0] for name in ("prefix", "delimiter", "max-keys") if name in given}
        names = {who, ADMINISTRATOR if principal is None else getattr(principal, "role_arn", who), f"arn:aws:iam::{ACCOUNT}:root"}
        own = s3.bucket_policy(bucket)
        relevant = [one for one in policy.statements(own) if policy.principal_matches(one, names)] if own else []
        for action, resource in asked:
            by_bucket = policy.verdict([{"Statement": relevant}], action, resource, context)
            by_role = "allow" if documents is None else policy.verdict(documents, action, resource, context)
            # Who may not list a bucket is not told that a key is missing.
            if by_bucket == "deny" or by_role == "deny" or "allow" not in (by_bucket, by_role):
                return errors.denied("s3", who, action, resource)
            if documents is not None and action == "s3:GetObject" and not s3.has(bucket, key):
                listing = ("s3:ListBucket", f"arn:aws:s3:::{bucket}")
                if policy.verdict(documents, *listing, context) != "allow":
                    return errors.denied("s3", who, *listing)
        return None


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body and put it back for the next reader."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    body: bytes = stream.read(int(length)) if length else stream.read() if environ.get("wsgi.input_terminated") else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body
