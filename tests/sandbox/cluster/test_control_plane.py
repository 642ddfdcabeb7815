"""The control plane as kubectl sees it: real servers, controllers that work, EKS's habits."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import psutil
import pytest

from genai_platform.sandbox import supervisor
from genai_platform.sandbox.cluster.api import session
from genai_platform.sandbox.cluster.control_plane import API, ETCD, MANAGER
from genai_platform.sandbox.cluster.issuer import documents, issuer
from genai_platform.sandbox.cluster.webhook import PART
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.parts import PartSpec

PLAN = [PartSpec(ETCD), PartSpec(API, ("etcd",)), PartSpec(MANAGER, ("kube-apiserver",)), PartSpec(PART, ("kube-apiserver",))]
ROLE = "arn:aws:iam::123456789012:role/app"


class Quiet:
    def say(self, text: str) -> None: ...

    def check(self) -> None: ...


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    made = SandboxLayout.create(tmp_path_factory.mktemp("cluster") / "world", "sandbox", "eu-west-1")
    try:
        supervisor.start(made, Quiet(), PLAN)
        yield made
    finally:
        supervisor.stop(made, PLAN)


def kubectl(layout: SandboxLayout, *arguments: str, document: Any = None, fails: bool = False) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(layout.kubeconfig), *arguments],
        input=None if document is None else json.dumps(document),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def wait_for(layout: SandboxLayout, *arguments: str, seconds: float = 30) -> str:
    until = time.monotonic() + seconds
    while not (found := kubectl(layout, *arguments)):
        assert time.monotonic() < until, f"nothing from kubectl {' '.join(arguments)}"
        time.sleep(0.2)
    return found


def test_it_is_the_version_eks_runs(layout: SandboxLayout) -> None:
    server = json.loads(kubectl(layout, "version", "-o", "json"))["serverVersion"]
    assert (server["major"], server["minor"]) == ("1", "35")


def test_a_pod_of_an_annotated_account_shows_its_identity(layout: SandboxLayout) -> None:
    kubectl(layout, "create", "namespace", "identity")
    wait_for(layout, "-n", "identity", "get", "serviceaccount", "default", "--ignore-not-found", "-o", "name")
    kubectl(layout, "-n", "identity", "create", "serviceaccount", "app")
    kubectl(layout, "-n", "identity", "annotate", "serviceaccount", "app", f"eks.amazonaws.com/role-arn={ROLE}")
    for name, account in (("with", "app"), ("without", "default")):
        spec = {"serviceAccountName": account, "containers": [{"name": "c", "image": "busybox"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "identity"}, "spec": spec}
        kubectl(layout, "create", "-f", "-", document=pod)
    spec = json.loads(kubectl(layout, "-n", "identity", "get", "pod", "with", "-o", "json"))["spec"]
    variables = {entry["name"]: entry["value"] for entry in spec["containers"][0]["env"]}
    assert (variables["AWS_ROLE_ARN"], variables["AWS_REGION"]) == (ROLE, "eu-west-1")
    assert "aws-iam-token" in {volume["name"] for volume in spec["volumes"]}
    plain = json.loads(kubectl(layout, "-n", "identity", "get", "pod", "without", "-o", "json"))["spec"]
    assert "env" not in plain["containers"][0]


def test_tokens_name_the_issuer_and_carry_the_audience(layout: SandboxLayout) -> None:
    token = kubectl(layout, "create", "token", "default", "--audience", "sts.amazonaws.com").strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["iss"] == issuer(layout, "eu-west-1")
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == "system:serviceaccount:default:default"


def test_what_the_issuer_publishes_checks_the_real_api_servers_tokens(layout: SandboxLayout) -> None:
    token = kubectl(layout, "create", "token", "default", "--audience", "api://AzureADTokenExchange").strip()
    (published,) = documents(layout)["/keys"]["keys"]
    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    claims = jwt.decode(token, jwt.PyJWK(published), ["RS256"], audience="api://AzureADTokenExchange", issuer=issuer(layout))
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["iat"] <= claims["exp"] <= claims["iat"] + 25 * 3600, "Entra takes no longer life"


def test_the_controllers_work(layout: SandboxLayout) -> None:
    kubectl(layout, "create", "deployment", "web", "--image=nginx", "--replicas=2")
    names = wait_for(layout, "get", "pods", "-l", "app=web", "-o", "name")
    assert "pod/web-" in names
    kubectl(layout, "create", "namespace", "short")
    kubectl(layout, "-n", "short", "create", "configmap", "x")
    kubectl(layout, "delete", "namespace", "short", "--timeout=30s")
    assert "not found" in kubectl(layout, "get", "namespace", "short", fails=True)


def test_services_get_addresses_of_this_sandbox(layout: SandboxLayout) -> None:
    address = kubectl(layout, "get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")
    assert address == f"10.{layout.network}.16.1"


def test_ingress_class_params_are_checked(layout: SandboxLayout) -> None:
    params = {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "IngressClassParams",
        "metadata": {"name": "front"},
        "spec": {
            "scheme": "internet-facing",
            "group": {"name": "g"},
            "certificateARNs": ["arn:aws:acm:eu-west-1:123456789012:certificate/x"],
            "loadBalancerAttributes": [{"key": "idle_timeout.timeout_seconds", "value": "600"}],
        },
    }
    kubectl(layout, "apply", "-f", "-", document=params)
    assert kubectl(layout, "get", "ingressclassparams", "front", "-o", "jsonpath={.spec.group.name}") == "g"
    wrong = params | {"spec": {"scheme": "public"}}
    assert "Unsupported value" in kubectl(layout, "apply", "-f", "-", document=wrong, fails=True)


def test_chart_line_2_finds_its_kinds(layout: SandboxLayout) -> None:
    cluster = {
        "apiVersion": "clickhouse.com/v1alpha1",
        "kind": "ClickHouseCluster",
        "metadata": {"name": "langfuse"},
        "spec": {"replicas": 1, "settings": {"extraConfig": {"anything": "goes"}}},
    }
    kubectl(layout, "apply", "-f", "-", document=cluster)
    kubectl(layout, "apply", "-f", "-", document=cluster | {"kind": "KeeperCluster"})
    found = kubectl(layout, "get", "clickhouseclusters.clickhouse.com", "langfuse", "-o", "jsonpath={.spec.settings.extraConfig.anything}")
    assert found == "goes"


def test_pods_reach_the_api_by_the_rule_of_addresses(layout: SandboxLayout) -> None:
    slices = kubectl(layout, "get", "endpointslice", "kubernetes", "-o", "json")
    address, port = json.loads(slices)["endpoints"][0]["addresses"][0], json.loads(slices)["ports"][0]["port"]
    trusted = ssl.create_default_context(cafile=str(layout.ca_file))
    assert httpx.get(f"https://{layout.loopback(address)}:{port}/version", verify=trusted, trust_env=False).status_code == 401


def test_nobody_gets_in_without_a_certificate(layout: SandboxLayout) -> None:
    trusted = ssl.create_default_context(cafile=str(layout.ca_file))
    assert httpx.get(layout.url("kubernetes", "https") + "/api/v1/pods", verify=trusted, trust_env=False).status_code == 401
    with session(layout, ("stranger", "nobody")) as strange:
        assert strange.get("/api/v1/secrets").status_code == 403
    assert stat.S_IMODE(layout.kubeconfig.stat().st_mode) == 0o600


def test_it_listens_on_loopback_only(layout: SandboxLayout) -> None:
    ports = {layout.ports[name] for name in ("etcd", "etcd_peer", "kubernetes", "controllers", "webhook")}
    bound = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port in ports]
    assert len(bound) == len(ports)
    assert {c.laddr.ip for c in bound if c.laddr} == {"127.0.0.1"}


def test_it_stops_and_comes_back_with_everything(layout: SandboxLayout) -> None:
    kubectl(layout, "create", "configmap", "kept", "--from-literal=a=b")
    supervisor.stop(layout, PLAN)
    for name in ("kubernetes", "etcd"):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", layout.ports[name]))
    supervisor.start(layout, Quiet(), PLAN)
    assert kubectl(layout, "get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"


def test_it_leaves_no_process(tmp_path: Path) -> None:
    layout = SandboxLayout.create(tmp_path / "world", "sandbox")
    supervisor.start(layout, Quiet(), PLAN)
    pids = [row.pid for row in supervisor.status(layout, PLAN)]
    assert None not in pids
    supervisor.remove(layout, PLAN)
    assert not [pid for pid in pids if pid and psutil.pid_exists(pid)]
    assert not layout.root.exists()
