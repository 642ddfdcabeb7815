"""The steps whose work is a Terraform root: network, cluster, data, storage, and the bucket of their states."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genai_platform.advice import run_genai
from genai_platform.config.settings import Settings
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.config.values import is_public
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Change, Observation, Progress, State, absent, drifted, present
from genai_platform.errors import GenaiError, StepError
from genai_platform.render.langfuse import BACKUP_PREFIX
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import bedrock, cluster_endpoint, cluster_version, foreign, orphans
from genai_platform.tools.aws import buckets as aws_buckets
from genai_platform.tools.aws.leftovers import search
from genai_platform.tools.terraform.client import ROOTS
from genai_platform.tools.terraform.program import Root

Inputs = Callable[[Clients], Mapping[str, Any]]
PLACEHOLDERS: Mapping[Root, Mapping[str, Any]] = {
    "network": {"cidr": "10.0.0.0/16", "zones": 2, "nat": "single"},
    "storage": {},
    "cluster": {
        "kubernetes_version": "1.35",
        "admins": [],
        "public_access_cidrs": ["0.0.0.0/0"],
        "private_subnet_ids": ["subnet-00000000000000000", "subnet-00000000000000001"],
        "langfuse_bucket": "gone",
        "clickhouse_bucket": "gone",
        "namespace": NAMESPACE,
    },
    "data": {
        "vpc_id": "vpc-00000000000000000",
        "private_subnet_ids": ["subnet-00000000000000000", "subnet-00000000000000001"],
        "private_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24"],
        "secret_id": "gone",
    },
}
"""Valid values of each root's own variables, for when only its state is left."""
_CLUSTER = "aws_eks_cluster.this"
_NAT = ("aws_nat_gateway.this", "aws_eip.nat")


def target_variables(target: Target) -> dict[str, Any]:
    """The variables that every root has."""
    return {
        "region": target.settings.platform.region,
        "account_id": target.settings.aws.account_id,
        "prefix": target.prefix,
        "tags": target.tags,
    }


def _usable(value: Any, like: Any) -> bool:
    """Whether a value can replace ``like``: it exists, and a list is not shorter."""
    return len(value) >= len(like) if isinstance(like, list) and isinstance(value, list) else value is not None


@dataclass(frozen=True)
class RootStep:
    """One Terraform root.

    Args:
        minutes: how long it takes on AWS.
        inputs: its variables, from settings and from what other roots gave.
        sources: those other roots.
    """

    clients: Clients
    root: Root
    needs: tuple[str, ...]
    minutes: float
    inputs: Inputs
    limit: float = 3600
    sources: tuple[RootStep, ...] = ()

    @property
    def id(self) -> str:
        return f"infra.{self.root}"

    def variables(self) -> dict[str, Any]:
        """All variables of the root. Raises ``StepError`` while what it needs is not there."""
        return {**target_variables(self.clients.target), **self.inputs(self.clients)}

    def files(self) -> dict[str, str]:
        """What ``render`` shows: the variable file, as Terraform gets it."""
        return {f"{self.root}.tfvars.json": json.dumps(self.variables(), indent=1, sort_keys=True) + "\n"}

    def observe(self) -> Observation:
        found = self.clients.terraform.observe(self.root, self.variables)
        if not found.changes and found.state is not State.PRESENT:
            # Without a state, only a plan is worth another run of Terraform.
            found = replace(found, list_changes=self._to_create)
        return self._beyond_terraform(found)

    def glance(self) -> Observation:
        return self._beyond_terraform(self.clients.terraform.glance(self.root))

    def _beyond_terraform(self, found: Observation) -> Observation:
        """The same with what Terraform does not tell of."""
        return found

    def _to_create(self) -> Sequence[Change]:
        try:
            variables = self.variables()
        except GenaiError as error:
            return [Change("create", f"terraform root {self.root}", f"known in detail later: {error.message}")]
        return self.clients.terraform.plan(self.root, variables)

    def apply(self, progress: Progress) -> str:
        return self.clients.terraform.apply(self.root, self.variables(), progress, self.limit)

    def destroy(self, progress: Progress) -> str:
        self.recover(progress)
        return self.clients.terraform.destroy(self.root, self._to_destroy(), progress, self.limit)

    def recover(self, progress: Progress) -> None:
        """Bring the state up to what exists, for a ``destroy`` that asks it what there is. Raises ``StepError``."""

        def variables() -> dict[str, Any]:
            # What this root is made from is read from other roots' outputs, and their states may be lost, too.
            for source in self.sources:
                source.recover(progress)
            return self._to_destroy()

        self.clients.terraform.recover(self.root, variables, progress, strict=False)

    def _to_destroy(self) -> dict[str, Any]:
        """Variables to destroy with: what goes follows from the state, so they need only be valid.

        What it was made from may be gone or half made: what was written down at the last run will do, and for what was
        not, a harmless value.
        """
        known = target_variables(self.clients.target) | self.clients.terraform.variables(self.root)
        with contextlib.suppress(GenaiError):
            known |= self.variables()
        return known | {name: value for name, value in PLACEHOLDERS[self.root].items() if not _usable(known.get(name), value)}


@dataclass(frozen=True)
class StorageStep(RootStep):
    """The root whose buckets must be emptied first, or which stays when data is to be kept.

    Langfuse's bucket keeps versions, and nobody may delete one: without a rule, whatever Langfuse deletes is paid for without end.
    """

    def _beyond_terraform(self, found: Observation) -> Observation:
        if found.state is not State.PRESENT:
            return found
        lacking = [bucket for bucket in self._buckets() if not aws_buckets.expires_leftovers(self.clients.aws, bucket)]
        return drifted(f"{', '.join(lacking)}: no lifecycle rule") if lacking else found

    def apply(self, progress: Progress) -> str:
        done = super().apply(progress)
        for bucket in self._buckets():
            aws_buckets.expire_leftovers(self.clients.aws, bucket)
        return done

    def _buckets(self) -> tuple[str, str]:
        found = self.clients.storage()
        return found.langfuse_bucket, found.clickhouse_bucket

    def destroy(self, progress: Progress) -> str:
        self.recover(progress)
        try:
            found = self.clients.storage()
        except GenaiError:
            return super().destroy(progress)
        if self.clients.target.settings.lifecycle.down == "keep-data":
            gone = aws_buckets.empty(self.clients.aws, found.clickhouse_bucket, progress, keep=BACKUP_PREFIX)
            return f"kept: both buckets and the secrets; {gone} objects of ClickHouse's disk deleted"
        gone = sum(aws_buckets.empty(self.clients.aws, bucket, progress) for bucket in self._buckets())
        return f"{gone} objects deleted; {super().destroy(progress)}"


@dataclass(frozen=True)
class ClusterStep(RootStep):
    """The root of the cluster: its API answers some time after EKS says ACTIVE, and it goes with whatever people put into it."""

    def _beyond_terraform(self, found: Observation) -> Observation:
        if found.changes:
            return replace(found, list_changes=lambda: self._with_version(found.changes))
        if found.state is not State.PRESENT:
            return found
        with unknown_if_never_built():
            pending = cluster_endpoint.pending(self.clients)
        return drifted(pending) if pending else found

    def _with_version(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Say which version a cluster that changes is to get: Terraform names the object alone. Raises ``GenaiError``."""
        wanted, running = cluster_version.effective(self.clients), cluster_version.of_cluster(self.clients)
        move = f"Kubernetes {running} -> {wanted}" if running not in (None, wanted) else ""
        return [replace(one, detail=one.detail or move) if one.object == _CLUSTER else one for one in changes]

    def apply(self, progress: Progress) -> str:
        done = super().apply(progress)
        cluster_endpoint.wait(self.clients, progress)
        return done

    def destroy(self, progress: Progress) -> str:
        cleared = foreign.remove(self.clients, progress)
        return "; ".join(filter(None, (cleared, super().destroy(progress))))


@dataclass(frozen=True)
class NetworkStep(RootStep):
    """The root that cannot go while anything of the cluster, or of others, is still in it."""

    def destroy(self, progress: Progress) -> str:
        removed = ""
        self.recover(progress)
        if self.clients.terraform.state.resources(self.root):
            try:
                removed = orphans.release_network(self.clients, progress)
                orphans.refuse_others(self.clients)
                search.wait_for_interfaces(self.clients.aws, progress)
            except StepError as error:
                # What costs by the hour goes now, whatever holds the rest.
                self.clients.terraform.destroy(self.root, self._to_destroy(), progress, self.limit, only=_NAT)
                text = f"{error.message}; the network stays until that is gone, its NAT gateways are removed"
                raise error.said(text) from None
        return "; ".join(filter(None, (removed, super().destroy(progress))))


@dataclass(frozen=True)
class StateStep:
    """The bucket that holds Terraform's states. It goes last; one that the configuration names stays, without our states."""

    clients: Clients
    needs: tuple[str, ...] = ()
    minutes: float = 0.2
    limit: float = 3900
    id: str = "infra.state"

    def observe(self) -> Observation:
        bucket = self.clients.terraform.state.bucket()
        if not aws_buckets.exists(self.clients.aws, bucket):
            return absent(f"no bucket {bucket}").with_change(f"bucket {bucket}")
        if faults := aws_buckets.state_bucket_faults(self.clients.aws, bucket):
            return drifted(f"{bucket} lacks {', '.join(faults)}").with_change(f"bucket {bucket}")
        return present(f"{bucket}, versioned, encrypted, private")

    def apply(self, progress: Progress) -> str:
        bucket = self.clients.terraform.state.bucket()
        progress.say(f"making the bucket {bucket}")
        aws_buckets.make_state_bucket(self.clients.aws, bucket, progress)
        return f"{bucket}, versioned, encrypted, private"

    def destroy(self, progress: Progress) -> str:
        states, aws = self.clients.terraform.state, self.clients.aws
        bucket = states.bucket()
        if holding := [root for root in ROOTS if states.resources(root)]:
            raise StepError(
                f"{bucket} still holds the state of {', '.join(holding)}: without it nobody knows what to remove",
                remedy=run_genai("down"), id="state.in_use",
            )  # fmt: skip
        if self.clients.target.settings.terraform.bucket is None:
            gone = aws_buckets.empty(aws, bucket, progress)
            aws_buckets.delete(aws, bucket)
            return f"{bucket} deleted with {gone} versions of states"
        # Others may keep theirs in it.
        gone = aws_buckets.empty(aws, bucket, progress, only=f"{self.clients.target.prefix}/")
        return f"{gone} versions of states deleted; {bucket} stays, since terraform.bucket names it"


def network_inputs(clients: Clients) -> Mapping[str, Any]:
    wanted = clients.target.settings.network
    return {"cidr": wanted.cidr, "zones": wanted.zones, "nat": wanted.nat}


def public_access(settings: Settings) -> list[str]:
    """The networks that may reach the cluster's API from the internet. EKS takes public IPv4 ones only."""
    return sorted(settings.cluster.public_access_cidrs or filter(is_public, settings.ingress.allowed_cidrs)) or ["0.0.0.0/0"]


def cluster_inputs(clients: Clients) -> Mapping[str, Any]:
    wanted, storage = clients.target.settings.cluster, clients.storage()
    return {
        "kubernetes_version": cluster_version.effective(clients),
        "admins": sorted(wanted.admins),
        "public_access_cidrs": public_access(clients.target.settings),
        "private_subnet_ids": clients.network().private_subnet_ids,
        "langfuse_bucket": storage.langfuse_bucket,
        "clickhouse_bucket": storage.clickhouse_bucket,
        "namespace": NAMESPACE,
        "litellm_policy": bedrock.litellm_policy(clients),
    }


def no_inputs(clients: Clients) -> Mapping[str, Any]:
    return {}
