"""IAM's SimulatePrincipalPolicy: what a user's or role's policies and boundary say of actions that nobody carries out.

IAM API reference, SimulatePrincipalPolicy and EvaluationResult. The source must be a user, a group or a role: an assumed role's ARN
is refused. Without resources every action is judged on ``*``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.responses import IamResponse

from genai_platform.sandbox.aws import policy, principals
from genai_platform.sandbox.aws.stand_in import AwsStandIn

_SOURCE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(user|role|group)/.+")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")
_PAGE = 100
"""Results in one answer, where nothing else is asked for (MaxItems: the default is 100)."""


class InvalidInput(ServiceException):  # type: ignore[misc]
    """An argument that IAM does not take."""

    code = "InvalidInput"


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's IAM."""

    def simulate_principal_policy(self: Any) -> ActionResult:
        source, names = self._get_param("PolicySourceArn") or "", self._get_param("ActionNames") or []
        if not _SOURCE.fullmatch(source):
            raise InvalidInput(f"Invalid Entity Arn: {source} does not clearly define entity type and name.")
        if wrong := [name for name in names if not _ACTION.fullmatch(name)]:
            raise InvalidInput(f"Invalid Action Name: {wrong[0]}")
        held = principals.policies(source)
        if held is None:
            raise NotFoundException(f"The {source.split(':')[-1].partition('/')[0]} with name {source.rpartition('/')[2]} cannot be found.")
        entries = self._get_param("ContextEntries") or []
        context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in entries if entry.get("ContextKeyValues")}
        pairs = [(name, resource) for name in names for resource in self._get_param("ResourceArns") or ["*"]]
        begin, size = int(self._get_param("Marker") or 0), int(self._get_param("MaxItems") or _PAGE)
        boundary = principals.boundary(source)
        results = [_result(held, boundary, name, resource, context) for name, resource in pairs[begin : begin + size]]
        more = begin + size < len(pairs)
        return ActionResult({"EvaluationResults": results, "IsTruncated": more, **({"Marker": str(begin + size)} if more else {})})

    IamResponse.simulate_principal_policy = simulate_principal_policy


def _result(held: list[principals.Held], boundary: str | None, action: str, resource: str, context: policy.Context) -> dict[str, Any]:
    verdicts = [(one, policy.verdict([one.document], action, resource, context)) for one in held]
    missing = {key for one in held for key in _unanswered(one.document, action, resource, context)}
    within = boundary is None or policy.verdict([boundary], action, resource, context) == "allow"
    found = {verdict for _, verdict in verdicts}
    decision = "explicitDeny" if "deny" in found else "allowed" if "allow" in found and within else "implicitDeny"
    # The statements that decide: of a denial those that deny.
    deciding = "deny" if "deny" in found else "allow"
    matched = [{"SourcePolicyId": one.name, "SourcePolicyType": one.kind} for one, verdict in verdicts if verdict == deciding]
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision,
        "MatchedStatements": matched,
        "MissingContextValues": sorted(missing),
        **({} if boundary is None else {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": within}}),
    }


def _unanswered(document: str, action: str, resource: str, context: policy.Context) -> Iterator[str]:
    """The condition keys of statements about this that the question gave no value for."""
    given = {name.lower() for name in context}
    for statement in policy.statements(json.loads(document)):
        if policy.concerns(statement, action, resource):
            conditions: Mapping[str, Any] = statement.get("Condition") or {}
            yield from (key for keys in conditions.values() for key in keys if key.lower() not in given)
