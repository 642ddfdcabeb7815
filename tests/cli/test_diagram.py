from __future__ import annotations

import stat
from pathlib import Path

import pytest

from genai_platform.engine.step import State
from genai_platform.errors import StepError
from tests.cli.conftest import Shell
from tests.worlds import World

BEGIN, END = "<!-- genai diagram -->", "<!-- /genai diagram -->"


def test_the_picture_has_the_states_that_status_shows(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    world.states = {"infra.cluster": State.UNKNOWN, "langfuse.chart": State.DRIFTED}
    states = {step["id"]: step["state"] for step in shell("status", "--json").document["steps"]}
    document = shell("diagram", "--json").document
    nodes = {node["id"]: node for node in document["nodes"]}
    assert (document["schema"], document["environment"]) == (1, "default")
    assert nodes["vpc"] == {"id": "vpc", "label": "VPC 10.0.0.0/16", "steps": ["infra.network"], "state": "present"}
    assert nodes["people"]["state"] is None
    for id, step in (("eks", "infra.cluster"), ("litellm", "litellm.proxy"), ("keeper", "langfuse.chart"), ("vpc", "infra.network")):
        assert nodes[id]["state"] == states[step]
    assert 'keeper["ZooKeeper<br/>drifted"]' in document["mermaid"]
    assert shell("diagram").out == document["mermaid"] + "\n"
    assert world.happened == []


def test_without_states_no_cloud_is_asked(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.cli.worlds.clouds.Clouds.enter", None)
    answer = shell("diagram", "--no-state", "--json")
    assert answer.code == 0
    assert {node["state"] for node in answer.document["nodes"]} == {None}
    assert not (shell.folder / ".genai").exists()


def test_an_environment_that_cannot_be_looked_at_is_drawn_from_its_configuration(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise StepError("no credentials of AWS were found")

    monkeypatch.setattr("genai_platform.cli.worlds.clouds.Clouds.enter", refused)
    answer = shell("diagram")
    assert answer.code == 0
    assert answer.out == shell("diagram", "--no-state").out
    assert answer.err == "warning: drawn from the configuration alone, without states: no credentials of AWS were found\n"


def test_a_sandbox_that_is_not_there_yet_can_be_drawn(shell: Shell) -> None:
    answer = shell("diagram", "--sandbox")
    assert answer.code == 0
    assert "there is no sandbox 'sandbox'" in answer.err
    assert 'apim["API Management' in answer.out
    assert not (shell.folder / ".genai").exists()


def test_a_fault_in_the_configuration_is_told(shell: Shell) -> None:
    answer = shell("diagram", "--set", "network.zones=1")
    assert answer.code == 2
    assert "network.zones" in answer.err


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_rest_of_the_file_stays_as_it_is(shell: Shell, end: str) -> None:
    before, after = f"# Ours{end}{end}\ttext \xa0".encode() + b"\xff" + end.encode(), f"{end}last line".encode()
    file = shell.folder / "platform.md"
    file.write_bytes(before + f"  {BEGIN}{end}old{end}{END} {end}".encode() + after)
    file.chmod(0o644)
    assert shell("diagram", "--no-state", "--write", "platform.md").code == 0
    text = shell("diagram", "--no-state").out.replace("\n", end)
    assert file.read_bytes() == before + f"  {BEGIN}{end}```mermaid{end}{text}```{end}{END} {end}".encode() + after
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in shell.folder.glob("*platform.md*")] == ["platform.md"]


@pytest.mark.parametrize(
    ("before", "kept"),
    [(None, ""), ("", ""), ("# Ours\n", "# Ours\n\n"), ("# Ours", "# Ours\n\n"), (f"See `{BEGIN}`.\n", f"See `{BEGIN}`.\n\n")],
)
def test_a_file_without_marks_gets_them_at_its_end(shell: Shell, before: str | None, kept: str) -> None:
    file = shell.folder / "platform.md"
    if before is not None:
        file.write_text(before)
    assert shell("diagram", "--no-state", "--write", "platform.md").code == 0
    text = shell("diagram", "--no-state").out
    assert file.read_text() == f"{kept}## Architecture\n\n{BEGIN}\n```mermaid\n{text}```\n{END}\n"


def test_the_picture_is_kept_current(shell: Shell, world: World) -> None:
    file = shell.folder / "platform.md"
    shell("diagram", "--write", "platform.md")
    first = file.read_text()
    assert "absent" in first
    world.there = {"infra.network"}
    shell("diagram", "--write", "platform.md")
    second = file.read_text()
    assert 'subgraph vpc["VPC 10.0.0.0/16 (present)"]' in second
    assert second.count(BEGIN) == second.count("## Architecture") == 1
    world.there = set()
    shell("diagram", "--write", "platform.md")
    assert file.read_text() == first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BEGIN, f"{BEGIN} in line 1"),
        (f"text\n{END}", f"{END} in line 2"),
        (f"{END}\n{BEGIN}", f"{END} in line 1, {BEGIN} in line 2"),
        (f"{BEGIN}\n{END}\n{BEGIN}\n{END}", f"{BEGIN} in line 3"),
    ],
)
def test_marks_that_are_not_one_pair_are_a_fault(shell: Shell, text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.cli.worlds.clouds.Clouds.enter", None)  # told before anything is looked at
    file = shell.folder / "platform.md"
    file.write_text(text)
    answer = shell("diagram", "--write", "platform.md")
    assert answer.code == 2
    assert "platform.md: the marks of the picture are not one pair in order" in answer.err
    assert said in answer.err
    assert "-> leave one line" in answer.err
    assert file.read_text() == text


def test_a_folder_that_does_not_exist_is_a_fault(shell: Shell) -> None:
    answer = shell("diagram", "--no-state", "--write", "docs/platform.md")
    assert answer.code == 2
    assert f"the folder {Path('docs')} does not exist" in answer.err
    assert not (shell.folder / "docs").exists()


def test_a_link_stays_a_link(shell: Shell) -> None:
    (shell.folder / "real.md").write_text("# Ours\n")
    (shell.folder / "platform.md").symlink_to("real.md")
    assert shell("diagram", "--no-state", "--write", "platform.md").code == 0
    assert (shell.folder / "platform.md").is_symlink()
    assert BEGIN in (shell.folder / "real.md").read_text()
