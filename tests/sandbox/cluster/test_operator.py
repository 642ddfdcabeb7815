"""What the stand-in of the ClickHouse operator makes of a custom resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.render.clickhouse_disk import check_policy
from genai_platform.sandbox.cluster.api import ApiError
from genai_platform.sandbox.cluster.operator import CONFIGURATION, Operator, objects

DISK = {
    "storage_configuration": {
        "disks": {"s3disk": {"type": "s3", "endpoint": "http://127.0.0.1:1/b/disk/", "use_environment_credentials": True}},
        "policies": {"s3_main": {"volumes": {"main": {"disk": "s3disk"}, "spare": {"disk": "default"}}}},
    },
    "merge_tree": {"storage_policy": "s3_main"},
}


def resource(kind: str, **spec: Any) -> dict[str, Any]:
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "20Gi"}}}
    return {
        "apiVersion": "clickhouse.com/v1alpha1",
        "kind": kind,
        "metadata": {"name": "langfuse", "namespace": "genai-platform", "uid": "u-1", "generation": 3},
        "spec": {"replicas": 1, "dataVolumeClaimSpec": claim, **spec},
    }


def made(kind: str, **spec: Any) -> dict[str, dict[str, Any]]:
    return {f"{one['kind']} {one['metadata']['name']}": one for one in objects(resource(kind, **spec))}


class Api:
    """Writes down what it is sent; refuses when told so."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((path, body))
        return body

    def apply(self, collection: str, body: dict[str, Any], owner: str) -> dict[str, Any]:
        if self.refusal:
            raise ApiError(422, self.refusal)
        return self.patch(f"{collection}/{body['metadata']['name']}", body)


def test_object_names_are_those_of_the_real_operator() -> None:
    assert set(made("ClickHouseCluster")) == {
        "ConfigMap langfuse-clickhouse",
        "Service langfuse-clickhouse-headless",
        "StatefulSet langfuse-clickhouse-0-0",
    }
    assert set(made("KeeperCluster")) == {"Service langfuse-keeper-headless", "StatefulSet langfuse-keeper-0"}


def test_account_password_and_claim_reach_the_pod() -> None:
    secret = {"name": "langfuse-platform", "key": "clickhouse-password"}
    found = made(
        "ClickHouseCluster",
        podTemplate={"serviceAccountName": "langfuse-clickhouse"},
        settings={"defaultUserPassword": {"passwordType": "password", "secret": secret}},
    )["StatefulSet langfuse-clickhouse-0-0"]["spec"]
    pod = found["template"]["spec"]
    assert pod["serviceAccountName"] == "langfuse-clickhouse"
    assert pod["containers"][0]["env"][-1] == {"name": "CLICKHOUSE_PASSWORD", "valueFrom": {"secretKeyRef": secret}}
    assert found["volumeClaimTemplates"][0]["metadata"]["name"] == "clickhouse-storage-volume"
    assert found["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"


def test_settings_become_a_file_clickhouse_would_start_with_and_a_change_makes_the_pod_again() -> None:
    before = made("ClickHouseCluster")
    after = made("ClickHouseCluster", settings={"extraConfig": DISK})
    text = after["ConfigMap langfuse-clickhouse"]["data"][CONFIGURATION.rpartition("/")[2]]
    assert check_policy(text) == "s3_main"
    assert "<use_environment_credentials>true</use_environment_credentials>" in text

    def template(found: dict[str, dict[str, Any]]) -> Any:
        return found["StatefulSet langfuse-clickhouse-0-0"]["spec"]["template"]

    assert template(before) != template(after)


def test_everything_goes_with_its_resource() -> None:
    for one in objects(resource("ClickHouseCluster")):
        assert one["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_it_applies_says_so_once_and_leaves_what_is_being_deleted() -> None:
    api = Api()
    one = resource("KeeperCluster")
    Operator(api).changed("set", one)  # type: ignore[arg-type]
    assert [path.rpartition("/")[2] for path, _ in api.sent] == ["langfuse-keeper-headless", "langfuse-keeper-0", "status"]
    one["status"] = api.sent[-1][1]["status"]
    api.sent.clear()
    Operator(api).changed("set", one)  # type: ignore[arg-type]
    assert not any(path.endswith("/status") for path, _ in api.sent)
    api.sent.clear()
    one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    Operator(api).changed("set", one)  # type: ignore[arg-type]
    assert api.sent == []


def test_a_refusal_stands_in_its_status() -> None:
    api = Api("spec.replicas: Invalid value")
    Operator(api).changed("set", resource("ClickHouseCluster"))  # type: ignore[arg-type]
    condition = api.sent[-1][1]["status"]["conditions"][0]
    assert condition["status"] == "False"
    assert "Invalid value" in condition["message"]


def test_the_values_of_line_2_give_such_settings() -> None:
    from genai_platform.render import langfuse
    from genai_platform.render.outputs import ClusterOutputs, DataOutputs, NetworkOutputs, Outputs, StorageOutputs

    target = Target("sandbox", Settings(), Endpoints(aws=AwsEndpoints(url="http://127.0.0.1:5000")), Path("nowhere"))
    storage = StorageOutputs.model_construct(clickhouse_bucket="bucket")
    outputs = Outputs(NetworkOutputs.model_construct(), ClusterOutputs.model_construct(), DataOutputs.model_construct(), storage)
    settings = langfuse.disk_settings(target, outputs)
    text = made("ClickHouseCluster", settings={"extraConfig": settings})["ConfigMap langfuse-clickhouse"]["data"]
    assert check_policy(next(iter(text.values()))) == "s3_main"


def test_annotations_reach_the_pods() -> None:
    for kind, name in (("ClickHouseCluster", "langfuse-clickhouse-0-0"), ("KeeperCluster", "langfuse-keeper-0")):
        template = made(kind, annotations={"karpenter.sh/do-not-disrupt": "true"})[f"StatefulSet {name}"]["spec"]["template"]
        assert template["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
