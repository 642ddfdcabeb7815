"""After a ``down``, or at any time: what exists that no state of this environment owns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from genai_platform.audit import azure
from genai_platform.errors import GenaiError, NeverBuilt
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.certificate import certificate_arn
from genai_platform.tools.aws import buckets as aws_buckets
from genai_platform.tools.aws.caller_secrets import documents as caller_documents
from genai_platform.tools.aws.leftovers import search
from genai_platform.tools.aws.leftovers.items import SECRET, Item
from genai_platform.tools.terraform.client import ROOTS

_USD_BYTE_MONTH = 0.025e-9
"""Standard storage, middling."""


@dataclass(frozen=True)
class Leftover:
    """Something that exists and that nothing owns."""

    kind: str
    id: str
    usd_per_hour: float
    remove: str
    """The command that removes it."""


@dataclass(frozen=True)
class Audit:
    """The answer of an audit. It proves something only where ``unseen`` is empty."""

    leftovers: tuple[Leftover, ...]
    retained: tuple[str, ...]
    """What stays by choice, one line each."""
    unseen: tuple[str, ...]
    """What could not be looked at, one line each."""


_TYPES = {
    "eks": ("aws_eks_",),
    "elasticache": ("aws_elasticache_",),
    "iam": ("aws_iam_",),
    "rds": ("aws_rds_", "aws_db_"),
    "s3": ("aws_s3_",),
    "secretsmanager": ("aws_secretsmanager_",),
}
"""Services whose things have names that people choose, and how Terraform calls their types."""


@dataclass(frozen=True)
class _Owned:
    """What exists according to the states."""

    names: frozenset[tuple[str, str]]
    """Terraform's type of a resource, and one of its names."""
    roots: frozenset[str]

    def has(self, item: Item) -> bool:
        # A role may be called as the database is: only its own service's names count.
        kinds = _TYPES.get(item.kind.partition(":")[0], ("",))
        if any(type.startswith(kinds) and name in {item.id, *item.aliases} for type, name in self.names):
            return True
        # Names point to the cluster's load balancer, and prove its certificate.
        if item.kind == "route53:record":
            return "cluster" in self.roots
        # What Auto Mode made belongs to the cluster while that exists; an interface, to whatever is in the network.
        if item.by == "cluster":
            return "cluster" in self.roots
        return item.by == "network" and bool({"cluster", "data"} & self.roots)


def audit(clients: Clients) -> Audit:
    """Look through the account for what is this environment's and nothing owns."""
    seen = search.look(clients.aws)
    unseen = list(seen.unseen)
    try:
        owned = _owned(clients)
    except GenaiError as error:
        # Without the states everything looks left over; saying so would invite removing what is in use.
        return Audit((), (), (*unseen, error.message))
    stays = dict(_retained(clients, seen.items, owned, unseen))
    leftovers = [
        Leftover(item.kind, item.id, round(item.usd_per_hour, 5), item.remove)
        for item in seen.items
        if not owned.has(item) and item.id not in stays
    ]
    in_azure = azure.audit(clients, owned.roots)
    leftovers += [Leftover(kind, id, usd, remove) for kind, id, usd, remove in in_azure.standing]
    retained = [*(f"{id} ({what})" for id, what in stays.items()), *in_azure.retained]
    return Audit(tuple(sorted(leftovers, key=_order)), tuple(retained), (*unseen, *in_azure.unseen))


_FIRST, _LAST = ("ec2:vpc-endpoint",), ("ec2:vpc", "iam:policy")
"""Of what costs the same: what holds on to others, and what others hold on to."""


def _order(entry: Leftover) -> tuple[float, int, str, str]:
    """What costs most comes first. Removed in this order, everything goes."""
    return -entry.usd_per_hour, (entry.kind in _LAST) - (entry.kind in _FIRST), entry.kind, entry.id


def _owned(clients: Clients) -> _Owned:
    names: set[tuple[str, str]] = set()
    roots: set[str] = set()
    for root in ROOTS:
        if found := set(_names(clients.terraform.state.read(root) or {})):
            roots.add(root)
            names |= found
    if roots:
        with contextlib.suppress(NeverBuilt):
            names.add(("aws_acm_certificate", certificate_arn(clients) or ""))
        if clients.target.settings.azure.enabled:
            names |= {("aws_secretsmanager_secret", name) for name in caller_documents(clients.target.prefix)}
    return _Owned(frozenset(names), frozenset(roots))


def _names(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in state.get("resources", []):
        if resource.get("mode") != "managed":
            continue
        for instance in resource.get("instances", []):
            attributes = instance.get("attributes") or {}
            yield from (
                (str(resource.get("type", "")), str(attributes[key]))
                for key in ("id", "arn", "name", "allocation_id", "identifier")
                if attributes.get(key)
            )


def _retained(clients: Clients, items: tuple[Item, ...], owned: _Owned, unseen: list[str]) -> Iterator[tuple[str, str]]:
    """The identifier of each thing that stays by choice, with what it is and costs, for people."""
    if clients.terraform.state.remote:
        try:
            bucket = clients.terraform.state.bucket()
            if aws_buckets.exists(clients.aws, bucket):
                yield bucket, "bucket of Terraform's states, less than 0.01 USD a month"
        except GenaiError as error:
            unseen.append(error.message)
    if owned.roots == {"storage"}:
        yield from _kept(clients, items, unseen)
    # Snapshots are kept together with the buckets; without those they are of no use to anybody.
    if "storage" in owned.roots:
        for item in items:
            if item.kind == "rds:cluster-snapshot" and item.id.startswith(f"{clients.target.prefix}-kept-"):
                yield item.id, f"database snapshot, {item.usd_per_hour * 730:.2f} USD a month"


def _kept(clients: Clients, items: tuple[Item, ...], unseen: list[str]) -> Iterator[tuple[str, str]]:
    """What ``down --keep-data`` keeps, and what it costs. Nothing else exists then."""
    try:
        storage = clients.storage()
        for bucket in (storage.langfuse_bucket, storage.clickhouse_bucket):
            size = aws_buckets.size(clients.aws, bucket)
            yield bucket, f"bucket, {size / 1e9:.3f} GB, {size * _USD_BYTE_MONTH:.2f} USD a month"
        yield clients.aws.secret_name, f"the platform's secrets, {SECRET * 730:.2f} USD a month"
        callers = caller_documents(clients.target.prefix)
        for item in items:
            if item.kind == "secretsmanager:secret" and item.id in callers:
                yield item.id, f"the callers' client secrets, {SECRET * 730:.2f} USD a month"
    except GenaiError as error:
        unseen.append(error.message)
