"""The Azure steps through the real SDKs, over stand-ins that delay, soft-delete and reformat as Azure does."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from genai_platform.engine.graph import Graph
from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import ConfigError, GenaiError, MissingError, StepError
from genai_platform.render.policy import revision
from genai_platform.sandbox.azure.store import Store
from genai_platform.steps.azure import entra_applications, lookup, prerequisites, steps
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.callers import settings as caller_settings
from genai_platform.tools.azure import credentials
from genai_platform.tools.azure.apim import AuthorityUnreadable
from genai_platform.tools.parallel import gather

from .world import AzureWorld, Quiet, down, states, up


def test_the_second_up_does_nothing_and_after_down_nothing_is_there(world: AzureWorld) -> None:
    assert len(up(world)) == 10
    assert up(world) == []
    down(world)
    assert states(world) == {State.ABSENT}
    assert not world.litellm.users
    assert not world.litellm.keys
    assert world.aws is not None
    assert not world.aws.secrets.documents
    graph = world.clients().azure.graph
    assert not graph.deleted(entra_applications.prefix(world.target))
    assert not graph.deleted_principals(entra_applications.prefix(world.target))
    assert len(up(world)) == 10, "the same names can be had again on the same day"


def test_steps_are_none_when_azure_is_off(world: AzureWorld) -> None:
    assert steps(world.configure(enabled=False)) == []


def test_needs_are_known(world: AzureWorld) -> None:
    needs = {need for step in steps(world.clients()) for need in step.needs}
    assert needs - {step.id for step in steps(world.clients())} == {"litellm.ingress", "litellm.proxy"}
    first = steps(world.clients())[:5]
    assert set(Graph(first).ids) == {step.id for step in first}, "they need nothing but each other"


def test_an_existing_group_stays(world: AzureWorld) -> None:
    arm = world.clients().azure.arm
    arm.make_group(lookup.group_name(world.target), "japaneast", {"owner": "somebody"})
    up(world)
    down(world)
    assert arm.group(lookup.group_name(world.target))


@pytest.mark.parametrize("kind", ["vault", "service"])
def test_a_name_taken_by_somebody_else_is_said_before_anything_is_made(world: AzureWorld, kind: str) -> None:
    store = Store(world.layout.root / "azure" / "world.sqlite")
    name = lookup.candidates(world.target)[0]
    store.put("takenNames" if kind == "vault" else "services", name, {"id": "/elsewhere", "name": name})
    try:
        group = steps(world.clients())[0]
        with pytest.raises(MissingError, match=name):
            group.apply(Quiet())
        assert group.observe().state is State.ABSENT
    finally:
        store.delete("takenNames" if kind == "vault" else "services", name)
        store.close()


def test_a_path_of_another_api_is_refused(world: AzureWorld) -> None:
    for step in steps(world.clients()):
        if step.id == "azure.api":
            break
        step.apply(Quiet())
    clients = world.clients()
    clients.azure.apim.put_api(lookup.need_service(clients), "theirs", "genai", "https://example.com")
    with pytest.raises(StepError, match="theirs"):
        step.apply(Quiet())


def test_a_changed_policy_is_noticed(world: AzureWorld) -> None:
    up(world)
    clients = world.clients()
    service, name = lookup.need_service(clients), lookup.object_name(world.target, "api")
    held = clients.azure.apim.policy(service, name)
    assert held is not None
    clients.azure.apim.put_policy(service, name, held.replace("Genai.Call", "Genai.Probe"))
    assert up(world) == ["azure.policy"]


def test_a_service_that_cannot_read_the_authority_for_a_moment_is_asked_again(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    up(world)
    clients, waited = world.clients(), list[float]()
    put, refused = clients.azure.apim.put_policy, iter(["ValidationError: the OpenID configuration could not be read"])

    def flaky(*given: Any) -> None:
        if text := next(refused, None):
            raise AuthorityUnreadable(text)
        put(*given)

    clients.azure.apim.put_policy = flaky  # type: ignore[method-assign]
    monkeypatch.setattr("genai_platform.steps.azure.policy.time.sleep", waited.append)
    (step,) = [step for step in steps(clients) if step.id == "azure.policy"]
    progress = Quiet()
    step.apply(progress)
    assert "the service could not read the authority's configuration: once more" in progress.said
    assert step.observe().state is State.PRESENT


def test_an_expiry_in_the_past_is_refused(world: AzureWorld) -> None:
    world.configure(callers={"team-a": {"models": ["gpt-4o-mini"], "expires": "2020-01-01"}})
    with pytest.raises(ConfigError, match="lies in the past"):
        caller_settings.callers(world.target)


def test_all_that_stands_in_the_way_is_told_at_once(world: AzureWorld) -> None:
    world.configure(
        tenant_id="99999999-9999-4999-8999-999999999999",
        callers={"team-a": {"models": ["gpt-4o-mini"], "expires": "2020-01-01"}, "team-b": {"expires": "2021-01-01"}},
    )
    with pytest.raises(GenaiError) as caught:
        prerequisites.refuse(world.clients())
    message = caught.value.message
    assert message.startswith("2 problems must be fixed first:")
    assert "azure.callers.team-a.expires: 2020-01-01 lies in the past; azure.callers.team-b.expires: 2021-01-01" in message
    assert "knows no tenant" in message


def test_another_tenant_is_refused(world: AzureWorld) -> None:
    world.configure(tenant_id="99999999-9999-4999-8999-999999999999")
    with pytest.raises(GenaiError, match="knows no tenant"):
        prerequisites.refuse(world.clients())


def test_another_subscription_is_refused(world: AzureWorld) -> None:
    world.configure(subscription_id="99999999-9999-4999-8999-999999999999")
    with pytest.raises(MissingError, match="not visible"):
        prerequisites.refuse(world.clients())


def test_a_caller_that_is_configured_no_longer_goes(world: AzureWorld) -> None:
    up(world)
    world.configure(callers={"team-b": {"models": ["gpt-4o-mini"]}})
    assert up(world) == ["azure.callers"]
    assert [user["user_alias"] for user in world.litellm.users.values()] == ["team-b"]
    assert [key.caller for key in keys.listed(world.clients())] == ["team-b"]


@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_killed_in_the_middle_and_run_again(world: AzureWorld, after: int) -> None:
    world.configure(callers={f"team-{n}": {"models": ["gpt-4o-mini"], "max_budget": 5} for n in range(6)})
    for step in steps(world.clients())[:-1]:
        step.apply(Quiet())
    callers = steps(world.clients())[-1]
    world.litellm.fail_after = after
    with pytest.raises(StepError):
        callers.apply(Quiet())
    world.litellm.fail_after = None
    for user in world.litellm.users.values():
        user["spend"] = 1.5
    spent = set(world.litellm.users)
    assert up(world) == ["azure.callers"]
    assert up(world) == []
    assert len(world.litellm.users) == len(world.litellm.keys) == 6
    assert all(world.litellm.users[id]["spend"] == 1.5 for id in spent)
    assert all(key.state == "active" for key in keys.listed(world.clients()))


def test_a_rotated_key_overlaps_and_keeps_budget_and_spend(world: AzureWorld) -> None:
    up(world)
    next(iter(world.litellm.users.values()))["spend"] = 7.0
    done = keys.rotate(world.clients(), "team-a")
    assert done.key.alias == f"{done.key.client_id}.2"
    assert (done.key.spend, done.key.budget) == (7.0, 50)
    assert up(world) == [], "the old key ends by itself"
    old, new = sorted(world.litellm.keys.values(), key=lambda entry: entry["key_alias"])
    assert old["expires"]
    assert new["expires"] is None
    clients = world.clients()
    stored = clients.azure.vaults.value(lookup.need_vault(clients), f"litellm-{done.key.client_id}")
    assert stored is not None
    assert stored.get_secret_value() == world.litellm.values[-1]


def test_a_revoked_caller_is_left_alone_until_reinstated(world: AzureWorld) -> None:
    up(world)
    assert len(keys.revoke(world.clients(), "team-a").closed) == 3
    assert keys.show(world.clients(), "team-a").state == "revoked"
    assert up(world) == []
    with pytest.raises(StepError, match="revoked"):
        keys.issue(world.clients(), ["team-a"])
    assert keys.issue(world.clients(), ["team-a"], reinstate=True)[0].state == "active"
    assert up(world) == []


def test_a_client_secret_is_rotated_with_overlap(world: AzureWorld) -> None:
    up(world)
    first = keys.client(world.clients(), "team-a").secret
    done = keys.rotate_secret(world.clients(), "team-a")
    second = keys.client(world.clients(), "team-a").secret
    assert first != second
    assert done.old_until
    application = world.clients().azure.graph.applications(entra_applications.caller_prefix(world.target))[0]
    assert len(application["passwordCredentials"]) == 2


def test_no_secret_in_what_is_shown(world: AzureWorld) -> None:
    up(world)
    client = keys.client(world.clients(), "team-a")
    assert client.secret is not None
    assert client.secret.get_secret_value() not in repr(replace(client))
    shown = repr(keys.listed(world.clients()))
    assert not any(value in shown for value in world.litellm.values)


def test_an_unknown_caller_is_named(world: AzureWorld) -> None:
    with pytest.raises(ConfigError, match="team-x"):
        keys.rotate(world.clients(), "team-x")


def test_what_cannot_be_seen_is_unknown(world: AzureWorld, tmp_path: Path) -> None:
    endpoints = world.target.endpoints
    dead = endpoints.azure.model_copy(update={"arm": "https://localhost:1", "graph": "https://localhost:1"})
    world.target = replace(world.target, endpoints=endpoints.model_copy(update={"azure": dead}))
    # Each is patient by itself: all at the same time, as the scheduler looks.
    assert {found.state for found in gather(steps(world.clients())[:5], observe)} == {State.UNKNOWN}


def test_what_azure_holds_is_not_absent_when_the_cluster_is(world: AzureWorld) -> None:
    """``down`` removes what exists: taken for absent, it would stay, in a shared API Management service, too."""
    up(world)
    world.kube.there = False
    found = {step.id: observe(step).state for step in steps(world.clients())}
    assert {id for id, state in found.items() if state is State.ABSENT} == {"azure.ingress"}


def test_what_azure_holds_is_not_absent_when_the_secrets_are(world: AzureWorld) -> None:
    up(world)
    world.secrets = None
    found = {step.id: observe(step).state for step in steps(world.clients())}
    assert State.ABSENT not in found.values()
    assert (found["azure.api"], found["azure.ingress"]) == (State.UNKNOWN, State.UNKNOWN)


def test_a_policy_is_set_only_once_the_gateway_serves_it(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateways have it seconds after the service took it, and may read the vault minutes after they were allowed to."""
    up(world)
    clients = world.clients()
    service, name = lookup.need_service(clients), lookup.object_name(world.target, "api")
    (step,) = [step for step in steps(clients) if step.id == "azure.policy"]
    asked: list[int] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        new = revision(str(clients.azure.apim.policy(service, name)))
        said = f"Unauthorized. Policy {new}."
        late = [(404, ""), (401, said.replace(new, "0" * 12)), (401, said), (503, ""), (403, "")]
        status, text = late[len(asked)]
        assert ("authorization" in request.headers) is (len(asked) > 2)
        asked.append(status)
        return httpx.Response(status, text=text)

    client = httpx.Client(transport=httpx.MockTransport(gateway), base_url="https://gateway.test")
    monkeypatch.setattr("genai_platform.tools.http.client", lambda *given, **more: client)
    monkeypatch.setattr("genai_platform.steps.azure.policy._INTERVAL", 0.01)
    quiet = Quiet()
    assert "served by the gateway" in step.apply(quiet)
    assert asked == [404, 401, 401, 503, 403]
    assert any("it answers 404" in line for line in quiet.said)
    assert any("may read the vault; it answers 503" in line for line in quiet.said)


def test_many_looks_at_the_same_time_ask_for_one_token(world: AzureWorld) -> None:
    credential, begun = credentials.credential(world.target), threading.Barrier(8)

    def ask(_: int) -> str:
        begun.wait()
        return credential.get_token(credentials.ARM_SCOPE).token

    assert len(set(gather(range(8), ask))) == 1
