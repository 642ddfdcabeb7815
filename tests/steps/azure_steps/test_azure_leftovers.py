"""A planted leftover of each kind is found, with the command that removes it; what Azure retains is named."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from genai_platform.audit import azure as azure_leftovers
from genai_platform.steps.azure import entra_applications, lookup
from genai_platform.steps.clients import Clients

from .test_existing_service import somebodys_service
from .world import AzureWorld, down, store, until, up


def vault(clients: Clients) -> None:
    clients.azure.arm.make_group(f"other-{clients.target.environment}", "japaneast", {})
    clients.azure.vaults.make(
        f"other-{clients.target.environment}", f"stray-{clients.target.environment}", "japaneast", clients.target.tags
    )


def service(clients: Clients) -> None:
    group = lookup.group_name(clients.target)
    clients.azure.arm.make_group(group, "japaneast", clients.target.tags)
    body = {"location": "japaneast", "sku": {"name": "BasicV2", "capacity": 1}, "tags": clients.target.tags, "properties": {}}
    clients.azure.apim.begin(group, f"stray-service-{clients.target.environment}", body)


def application(clients: Clients) -> None:
    clients.azure.graph.ensure_application(f"{entra_applications.caller_prefix(clients.target)}stray", {})


def group(clients: Clients) -> None:
    clients.azure.arm.make_group(lookup.group_name(clients.target), "japaneast", clients.target.tags)


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (vault, "azure:Microsoft.KeyVault/vaults"),
        (service, "azure:api-management"),
        (application, "azure:application"),
        (group, "azure:resource-group"),
    ],
)
def test_a_planted_leftover_is_found(world: AzureWorld, plant: Callable[[Clients], None], kind: str) -> None:
    assert azure_leftovers.look(world.clients()).standing == []
    plant(world.clients())
    found = {entry[0]: entry for entry in azure_leftovers.look(world.clients()).standing}
    assert kind in found
    assert found[kind][3].startswith("az ")
    if kind == "azure:api-management":
        assert found[kind][2] > 0


def test_what_stands_is_seen_once_and_after_down_nothing(world: AzureWorld) -> None:
    up(world)
    seen = azure_leftovers.look(world.clients())
    assert sorted(entry[0] for entry in seen.standing) == [
        "azure:api-management",
        *["azure:application"] * 4,
        "azure:resource-group",
        "azure:vault",
    ]
    down(world)
    seen = azure_leftovers.look(world.clients())
    assert (seen.standing, seen.retained, seen.unseen) == ([], [], [])


def test_what_is_switched_off_is_left_over_though_the_platform_exists(world: AzureWorld) -> None:
    up(world)
    whole = frozenset({"network", "storage", "cluster", "data"})
    assert azure_leftovers.audit(world.clients(), whole).standing == []
    left = azure_leftovers.audit(world.configure(enabled=False), whole)
    (service,) = (one for one in left.standing if one[0] == "azure:api-management")
    assert service[2] > 0
    assert service[3].startswith("az apim delete")
    unknown = world.configure(enabled=False, tenant_id=None, subscription_id=None)
    assert azure_leftovers.audit(unknown, whole) == azure_leftovers.Found()
    world.configure()
    down(world)


@pytest.mark.parametrize("kind", ["vault", "service", "application"])
def test_what_was_deleted_and_not_purged_is_retained_until_a_day(world: AzureWorld, kind: str) -> None:
    up(world)
    clients = world.clients()
    group = lookup.group_name(world.target)
    if kind == "vault":
        name = lookup.need_vault(clients).name
        clients.azure.vaults.delete(group, name)
    elif kind == "service":
        name = lookup.need_service(clients).name
        clients.azure.apim.begin_delete(group, name)
        until(lambda: clients.azure.apim.deleted(name))
    else:
        name = entra_applications.prefix(world.target)
        clients.azure.graph.delete_application(str(entra_applications.need_api(clients)["id"]))
    (line,) = [line for line in azure_leftovers.look(world.clients()).retained if line.startswith(name)]
    assert re.search(r"retained until \d{4}-\d\d-\d\d", line)


def test_several_deleted_applications_are_told_with_the_first_day(world: AzureWorld) -> None:
    graph = world.clients().azure.graph
    for name, at in (("a", "2026-03-01T12:00:00Z"), ("b", "2026-02-01T12:00:00.1234567Z")):
        made = graph.ensure_application(f"{entra_applications.caller_prefix(world.target)}{name}", {})
        graph.change_application(str(made["id"]), {})
        graph.delete_application(str(made["id"]))
        with store(world) as opened:
            held = opened.get("deletedApplications", str(made["id"]))
            opened.put("deletedApplications", str(made["id"]), {**(held or {}), "deletedDateTime": at})
    (line,) = azure_leftovers.look(world.clients()).retained
    assert "2 deleted applications, the first retained until 2026-03-03" in line


def test_what_is_left_in_a_service_that_existed_before(world: AzureWorld) -> None:
    service = somebodys_service(world)
    up(world)
    found = {kind: (id, remove) for kind, id, _, remove in azure_leftovers.look(world.clients()).standing if kind.startswith("azure:apim-")}
    assert set(found) == {"azure:apim-api", "azure:apim-backend", "azure:apim-named-value"}
    assert found["azure:apim-api"][0] == f"{service.name}/{lookup.object_name(world.target, 'api')}"
    words = shlex.split(found["azure:apim-backend"][1])
    assert words[:4] == ["az", "rest", "--method", "DELETE"]
    assert words[words.index("--headers") + 1] == "If-Match=*"
    assert f"{service.id}/backends/" in words[words.index("--url") + 1]
    down(world)
    assert azure_leftovers.look(world.clients()).standing == []


def test_what_carries_one_of_our_tags_only_is_not_ours(world: AzureWorld) -> None:
    arm, tags = world.clients().azure.arm, world.target.tags
    arm.make_group(f"other-{world.environment}", "japaneast", {})
    name, value = list(tags.items())[-1]
    world.clients().azure.vaults.make(f"other-{world.environment}", f"other-{world.environment}", "japaneast", {name: value})
    assert arm.tagged(tags) == []
    assert [entry[2] for entry in arm.tagged({name: value})] == [f"other-{world.environment}"]
