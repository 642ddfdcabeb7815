"""A thousand callers, killed in the middle: none twice, none lost, and nobody's spend forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import StepError
from genai_platform.steps.azure import entra_applications, lookup, steps
from genai_platform.steps.azure.callers import keys

from .world import AzureWorld, Quiet, registered, running

MANY = 1000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AzureWorld]:
    """In stand-ins of its own: a directory of thousands makes each later look of other tests slower."""
    with running(tmp_path) as layout:
        registered(layout)
        yield AzureWorld(layout, "many")


@pytest.mark.timeout(600)
def test_a_thousand_callers_killed_in_the_middle_and_run_again(world: AzureWorld) -> None:
    names = {f"team-{number:04}" for number in range(MANY)}
    world.configure(callers={name: {"models": ["gpt-4o-mini"], "max_budget": 5} for name in names})
    for step in steps(world.clients())[:-1]:
        step.apply(Quiet())
    world.litellm.fail_after = MANY
    with pytest.raises(StepError):
        steps(world.clients())[-1].apply(Quiet())
    world.litellm.fail_after = None
    spent = set(world.litellm.users)
    assert 0 < len(spent) < MANY
    for user in world.litellm.users.values():
        user["spend"] = 1.5
    progress = Quiet()
    steps(world.clients())[-1].apply(progress)
    assert f"callers: {MANY}/{MANY}" in progress.said
    assert steps(world.clients())[-1].observe().state is State.PRESENT
    listed = keys.listed(world.clients())
    assert {key.caller for key in listed} == names
    assert {key.state for key in listed} == {"active"}
    assert len(world.litellm.users) == len(world.litellm.keys) == MANY
    assert {key.spend for key in listed if key.client_id in spent} == {1.5}
    assert {key.budget for key in listed} == {5}
    clients = world.clients()
    assert len({str(entry["appId"]) for entry in clients.azure.graph.applications(entra_applications.caller_prefix(world.target))}) == MANY
    assert len(clients.azure.vaults.secrets(lookup.need_vault(clients))) == MANY
