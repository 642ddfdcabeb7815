"""Which Kubernetes version the cluster gets: what EKS takes is planned, what it refuses is refused first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genai_platform.cli import preflight
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.graph import Selection
from genai_platform.engine.observe import changes, observe
from genai_platform.engine.step import Change, Observation, State
from genai_platform.errors import ConfigError
from genai_platform.steps import infra
from genai_platform.steps.catalog import build
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import cluster_version
from genai_platform.steps.infra.terraform import ClusterStep, no_inputs

LATER = datetime(2099, 3, 27, tzinfo=UTC)
CALENDAR = {"1.33": ("EXTENDED_SUPPORT", LATER), "1.34": ("STANDARD_SUPPORT", LATER), "1.35": ("STANDARD_SUPPORT", LATER),
            "1.36": ("STANDARD_SUPPORT", LATER), "1.37": ("STANDARD_SUPPORT", LATER)}  # fmt: skip


class Eks:
    """EKS as it is on some day: what it offers, on two pages, and the version that runs."""

    def __init__(self, running: str | None, calendar: dict[str, tuple[str, datetime]] = CALENDAR) -> None:
        self.running, self.calendar = running, calendar
        self.asked = 0

    def client(self, name: str) -> Any:
        return self

    def credentials_end(self) -> None:
        """They do not end."""

    def describe_cluster(self, name: str) -> dict[str, Any] | None:
        self.asked += 1
        return None if self.running is None else {"name": name, "version": self.running, "status": "ACTIVE"}

    def describe_cluster_versions(self, nextToken: str | None = None) -> dict[str, Any]:
        entries = [
            {"clusterVersion": version, "versionStatus": status, "endOfStandardSupportDate": end}
            for version, (status, end) in self.calendar.items()
        ]
        return {"clusterVersions": entries[2:]} if nextToken else {"clusterVersions": entries[:2], "nextToken": "more"}


def clients(wanted: str, eks: Eks) -> Clients:
    target = Target("default", Settings.model_validate({"cluster": {"version": wanted}}), Endpoints(), Path("/nowhere"))
    return Clients(target, aws=eks)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "running", "said"),
    [
        ("1.20", None, "'1.20' is not allowed: EKS does not offer it"),
        ("1.33", None, "'1.33' is not allowed: its standard support ended"),
        ("1.38", "1.35", "'1.38' is not allowed: EKS does not offer it"),
        ("1.37", "1.35", "'1.37' is not allowed: the cluster runs 1.35, and EKS goes up by one minor version at a time"),
        ("1.34", "1.35", "'1.34' is not allowed: the cluster runs 1.35, and EKS never goes back"),
        ("1.33", "1.35", "'1.33' is not allowed: the cluster runs 1.35, and EKS never goes back"),
    ],
)
def test_what_eks_would_refuse_is_refused_before_anything_is_touched(wanted: str, running: str | None, said: str) -> None:
    run: Any = SimpleNamespace(clients=clients(wanted, Eks(running)))
    with pytest.raises(ConfigError, match=said) as caught:
        preflight.kubernetes(run)
    assert caught.value.exit_code == 2
    assert "set it to" in str(caught.value.remedy)


@pytest.mark.parametrize(("wanted", "running"), [("1.35", None), ("1.35", "1.35"), ("1.36", "1.35"), ("1.33", "1.33")])
def test_what_eks_takes(wanted: str, running: str | None) -> None:
    found = clients(wanted, Eks(running))
    assert cluster_version.look(found) == cluster_version.Choice(wanted)
    assert cluster_version.effective(found) == wanted


def test_a_cluster_that_eks_upgraded_is_not_downgraded() -> None:
    ended = CALENDAR | dict.fromkeys(("1.34", "1.35"), ("EXTENDED_SUPPORT", LATER))
    found = clients("1.35", Eks("1.36", ended))
    assert cluster_version.effective(found) == "1.36"
    assert "set cluster.version to 1.36" in cluster_version.look(found).notice


def test_terraform_is_given_the_version_that_eks_chose() -> None:
    """Else every plan of the root would be a downgrade, which EKS refuses."""
    ended = CALENDAR | dict.fromkeys(("1.34", "1.35"), ("EXTENDED_SUPPORT", LATER))
    network = {"vpc_id": "v", "public_subnet_ids": ["a"], "private_subnet_ids": ["b"], "nat_public_ips": [], "private_subnet_cidrs": []}
    storage = {"langfuse_bucket": "l", "clickhouse_bucket": "c", "secret_arn": "arn"}
    given = {"network": network, "storage": storage}
    found = clients("1.35", Eks("1.36", ended))
    outputs = {root: {name: {"value": value} for name, value in values.items()} for root, values in given.items()}
    found.terraform = SimpleNamespace(outputs=outputs.__getitem__)
    (cluster,) = [step for step in infra.steps(found) if isinstance(step, ClusterStep)]
    assert cluster.variables()["kubernetes_version"] == "1.36"


def test_the_end_of_standard_support_is_told_in_time() -> None:
    soon = datetime.combine(date.today() + timedelta(days=20), datetime.min.time(), UTC)
    assert "ends on" in cluster_version.look(clients("1.35", Eks("1.35", CALENDAR | {"1.35": ("STANDARD_SUPPORT", soon)}))).notice


def test_it_is_asked_when_the_cluster_is_among_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "states", lambda clients: None)
    world = clients("1.20", Eks(None))
    with pytest.raises(ConfigError):
        preflight.world(SimpleNamespace(clients=world, graph=build(world)), Selection(("infra.cluster",)))  # type: ignore[arg-type]


class Drifted:
    """Terraform that would change the cluster and one more thing."""

    def observe(self, root: str, variables: Any) -> Observation:
        seen = (Change("update", "aws_eks_cluster.this"), Change("update", "aws_iam_role.nodes"))
        return Observation(State.DRIFTED, "2 to change", changes=seen)


def test_a_plan_says_which_version_the_cluster_gets_and_only_a_plan_asks_for_it() -> None:
    eks = Eks("1.35")
    found = clients("1.36", eks)
    step = ClusterStep(Clients(found.target, aws=found.aws, terraform=Drifted()), "cluster", (), 1, no_inputs)  # type: ignore[arg-type]
    observed = observe(step)
    assert (observed.state, observed.evidence, eks.asked) == (State.DRIFTED, "2 to change", 0)
    assert changes(step.id, observed) == (
        Change("update", "aws_eks_cluster.this", "Kubernetes 1.35 -> 1.36"),
        Change("update", "aws_iam_role.nodes"),
    )
