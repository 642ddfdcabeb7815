"""An API Management service that existed before: what is ours in it comes and goes, the rest is not touched."""

from __future__ import annotations

import itertools
import time

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import ConfigError, GenaiError, MissingError, StepError
from genai_platform.steps.azure import existing_service, lookup, steps
from genai_platform.tools.azure.apim import Service

from .world import AzureWorld, Quiet, down, up

_numbers = itertools.count(1)
_GLOBAL = "<policies><inbound>{}</inbound><backend><forward-request /></backend><outbound /><on-error /></policies>"
_SETS = '<set-header name="Authorization" exists-action="override"><value>Bearer theirs</value></set-header>'


def somebodys_service(world: AzureWorld, *, sku: str = "Developer", identity: bool = True) -> Service:
    """A service in a group of its own, and settings that name it."""
    azure, name, group = world.clients().azure, f"theirs-{next(_numbers)}", f"group-of-{world.environment}"
    azure.arm.make_group(group, "japaneast", {})
    body = {
        "location": "japaneast",
        "sku": {"name": sku, "capacity": 1},
        "properties": {"publisherEmail": "a@example.com", "publisherName": "a"},
        **({"identity": {"type": "SystemAssigned"}} if identity else {}),
    }
    azure.apim.begin(group, name, body)
    found = azure.apim.service(group, name)
    while not (found and found.state == "Succeeded"):
        time.sleep(0.05)
        found = azure.apim.service(group, name)
    world.configure(apim={"existing": name})
    return found


def put_global(world: AzureWorld, service: Service, inbound: str) -> None:
    body = {"properties": {"format": "xml", "value": _GLOBAL.format(inbound)}}
    world.clients().azure.apim.client.policy.create_or_update(service.group, service.name, "policy", body)


def test_only_what_was_made_is_removed(world: AzureWorld) -> None:
    service = somebodys_service(world)
    apim = world.clients().azure.apim
    apim.put_api(service, "theirs", "their-path", "https://example.com")
    put_global(world, service, "")
    assert existing_service.fit(world.clients())
    up(world)
    assert up(world) == []
    assert {entry.id for entry in apim.apis(service)} == {"theirs", lookup.object_name(world.target, "api")}
    down(world)
    assert {step.id for step in steps(world.clients()) if step.observe().state is not State.ABSENT} == {"azure.service"}
    assert [entry.id for entry in apim.apis(service)] == ["theirs"]
    assert apim.policy(service, None)


@pytest.mark.parametrize(
    ("inbound", "refused"),
    [
        (_SETS, True),
        ('<choose><when condition="@(context.Response.StatusCode == 200)">' + _SETS + "</when></choose>", True),
        (
            '<send-request mode="new" response-variable-name="x"><set-url>https://example.com</set-url>' + _SETS + "</send-request>",
            False,
        ),
        ('<set-header name="X-Theirs" exists-action="override"><value>1</value></set-header>', False),
    ],
)
def test_a_global_policy_that_sets_authorization_is_an_error(world: AzureWorld, inbound: str, refused: bool) -> None:
    service = somebodys_service(world)
    put_global(world, service, inbound)
    if not refused:
        existing_service.fit(world.clients())
        return
    with pytest.raises(StepError, match="Authorization"):
        existing_service.fit(world.clients())
    with pytest.raises(StepError, match="Authorization"):
        steps(world.clients())[0].apply(Quiet())


def test_a_taken_path_is_said_before_anything_is_made(world: AzureWorld) -> None:
    service = somebodys_service(world)
    world.clients().azure.apim.put_api(service, "theirs", "genai", "https://example.com")
    with pytest.raises(StepError, match="theirs"):
        steps(world.clients())[0].apply(Quiet())
    assert not world.clients().azure.arm.group(lookup.group_name(world.target))


def test_consumption_neither_streams_nor_caches(world: AzureWorld) -> None:
    somebodys_service(world, sku="Consumption")
    with pytest.raises(ConfigError, match="streaming"):
        existing_service.fit(world.clients())


def test_without_an_identity_the_command_that_gives_one_is_named(world: AzureWorld) -> None:
    somebodys_service(world, identity=False)
    with pytest.raises(MissingError) as refused:
        existing_service.fit(world.clients())
    assert "--enable-managed-identity" in refused.value.remedy


def test_a_service_that_is_not_there_is_named(world: AzureWorld) -> None:
    world.configure(apim={"existing": "no-such-service"})
    with pytest.raises(GenaiError, match="no-such-service"):
        existing_service.fit(world.clients())
