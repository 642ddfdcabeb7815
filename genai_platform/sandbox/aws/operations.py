"""Which IAM action a request asks for, and on which resource as far as that is known here.

S3 is in ``s3``, Bedrock in ``bedrock.access``: a request of theirs may need several. Names of actions: Service Authorization
Reference. REST services are known by method and path, as botocore's models of them say.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from botocore.loaders import Loader
from moto.secretsmanager.models import secretsmanager_backends

from genai_platform.sandbox.aws import s3
from genai_platform.sandbox.aws.bedrock import access
from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.signature import Signed

_PREFIX = {"tagging": "tag"}
"""Where the actions of a service begin with another word than its signatures name."""
_REST = ("eks", "route53")
_UNKNOWN = "*"


def asked(environ: dict[str, Any], signed: Signed, body: bytes) -> list[tuple[str, str]]:
    """Actions with their resources, all of which must be allowed. A resource that is not known here is ``*``."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    if signed.service == "s3":
        if path.startswith("/v20180820/"):  # S3 Control
            return [("s3:" + {"GET": "ListTagsForResource", "POST": "TagResource"}.get(method, "UntagResource"), _UNKNOWN)]
        return s3.wanted(method, path, query, environ.get("HTTP_X_AMZ_COPY_SOURCE"), body)
    prefix = _PREFIX.get(signed.service, signed.service)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        document = json.loads(body or b"{}")
        resource = _secret(document.get("SecretId"), signed.region) if signed.service == "secretsmanager" else _UNKNOWN
        return [(f"{prefix}:{target.rpartition('.')[2]}", resource)]
    if signed.service in _REST:
        return [(f"{prefix}:{_operation(signed.service, method, raw_path(environ))}", _UNKNOWN)]
    if signed.service == "bedrock":
        return [(one.action, one.resource) for one in access.needed(method, raw_path(environ), signed.region)]
    form = parse_qs(body.decode("utf-8", "replace")) or parse_qs(query)
    return [(f"{prefix}:{form.get('Action', [method])[0]}", form.get("RoleArn", [_UNKNOWN])[0])]


def raw_path(environ: dict[str, Any]) -> str:
    """The path as it was sent, percent-encoded."""
    return str(environ.get("REQUEST_URI") or environ["PATH_INFO"]).partition("?")[0]


def _operation(service: str, method: str, path: str) -> str:
    return next((name for verb, pattern, name in _routes(service) if verb == method and pattern.fullmatch(path)), method)


@lru_cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, path and name of each operation; a path that ends with a word goes before one that ends with anything."""
    operations = Loader().load_service_model(service, "service-2")["operations"]
    found = [(one["http"]["method"], str(one["http"]["requestUri"]).partition("?")[0], name) for name, one in operations.items()]
    found.sort(key=lambda route: route[1].endswith("}"))
    return [(method, _pattern(uri), name) for method, uri, name in found]


def _pattern(uri: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", uri.rstrip("/"))
    return re.compile(
        "".join((".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts) + "/?"
    )


def _secret(name: str | None, region: str) -> str:
    if name is None:
        return _UNKNOWN
    held = secretsmanager_backends[ACCOUNT][region].secrets.get(name)
    return name if held is None else str(held.arn)
