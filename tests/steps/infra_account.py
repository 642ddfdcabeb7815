"""An AWS account in this process that has the sandbox's rights and quotas, and a person in it who has only what is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto.ec2.models import EC2Backend
from moto.iam.responses import IamResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from genai_platform.sandbox.aws import policy_simulation, quotas
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites.actions import Need, needs, policy
from tests.tools.aws_world import world

ACCOUNT = "123456789012"
_PATCHED = ((EC2Backend, ("allocate_address", "create_vpc", "create_nat_gateway")), (ServiceQuotasResponse, ("get_service_quota",)))


class Account:
    """The account, and who is signed in."""

    def __init__(self, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clients, self._patch = clients, monkeypatch
        self.aws = clients.aws

    @property
    def needs(self) -> list[Need]:
        return needs(self.clients.target, ACCOUNT)

    def person(self, *documents: dict[str, Any], name: str = "dev") -> None:
        """Sign in as a user with these policies."""
        iam = self.aws.client("iam")
        iam.create_user(UserName=name)
        for number, document in enumerate(documents):
            iam.put_user_policy(UserName=name, PolicyName=f"given-{number}", PolicyDocument=json.dumps(document))
        self._signed_in(f"arn:aws:iam::{ACCOUNT}:user/{name}")

    def role(self, *documents: dict[str, Any], name: str = "builder", path: str = "/", boundary: str = "") -> None:
        """Sign in as a session of a role with these policies."""
        iam = self.aws.client("iam")
        more = {"PermissionsBoundary": boundary} if boundary else {}
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(policy(())), **more)
        for number, document in enumerate(documents):
            iam.put_role_policy(RoleName=name, PolicyName=f"given-{number}", PolicyDocument=json.dumps(document))
        self._signed_in(f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/somebody")

    def _signed_in(self, arn: str) -> None:
        self._patch.setattr(type(self.aws), "identity", lambda aws: {"Account": ACCOUNT, "Arn": arn})


@contextmanager
def account(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Account]:
    """An empty account in which nobody is signed in yet."""
    for holder, names in _PATCHED:
        for name in names:
            monkeypatch.setattr(holder, name, getattr(holder, name))
    for holder, name in ((IamResponse, "simulate_principal_policy"), (ServiceQuotasResponse, "list_service_quotas")):
        monkeypatch.setattr(holder, name, None, raising=False)
    nowhere: Any = SimpleNamespace()
    for part in (policy_simulation, quotas):
        part.patch(nowhere)
    with world(folder, monkeypatch, **settings) as clients:
        yield Account(clients, monkeypatch)
