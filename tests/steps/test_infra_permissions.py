"""Whether who is signed in may do what the product needs: simulated, and told with the policy that grants what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from genai_platform.advice import typed
from genai_platform.steps.infra.prerequisites import permissions, preflight
from genai_platform.steps.infra.prerequisites.actions import policy
from genai_platform.steps.infra.prerequisites.answer import Answer
from tests.steps.infra_account import ACCOUNT, Account, account

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def without(found: Account, *actions: str) -> dict[str, Any]:
    """The least-privilege policy but for some actions."""
    document = policy(found.needs)
    for statement in document["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action not in actions]
    return {**document, "Statement": [one for one in document["Statement"] if one["Action"]]}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": list(actions), "Resource": "*", **more}]}


def states(found: list[Answer]) -> dict[str, str]:
    return {one.id: one.state for one in found if one.state != "pass"}


def test_the_policy_of_the_list_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.person(policy(found.needs))
        answers = permissions.look(found.clients)
        assert states(answers) == {}
        areas = {"network", "cluster", "database", "cache", "secrets", "buckets", "iam_roles", "certificate"}
        assert {f"permissions.{area}" for area in areas} <= {one.id for one in answers}


def test_what_is_missing_is_named_and_its_command_grants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.person(without(found, "eks:CreateCluster", "iam:PassRole", "ec2:AllocateAddress"))
        refused = {one.id: one for one in permissions.look(found.clients) if one.state != "pass"}
        assert states(list(refused.values())) == dict.fromkeys(
            ("permissions.network", "permissions.cluster", "permissions.iam_roles"), "fail"
        )
        assert "may not eks:CreateCluster" in refused["permissions.cluster"].text
        for answer in refused.values():
            (document,) = re.findall(r"--policy-document '(.+?)'", str(answer.remedy))
            found.aws.client("iam").put_user_policy(UserName="dev", PolicyName=answer.id, PolicyDocument=document)
        assert states(permissions.look(found.clients)) == {}


def test_somebody_without_any_right_but_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.role()
        answers = permissions.look(found.clients)
        assert set(states(answers).values()) == {"fail"}
        assert all("aws iam put-role-policy --role-name builder" in str(one.remedy) for one in answers)


def test_not_allowed_to_ask_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.person(EVERYTHING)
        iam = found.aws.client("iam")

        def refused(*asked: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "SimulatePrincipalPolicy")

        monkeypatch.setattr(iam, "_make_api_call", refused)
        (answer,) = permissions.look(found.clients)
        assert (answer.id, answer.state) == ("permissions", "unknown")
        assert "iam:SimulatePrincipalPolicy" in str(answer.remedy)
        assert "aws iam create-policy" in str(answer.remedy)


def test_a_deny_or_a_boundary_is_not_cured_by_allowing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "eks:*", "Resource": "*"}]}
        made = found.aws.client("iam").create_policy(PolicyName="edge", PolicyDocument=json.dumps(allowed))["Policy"]["Arn"]
        found.role(EVERYTHING, deny("rds:CreateDBCluster"), boundary=made, path="/teams/")
        refused = {one.id: one for one in permissions.look(found.clients) if one.state != "pass"}
        assert {id: one.state for id, one in refused.items()} == {"permissions.cluster": "fail", "permissions.database": "fail"}
        assert "denied by a Deny statement of role_builder_given-1" in refused["permissions.database"].text
        assert "permissions boundary" in refused["permissions.cluster"].text
        assert not any("put-role-policy" in str(one.remedy) for one in refused.values())


def test_a_condition_that_only_the_request_answers_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        tagged = {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "platform"}}}
        allowed = {"Effect": "Allow", "Action": "acm:*", "Resource": "*", **tagged}
        acm = [action for need in found.needs for action in need.actions if action.startswith("acm:")]
        found.person(without(found, *acm), {"Version": "2012-10-17", "Statement": [allowed]})
        (answer,) = [one for one in permissions.look(found.clients) if one.state != "pass"]
        assert (answer.id, answer.state) == ("permissions.certificate", "unknown")
        assert "aws:PrincipalTag/team" in answer.text


def test_a_service_role_that_exists_need_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.person(without(found, "iam:CreateServiceLinkedRole"))
        assert states(permissions.look(found.clients)) == {"permissions.iam_roles": "fail"}
        iam = found.aws.client("iam")
        for service in ("eks", "rds", "elasticache", "elasticloadbalancing"):
            iam.create_service_linked_role(AWSServiceName=f"{service}.amazonaws.com")
        monkeypatch.setattr(iam, "get_role", lambda RoleName: {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{RoleName}"}})
        assert states(permissions.look(found.clients)) == {}


@pytest.mark.parametrize(
    ("arn", "state"), [(f"arn:aws:iam::{ACCOUNT}:root", "warn"), (f"arn:aws:sts::{ACCOUNT}:federated-user/x", "unknown")]
)
def test_who_cannot_be_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arn: str, state: str) -> None:
    with account(tmp_path, monkeypatch) as found:
        found._signed_in(arn)
        assert [(one.id, one.state) for one in permissions.look(found.clients)] == [("permissions", state)]


def test_a_role_of_the_identity_center_is_changed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.role(name="AWSReservedSSO_Builders_0123456789abcdef", path="/aws-reserved/sso.amazonaws.com/")
        assert all("permission set Builders" in str(one.remedy) for one in permissions.look(found.clients))


def test_up_warns_of_rights_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(tmp_path, monkeypatch) as found:
        found.person(without(found, "eks:CreateCluster", "rds:CreateDBCluster"))
        told = typed(preflight.refuse(found.clients), " --env dev")
        assert "(cluster, database)" in told
        assert "genai doctor --env dev" in told
        found.person(policy(found.needs), name="builder")
        assert preflight.refuse(found.clients) == ""
