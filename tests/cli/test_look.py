from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genai_platform.config.endpoints import is_loopback, refuse_loopback
from genai_platform.engine.graph import Graph
from genai_platform.engine.step import Progress, State
from genai_platform.errors import ConfigError, StepError
from genai_platform.steps import catalog
from tests.cli.conftest import Shell
from tests.worlds import World


def test_status_of_nothing(shell: Shell) -> None:
    answer = shell("status", "--json")
    assert answer.code == 0
    document = answer.document
    assert {step["state"] for step in document["steps"]} == {"absent"}
    assert document["endpoints"] == {"litellm": None, "langfuse": None, "apim": None}
    assert document["usd_per_hour"] == 0
    assert document["next"] == "genai up"
    assert shell("status", "--exit-code").code == 1


def test_status_of_everything(shell: Shell, world: World) -> None:
    shell("up", "--set", "langfuse.post_install=patch")
    answer = shell("status", "--exit-code")
    assert answer.code == 0
    assert "litellm: https://litellm.example.com" in answer.out
    assert "next: genai verify" in answer.out
    assert "last run: 'genai up'" in answer.out
    assert shell("status", "--json").document["usd_per_hour"] > 0


def test_status_says_unknown_for_what_it_cannot_see(shell: Shell, world: World) -> None:
    world.states["infra.network"] = State.UNKNOWN
    document = shell("status", "--json").document
    assert next(step for step in document["steps"] if step["id"] == "infra.network")["state"] == "unknown"
    assert document["next"] == "genai doctor"


def test_status_and_diagram_do_not_wait_for_what_gives_no_answer(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("up")
    monkeypatch.setattr("genai_platform.engine.scheduler.GLANCE_LIMIT", 0.2)
    world.silent["infra.cluster"] = threading.Event()
    shell.ec2.silent = world.silent["infra.cluster"]
    status, diagram = shell("status", "--json"), shell("diagram", "--json")
    world.silent["infra.cluster"].set()
    cluster = next(step for step in status.document["steps"] if step["id"] == "infra.cluster")
    assert (cluster["state"], cluster["evidence"]) == ("unknown", "no answer within 0 s")
    assert next(node["state"] for node in diagram.document["nodes"] if node["id"] == "eks") == "unknown"
    assert status.document["ends"] is None


def test_what_cannot_be_seen_because_of_another_step_needs_that_one_first(shell: Shell, world: World) -> None:
    shell("up")
    world.states |= {"infra.cluster": State.DRIFTED, "langfuse.chart": State.UNKNOWN}
    assert shell("status", "--json").document["next"] == "genai up"
    world.states |= {"infra.cluster": State.PRESENT}
    assert shell("status", "--json").document["next"] == "genai doctor"


def test_status_names_the_command_that_does_the_post_install_work(shell: Shell, world: World) -> None:
    shell("up")
    assert (
        shell("status", "--json", "--set", "langfuse.post_install=values").document["next"]
        == "genai patch --set langfuse.post_install=values"
    )
    assert shell("status", "--json", "--set", "langfuse.post_install=none").document["next"].startswith("genai verify")


def test_status_compares_settings_only_when_asked_to(shell: Shell, world: World) -> None:
    shell("up")
    world.changed.add("infra.cluster")

    def seen(*flags: str) -> tuple[bool, str]:
        document = shell("status", "--json", *flags).document
        return document["compared"], next(step["state"] for step in document["steps"] if step["id"] == "infra.cluster")

    assert seen() == (False, "present")
    assert seen("--drift") == (True, "drifted")


def test_status_shows_how_far_a_run_is_that_is_at_work(shell: Shell, world: World) -> None:
    seen: list[str] = []

    def working(progress: Progress) -> None:
        progress.say("creating the database")
        seen.append(shell("status").out)

    world.working["infra.cluster"] = working
    shell("up")
    assert "at work: 'genai up'" in seen[0]
    assert "steps done; now " in seen[0]
    assert "infra.cluster (creating the database)" in seen[0]
    assert "last run: 'genai up'" in shell("status").out


def test_status_is_watched_until_the_person_has_seen_enough(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("genai_platform.cli.status.time.sleep", pause)
    watched = shell("status", "--watch")
    assert (watched.code, watched.out.count("next: genai up"), watched.err) == (130, 3, "")
    refused = shell("status", "--watch", "--json")
    assert (refused.code, "--watch" in refused.document["error"]["message"]) == (2, True)


def test_status_tells_of_a_run_that_failed(shell: Shell, world: World) -> None:
    world.broken["infra.cluster"] = StepError("no")
    shell("up")
    assert "failed at infra.cluster" in shell("status").out


def test_plan_gives_changes_and_an_estimate(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    answer = shell("plan", "--json")
    assert answer.code == 0
    document = answer.document
    actions = {change["step"]: change["action"] for change in document["changes"]}
    assert actions == {"infra.network": "none", "infra.cluster": "create", "litellm.proxy": "create", "langfuse.chart": "create"}
    assert document["estimate"]["critical_path"] == ["infra.cluster", "langfuse.chart"]
    assert document["estimate"]["minutes"] == 17
    assert document["estimate"]["usd_per_hour"] > 0
    assert shell("plan", "--exit-code").code == 1
    assert world.happened == []


def test_plan_looks_at_each_step_once(shell: Shell, world: World) -> None:
    world.states["infra.network"] = State.DRIFTED
    answer = shell("plan", "--json")
    assert sorted(world.observed) == sorted(change["step"] for change in answer.document["changes"])


def test_what_cannot_be_seen_is_not_planned_as_new(shell: Shell, world: World) -> None:
    world.states["infra.network"] = State.UNKNOWN
    answer = shell("plan", "--json", "--exit-code")
    assert answer.code == 1
    change = next(change for change in answer.document["changes"] if change["step"] == "infra.network")
    assert change["action"] == "none"
    assert "cannot be seen" in change["detail"]
    assert "cannot see the state of infra.network" in answer.err


def test_a_sandbox_that_is_not_there_yet_can_be_planned(shell: Shell) -> None:
    answer = shell("plan", "--sandbox", "--json")
    assert answer.code == 0
    assert answer.document["environment"] == "sandbox"
    assert {change["action"] for change in answer.document["changes"]} == {"create"}
    assert answer.document["estimate"]["minutes"] > 0
    assert not (shell.folder / ".genai").exists()


def test_a_sandbox_has_an_azure_half_unless_it_was_switched_off(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    build = catalog.build
    monkeypatch.setattr(catalog, "build", lambda clients: seen.append(clients.target.settings.azure.enabled) or build(clients))
    assert shell("plan", "--sandbox").code == 0
    assert shell("plan", "--sandbox", "--set", "azure.enabled=false").code == 0
    assert set(seen[: len(seen) // 2]) == {True}
    assert set(seen[len(seen) // 2 :]) == {False}
    assert shell("azure", "plan", "--sandbox", "--set", "azure.enabled=false").code == 2


def test_plan_says_what_is_open_to_every_address(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph([world.step("litellm.ingress"), world.step("azure.ingress", "litellm.ingress")])
    monkeypatch.setattr(catalog, "build", lambda clients: graph)
    told = shell("plan", "--sandbox", "--json", "--set", "azure.apim.sku=StandardV2")
    notice, unverified = told.document["notices"]
    assert "open to every address, as API Management StandardV2 has no fixed one" in notice
    assert notice in told.err
    assert "cannot check the load balancer's certificate, as there is no domain" in unverified
    assert len(shell("plan", "--sandbox", "--json", "--set", "ingress.domain=genai.example.com").document["notices"]) == 1
    existing = shell("plan", "--sandbox", "--json", "--set", "azure.apim.existing=shared-gateway").document["notices"]
    assert "unless shared-gateway has fixed ones" in existing[0]
    for words in (
        ("--set", "azure.apim.sku=Developer", "--set", "ingress.domain=genai.example.com"),
        ("--set", "azure.enabled=false"),
        ("--only", "litellm"),
    ):
        assert shell("plan", "--sandbox", "--json", *words).document["notices"] == []
    apim = "azure.apim={unverified_backend=true, publisher_email='a@example.com'}"
    building = shell("up", "--set", "azure.enabled=true", "--set", apim)
    assert "open to every address, as API Management BasicV2 has no fixed one" in building.out


def test_plan_and_show_of_a_family_have_an_exit_code_too(shell: Shell) -> None:
    for word in ("plan", "show"):
        assert shell("infra", word).code == 0
        assert shell("infra", word, "--exit-code").code == 1


def test_the_azure_family_says_when_there_is_none(shell: Shell) -> None:
    for words in (("azure",), ("azure", "plan"), ("azure", "show"), ("azure", "remove"), ("up", "--only", "azure.vault")):
        answer = shell(*words)
        assert answer.code == 2
        assert "azure.enabled is false" in answer.err


def test_api_management_has_an_address_once_its_api_is_there(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.cli.endpoints.gateway", lambda clients: "https://x.azure-api.net/genai")
    world.there = {"infra.network"}
    assert shell("status", "--json").document["endpoints"]["apim"] is None
    azure = ("--set", "azure.enabled=true", "--set", "azure.apim={unverified_backend=true, publisher_email='a@example.com'}")
    assert shell("status", "--json", *azure).document["endpoints"]["apim"] == "https://x.azure-api.net/genai"
    assert "apim: https://x.azure-api.net/genai" in shell("up", *azure).out


def test_every_document_and_table_names_its_world(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    named = "'default': AWS account 123456789012, ap-northeast-1"
    for words in (("status",), ("plan",), ("audit",), ("up",), ("down", "--yes"), ("teardown", "infra", "--yes")):
        world.there = {"infra.network"}
        assert named in shell(*words).out, words
        world.there = {"infra.network"}
        assert shell(*words, "--json").document["target"] == named
    for words in (("cost",), ("config", "show")):
        assert named in shell(*words).out, words
        assert shell(*words, "--json").document["target"] == named


def test_wrong_configuration_is_exit_code_2(shell: Shell) -> None:
    (shell.folder / "genai.toml").write_text("[platform]\nnmae = 1\n")
    answer = shell("status", "--json")
    assert answer.code == 2
    assert answer.document["error"]["id"] == "config.invalid"
    assert "did you mean 'name'?" in answer.err
    assert "Traceback" not in answer.err


def test_an_unexpected_error_shows_no_traceback(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(clients: object) -> None:
        secret = "hunter2"
        raise RuntimeError(f"boom {len(secret)}")

    monkeypatch.setattr("genai_platform.steps.catalog.build", explode)
    answer = shell("status", "--json")
    assert answer.code == 1
    assert answer.document["error"]["id"] == "unexpected"
    assert "Traceback" not in answer.err
    verbose = shell("status", "--verbose")
    assert "Traceback" in verbose.err
    assert "hunter2" not in verbose.err.replace('secret = "hunter2"', "")  # values of variables are not shown


@pytest.mark.parametrize("name", ["Bad", "a_b", "x" * 17, "-a", "sandbox", "sandbox-x"])
def test_names_of_environments(shell: Shell, name: str) -> None:
    assert shell("status", f"--env={name}").code == 2


def test_another_environment_has_its_own_settings(shell: Shell) -> None:
    (shell.folder / "genai.work.toml").write_text("[litellm]\nreplicas = 3\n")
    document = shell("config", "show", "--json", "--env", "work").document
    assert document["environment"] == "work"
    assert document["settings"]["litellm"]["replicas"] == 3
    assert document["sources"]["litellm.replicas"] == "genai.work.toml"
    assert document["sources"]["platform.name"] == "default"
    read = shell("config", "path", "--json", "--env", "work").document["files"]
    assert [(Path(file["path"]).name, file["exists"]) for file in read] == [("genai.toml", True), ("genai.work.toml", True)]


def test_cost_is_told_part_by_part(shell: Shell) -> None:
    document = shell("cost", "--json").document
    assert document["usd_per_hour"] == pytest.approx(sum(part["usd_per_hour"] for part in document["parts"]), abs=1e-3)
    # Each node of Auto Mode brings a volume of 80 GiB.
    assert [part["part"] for part in document["parts"] if "volumes" in part["part"]] == ["volumes, about 196 GB"]
    more = shell("cost", "--json", "--set", "network.nat=per-zone").document
    assert more["usd_per_hour"] > document["usd_per_hour"]


def test_quiet_and_version(shell: Shell) -> None:
    assert shell("version", "--json").document["version"]
    assert shell("--version").out == shell("version").out
    assert shell("up", "--quiet").out.startswith("ready after")


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:5000", "http://localhost:4566", "https://[::1]:1", "http://x.localhost", "localhost:4566"]
)
def test_real_runs_refuse_loopback(value: str) -> None:
    assert is_loopback(value)
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL_S3 points to this machine"):
        refuse_loopback({"AWS_ENDPOINT_URL_S3": value})


def test_real_runs_take_other_endpoints() -> None:
    refuse_loopback({"AWS_ENDPOINT_URL": "https://vpce-1.example.com", "AWS_ENDPOINT_URL_S3": "", "OTHER": "http://localhost"})


def _genai(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONIOENCODING": "ascii"}
    return subprocess.run(
        [sys.executable, "-m", "genai_platform", *arguments], cwd=folder, env=environment, capture_output=True, check=False, timeout=60
    )


def test_wrong_usage_is_one_document_and_exit_code_2(tmp_path: Path) -> None:
    found = _genai(tmp_path, "up", "--bogus", "--json", "--env", "work")
    assert found.returncode == 2
    document = json.loads(found.stdout)
    assert document["environment"] == "work"
    assert "--bogus" in document["error"]["message"]


def test_a_terminal_without_utf_8_survives(tmp_path: Path) -> None:
    (tmp_path / "genai.toml").write_text(
        '[[litellm.models]]\nname = "日本語"\nazure_deployment = "é"\napi_base = "https://x.example.com"\n', encoding="utf-8"
    )
    plain = _genai(tmp_path, "config", "show")
    assert plain.returncode == 0
    assert b"\\u65e5" in plain.stdout
    document = json.loads(_genai(tmp_path, "config", "show", "--json").stdout.decode("utf-8"))
    assert document["settings"]["litellm"]["models"][0]["name"] == "日本語"


def test_help_needs_no_slow_library(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['genai', '--help']\nfrom genai_platform.cli.app import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "slow = {'boto3', 'kubernetes', 'pyhelm3', 'azure', 'rich', 'pydantic', 'httpx', 'moto', 'jinja2'}"
    code += " & set(sys.modules)\nassert not slow, slow"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=60)


GROUP = """
[[litellm.models]]
name = "gpt"
azure_deployment = "d"
api_base = "https://east.example.com"
weight = 3
[[litellm.models]]
name = "gpt"
azure_deployment = "d"
api_base = "https://west.example.com"
weight = 1
[[litellm.models]]
name = "small"
azure_deployment = "s"
api_base = "https://east.example.com"
[litellm.fallbacks]
fallbacks = { gpt = ["small"] }
"""


def test_a_plan_shows_the_groups(shell: Shell) -> None:
    with (shell.folder / "genai.toml").open("a") as file:
        file.write(GROUP)
    answer = shell("plan")
    assert "model gpt: d at east.example.com (weight 3), d at west.example.com (weight 1); else small" in answer.out
    (group,) = shell("plan", "--json").document["groups"]
    assert (group["name"], group["fallbacks"], len(group["deployments"])) == ("gpt", ["small"], 2)
