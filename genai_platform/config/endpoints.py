"""Where the clouds are. Empty means the real ones; another world hands over a filled-in document.

The product's code reads these values and nothing else: it does not know what answers there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from genai_platform.errors import ConfigError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AwsEndpoints(_Frozen):
    """``url`` takes the place of every AWS endpoint (as ``AWS_ENDPOINT_URL`` does)."""

    url: str | None = None
    access_key_id: str | None = None
    """Set together with ``url`` only: ambient credentials are then dropped."""
    secret_access_key: str | None = None
    session_token: str | None = None
    checkip: str = "https://checkip.amazonaws.com"


class AzureEndpoints(_Frozen):
    authority: str = "https://login.microsoftonline.com"
    arm: str = "https://management.azure.com"
    graph: str = "https://graph.microsoft.com"
    vault_suffix: str = "vault.azure.net"
    """``https://NAME.{vault_suffix}`` is a vault's address; the suffix may carry a port."""
    gateway_suffix: str = "azure-api.net"
    client_id: str | None = None
    client_secret_file: Path | None = None
    control: str | None = None
    """Control routes that sign tokens with any claims and let a vault fail, for checks that need such tokens. No real cloud has them."""
    control_secret_file: Path | None = None


class Endpoints(_Frozen):
    """Every address that differs between the real clouds and another world."""

    aws: AwsEndpoints = AwsEndpoints()
    azure: AzureEndpoints = AzureEndpoints()
    kubeconfig: Path | None = None
    """A kubeconfig to use instead of the one made from the EKS cluster."""
    ca_bundle: Path | None = None
    """PEM file with authorities to trust in addition to the system's."""
    load_balancer_names: tuple[str, ...] = ()
    """Further names for the certificate the tool makes, in addition to ``*.REGION.elb.amazonaws.com``."""
    environment_variables: dict[str, str] = {}
    """What child processes (terraform, helm) also get, e.g. a provider mirror's configuration."""

    @property
    def real(self) -> bool:
        """Whether these are the public clouds."""
        return self.aws.url is None


def refuse_loopback(environ: Mapping[str, str]) -> None:
    """Refuse variables that would send a real run to this machine. Raises ``ConfigError``."""
    for name, value in environ.items():
        if name.startswith("AWS_ENDPOINT_URL") and value and is_loopback(value):
            raise ConfigError(
                f"{name} points to this machine ({value}), and this is a run on the real clouds",
                remedy=f"unset {name}",
                id="target.loopback",
            )


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".localhost.localdomain")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
