"""The post-install work against a small Kubernetes world: only what is missing is done, and what was there is said."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.errors import ConfigError
from genai_platform.render.outputs import ClusterOutputs, DataOutputs, NetworkOutputs, Outputs, StorageOutputs
from genai_platform.steps.clients import Clients
from genai_platform.steps.patch import steps
from genai_platform.steps.patch.disk import Disk
from genai_platform.steps.patch.identity import Identity

ROLE = "eks.amazonaws.com/role-arn"
LANGFUSE, CLICKHOUSE = "arn:aws:iam::1:role/langfuse", "arn:aws:iam::1:role/clickhouse"
PATH = "/etc/clickhouse-server/config.d/s3disk.xml"
APPLICATION = ("langfuse-web", "langfuse-worker")
STATEFUL = "langfuse-clickhouse-shard0"
Document = dict[str, Any]


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


class Cluster:
    """Objects by kind and name; a changed template makes new pods, which take their account's role, as on EKS."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Document] = {}
        self.patched: list[str] = []
        self.here = True

    def exists(self) -> bool:
        return self.here

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Document | None:
        return copy.deepcopy(self.objects.get((kind, name)))

    def list(self, api_version: str, kind: str, namespace: str | None = None, *, label_selector: str = "", **more: str) -> list[Document]:
        wanted = dict(pair.split("=") for pair in label_selector.split(",") if pair)
        found = [one for (kind_, _), one in self.objects.items() if kind_ == kind]
        return [copy.deepcopy(one) for one in found if wanted.items() <= one["metadata"].get("labels", {}).items()]

    def apply(self, document: Mapping[str, Any]) -> Document:
        self.objects[document["kind"], document["metadata"]["name"]] = dict(document)
        return dict(document)

    def patch(
        self, api_version: str, kind: str, name: str, namespace: str | None, body: Any, strategy: str = "strategic"
    ) -> Document:  # fmt: skip
        self.patched.append(name)
        found = self.objects[kind, name]
        before = copy.deepcopy(found.get("spec", {}).get("template"))
        _operate(found, body) if strategy == "json" else _merge(found, body)
        if found.get("spec", {}).get("template") != before:
            self.roll(kind, name)
        return found

    def workload(self, kind: str, name: str, account: str) -> None:
        spec = {"serviceAccountName": account, "containers": [{"name": "clickhouse" if name == STATEFUL else name}]}
        template: Document = {"metadata": {"labels": {"run": name}}, "spec": spec}
        self.objects[kind, name] = {
            "kind": kind,
            "metadata": {"name": name, "generation": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"run": name}}, "template": template},
        }
        self.roll(kind, name)

    def roll(self, kind: str, name: str) -> None:
        found = self.objects[kind, name]
        pod = copy.deepcopy(found["spec"]["template"])
        role = self.objects["ServiceAccount", pod["spec"]["serviceAccountName"]]["metadata"].get("annotations", {}).get(ROLE)
        if role:
            pod["spec"]["containers"][0]["env"] = [{"name": "AWS_ROLE_ARN", "value": role}]
        pod["metadata"] |= {"name": f"{name}-0", "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.objects["Pod", f"{name}-0"] = pod
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        found["status"] = {"observedGeneration": 1, **counts}

    def annotate(self, account: str, role: str) -> None:
        self.objects["ServiceAccount", account]["metadata"].setdefault("annotations", {})[ROLE] = role


def _merge(into: Document, body: Mapping[str, Any]) -> None:
    """A strategic merge, as far as these steps need it: lists of named things are merged by their name or path, new ones come first."""
    for key, value in body.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        elif isinstance(value, list):
            listed = into.setdefault(key, [])
            mark = "mountPath" if key == "volumeMounts" else "name"
            for one in value:
                same = next((old for old in listed if old[mark] == one[mark]), None)
                _merge(same, one) if same is not None else listed.insert(0, copy.deepcopy(one))
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


def _operate(on: Document, operations: list[Document]) -> None:
    """A JSON patch (RFC 6902): all of it, or an error."""
    for one in operations:
        *way, last = one["path"].split("/")[1:]
        at: Any = on
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at[step]
        key = int(last) if isinstance(at, list) and last != "-" else last
        if one["op"] == "test":
            assert at[key] == one["value"]
        elif one["op"] == "remove":
            del at[key]
        elif isinstance(at, list):
            at.insert(len(at) if key == "-" else key, copy.deepcopy(one["value"]))
        else:
            at[key] = copy.deepcopy(one["value"])


@pytest.fixture
def cluster() -> Cluster:
    """What the chart leaves when it was given no roles and no disk."""
    made = Cluster()
    for name in ("langfuse", "langfuse-clickhouse"):
        made.objects["ServiceAccount", name] = {"kind": "ServiceAccount", "metadata": {"name": name}}
    for name in APPLICATION:
        made.workload("Deployment", name, "langfuse")
    made.workload("StatefulSet", STATEFUL, "langfuse-clickhouse")
    return made


class Opened(Clients):
    def outputs(self) -> Outputs:
        names = ("cluster_name", "cluster_endpoint", "cluster_ca", "cluster_security_group_id", "oidc_provider_arn", "litellm_role_arn")
        return Outputs(
            NetworkOutputs(vpc_id="v", public_subnet_ids=[], private_subnet_ids=[], nat_public_ips=[]),
            ClusterOutputs(**dict.fromkeys(names, "x"), langfuse_role_arn=LANGFUSE, clickhouse_role_arn=CLICKHOUSE),
            DataOutputs(
                postgres_cluster_id="p", postgres_host="p", postgres_port=1, postgres_admin="a",
                redis_replication_group_id="r", redis_host="r", redis_port=1,
            ),
            StorageOutputs(langfuse_bucket="lf", clickhouse_bucket="ch-bucket", secret_arn="s"),
        )  # fmt: skip

    def cluster(self) -> ClusterOutputs:
        return self.outputs().cluster


def clients(cluster: Cluster) -> Clients:
    return Opened(Target("default", Settings(), Endpoints(), Path("/nowhere")), kube=cluster)  # type: ignore[arg-type]


def test_disk_comes_after_identity(cluster: Cluster) -> None:
    identity, disk = steps(clients(cluster))
    assert identity.id in disk.needs


def test_everything_is_missing_after_a_plain_install(cluster: Cluster) -> None:
    assert [step.observe().state for step in steps(clients(cluster))] == [State.ABSENT, State.ABSENT]


def test_patch_makes_it_right_and_a_second_run_does_nothing(cluster: Cluster) -> None:
    said = [step.apply(Quiet()) for step in steps(clients(cluster))]
    assert "restarted langfuse-web, langfuse-worker, langfuse-clickhouse-shard0" in said[0]
    assert cluster.objects["Pod", "langfuse-web-0"]["spec"]["containers"][0]["env"][0]["value"] == LANGFUSE
    assert cluster.objects["Pod", f"{STATEFUL}-0"]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == PATH
    assert "ch-bucket" in cluster.objects["ConfigMap", "clickhouse-s3-config"]["data"]["s3disk.xml"]
    assert [step.observe().state for step in steps(clients(cluster))] == [State.PRESENT, State.PRESENT]
    cluster.patched.clear()
    again = [step.apply(Quiet()) for step in steps(clients(cluster))]
    assert cluster.patched == []
    assert all("was in place" in one and "restarted" not in one for one in again)


def test_only_what_changed_is_restarted(cluster: Cluster) -> None:
    cluster.annotate("langfuse", LANGFUSE)
    for name in APPLICATION:
        cluster.roll("Deployment", name)
    said = Identity(clients(cluster)).apply(Quiet())
    assert "service account langfuse: was in place" in said
    assert cluster.patched == ["langfuse-clickhouse", STATEFUL]


def test_an_annotation_by_hand_without_a_restart_is_finished(cluster: Cluster) -> None:
    cluster.annotate("langfuse", LANGFUSE)
    cluster.annotate("langfuse-clickhouse", CLICKHOUSE)
    finding = Identity(clients(cluster)).observe()
    assert finding.state is State.DRIFTED
    assert "langfuse-web: 1 running without the role" in finding.evidence
    Identity(clients(cluster)).apply(Quiet())
    assert cluster.patched == [*APPLICATION, STATEFUL]


def test_another_role_is_replaced(cluster: Cluster) -> None:
    cluster.annotate("langfuse", "arn:old")
    assert "has another role (arn:old)" in Identity(clients(cluster)).observe().evidence
    Identity(clients(cluster)).apply(Quiet())
    assert cluster.objects["ServiceAccount", "langfuse"]["metadata"]["annotations"][ROLE] == LANGFUSE


def disk_by_hand(cluster: Cluster, volume: str) -> None:
    pod = cluster.objects["StatefulSet", STATEFUL]["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": volume, "configMap": {"name": "clickhouse-s3-config"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": volume, "mountPath": PATH, "subPath": "s3disk.xml"}]


def test_a_mount_by_hand_counts_whatever_its_volume_is_called(cluster: Cluster) -> None:
    Disk(clients(cluster)).apply(Quiet())
    cluster.workload("StatefulSet", STATEFUL, "langfuse-clickhouse")
    disk_by_hand(cluster, "s3-vol")
    cluster.patched.clear()
    assert Disk(clients(cluster)).observe().state is State.PRESENT
    Disk(clients(cluster)).apply(Quiet())
    assert cluster.patched == []


def test_a_volume_of_our_name_that_is_something_else_is_left_alone(cluster: Cluster) -> None:
    other = {"name": "s3disk-config", "emptyDir": {}}
    cluster.objects["StatefulSet", STATEFUL]["spec"]["template"]["spec"]["volumes"] = [other]
    Disk(clients(cluster)).apply(Quiet())
    volumes = cluster.objects["StatefulSet", STATEFUL]["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "s3disk-config", "emptyDir": {}}
    assert Disk(clients(cluster)).observe().state is State.PRESENT


def test_a_policy_without_default_is_refused_before_anything_changes(cluster: Cluster) -> None:
    Disk(clients(cluster)).apply(Quiet())
    cluster.workload("StatefulSet", STATEFUL, "langfuse-clickhouse")
    data = cluster.objects["ConfigMap", "clickhouse-s3-config"]["data"]
    data["s3disk.xml"] = data["s3disk.xml"].replace("<disk>default</disk>", "")
    cluster.patched.clear()
    with pytest.raises(ConfigError, match="'default' must be its last volume"):
        Disk(clients(cluster)).apply(Quiet())
    assert cluster.patched == []
    assert observe(Disk(clients(cluster))).state is State.UNKNOWN


def test_before_the_chart_there_is_nothing_to_patch() -> None:
    finding = observe(Identity(clients(Cluster())))
    assert (finding.state, "chart is not installed" in finding.evidence) == (State.ABSENT, True)


def test_without_a_cluster(cluster: Cluster) -> None:
    cluster.here = False
    assert [step.observe().evidence for step in steps(clients(cluster))] == ["there is no cluster"] * 2
    assert Identity(clients(cluster)).destroy(Quiet()) == "there is no cluster"


def test_removing_takes_the_roles_away(cluster: Cluster) -> None:
    Identity(clients(cluster)).apply(Quiet())
    assert "langfuse, langfuse-clickhouse" in Identity(clients(cluster)).destroy(Quiet())
    assert Identity(clients(cluster)).destroy(Quiet()) == "no service account had a role"


CHARTS_OWN = [
    {"name": "empty-dir", "mountPath": "/opt/bitnami/clickhouse/etc", "subPath": "app-conf-dir"},
    {"name": "data", "mountPath": "/bitnami/clickhouse"},
]


def with_the_charts_mounts(cluster: Cluster) -> Document:
    """The pod of the public chart: its image links /etc/clickhouse-server to the folder of the first mount."""
    cluster.workload("StatefulSet", STATEFUL, "langfuse-clickhouse")
    pod: Document = cluster.objects["StatefulSet", STATEFUL]["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "empty-dir", "emptyDir": {}}]
    pod["containers"][0]["volumeMounts"] = copy.deepcopy(CHARTS_OWN)
    return pod


def test_the_file_is_mounted_after_what_would_cover_it(cluster: Cluster) -> None:
    pod = with_the_charts_mounts(cluster)
    Disk(clients(cluster)).apply(Quiet())
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == [*(one["mountPath"] for one in CHARTS_OWN), PATH]
    assert [volume["name"] for volume in pod["volumes"]] == ["empty-dir", "s3disk-config"]
    assert Disk(clients(cluster)).observe().state is State.PRESENT


@pytest.mark.parametrize("cover", ["/opt/bitnami/clickhouse/etc", "/etc/clickhouse-server/config.d/", "/opt/bitnami"])
def test_a_mount_that_is_covered_does_not_count_and_is_put_last(cluster: Cluster, cover: str) -> None:
    pod = with_the_charts_mounts(cluster)
    Disk(clients(cluster)).apply(Quiet())
    # As a strategic merge patch by hand leaves it.
    ours = {"name": "s3", "mountPath": PATH, "subPath": "s3disk.xml"}
    pod["volumes"][1]["name"] = "s3"
    pod["containers"][0]["volumeMounts"] = [ours, {"name": "empty-dir", "mountPath": cover}]
    found = Disk(clients(cluster)).observe()
    assert found.state is State.DRIFTED
    assert "does not mount s3disk.xml where ClickHouse sees it" in found.evidence
    Disk(clients(cluster)).apply(Quiet())
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == [cover, PATH]
    assert [volume["name"] for volume in pod["volumes"]] == ["empty-dir", "s3"]
    assert Disk(clients(cluster)).observe().state is State.PRESENT


def test_a_later_mount_beside_the_file_covers_nothing(cluster: Cluster) -> None:
    pod = with_the_charts_mounts(cluster)
    Disk(clients(cluster)).apply(Quiet())
    pod["containers"][0]["volumeMounts"].append({"name": "empty-dir", "mountPath": "/etc/clickhouse-server/config.d/s3disk.xml.bak"})
    assert Disk(clients(cluster)).observe().state is State.PRESENT
