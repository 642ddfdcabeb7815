"""One set of stand-ins for all tests of the Azure steps; each test has an environment of its own in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from genai_platform.sandbox.place import Place

from .world import AzureWorld, registered, running

_numbers = count(1)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running(tmp_path_factory.mktemp("azure")) as place:
        registered(place)
        yield place


@pytest.fixture
def world(place: Place) -> AzureWorld:
    """An environment of its own in the shared stand-ins."""
    return AzureWorld(place, f"t{next(_numbers)}")
