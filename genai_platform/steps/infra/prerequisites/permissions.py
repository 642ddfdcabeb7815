"""Whether the AWS identity in use may do what the product needs: asked of IAM's simulation, which carries nothing out.

The simulation knows the policies of a user or role, its permissions boundary and, in an organization, service control policies.
It does not know session policies, resource policies, or condition keys that only a real request has (IAM user guide, "Testing IAM
policies with the IAM policy simulator"): what depends on those is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from genai_platform.errors import Forbidden
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites.actions import SERVICE_ROLES, Need, needs
from genai_platform.steps.infra.prerequisites.answer import Answer
from genai_platform.steps.infra.prerequisites.grants import grant
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.parallel import gather

_SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ASK = ("iam:SimulatePrincipalPolicy", "iam:GetRole")


@dataclass(frozen=True)
class _Verdict:
    """What the simulation says of one action of a need."""

    need: Need
    action: str
    result: dict[str, Any]

    @property
    def allowed(self) -> bool:
        return bool(self.result["EvalDecision"] == "allowed")

    @property
    def undecided(self) -> tuple[str, ...]:
        """Condition keys that it turns on and that nobody knows before the request is made."""
        return () if self.allowed else tuple(self.result.get("MissingContextValues") or ())

    @property
    def barrier(self) -> str:
        """What would go on to deny it, whatever is allowed in addition; empty: nothing allows it yet."""
        if not self.result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
            return "a service control policy of the organization"
        if not self.result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
            return "the permissions boundary of this identity"
        if self.result["EvalDecision"] == "explicitDeny":
            named = sorted({str(one.get("SourcePolicyId")) for one in self.result.get("MatchedStatements", ())})
            return f"a Deny statement of {', '.join(named) or 'a policy'}"
        return ""


def look(clients: Clients) -> list[Answer]:
    """One answer for each area of needs, or a single one where nothing could be asked. Raises ``GenaiError``."""
    aws = clients.aws
    who = aws.identity()["Arn"]
    wanted = needs(clients.target, aws.account_id(), aws.partition)
    if who.endswith(":root"):
        text = f"{who} is the account's root user, whom no policy of the account limits"
        return [Answer("permissions", "warn", text, "use a role or a user that has the policy in the guide on security")]
    try:
        principal = _principal(aws, who)
        if principal is None:
            text = f"what {who} may do cannot be simulated: it is not a user or a role of this account"
            return [Answer("permissions", "unknown", text, "sign in as a role or a user, e.g. with: aws sso login")]
        verdicts = _simulate(aws, principal, wanted)
    except Forbidden as error:
        own, text = _session_role(who) or who, f"what {who} may do could not be found out: {error.message}"
        return [Answer("permissions", "unknown", text, grant(own, [Need("doctor", _ASK, (own,))], "genai-doctor"))]
    verdicts = [one for one in verdicts if not _has_service_role(aws, one)]
    return [_answer(clients, principal, area, verdicts) for area in dict.fromkeys(need.area for need in wanted)]


def _answer(clients: Clients, principal: str, area: str, verdicts: Iterable[_Verdict]) -> Answer:
    mine = [one for one in verdicts if one.need.area == area]
    id, refused = f"permissions.{area.lower().replace(' ', '_')}", [one for one in mine if not one.allowed]
    missing = [one for one in refused if not one.undecided]
    if not refused:
        return Answer(id, "pass", f"{area}: all {len(mine)} actions are allowed")
    if not missing:
        keys = ", ".join(sorted({key for one in refused for key in one.undecided}))
        text = f"{area}: {_listed(refused)} depend on {keys}, which only the request itself shows"
        return Answer(id, "unknown", text, f"allow them without that condition: {_grant(clients, principal, refused)}")
    text = f"{area}: {principal} may not {_listed(missing)}"
    if barriers := sorted({one.barrier for one in missing if one.barrier}):
        return Answer(id, "fail", f"{text}; denied by {', '.join(barriers)}", f"by who administers that: allow {_listed(missing)} there")
    return Answer(id, "fail", text, _grant(clients, principal, missing))


def _grant(clients: Clients, principal: str, verdicts: Iterable[_Verdict]) -> str:
    lacking: dict[int, tuple[Need, list[str]]] = {}
    for one in verdicts:
        lacking.setdefault(id(one.need), (one.need, []))[1].append(one.action)
    needed = [replace(need, actions=tuple(actions)) for need, actions in lacking.values()]
    return grant(principal, needed, f"genai-{clients.target.environment}")


def _listed(verdicts: Iterable[_Verdict]) -> str:
    return ", ".join(sorted({one.action for one in verdicts}))


def _session_role(who: str) -> str:
    """The role of a session, as far as its ARN tells: a role's path is not in it."""
    found = _SESSION.fullmatch(who)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else ""


def _principal(aws: Aws, who: str) -> str | None:
    """The user or role whose policies count; None for an identity that cannot be simulated."""
    if not (role := _session_role(who)):
        return who if ":user/" in who and ":iam:" in who else None
    with explained("look at the role in use"):
        return str(aws.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]["Arn"])


def _simulate(aws: Aws, principal: str, wanted: list[Need]) -> list[_Verdict]:
    client = aws.client("iam")
    # One question for all that is judged on the same resource.
    questions: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, Need]] = {}
    for need in wanted:
        actions = questions.setdefault((need.sample, tuple(need.context.items())), {})
        actions.update(dict.fromkeys(need.actions, need))

    def ask(question: tuple[str, tuple[tuple[str, str], ...]]) -> list[_Verdict]:
        (sample, context), needs_of = question, questions[question]
        asked: dict[str, Any] = {
            "PolicySourceArn": principal,
            "ActionNames": list(needs_of),
            "ResourceArns": [sample],
            "ContextEntries": [{"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]} for key, value in context],
        }
        with explained("simulate what this identity may do"):
            pages = list(client.get_paginator("simulate_principal_policy").paginate(**asked))
        results = [result for page in pages for result in page["EvaluationResults"]]
        return [_Verdict(needs_of[result["EvalActionName"]], str(result["EvalActionName"]), result) for result in results]

    return [verdict for verdicts in gather(list(questions), ask) for verdict in verdicts]


def _has_service_role(aws: Aws, verdict: _Verdict) -> bool:
    """Whether this is the right to make a service's own role that the account has already: nobody needs it any more."""
    from botocore.exceptions import ClientError

    if verdict.allowed or verdict.action != "iam:CreateServiceLinkedRole":
        return False
    try:
        aws.client("iam").get_role(RoleName=SERVICE_ROLES[verdict.need.context["iam:AWSServiceName"]])
    except ClientError:
        return False  # absent, or not to be seen: then the missing right is said
    return True
