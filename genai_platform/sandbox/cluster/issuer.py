"""The address of the cluster's OpenID Connect issuer, as EKS would give it.

Three must agree on it: the API server that signs service account tokens, EKS's ``describe-cluster``, and STS that
verifies them. It depends on the sandbox alone, so all three can know it before any of them runs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from genai_platform.sandbox.layout import SandboxLayout


def issuer(layout: SandboxLayout, region: str | None = None) -> str:
    """``https://oidc.eks.REGION.amazonaws.com/id/<32 hex>``.

    Args:
        region: the cluster's region. A sandbox has one region; another one gives an issuer its tokens do not carry.
    """
    identifier = hashlib.md5(f"{layout.environment}/{layout.network}".encode(), usedforsecurity=False).hexdigest().upper()
    return f"https://oidc.eks.{region or layout.region}.amazonaws.com/id/{identifier}"


def public_key_file(layout: SandboxLayout) -> Path:
    """PEM of the key that verifies service account tokens."""
    return layout.root / "kubernetes" / "sa.pub"
