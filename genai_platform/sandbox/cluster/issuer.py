"""The address of the cluster's OpenID Connect issuer, as EKS would give it.

Three must agree on it: the API server that signs service account tokens, EKS's ``describe-cluster``, and STS that
verifies them. It depends on the sandbox alone, so all three can know it before any of them runs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from genai_platform.sandbox.place import Place


def issuer(place: Place, region: str | None = None) -> str:
    """``https://oidc.eks.REGION.amazonaws.com/id/<32 hex>``.

    Args:
        region: the cluster's region. A sandbox has one region; another one gives an issuer its tokens do not carry.
    """
    identifier = hashlib.md5(f"{place.environment}/{place.network}".encode(), usedforsecurity=False).hexdigest().upper()
    return f"https://oidc.eks.{region or place.region}.amazonaws.com/id/{identifier}"


def public_key_file(place: Place) -> Path:
    """PEM of the key that verifies service account tokens."""
    return place.root / "kubernetes" / "sa.pub"
