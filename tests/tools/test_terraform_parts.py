"""What the Terraform door reads and decides without running Terraform."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.observe import observe
from genai_platform.engine.step import Change, State
from genai_platform.errors import MissingError, NeverBuilt, StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.terraform import Inputs, RootStep
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.terraform import mirror as terraform_mirror
from genai_platform.tools.terraform.client import Terraform
from genai_platform.tools.terraform.events import Events
from genai_platform.tools.terraform.program import Root


def target(folder: Path, **settings: object) -> Target:
    endpoints = Endpoints(aws=AwsEndpoints(url="http://127.0.0.1:9", access_key_id="k", secret_access_key="s"))
    return Target("sandbox", Settings.model_validate(settings), endpoints, folder)


def state(folder: Path, root: str, text: str) -> None:
    place = folder / "terraform" / root
    place.mkdir(parents=True)
    (place / "terraform.tfstate").write_text(text)


def cluster(**attributes: object) -> str:
    resource = {"mode": "managed", "type": "aws_rds_cluster", "name": "this", "instances": [{"attributes": attributes}]}
    return json.dumps({"version": 4, "resources": [resource]})


def root(folder: Path, name: Root, inputs: Inputs = lambda clients: {}) -> RootStep:
    return RootStep(Clients(target(folder)), name, (), 1, inputs)


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None: ...


# -- events ---------------------------------------------------------------------------------------
def test_progress_names_the_resource_and_what_is_done() -> None:
    told = Told()
    events = Events("network", told)
    resource = {"resource": {"addr": "aws_vpc.this"}, "action": "create"}
    events.hear("out", json.dumps({"type": "apply_start", "hook": resource}))
    events.hear("out", json.dumps({"type": "apply_complete", "hook": resource}))
    events.hear("out", json.dumps({"type": "change_summary", "changes": {"add": 1, "change": 0, "remove": 0}}))
    events.hear("out", "no document")
    assert told.said == ["aws_vpc.this: creating"]
    assert events.summary() == "1 added, 0 changed, 0 removed"


def test_planned_changes_become_lines_of_a_plan() -> None:
    events = Events("network", None)
    for action in ("create", "replace", "delete"):
        events.hear("out", json.dumps({"type": "planned_change", "change": {"action": action, "resource": {"addr": f"a.{action}"}}}))
    assert events.changes == [Change("create", "a.create"), Change("update", "a.replace", "replaced"), Change("delete", "a.delete")]


def test_a_diagnostic_becomes_an_error_with_address_and_advice() -> None:
    events = Events("cluster", None)
    diagnostic = {"severity": "error", "summary": "creating EKS Cluster", "detail": "ExpiredToken: old", "address": "aws_eks_cluster.this"}
    events.hear("out", json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    failure = events.failure("apply", Path("root"))
    assert failure.message == "terraform root 'cluster': aws_eks_cluster.this: creating EKS Cluster: ExpiredToken: old"
    assert "sign in" in failure.remedy


def test_a_lock_that_nobody_holds_any_more_is_told_how_to_open() -> None:
    events = Events("data", None)
    lock = "7e0a4f0c-5a5e-9b1d-1f43-2a3a3f5b7c11"
    detail = f"Error message: held\nLock Info:\n  ID:        {lock}\n  Path:      b/data.tfstate\n"
    diagnostic = {"severity": "error", "summary": "Error acquiring the state lock", "detail": detail}
    events.hear("out", json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    assert events.failure("apply", Path("/p/data")).remedy.endswith(f"terraform -chdir=/p/data force-unlock {lock}")


def test_waiting_for_a_lock_is_said() -> None:
    told = Told()
    Events("data", told, lambda: "me@here has it").hear("out", json.dumps({"type": "state_lock_acquire", "@message": "…"}))
    assert told.said == ["waiting until another terraform releases the state of root 'data'; me@here has it"]


# -- state ----------------------------------------------------------------------------------------
def test_without_a_state_nothing_is_absent_that_could_not_be_looked_for(tmp_path: Path) -> None:
    found = observe(root(tmp_path, "network"))
    assert (found.state, "did not answer" in found.evidence) == (State.UNKNOWN, True)


@pytest.mark.parametrize(
    "word",
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"],
)
def test_dead_credentials_are_told_with_what_helps(tmp_path: Path, word: str) -> None:
    events = Events("network", None)
    diagnostic = {"severity": "error", "summary": f"creating EC2 VPC: api error {word}: …", "detail": ""}
    events.hear("out", json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    assert events.failure("apply", tmp_path).remedy.startswith("sign in again")
    with pytest.raises(MissingError, match=word) as refused, explained("list the networks"):
        raise ClientError({"Error": {"Code": word, "Message": "no"}}, "DescribeVpcs")
    assert refused.value.remedy.startswith("sign in again")


def errored(folder: Path, serial: int, lineage: str = "a") -> Path:
    """What a run left that could not store its state, beside a stored one of serial 5."""
    state(folder, "network", json.dumps({"version": 4, "serial": 5, "lineage": "a", "resources": []}))
    left = folder / "terraform" / "network" / "errored.tfstate"
    left.write_text(json.dumps({"version": 4, "serial": serial, "lineage": lineage, "resources": []}))
    return left


def test_a_state_that_could_not_be_stored_counts_when_it_is_newer_than_the_stored_one(tmp_path: Path) -> None:
    states = Terraform(target(tmp_path)).state
    left = errored(tmp_path, 6)
    assert states.errored("network") == left
    left.write_text(json.dumps({"serial": 5, "lineage": "a"}))
    assert states.errored("network") is None, "what was stored since must not be overwritten"


@pytest.mark.parametrize("text", ["{", '{"serial": 6}', '{"serial": 6, "lineage": "another"}'])
def test_a_state_that_cannot_be_compared_is_never_stored(tmp_path: Path, text: str) -> None:
    left = errored(tmp_path, 6)
    left.write_text(text)
    terraform = Terraform(target(tmp_path))
    assert observe(root(tmp_path, "network")).state is State.UNKNOWN
    with pytest.raises(StepError) as refused:
        terraform.recover("network", dict, Told())
    assert (refused.value.id, str(left) in str(refused.value.remedy)) == ("terraform.errored", True)
    assert left.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"resources": 1}'])
def test_a_damaged_state_is_unknown_and_says_so(tmp_path: Path, text: str) -> None:
    state(tmp_path, "network", text)
    found = observe(root(tmp_path, "network"))
    assert found.state is State.UNKNOWN
    assert "damaged" in found.evidence


def test_outputs_of_a_root_not_applied_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        Terraform(target(tmp_path)).outputs("network")
    assert str(caught.value.remedy) == "run: genai infra --only infra.network"


@pytest.mark.parametrize("kind", [StepError, NeverBuilt])
def test_variables_that_cannot_be_known_leave_the_state_unknown(tmp_path: Path, kind: type[StepError]) -> None:
    """Never absent: its own state says that it exists, whatever became of the roots it is made from."""
    state(tmp_path, "data", cluster(deletion_protection=False, skip_final_snapshot=True))

    def inputs(clients: Clients) -> dict[str, object]:
        raise kind("the network is not there")

    found = observe(root(tmp_path, "data", inputs))
    assert (found.state, found.evidence) == (State.UNKNOWN, "the network is not there")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"deletion_protection": False, "skip_final_snapshot": True}, ()),
        ({"deletion_protection": True, "skip_final_snapshot": True}, ("aws_rds_cluster.this",)),
        ({"deletion_protection": False, "skip_final_snapshot": False}, ("aws_rds_cluster.this",)),
    ],
)
def test_what_keeps_a_resource_from_going_is_found_in_the_state(
    tmp_path: Path, attributes: dict[str, object], expected: tuple[str, ...]
) -> None:
    state(tmp_path, "data", cluster(**attributes))
    assert Terraform(target(tmp_path)).state.protected("data") == expected


def test_the_remote_backend_locks_by_file(tmp_path: Path) -> None:
    settings = {"terraform": {"backend": "s3"}, "aws": {"account_id": "123456789012"}}
    backend = Terraform(target(tmp_path, **settings)).state.backend("network")
    assert backend is not None
    s3 = backend["terraform"]["backend"]["s3"]
    assert s3["bucket"] == "genai-sandbox-state-123456789012"
    assert s3["use_lockfile"] is True


# -- files ----------------------------------------------------------------------------------------
def test_many_threads_ask_for_the_same_mirror(tmp_path: Path) -> None:
    found = mirror(tmp_path / "opt" / "plugins")
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: terraform_mirror.prepare(tmp_path / "work", {"HOME": str(tmp_path)}, [found]), range(50)))
    assert len({one["TF_CLI_CONFIG_FILE"] for one in given}) == 1


def test_the_variables_of_the_last_run_are_remembered(tmp_path: Path) -> None:
    door = Terraform(target(tmp_path))
    assert door.variables("data") == {}
    place = tmp_path / "terraform" / "data"
    place.mkdir(parents=True)
    (place / "terraform.tfvars.json").write_text('{"vpc_id": "vpc-1"}')
    assert door.variables("data") == {"vpc_id": "vpc-1"}


# -- mirror ---------------------------------------------------------------------------------------
def mirror(folder: Path, version: str = "5.100.0") -> Path:
    for machine in ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"):
        (folder / "registry.terraform.io" / "hashicorp" / "aws" / version / machine).mkdir(parents=True)
    return folder


def test_a_mirror_is_used_through_a_generated_configuration(tmp_path: Path) -> None:
    found = mirror(tmp_path / "opt" / "plugins")
    given = terraform_mirror.prepare(tmp_path / "work", {"HOME": str(tmp_path)}, [found])
    text = Path(given["TF_CLI_CONFIG_FILE"]).read_text()
    assert f'path    = "{found}"' in text


def test_the_users_own_configuration_is_kept(tmp_path: Path) -> None:
    own = tmp_path / ".terraformrc"
    own.write_text("disable_checkpoint = true\n")
    found = mirror(tmp_path / "opt" / "plugins")
    given = terraform_mirror.prepare(tmp_path / "work", {"HOME": str(tmp_path)}, [found])
    assert "disable_checkpoint" in Path(given["TF_CLI_CONFIG_FILE"]).read_text()
    own.write_text("provider_installation {\n  direct {}\n}\n")
    assert terraform_mirror.prepare(tmp_path / "work", {"HOME": str(tmp_path)}, [found]) == {"TF_CLI_CONFIG_FILE": str(own)}


def test_a_variable_naming_a_missing_file_and_an_unfit_mirror_change_nothing(tmp_path: Path) -> None:
    found = mirror(tmp_path / "opt" / "plugins", "4.0.0")
    variables = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(tmp_path / "none")}
    assert terraform_mirror.prepare(tmp_path / "work", variables, [found]) == {"TF_CLI_CONFIG_FILE": ""}


def test_the_implied_folders_need_no_configuration(tmp_path: Path) -> None:
    mirror(tmp_path / ".terraform.d" / "plugins")
    other = mirror(tmp_path / "opt" / "plugins")
    assert terraform_mirror.prepare(tmp_path / "work", {"HOME": str(tmp_path)}, [other]) == {"TF_CLI_CONFIG_FILE": ""}
