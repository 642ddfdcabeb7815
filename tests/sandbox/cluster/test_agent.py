"""The node agent as kubectl sees it: pods that really run, against a real control plane and the AWS stand-in."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from genai_platform.sandbox import processes, supervisor
from genai_platform.sandbox.aws.identity import administrator
from genai_platform.sandbox.aws.part import Aws
from genai_platform.sandbox.cluster import crds
from genai_platform.sandbox.cluster.agent import provisioner
from genai_platform.sandbox.cluster.agent.part import NodeAgent, rows
from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.cluster.control_plane import ADMIN, API, ETCD, MANAGER
from genai_platform.sandbox.cluster.images import EXTRA
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.parts import PartSpec

IMAGE = "registry.example.com/tests/python:3"


class AgentWithTestImage(NodeAgent):
    def variables(self, layout: SandboxLayout) -> Mapping[str, str]:
        return {EXTRA: "images_for_tests", "PYTHONPATH": str(Path(__file__).parent)}


PLAN = [
    PartSpec(Aws()),
    PartSpec(ETCD),
    PartSpec(API, ("etcd",)),
    PartSpec(MANAGER, ("kube-apiserver",)),
    PartSpec(AgentWithTestImage(), ("kube-apiserver", "kube-controller-manager")),
]


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    made = SandboxLayout.create(tmp_path_factory.mktemp("agent") / "world", "sandbox", "eu-west-1")
    try:
        supervisor.start(made, Quiet(), PLAN)
        yield made
    finally:
        supervisor.stop(made, PLAN)


@pytest.fixture(scope="module")
def kubectl(layout: SandboxLayout) -> Callable[..., str]:
    def run(*arguments: str, documents: list[dict[str, Any]] | None = None, fails: bool = False) -> str:
        text = None if documents is None else json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(layout.kubeconfig), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    return run


def _container(script: str, **more: Any) -> dict[str, Any]:
    return {"name": "main", "image": IMAGE, "command": ["sh", "-c", script], **more}


def _pod(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"terminationGracePeriodSeconds": 2, "containers": list(containers), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template}


def _job(name: str, container: dict[str, Any]) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}


def _workload(kind: str, name: str, pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 2, **pod}}
    more = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": more}


def _until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("timed out")


def test_the_node_is_ready(kubectl: Callable[..., str]) -> None:
    kubectl("wait", "node/sandbox-node", "--for=condition=Ready", "--timeout=20s")


def test_a_deployment_serves_its_config_map_through_its_service(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}, "data": {"index.html": "first"}}
    web = {
        "name": "web",
        "image": IMAGE,
        "args": ["--directory", "/srv/page", "8080"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "securityContext": {"readOnlyRootFilesystem": True, "runAsUser": 1000},
        "volumeMounts": [{"name": "page", "mountPath": "/srv/page"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "livenessProbe": {"exec": {"command": ["test", "-f", "/srv/page/index.html"]}},
    }
    deployment = _workload("Deployment", "web", {"containers": [web], "volumes": [{"name": "page", "configMap": {"name": "page"}}]})
    deployment["spec"]["replicas"] = 2
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    kubectl("apply", "-f", "-", documents=[config, deployment, service])
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    cluster_ip = kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    assert f"{SandboxLayout.loopback(cluster_ip)}\tweb.default.svc.cluster.local\n" in layout.hosts_file.read_text()

    def page() -> str:
        try:
            with urllib.request.urlopen(f"http://{SandboxLayout.loopback(cluster_ip)}/", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    _until(lambda: page() == "first")
    config["data"] = {"index.html": "second"}
    kubectl("apply", "-f", "-", documents=[config])
    _until(lambda: page() == "second")
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert "GET / HTTP" in kubectl("logs", "deployment/web", "--tail=5")
    assert "Successfully assigned" in kubectl("describe", "pod", "-l", "app=web")


def test_jobs_complete_and_fail_by_exit_code(kubectl: Callable[..., str]) -> None:
    reason = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    kubectl(
        "apply",
        "-f",
        "-",
        documents=[_job("good", _container("echo did it")), _job("bad", _container("echo no such role; exit 3", **reason))],
    )
    kubectl("wait", "job/good", "--for=condition=Complete", "--timeout=30s")
    kubectl("wait", "job/bad", "--for=condition=Failed", "--timeout=30s")
    assert kubectl("logs", "job/good") == "did it\n"
    path = "jsonpath={.items[0].status.containerStatuses[0].state.terminated}"
    ended = json.loads(kubectl("get", "pods", "-l", "job-name=bad", "-o", path))
    assert (ended["exitCode"], ended["message"]) == (3, "no such role")


def test_an_unknown_image_is_simulated_but_its_job_does_not_pretend(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    unknown = {"name": "main", "image": "example.com/keeper:3"}
    kubectl("apply", "-f", "-", documents=[_workload("Deployment", "keeper", {"containers": [unknown]}), _job("guess", unknown)])
    kubectl("rollout", "status", "deployment/keeper", "--timeout=30s")
    kubectl("wait", "job/guess", "--for=condition=Failed", "--timeout=30s")
    listed = _until(lambda: [row for row in rows(layout) if "keeper" in row.name])
    assert [(row.kind, row.pid, row.state) for row in listed] == [("simulated", None, "running")]


def test_a_stateful_set_keeps_its_volume_and_the_account_shows_it(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    key = administrator(layout)
    session = boto3.session.Session(key.access_key_id, key.secret_access_key, region_name=layout.region)
    eks, ec2 = (session.client(name, endpoint_url=layout.url("aws")) for name in ("eks", "ec2"))
    eks.create_cluster(name="genai", roleArn="arn:aws:iam::123456789012:role/cluster", resourcesVpcConfig={"subnetIds": []})
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "auto"},
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {"storageClassName": "auto", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}},
    }
    script = "echo run >> /var/lib/db/runs; cat /var/lib/db/runs; echo --; trap 'exit 0' TERM; while :; do sleep 0.1; done"
    main = _container(script, volumeMounts=[{"name": "data", "mountPath": "/var/lib/db"}])
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": {"clusterIP": "None", "selector": {"app": "db"}}}
    stateful = _workload("StatefulSet", "db", {"containers": [main]}, serviceName="db", volumeClaimTemplates=[claim])
    kubectl("apply", "-f", "-", documents=[storage, service, stateful])
    kubectl("rollout", "status", "statefulset/db", "--timeout=30s")
    _until(lambda: "db-0.db.default.svc.cluster.local" in layout.hosts_file.read_text())
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "tag:eks:eks-cluster-name", "Values": ["genai"]}], IncludeManagedResources=True)[
        "Volumes"
    ]
    assert volume["Size"] == 3
    kubectl("delete", "pod", "db-0")
    kubectl("rollout", "status", "statefulset/db", "--timeout=30s")
    assert _until(lambda: kubectl("logs", "db-0")) == "run\nrun\n--\n"
    kubectl("delete", "statefulset", "db")
    kubectl("wait", "pod/db-0", "--for=delete", "--timeout=30s")
    kubectl("delete", "pvc", "data-db-0")
    _until(lambda: not ec2.describe_volumes(IncludeManagedResources=True)["Volumes"])
    _until(lambda: not list(layout.folder("volumes").iterdir()))


def test_a_missing_secret_holds_a_container_until_it_is_there(kubectl: Callable[..., str]) -> None:
    variable = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}
    kubectl("apply", "-f", "-", documents=[_pod("waits", _container('test "$PASSWORD" = v && exec sleep 60', env=[variable]))])
    path = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    _until(lambda: kubectl("get", "pod", "waits", "-o", path) == "CreateContainerConfigError")
    kubectl("create", "secret", "generic", "late", "--from-literal=k=v")
    kubectl("wait", "pod/waits", "--for=condition=Ready", "--timeout=20s")
    kubectl("delete", "pod", "waits", "--now")


def test_crashes_and_failed_liveness_restart_a_container(kubectl: Callable[..., str]) -> None:
    probe = {"exec": {"command": ["test", "!", "-f", "/tmp/sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    sick = _container("echo started; touch /tmp/sick; trap 'exit 0' TERM; while :; do sleep 0.1; done", livenessProbe=probe)
    kubectl("apply", "-f", "-", documents=[_pod("crash", _container("echo crashing; exit 3")), _pod("sick", sick)])
    path = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    _until(lambda: kubectl("get", "pod", "crash", "-o", path) == "CrashLoopBackOff")
    assert kubectl("logs", "crash") == kubectl("logs", "crash", "--previous") == "crashing\n"
    _until(lambda: int(kubectl("get", "pod", "sick", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") or 0) > 0)
    assert "failed liveness probe, will be restarted" in kubectl("get", "events")
    kubectl("delete", "pod", "crash", "sick", "--now")


def test_a_pod_reaches_the_api_as_its_service_account(kubectl: Callable[..., str]) -> None:
    script = """
from kubernetes import client, config
config.load_incluster_config()
try:
    client.CoreV1Api().list_namespaced_pod("default")
except client.ApiException as error:
    print(error.status, "system:serviceaccount:default:default" in error.body)
"""
    kubectl("apply", "-f", "-", documents=[_job("asks", {"name": "main", "image": IMAGE, "command": ["python3", "-c", script]})])
    kubectl("wait", "job/asks", "--for=condition=Complete", "--timeout=60s")
    assert kubectl("logs", "job/asks") == "403 True\n"


def test_logs_of_a_container_that_never_ran_say_why(kubectl: Callable[..., str]) -> None:
    missing = [{"name": "gone", "secret": {"secretName": "nowhere"}}]
    kubectl("apply", "-f", "-", documents=[_pod("stuck", _container("true"), volumes=missing)])
    _until(lambda: "FailedMount" in kubectl("get", "events", "--field-selector=involvedObject.name=stuck"))
    assert 'container "main" in pod "stuck" is waiting to start: ContainerCreating' in kubectl("logs", "stuck", fails=True)
    kubectl("delete", "pod", "stuck", "--now")


def test_a_pod_finds_none_of_the_sandboxs_own_secrets(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    secrets = [
        "aws/admin.json",
        "kubernetes/sa.key",
        "ca/ca.key",
        "kubeconfig",
        "openai/key",
        "azure/deployer.json",
        "load-balancer/listener.key",
    ]
    for name in secrets:
        if not (layout.root / name).exists():
            (layout.folder(name.rpartition("/")[0]) / name.rpartition("/")[2]).write_text("secret")
    script = f"cd {layout.root}; cat {' '.join(secrets)} 2>/dev/null; ls pods volumes data logs 2>/dev/null | grep -v ':$' | tr -d '\\n'"
    kubectl("apply", "-f", "-", documents=[_job("spy", _container(script))])
    kubectl("wait", "job/spy", "--for=condition=Complete", "--timeout=30s")
    assert kubectl("logs", "job/spy") == ""


def test_an_image_that_its_registry_does_not_have_is_pulled_until_it_is_there(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    absent = "registry.example.com/tests/python:9"
    state = layout.root / "registry.json"
    state.write_text(json.dumps({"missing": [absent]}))
    kubectl("apply", "-f", "-", documents=[_pod("unpulled", _container("sleep 60") | {"image": absent})])
    waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    _until(lambda: kubectl("get", "pod", "unpulled", "-o", waiting) == "ImagePullBackOff")
    told = kubectl("get", "events", "--field-selector", "involvedObject.name=unpulled,reason=Failed", "-o", "jsonpath={.items[*].message}")
    assert f'Failed to pull image "{absent}": rpc error: code = NotFound' in told
    state.unlink()
    kubectl("wait", "pod/unpulled", "--for=condition=Ready", "--timeout=30s")
    kubectl("delete", "pod", "unpulled")


def test_a_pod_for_which_ec2_gives_no_node_has_the_reason_in_its_node_claims_event(
    kubectl: Callable[..., str], layout: SandboxLayout
) -> None:
    with Api.connect(layout, ADMIN) as api:
        crds.install(api)
        _until(lambda: crds.established(api))
    refused = layout.folder("aws") / provisioner.STATE
    refused.write_text("VcpuLimitExceeded")
    kubectl("apply", "-f", "-", documents=[_pod("homeless", _container("sleep 60"))])
    about = "involvedObject.kind=NodeClaim,type=Warning"
    told = _until(lambda: kubectl("get", "events", "-n", "default", "--field-selector", about, "-o", "jsonpath={.items[*].message}"))
    assert "VcpuLimitExceeded: You have requested more vCPU capacity" in told
    assert kubectl("get", "nodeclaims", "-o", "name") == "", "one that EC2 refused is deleted"
    nominated = "involvedObject.name=homeless,reason=Nominated"
    assert "nodeclaim/general-purpose-" in kubectl("get", "events", "--field-selector", nominated, "-o", "jsonpath={.items[*].message}")
    refused.unlink()
    kubectl("wait", "pod/homeless", "--for=condition=Ready", "--timeout=30s")
    kubectl("delete", "pod", "homeless")


def test_the_node_is_an_instance_that_lives_as_long_as_its_cluster(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    key = administrator(layout)
    session = boto3.session.Session(key.access_key_id, key.secret_access_key, region_name=layout.region)
    eks, ec2 = (session.client(name, endpoint_url=layout.url("aws")) for name in ("eks", "ec2"))
    for name in eks.list_clusters()["clusters"]:
        eks.delete_cluster(name=name)
    subnet = ec2.create_subnet(VpcId=ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"], CidrBlock="10.9.1.0/24")["Subnet"]

    def cluster() -> str:
        """Make one, and answer the instance that the node is then."""
        network = {"subnetIds": [subnet["SubnetId"]]}
        _until(lambda: not eks.list_clusters()["clusters"])
        eks.create_cluster(name="genai", roleArn="arn:aws:iam::123456789012:role/cluster", resourcesVpcConfig=network)
        return str(_until(lambda: _running(ec2)))

    first = cluster()
    provider = "jsonpath={.spec.providerID}"
    _until(lambda: kubectl("get", "node", "sandbox-node", "-o", provider) == f"aws:///{subnet['AvailabilityZone']}/{first}")
    assert not ec2.describe_instances()["Reservations"], "managed by Auto Mode, hidden unless asked for"
    eks.delete_cluster(name="genai")
    _until(lambda: _running(ec2) is None)
    second = cluster()
    _until(lambda: kubectl("get", "node", "sandbox-node", "-o", provider).endswith(second))
    kubectl("wait", "node/sandbox-node", "--for=condition=Ready", "--timeout=20s")
    eks.delete_cluster(name="genai")
    _until(lambda: _running(ec2) is None)
    _until(lambda: not eks.list_clusters()["clusters"])
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])


def _running(ec2: Any) -> str | None:
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}], IncludeManagedResources=True)[
        "Reservations"
    ]
    return found[0]["Instances"][0]["InstanceId"] if found else None


def test_exec_is_refused_with_a_reason(kubectl: Callable[..., str]) -> None:
    assert "not available in the sandbox" in kubectl("exec", "deployment/web", "--", "ls", fails=True)
    pod = kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    assert "debug are not available" in kubectl("debug", pod, "--image=busybox", "--", "true", fails=True)


def test_a_restarted_agent_starts_the_same_pods_again(kubectl: Callable[..., str], layout: SandboxLayout) -> None:
    path = "jsonpath={range .items[*]}{.metadata.uid} {end}"
    before = kubectl("get", "pods", "-l", "app=web", "-o", path)
    pids = [row.pid for row in rows(layout) if row.pid]
    assert pids
    processes.end(layout, "node-agent", 8)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    supervisor.start(layout, Quiet(), PLAN)
    restarts = "jsonpath={.items[*].status.containerStatuses[0].restartCount}"
    _until(lambda: kubectl("get", "pods", "-l", "app=web", "-o", restarts) == "1 1")
    kubectl("wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=30s")
    assert kubectl("get", "pods", "-l", "app=web", "-o", path) == before
    assert kubectl("logs", "job/good") == "did it\n"


def test_a_killed_agent_leaves_no_process(layout: SandboxLayout) -> None:
    pids = _until(lambda: [row.pid for row in rows(layout) if row.pid])
    agent = processes.recorded(layout, "node-agent")
    assert agent is not None
    agent.kill()
    _until(lambda: not [pid for pid in pids if psutil.pid_exists(pid)])
