"""The Helm door with the real program, without a cluster."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from genai_platform import programs
from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, Interrupted, StepError
from genai_platform.render.chart import ChartSource, chart_sources, small_chart
from genai_platform.tools.helm.client import Helm, Release, ResolvedChart
from genai_platform.tools.kubernetes.client import Kube

UNDISTURBED = {"karpenter.sh/do-not-disrupt": "true"}
VALUES: dict[str, Any] = {
    "langfuse": {
        "pod": {"annotations": UNDISTURBED},
        "salt": {"secretKeyRef": {"name": "s", "key": "salt"}},
        "encryptionKey": {"secretKeyRef": {"name": "s", "key": "e"}},
        "nextauth": {"url": "https://x:8443", "secret": {"secretKeyRef": {"name": "s", "key": "n"}}},
        "additionalEnv": [{"name": "LANGFUSE_INIT_ORG_ID", "value": "yes: {{ .x }}"}],
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:langfuse"}},
    },
    "postgresql": {
        "deploy": False, "host": "pg", "args": "sslmode=require",
        "auth": {"username": "langfuse", "database": "langfuse", "existingSecret": "s", "secretKeys": {"userPasswordKey": "p"}},
    },
    "redis": {"deploy": False, "host": "r", "tls": {"enabled": True}, "auth": {"existingSecret": "s", "existingSecretPasswordKey": "t"}},
    "s3": {"deploy": False, "bucket": "b", "region": "ap-northeast-1"},
    "clickhouse": {
        "auth": {"existingSecret": "s", "existingSecretKey": "c"}, "persistence": {"storageClass": "fast"},
        "podAnnotations": UNDISTURBED, "zookeeper": {"podAnnotations": UNDISTURBED},
        "extraVolumes": [{"name": "more", "configMap": {"name": "m"}}], "extraVolumeMounts": [{"name": "more", "mountPath": "/etc/more"}],
    },
}  # fmt: skip


def helm(variables: dict[str, str] | None = None) -> Helm:
    target = Target("default", Settings(), Endpoints(environment_variables=variables or {}), Path("/nowhere"))
    return Helm(target, Kube(target), lambda: programs.find("helm"))


@pytest.fixture(scope="module")
def rendered() -> dict[tuple[str, str], dict[str, Any]]:
    door = helm()
    documents = door.template(door.resolve(small_chart()), "langfuse", "genai-platform", VALUES)
    return {(one["kind"], one["metadata"]["name"]): one for one in documents}


def test_the_small_chart_of_line_2_leaves_clickhouse_to_the_operator() -> None:
    door = helm()
    settings = {"merge_tree": {"storage_policy": "s3_main"}}
    clickhouse = {
        "auth": {"existingSecret": "s", "existingSecretKey": "c"},
        "cluster": {"settings": settings, "storage": {"className": "fast", "size": "20Gi"}},
    }
    values = {**VALUES, "clickhouse": clickhouse}
    documents = door.template(door.resolve(small_chart(2)), "langfuse", "genai-platform", values)
    found = {(one["kind"], one["metadata"]["name"]): one for one in documents}
    assert set(found) == {
        ("ServiceAccount", "langfuse"),
        *(("Deployment", name) for name in ("langfuse-web", "langfuse-worker")),
        ("Service", "langfuse-web"),
        *(("Secret", name) for name in ("langfuse-app", "langfuse-clickhouse-auth")),
        *((kind, "langfuse") for kind in ("ClickHouseCluster", "KeeperCluster")),
    }
    for name in ("langfuse-app", "langfuse-clickhouse-auth"):
        assert found["Secret", name]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    cluster = found["ClickHouseCluster", "langfuse"]["spec"]
    assert cluster["settings"]["extraConfig"] == settings
    assert cluster["settings"]["defaultUserPassword"]["secret"] == {"name": "s", "key": "c"}
    assert cluster["dataVolumeClaimSpec"]["storageClassName"] == "fast"
    env = {one["name"]: one.get("value") for one in found["Deployment", "langfuse-web"]["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["CLICKHOUSE_URL"] == "http://langfuse-clickhouse-headless:8123"
    assert env["CLICKHOUSE_CLUSTER_ENABLED"] == "true"


def test_object_names_are_those_of_the_public_chart(rendered: dict[tuple[str, str], Any]) -> None:
    assert set(rendered) == {
        *(("ServiceAccount", name) for name in ("langfuse", "langfuse-clickhouse", "langfuse-zookeeper")),
        *(("Deployment", name) for name in ("langfuse-web", "langfuse-worker")),
        *(("StatefulSet", name) for name in ("langfuse-clickhouse-shard0", "langfuse-zookeeper")),
        *(("ConfigMap", name) for name in ("langfuse-clickhouse", "langfuse-clickhouse-scripts", "langfuse-zookeeper-scripts")),
        ("Service", "langfuse-web"),
        *(("Service", f"langfuse-{name}{kind}") for name in ("clickhouse", "zookeeper") for kind in ("", "-headless")),
    }


@pytest.mark.parametrize(("name", "port"), [("web", 3000), ("worker", 3030)])
def test_pods_get_the_variables_langfuse_reads(rendered: dict[tuple[str, str], Any], name: str, port: int) -> None:
    [container] = rendered["Deployment", f"langfuse-{name}"]["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
    assert container["ports"][0]["containerPort"] == port
    assert env["DATABASE_HOST"] == "pg"
    assert env["REDIS_CONNECTION_STRING"] == "rediss://default:$(REDIS_PASSWORD)@r:6379/0"
    assert env["CLICKHOUSE_URL"] == "http://langfuse-clickhouse:8123"
    assert env["CLICKHOUSE_CLUSTER_ENABLED"] == "false"
    assert env["CLICKHOUSE_MIGRATION_URL"] == "clickhouse://langfuse-clickhouse:9000"
    assert env["LANGFUSE_S3_EVENT_UPLOAD_REGION"] == "ap-northeast-1"
    assert env["SALT"] == {"secretKeyRef": {"name": "s", "key": "salt"}}
    assert env["LANGFUSE_INIT_ORG_ID"] == "yes: {{ .x }}"
    assert "LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID" not in env
    # A reference to a variable works only where that variable comes first.
    names = [one["name"] for one in container["env"]]
    assert names.index("REDIS_PASSWORD") < names.index("REDIS_CONNECTION_STRING")


def test_every_pod_has_the_annotations_it_is_given(rendered: dict[tuple[str, str], Any]) -> None:
    workloads = [one for (kind, _), one in rendered.items() if kind in ("Deployment", "StatefulSet")]
    assert len(workloads) == 4
    for one in workloads:
        assert UNDISTURBED.items() <= one["spec"]["template"]["metadata"]["annotations"].items()


def test_what_is_added_to_clickhouse_is_mounted_after_the_charts_own(rendered: dict[tuple[str, str], Any]) -> None:
    [container] = rendered["StatefulSet", "langfuse-clickhouse-shard0"]["spec"]["template"]["spec"]["containers"]
    places = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert places[-1] == "/etc/more"


def test_claims_and_accounts(rendered: dict[tuple[str, str], Any]) -> None:
    [claim] = rendered["StatefulSet", "langfuse-clickhouse-shard0"]["spec"]["volumeClaimTemplates"]
    assert (claim["metadata"]["name"], claim["spec"]["storageClassName"]) == ("data", "fast")
    assert rendered["ServiceAccount", "langfuse"]["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:langfuse"}


def test_missing_values_are_refused_by_the_chart() -> None:
    door = helm()
    broken = {**VALUES, "postgresql": {**VALUES["postgresql"], "host": ""}}
    with pytest.raises(StepError, match=r"postgresql\.host is required"):
        door.template(door.resolve(small_chart()), "langfuse", "genai-platform", broken)


def test_a_path_that_does_not_exist_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ConfigError, match=r"langfuse\.chart\.path") as caught:
            helm().resolve(ChartSource(str(path), "1.5.41", key="langfuse.chart.path"))
        assert caught.value.exit_code == 2


def test_a_path_of_another_line_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(small_chart().reference, tmp_path / "chart")
    file = folder / "Chart.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "version": "2.1.0"}))
    with pytest.raises(ConfigError, match=r"holds version 2\.1\.0"):
        helm().resolve(ChartSource(str(folder), "1.5.41", key="langfuse.chart.path"))


def test_an_unreachable_repository_names_its_key_and_the_others() -> None:
    settings = Settings.model_validate({"langfuse": {"chart": {"repository": "http://127.0.0.1:9/charts"}}})
    target = Target("default", settings, Endpoints(), Path("/nowhere"))
    with pytest.raises(StepError, match=r"langfuse\.chart\.repository = http://127\.0\.0\.1:9") as caught:
        helm().resolve(chart_sources(target)[0])
    assert "langfuse.chart.oci" in caught.value.remedy
    assert "langfuse.chart.path" in caught.value.remedy


def test_a_helm_that_does_not_answer_is_not_waited_for_forever(tmp_path: Path) -> None:
    slow = tmp_path / "helm"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    target = Target("default", Settings(), Endpoints(), Path("/nowhere"))
    with pytest.raises(StepError, match="does not answer"):
        Helm(target, Kube(target), lambda: slow).resolve(small_chart(), limit=0.3)


class Scripted:
    """A program in Helm's place that writes down how it was called."""

    def __init__(self, folder: Path, status: str, before: str = '{"revision":2,"status":"superseded"}') -> None:
        self.log = folder / "calls"
        self.program = folder / "helm"
        self.program.write_text(
            f'#!/bin/sh\necho "$@" >> {self.log}\ncase "$1" in\n'
            f'status) echo \'{{"name":"langfuse","version":3,"info":{{"status":"{status}"}}}}\';;\n'
            "get) case \"$2\" in all) printf 'name: langfuse\\nversion: 1.5.41\\n';; values) echo '{\"a\":1}';; esac;;\n"
            "version) echo v4.3.1;;\n"
            'upgrade) cat > "$0.values"; echo \'{"name":"langfuse"}\';;\n'
            f"history) echo '[{before}]';;\nesac\n"
        )
        self.program.chmod(0o755)

    def calls(self, verb: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(verb)]


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


def installed(tmp_path: Path, status: str, values: dict[str, Any], version: str = "1.5.41", **more: str) -> tuple[Scripted, Release]:
    program = Scripted(tmp_path, status, **more)
    target = Target("default", Settings(), Endpoints(kubeconfig=tmp_path / "kubeconfig"), tmp_path)
    door = Helm(target, Kube(target), lambda: program.program)
    chart = ResolvedChart(ChartSource("langfuse", version, "https://charts.example.com"), "langfuse", version, {})
    return program, door.install_or_upgrade("langfuse", "genai-platform", chart, values, Quiet())


def test_equal_version_and_values_make_no_revision(tmp_path: Path) -> None:
    program, release = installed(tmp_path, "deployed", {"a": 1})
    assert release.revision == 3
    assert program.calls("upgrade") == []


def test_values_travel_on_standard_input(tmp_path: Path) -> None:
    program, _ = installed(tmp_path, "deployed", {"a": "confidential"})
    [call] = program.calls("upgrade")
    assert "confidential" not in call
    assert "confidential" in (tmp_path / "helm.values").read_text()
    assert "--values -" in call
    assert "--timeout 1200s" in call
    assert "--rollback-on-failure" not in call


def test_another_version_is_an_upgrade(tmp_path: Path) -> None:
    program, _ = installed(tmp_path, "deployed", {"a": 1}, version="1.5.42")
    assert "--version 1.5.42" in program.calls("upgrade")[0]


def test_a_release_left_by_a_killed_run_is_cleaned_up_first(tmp_path: Path) -> None:
    program, _ = installed(tmp_path, "pending-upgrade", {"a": 2})
    assert program.calls("rollback langfuse 2")
    program, _ = installed(tmp_path, "pending-install", {"a": 2})
    assert program.calls("uninstall langfuse")


def test_a_release_of_which_no_revision_ever_stood_is_unlocked_too(tmp_path: Path) -> None:
    program, _ = installed(
        tmp_path, "pending-upgrade", {"a": 2}, before='{"revision":1,"status":"failed"},{"revision":3,"status":"pending-upgrade"}'
    )
    assert program.calls("rollback langfuse 1")


class Stopping(Quiet):
    """A person who has asked to stop."""

    def check(self) -> None:
        raise Interrupted


def test_a_wait_of_helms_is_ended_cleanly_when_asked(tmp_path: Path) -> None:
    program = Scripted(tmp_path, "failed")
    waiting = f'upgrade) sleep 60 >/dev/null 2>&1 & trap "kill $!; echo ended >> {program.log}; exit 1" TERM; wait $!; '
    text = program.program.read_text().replace("upgrade) ", waiting)
    program.program.write_text(text)
    target = Target("default", Settings(), Endpoints(kubeconfig=tmp_path / "kubeconfig"), tmp_path)
    chart = ResolvedChart(ChartSource("cert-manager", "1", "https://charts.example.com"), "cert-manager", "1", {})
    with pytest.raises(Interrupted):
        Helm(target, Kube(target), lambda: program.program).install_or_upgrade("c", "ns", chart, {}, Stopping(), wait=True)
    assert program.calls("ended")


def test_the_surroundings_lead_helm_to_no_other_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_KUBEAPISERVER", "https://elsewhere")
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HELM_CACHE_HOME", "/kept")
    program = tmp_path / "helm"
    program.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\nprintf "name: langfuse\nversion: 1.5.41\n"\n')
    program.chmod(0o755)
    target = Target("default", Settings(), Endpoints(), tmp_path)
    Helm(target, Kube(target), lambda: program).resolve(small_chart())
    seen = (tmp_path / "env").read_text()
    assert "elsewhere" not in seen
    assert "HELM_CACHE_HOME=/kept" in seen


def test_the_surroundings_reach_helm(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text('#!/bin/sh\nprintf "name: %s\\nversion: 1.5.41\\n" "$MARK"\n')
    program.chmod(0o755)
    target = Target("default", Settings(), Endpoints(environment_variables={"MARK": "seen", "PATH": os.environ["PATH"]}), tmp_path)
    assert Helm(target, Kube(target), lambda: program).resolve(small_chart()).name == "seen"
