from __future__ import annotations

import json
import subprocess
import sys

import pytest

from genai_platform.engine.lock import hold
from genai_platform.engine.step import State
from genai_platform.errors import StepError
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.tools.aws.leftovers.items import Item
from genai_platform.tools.kubernetes.foreign import Foreign
from tests.cli.conftest import Leftover, Shell
from tests.worlds import World


def test_up_builds_everything_and_says_what_comes_next(shell: Shell, world: World) -> None:
    answer = shell("up")
    assert answer.code == 0
    assert world.there == {"infra.network", "infra.cluster", "litellm.proxy", "langfuse.chart"}
    assert "123456789012" in answer.out
    assert "litellm: https://litellm.example.com (encrypted, not authenticated by name)" in answer.out
    assert "next: genai verify" in answer.out
    assert "\x1b" not in answer.out  # no control characters without a terminal


def test_the_plan_comes_before_the_work(shell: Shell) -> None:
    lines = shell("up").out.splitlines()
    first_step = next(number for number, line in enumerate(lines) if "infra.network: started" in line)
    before = "\n".join(lines[:first_step])
    assert "cluster" in before
    assert "not touched: patch.disk" in before
    assert "/h while it exists" in before
    assert "journal.jsonl" in before


def test_up_twice_finds_everything_in_place(shell: Shell, world: World) -> None:
    shell("up")
    world.happened.clear()
    answer = shell("up")
    assert answer.code == 0
    assert world.happened == []
    assert "0 made, 4 of 4 already in place" in answer.out


def test_what_is_no_longer_configured_goes_last_where_nothing_is_left_out(shell: Shell, world: World) -> None:
    shell("up")
    shell.unconfigured = [world.step("azure.unconfigured", "litellm.proxy", "langfuse.chart")]
    world.states["azure.unconfigured"] = State.DRIFTED
    assert shell("plan", "--exit-code").code == 1
    assert "azure.unconfigured" in [step["id"] for step in shell("status", "--drift", "--json").document["steps"]]
    world.changed = {"litellm.proxy"}
    world.happened.clear()
    shell("up", "--only", "litellm")
    shell("up", "--skip", "langfuse")
    assert "apply azure.unconfigured" not in world.happened
    assert shell("up").code == 0
    assert world.happened[-2:] == ["apply litellm.proxy", "apply azure.unconfigured"]
    world.states["azure.unconfigured"] = State.DRIFTED
    world.happened.clear()
    shell("down", "--yes")
    assert world.happened[0] == "destroy azure.unconfigured"


def test_the_document_of_up(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    answer = shell("up", "--json")
    document = answer.document
    assert document["environment"] == "default"
    assert document["ok"] is True
    assert {step["id"]: step["outcome"] for step in document["steps"]} == {
        "infra.network": "present", "infra.cluster": "done", "litellm.proxy": "done", "langfuse.chart": "done",
    }  # fmt: skip
    assert all(set(step) >= {"id", "outcome", "seconds", "evidence"} for step in document["steps"])
    assert "ready after" in answer.err  # people's text goes to standard error


def test_a_failure_names_cause_remedy_and_the_command_to_go_on(shell: Shell, world: World) -> None:
    world.broken["infra.cluster"] = StepError("no capacity in zone a", remedy="choose another zone")
    answer = shell("up", "--env", "work", "--skip", "patch", "--set", "litellm.replicas=2")
    assert answer.code == 1
    assert "failed: infra.cluster: no capacity in zone a" in answer.out
    assert "-> choose another zone" in answer.out
    assert "not attempted: litellm.proxy, langfuse.chart" in answer.out
    assert "go on with: genai up --skip patch --env work --set litellm.replicas=2" in answer.out


def test_post_install_patch_makes_the_patches_part_of_up(shell: Shell, world: World) -> None:
    shell("up", "--set", "langfuse.post_install=patch")
    assert "patch.disk" in world.there


def test_only_and_skip(shell: Shell, world: World) -> None:
    assert shell("up", "--only", "infra").code == 0
    assert world.there == {"infra.network", "infra.cluster"}
    assert shell("up", "--skip", "langfuse", "--skip", "infra.network").code == 0
    assert "langfuse.chart" not in world.there
    answer = shell("up", "--only", "infr")
    assert answer.code == 2
    assert "did you mean 'infra'?" in answer.err


def test_a_family_bare_means_apply(shell: Shell, world: World) -> None:
    assert shell("infra").code == 0
    assert world.there == {"infra.network", "infra.cluster"}
    answer = shell("patch")
    assert answer.code == 1
    assert "needs 'langfuse.chart', which is absent" in answer.out
    assert "go on with: genai patch" in answer.out


def test_a_family_is_shown_planned_and_removed(shell: Shell, world: World) -> None:
    shell("up")
    assert {step["id"] for step in shell("infra", "show", "--json").document["steps"]} == {"infra.network", "infra.cluster"}
    assert shell("litellm", "plan").code == 0
    answer = shell("langfuse", "remove", "--yes", "--json")
    assert answer.code == 0
    assert world.there == {"infra.network", "infra.cluster", "litellm.proxy"}


def test_events_are_written_one_a_line(shell: Shell) -> None:
    shell("up", "--events", "events.jsonl")
    events = [json.loads(line) for line in (shell.folder / "events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "run.started"
    assert events[-1] == {"time": events[-1]["time"], "event": "run.finished", "ok": True, "seconds": events[-1]["seconds"]}
    shell("up", "--events", "events.jsonl")
    assert (shell.folder / "events.jsonl").read_text().count("run.started") == 1


def test_one_run_at_a_time(shell: Shell, world: World) -> None:
    with hold(shell.folder / ".genai" / "default" / "lock", "genai down"):
        answer = shell("up", "--json")
    assert answer.code == 1
    assert answer.document["error"]["id"] == "locked"
    assert "'genai down' is at work here" in answer.err
    assert world.happened == []


def test_down_without_a_terminal_needs_the_flag(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    answer = shell("down")
    assert answer.code == 1
    assert "--yes" in answer.err
    assert world.there == {"infra.network"}


def test_down_shows_the_list_and_removes_everything(shell: Shell, world: World) -> None:
    shell("up", "--set", "langfuse.post_install=patch")
    world.happened.clear()
    answer = shell("down", "--yes")
    assert answer.code == 0
    assert world.happened[-1] == "destroy infra.network"
    assert "will be removed from 'default': AWS account 123456789012" in answer.out
    assert "nothing left, 4 resources removed" in answer.out


def test_what_the_cluster_left_in_aws_goes_after_it(shell: Shell, world: World) -> None:
    world.there, shell.left = {"infra.network", "infra.cluster"}, ["instance profile eks-genai-1"]
    assert "deleted, since its cluster is gone: instance profile eks-genai-1" in shell("down", "--yes").out


def test_what_others_put_into_the_cluster_is_listed_before_the_question(shell: Shell, world: World) -> None:
    world.there = {"infra.network", "infra.cluster"}
    shell.foreign = [
        Foreign("v1", "Service", "demo", "web", "load balancer", 0.0243, "service"),
        Foreign("apiregistration.k8s.io/v1", "APIService", "", "v1.metrics", "nobody serves it", 0.0, "apiservice"),
    ]
    shell.others = [Item("ec2:instance", "i-1", 0.1, "aws ec2 terminate-instances --instance-ids i-1", "network")]
    asked = shell("down")
    assert asked.code == 1
    assert world.happened == []
    for words in (
        "Service",
        "demo",
        "load balancer",
        "$0.02/h",
        "APIService",
        "aws ec2 terminate-instances --instance-ids i-1",
    ):
        assert words in asked.out
    assert "deleted, since nobody serves it" not in asked.out
    answer = shell("down", "--yes", "--json")
    assert [(one["kind"], one["name"], one["goes"]) for one in answer.document["foreign"]] == [
        ("Service", "web", True), ("APIService", "v1.metrics", True), ("ec2:instance", "i-1", False),
    ]  # fmt: skip
    assert "deleted, since nobody serves it: APIService v1.metrics" in answer.err


def test_what_lies_in_the_cluster_keeps_neither_it_nor_the_network(shell: Shell, world: World) -> None:
    world.there = {"infra.network", "infra.cluster", "litellm.proxy"}
    world.broken["litellm.proxy"] = StepError("Namespace genai-platform does not end", remedy="kubectl delete apiservice v1.metrics")
    answer = shell("down", "--yes", "--json")
    assert answer.code == 0
    assert {"infra.network", "infra.cluster"} & world.there == set()
    told = {step["id"]: step for step in answer.document["steps"]}["litellm.proxy"]
    assert told["outcome"] == "done"
    assert "does not end" in told["evidence"]
    assert told["remedy"] == "kubectl delete apiservice v1.metrics"


def test_down_with_nothing_there(shell: Shell, world: World) -> None:
    answer = shell("down")
    assert answer.code == 0
    assert "nothing to remove" in answer.out
    assert world.happened == []


def test_the_document_of_down(shell: Shell, world: World) -> None:
    world.there = {"infra.network", "infra.cluster"}
    document = shell("down", "--yes", "--json").document
    outcomes = {step["id"]: step["outcome"] for step in document["steps"]}
    assert outcomes["infra.cluster"] == "done"
    assert outcomes["litellm.proxy"] == "absent"
    assert document["leftovers"] == []
    assert document["ok"] is True


def test_survivors_are_shown_with_cost_and_command(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    shell.audit.leftovers.append(Leftover("NAT gateway", "nat-1", 0.062, "aws ec2 delete-nat-gateway --nat-gateway-id nat-1"))
    answer = shell("down", "--yes")
    assert answer.code == 1
    assert "nat-1" in answer.out
    assert "$0.06/h" in answer.out
    assert "aws ec2 delete-nat-gateway" in answer.out
    assert "nothing left" not in answer.out


def test_what_could_not_be_looked_at_proves_nothing(shell: Shell, world: World) -> None:
    shell.audit.unseen.append("volumes: access denied")
    answer = shell("down", "--yes")
    assert answer.code == 1
    assert "not seen: volumes: access denied" in answer.out
    assert "nothing left" not in answer.out
    assert shell("audit", "--json").document["unseen"] == ["volumes: access denied"]


def test_a_failed_down_says_how_to_go_on(shell: Shell, world: World) -> None:
    world.there = {"infra.network", "infra.cluster"}
    world.broken["infra.cluster"] = StepError("still in use")
    answer = shell("down", "--yes")
    assert answer.code == 1
    assert "go on with: genai down" in answer.out
    assert world.there == {"infra.network", "infra.cluster"}


def test_an_unknown_state_is_removed_too_rather_than_forgotten(shell: Shell, world: World) -> None:
    world.states["infra.network"] = State.UNKNOWN
    assert shell("down", "--yes").code == 0
    assert "destroy infra.network" in world.happened


def test_keep_data_keeps_storage(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.steps.infra.KEPT_WITH_DATA", ("infra.network",))
    world.there = {"infra.network", "infra.cluster"}
    answer = shell("down", "--yes", "--keep-data", "--json")
    assert answer.code == 0
    assert {step["id"]: step["outcome"] for step in answer.document["steps"]}["infra.network"] == "retained"
    assert world.there == {"infra.network"}
    answer = shell("down", "--keep-data", "--json")  # nothing but what is kept: nothing to ask
    assert answer.code == 0
    assert "nothing to remove; kept: infra.network" in answer.err
    outcomes = {step["id"]: step["outcome"] for step in answer.document["steps"]}
    assert (outcomes["infra.network"], outcomes["infra.cluster"]) == ("retained", "absent")


def test_what_is_not_there_is_not_said_to_be_kept(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.steps.infra.KEPT_WITH_DATA", ("infra.network", "litellm.proxy"))
    world.there = {"infra.network", "infra.cluster"}
    steps = shell("down", "--yes", "--keep-data", "--json").document["steps"]
    assert {step["id"]: step["outcome"] for step in steps} == {
        "infra.network": "retained", "infra.cluster": "done", "litellm.proxy": "absent", "langfuse.chart": "absent",
    }  # fmt: skip


def test_a_down_that_keeps_data_is_gone_on_with_keeping_data(shell: Shell, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that is suggested must not delete what was to be kept."""
    monkeypatch.setattr("genai_platform.steps.infra.KEPT_WITH_DATA", ("infra.network",))
    world.there = {"infra.network", "infra.cluster"}
    world.broken["infra.cluster"] = StepError("still in use")
    answer = shell("down", "--keep-data", "--yes", "--env", "work")
    assert "go on with: genai down --keep-data --env work" in answer.out


@pytest.mark.parametrize(
    ("words", "rest"),
    [(("--keep-data",), ""), (("--set", "lifecycle.down=keep-data"), " --set lifecycle.down=keep-data --set lifecycle.down=everything")],
)
def test_what_was_kept_says_how_it_goes(shell: Shell, world: World, words: tuple[str, ...], rest: str) -> None:
    world.there = {"infra.network"}
    shell.audit.retained.append("bucket-1 (bucket)")
    answer = shell("down", "--yes", "--env", "work", *words)
    assert answer.code == 0
    (shown,) = [line for line in answer.out.splitlines() if line.startswith("to remove that too: genai down --env work")]
    assert shown.endswith(f"--env work{rest}")  # what is given last wins


def test_down_without_a_sandbox_to_remove_leaves_nothing_behind(shell: Shell) -> None:
    answer = shell("down", "--sandbox", "--yes", "--json")
    assert answer.code == 0
    assert answer.document["steps"] == answer.document["leftovers"] == []
    assert "there is no sandbox 'sandbox'" in answer.err
    assert not (shell.folder / ".genai").exists()


class Resting:
    """A sandbox that does not run, as the supervisor would find it."""

    def __init__(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        from genai_platform.sandbox import supervisor
        from genai_platform.sandbox.layout import SandboxLayout

        self.world = shell.folder / ".genai" / "sandbox" / "world"
        SandboxLayout.create(self.world, "sandbox", "ap-northeast-1")
        monkeypatch.setattr(supervisor, "running", lambda layout: False)
        monkeypatch.setattr(supervisor, "stop", lambda layout, plan=None: [])


def test_a_sandbox_that_does_not_run_goes_with_its_folder(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    resting = Resting(shell, monkeypatch)
    assert shell("down", "--sandbox").code == 1  # nobody said yes
    assert resting.world.exists()
    answer = shell("down", "--sandbox", "--yes", "--json")
    assert (answer.code, answer.document["ok"]) == (0, True)
    assert not resting.world.exists()


def test_a_sandbox_that_does_not_run_is_not_deleted_by_keeping_data(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    resting = Resting(shell, monkeypatch)
    answer = shell("down", "--sandbox", "--keep-data", "--yes")
    assert answer.code == 2
    assert resting.world.exists()


def test_a_sandbox_that_somebody_works_on_is_not_removed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    resting = Resting(shell, monkeypatch)
    with hold(shell.folder / ".genai" / "sandbox" / "lock", "genai up --sandbox"):
        answer = shell("down", "--sandbox", "--yes", "--json")
    assert (answer.code, answer.document["error"]["id"]) == (1, "locked")
    assert resting.world.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ports": null}', None])
def test_a_damaged_sandbox_is_named_and_can_be_removed(shell: Shell, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.setenv("GENAI_CACHE_DIR", str(shell.folder / "cache"))
    world = shell.folder / ".genai" / "sandbox" / "world"
    SandboxLayout.create(world, "sandbox")
    (world / "place.json").unlink() if text is None else (world / "place.json").write_text(text)
    part = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={"GENAI_SANDBOX_PLACE": str(world)})
    try:
        told = shell("sandbox", "status", "--json")
        assert (told.code, told.document["error"]["id"]) == (3, "sandbox.absent" if text is None else "sandbox.damaged")
        assert shell("sandbox", "remove", "--yes").code == 0
        part.wait(20)  # raises while it runs
    finally:
        part.kill()
        part.wait()
    assert not world.exists()


def test_without_the_flag_a_sandbox_is_named_and_not_touched(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    resting = Resting(shell, monkeypatch)
    assert "not touched: sandbox (to remove: genai down --sandbox)" in shell("down").out
    (shell.folder / "genai.toml").write_text("")
    answer = shell("down", "--yes", "--json")
    assert answer.code == 2
    assert answer.document["error"]["remedy"] == "to remove it: genai down --sandbox"
    assert resting.world.exists()


def test_teardown_takes_what_depends_on_it_along(shell: Shell, world: World) -> None:
    shell("up")
    answer = shell("teardown", "infra.cluster", "--yes")
    assert answer.code == 0
    assert world.there == {"infra.network"}
    assert "nothing to remove" in shell("teardown", "infra.cluster").out


def test_the_folder_is_private_and_unknown_to_git(shell: Shell) -> None:
    shell("up")
    assert (shell.folder / ".genai" / ".gitignore").read_text() == "*\n"
    assert (shell.folder / ".genai" / "default").stat().st_mode & 0o777 == 0o700
    assert (shell.folder / ".genai" / "default" / "journal.jsonl").stat().st_mode & 0o777 == 0o600
