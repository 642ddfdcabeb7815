"""How the suite is shared between workers: whatever looks at the one standing platform stays together, and so does a file."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        standing = "end_to_end" in item.path.parts and "platform" in getattr(item, "fixturenames", ())
        group = "platform" if standing else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
