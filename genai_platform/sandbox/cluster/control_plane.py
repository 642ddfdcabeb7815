"""The control plane: real etcd, kube-apiserver and kube-controller-manager, each with its own client certificate.

Everything listens on 127.0.0.1 and speaks TLS; whoever talks to it shows a certificate of the sandbox's authority.
"""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genai_platform import toolchain
from genai_platform.sandbox import ca, programs
from genai_platform.sandbox.cluster.issuer import issuer, public_key_file
from genai_platform.sandbox.part import Kind
from genai_platform.sandbox.place import Place

ADMIN = ("genai-admin", "system:masters")
CONTROLLERS = ("system:kube-controller-manager", "genai:sandbox")
WEBHOOK = ("genai:pod-identity-webhook", "genai:sandbox")
API_SERVER = ("kube-apiserver", "genai:sandbox")


@dataclass(frozen=True)
class _Real:
    """What the three have in common: a published program, no variables of its own."""

    name: str
    port: str | None
    kind: Kind = "real"

    @property
    def version(self) -> str:
        return programs.say_version(self.name)

    def variables(self, place: Place) -> Mapping[str, str]:
        return {}


class Etcd(_Real):
    """The store. Nothing is flushed to disk at once: a power cut may cost a sandbox, a stop does not."""

    further_ports = ("etcd_peer",)

    def prepare(self, place: Place) -> None:
        place.folder("etcd").chmod(0o700)
        self._certificate(place)
        ca.issue_user(place, *API_SERVER)

    def argv(self, place: Place) -> list[str]:
        cert, key = self._certificate(place)
        client, peer = place.url("etcd", "https"), place.url("etcd_peer", "https")
        return [
            str(toolchain.find("etcd")),
            "--name=sandbox",
            f"--data-dir={place.folder('etcd')}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=sandbox={peer}",
            *(f"--{side}cert-file={cert}" for side in ("", "peer-")),
            *(f"--{side}key-file={key}" for side in ("", "peer-")),
            *(f"--{side}trusted-ca-file={place.ca_file}" for side in ("", "peer-")),
            *(f"--{side}client-cert-auth" for side in ("", "peer-")),
            "--unsafe-no-fsync",
            "--log-level=warn",
            "--auto-compaction-retention=1h",
        ]

    def ready(self, place: Place) -> bool:
        status, text = get(place, "etcd", "/health", API_SERVER)
        return status == 200 and json.loads(text).get("health") == "true"

    def _certificate(self, place: Place) -> ca.Issued:
        return ca.issue(place, ["etcd.sandbox", "localhost", "127.0.0.1"])


class ApiServer(_Real):
    """The Kubernetes API, with the token issuer EKS would have."""

    def prepare(self, place: Place) -> None:
        self._certificate(place)
        for user in (ADMIN, CONTROLLERS, WEBHOOK, API_SERVER):
            ca.issue_user(place, *user)
        _signing_key(place)
        write_kubeconfig(place, place.kubeconfig, ADMIN)
        write_kubeconfig(place, kubeconfig_of(place, CONTROLLERS), CONTROLLERS)
        write_kubeconfig(place, kubeconfig_of(place, WEBHOOK), WEBHOOK)

    def argv(self, place: Place) -> list[str]:
        cert, key = self._certificate(place)
        client = ca.issue_user(place, *API_SERVER)
        return [
            str(toolchain.find("kube-apiserver")),
            f"--etcd-servers={place.url('etcd', 'https')}",
            f"--etcd-cafile={place.ca_file}",
            f"--etcd-certfile={client.cert}",
            f"--etcd-keyfile={client.key}",
            "--bind-address=127.0.0.1",
            # Endpoints must not hold a loopback address; by the rule of `Place.loopback` this one leads to 127.0.0.1,
            # so pods reach the API at the address of the service `kubernetes`.
            "--advertise-address=10.0.0.1",
            f"--secure-port={place.ports['kubernetes']}",
            f"--tls-cert-file={cert}",
            f"--tls-private-key-file={key}",
            f"--cert-dir={place.folder('kubernetes')}",
            f"--client-ca-file={place.ca_file}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            f"--kubelet-certificate-authority={place.ca_file}",
            f"--kubelet-client-certificate={client.cert}",
            f"--kubelet-client-key={client.key}",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--service-account-issuer={issuer(place)}",
            "--api-audiences=https://kubernetes.default.svc",
            f"--service-account-key-file={public_key_file(place)}",
            f"--service-account-signing-key-file={_signing_key(place)}",
            f"--service-cluster-ip-range={place.service_cidr}",
            "--allow-privileged=true",
            "--profiling=false",
        ]

    def ready(self, place: Place) -> bool:
        return get(place, "kubernetes", "/readyz", ADMIN)[0] == 200

    def _certificate(self, place: Place) -> ca.Issued:
        first = str(ipaddress.ip_network(place.service_cidr)[1])
        inside = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        return ca.issue(place, ["kube-apiserver.sandbox", "localhost", "127.0.0.1", first, place.loopback(first), *inside])


class ControllerManager(_Real):
    """Deployments, stateful sets, jobs, endpoints, claims, tokens: every controller that needs no cloud."""

    def prepare(self, place: Place) -> None:
        self._certificate(place)

    def argv(self, place: Place) -> list[str]:
        cert, key = self._certificate(place)
        config = kubeconfig_of(place, CONTROLLERS)
        return [
            str(toolchain.find("kube-controller-manager")),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--authentication-skip-lookup",
            "--bind-address=127.0.0.1",
            f"--secure-port={place.ports['controllers']}",
            f"--tls-cert-file={cert}",
            f"--tls-private-key-file={key}",
            "--controllers=*,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
            "--allocate-node-cidrs=false",
            "--leader-elect=false",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={_signing_key(place)}",
            f"--root-ca-file={place.ca_file}",
            f"--cluster-signing-cert-file={place.ca_file}",
            f"--cluster-signing-key-file={place.root / 'ca' / 'ca.key'}",
            # A busy machine must not make the one node look dead.
            "--node-monitor-grace-period=300s",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
            "--profiling=false",
        ]

    def ready(self, place: Place) -> bool:
        if get(place, "controllers", "/healthz", CONTROLLERS)[0] != 200:
            return False
        # Pods are refused in a namespace without its service account: the first controller everybody waits for.
        return get(place, "kubernetes", "/api/v1/namespaces/default/serviceaccounts/default", ADMIN)[0] == 200

    def _certificate(self, place: Place) -> ca.Issued:
        return ca.issue(place, ["kube-controller-manager.sandbox", "localhost", "127.0.0.1"])


ETCD = Etcd("etcd", "etcd")
API = ApiServer("kube-apiserver", "kubernetes")
MANAGER = ControllerManager("kube-controller-manager", "controllers")


def kubeconfig_of(place: Place, user: tuple[str, str]) -> Path:
    """Where the kubeconfig of one of our own programs lies."""
    return place.folder("kubernetes") / f"{user[0].rpartition(':')[2]}.kubeconfig"


def write_kubeconfig(place: Place, path: Path, user: tuple[str, str], address: str | None = None) -> None:
    """A kubeconfig with a client certificate inside, mode 0600, usable wherever it is copied on this machine.

    Args:
        address: of the API; default: the API server's own.
    """
    import base64

    import yaml

    def encoded(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    issued = ca.issue_user(place, *user)
    server = {"server": address or place.url("kubernetes", "https"), "certificate-authority-data": encoded(place.ca_file)}
    client = {"client-certificate-data": encoded(issued.cert), "client-key-data": encoded(issued.key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": place.environment, "cluster": server}],
        "users": [{"name": user[0], "user": client}],
        "contexts": [{"name": place.environment, "context": {"cluster": place.environment, "user": user[0]}}],
        "current-context": place.environment,
    }
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(document, file)
    temporary.replace(path)


def get(place: Place, port: str, path: str, user: tuple[str, str]) -> tuple[int, str]:
    """One GET with a client certificate. Status 0 when nobody answers."""
    issued = ca.issue_user(place, *user)
    context = ssl.create_default_context(cafile=str(place.ca_file))
    context.load_cert_chain(issued.cert, issued.key)
    # An opener of its own: the proxies of the person's environment do not apply to loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(place.url(port, "https") + path, timeout=3) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def _signing_key(place: Place) -> Path:
    """The key that signs service account tokens; its public half lies in ``sa.pub``."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = place.folder("kubernetes") / "sa.key"
    with place.lock("kubernetes"):
        if not private.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            public_key_file(place).write_bytes(public)
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            with os.fdopen(os.open(private, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                file.write(pem)
    return private
