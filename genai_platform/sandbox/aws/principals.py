"""IAM's users and roles by the policies they have: who signs with an access key, and what is simulated for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from moto.iam.models import IAMBackend, iam_backends

from genai_platform.sandbox.aws.identity import ACCOUNT, ADMINISTRATOR

_EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


class Held(NamedTuple):
    """One policy of a user, a group or a role."""

    name: str
    kind: str
    """As ``SourcePolicyType`` names it."""
    document: str


def iam() -> IAMBackend:
    """What the account has in IAM."""
    return iam_backends[ACCOUNT]["aws"]


def user(access_key_id: str) -> Any | None:
    """The IAM user who has this active access key."""
    found = iam().access_keys.get(access_key_id)
    if found is None or found.status != "Active" or found.user_name is None:
        return None
    return iam().users.get(found.user_name)


def documents(arn: str) -> list[str]:
    """The policy documents of a user or a role; empty for one that does not exist."""
    return [policy.document for policy in policies(arn) or ()]


def policies(arn: str) -> list[Held] | None:
    """The policies of a user, with those of their groups, or of a role; None for one that does not exist."""
    if arn == ADMINISTRATOR:
        return [Held("AdministratorAccess", "aws-managed", _EVERYTHING)]
    held = iam()
    for role in held.roles.values():
        if role.arn == arn:
            return list(_of(role, "role"))
    for user in held.users.values():
        if user.arn == arn:
            groups = [group for group in held.groups.values() if user in group.users]
            return [*_of(user, "user"), *(policy for group in groups for policy in _of(group, "group"))]
    return None


def boundary(arn: str) -> str | None:
    """The document of a role's permissions boundary; moto keeps none of users."""
    role = next((role for role in iam().roles.values() if role.arn == arn), None)
    held = role and iam().managed_policies.get(role.permissions_boundary_arn)
    return _document(held) if held else None


def _of(entity: Any, kind: str) -> Iterator[Held]:
    for name, document in entity.policies.items():
        yield Held(f"{kind}_{entity.name}_{name}", kind, document)
    for policy in entity.managed_policies.values():
        yield Held(policy.name, "aws-managed" if ":iam::aws:" in policy.arn else "user-managed", _document(policy))


def _document(policy: Any) -> str:
    """The version of a managed policy that counts."""
    return next(str(version.document) for version in policy.versions if version.is_default_version)
