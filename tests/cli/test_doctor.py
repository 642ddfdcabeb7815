"""``genai doctor``: everything that a start needs, looked at at once."""

from __future__ import annotations

import re
import ssl
import threading
from datetime import UTC, date, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from genai_platform.cli.doctor.line import Line, to_lines
from genai_platform.cli.doctor.together import together
from genai_platform.errors import MissingError
from genai_platform.steps.infra.cluster_version import Offer
from genai_platform.steps.infra.prerequisites.answer import Answer
from genai_platform.tools.aws.client import Aws
from tests.cli.conftest import Shell

MODEL = '[[litellm.models]]\nname = "gpt"\nazure_deployment = "a"\napi_base = "https://a.example.com"\n'


class Machine:
    """A machine with every program, signed in to an account that keeps some secrets."""

    def __init__(self) -> None:
        self.account = "123456789012"
        self.absent: set[str] = set()
        self.zones = ["a", "b", "c"]
        self.secrets: dict[str, Any] | None = None
        self.offered = {"1.34": Offer(True, date(2099, 1, 1)), "1.35": Offer(True, date(2099, 2, 2))}
        self.running: str | None = None

    def find(self, name: str) -> Path:
        if name in self.absent:
            raise MissingError(f"{name} was not found", remedy=f"install {name}", id="program.missing")
        return Path(f"/usr/bin/{name}")


@pytest.fixture
def machine(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    (shell.folder / "genai.toml").write_text(f'[aws]\naccount_id = "123456789012"\n{MODEL}')
    monkeypatch.setenv("AZURE_API_KEY", "the-key")
    monkeypatch.setattr("genai_platform.programs.find", machine.find)
    monkeypatch.setattr(Aws, "account_id", lambda self: machine.account)
    monkeypatch.setattr(Aws, "zones", lambda self: machine.zones)
    monkeypatch.setattr(Aws, "describe_cluster", lambda self, name: machine.running and {"version": machine.running})
    monkeypatch.setattr("genai_platform.steps.infra.cluster_version.offers", lambda aws: machine.offered)
    monkeypatch.setattr(Aws, "my_address", lambda self: "203.0.113.7/32")
    monkeypatch.setattr(Aws, "secret_document", lambda self: machine.secrets)
    # What rights, quotas and names are is another test's subject, and there is no network.
    monkeypatch.setattr("genai_platform.cli.doctor.clouds.ACCOUNT_LOOKS", ())
    monkeypatch.setattr(
        "httpx.HTTPTransport.handle_request", lambda self, request: httpx.Response(200, headers={"Date": formatdate(usegmt=True)})
    )
    return machine


def problems(shell: Shell, *words: str) -> dict[str, tuple[str, str]]:
    answer = shell("doctor", "--json", *words)
    document = answer.document
    assert document["ok"] is not bool(document["problems"])
    assert answer.code == (0 if document["ok"] else 3)
    return {one["id"]: (one["problem"], one["remedy"]) for one in document["problems"]}


def test_a_machine_that_is_ready(shell: Shell, machine: Machine) -> None:
    assert problems(shell) == {}
    answer = shell("doctor")
    assert "ready" in answer.out
    assert "203.0.113.7/32" in answer.out
    assert "the-key" not in answer.out + answer.err


def test_every_problem_is_told_at_once(shell: Shell, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_API_KEY")
    machine.absent, machine.zones = {"terraform"}, ["a"]
    found = problems(shell)
    assert set(found) == {"program.terraform", "region", "secret.AZURE_API_KEY"}
    assert all(remedy for _, remedy in found.values())
    machine.secrets = {"upstream_keys": {"AZURE_API_KEY": "kept"}}
    assert set(problems(shell)) == {"program.terraform", "region"}


def test_a_kubernetes_version_that_eks_would_refuse(shell: Shell, machine: Machine) -> None:
    problem, remedy = problems(shell, "--set", "cluster.version=1.20")["kubernetes"]
    assert "EKS does not offer it" in problem
    assert "1.34, 1.35" in remedy
    machine.running = "1.36"
    assert "never goes back" in problems(shell)["kubernetes"][0]


def test_another_account_is_told_and_not_looked_into(shell: Shell, machine: Machine) -> None:
    machine.account = "210987654321"
    problem, _ = problems(shell)["credentials"]
    assert "210987654321" in problem
    assert "region" not in {line["id"] for line in shell("doctor", "--json").document["checked"]}


def test_a_configuration_with_faults_is_a_problem_among_others(shell: Shell, machine: Machine) -> None:
    (shell.folder / "genai.toml").write_text("[network]\nzones = 1\n")
    machine.absent = {"terraform"}
    assert set(problems(shell)) == {"configuration", "program.terraform"}


@pytest.mark.parametrize("where", [(), ("--sandbox",)])
def test_what_litellms_own_file_may_not_say_is_a_problem(shell: Shell, machine: Machine, where: tuple[str, ...]) -> None:
    (shell.folder / "more.yaml").write_text("litellm_settings:\n  drop_params: false\n")
    text, table = (shell.folder / "genai.toml").read_text(), '[litellm]\nextra_config = "more.yaml"\n'
    (shell.folder / "genai.toml").write_text(text.replace(MODEL, table + MODEL))
    problem, remedy = problems(shell, *where)["configuration"]
    assert "more.yaml, line 2: litellm_settings.drop_params is set by the platform" in problem
    assert "remove it from more.yaml" in remedy


def test_no_account_and_no_model(shell: Shell, machine: Machine) -> None:
    (shell.folder / "genai.toml").write_text("")
    found = problems(shell)
    assert set(found) == {"configuration", "models"}
    assert "genai init" in found["configuration"][1]


def test_a_fault_of_a_look_does_not_stop_the_others(shell: Shell, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(clients: object) -> None:
        raise RuntimeError("boom")
        yield

    monkeypatch.setattr("genai_platform.steps.azure.prerequisites.looks", explode)
    some = "11111111-1111-4111-8111-111111111111"
    apim = '{unverified_backend=true, publisher_email="a@example.com"}'
    azure = f'azure={{enabled=true, apim={apim}, tenant_id="{some}", subscription_id="{some}"}}'
    found = problems(shell, "--set", azure)
    assert "unexpected RuntimeError: boom" in found["azure"][0]


def test_a_model_without_a_price_and_a_certificate_nobody_checks_are_said_and_stop_nothing(
    shell: Shell, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = shell("doctor", "--json")
    (line,) = [one for one in answer.document["checked"] if one["id"] == "models.price"]
    assert line["state"] == "warn"
    assert "model 'gpt' has no price" in line["evidence"]
    assert answer.document["ok"]
    model = '{name="gpt", azure_deployment="a", api_base="https://a.example.com", base_model="azure/gpt-4o"}'
    priced = shell("doctor", "--json", "--set", f"litellm.models=[{model}]").document["checked"]
    assert [one["state"] for one in priced if one["id"] == "models.price"] == ["pass"]
    monkeypatch.setattr("genai_platform.steps.azure.prerequisites.looks", lambda clients: iter(()))
    front = ["--set", "azure.enabled=true", "--set", "azure.apim.publisher_email=a@example.com"]
    for accepted, warned in (("azure.apim.unverified_backend=true", ["warn"]), ("ingress.domain=genai.example.com", [])):
        answer = shell("doctor", "--json", *front, "--set", accepted)
        assert [one["state"] for one in answer.document["checked"] if one["id"] == "azure.backend"] == warned
        assert answer.document["ok"]


class Internet:
    """What answers from this machine, and what time it is there."""

    def __init__(self) -> None:
        self.refused: dict[str, Exception] = {}
        self.ahead = 0.0

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in self.refused:
            raise self.refused[request.url.host]
        return httpx.Response(200, headers={"Date": formatdate(datetime.now(UTC).timestamp() - self.ahead, usegmt=True)})


@pytest.fixture
def internet(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Internet:
    internet = Internet()
    monkeypatch.setattr("httpx.HTTPTransport.handle_request", lambda self, request: internet.answer(request))
    return internet


def checked(shell: Shell, *words: str) -> dict[str, dict[str, str]]:
    return {line["id"]: line for line in shell("doctor", "--json", *words).document["checked"]}


def test_what_cannot_be_reached_is_named_with_why(shell: Shell, internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "a-mirror.tfrc")
    assert checked(shell)["reach.terraform"]["state"] == "skip"
    monkeypatch.delenv("TF_CLI_CONFIG_FILE")
    monkeypatch.setenv("HOME", str(shell.folder))
    assert {line["state"] for id, line in checked(shell).items() if id.startswith("reach.")} == {"pass"}
    opened = httpx.ConnectError("certificate verify failed: self-signed certificate in certificate chain")
    opened.__cause__ = ssl.SSLCertVerificationError("certificate verify failed")  # as httpx raises it
    internet.refused = {
        "eks.ap-northeast-1.amazonaws.com": opened,
        "rds.ap-northeast-1.amazonaws.com": opened,
        "a.example.com": httpx.ConnectTimeout("timed out"),
        "langfuse.github.io": httpx.ConnectError("Name or service not known"),
    }
    found = problems(shell)
    assert set(found) == {"reach.aws", "reach.models"}
    assert "eks.ap-northeast-1.amazonaws.com, rds.ap-northeast-1.amazonaws.com: its certificate is not trusted" in found["reach.aws"][0]
    assert "AWS_CA_BUNDLE" in found["reach.aws"][1]
    assert "no connection" in found["reach.models"][0]
    assert checked(shell)["reach.charts"]["state"] == "warn"  # the chart's other place answers


def test_a_clock_that_is_wrong(shell: Shell, internet: Internet) -> None:
    assert checked(shell)["clock"]["state"] == "pass"
    internet.ahead = 120.0
    assert checked(shell)["clock"]["state"] == "warn"
    internet.ahead = -900.0
    problem, remedy = problems(shell)["clock"]
    assert re.search(r"\d+ s behind AWS's", problem)
    assert "timedatectl" in remedy
    internet.refused = {"sts.ap-northeast-1.amazonaws.com": httpx.ConnectError("no way")}
    assert checked(shell)["clock"]["state"] == "unknown"


def test_credentials_that_end_before_a_whole_up(shell: Shell, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Aws, "credentials_end", lambda self: datetime.now(UTC) + timedelta(minutes=10))
    problem, remedy = problems(shell)["credentials.end"]
    assert "end in 10 minutes" in problem
    assert "sign in again" in remedy
    monkeypatch.setattr(Aws, "credentials_end", lambda self: datetime.now(UTC) + timedelta(hours=8))
    assert problems(shell) == {}


def test_what_nobody_may_ask_is_neither_fine_nor_missing(shell: Shell, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Answer("permissions", "unknown", "what you may do could not be found out", "aws iam put-role-policy --role-name you")
    missing = Answer("permissions.cluster", "fail", "cluster: you may not eks:CreateCluster", "aws iam put-role-policy --role-name me")
    told = [unknown]
    monkeypatch.setattr("genai_platform.cli.doctor.clouds.ACCOUNT_LOOKS", (("permissions", lambda clients: to_lines(told)),))
    answer = shell("doctor", "--json")
    assert (answer.code, answer.document["ok"], answer.document["problems"]) == (0, True, [])
    assert answer.document["unknown"] == [{"id": "permissions", "what": unknown.text, "remedy": unknown.remedy}]
    text = shell("doctor").out
    assert "no problem was seen, 1 thing could not be found out" in text
    assert "put-role-policy" in text
    assert "ready" not in text
    told.append(missing)
    assert problems(shell) == {"permissions.cluster": (missing.text, missing.remedy)}


def test_one_look_that_fails_or_does_not_answer_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()

    def hang() -> list[Line]:
        held.wait(60)
        return []

    def explode() -> list[Line]:
        raise RuntimeError("boom")

    found = list(together([("a", hang), ("b", explode), ("c", lambda: [Line("c.1", "pass", "well")])], limit=0.5))
    held.set()
    assert [(line.id, line.state) for line in found] == [("a", "unknown"), ("b", "fail"), ("c.1", "pass")]


def test_the_policy_is_in_the_document(shell: Shell, machine: Machine) -> None:
    policy = shell("doctor", "--json").document["policy"]
    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert {"eks:CreateCluster", "iam:PassRole", "ec2:AllocateAddress", "s3:CreateBucket"} <= actions
    assert not any("*" in action for action in actions)
    (shell.folder / "genai.toml").write_text("")
    assert shell("doctor", "--json").document["policy"] is None
