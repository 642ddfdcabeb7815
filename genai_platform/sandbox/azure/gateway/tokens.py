"""``validate-jwt``: signature, lifetime, audience, issuer and required claims of a token."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from genai_platform.sandbox.azure.gateway.program import Node

_KEYS_SECONDS = 3600


class Refused(Exception):
    """The token is not accepted; the text is for the gateway's own log."""


class Tokens:
    """Checks tokens with keys published by the authorities that policies name. Thread-safe."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[float, Mapping[str, jwt.PyJWK]]] = {}

    def validate(self, node: Node, authorization: str | None) -> dict[str, Any]:
        """The token's claims.

        Raises:
            Refused: missing, malformed, expired, wrong signature, audience, issuer or claim.
        """
        scheme = node.get("require-scheme")
        kind, _, token = (authorization or "").partition(" ")
        if not token or (scheme and kind.lower() != scheme.lower()):
            raise Refused("no bearer token")
        audiences = [entry.text for part in node.all("audiences") for entry in part.all("audience")]
        issuers = [entry.text for part in node.all("issuers") for entry in part.all("issuer")]
        try:
            header = jwt.get_unverified_header(token)
            key = self._key([part.get("url") for part in node.all("openid-config")], str(header.get("kid")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key.key,
                algorithms=["RS256"],
                audience=audiences or None,
                issuer=issuers,
                leeway=int(node.get("clock-skew", "0")),
                # As the service does: a policy without audiences accepts a token for anybody.
                options={"require": ["exp", "iss", "aud"], "verify_aud": bool(audiences)},
            )
        except jwt.PyJWTError as error:
            raise Refused(str(error)) from None
        for part in node.all("required-claims"):
            for claim in part.all("claim"):
                _require(claim, claims)
        return claims

    def _key(self, configurations: list[str], kid: str) -> jwt.PyJWK:
        for fresh in (False, True):  # an unknown key: the authority may have rolled its keys, look once more
            for url in configurations:
                if key := self._published(url, fresh).get(kid):
                    return key
        raise Refused(f"no published key {kid}")

    def _published(self, url: str, fresh: bool) -> Mapping[str, jwt.PyJWK]:
        with self._lock:
            at, keys = self._keys.get(url, (0.0, {}))
            if keys and not fresh and time.monotonic() - at < _KEYS_SECONDS:
                return keys
            try:
                configuration = self._client.get(url).raise_for_status().json()
                published = self._client.get(configuration["jwks_uri"]).raise_for_status().json()
            except (httpx.HTTPError, KeyError, ValueError) as error:
                raise Refused(f"openid-config {url}: {error}") from None
            keys = {entry["kid"]: jwt.PyJWK(entry, algorithm="RS256") for entry in published["keys"]}
            self._keys[url] = (time.monotonic(), keys)
            return keys


def _require(claim: Node, claims: Mapping[str, Any]) -> None:
    found = claims.get(claim.get("name"))
    held = {str(value) for value in (found if isinstance(found, list) else [] if found is None else [found])}
    wanted = {value.text for value in claim.all("value")}
    enough = held & wanted if claim.get("match", "all") == "any" and wanted else wanted <= held and held
    if not enough:
        raise Refused(f"claim {claim.get('name')} is missing or has another value")
