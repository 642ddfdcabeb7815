"""The control plane: real etcd, kube-apiserver and kube-controller-manager, each with its own client certificate.

Everything listens on 127.0.0.1 and speaks TLS; its clients show a certificate of the sandbox's authority.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genai_platform import programs
from genai_platform.files import write_private
from genai_platform.sandbox import ca
from genai_platform.sandbox import programs as published
from genai_platform.sandbox.cluster.issuer import issuer, public_key_file
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import Kind

ADMIN = ("genai-admin", "system:masters")
CONTROLLERS = ("system:kube-controller-manager", "genai:sandbox")
WEBHOOK = ("genai:pod-identity-webhook", "genai:sandbox")
API_SERVER = ("kube-apiserver", "genai:sandbox")
_ONE_AT_A_TIME = {"GOMAXPROCS": "1"}
"""For programs with little to do: idle, most of their work is waking threads that find nothing, since Go keeps one for each processor."""


@dataclass(frozen=True)
class _Real:
    """What the three have in common: a published program with a certificate of its own."""

    name: str
    port: str | None
    own: Mapping[str, str] = field(default_factory=dict)
    """Its environment variables."""
    kind: Kind = "real"

    @property
    def version(self) -> str:
        return published.say_version(self.name)

    def prepare(self, layout: SandboxLayout) -> None:
        self._certificate(layout)

    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        return self.own

    def _certificate(self, layout: SandboxLayout, *further: str) -> ca.Issued:
        return ca.issue(layout, [f"{self.name}.sandbox", "localhost", "127.0.0.1", *further])


class Etcd(_Real):
    """The store. Nothing is flushed to disk at once: a power cut may cost a sandbox, a stop does not."""

    further_ports = ("etcd_peer",)

    def prepare(self, layout: SandboxLayout) -> None:
        layout.folder("etcd").chmod(0o700)
        super().prepare(layout)
        ca.issue_user(layout, *API_SERVER)

    def argv(self, layout: SandboxLayout) -> list[str]:
        cert, key = self._certificate(layout)
        client, peer = layout.url("etcd", "https"), layout.url("etcd_peer", "https")
        return [
            str(programs.find("etcd")),
            "--name=sandbox",
            f"--data-dir={layout.folder('etcd')}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=sandbox={peer}",
            *(f"--{side}cert-file={cert}" for side in ("", "peer-")),
            *(f"--{side}key-file={key}" for side in ("", "peer-")),
            *(f"--{side}trusted-ca-file={layout.ca_file}" for side in ("", "peer-")),
            *(f"--{side}client-cert-auth" for side in ("", "peer-")),
            "--unsafe-no-fsync",
            "--log-level=warn",
            "--auto-compaction-retention=1h",
        ]

    def ready(self, layout: SandboxLayout) -> bool:
        status, text = get(layout, "etcd", "/health", API_SERVER)
        return status == 200 and json.loads(text).get("health") == "true"


class ApiServer(_Real):
    """The Kubernetes API, with the token issuer EKS would have."""

    def prepare(self, layout: SandboxLayout) -> None:
        super().prepare(layout)
        for user in (ADMIN, CONTROLLERS, WEBHOOK, API_SERVER):
            ca.issue_user(layout, *user)
        _signing_key(layout)
        write_kubeconfig(layout, layout.kubeconfig, ADMIN)
        write_kubeconfig(layout, _controllers_kubeconfig(layout), CONTROLLERS)

    def argv(self, layout: SandboxLayout) -> list[str]:
        cert, key = self._certificate(layout)
        client = ca.issue_user(layout, *API_SERVER)
        return [
            str(programs.find("kube-apiserver")),
            f"--etcd-servers={layout.url('etcd', 'https')}",
            f"--etcd-cafile={layout.ca_file}",
            f"--etcd-certfile={client.cert}",
            f"--etcd-keyfile={client.key}",
            "--bind-address=127.0.0.1",
            # Endpoints must not hold a loopback address; by the rule of `SandboxLayout.loopback` this one leads to 127.0.0.1,
            # so pods reach the API at the address of the service `kubernetes`.
            "--advertise-address=10.0.0.1",
            f"--secure-port={layout.ports['kubernetes']}",
            f"--tls-cert-file={cert}",
            f"--tls-private-key-file={key}",
            f"--cert-dir={layout.folder('kubernetes')}",
            f"--client-ca-file={layout.ca_file}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            f"--kubelet-certificate-authority={layout.ca_file}",
            f"--kubelet-client-certificate={client.cert}",
            f"--kubelet-client-key={client.key}",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--service-account-issuer={issuer(layout)}",
            "--api-audiences=https://kubernetes.default.svc",
            f"--service-account-key-file={public_key_file(layout)}",
            f"--service-account-signing-key-file={_signing_key(layout)}",
            f"--service-cluster-ip-range={layout.service_cidr}",
            "--allow-privileged=true",
            "--profiling=false",
        ]

    def ready(self, layout: SandboxLayout) -> bool:
        return get(layout, "kubernetes", "/readyz", ADMIN)[0] == 200

    def _certificate(self, layout: SandboxLayout, *further: str) -> ca.Issued:
        first = str(ipaddress.ip_network(layout.service_cidr)[1])
        inside = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        return super()._certificate(layout, first, layout.loopback(first), *inside)


class ControllerManager(_Real):
    """Deployments, stateful sets, jobs, endpoints, claims, tokens: every controller that needs no cloud."""

    def argv(self, layout: SandboxLayout) -> list[str]:
        cert, key = self._certificate(layout)
        config = _controllers_kubeconfig(layout)
        return [
            str(programs.find("kube-controller-manager")),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--authentication-skip-lookup",
            "--bind-address=127.0.0.1",
            f"--secure-port={layout.ports['controllers']}",
            f"--tls-cert-file={cert}",
            f"--tls-private-key-file={key}",
            "--controllers=*,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
            "--allocate-node-cidrs=false",
            "--leader-elect=false",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={_signing_key(layout)}",
            f"--root-ca-file={layout.ca_file}",
            f"--cluster-signing-cert-file={layout.ca_file}",
            f"--cluster-signing-key-file={layout.root / 'ca' / 'ca.key'}",
            # A busy machine must not make the one node look dead.
            "--node-monitor-grace-period=300s",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
            "--profiling=false",
        ]

    def ready(self, layout: SandboxLayout) -> bool:
        if get(layout, "controllers", "/healthz", CONTROLLERS)[0] != 200:
            return False
        # Pods are refused in a namespace without its service account: the first controller everybody waits for.
        return get(layout, "kubernetes", "/api/v1/namespaces/default/serviceaccounts/default", ADMIN)[0] == 200


ETCD = Etcd("etcd", "etcd", _ONE_AT_A_TIME)
API = ApiServer("kube-apiserver", "kubernetes")
MANAGER = ControllerManager("kube-controller-manager", "controllers", _ONE_AT_A_TIME)


def _controllers_kubeconfig(layout: SandboxLayout) -> Path:
    return layout.folder("kubernetes") / "kube-controller-manager.kubeconfig"


def write_kubeconfig(layout: SandboxLayout, path: Path, user: tuple[str, str], address: str | None = None) -> None:
    """A kubeconfig with a client certificate inside, mode 0600, usable wherever it is copied on this machine.

    Args:
        address: of the API; default: the API server's own.
    """
    import base64

    import yaml

    def encoded(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    issued = ca.issue_user(layout, *user)
    server = {"server": address or layout.url("kubernetes", "https"), "certificate-authority-data": encoded(layout.ca_file)}
    client = {"client-certificate-data": encoded(issued.cert), "client-key-data": encoded(issued.key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": layout.environment, "cluster": server}],
        "users": [{"name": user[0], "user": client}],
        "contexts": [{"name": layout.environment, "context": {"cluster": layout.environment, "user": user[0]}}],
        "current-context": layout.environment,
    }
    write_private(path, yaml.safe_dump(document))


def get(layout: SandboxLayout, port: str, path: str, user: tuple[str, str]) -> tuple[int, str]:
    """One GET with a client certificate. Status 0 when nobody answers."""
    import httpx

    from genai_platform.sandbox.cluster.api import session

    try:
        with session(layout, user, port, timeout=3) as http:
            answer = http.get(path)
            return answer.status_code, answer.text
    except httpx.HTTPError:
        return 0, ""


def _signing_key(layout: SandboxLayout) -> Path:
    """The key that signs service account tokens; its public half lies in ``sa.pub``."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = layout.folder("kubernetes") / "sa.key"
    with layout.lock("kubernetes"):
        if not private.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            public_key_file(layout).write_bytes(public)
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            write_private(private, pem)
    return private
