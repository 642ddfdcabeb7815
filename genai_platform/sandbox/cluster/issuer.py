"""The cluster's OpenID Connect issuer, as EKS would give it: its address, and what it publishes there.

Three must agree on the address: the API server that signs service account tokens, EKS's ``describe-cluster``, and STS that
verifies them. It depends on the sandbox alone, so all three can know it before any of them runs; and a sandbox that is made again
has another one, as a cluster that is made again has on EKS.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from genai_platform.sandbox.layout import SandboxLayout


def issuer(layout: SandboxLayout, region: str | None = None) -> str:
    """``https://oidc.eks.REGION.amazonaws.com/id/<32 hex>``.

    Args:
        region: the cluster's region. A sandbox has one region; another one gives an issuer its tokens do not carry.
    """
    older = hashlib.md5(f"{layout.environment}/{layout.network}".encode(), usedforsecurity=False).hexdigest().upper()
    identifier = layout.issuer_id or older
    return f"https://oidc.eks.{region or layout.region}.amazonaws.com/id/{identifier}"


def public_key_file(layout: SandboxLayout) -> Path:
    """PEM of the key that verifies service account tokens."""
    return layout.root / "kubernetes" / "sa.pub"


def documents(layout: SandboxLayout) -> dict[str, dict[str, Any]]:
    """What EKS publishes under the issuer's address: path below it to document.

    Raises:
        FileNotFoundError: the control plane has no key yet.
    """
    address = issuer(layout)
    configuration = {
        "issuer": address,
        "jwks_uri": f"{address}/keys",
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "claims_supported": ["sub", "iss"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return {"/.well-known/openid-configuration": configuration, "/keys": {"keys": [_key(public_key_file(layout).read_bytes())]}}


def _key(pem: bytes) -> dict[str, Any]:
    from jwt.algorithms import RSAAlgorithm

    key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise TypeError("sa.pub does not hold an RSA key")
    return {**json.loads(RSAAlgorithm.to_jwk(key)), "kid": key_id(key), "use": "sig", "alg": "RS256"}


def key_id(key: RSAPublicKey) -> str:
    """The ``kid`` that Kubernetes puts into its tokens: the key's digest (pkg/serviceaccount/jwt.go)."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
