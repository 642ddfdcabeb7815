"""Azure goes on for a while after it has answered: locks, deletions under way, lists that lag, vaults that cannot be read yet."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from pydantic import SecretStr

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.errors import StepError
from genai_platform.render import gateway
from genai_platform.render.addresses import GATEWAY
from genai_platform.sandbox.azure.roles import SECRETS_USER
from genai_platform.steps.azure import ingress, lookup, steps
from genai_platform.steps.azure.callers import keys
from genai_platform.steps.azure.group import GroupStep
from genai_platform.steps.azure.shared_key import KIND, SharedKeyStep
from genai_platform.tools.azure import conflicts
from genai_platform.tools.azure.named_values import NamedValues

from .world import AzureWorld, Quiet, store, up


def test_a_lock_of_api_management_is_waited_for(world: AzureWorld) -> None:
    up(world)
    clients = world.clients()
    service, name = lookup.need_service(clients), lookup.object_name(world.target, "api")
    locked = f"{service.id}/apis/{name}"
    writes = {
        "an operation": lambda: clients.azure.apim.put_operation(service, name, "more", "GET", "/more"),
        "its removal": lambda: clients.azure.apim.delete_operation(service, name, "more"),
        "the policy": lambda: clients.azure.apim.put_policy(service, name, str(clients.azure.apim.policy(service, name))),
        "the policy's removal": lambda: clients.azure.apim.delete_policy(service, name),
    }
    for what, write in writes.items():
        with store(world) as opened:
            opened.put("settlingApis", locked, {"id": locked})
            write()
            assert opened.get("settlingApis", locked) is None, f"{what}: refused once, then sent again"


def test_another_conflict_of_api_management_is_not_waited_for(world: AzureWorld) -> None:
    up(world)
    clients = world.clients()
    service, name = lookup.need_service(clients), lookup.object_name(world.target, "api")
    clients.azure.apim.delete_policy(service, name)
    with pytest.raises(StepError, match="GenaiElsewhere"):
        clients.azure.apim.put_policy(service, name, _NAMES_WHAT_IS_NOT_THERE)


def test_a_conflict_that_does_not_pass_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "_LONGEST", 0.5)
    sent: list[str] = []

    def write() -> None:
        sent.append("once")
        error = HttpResponseError(message="(Conflict) the entity is in use")
        error.status_code = 409
        raise error

    with pytest.raises(HttpResponseError):
        conflicts.Writes(Endpoints(aws=AwsEndpoints(url="http://127.0.0.1:1"))).send(write)
    assert sent == ["once"]


_NAMES_WHAT_IS_NOT_THERE = (
    '<policies><inbound><set-header name="X"><value>{{GenaiElsewhere}}</value></set-header></inbound>'
    "<backend><forward-request /></backend><outbound /><on-error /></policies>"
)


def test_a_secret_that_is_being_deleted_can_be_removed_and_stored_anew(world: AzureWorld) -> None:
    up(world)
    clients = world.clients()
    vaults, vault = clients.azure.vaults, lookup.need_vault(clients)
    vaults.put(vault, "mine", SecretStr("first"), {}, None)
    vaults.remove(vault, "mine")  # its purge is refused: the deletion is still under way
    assert vaults.value(vault, "mine") is None
    vaults.put(vault, "mine", SecretStr("second"), {}, None)
    found = vaults.value(vault, "mine")
    assert found
    assert found.get_secret_value() == "second"


def test_a_group_is_removed_once_the_list_of_what_is_in_it_is_empty(world: AzureWorld) -> None:
    GroupStep(world.clients()).apply(Quiet())
    name = lookup.group_name(world.target)
    id = f"/subscriptions/{world.target.settings.azure.subscription_id}/resourceGroups/{name}/providers/Microsoft.X/things/slow"
    with store(world) as opened:
        opened.put("arm", id, {"id": id, "name": "slow", "type": "Microsoft.X/things"})
        later = threading.Timer(1, lambda: opened.delete("arm", id))
        later.start()
        progress = Quiet()
        assert GroupStep(world.clients()).destroy(progress) == f"removed {name}"
        later.join()
    assert any("still holds slow" in text for text in progress.said)


def test_a_group_with_somebody_elses_things_stays(world: AzureWorld) -> None:
    GroupStep(world.clients()).apply(Quiet())
    clients, name = world.clients(), lookup.group_name(world.target)
    clients.azure.vaults.make(name, f"theirs-{world.environment}", "japaneast", {})
    with pytest.raises(StepError, match=f"theirs-{world.environment}") as refused:
        GroupStep(clients).destroy(Quiet())
    assert refused.value.id == "azure.group_in_use"


def test_a_named_value_waits_until_the_vault_can_be_read(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(apim={"keys": "shared"}, callers={"team-a": {}})
    up(world)
    clients = world.clients()
    service, name = lookup.need_service(clients), lookup.object_name(world.target, KIND)
    for step in steps(clients):
        if step.id == "azure.policy":
            step.destroy(Quiet())
    clients.azure.named_values.delete(service, name)
    assigned = clients.azure.arm.assignment(lookup.need_vault(clients).id, str(service.principal), SECRETS_USER)
    assert assigned
    clients.azure.arm.unassign(str(assigned["id"]))
    asked: list[float] = []
    begin = NamedValues.begin_from_vault

    def counted(self: NamedValues, *args: Any) -> None:
        asked.append(time.monotonic())
        begin(self, *args)

    monkeypatch.setattr(NamedValues, "begin_from_vault", counted)
    give = threading.Timer(
        1.5, lambda: world.clients().azure.arm.assign(lookup.need_vault(clients).id, str(service.principal), SECRETS_USER)
    )
    give.start()
    progress = Quiet()
    SharedKeyStep(world.clients()).apply(progress)
    give.join()
    assert any("last answer:" in text and "Forbidden" in text for text in progress.said)
    assert len(asked) > 1
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(asked)), "each order is long-running: not too many"
    assert keys.show(world.clients(), "team-a").state == "active"


@pytest.mark.parametrize(("sku", "admitted"), [("Developer", "203.0.113.10/32"), ("BasicV2", gateway.EVERYWHERE)])
def test_only_tiers_with_fixed_addresses_close_the_load_balancers_port(
    world: AzureWorld, sku: str, admitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(world)
    clients = world.clients()
    named = replace(lookup.need_service(clients), sku=sku, addresses=("203.0.113.10",))
    monkeypatch.setattr(ingress, "need_service", lambda clients: named)
    ingress.step(clients).apply(Quiet())
    (made,) = [document for name, document in world.kube.ingresses.items() if GATEWAY in name]
    assert {cidr for cidr in ("203.0.113.10/32", gateway.EVERYWHERE) if cidr in str(made)} == {admitted}
