"""A planted leftover of each kind is found, with the command that removes it; what Azure retains is named."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from genai_platform.steps.azure import directory, leftovers, site
from genai_platform.steps.doors import Doors

from .test_existing_service import somebodys_service
from .world import AzureWorld, down, store, until, up


def vault(doors: Doors) -> None:
    doors.azure.arm.make_group(f"other-{doors.target.environment}", "japaneast", {})
    doors.azure.vaults.make(f"other-{doors.target.environment}", f"stray-{doors.target.environment}", "japaneast", doors.target.tags)


def service(doors: Doors) -> None:
    group = site.group_name(doors.target)
    doors.azure.arm.make_group(group, "japaneast", doors.target.tags)
    body = {"location": "japaneast", "sku": {"name": "BasicV2", "capacity": 1}, "tags": doors.target.tags, "properties": {}}
    doors.azure.apim.begin(group, f"stray-service-{doors.target.environment}", body)


def application(doors: Doors) -> None:
    doors.azure.graph.ensure_application(f"{directory.caller_prefix(doors.target)}stray", {})


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


@pytest.mark.parametrize("kind", ["vault", "service", "application"])
def test_what_was_deleted_and_not_purged_is_retained_until_a_day(world: AzureWorld, kind: str) -> None:
    up(world)
    doors = world.doors()
    group = site.group_name(world.target)
    if kind == "vault":
        name = site.need_vault(doors).name
        doors.azure.vaults.delete(group, name)
    elif kind == "service":
        name = site.need_service(doors).name
        doors.azure.apim.begin_delete(group, name)
        until(lambda: doors.azure.apim.deleted(name))
    else:
        name = directory.prefix(world.target)
        doors.azure.graph.delete_application(str(directory.need_api(doors)["id"]))
    (line,) = [line for line in leftovers.look(world.doors()).retained if line.startswith(name)]
    assert re.search(r"retained until \d{4}-\d\d-\d\d", line)


def test_several_deleted_applications_are_told_with_the_first_day(world: AzureWorld) -> None:
    graph = world.doors().azure.graph
    for name, at in (("a", "2026-03-01T12:00:00Z"), ("b", "2026-02-01T12:00:00.1234567Z")):
        made = graph.ensure_application(f"{directory.caller_prefix(world.target)}{name}", {})
        graph.change_application(str(made["id"]), {})
        graph.delete_application(str(made["id"]))
        with store(world) as opened:
            held = opened.get("deletedApplications", str(made["id"]))
            opened.put("deletedApplications", str(made["id"]), {**(held or {}), "deletedDateTime": at})
    (line,) = leftovers.look(world.doors()).retained
    assert "2 deleted applications, the first retained until 2026-03-03" in line


def test_what_is_left_in_a_service_that_existed_before(world: AzureWorld) -> None:
    service = somebodys_service(world)
    up(world)
    found = {kind: (id, remove) for kind, id, _, remove in leftovers.look(world.doors()).standing if kind.startswith("azure:apim-")}
    assert set(found) == {"azure:apim-api", "azure:apim-backend", "azure:apim-named-value"}
    assert found["azure:apim-api"][0] == f"{service.name}/{site.object_name(world.target, 'api')}"
    words = shlex.split(found["azure:apim-backend"][1])
    assert words[:4] == ["az", "rest", "--method", "DELETE"]
    assert words[words.index("--headers") + 1] == "If-Match=*"
    assert f"{service.id}/backends/" in words[words.index("--url") + 1]
    down(world)
    assert leftovers.look(world.doors()).standing == []


def test_what_carries_one_of_our_tags_only_is_not_ours(world: AzureWorld) -> None:
    arm, tags = world.doors().azure.arm, world.target.tags
    arm.make_group(f"other-{world.environment}", "japaneast", {})
    name, value = list(tags.items())[-1]
    world.doors().azure.vaults.make(f"other-{world.environment}", f"other-{world.environment}", "japaneast", {name: value})
    assert arm.tagged(tags) == []
    assert [entry[2] for entry in arm.tagged({name: value})] == [f"other-{world.environment}"]
