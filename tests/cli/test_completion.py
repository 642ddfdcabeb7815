"""What the shell completes, as bash, zsh and fish ask for it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genai_platform.checks.catalog import build as build_checks
from genai_platform.cli import app
from genai_platform.cli.completion import WORKLOADS
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.layers import load
from genai_platform.config.target import Target
from genai_platform.render import langfuse
from genai_platform.steps.azure.inventory import Inventory
from genai_platform.steps.catalog import build as build_steps
from genai_platform.steps.clients import Clients
from tests.cli.conftest import AZURE

CONFIGURATION = f"""{AZURE}
[azure.callers.team-a]
[azure.callers.team-b]
[[litellm.models]]
name = "embed"
azure_deployment = "text-embedding-3-small"
api_base = "https://a.openai.azure.com"
mode = "embedding"
"""


class Completion:
    """The program as a shell calls it while somebody types, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._streams = folder, monkeypatch, capfd

    def bash(self, line: str) -> list[str]:
        words = shlex.split(line) + ([""] if line.endswith(" ") else [])
        out = self.call("complete_bash", COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1))
        return out.split()

    def zsh(self, line: str) -> list[str]:
        out = self.call("complete_zsh", _TYPER_COMPLETE_ARGS=line)
        assert out.startswith("_arguments '*: :((")
        return shlex.split(out.removeprefix("_arguments '*: :((").removesuffix("))'\n"))

    def fish(self, line: str) -> list[str]:
        out = self.call("complete_fish", _TYPER_COMPLETE_ARGS=line, _TYPER_COMPLETE_FISH_ACTION="get-args")
        return out.split()

    def call(self, instruction: str, code: int = 0, **variables: str) -> str:
        for name, value in {"_GENAI_COMPLETE": instruction, **variables}.items():
            self._patch.setenv(name, value)
        self._patch.setattr(sys, "argv", ["genai"])
        with pytest.raises(SystemExit) as ended:
            app.main()
        told = self._streams.readouterr()
        assert ((ended.value.code or 0), told.err) == (code, "")
        return told.out


@pytest.fixture
def completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Completion:
    for name in [name for name in os.environ if name.startswith("GENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genai.toml").write_text(CONFIGURATION)
    return Completion(tmp_path, monkeypatch, capfd)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("genai teardown langfuse.c", ["langfuse.config", "langfuse.chart"]),
        ("genai keys rotate ", ["team-a", "team-b"]),
        ("genai logs litellm langfuse-w", ["langfuse-web", "langfuse-worker"]),
    ],
)
def test_each_shell_gets_the_values(completion: Completion, shell: str, line: str, values: list[str]) -> None:
    assert getattr(completion, shell)(line) == values


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("genai up --only litellm --skip patch", ["patch", "patch.identity", "patch.disk"]),
        ("genai plan --only infra.c", ["infra.cluster", "infra.certificate"]),
        ("genai render azure.ap", ["azure.application", "azure.api"]),
        ("genai infra --only infra.n", ["infra.network"]),
        ("genai infra --only litellm", []),
        ("genai infra plan --only infra.n", ["infra.network"]),
        ("genai verify --only azure.refuses.a", ["azure.refuses.audience", "azure.refuses.admin_routes"]),
        ("genai keys show team-b", ["team-b"]),
        ("genai keys issue team-a t", ["team-a", "team-b"]),
        ("genai keys revoke t", ["team-a", "team-b"]),
        ("genai token --caller t", ["team-a", "team-b"]),
        ("genai azure env --caller t", ["team-a", "team-b"]),
        ("genai chat hello --model ", ["gpt-4o"]),
        ("genai status --env ", ["dev"]),
        ("genai status --sandbox --env ", ["try"]),
        ("genai up --env dev --only infra.s", ["infra.state", "infra.storage", "infra.secrets"]),
        ("genai infra --env dev plan --only infra.st", ["infra.state", "infra.storage"]),
        ("genai up --set azure.enabled=false --only az", []),
        ("genai logs langfuse-k", []),
        ("genai logs --set langfuse.chart.version=2.0.0 langfuse-k", ["langfuse-keeper"]),
    ],
)
def test_every_value_that_has_a_name(completion: Completion, line: str, values: list[str]) -> None:
    (completion.folder / "genai.dev.toml").write_text('[terraform]\nbackend = "s3"\n')
    (completion.folder / ".genai" / "sandbox-try").mkdir(parents=True)
    assert completion.bash(line) == values


def test_bash_itself_completes_with_the_script_it_is_given(completion: Completion, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "genai"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m genai_platform "$@"\n')
    program.chmod(0o755)
    typed = """
        eval "$(genai --show-completion bash)"
        COMP_WORDS=(genai teardown langfuse.c) COMP_CWORD=2
        $(complete -p genai | sed 's/.*-F \\([^ ]*\\).*/\\1/') genai
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    told = subprocess.run(["bash", "--norc", "-c", typed], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert (told.stdout.split(), told.stderr) == (["langfuse.config", "langfuse.chart"], "")


@pytest.mark.parametrize(
    ("shell", "registration", "asking"),
    [
        ("zsh", "compdef _genai_completion genai", [{"_TYPER_COMPLETE_ARGS"}]),
        # First whether there is anything to complete, then what.
        ("fish", "complete --command genai ", [{"_TYPER_COMPLETE_ARGS", "_TYPER_COMPLETE_FISH_ACTION"}] * 2),
    ],
)
def test_zsh_and_fish_get_a_script_that_asks_as_these_tests_do(
    completion: Completion, shell: str, registration: str, asking: list[set[str]]
) -> None:
    script = completion.call(f"source_{shell}")
    assert registration in script
    calls = [call.partition(" genai")[0] for call in script.split("env ")[1:]]
    variables = [set(re.findall(r"(\w+)=", call)) for call in calls]
    assert variables == [{"_GENAI_COMPLETE", *names} for names in asking]
    assert all(f"_GENAI_COMPLETE=complete_{shell}" in call for call in calls)


@pytest.mark.parametrize(("line", "code"), [("genai teardown langfuse.c", 0), ("genai teardown nothing.c", 1)])
def test_fish_is_told_by_the_exit_code_whether_there_is_anything(completion: Completion, line: str, code: int) -> None:
    assert completion.call("complete_fish", code=code, _TYPER_COMPLETE_ARGS=line, _TYPER_COMPLETE_FISH_ACTION="is-args") == ""


@pytest.mark.parametrize("line", ["genai teardown ", "genai keys show ", "genai verify --only ", "genai chat --model ", "genai logs "])
@pytest.mark.parametrize("content", [None, b"not = [toml", b"\xff", b"azure = 3\nlitellm = 4\nlangfuse = 5\n"])
def test_a_configuration_that_is_missing_or_broken_prints_nothing(completion: Completion, line: str, content: bytes | None) -> None:
    file = completion.folder / "genai.toml"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    found = completion.bash(line)
    # Where it can be read but says nonsense, what does not depend on it is still told.
    assert found == [] or (content is not None and content.startswith(b"azure") and "team-a" not in found)


def test_a_sandbox_needs_no_configuration(completion: Completion) -> None:
    (completion.folder / "genai.toml").unlink()
    assert completion.bash("genai token --sandbox --caller ") == ["team-a"]
    assert "azure.callers" in completion.bash("genai teardown --sandbox azure.")


@pytest.mark.parametrize(
    "sets",
    [
        (),
        ("azure.enabled=false",),
        ("terraform.backend=s3", "ingress.tls=none", "azure.enabled=false"),
        ("langfuse.chart.version=2.0.0", "azure.apim.keys=shared"),
    ],
)
def test_steps_and_checks_are_those_of_the_configuration(completion: Completion, sets: tuple[str, ...]) -> None:
    settings = load(completion.folder, sets=sets, environ={}).settings
    clients = Clients(Target("default", settings, Endpoints(), completion.folder))
    given = "".join(f" --set {text}" for text in sets)
    steps = [id for id in completion.bash(f"genai teardown{given} ") if "." in id]
    assert sorted(steps) == sorted(build_steps(clients).ids)
    wanted = {check.id for check in build_checks(clients, lambda: Inventory(clients))}
    checks: Any = completion.bash(f"genai verify{given} --only ")
    assert {id for id in checks if id.count(".") and id != "azure.refuses"} == wanted


def test_the_workloads_are_those_of_the_charts() -> None:
    assert {langfuse.WEB, langfuse.WORKER} < set(WORKLOADS)
    assert langfuse.CLICKHOUSE_STATEFUL_SET.startswith(tuple(f"{name}-" for name in WORKLOADS))


@pytest.mark.parametrize("line", ["genai teardown --sandbox lang", "genai token --caller "])
def test_no_package_is_loaded_that_takes_its_time(completion: Completion, line: str) -> None:
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    environment = {"_GENAI_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-X", "importtime", "-m", "genai_platform"]
    told = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "genai_platform.config.layers" in loaded
    slow = {"azure", "boto3", "botocore", "kubernetes", "rich", "httpx", "yaml", "cryptography", "genai_platform.config.settings"}
    assert loaded & slow == set()
    assert {name for name in loaded if name.startswith(("genai_platform.steps", "genai_platform.checks", "genai_platform.tools"))} == set()


def test_models_without_a_key_have_a_step_and_a_check(completion: Completion) -> None:
    assert completion.bash("genai azure --only azure.m") == completion.bash("genai verify --only models.k") == []
    (completion.folder / "genai.toml").write_text(CONFIGURATION + 'auth = "entra"\n')
    assert completion.bash("genai azure --only azure.m") == ["azure.model_access"]
    assert completion.bash("genai verify --only models.k") == ["models.keyless"]


def test_an_account_that_is_made_has_a_step(completion: Completion) -> None:
    assert completion.bash("genai azure --only azure.o") == []
    table = '[azure.openai]\naccount = "acme"\ndeployments = [{name = "chat", model = "gpt-4o", capacity = 1}]\n'
    (completion.folder / "genai.toml").write_text(f"{CONFIGURATION}\n{table}")
    assert completion.bash("genai azure --only azure.o") == ["azure.openai"]


def test_nor_does_a_model_of_that_account_need_a_key(completion: Completion) -> None:
    table = '[azure.openai]\naccount = "acme"\ndeployments = [{name = "chat", model = "gpt-4o", capacity = 1}]\n'
    model = '[[litellm.models]]\nname = "chat"\nazure_deployment = "chat"\n'
    (completion.folder / "genai.toml").write_text(f"[azure]\nenabled = true\n{table}{model}")
    assert completion.bash("genai verify --only models.k") == ["models.keyless"]
