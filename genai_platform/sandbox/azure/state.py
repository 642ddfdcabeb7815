"""The tenant, subscription and deployer that every sandbox begins with."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from genai_platform.files import write_private
from genai_platform.sandbox.azure import arm_providers, tenancy
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION, TENANT
from genai_platform.sandbox.azure.throttle import Throttle
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import Duration

MICROSOFT_RESOURCES = {
    "https://management.azure.com": "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "https://graph.microsoft.com": "00000003-0000-0000-c000-000000000000",
    "https://vault.azure.net": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    "https://cognitiveservices.azure.com": "7d312290-28c8-473c-a0ed-8e53749b6d6d",
}
"""Well-known application ids of Microsoft's own services."""


@dataclass(frozen=True)
class AzureState:
    """Shared by every Azure stand-in of one sandbox."""

    layout: SandboxLayout
    store: Store
    key: rsa.RSAPrivateKey
    throttle: Throttle = field(default_factory=Throttle)

    def after(self, duration: Duration) -> float:
        """The moment at which something that begins now is done; seconds since the epoch."""
        return time.time() + self.layout.pace.of(duration)

    @property
    def authority(self) -> str:
        return f"https://localhost:{self.layout.ports['entra']}"

    @property
    def vault_resource(self) -> str:
        """What tokens for the vaults are issued for: the SDK wants it to be the end of the vault's own host name."""
        return f"https://vault.localhost:{self.layout.ports['vault']}"

    def issuer(self, tenant: str) -> str:
        """Who signs a tenant's v2.0 tokens."""
        return f"{self.authority}/{tenant}/v2.0"

    def directory(self, tenant: str) -> tenancy.Directory:
        """A tenant's applications, service principals and people."""
        return tenancy.Directory(self.store, tenant)


def prepare(layout: SandboxLayout) -> None:
    """Make the deployer's secret file when it is missing: ``azure/deployer.json``, 0600."""
    file = layout.folder("azure") / "deployer.json"
    if not file.exists():
        document = {"client_id": str(uuid5(NAMESPACE_URL, f"deployer:{layout.root}")), "client_secret": secrets.token_urlsafe(32)}
        write_private(file, json.dumps(document))


def deployer(layout: SandboxLayout) -> dict[str, str]:
    """Whom the directory knows as the deployer, under the names that azure-identity reads. Holds a secret."""
    known = json.loads((layout.folder("azure") / "deployer.json").read_text())
    return {"AZURE_CLIENT_ID": known["client_id"], "AZURE_CLIENT_SECRET": known["client_secret"]}


def open_state(layout: SandboxLayout) -> AzureState:
    """The world as it was left, or a new one with a deployer and nothing else."""
    prepare(layout)
    folder = layout.folder("azure")
    key_file = folder / "signing.pem"
    if not key_file.exists():
        fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = fresh.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(key_file, pem)
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("signing.pem does not hold an RSA key")
    azure = AzureState(layout, Store(folder / "world.sqlite"), key)
    _seed(azure, json.loads((folder / "deployer.json").read_text()))
    return azure


def _seed(azure: AzureState, deployer: dict[str, str]) -> None:
    if azure.store.get("subscriptions", SUBSCRIPTION) is None:
        tenancy.add_subscription(azure.store, SUBSCRIPTION, TENANT, "sandbox")
    # Somebody has an Azure OpenAI resource in it (``arm_openai``).
    arm_providers.register(azure.store, SUBSCRIPTION, "Microsoft.CognitiveServices")
    if not azure.store.all("applications"):
        tenancy.add_deployer(azure.store, SUBSCRIPTION, deployer["client_id"], deployer["client_secret"], "sandbox deployer")
