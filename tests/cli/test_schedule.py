"""``genai schedule``: what it prints, where it writes, and what it refuses."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer
import yaml

from genai_platform.cli.app import app
from genai_platform.render.schedule import MARK
from tests.cli.conftest import AZURE, Shell
from tests.worlds import World

TIMES = ("--up", "08:30", "--down", "19:00")
S3 = ("--set", "terraform.backend=s3")


def test_a_workflow_is_printed_and_nothing_is_done(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.cli.worlds.clouds.Clouds.enter", None)  # no cloud is asked
    answer = shell("schedule", "github", *TIMES, "--time-zone", "Asia/Tokyo", "--env", "work", *S3)
    assert answer.code == 0
    document = yaml.safe_load(answer.out)
    assert document["concurrency"]["group"] == "genai-genai-work"
    assert document["jobs"]["up"]["steps"][-1]["run"] == "genai verify --github --env work --set terraform.backend=s3"
    assert world.happened == []
    assert [path.name for path in shell.folder.iterdir()] == ["genai.toml"]


def parsed(line: str) -> list[str]:
    """The ``genai`` command lines of a line for a shell; each is one that the command line would take."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = [part.split("&& ")[-1] for part in re.split(r" && (?=\S*genai )", line) if "genai " in part]
    for one in found:
        program, name, *words = shlex.split(one)
        assert program.endswith("genai")
        # Raises what a person would be told of an option that the command does not have.
        commands[name].make_context(name, words)
    return found


@pytest.mark.parametrize("azure", [False, True])
def test_the_workflow_is_one_that_github_takes(shell: Shell, azure: bool) -> None:
    """By "Workflow syntax for GitHub Actions": keys, permissions, what a step is, and the inputs of the actions."""
    if azure:
        (shell.folder / "genai.toml").write_text(AZURE)
    answer = shell("schedule", "github", *TIMES, "--env", "work", *S3, "--set", "litellm.replicas=2")
    # Its key `on` is in quotes: without them YAML 1.1 reads a boolean.
    document = yaml.safe_load(answer.out)
    assert set(document) == {"name", "on", "permissions", "concurrency", "jobs"}
    # With a token of GitHub's OIDC provider, and nothing that may write to the repository.
    assert document["permissions"] == {"contents": "read", "id-token": "write"}
    assert set(document["on"]) == {"schedule", "workflow_dispatch"}
    assert all(re.fullmatch(r"[0-9]+ [0-9]+ \* \* [0-9,*-]+", entry["cron"]) for entry in document["on"]["schedule"])
    (choice,) = document["on"]["workflow_dispatch"]["inputs"].values()
    assert (choice["type"], choice["options"]) == ("choice", list(document["jobs"]))
    lines = []
    for job in document["jobs"].values():
        assert set(job) <= {"if", "runs-on", "timeout-minutes", "env", "steps"}
        assert type(job["timeout-minutes"]) is int
        for step in job["steps"]:
            assert set(step) in ({"uses"}, {"uses", "with"}, {"run"}, {"run", "env"})
            assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v[0-9]+", step["uses"])
            assert all(isinstance(value, str) for value in (step.get("with") or step.get("env") or {}).values())
            lines += [step["run"]] if "run" in step else []
        used = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
        signing_in = ["aws-actions/configure-aws-credentials", *(["azure/login"] if azure else [])]
        assert used == ["actions/checkout", "actions/setup-python", *signing_in]
    # Expressions name contexts that exist in these places.
    assert set(re.findall(r"\$\{\{ (\w+)\.", answer.out)) <= {"vars", "secrets"}
    assert [command.split()[1] for line in lines for command in parsed(line)] == ["up", "verify", "down"]


def test_the_lines_of_a_crontab_are_commands_that_exist(shell: Shell) -> None:
    text = shell("schedule", "cron", *TIMES, "--env", "work", "--set", "litellm.replicas=2", "--json").document["text"]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [shlex.split(command)[1] for line in lines for command in parsed(line)] == ["up", "verify", "down"]


def test_the_document(shell: Shell) -> None:
    document = shell("schedule", "github", *TIMES, "--days", "mon,wed", "--time-zone", "Asia/Tokyo", "--json").document
    assert (document["up"], document["down"], document["time_zone"]) == ("30 23 * * 0,2", "0 10 * * 1,3", "Asia/Tokyo")
    assert document["file"] is None
    assert {need["name"] for need in document["needs"]} >= {"GENAI_AWS_ROLE", "GENAI_PACKAGE"}
    assert "state" in document["warnings"][0]
    assert yaml.safe_load(document["text"])["jobs"]


def test_a_local_state_is_warned_of_and_never_written_into_a_workflow(shell: Shell) -> None:
    shown = shell("schedule", "github", *TIMES)
    assert shown.code == 0
    assert 'warning: terraform.backend is "local": the state is lost with the machine of the job' in shown.err
    answer = shell("schedule", "github", *TIMES, "--write", "genai.yml", "--json")
    assert (answer.code, answer.document["error"]["id"]) == (2, "schedule.state")
    assert not (shell.folder / "genai.yml").exists()


def test_its_own_file_is_written_again(shell: Shell) -> None:
    file = shell.folder / "genai.yml"
    assert shell("schedule", "github", *TIMES, *S3, "--write", "genai.yml").code == 0
    assert file.read_text() == shell("schedule", "github", *TIMES, *S3).out
    answer = shell("schedule", "github", "--up", "09:00", "--down", "19:00", *S3, "--write", "genai.yml", "--json")
    assert answer.document["file"] == "genai.yml"
    assert file.read_text() == answer.document["text"]
    assert "0 9 * * 1-5" in answer.document["text"]
    assert [path.name for path in sorted(shell.folder.iterdir())] == ["genai.toml", "genai.yml"]


@pytest.mark.parametrize("text", ["", "name: ours\n", f"\n{MARK}\n", f"{MARK} but not quite\n"])
def test_somebody_elses_file_is_not_touched(shell: Shell, text: str) -> None:
    file = shell.folder / "genai.yml"
    file.write_text(text)
    answer = shell("schedule", "github", *TIMES, *S3, "--write", "genai.yml", "--json")
    assert (answer.code, answer.document["error"]["id"]) == (2, "schedule.foreign")
    assert file.read_text() == text


def test_a_folder_that_does_not_exist_is_a_fault(shell: Shell) -> None:
    answer = shell("schedule", "cron", *TIMES, "--write", "no/crontab")
    assert answer.code == 2
    assert "the folder no does not exist" in answer.err


def test_lines_for_a_crontab(shell: Shell) -> None:
    document = shell("schedule", "cron", *TIMES, "--env", "work", "--set", "platform.name=a%b", "--json")
    assert document.code == 2  # a fault in the configuration is told now, not tomorrow morning
    document = shell("schedule", "cron", *TIMES, "--env", "work", "--json")
    assert (document.document["up"], document.document["time_zone"]) == ("30 8 * * 1-5", None)
    line = document.document["text"].splitlines()[-1]
    assert line.startswith(f"0 19 * * 1-5 cd {shell.folder} && ")
    assert line.endswith("genai down --yes --plain --env work")


def test_a_sandbox_is_up_by_the_clock_of_its_machine_only(shell: Shell) -> None:
    answer = shell("schedule", "github", "--sandbox", *TIMES, "--json")
    assert (answer.code, answer.document["error"]["id"]) == (2, "schedule.local")
    assert answer.document["error"]["remedy"] == "run: genai schedule cron --sandbox"
    assert "genai down --yes --plain --sandbox" in shell("schedule", "cron", "--sandbox", *TIMES).out


def test_a_workflow_needs_the_account(shell: Shell) -> None:
    (shell.folder / "genai.toml").write_text("")
    assert "aws.account_id is not set" in shell("schedule", "github", *TIMES).err


def test_a_value_that_github_would_evaluate_is_refused(shell: Shell) -> None:
    answer = shell("schedule", "github", *TIMES, *S3, "--set", "azure.apim.publisher_name=${{ secrets.X }}")
    assert answer.code == 2
    assert "GitHub would take what follows '${{' for an expression" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--up", "8:30", "--down", "19:00"), "--up '8:30' is not allowed; expected hours and minutes from 00:00 to 23:59"),
        (("--up", "08:30", "--down", "24:00"), "--down '24:00' is not allowed"),
        (("--up", "08:30", "--down", "08:30"), "--up and --down are both 08:30"),
        ((*TIMES, "--days", "workdays"), "--days 'workdays' is not allowed; expected days such as mon-fri"),
        ((*TIMES, "--time-zone", "Asia/Tokio"), "--time-zone 'Asia/Tokio' is not allowed; expected a name of the IANA"),
        ((*TIMES, "--time-zone", "../../etc/passwd"), "is not allowed; expected a name of the IANA"),
        (("--up", "08:30"), "Missing option '--down'"),
    ],
)
@pytest.mark.parametrize("kind", ["github", "cron"])
def test_a_fault_in_what_was_given_is_told(shell: Shell, kind: str, words: tuple[str, ...], said: str) -> None:
    answer = shell("schedule", kind, *words)
    assert answer.code == 2
    assert said in answer.err
