"""What the load balancer should do, read from the cluster's objects. Pure: objects in, listeners out.

Follows EKS Auto Mode's controller: class and parameters decide scheme, group and certificates; in a group an Ingress's
rules act only on the ports its own ``listen-ports`` names; a path whose target group has no target that serves is answered with 503.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

CONTROLLER = "eks.amazonaws.com/alb"
FINALIZER = "ingress.eks.amazonaws.com/resources"
_NOTE = "alb.ingress.kubernetes.io/"
_IDLE_DEFAULT = 60.0
_NONE: Mapping[str, str] = MappingProxyType({})

Document = Mapping[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Wrong(Exception):
    """The objects ask for something the controller would refuse; the text says what."""


@dataclass(frozen=True)
class Cluster:
    """The objects the controller watches."""

    ingresses: Sequence[Document] = ()
    classes: Sequence[Document] = ()
    parameters: Sequence[Document] = ()
    services: Sequence[Document] = ()
    slices: Sequence[Document] = ()


@dataclass(frozen=True)
class HealthCheck:
    """How a target group looks at its targets."""

    path: str = "/"
    interval: float = 15.0
    """Seconds between two looks."""


@dataclass(frozen=True)
class TargetGroup:
    """What an ingress sends to one service: the pods that should be registered, and how they are checked."""

    name: str
    """Its ingress, service and port: two ingresses that name one service have a target group each."""
    targets: tuple[tuple[str, int], ...]
    """Addresses 10.N.x.y and ports of ready pods."""
    check: HealthCheck = HealthCheck()


@dataclass(frozen=True)
class Rule:
    """Requests of a host and path go to a target group."""

    host: str | None
    path: str
    exact: bool
    group: TargetGroup
    admitted: tuple[Network, ...]
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Headers that a request must also have, with the values that count; names in lower case."""

    def admits(self, address: str) -> bool:
        seen = ipaddress.ip_address(address)
        return any(seen in network for network in self.admitted)

    def fits(self, host: str, path: str, headers: Mapping[str, str]) -> bool:
        if self.host is not None and not _host_fits(self.host, host):
            return False
        if not all(headers.get(name) in values for name, values in self.headers):
            return False
        if self.exact:
            return path == self.path
        whole = self.path.rstrip("/")
        return path == whole or path.startswith(f"{whole}/")


@dataclass(frozen=True)
class Listener:
    """One port of a load balancer."""

    port: int
    certificates: tuple[str, ...]
    """ARNs; empty without TLS."""
    idle: float
    rules: tuple[Rule, ...]

    def admits(self, address: str) -> bool:
        """Whether the security group lets this address reach the port."""
        return any(rule.admits(address) for rule in self.rules)

    def find(self, host: str, path: str, headers: Mapping[str, str] = _NONE) -> Rule | None:
        """The rule for a request (names of headers in lower case): longest path first, as the controller orders them."""
        return next((rule for rule in self.rules if rule.fits(host, path, headers)), None)


@dataclass(frozen=True)
class Group:
    """One load balancer: the ingresses that share it and its listeners."""

    name: str
    scheme: str
    ingresses: tuple[Document, ...]
    listeners: tuple[Listener, ...]


def ours(cluster: Cluster) -> list[Document]:
    """The ingresses whose class belongs to this controller, and those it still holds although their class is gone."""
    classes = {one["metadata"]["name"] for one in cluster.classes if one["spec"].get("controller") == CONTROLLER}
    return [
        one
        for one in cluster.ingresses
        if one["spec"].get("ingressClassName") in classes or FINALIZER in (one["metadata"].get("finalizers") or ())
    ]


def groups(cluster: Cluster) -> tuple[list[Group], dict[str, str]]:
    """The load balancers that should exist, and what is wrong with which ingress (``namespace/name``).

    An ingress that is being deleted takes no part.
    """
    wrong: dict[str, str] = {}
    members: dict[str, list[tuple[Document, Document]]] = {}
    for ingress in ours(cluster):
        if ingress["metadata"].get("deletionTimestamp"):
            continue
        try:
            parameters = _parameters(cluster, ingress)
            _rules(cluster, ingress)
            _ports(ingress)
        except Wrong as error:
            wrong[key(ingress)] = str(error)
            continue
        members.setdefault(group_name(cluster, ingress), []).append((ingress, parameters))
    made = []
    for name, found in sorted(members.items()):
        try:
            made.append(_group(cluster, name, found))
        except Wrong as error:
            wrong |= {key(ingress): str(error) for ingress, _ in found}
    return made, wrong


def group_name(cluster: Cluster, ingress: Document) -> str:
    """The group an ingress belongs to: its class's, else one of its own."""
    try:
        named = (_parameters(cluster, ingress).get("group") or {}).get("name")
    except Wrong:
        named = None
    return str(named or key(ingress).replace("/", "-"))


def key(document: Document) -> str:
    """``namespace/name``."""
    return f"{document['metadata'].get('namespace', '')}/{document['metadata']['name']}"


def _group(cluster: Cluster, name: str, members: Sequence[tuple[Document, Document]]) -> Group:
    rules: dict[int, list[Rule]] = {}
    certificates: dict[int, tuple[str, ...]] = {}
    idle, scheme = _IDLE_DEFAULT, "internal"
    for ingress, parameters in members:
        scheme = parameters.get("scheme", scheme)
        attributes = {one["key"]: one["value"] for one in parameters.get("loadBalancerAttributes") or ()}
        idle = float(attributes.get("idle_timeout.timeout_seconds", idle))
        for port, secure in _ports(ingress):
            arns = tuple(parameters.get("certificateARNs") or ()) if secure else ()
            if secure and not arns:
                raise Wrong(f"port {port} is HTTPS, but its class names no certificate")
            if certificates.setdefault(port, arns) != arns:
                raise Wrong(f"port {port} is asked for with and without TLS")
            rules.setdefault(port, []).extend(_rules(cluster, ingress))
    for found in rules.values():
        found.sort(key=lambda rule: (rule.host is None, not rule.exact, -len(rule.path)))
    listeners = tuple(Listener(port, certificates[port], idle, tuple(found)) for port, found in sorted(rules.items()))
    return Group(name, scheme, tuple(ingress for ingress, _ in members), listeners)


def _parameters(cluster: Cluster, ingress: Document) -> Document:
    name = ingress["spec"].get("ingressClassName")
    chosen = next((one for one in cluster.classes if one["metadata"]["name"] == name), None)
    if chosen is None:
        raise Wrong(f"IngressClass '{name}' does not exist")
    reference = chosen["spec"].get("parameters")
    if not reference:
        return {}
    for one in cluster.parameters:
        if one["metadata"]["name"] == reference["name"]:
            found: Document = one.get("spec") or {}
            return found
    raise Wrong(f"IngressClassParams '{reference['name']}' does not exist")


def _ports(ingress: Document) -> list[tuple[int, bool]]:
    text = _note(ingress, "listen-ports") or '[{"HTTP": 80}]'
    try:
        found = [(int(port), {"HTTP": False, "HTTPS": True}[protocol]) for entry in json.loads(text) for protocol, port in entry.items()]
    except (ValueError, TypeError, AttributeError, KeyError):
        found = []
    if not found:
        raise Wrong(f'listen-ports is not a list like [{{"HTTPS":443}}]: {text}')
    return found


def _rules(cluster: Cluster, ingress: Document) -> list[Rule]:
    try:
        texts = [one.strip() for one in _note(ingress, "inbound-cidrs").split(",") if one.strip()] or ["0.0.0.0/0", "::/0"]
        admitted = tuple(ipaddress.ip_network(one) for one in texts)
    except ValueError as error:
        raise Wrong(f"inbound-cidrs: {error}") from None
    if _note(ingress, "target-type") != "ip":
        raise Wrong("target type 'instance' needs a Service of type NodePort or LoadBalancer; set target-type: ip")
    check, rules = _check(ingress), []
    for entry in ingress["spec"].get("rules") or ():
        for path in (entry.get("http") or {}).get("paths") or ():
            service = path["backend"]["service"]
            port = service["port"].get("number") or service["port"].get("name")
            targets = _targets(cluster, ingress["metadata"]["namespace"], service)
            group = TargetGroup(f"{key(ingress)} {service['name']}:{port}", targets, check)
            headers = _headers(ingress, service["name"])
            rules.append(Rule(entry.get("host") or None, path.get("path") or "/", path["pathType"] == "Exact", group, admitted, headers))
    return rules


def _check(ingress: Document) -> HealthCheck:
    text = _note(ingress, "healthcheck-interval-seconds") or "15"
    if not text.isdigit() or not 5 <= int(text) <= 300:
        raise Wrong(f"healthcheck-interval-seconds: '{text}' is not a number from 5 to 300")
    return HealthCheck(_note(ingress, "healthcheck-path") or "/", float(text))


def _headers(ingress: Document, service: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The ``conditions.SERVICE`` of an ingress. Only what asks for a header, value by value, is known here."""
    name = f"conditions.{service}"
    text = _note(ingress, name)
    if not text:
        return ()
    try:
        asked = [(one["field"], one["httpHeaderConfig"]) for one in json.loads(text)]
        found = tuple((str(header["httpHeaderName"]).lower(), tuple(map(str, header["values"]))) for _, header in asked)
    except (ValueError, TypeError, KeyError):
        raise Wrong(f"{name}: not a list of http-header conditions") from None
    if any(field != "http-header" for field, _ in asked) or any(sign in value for _, values in found for value in values for sign in "*?"):
        raise Wrong(f"{name}: only http-header conditions without wildcards are known here")
    return found


def _targets(cluster: Cluster, namespace: str, backend: Document) -> tuple[tuple[str, int], ...]:
    service = next((one for one in cluster.services if key(one) == f"{namespace}/{backend['name']}"), None)
    if service is None:
        return ()
    wanted = backend["port"]
    port = next((one for one in service["spec"].get("ports") or () if wanted in ({"number": one["port"]}, {"name": one.get("name")})), None)
    if port is None:
        return ()
    found = set()
    for one in cluster.slices:
        labels = one["metadata"].get("labels") or {}
        if one["metadata"]["namespace"] != namespace or labels.get("kubernetes.io/service-name") != backend["name"]:
            continue
        numbers = [entry["port"] for entry in one.get("ports") or () if (entry.get("name") or "") == (port.get("name") or "")]
        for endpoint in one.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                found |= {(address, number) for address in endpoint["addresses"] for number in numbers}
    return tuple(sorted(found))


def _note(ingress: Document, name: str) -> str:
    return str((ingress["metadata"].get("annotations") or {}).get(_NOTE + name, ""))


def _host_fits(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return "." in host and host.split(".", 1)[1] == pattern[2:]
    return pattern == host
