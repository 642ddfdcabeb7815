"""What the cluster's controllers made in AWS and nobody deletes any more, now that the cluster is gone.

Removed is only what carries the cluster's name, or lies in the environment's own network and carries no other owner's tags.
What else lies in that network is other people's: it is named, and not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, TypeVar

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError, StepError, WaitTimeout
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import code, explained, unless_absent
from genai_platform.tools.aws.leftovers import search
from genai_platform.tools.aws.leftovers.items import Item, Scope, pages
from genai_platform.tools.wait import wait_for, wait_while

T = TypeVar("T")

PROFILE_LIMIT = 300.0
"""Seconds in which Auto Mode deletes the instance profile of a deleted cluster itself, if it does (containers-roadmap#2531)."""
_LIMIT = 600.0
_BUSY = frozenset({"DependencyViolation", "ResourceInUse", "VolumeInUse", "DeleteConflict", "IncorrectState"})
_OTHERS = frozenset({"ec2:instance", "ec2:nat-gateway", "ec2:vpc-endpoint", "ec2:security-group", "ec2:subnet", "elbv2:load-balancer"})
"""What somebody may have put into the network by hand, and what then holds it."""


def balancers(clients: Clients) -> list[Item]:
    """Load balancers in the network that no object of the cluster owns."""
    return [one for one in _look(clients.aws, ("load balancers",)) if one.kind == "elbv2:load-balancer" and one.by == "network"]


def refuse_others(clients: Clients) -> None:
    """Raises ``StepError`` that names what others have in the network, at once: Terraform would wait for it for 20 minutes."""
    if others := of_others(clients):
        raise StepError(
            f"not the platform's, and in its network: {', '.join(f'{one.kind} {one.id}' for one in others)}",
            remedy=" && ".join(one.remove for one in others),
            id="network.in_use",
        )


def of_others(clients: Clients) -> list[Item]:
    """What others have in the network and is not removed: each with the command that would do it."""
    found = _look(clients.aws, ("instances", "nat gateways", "parts of networks"))
    groups = {one["GroupId"]: one for one in _groups(clients.aws, search.scope(clients.aws))}
    seen = [one for one in found if one.by == "network" and one.kind in _OTHERS and not _by_controller(groups.get(one.id, {}))]
    return seen + _foreign_balancers(clients.aws)


def release_network(clients: Clients, progress: Progress) -> str:
    """Delete load balancers and security groups without an owner, so that the network can go.

    Returns:
        What was deleted, in words; empty while the cluster exists, whose controllers own all of it, or when there was nothing.

    Raises:
        StepError: AWS refused; the message names what.
    """
    if not _ended(clients):
        return ""
    gone = _delete_balancers(clients.aws, progress)
    gone += _delete_groups(clients.aws, progress)
    return f"removed what the cluster left: {', '.join(gone)}" if gone else ""


def finish(clients: Clients, progress: Progress) -> list[str]:
    """Delete the volumes and the instance profile of a cluster that is gone. Answers what was deleted.

    Raises:
        StepError: AWS refused; the message names what.
    """
    if not _ended(clients):
        return []
    return [*_delete_volumes(clients.aws, progress), *_delete_profiles(clients.aws, progress)]


def _ended(clients: Clients) -> bool:
    """Whether the cluster is gone: the state of its root is empty, and EKS does not know it."""
    return not clients.terraform.state.resources("cluster") and clients.aws.describe_cluster(clients.target.prefix) is None


# -- load balancers -------------------------------------------------------------------------------
def _delete_balancers(aws: Aws, progress: Progress) -> list[str]:
    def remaining() -> list[Item]:
        return [one for one in _look(aws, ("load balancers",)) if one.by in ("cluster", "network")]

    client = aws.client("elbv2")
    found = remaining()
    for one in found:
        if one.kind == "elbv2:load-balancer":
            progress.say(f"deleting load balancer {one.id.split('/')[-2]}, which nothing in the cluster owns")
            _try(f"delete {one.kind} {one.id}", partial(client.delete_load_balancer, LoadBalancerArn=one.id), one.remove)
    groups = [one for one in found if one.kind == "elbv2:target-group"]
    _until_gone(
        groups,
        lambda one: client.delete_target_group(TargetGroupArn=one.id),
        progress,
        lambda: [one for one in remaining() if one in groups],
    )
    return [f"{one.kind} {one.id.split('/')[-2]}" for one in found]


def _foreign_balancers(aws: Aws) -> list[Item]:
    """Load balancers in our network that carry another owner's tags."""
    scope = search.scope(aws)
    ours = {one.id for one in _look(aws, ("load balancers",))}
    with explained("list the load balancers"):
        found = pages(aws, "elbv2", "describe_load_balancers", "LoadBalancers")
        arns = [one["LoadBalancerArn"] for one in found if one.get("VpcId") in scope.networks]
    command = "aws elbv2 delete-load-balancer --load-balancer-arn {} --region {}"
    return [Item("elbv2:load-balancer", arn, 0.0243, command.format(arn, aws.region), "network") for arn in arns if arn not in ours]


# -- security groups ------------------------------------------------------------------------------
def _groups(aws: Aws, scope: Scope) -> list[dict[str, Any]]:
    if not scope.networks:
        return []
    filters = [{"Name": "vpc-id", "Values": sorted(scope.networks)}]
    with explained("list the security groups"):
        return list(pages(aws, "ec2", "describe_security_groups", "SecurityGroups", Filters=filters))


def _by_controller(group: dict[str, Any]) -> bool:
    """Whether the load balancer controller named it: its groups, and their targets' shared one, begin with ``k8s-``."""
    return str(group.get("GroupName", "")).startswith("k8s-")


def _delete_groups(aws: Aws, progress: Progress) -> list[str]:
    """Groups by the cluster's name; first the rules, also those of other groups in our network that admit them."""
    ec2, scope = aws.client("ec2"), search.scope(aws)

    def remaining() -> list[dict[str, Any]]:
        found = [one for one in _groups(aws, scope) if one["GroupName"] != "default"]
        owners = [scope.by(one.get("Tags"), network=one.get("VpcId")) for one in found]
        return [one for one, by in zip(found, owners, strict=True) if by == "cluster" or (by == "network" and _by_controller(one))]

    going = remaining()
    ids = {one["GroupId"] for one in going}
    for one in _groups(aws, scope) if ids else ():
        for key, revoke in (
            ("IpPermissions", ec2.revoke_security_group_ingress),
            ("IpPermissionsEgress", ec2.revoke_security_group_egress),
        ):
            rules = _admitting(one[key], ids) if one["GroupId"] not in ids else one[key]
            if rules:
                _try(f"revoke rules of {one['GroupId']}", partial(revoke, GroupId=one["GroupId"], IpPermissions=rules), "")
    _until_gone(
        going, lambda one: ec2.delete_security_group(GroupId=one["GroupId"]), progress,
        lambda: [one for one in remaining() if one["GroupId"] in ids],
    )  # fmt: skip
    return [f"security group {one['GroupName']}" for one in going]


def _admitting(rules: Iterable[dict[str, Any]], ids: Collection[str]) -> list[dict[str, Any]]:
    """The rules that admit one of these groups, without what else they admit."""
    found = []
    for rule in rules:
        pairs = [{"GroupId": pair["GroupId"]} for pair in rule.get("UserIdGroupPairs", ()) if pair["GroupId"] in ids]
        if pairs:
            kept: dict[str, Any] = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
            found.append({**kept, "UserIdGroupPairs": pairs})
    return found


# -- volumes and the profile ----------------------------------------------------------------------
def _delete_volumes(aws: Aws, progress: Progress) -> list[str]:
    def remaining() -> list[Item]:
        return [one for one in _look(aws, ("volumes",)) if one.by == "cluster"]

    going, ec2 = remaining(), aws.client("ec2")
    _until_gone(going, lambda one: ec2.delete_volume(VolumeId=one.id), progress, remaining)
    return [f"volume {one.id}" for one in going]


def _delete_profiles(aws: Aws, progress: Progress) -> list[str]:
    """Auto Mode deletes its instance profile some time after the cluster; one that outlives that time goes here."""

    def remaining() -> list[Item]:
        found = _look(aws, ("roles",))
        return [one for one in found if one.kind == "iam:instance-profile" and one.id.startswith("eks") and one.by == "cluster"]

    def told(left: list[Item]) -> str:
        return f"waiting for EKS to delete instance profile {', '.join(one.id for one in left)}"

    try:
        wait_while(remaining, progress, told, PROFILE_LIMIT)
        return []
    except WaitTimeout:
        left = remaining()
    iam = aws.client("iam")
    for one in left:
        with explained(f"delete instance profile {one.id}"):
            found = unless_absent(iam.get_instance_profile, InstanceProfileName=one.id)
            for role in found["InstanceProfile"]["Roles"] if found else ():
                iam.remove_role_from_instance_profile(InstanceProfileName=one.id, RoleName=role["RoleName"])
            unless_absent(iam.delete_instance_profile, InstanceProfileName=one.id)
    return [f"instance profile {one.id}" for one in left]


# -- small ----------------------------------------------------------------------------------------
def _look(aws: Aws, kinds: Collection[str]) -> tuple[Item, ...]:
    seen = search.look(aws, kinds)
    if seen.unseen:
        raise StepError(seen.unseen[0], id="orphans.unseen")
    return seen.items


def _try(what: str, delete: Callable[[], Any], remedy: str) -> None:
    """One deletion. What is gone already is fine."""
    try:
        with explained(what):
            unless_absent(delete)
    except GenaiError as error:
        raise StepError(error.message, remedy=remedy or error.remedy, id="orphans.refused") from None


def _until_gone(going: Collection[T], delete: Callable[[T], Any], progress: Progress, remaining: Callable[[], Collection[T]]) -> None:
    """Delete each until none is there: what AWS still counts as in use is tried again."""
    from botocore.exceptions import ClientError

    if not going:
        return
    refusal = ""

    def look() -> bool | None:
        nonlocal refusal
        for one in remaining():
            try:
                unless_absent(partial(delete, one))
            except ClientError as error:
                if code(error) not in _BUSY:
                    with explained("delete what the cluster left"):
                        raise
                refusal = str(error.response["Error"].get("Message", ""))
        return None if remaining() else True

    wait_for(look, progress, lambda: f"deleting what the cluster left{f': {refusal}' if refusal else ''}", _LIMIT, interval=5.0)
