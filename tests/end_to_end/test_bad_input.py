"""Bad input: one clear message with key, value and remedy, exit code 2 or 3, nothing changed, no traceback."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from tests.end_to_end.conftest import GENAI, Platform, Result, execute


def expect(result: Result, code: int, *words: str) -> None:
    """One document with a message that says all these words, and a remedy."""
    assert result.code == code, str(result)
    error = result.document["error"]
    for word in words:
        assert word in error["message"] + error["remedy"], str(result)
    assert error["id"]
    assert error["remedy"], str(result)
    assert "Traceback" not in result.err + result.out


@pytest.fixture
def empty(tmp_path: Path) -> Platform:
    """A folder where nothing was started."""
    return Platform(tmp_path)


def untouched(empty: Platform) -> bool:
    """Nothing was started and nothing made but the folder of the lock."""
    return not (empty.folder / ".genai" / "sandbox" / "world").exists()


def test_configuration(empty: Platform) -> None:
    (empty.folder / "genai.toml").write_text('[litellm]\nreplicas = "two"\n')
    expect(empty.up(code=None), 2, "litellm.replicas", "'two'", "a whole number")
    assert untouched(empty)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("infra", "--only", "netwrk"), ("infra.netwrk", "infra.network")),
        (("up", "--yess"), ("--yess", "--help")),
        (("upp",), ("upp", "--help")),
    ],
)
def test_usage(empty: Platform, words: tuple[str, ...], named: tuple[str, ...]) -> None:
    expect(empty.run(*words, code=None), 2, *named)
    assert untouched(empty)


def test_a_step_that_does_not_exist_cannot_be_torn_down(platform: Platform) -> None:
    expect(platform.run("teardown", "litellm.prox", "--yes", code=None), 2, "litellm.prox", "litellm.proxy")


def test_a_check_that_does_not_exist(platform: Platform) -> None:
    expect(platform.run("verify", "--only", "litelm.*", code=None), 2, "litelm.*", "litellm.chat")


@pytest.mark.parametrize("command", ["up", "plan"])
def test_more_zones_than_the_region_has(platform: Platform, command: str) -> None:
    answer = platform.run(command, *(["--yes"] if command == "up" else []), sets=("network.zones=6",), code=None)
    expect(answer, 2, "network.zones", "6", "ap-northeast-1 has 3 zones")


@pytest.mark.parametrize("command", ["up", "plan", "down", "teardown"])
def test_a_state_that_cannot_be_read_is_never_taken_for_an_empty_one(platform: Platform, command: str) -> None:
    state = platform.folder / ".genai" / "sandbox" / "terraform" / "network" / "terraform.tfstate"
    kept, before = state.read_bytes(), platform.pods()
    state.write_bytes(kept[: len(kept) // 2])
    try:
        words = ("teardown", "litellm.proxy") if command == "teardown" else (command,)
        answer = platform.run(*words, *(["--yes"] if command != "plan" else []), code=None)
    finally:
        state.write_bytes(kept)
    expect(answer, 3, "network", "damaged", str(state))
    assert platform.pods() == before


def cache_without_terraform(folder: Path) -> str:
    """What was fetched before, all but Terraform, so that nothing else is missing."""
    from genai_platform.programs.cache import cache_folder

    (folder / "programs").mkdir(parents=True)
    for entry in cache_folder().iterdir():
        if entry.name != "programs":
            (folder / entry.name).symlink_to(entry)
    for entry in (cache_folder() / "programs").iterdir():
        if not entry.name.startswith("terraform"):
            (folder / "programs" / entry.name).symlink_to(entry)
    return str(folder)


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with these programs of our own and nothing else but what every shell has."""
    folder.mkdir()
    for name, text in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:/bin:/usr/bin"


@pytest.mark.parametrize(
    ("scripts", "found"), [({}, "terraform"), ({"terraform": "echo Terraform v1.5.7"}, "1.5.7"), ({"terraform": "exit 1"}, "unknown")]
)
def test_no_terraform_or_one_too_old(platform: Platform, tmp_path: Path, scripts: dict[str, str], found: str) -> None:
    """And no way to get a newer one: the release page is not reached through a proxy that nobody serves."""
    (tmp_path / "work").mkdir()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        variables = {"PATH": programs(tmp_path / "bin", **scripts), "GENAI_CACHE_DIR": cache_without_terraform(tmp_path / "cache")}
        variables |= {"HTTPS_PROXY": proxy}
        empty = Platform(tmp_path / "work", extra=variables)
        expect(empty.up(code=None), 3, "terraform 1.11 or newer was not found", found, "install Terraform")
    assert untouched(empty)
    told = empty.run("doctor", code=3)
    problem = next(one for one in told.document["problems"] if one["id"] == "program.terraform")
    assert "install Terraform" in problem["remedy"]


def test_a_port_that_is_taken(empty: Platform) -> None:
    from genai_platform.sandbox import supervisor
    from genai_platform.sandbox.layout import SandboxLayout

    world = empty.folder / ".genai" / "sandbox" / "world"
    world.parent.mkdir(parents=True, mode=0o700)
    layout = SandboxLayout.create(world, "sandbox", "ap-northeast-1")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", layout.ports["aws"]))
        holder.listen()
        expect(empty.up(code=None), 3, str(layout.ports["aws"]), "'aws'", f"process {os.getpid()}")
        assert not supervisor.running(layout)
        told = empty.run("doctor", code=3)
        assert str(layout.ports["aws"]) in next(one["problem"] for one in told.document["problems"] if one["id"] == "sandbox.ports")
    empty.run("sandbox", "remove", "--yes")


@pytest.mark.parametrize("command", ["up", "down", "status", "verify", "audit"])
def test_a_real_environment_without_an_account(empty: Platform, command: str) -> None:
    answer = empty.run(command, *(["--yes"] if command in ("up", "down") else []), sandbox=False, code=None)
    expect(answer, 2, "aws.account_id", "'default'", "genai init")


def test_a_real_run_is_not_sent_to_this_machine(empty: Platform) -> None:
    empty.extra["AWS_ENDPOINT_URL"] = "http://127.0.0.1:4566"
    expect(empty.run("up", "--yes", sandbox=False, code=None), 2, "AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "unset")


@pytest.mark.parametrize(
    "words", [("status",), ("verify",), ("audit",), ("sandbox", "status"), ("sandbox", "env"), ("litellm",), ("patch",)]
)
def test_a_sandbox_that_is_not_there(empty: Platform, words: tuple[str, ...]) -> None:
    expect(empty.run(*words, sandbox=words[0] != "sandbox", code=None), 3, "there is no sandbox", "genai up --sandbox")


def test_down_on_nothing_says_so(empty: Platform) -> None:
    for _ in range(2):
        done = empty.down()
        assert done.document["ok"]
        assert "nothing to remove" in done.err


def test_people_read_one_message_and_its_remedy(empty: Platform) -> None:
    (empty.folder / "genai.toml").write_text("[litellm]\nreplica = 2\n")
    told = execute((str(GENAI), "up", "--sandbox", "--yes"), empty.folder, dict(os.environ), code=2)
    assert told.out == ""
    lines = told.err.strip().splitlines()
    assert len(lines) == 2, told.err
    assert "litellm.replica" in lines[0]
