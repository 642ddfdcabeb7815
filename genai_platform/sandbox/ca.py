"""The sandbox's own certificate authority: it signs every stand-in's certificate and the users of Kubernetes.

Made once and kept in the sandbox's folder, so a restarted sandbox is trusted by everything that trusted it before.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import trustme

from genai_platform.files import write_private
from genai_platform.sandbox.layout import SandboxLayout


class Issued(NamedTuple):
    """Files of one certificate (with its chain) and its private key."""

    cert: Path
    key: Path


def authority(layout: SandboxLayout) -> trustme.CA:
    """The authority of this sandbox, made when missing, together with ``ca.pem`` and ``bundle.pem``."""
    folder = layout.folder("ca")
    key_file = folder / "ca.key"
    with layout.lock("ca"):
        if key_file.exists():
            return trustme.CA.from_pem(layout.ca_file.read_bytes(), key_file.read_bytes())
        made = trustme.CA(organization_name="genai sandbox", organization_unit_name=f"authority of {layout.environment}")
        certificate = made.cert_pem.bytes()
        write_private(layout.ca_file, certificate)
        write_private(bundle(layout), _system_authorities() + b"\n" + certificate)
        # The key comes last: as long as it is missing, nothing was issued and all of it is made again.
        write_private(key_file, made.private_key_pem.bytes())
        return made


def bundle(layout: SandboxLayout) -> Path:
    """PEM file with the system's authorities and ours, for programs that read one file only."""
    return layout.root / "ca" / "bundle.pem"


def stand_ins(layout: SandboxLayout) -> Path:
    """PEM file with the authorities of all stand-ins that this sandbox uses: its own one, and that of the tenant it has joined."""
    authority(layout)
    if layout.tenant is None:
        return layout.ca_file
    return write_private(layout.root / "ca" / "stand-ins.pem", layout.ca_file.read_bytes() + layout.azure.ca_file.read_bytes())


def issue(layout: SandboxLayout, names: Sequence[str]) -> Issued:
    """A server certificate for host names and addresses; the same files for the same names.

    Args:
        names: host names (wildcards allowed) and IP addresses, at least one.
    """
    return _issue(layout, f"{names[0]}-{_digest(*sorted(names))}", names)


def issue_user(layout: SandboxLayout, user: str, group: str) -> Issued:
    """A client certificate Kubernetes takes for ``user`` in ``group``."""
    return _issue(layout, f"{user}-{_digest(user, group)}", ("user.invalid",), user, group)


def _issue(layout: SandboxLayout, title: str, names: Sequence[str], user: str | None = None, organization: str = "genai sandbox") -> Issued:
    folder = layout.folder("ca") / "issued"
    folder.mkdir(mode=0o700, exist_ok=True)
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", title)
    issued = Issued(folder / f"{stem}.pem", folder / f"{stem}.key")
    signer = authority(layout)
    with layout.lock("ca"):
        if not issued.cert.exists() or not issued.key.exists():
            leaf = signer.issue_cert(*names, common_name=user, organization_name=organization)
            write_private(issued.key, leaf.private_key_pem.bytes())
            write_private(issued.cert, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    return issued


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _system_authorities() -> bytes:
    """What this machine trusts; where its store is not one file, the list that travels with certifi."""
    system = ssl.get_default_verify_paths().openssl_cafile
    for candidate in (system, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"):
        path = Path(candidate)
        if path.is_file() and path.stat().st_size > 0:
            return path.read_bytes()
    import certifi

    return Path(certifi.where()).read_bytes()
