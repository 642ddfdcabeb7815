"""Chart values, the disk's file and the Secret of Langfuse, for both chart lines."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError
from genai_platform.render import chart, langfuse, manifests
from genai_platform.render.clickhouse_disk import check_policy
from genai_platform.render.outputs import ClusterOutputs, DataOutputs, NetworkOutputs, Outputs, StorageOutputs
from genai_platform.render.secrets import PlatformSecrets

URL = "https://lb-1.ap-northeast-1.elb.amazonaws.com:8443"


def outputs(**changes: Any) -> Outputs:
    data = {
        "postgres_cluster_id": "p", "postgres_host": "pg.example.com", "postgres_port": 5432, "postgres_admin": "root1",
        "redis_replication_group_id": "r", "redis_host": "redis.example.com", "redis_port": 6379,
    }  # fmt: skip
    cluster = dict.fromkeys(("cluster_name", "cluster_endpoint", "cluster_ca", "cluster_security_group_id", "oidc_provider_arn"), "x")
    roles = {f"{name}_role_arn": f"arn:aws:iam::123456789012:role/{name}" for name in ("litellm", "langfuse", "clickhouse")}
    return Outputs(
        NetworkOutputs(vpc_id="v", public_subnet_ids=[], private_subnet_ids=[], nat_public_ips=[]),
        ClusterOutputs(**(cluster | roles)),
        DataOutputs(**(data | changes)),
        StorageOutputs(langfuse_bucket="genai-langfuse-1", clickhouse_bucket="genai-clickhouse-1", secret_arn="arn"),
    )


def target(endpoint: str | None = None, **of_langfuse: Any) -> Target:
    settings = Settings.model_validate({"langfuse": of_langfuse})
    return Target("default", settings, Endpoints(aws=AwsEndpoints(url=endpoint)), Path("/nowhere"))


def values(where: Target, **changes: Any) -> dict[str, Any]:
    return langfuse.values(where, outputs(**changes), URL)


LINES = ("1.5.41", "2.0.0")


@pytest.mark.parametrize("version", LINES)
def test_values_name_the_outside_stores_and_never_a_secret(version: str) -> None:
    made = values(target(chart={"version": version}))
    assert made["postgresql"]["host"] == "pg.example.com"
    assert made["postgresql"]["deploy"] is False
    assert made["postgresql"]["args"] == "sslmode=require"
    assert made["redis"]["tls"] == {"enabled": True}
    assert made["redis"]["auth"]["existingSecret"] == "langfuse-platform"
    assert made["s3"]["region"] == "ap-northeast-1"
    assert made["s3"]["bucket"] == "genai-langfuse-1"
    assert made["langfuse"]["nextauth"]["url"] == URL
    assert made["langfuse"]["features"]["signUpDisabled"] is True
    assert made["langfuse"]["replicas"] == 1
    secrets = PlatformSecrets().model_dump()
    text = langfuse.values_text(target(chart={"version": version}), outputs(), URL)
    assert not [name for name, value in secrets.items() if hasattr(value, "get_secret_value") and value.get_secret_value() in text]


@pytest.mark.parametrize("version", LINES)
def test_the_same_inputs_give_the_same_bytes(version: str) -> None:
    where = target(chart={"version": version})
    assert langfuse.values_text(where, outputs(), URL) == langfuse.values_text(where, outputs(), URL)


def test_every_secret_the_values_point_to_exists() -> None:
    document = langfuse.secret_document(PlatformSecrets())

    def keys(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["key"]} if node.get("name") == "langfuse-platform" and "key" in node else set()
            ending = {str(value) for key, value in node.items() if key.endswith(("PasswordKey", "SecretKey")) and isinstance(value, str)}
            return own.union(ending, *(keys(value) for value in node.values()))
        return set().union(*(keys(one) for one in node)) if isinstance(node, list) else set()

    wanted = keys(values(target()))
    assert wanted == set(document["data"])
    assert len(base64.b64decode(document["data"]["encryption-key"])) == 64


def test_headless_start_takes_its_secrets_by_reference() -> None:
    variables = {one["name"]: one for one in values(target(user_email="ann@example.com"))["langfuse"]["additionalEnv"]}
    assert variables["LANGFUSE_INIT_USER_EMAIL"]["value"] == "ann@example.com"
    assert variables["LANGFUSE_INIT_ORG_ID"]["value"]
    assert variables["LANGFUSE_INIT_PROJECT_ID"]["value"]
    for name in ("PROJECT_PUBLIC_KEY", "PROJECT_SECRET_KEY", "USER_PASSWORD"):
        assert "value" not in variables[f"LANGFUSE_INIT_{name}"]
        assert variables[f"LANGFUSE_INIT_{name}"]["valueFrom"]["secretKeyRef"]["name"] == "langfuse-platform"


@pytest.mark.parametrize("version", LINES)
def test_idle_connections_live_longer_here_than_at_the_load_balancer(version: str) -> None:
    parameters = manifests.ingress_class("g", [])[0]["spec"]["loadBalancerAttributes"]
    (idle,) = [int(one["value"]) for one in parameters if one["key"] == "idle_timeout.timeout_seconds"]
    made = values(target(chart={"version": version}))
    (milliseconds,) = [int(one["value"]) for one in made["langfuse"]["additionalEnv"] if one["name"] == "KEEP_ALIVE_TIMEOUT"]
    assert milliseconds > 1000 * idle


def test_post_install_by_values_gives_roles_and_the_disk() -> None:
    made = values(target(post_install="values"))
    role = "eks.amazonaws.com/role-arn"
    assert made["langfuse"]["serviceAccount"]["annotations"] == {role: "arn:aws:iam::123456789012:role/langfuse"}
    assert made["clickhouse"]["serviceAccount"]["annotations"] == {role: "arn:aws:iam::123456789012:role/clickhouse"}
    [mount] = made["clickhouse"]["extraVolumeMounts"]
    assert (mount["mountPath"], mount["subPath"]) == ("/etc/clickhouse-server/config.d/s3disk.xml", "s3disk.xml")
    assert made["clickhouse"]["extraVolumes"][0]["configMap"]["name"] == "clickhouse-s3-config"


@pytest.mark.parametrize("how", ["patch", "none"])
def test_otherwise_the_values_leave_that_alone(how: str) -> None:
    made = values(target(post_install=how))
    assert made["langfuse"]["serviceAccount"]["annotations"] == {}
    assert made["clickhouse"]["extraVolumes"] == made["clickhouse"]["extraVolumeMounts"] == []


def test_one_replica_each_and_no_cluster() -> None:
    clickhouse = values(target())["clickhouse"]
    assert (clickhouse["replicaCount"], clickhouse["zookeeper"]["replicaCount"], clickhouse["clusterEnabled"]) == (1, 1, False)


def test_second_line_has_the_disk_as_settings_and_an_image_of_its_own() -> None:
    made = values(target(chart={"version": "2.0.0"}))
    policy = made["clickhouse"]["cluster"]["settings"]["storage_configuration"]["policies"]["s3_main"]["volumes"]
    assert [volume["disk"] for volume in policy.values()] == ["s3disk", "default"]
    assert made["langfuse"]["image"]["tag"].startswith("4")
    assert values(target(image_tag="3.99.0"))["langfuse"]["image"]["tag"] == "3.99.0"


@pytest.mark.parametrize(
    "text", ["a: b", "{{ x }}", "- a\n- b", "yes", "null", "'\"\\", "#no", "héllo 日本 😀", "a\u2028b", "&x *x !!y", "0x1f"]
)
def test_hostile_text_stays_text(text: str) -> None:
    made = langfuse.values(target(), outputs(postgres_host=text), text)
    assert made["postgresql"]["host"] == text
    assert made["langfuse"]["nextauth"]["url"] == text
    assert set(made) == set(values(target()))


def test_another_endpoint_means_path_style_everywhere() -> None:
    there, aws = target("http://127.0.0.1:5000"), target()
    assert values(there)["s3"] | {"region": ""} == values(aws)["s3"] | {
        "endpoint": "http://127.0.0.1:5000",
        "forcePathStyle": True,
        "region": "",
    }
    assert "<endpoint>http://127.0.0.1:5000/genai-clickhouse-1/disk/</endpoint>" in langfuse.s3disk_xml(there, outputs())
    assert "<endpoint>https://genai-clickhouse-1.s3.ap-northeast-1.amazonaws.com/disk/</endpoint>" in langfuse.s3disk_xml(aws, outputs())


def test_the_disk_file_passes_its_own_rule() -> None:
    assert check_policy(langfuse.s3disk_xml(target(), outputs())) == "s3_main"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("<spare>\n                        <disk>default</disk>\n                    </spare>", ""), "'default' must be its last"),
        (("<disk>default</disk>", "<disk>s3disk</disk>"), "'default' must be its last"),
        (("<disk>s3disk</disk>", "<disk>default</disk>"), "not an S3 disk"),
        (("<storage_policy>s3_main</storage_policy>", ""), "not set"),
        (("<storage_policy>s3_main<", "<storage_policy>other<"), "names 'other'"),
        (("</clickhouse>", ""), "well-formed"),
    ],
)
def test_a_policy_with_which_clickhouse_would_not_start_is_refused(change: tuple[str, str], said: str) -> None:
    text = langfuse.s3disk_xml(target(), outputs()).replace(*change)
    with pytest.raises(ConfigError, match=said):
        check_policy(text)


def test_chart_sources() -> None:
    public = chart.chart_sources(target())
    assert [one.version for one in public] == ["1.5.41", "1.5.41"]
    assert all(one.key == "" for one in public)
    assert chart.chart_sources(target(chart={"oci": "oci://x/y"}))[0].reference == "oci://x/y"
    assert chart.chart_sources(target(chart={"path": "/some/chart"}))[0].key == "langfuse.chart.path"


def test_the_small_chart_is_never_for_the_real_clouds() -> None:
    sandbox = "http://127.0.0.1:1"
    assert not chart.may_be_small(target())
    assert chart.may_be_small(target(sandbox))
    assert not chart.may_be_small(target(sandbox, chart={"path": "/some/chart"}))
    assert not chart.may_be_small(target(sandbox, chart={"repository": "https://charts.example.com"}))
    assert chart.may_be_small(target(sandbox, chart={"version": "2.0.0"}))
    assert chart.small_chart(1).version.startswith("1.")
    assert chart.small_chart(2).version.startswith("2.")


def test_values_text_is_one_yaml_document() -> None:
    assert yaml.safe_load(langfuse.values_text(target(), outputs(), URL)) == values(target())


@pytest.mark.parametrize("version", LINES)
def test_every_pod_has_the_memory_it_may_use(version: str) -> None:
    made = values(target(chart={"version": version}))
    clickhouse = made["clickhouse"]
    sizes = [made["langfuse"][name]["resources"] for name in ("web", "worker")]
    sizes.append(clickhouse["resources"] if version.startswith("1.") else clickhouse["cluster"]["resources"])
    assert [size["limits"]["memory"] for size in sizes] == ["2Gi", "2Gi", "4Gi"]
    assert all(size["requests"]["memory"] == size["limits"]["memory"] for size in sizes)


def test_no_pod_of_the_chart_is_moved_while_it_migrates() -> None:
    undisturbed = {"karpenter.sh/do-not-disrupt": "true"}
    for version in LINES:
        assert values(target(chart={"version": version}))["langfuse"]["pod"]["annotations"] == undisturbed
    first = values(target())["clickhouse"]
    assert first["podAnnotations"] == first["zookeeper"]["podAnnotations"] == undisturbed


def test_the_operators_clickhouse_is_a_cluster() -> None:
    assert values(target(chart={"version": "2.0.0"}))["clickhouse"]["cluster"].get("enabled", True) is True


def test_images_are_a_full_version_the_pinned_charts_own() -> None:
    assert values(target())["langfuse"]["image"]["tag"] == "3.224.1"
    assert values(target(chart={"version": "2.0.0"}))["langfuse"]["image"]["tag"] == "4.4.0"
    # Another chart knows its own.
    assert values(target(chart={"version": "1.5.50"}))["langfuse"]["image"]["tag"] == ""


def test_clickhouses_image_can_come_from_elsewhere() -> None:
    images = {"clickhouse_image": "mirror.example.com/bitnami/clickhouse:25.2.1", "keeper_image": "mirror.example.com/keeper:3.9"}
    made = values(target(**images))
    assert made["clickhouse"]["image"] == {"registry": "mirror.example.com", "repository": "bitnami/clickhouse", "tag": "25.2.1"}
    assert made["clickhouse"]["zookeeper"]["image"]["repository"] == "keeper"
    assert made["global"]["security"]["allowInsecureImages"] is True
    second = values(target(chart={"version": "2.0.0"}, **images))["clickhouse"]
    assert second["image"] == {"repository": "mirror.example.com/bitnami/clickhouse", "tag": "25.2.1"}
    assert second["keeper"]["image"]["tag"] == "3.9"
    assert "image" not in values(target())["clickhouse"]


def test_langfuse_4_is_told_its_write_mode_and_waits_with_old_data_while_it_is_held() -> None:
    variables = {one["name"]: one for one in values(target(chart={"version": "2.0.0"}, write_mode="dual"))["langfuse"]["additionalEnv"]}
    assert variables["LANGFUSE_MIGRATION_V4_WRITE_MODE"]["value"] == "dual"
    backfill = variables["LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL"]["valueFrom"]["configMapKeyRef"]
    assert backfill == {"name": "langfuse-migration", "key": "historic-backfill", "optional": True}
