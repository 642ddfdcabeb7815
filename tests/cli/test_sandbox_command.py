"""``genai sandbox`` with a sandbox that rests: what each command answers."""

from __future__ import annotations

import pytest

from genai_platform.sandbox import supervisor
from genai_platform.sandbox.layout import SandboxLayout
from tests.cli.conftest import Shell


@pytest.fixture
def layout(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> SandboxLayout:
    """One that was made and does not run; starting it starts nothing."""
    monkeypatch.setenv("GENAI_CACHE_DIR", str(shell.folder / "cache"))
    monkeypatch.setattr("genai_platform.programs.prisma.ready", lambda: True)
    monkeypatch.setattr(supervisor, "start", lambda layout, progress, plan=None: None)
    return SandboxLayout.create(shell.folder / ".genai" / "sandbox" / "world", "sandbox")


def test_status_lists_the_parts_of_one_that_rests(shell: Shell, layout: SandboxLayout) -> None:
    document = shell("sandbox", "status", "--json").document
    parts = {part["name"]: part for part in document["parts"]}
    assert (parts["etcd"]["kind"], parts["etcd"]["state"], parts["etcd"]["pid"]) == ("real", "stopped", None)
    assert parts["azure"]["kind"] == "stand-in"
    assert document["tenant"] is None


def test_it_is_saved_removed_and_restored_under_its_name(shell: Shell, layout: SandboxLayout) -> None:
    file = shell.folder / "monday.tar"
    assert shell("sandbox", "stop", "--json").document["stopped"] == []
    assert shell("sandbox", "save", "monday.tar", "--json").document["file"] == str(file)
    assert shell("sandbox", "remove", "--yes", "--json").document["removed"] == "sandbox"
    assert not layout.root.exists()
    assert shell("sandbox", "restore", "monday.tar", "--json").document["restored"] == "sandbox"
    assert SandboxLayout.open(layout.root).ports == layout.ports


def test_its_programs_are_got_without_making_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("genai_platform.cli.fetch_programs.provide", lambda screen, names, further: asked.extend(names))
    assert shell("sandbox", "tools", "--json").document["ok"] is True
    assert {"terraform", "helm"} <= set(asked)
    assert not (shell.folder / ".genai").exists()
