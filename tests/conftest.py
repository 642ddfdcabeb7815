"""How the suite is shared between workers: what may not run at the same time stays together, and the longest starts first."""

from __future__ import annotations

import pytest

from tests import aws_in_process, coverage_threads

coverage_threads.prepare()
aws_in_process.prepare()

LONGEST = (
    "platform",
    "second platform",
    "tests/end_to_end/test_keep_data.py",
    "tests/steps/azure_steps/test_tenants.py",
    "tests/end_to_end/test_state_bucket.py",
    "tests/steps/azure_steps/test_many_callers.py",
)
"""Groups in the order they are handed out; all others follow. One that starts late keeps a single worker busy in the end.
Three workers have platforms. One with two tests left gets the next group: the two files of one long test each go to the same worker."""
SECOND = ("test_patch.py", "test_manual_changes.py", "test_verify.py", "test_tenant.py")
"""On a platform of their own, in this order: the report of ``verify`` draws the ``up`` of the one before."""
LAST = "test_down.py"
"""It takes down the platform that the others use."""
NOT_MEASURED = ("tests/sandbox/", "tests/end_to_end/", "tests/steps/azure_steps/test_many_callers.py")
"""Coverage makes Python half as slow again. Here it would measure what ``pyproject.toml`` leaves out, other processes, or what
shorter tests measure as well."""


def _name(item: pytest.Item) -> str:
    return item.path.relative_to(item.config.rootpath).as_posix()


def _group(item: pytest.Item) -> str:
    """The tests on one platform, or those of a file. Two workers have a platform each."""
    if "end_to_end" in item.path.parts and "platform" in getattr(item, "fixturenames", ()):
        return "second platform" if item.path.name in SECOND else "platform"
    return _name(item)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    within = {name: place for place, name in enumerate((*SECOND, LAST), 1)}
    items.sort(key=lambda item: (order.get(_group(item), len(order)), within.get(item.path.name, 0)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        if _name(item).startswith(NOT_MEASURED):
            item.add_marker(pytest.mark.no_cover)
