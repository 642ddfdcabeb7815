"""Where one sandbox lies on this machine: its folder, its loopback addresses and its ports.

Everything in Kubernetes or AWS that would have an address 10.N.x.y listens on 127.N.x.y here, so one rule
(``loopback``) leads from an address in the API to a socket. N is this sandbox's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import secrets
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genai_platform.advice import advice, genai
from genai_platform.errors import ConfigError, MissingError
from genai_platform.files import write_private
from genai_platform.sandbox.pace import DEFAULT, Pace

_PORTS = (
    "aws", "etcd", "etcd_peer", "kubernetes", "endpoint", "controllers", "kubelet", "webhook", "openai",
    "entra", "arm", "vault", "graph", "gateway", "litellm", "langfuse", "models", "oidc", "cognitive",
)  # fmt: skip
# Below the range Linux takes the ports of outgoing connections from: a stopped sandbox must find its ports free again.
_FIRST_PORT, _LAST_PORT = 18000, 31000


@dataclass(frozen=True)
class SandboxLayout:
    """Read with ``open``, made with ``create``; the same until the sandbox is removed."""

    root: Path
    """``.genai/sandbox[-NAME]/world``."""
    environment: str
    network: int
    """The second octet N."""
    ports: Mapping[str, int]
    region: str = "ap-northeast-1"
    """The AWS region this sandbox plays."""
    pace: Pace = field(default_factory=Pace)
    """How late its stand-ins are. A part learns of a change when it is started again."""
    tenant: Path | None = None
    """The root of the sandbox whose Entra tenant this one has joined (``azure/shared_tenant.py``); default: it has its own."""
    issuer_id: str = ""
    """What the address of its cluster's issuer ends with; empty in a sandbox that an older version made."""

    @classmethod
    def create(
        cls, root: Path, environment: str, region: str | None = None, pace: float | None = None, tenant: Path | None = None
    ) -> SandboxLayout:
        """Choose free ports and a free octet, and write them down (or read what was written before).

        Args:
            pace: the factor of ``sandbox/pace.py``; default: the one it has, or the usual one.

        Raises:
            ConfigError: it exists and plays another region, or is in another tenant.
        """
        root = root.absolute()
        if (root / "place.json").exists():
            layout = cls.open(root)
            if region not in (None, layout.region):
                raise ConfigError(
                    f"platform.region: the sandbox '{layout.environment}' was made as {layout.region} and cannot become {region}",
                    remedy=advice("use {}, or remove it first, with all its data: {}", layout.region, genai("sandbox remove")),
                    id="sandbox.region",
                )
            if tenant not in (None, layout.tenant):
                raise ConfigError(
                    f"the sandbox '{layout.environment}' was made with "
                    + (f"the tenant of {layout.tenant.parent}" if layout.tenant else "a tenant of its own")
                    + " and cannot join another",
                    remedy=advice("unset GENAI_SANDBOX_TENANT, or remove it first, with all its data: {}", genai("sandbox remove")),
                    id="sandbox.tenant",
                )
            if pace not in (None, layout.pace.factor):
                _keep(root, dict(_document(root)) | {"pace": pace})
                return cls.open(root)
            return layout
        root.mkdir(parents=True, mode=0o700, exist_ok=True)
        # Chosen and written down under one lock: another sandbox that is made at the same time reads which ports are claimed.
        with _locked(_claims() / ".making.lock"):
            document = {
                "environment": environment,
                "network": claim_network(root),
                "ports": _free_ports(_PORTS),
                "region": region or cls.region,
                "pace": pace or DEFAULT,
                "tenant": str(tenant) if tenant else None,
                "issuer": secrets.token_hex(16).upper(),
            }
            _keep(root, document)
        return cls.open(root)

    @classmethod
    def open(cls, root: Path) -> SandboxLayout:
        """Read a place that exists. Raises ``FileNotFoundError`` when there is none."""
        root = root.absolute()
        document = json.loads((root / "place.json").read_text())
        if missing := [name for name in _PORTS if name not in document["ports"]]:  # made by an older version
            document["ports"] |= _free_ports(missing)
            _keep(root, document)
        pace, region = Pace(document.get("pace", DEFAULT)), document.get("region", cls.region)
        tenant = Path(document["tenant"]) if document.get("tenant") else None
        issuer = document.get("issuer", "")
        return cls(root, document["environment"], document["network"], document["ports"], region, pace, tenant, issuer)

    # -- addresses ------------------------------------------------------------------------------
    @property
    def pod_cidr(self) -> str:
        return f"10.{self.network}.0.0/20"

    @property
    def service_cidr(self) -> str:
        return f"10.{self.network}.16.0/20"

    def aws_address(self, number: int) -> str:
        """A loopback address for something AWS would give a host name: 127.N.32.number."""
        return f"127.{self.network}.32.{number}"

    @property
    def spare_address(self) -> str:
        """A loopback address of this sandbox that nothing ever listens on: 127.N.0.1."""
        return f"127.{self.network}.0.1"

    @staticmethod
    def loopback(address: str) -> str:
        """10.N.x.y, as the Kubernetes API shows it, to 127.N.x.y, where it listens."""
        return "127" + address[address.index(".") :]

    @property
    def azure(self) -> SandboxLayout:
        """The sandbox whose Azure stand-ins this one uses: itself, unless it has joined another one's tenant.

        Raises:
            MissingError: that one does not exist any more, or cannot be read.
        """
        if self.tenant is None:
            return self
        try:
            return SandboxLayout.open(self.tenant)
        except (OSError, ValueError, KeyError, TypeError):
            raise MissingError(
                f"the sandbox '{self.environment}' has joined the tenant of the one in {self.tenant.parent}, which is gone or damaged",
                remedy=f"remove this one, with all its data: {in_its_folder(self.root, 'remove')}",
                id="sandbox.tenant_gone",
            ) from None

    def url(self, port: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.ports[port]}"

    # -- files ----------------------------------------------------------------------------------
    def folder(self, name: str) -> Path:
        """A folder of this sandbox, made when missing, mode 0700."""
        path = self.root / name
        path.mkdir(parents=True, mode=0o700, exist_ok=True)
        return path

    @property
    def ca_file(self) -> Path:
        """PEM certificate of the authority that signs every stand-in's certificate."""
        return self.root / "ca" / "ca.pem"

    @property
    def kubeconfig(self) -> Path:
        """For the sandbox's own parts: it leads to the API server itself, which runs before there is a cluster in EKS."""
        return self.root / "kubeconfig"

    @property
    def endpoint_kubeconfig(self) -> Path:
        """For everybody else: it leads to the endpoint of the cluster in EKS. Written by the AWS stand-in."""
        return self.root / "kubeconfig.eks"

    @property
    def hosts_file(self) -> Path:
        """Bind-mounted over /etc/hosts in every pod; rewritten in place, so running pods see changes."""
        return self.root / "hosts"

    def publish_hosts(self, owner: str, names: Mapping[str, str]) -> None:
        """Make host names known to every pod: ``names`` maps a name to a 127.N.x.y address.

        Each owner replaces its own names only.
        """
        with self.lock("hosts"):
            owners = self.folder("hosts.d")
            (owners / owner).write_text("".join(f"{address}\t{name}\n" for name, address in sorted(names.items())))
            text = "127.0.0.1\tlocalhost\n::1\tlocalhost\n" + "".join(f.read_text() for f in sorted(owners.iterdir()))
            _write_in_place(self.hosts_file, text.encode())

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold one of this sandbox's locks; other processes and threads wait for it."""
        with _locked(self.root / f".{name}.lock"):
            yield


def claim_network(root: Path, number: int | None = None, in_use: Callable[[Path], bool] = lambda holder: True) -> int:
    """Take an octet N that no other sandbox of this user has, or the given one; the claim lasts as long as the place does.

    Args:
        number: the one to take; default: any.
        in_use: whether the sandbox in that folder needs its claim just now.

    Raises:
        MissingError: the given one belongs to another sandbox that is in use, or none is left.
    """
    claims = _claims()
    first = zlib.crc32(str(root).encode()) % 180
    with _locked(claims / ".lock"):
        for candidate in [20 + (first + i) % 180 for i in range(180)] if number is None else [number]:
            claim = claims / str(candidate)
            holder = Path(claim.read_text()) if claim.exists() else None
            if (
                holder is None
                or holder == root
                or _document(holder).get("network") != candidate
                or (number is not None and not in_use(holder))
            ):
                claim.write_text(str(root))
                return candidate
    if number is None:
        raise MissingError(
            "no loopback network is left for another sandbox",
            remedy=f"remove one that is not needed; each file in {claims} names one",
            id="sandbox.networks",
        )
    raise MissingError(
        f"the network 127.{number}.0.0 belongs to the sandbox in {holder}",
        remedy=f"stop that one first: {in_its_folder(holder or root, 'stop')}",
        id="sandbox.network_taken",
    )


def in_its_folder(root: Path, word: str) -> str:
    """``genai up`` or ``genai sandbox WORD`` for the sandbox at ``.genai/ENVIRONMENT/world``, wherever that is."""
    name = root.parent.name.removeprefix("sandbox").lstrip("-")
    command = word if word == "up" else f"sandbox {word}"
    return f"cd {root.parents[2]} && genai {command} --sandbox" + (f" --env {name}" if name else "")


def _claims() -> Path:
    """A file for each octet that was claimed, holding the folder of its sandbox; shared by all sandboxes of this user."""
    from genai_platform.programs.cache import cache_folder

    folder = cache_folder() / "networks"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    return folder


def _document(root: Path) -> Mapping[str, Any]:
    """What a sandbox wrote down; nothing when it is not there any more."""
    try:
        found: Mapping[str, Any] = json.loads((root / "place.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def _write_in_place(path: Path, content: bytes) -> None:
    """The same file with new content, in one call: who reads it meanwhile never finds it empty."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        if os.pread(descriptor, len(content) + 1, 0) != content:
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _keep(root: Path, document: Mapping[str, object]) -> None:
    write_private(root / "place.json", json.dumps(document, indent=1))


def _free_ports(names: Sequence[str]) -> dict[str, int]:
    """A free port for each name, none of any sandbox of this user: a stopped one must find its own free when it starts again."""
    chosen: dict[str, int] = {}
    holders = [Path(claim.read_text()) for claim in _claims().iterdir() if claim.name.isdigit()]
    claimed = {port for holder in holders for port in _document(holder).get("ports", {}).values()}
    candidates = iter(random.SystemRandom().sample(range(_FIRST_PORT, _LAST_PORT), _LAST_PORT - _FIRST_PORT))
    for name in names:
        chosen[name] = next(port for port in candidates if port not in claimed and _free(port))
    return chosen


def _free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
