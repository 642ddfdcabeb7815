"""The commands that grant missing actions, by the kind of identity in use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from genai_platform.steps.infra.prerequisites.actions import Need, policy

_MANAGED = 6144
"""Characters of a managed policy, blanks left out (IAM and STS quotas)."""
_SSO = "AWSReservedSSO_"


def grant(principal: str, wanted: Sequence[Need], name: str) -> str:
    """The command, with the policy document in it, that lets a principal do what it lacks.

    Args:
        principal: the ARN of a user or a role.
        wanted: the needs with the missing actions alone.
        name: of the policy.
    """
    kind, _, path = principal.rpartition(":")[2].partition("/")
    who, documents = path.rpartition("/")[2], list(_documents(wanted))
    if who.startswith(_SSO):
        # The role belongs to IAM Identity Center, which overwrites what anybody else changes in it.
        given = who.removeprefix(_SSO).rpartition("_")[0]
        return f"an administrator of IAM Identity Center adds this inline policy to the permission set {given}: {_text(policy(wanted))}"
    if kind == "role":
        return f"aws iam put-role-policy --role-name {who} --policy-name {name} --policy-document '{_text(policy(wanted))}'"
    _, partition, _, _, account, _ = principal.split(":", 5)
    commands = []
    for number, document in enumerate(documents, 1):
        own = name if len(documents) == 1 else f"{name}-{number}"
        commands.append(
            f"aws iam create-policy --policy-name {own} --policy-document '{_text(document)}' && aws iam attach-user-policy "
            f"--user-name {who} --policy-arn arn:{partition}:iam::{account}:policy/{own}"
        )
    return " && ".join(commands)


def _documents(wanted: Sequence[Need]) -> Iterator[dict[str, Any]]:
    """Documents that each fit into a managed policy."""
    statements: list[Any] = []
    for statement in policy(wanted)["Statement"]:
        if statements and len(_text({"Version": "2012-10-17", "Statement": [*statements, statement]})) > _MANAGED:
            yield {"Version": "2012-10-17", "Statement": statements}
            statements = []
        statements.append(statement)
    yield {"Version": "2012-10-17", "Statement": statements}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
