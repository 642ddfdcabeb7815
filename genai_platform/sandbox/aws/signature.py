"""Signature Version 4 as a server checks it: header-signed and presigned requests."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request,?\s*SignedHeaders=([^,\s]+),?\s*Signature=([0-9a-f]+)"
)


@dataclass(frozen=True, repr=False)
class Signed:
    """What a request says about its own signature."""

    access_key_id: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    token: str | None
    presigned: bool


def read(environ: Mapping[str, Any]) -> Signed | None:
    """The signature a request carries, in its header or its query; ``None`` when it carries none."""
    found = _AUTHORIZATION.match(environ.get("HTTP_AUTHORIZATION", ""))
    if found:
        key, day, region, service, headers, signature = found.groups()
        return Signed(key, day, region, service, tuple(headers.split(";")), signature, environ.get("HTTP_X_AMZ_SECURITY_TOKEN"), False)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if "X-Amz-Signature" not in query:
        return None
    parts = query.get("X-Amz-Credential", "").split("/")
    if len(parts) != 5:
        return None
    headers_signed = tuple(query.get("X-Amz-SignedHeaders", "").split(";"))
    return Signed(parts[0], parts[1], parts[2], parts[3], headers_signed, query["X-Amz-Signature"], query.get("X-Amz-Security-Token"), True)


def valid(signed: Signed, secret: str, environ: Mapping[str, Any], body: bytes | None) -> bool:
    """Whether the request was signed with this secret.

    Args:
        body: needed only where the request does not state its content's digest.
    """
    path, _, query = str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")
    canonical = "\n".join(
        (
            environ["REQUEST_METHOD"],
            quote(unquote(path), safe="/-_.~") if signed.service == "s3" else quote(path, safe="/-_.~"),
            _query(query),
            "".join(f"{name}:{_header(environ, name)}\n" for name in signed.headers),
            ";".join(signed.headers),
            _digest(signed, environ, body),
        )
    )
    when = _when(signed, environ)
    scope = f"{signed.day}/{signed.region}/{signed.service}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = b"AWS4" + secret.encode()
    for part in (signed.day, signed.region, signed.service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(key.hex(), signed.signature)


def overdue(signed: Signed, environ: Mapping[str, Any]) -> bool:
    """Whether a presigned address is past the time it was given for."""
    if not signed.presigned:
        return False
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    try:
        made = datetime.strptime(_when(signed, environ), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return datetime.now(UTC) > made + timedelta(seconds=int(query.get("X-Amz-Expires", "")))
    except ValueError:
        return True


def _when(signed: Signed, environ: Mapping[str, Any]) -> str:
    if signed.presigned:
        return str(dict(parse_qsl(environ.get("QUERY_STRING", ""))).get("X-Amz-Date", ""))
    return str(environ.get("HTTP_X_AMZ_DATE") or environ.get("HTTP_DATE", ""))


def _query(raw: str) -> str:
    pairs = []
    for part in raw.split("&") if raw else []:
        name, _, value = part.partition("=")
        if name != "X-Amz-Signature":
            pairs.append((quote(unquote_plus(name), safe="-_.~"), quote(unquote_plus(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _header(environ: Mapping[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key) if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else environ.get(f"HTTP_{key}")
    return " ".join(str(value or "").split())


def _digest(signed: Signed, environ: Mapping[str, Any], body: bytes | None) -> str:
    stated = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if stated:
        return str(stated)
    if signed.presigned and signed.service == "s3":
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(body or b"").hexdigest()
