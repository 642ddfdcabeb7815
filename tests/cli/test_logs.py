"""``genai logs``: what pods wrote, with secrets hidden."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.tools.kubernetes.client import Kube
from tests import schemas
from tests.cli.conftest import Shell
from tests.pods_api import Pod, PodsApi

MODEL_KEY = "0123456789abcdef0123456789abcdef"
"""As Azure OpenAI's are: nothing in it says what it is."""
SECRETS = PlatformSecrets(upstream_keys={"AZURE_API_KEY": SecretStr(MODEL_KEY)})
PASSWORD, MASTER_KEY = SECRETS.postgres_litellm_password.get_secret_value(), SECRETS.litellm_master_key.get_secret_value()
WRITTEN = [f"connecting as litellm {PASSWORD}", f"upstream said: bad key {MODEL_KEY}", f"key={MASTER_KEY}", "質問は一つです"]


class Account:
    """The account that keeps the secrets."""

    secrets: PlatformSecrets | None = SECRETS

    def platform_secrets(self) -> PlatformSecrets | None:
        return self.secrets


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    monkeypatch.setattr("genai_platform.steps.clients.Clients.aws", account)
    return account


@pytest.fixture
def pods(shell: Shell, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[PodsApi]:
    api = PodsApi(litellm_1=Pod(list(WRITTEN)), litellm_2=Pod(["ready"]), langfuse_web_1=Pod(["other"]))
    with api.serving(shell.folder) as kubeconfig:
        target = Target("default", Settings(), Endpoints(kubeconfig=kubeconfig), shell.folder)
        monkeypatch.setattr("genai_platform.steps.clients.Clients.kube", Kube(target))
        yield api


def test_the_lines_of_several_pods_begin_with_the_pod(shell: Shell, pods: PodsApi) -> None:
    told = shell("logs", "litellm", "--tail", "2")
    assert told.code == 0
    assert told.out.splitlines() == ["litellm-1 | key=<secret>", "litellm-1 | 質問は一つです", "litellm-2 | ready"]


def test_the_lines_of_one_pod_are_shown_as_they_are(shell: Shell, pods: PodsApi) -> None:
    assert shell("logs", "langfuse-web").out == "other\n"


def test_several_workloads_at_once_each_pod_once(shell: Shell, pods: PodsApi) -> None:
    told = shell("logs", "langfuse-web", "litellm", "litellm-2", "--tail", "1")
    assert told.out.splitlines() == ["langfuse-web-1 | other", "litellm-1 | 質問は一つです", "litellm-2 | ready"]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_secrets_are_hidden(shell: Shell, pods: PodsApi, words: tuple[str, ...]) -> None:
    told = shell("logs", "litellm", *words)
    assert told.out.count("<secret>") == 3
    assert not any(value in told.out + told.err for value in (PASSWORD, MODEL_KEY, MASTER_KEY))


def test_before_any_secrets_were_made_what_looks_like_one_is_hidden(shell: Shell, pods: PodsApi, account: Account) -> None:
    account.secrets = None
    (text, _) = shell("logs", "litellm", "--json").document["logs"].values()
    assert MASTER_KEY not in text
    assert PASSWORD in text


def test_an_unknown_workload_is_answered_with_the_pods_there_are(shell: Shell, pods: PodsApi) -> None:
    told = shell("logs", "litellm", "lite", "--json")
    assert (told.code, told.document["error"]["id"]) == (1, "logs.no_pod")
    assert "langfuse-web-1, litellm-1, litellm-2" in told.document["error"]["remedy"]
    assert [pod.asked for pod in pods.pods.values()] == [[], [], []]


def test_the_previous_run_is_shown_and_where_there_was_none_that_is_said(shell: Shell, pods: PodsApi) -> None:
    pods.pods["litellm-1"].previous = ["before", f"it failed with {PASSWORD}"]
    told = shell("logs", "litellm", "--previous")
    assert (told.code, told.out) == (0, "litellm-1 | before\nlitellm-1 | it failed with <secret>\n")
    assert told.err == "litellm-2: no previous log: container 'main' has not been restarted\n"
    document = shell("logs", "litellm-2", "--previous", "--json").document
    assert document["logs"] == {"litellm-2": ""}
    assert document["notes"] == {"litellm-2": "no previous log: container 'main' has not been restarted"}


def test_a_container_that_has_not_started_says_so_in_the_api_s_words(shell: Shell, pods: PodsApi) -> None:
    pods.pods["litellm-2"].state = {"waiting": {"reason": "ContainerCreating"}}
    told = shell("logs", "litellm", "--tail", "1")
    assert (told.code, told.out) == (0, "litellm-1 | 質問は一つです\n")
    assert "litellm-2: " in told.err
    assert 'container "main" in pod "litellm-2" is waiting to start: ContainerCreating' in told.err


def test_a_run_that_is_over_cannot_be_followed(shell: Shell, pods: PodsApi) -> None:
    told = shell("logs", "litellm", "--follow", "--previous", "--json")
    assert (told.code, told.document["error"]["id"]) == (2, "usage.follow_previous")


PROGRAM = """
import sys
from pathlib import Path

from genai_platform.cli import app
from genai_platform.cli.worlds.clouds import Clouds
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.steps.clients import Clients
from genai_platform.tools.kubernetes import logs
from genai_platform.tools.kubernetes.client import Kube

class Account:
    def platform_secrets(self):
        return PlatformSecrets(postgres_litellm_password=PASSWORD)

PASSWORD = sys.argv.pop(1)
here = Path.cwd()
Clouds.enter = lambda world, purpose: world.configured
Clients.kube = Kube(Target("default", Settings(), Endpoints(kubeconfig=here / "kubeconfig"), here))
Clients.aws = Account()
logs._PAUSE = 0.05
app.main()
"""
"""``genai`` in a process of its own, as somebody has it in a terminal; the cluster and the account are this test's."""


@contextmanager
def following(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, PASSWORD, "logs", *words, "--follow"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], *texts: str) -> list[str]:
    """The lines on standard output until each text has been in one: several pods write in any order."""
    assert process.stdout is not None
    found: list[str] = []
    for line in process.stdout:
        found.append(line.rstrip("\n"))
        if all(any(text in one for one in found) for text in texts):
            return found
    raise AssertionError(f"it ended: {found}: {process.stderr.read() if process.stderr else ''}")


def test_following_shows_what_is_written_until_ctrl_c(shell: Shell, pods: PodsApi) -> None:
    with following(shell.folder, "litellm", "langfuse-web", "--tail", "1") as process:
        until(process, "ready")
        with pods.change() as world:
            world["litellm-2"].lines.append(f"connecting as litellm {PASSWORD} ok")
        (last,) = [line for line in until(process, " ok") if "connecting" in line]
        assert last == "litellm-2 | connecting as litellm <secret> ok"
        with pods.change() as world:
            world["litellm-3"] = Pod(["one", "two"], uid="3")
            del world["litellm-2"]
        assert until(process, "two")[-2:] == ["litellm-3 | one", "litellm-3 | two"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "litellm-3: new pod\n" in err
    assert "litellm-2: the pod is gone\n" in err
    # Ctrl-C is how a person ends it: nothing went wrong, and nothing is to be gone on with. `kubectl logs -f` is as silent.
    assert "error" not in err
    assert "Traceback" not in err


def test_following_for_programs_gives_one_document_a_line(shell: Shell, pods: PodsApi) -> None:
    with following(shell.folder, "litellm", "--json") as process:
        lines = until(process, "ready", "key=<secret>")
        with pods.change() as world:
            del world["litellm-2"]
        lines += until(process, "the pod is gone")
        process.send_signal(signal.SIGINT)
        lines += process.communicate(timeout=120)[0].splitlines()
    documents = [json.loads(line) for line in lines]
    assert process.returncode == 130
    for document in documents:
        assert list(schemas.validator("logs-follow", complete=True).iter_errors(document)) == []
    assert {
        "schema": 1,
        "environment": "default",
        "target": documents[0]["target"],
        "pod": "litellm-2",
        "note": "the pod is gone",
    } in documents
    assert sum(document.get("line", "").count("<secret>") for document in documents) >= 1
    assert PASSWORD not in "".join(lines)
