"""A planted leftover of each kind is found, with the command that removes it; what Azure retains is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genai_platform.steps.azure import leftovers, site
from genai_platform.steps.doors import Doors

from .world import AzureWorld, down, up


def vault(doors: Doors) -> None:
    doors.azure.arm.make_group(f"other-{doors.target.environment}", "japaneast", {})
    doors.azure.vaults.make(f"other-{doors.target.environment}", f"stray-{doors.target.environment}", "japaneast", doors.target.tags)


def service(doors: Doors) -> None:
    group = site.group_name(doors.target)
    doors.azure.arm.make_group(group, "japaneast", doors.target.tags)
    body = {"location": "japaneast", "sku": {"name": "BasicV2", "capacity": 1}, "tags": doors.target.tags, "properties": {}}
    doors.azure.apim.begin(group, f"stray-service-{doors.target.environment}", body)


def application(doors: Doors) -> None:
    doors.azure.graph.ensure_application(f"{site.caller_prefix(doors.target)}stray", {})


def group(doors: Doors) -> None:
    doors.azure.arm.make_group(site.group_name(doors.target), "japaneast", doors.target.tags)


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (vault, "azure:Microsoft.KeyVault/vaults"),
        (service, "azure:api-management"),
        (application, "azure:application"),
        (group, "azure:resource-group"),
    ],
)
def test_a_planted_leftover_is_found(world: AzureWorld, plant: Callable[[Doors], None], kind: str) -> None:
    assert leftovers.look(world.doors()).standing == []
    plant(world.doors())
    found = {entry[0]: entry for entry in leftovers.look(world.doors()).standing}
    assert kind in found
    assert found[kind][3].startswith("az ")
    if kind == "azure:api-management":
        assert found[kind][2] > 0


def test_what_stands_is_seen_once_and_after_down_nothing(world: AzureWorld) -> None:
    up(world)
    seen = leftovers.look(world.doors())
    assert sorted(entry[0] for entry in seen.standing) == [
        "azure:api-management",
        *["azure:application"] * 4,
        "azure:resource-group",
        "azure:vault",
    ]
    down(world)
    seen = leftovers.look(world.doors())
    assert (seen.standing, seen.retained, seen.unseen) == ([], [], [])


def test_a_deleted_vault_that_was_not_purged_is_retained(world: AzureWorld) -> None:
    up(world)
    doors = world.doors()
    name = site.need_vault(doors).name
    doors.azure.vaults.delete(site.group_name(world.target), name)
    assert any(line.startswith(name) for line in leftovers.look(world.doors()).retained)
