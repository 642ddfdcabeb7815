"""A tenant in the Azure stand-ins, asked as the deployer asks: applications, people, clusters whose tokens Entra may trust."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from genai_platform.sandbox import ca
from genai_platform.sandbox.aws.oidc_issuer import OidcIssuer
from genai_platform.sandbox.azure.state import deployer
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.azure.tenancy import TENANT
from genai_platform.sandbox.cluster.issuer import issuer, key_id, public_key_file
from genai_platform.sandbox.layout import SandboxLayout
from tests.steps.azure_steps.world import ask, until

AUDIENCE = "api://AzureADTokenExchange"
LITELLM = "system:serviceaccount:genai:litellm"


class Tenant:
    """The directory of the stand-ins that run in ``layout``."""

    def __init__(self, layout: SandboxLayout) -> None:
        self.layout = layout
        self.authority = f"https://localhost:{layout.ports['entra']}"
        self.options: dict[str, Any] = {
            "authority": self.authority,
            "disable_instance_discovery": True,
            "connection_verify": str(layout.ca_file),
        }
        known = deployer(layout)
        self.deployer = ClientSecretCredential(TENANT, known["AZURE_CLIENT_ID"], known["AZURE_CLIENT_SECRET"], **self.options)
        self.http = httpx.Client(verify=ssl.create_default_context(cafile=str(layout.ca_file)), trust_env=False)

    def graph(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        token = self.deployer.get_token("https://graph.microsoft.com/.default").token
        url = f"https://localhost:{self.layout.ports['graph']}/v1.0{path}"
        return self.http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}", **headers})

    def close(self) -> None:
        self.http.close()
        self.deployer.close()

    def application(self, name: str, **fields: Any) -> dict[str, Any]:
        """An application that is known everywhere, with the object id of its service principal as ``principal``."""
        made = self.graph("POST", "/applications", {"displayName": name, "uniqueName": name, **fields}).json()
        until(lambda: self.graph("GET", f"/applications/{made['id']}").status_code == 200)
        principal = self.graph("POST", "/servicePrincipals", {"appId": made["appId"]}).json()
        until(lambda: self.graph("GET", f"/servicePrincipals/{principal['id']}").status_code == 200)
        return {**made, "principal": principal["id"]}

    def trust(
        self, application: dict[str, Any], issuer: str, subject: str = LITELLM, name: str = "litellm", audience: str = AUDIENCE
    ) -> Any:
        """A federated credential that the token endpoint knows already."""
        body = {"name": name, "issuer": issuer, "subject": subject, "audiences": [audience]}
        answer = self.graph("POST", f"/applications/{application['id']}/federatedIdentityCredentials", body)
        self.settle()
        return answer

    def settle(self, seconds: float = -1.0) -> None:
        """The token endpoint knows every federated credential since then; later with a number greater than 0."""
        with self.store() as store:
            for entry in store.all("federatedCredentials"):
                application = next(
                    one for one in store.all("applications") if store.get("federatedCredentials", f"{one['id']}/{entry['id']}")
                )
                store.put("federatedCredentials", f"{application['id']}/{entry['id']}", {**entry, "_known": time.time() + seconds})

    def user(self, name: str, groups: list[str] | None = None) -> dict[str, Any]:
        return ask(self.layout, "user", name=name, groups=groups or [])

    def workload(self, application: dict[str, Any], assertion: Callable[[], str]) -> ClientAssertionCredential:
        return ClientAssertionCredential(TENANT, application["appId"], assertion, **self.options)

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        opened = Store(self.layout.root / "azure" / "world.sqlite")
        try:
            yield opened
        finally:
            opened.close()


class Cluster:
    """A cluster of EKS as Entra sees it: an issuer on the Internet, and a key that signs its service accounts' tokens."""

    def __init__(self, layout: SandboxLayout) -> None:
        ca.authority(layout)
        self.layout, self.address, self._published = layout, issuer(layout), OidcIssuer(layout)
        self._key_file = layout.folder("kubernetes") / "sa.key"
        if not self._key_file.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self._key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            public_key_file(layout).write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @contextlib.contextmanager
    def published(self) -> Iterator[Cluster]:
        self._published.opened()
        try:
            yield self
        finally:
            self._published.closed()

    def token(self, key_file: Path | None = None, **claims: Any) -> str:
        """What the kubelet writes for a pod."""
        key = load_pem_private_key((key_file or self._key_file).read_bytes(), None)
        own = load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        assert isinstance(own, rsa.RSAPrivateKey)
        now = int(time.time())
        full = {"iss": self.address, "sub": LITELLM, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3600, **claims}
        return jwt.encode(full, key, "RS256", headers={"kid": key_id(own.public_key())})


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return json.loads(json.dumps(found))
