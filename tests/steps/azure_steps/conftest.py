"""One set of stand-ins for all tests of the Azure steps; each test has an environment of its own in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from genai_platform.sandbox.layout import SandboxLayout

from .world import AzureWorld, registered, running

_numbers = count(1)


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    with running(tmp_path_factory.mktemp("azure")) as layout:
        registered(layout)
        yield layout


@pytest.fixture
def world(layout: SandboxLayout) -> AzureWorld:
    """An environment of its own in the shared stand-ins."""
    return AzureWorld(layout, f"t{next(_numbers)}")
