"""Langfuse's release: where its chart comes from, when it counts as present, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.observe import changes, observe
from genai_platform.engine.step import Change, State
from genai_platform.errors import ConfigError, NeverBuilt, StepError
from genai_platform.render.chart import SMALL, ChartSource
from genai_platform.render.outputs import ClusterOutputs, DataOutputs, NetworkOutputs, Outputs, StorageOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse import preflight, steps
from genai_platform.steps.langfuse.chart import Chart, is_own_claim, resolve, tell_operator
from genai_platform.tools.helm.client import Release, ResolvedChart

SANDBOX = Endpoints(aws=AwsEndpoints(url="http://127.0.0.1:5000"))
Document = dict[str, Any]


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


@dataclass
class Cluster:
    """An ingress with an address, and whatever else was put in. Workloads are rolled out as soon as they exist."""

    objects: dict[tuple[str, str], Document] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)

    def exists(self) -> bool:
        return True

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Document | None:
        return self.objects.get((kind, name))

    def list(self, api_version: str, kind: str, namespace: str | None = None, **more: str) -> list[Document]:
        return [one for (found, _), one in self.objects.items() if found == kind]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None, propagation: str = "Background") -> bool:
        gone = self.objects.pop((kind, name), None)
        if gone:
            self.happened.append(f"delete {kind} {name}")
        if gone and (volume := gone.get("spec", {}).get("volumeName")):
            self.objects.pop(("PersistentVolume", volume))
        return gone is not None

    def patch(self, api_version: str, kind: str, name: str, namespace: str | None, body: Mapping[str, Any], strategy: str = "") -> Document:
        self.happened.append(f"patch {kind} {name}")
        self.objects[kind, name]["spec"] |= body["spec"]
        return self.objects[kind, name]

    def put(self, kind: str, name: str, **more: Any) -> None:
        self.objects[kind, name] = {"kind": kind, "metadata": {"name": name}, **more}


@dataclass
class Packages:
    """Helm: what is installed, and which sources can be reached."""

    cluster: Cluster
    reachable: frozenset[str] = frozenset({"https://langfuse.github.io/langfuse-k8s"})
    installed: Release | None = None
    asked: list[str] = field(default_factory=list)

    def release(self, name: str, namespace: str) -> Release | None:
        return self.installed

    def resolve(self, source: ChartSource, limit: float = 90) -> ResolvedChart:
        self.asked.append(source.place)
        if source.local or source.place in self.reachable:
            return ResolvedChart(source, "langfuse", source.version, {SMALL: "true"} if source.small else {})
        raise StepError(f"{source.place} cannot be reached", remedy="name another", id="chart.unreachable")

    def install_or_upgrade(self, name: str, namespace: str, chart: ResolvedChart, values: Mapping[str, Any], progress: Any) -> Release:
        if self.installed is None or not self.installed.same(chart.version, values):
            revision = self.installed.revision + 1 if self.installed else 1
            self.installed = Release(name, "deployed", revision, chart.name, chart.version, chart.annotations, values)
            self.cluster.happened.append(f"install revision {revision}")
        for kind, workload in WORKLOADS:
            if (kind, workload) in self.cluster.objects:
                continue  # what is installed already Helm leaves as it is
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
            self.cluster.put(
                kind,
                workload,
                spec={"replicas": 1, "selector": {"matchLabels": {"app": workload}}},
                status={"observedGeneration": 1, **counts},
            )
        return self.installed

    def uninstall(self, name: str, namespace: str) -> bool:
        there, self.installed = self.installed is not None, None
        self.cluster.happened.append("uninstall")
        return there


WORKLOADS = [
    ("StatefulSet", "langfuse-zookeeper"),
    ("StatefulSet", "langfuse-clickhouse-shard0"),
    ("Deployment", "langfuse-web"),
    ("Deployment", "langfuse-worker"),
]


class Opened(Clients):
    def outputs(self) -> Outputs:
        cluster = dict.fromkeys(ClusterOutputs.model_fields, "x")
        data: dict[str, Any] = {name: 1 if name.endswith("port") else "x" for name in DataOutputs.model_fields}
        return Outputs(
            NetworkOutputs(vpc_id="v", public_subnet_ids=[], private_subnet_ids=[], nat_public_ips=[]),
            ClusterOutputs(**cluster),
            DataOutputs(**data),
            StorageOutputs(langfuse_bucket="lf", clickhouse_bucket="ch", secret_arn="s"),
        )

    def secrets(self) -> PlatformSecrets:
        return PlatformSecrets()


def world(endpoints: Endpoints = SANDBOX, **of_langfuse: Any) -> tuple[Clients, Cluster, Packages]:
    cluster = Cluster()
    cluster.put("Ingress", "langfuse", status={"loadBalancer": {"ingress": [{"hostname": "localhost"}]}})
    packages = Packages(cluster)
    target = Target("t", Settings.model_validate({"langfuse": of_langfuse}), endpoints, Path("/nowhere"))
    clients = Opened(target, kube=cluster)  # type: ignore[arg-type]
    clients.helm = packages  # type: ignore[assignment]
    return clients, cluster, packages


def chart(clients: Clients) -> Chart:
    found = next(step for step in steps(clients) if step.id == "langfuse.chart")
    assert isinstance(found, Chart)
    return found


def test_absent_then_installed_then_present_and_never_twice() -> None:
    clients, cluster, _ = world()
    step = chart(clients)
    assert step.observe().state is State.ABSENT
    assert "revision 1, 4 workloads ready" in step.apply(Quiet())
    assert step.observe().state is State.PRESENT
    step.apply(Quiet())
    assert [one for one in cluster.happened if one.startswith("install")] == ["install revision 1"]


def test_the_public_address_is_in_the_first_revision() -> None:
    clients, _, packages = world()
    chart(clients).apply(Quiet())
    assert packages.installed is not None
    assert packages.installed.values["langfuse"]["nextauth"]["url"] == "https://localhost:8443"


def test_without_an_address_nothing_is_installed() -> None:
    clients, cluster, packages = world()
    del cluster.objects["Ingress", "langfuse"]
    with pytest.raises(StepError, match="no address"):
        chart(clients).apply(Quiet())
    assert packages.installed is None


def test_what_differs_is_said() -> None:
    clients, cluster, packages = world()
    chart(clients).apply(Quiet())
    assert packages.installed is not None
    good = packages.installed
    packages.installed = replace(good, status="pending-upgrade")
    assert chart(clients).observe().evidence == "helm release langfuse is pending-upgrade"
    packages.installed = replace(good, version="1.5.40")
    assert "chart 1.5.40 is installed; wanted is 1.5.41" in chart(clients).observe().evidence
    packages.installed = replace(good, values={**good.values, "s3": {**good.values["s3"], "region": "auto"}})
    assert chart(clients).observe().evidence == "values differ at s3.region"
    packages.installed = good
    cluster.objects["Deployment", "langfuse-web"]["status"]["readyReplicas"] = 0
    cluster.objects["Deployment", "langfuse-web"]["status"]["availableReplicas"] = 0
    finding = chart(clients).observe()
    assert (finding.state, "langfuse-web: 0/1 pods ready" in finding.evidence) == (State.DRIFTED, True)


def test_a_release_whose_values_cannot_be_made_is_unknown_and_never_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    clients, _, _ = world()
    chart(clients).apply(Quiet())

    def outputs(self: Clients) -> Outputs:
        raise NeverBuilt("terraform root 'data' was not applied yet")

    monkeypatch.setattr(Opened, "outputs", outputs)
    assert observe(chart(clients)).state is State.UNKNOWN


def test_the_change_of_a_release_names_the_chart() -> None:
    clients, _, _ = world()
    step = chart(clients)
    (change,) = changes(step.id, observe(step))
    version = clients.target.settings.langfuse.chart.version
    assert change == Change("create", "helm release langfuse", f"chart {version}; helm release langfuse: not there")


def test_what_was_stopped_for_a_backup_is_said_and_started_again() -> None:
    clients, cluster, _ = world()
    chart(clients).apply(Quiet())
    for name in ("langfuse-web", "langfuse-worker"):
        cluster.objects["Deployment", name]["spec"]["replicas"] = 0
    finding = chart(clients).observe()
    assert finding.state is State.DRIFTED
    assert "Deployment langfuse-web was stopped for a backup" in finding.evidence
    chart(clients).apply(Quiet())
    assert chart(clients).observe().state is State.PRESENT


def test_a_chart_of_another_line_is_not_taken_for_an_update() -> None:
    clients, _, packages = world()
    chart(clients).apply(Quiet())
    assert packages.installed is not None
    packages.installed = replace(packages.installed, version="2.0.0")
    assert "of another line than 1.5.41" in chart(clients).observe().evidence


def test_the_small_chart_stands_in_only_where_it_may() -> None:
    clients, _, packages = world()
    packages.reachable = frozenset()
    assert resolve(clients).source.small
    assert "small chart of this project" in chart(clients).apply(Quiet())
    assert chart(clients).observe().state is State.PRESENT


def test_real_clouds_never_get_the_small_chart() -> None:
    clients, _, packages = world(Endpoints())
    packages.reachable = frozenset()
    with pytest.raises(StepError, match="cannot be reached"):
        resolve(clients)
    assert packages.asked == ["https://langfuse.github.io/langfuse-k8s", "oci://ghcr.io/langfuse/langfuse-k8s/charts/langfuse"]


def test_a_configured_place_is_the_only_one_tried() -> None:
    clients, _, packages = world(chart={"oci": "oci://mirror.example.com/langfuse"})
    with pytest.raises(StepError):
        resolve(clients)
    assert packages.asked == ["oci://mirror.example.com/langfuse"]


def test_a_missing_path_is_refused_before_anything_starts(tmp_path: Path) -> None:
    clients, _, _ = world(chart={"path": str(tmp_path / "none")})
    with pytest.raises(ConfigError, match=r"langfuse\.chart\.path"):
        preflight(clients.target)


def test_pods_that_gave_up_before_clickhouse_was_there_are_made_anew() -> None:
    clients, cluster, _ = world()
    gave_up = {"containerStatuses": [{"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
    cluster.put("Pod", "langfuse-web-1", status=gave_up)
    cluster.put("Pod", "langfuse-web-2", status={"containerStatuses": [{"restartCount": 1, "state": {"running": {}}}]})
    chart(clients).apply(Quiet())
    assert [one for one in cluster.happened if "Pod" in one] == ["delete Pod langfuse-web-1"]


def test_removing_takes_claims_and_volumes_along_and_leaves_others() -> None:
    clients, cluster, _ = world()
    chart(clients).apply(Quiet())
    for name in ("data-langfuse-clickhouse-shard0-0", "data-langfuse-zookeeper-0", "data-of-somebody"):
        cluster.put("PersistentVolumeClaim", name, spec={"volumeName": f"pv-{name}"})
        cluster.put("PersistentVolume", f"pv-{name}")
    assert chart(clients).destroy(Quiet()) == "removed helm release langfuse, 2 volumes"
    assert ("PersistentVolumeClaim", "data-of-somebody") in cluster.objects
    assert ("PersistentVolume", "pv-data-langfuse-zookeeper-0") not in cluster.objects
    assert chart(clients).destroy(Quiet()) == "nothing was there"


def test_line_2_removes_custom_resources_before_the_chart() -> None:
    clients, cluster, packages = world(chart={"version": "2.0.0"})
    cluster.put("ClickHouseCluster", "langfuse", spec={})
    cluster.put("KeeperCluster", "langfuse", spec={})
    assert "langfuse.operator" in chart(clients).needs
    chart(clients).apply(Quiet())
    assert cluster.objects["ClickHouseCluster", "langfuse"]["spec"]["podTemplate"]["serviceAccountName"] == "langfuse-clickhouse"
    chart(clients).destroy(Quiet())
    order = [one for one in cluster.happened if one.startswith(("delete", "uninstall"))]
    assert order == ["delete ClickHouseCluster langfuse", "delete KeeperCluster langfuse", "uninstall"]
    assert packages.installed is None


def test_the_operators_charts_are_sought_in_every_place_and_the_remedy_is_their_own() -> None:
    clients, _, packages = world(chart={"version": "2.0.0"})
    operator = next(step for step in steps(clients) if step.id == "langfuse.operator")
    with pytest.raises(StepError) as caught:
        operator.apply(Quiet())
    assert packages.asked == ["https://charts.jetstack.io", "oci://quay.io/jetstack/charts/cert-manager"]
    assert "install cert-manager yourself" in caught.value.remedy
    assert "langfuse.chart" not in caught.value.remedy


def test_own_claims() -> None:
    assert is_own_claim("clickhouse-storage-volume-x-0")
    assert not is_own_claim("data-litellm-0")


@pytest.mark.parametrize("how", ["values", "patch", "none"])
def test_line_2_tells_the_operator_to_move_no_pod_and_to_leave_the_database(how: str) -> None:
    clients, cluster, _ = world(chart={"version": "2.0.0"}, post_install=how)
    cluster.put("ClickHouseCluster", "langfuse", spec={"replicas": 1})
    cluster.put("KeeperCluster", "langfuse", spec={"replicas": 1})
    chart(clients).apply(Quiet())
    told = cluster.objects["ClickHouseCluster", "langfuse"]["spec"]
    assert told["settings"] == {"enableDatabaseSync": False}
    assert ("podTemplate" in told) is (how == "values")
    for kind in ("ClickHouseCluster", "KeeperCluster"):
        assert cluster.objects[kind, "langfuse"]["spec"]["annotations"] == {"karpenter.sh/do-not-disrupt": "true"}
    patches = [one for one in cluster.happened if one.startswith("patch")]
    chart(clients).apply(Quiet())
    assert [one for one in cluster.happened if one.startswith("patch")] == patches
    # Pods that would only be made again for it get the account by the same road.
    assert tell_operator(clients, own_account=True) is (how != "values")
