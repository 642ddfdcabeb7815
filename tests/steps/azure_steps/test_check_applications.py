"""The applications for checks: right in all but one point, and never served."""

from __future__ import annotations

import pytest

from genai_platform.engine.step import State
from genai_platform.steps.azure import check_applications, entra_applications
from genai_platform.steps.azure.callers.observed import observe
from genai_platform.tools.azure import token

from .world import AzureWorld, Quiet, down, up


def claims(world: AzureWorld, name: str, *, own: bool = False) -> dict[str, object]:
    """What a token of a probe says."""
    client = check_applications.client(world.clients(), name)
    assert client
    assert client.secret
    scope = f"{client.client_id}/.default" if own else client.scope
    return token.claims(token.fetch(world.target, client.tenant_id, client.client_id, client.secret, scope))


def test_each_token_is_wrong_in_one_point(world: AzureWorld) -> None:
    up(world)
    audience = str(entra_applications.need_api(world.clients())["appId"])
    role, key = claims(world, "role"), claims(world, "key")
    assert (role["aud"], role["roles"]) == (audience, ["Genai.Probe"])
    assert (key["aud"], key["roles"]) == (audience, ["Genai.Call"])
    other = claims(world, "role", own=True)
    assert (other["aud"], other["roles"], other["iss"]) == (other["azp"], ["Genai.Call"], key["iss"])
    assert up(world) == []
    down(world)
    assert world.aws
    assert not world.aws.secrets.documents


def test_no_probe_is_served_by_a_key_that_all_share(world: AzureWorld) -> None:
    up(world)
    world.configure(apim={"keys": "shared"}, callers={"team-a": {}})
    assert "azure.check_applications" in up(world)
    assert up(world) == []
    held = observe(world.clients()).holders.values()
    assert not any(name.startswith(entra_applications.probe_prefix(world.target)) for name in held)


@pytest.mark.parametrize("kind", ["assignment", "secret"])
def test_what_a_probe_lacks_is_noticed(world: AzureWorld, kind: str) -> None:
    up(world)
    work = observe(world.clients())
    if kind == "secret":
        work.store.forget(["probe.role"])
    else:
        mine = next(id for id, name in work.holders.items() if name.startswith(entra_applications.probe_prefix(world.target)))
        work.graph.unassign(work.api_principal, work.assigned[mine])
    step = check_applications.CheckApplicationsStep(world.clients())
    assert step.observe().state is State.DRIFTED
    step.apply(Quiet())
    assert check_applications.CheckApplicationsStep(world.clients()).observe().state is State.PRESENT
