"""Each check can fail: one real thing is broken in the running platform, the check that guards it sees it, and it is mended."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from tests.end_to_end.conftest import NAMESPACE, Platform, Result, wait_until

PREFIX = "genai-sandbox"
PATIENCE = 6.0
"""Seconds after which a broken thing counts as broken."""


@dataclass(frozen=True)
class Reports:
    """What one ``verify`` left."""

    result: Result
    junit: Path
    html: Path


@pytest.fixture(scope="module")
def reports(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Every check, once, with both reports in a folder that is not there yet."""
    folder = tmp_path_factory.mktemp("verify") / "reports"
    junit, html = folder / "verify.xml", folder / "verify.html"
    return Reports(platform.run("verify", "--junit", str(junit), "--html", str(html)), junit, html)


@pytest.fixture(scope="module")
def sound(platform: Platform, reports: Reports) -> Platform:
    """The platform, seen whole before anything is broken."""
    result = reports.result
    assert result.document["passed"] is True, str(result)
    assert {check["status"] for check in result.checks.values()} == {"pass"}, str(result)
    return platform


def fails(platform: Platform, *ids: str, saying: str = "", sets: tuple[str, ...] | None = None, limit: float = PATIENCE) -> Result:
    """These checks fail, each with evidence and advice; ``saying`` stands in one of them."""
    result = platform.verify(*ids, limit=limit, code=1, sets=sets)
    assert result.document["passed"] is False, str(result)
    for id, check in result.checks.items():
        assert check["status"] == "fail", f"{id} does not see it\n{result}"
        assert check["evidence"], str(result)
        assert "genai " in check["hint"], f"{id} names no command\n{result}"
    assert saying in json.dumps(list(result.checks.values()), ensure_ascii=False), str(result)
    return result


def passes(platform: Platform, *ids: str, limit: float = 60) -> None:
    result = platform.verify(*ids, limit=limit)
    assert result.document["passed"] is True, str(result)


def models(*names: str) -> str:
    """These models, as a setting."""
    table = ",".join(f'{{name="{name}",azure_deployment="{name}",api_base="https://example.openai.azure.com"}}' for name in names)
    return f"litellm.models=[{table}]"


def restart(platform: Platform, *names: str, wait: bool = True) -> None:
    """Make the pods of deployments anew."""
    for name in names:
        platform.kubectl("rollout", "restart", f"deployment/{name}")
    for name in names if wait else ():
        platform.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s", timeout=150)


# -- reports --------------------------------------------------------------------------------------
def test_the_junit_report_has_every_check(sound: Platform, reports: Reports) -> None:
    (suite,) = ElementTree.parse(reports.junit).getroot()
    assert [case.get("name") for case in suite.iter("testcase")] == list(reports.result.checks)
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": str(len(reports.result.checks)), "failures": "0", "errors": "0", "skipped": "0"
    }  # fmt: skip
    assert [(one.get("name"), one.get("value")) for one in suite.iter("property")] == [("target", reports.result.document["target"])]


def test_the_page_shows_every_check_and_step_and_draws_the_architecture_twice(sound: Platform, reports: Reports) -> None:
    page = reports.html.read_text("utf-8")
    assert escape(reports.result.document["target"]) in page
    assert all(f">{id}<" in page for id in (*reports.result.checks, "infra.network", "langfuse.chart", "azure.policy"))
    present = re.search(r"Steps: (\d+) of (\d+) present", page)
    assert present is not None
    assert int(present[1]) == int(present[2])
    nodes = sound.run("diagram").document["nodes"]
    assert page.count("<rect ") == 2 * len(nodes)  # for a wide page and for a telephone
    assert page.count('class="state"') == 2 * sum(1 for node in nodes if node["state"])
    assert "Critical path (bold): infra." in page
    assert "<script" not in page


def test_the_first_failure_ends_the_run_when_asked_to(sound: Platform) -> None:
    """An ingress that does not exist is seen at the first look; another list of models may still become the right one."""
    sound.kubectl("delete", "ingress", "langfuse")
    try:
        chosen = ("--only", "langfuse.login", "--only", "litellm.models")
        checks = sound.run("verify", *chosen, "--fail-fast", code=1, sets=(models("gpt-4o-mini", "gpt-4o"),)).checks
        assert {id: check["status"] for id, check in checks.items()} == {"langfuse.login": "fail", "litellm.models": "skip"}
        assert "another check failed" in checks["litellm.models"]["evidence"]
    finally:
        sound.up("--only", "langfuse.ingress")
    passes(sound, "langfuse.login")


# -- what needs no restart ------------------------------------------------------------------------
@pytest.mark.parametrize("names", [["gpt-4o-mini", "gpt-4o"], ["gpt-4o-mini", "gpt-4o", "text-embedding-3-small", "gpt-5"]])
def test_another_list_of_models_is_seen(sound: Platform, names: list[str]) -> None:
    said = "not configured: text-embedding-3-small" if len(names) == 2 else "missing: gpt-5"
    fails(sound, "litellm.models", saying=said, sets=(models(*names),))
    passes(sound, "litellm.models")


def test_a_model_the_upstream_does_not_have_is_seen(sound: Platform) -> None:
    """As when somebody deletes a deployment in Azure."""
    file = sound.folder / ".genai" / "sandbox" / "world" / "openai" / "deployments.json"
    before = json.loads(file.read_text())
    file.write_text(json.dumps([name for name in before if name != "gpt-4o"]))
    try:
        fails(sound, "litellm.chat", saying="gpt-4o: ")
    finally:
        file.write_text(json.dumps(before))
    passes(sound, "litellm.chat")


def test_wrong_langfuse_keys_are_seen(sound: Platform) -> None:
    secrets = sound.aws("secretsmanager")
    before = secrets.get_secret_value(SecretId=f"{PREFIX}/platform")["SecretString"]
    wrong = json.loads(before)
    wrong["langfuse_secret_key"] = "sk-lf-" + "0" * 32
    secrets.put_secret_value(SecretId=f"{PREFIX}/platform", SecretString=json.dumps(wrong))
    try:
        result = fails(sound, "langfuse.keys", saying="401")
        assert "0" * 32 not in result.out + result.err
    finally:
        secrets.put_secret_value(SecretId=f"{PREFIX}/platform", SecretString=before)
    passes(sound, "langfuse.keys")


@pytest.mark.parametrize(("name", "checks"), [("langfuse", ["langfuse.login"]), ("litellm", ["litellm.openapi", "litellm.ui"])])
def test_a_missing_ingress_is_seen_and_its_advice_mends_it(sound: Platform, name: str, checks: list[str]) -> None:
    sound.kubectl("delete", "ingress", name)
    result = fails(sound, *checks, saying="has no address")
    command = f"genai up --only {name}.ingress"
    assert all(command in check["hint"] for check in result.checks.values()), str(result)
    sound.up("--only", f"{name}.ingress")
    passes(sound, *checks)


def test_a_role_that_may_not_write_is_seen(sound: Platform) -> None:
    """The access the pods hold does not change; what it is good for does."""
    with _without_put(sound):
        fails(sound, "langfuse.storage", "langfuse.trace", limit=15)
    passes(sound, "langfuse.storage", "langfuse.trace")


@contextmanager
def _without_put(platform: Platform) -> Iterator[None]:
    iam, role = platform.aws("iam"), _role(platform, "langfuse")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    before = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
    assert "s3:PutObject" in json.dumps(before)
    for name, document in before.items():
        iam.put_role_policy(
            RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document).replace('"s3:PutObject"', '"s3:GetObjectTagging"')
        )
    try:
        yield
    finally:
        for name, document in before.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def _role(platform: Platform, account: str) -> str:
    """The role a service account is bound to."""
    annotations: dict[str, str] = platform.objects("serviceaccount", account)["metadata"]["annotations"]
    return annotations["eks.amazonaws.com/role-arn"].rpartition("/")[2]


# -- Langfuse's pods, which are back in seconds ---------------------------------------------------
def test_open_sign_up_is_seen_and_its_advice_mends_it(sound: Platform) -> None:
    sound.kubectl("set", "env", "deployment/langfuse-web", "AUTH_DISABLE_SIGNUP=false")
    sound.kubectl("rollout", "status", "deployment/langfuse-web", "--timeout=120s", timeout=150)
    fails(sound, "langfuse.closed", saying="anybody may open an account")
    sound.kubectl("set", "env", "deployment/langfuse-web", "AUTH_DISABLE_SIGNUP=true")
    sound.kubectl("rollout", "status", "deployment/langfuse-web", "--timeout=120s", timeout=150)
    passes(sound, "langfuse.closed")


def test_a_wrong_subject_in_the_trust_policy_is_seen(sound: Platform) -> None:
    iam, role = sound.aws("iam"), _role(sound, "langfuse")
    before = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    assert f"system:serviceaccount:{NAMESPACE}:langfuse" in before
    wrong = before.replace(f"system:serviceaccount:{NAMESPACE}:langfuse", f"system:serviceaccount:{NAMESPACE}:somebody")
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=wrong)
    try:
        restart(sound, "langfuse-web")
        fails(sound, "langfuse.storage", "langfuse.trace", limit=15)
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=before)
    restart(sound, "langfuse-web")
    passes(sound, "langfuse.storage", "langfuse.trace")


def test_another_redis_token_is_seen(sound: Platform) -> None:
    token = json.loads(sound.aws("secretsmanager").get_secret_value(SecretId=f"{PREFIX}/platform")["SecretString"])["redis_token"]
    try:
        _set_token(sound, "b" * 40)
        # A connection that is open stays open, as with the real service: only new pods meet the new token.
        sound.kubectl("delete", "pods", "--selector=app in (web, worker)", "--wait=true")
        fails(sound, "langfuse.trace", limit=15)
    finally:
        _set_token(sound, token)
    restart(sound, "langfuse-web", "langfuse-worker")
    passes(sound, "langfuse.trace")


def _set_token(platform: Platform, token: str) -> None:
    """As a person would who changes the token by hand, and forgets the rest."""
    cache = platform.aws("elasticache")

    def settled() -> bool:
        group = cache.describe_replication_groups(ReplicationGroupId=PREFIX)["ReplicationGroups"][0]
        return bool(group["Status"] == "available" and not (group.get("PendingModifiedValues") or {}).get("AuthTokenStatus"))

    for strategy in ("ROTATE", "SET"):
        cache.modify_replication_group(ReplicationGroupId=PREFIX, AuthToken=token, AuthTokenUpdateStrategy=strategy, ApplyImmediately=True)
        wait_until(settled, "the replication group takes its token")


# -- LiteLLM's pod, which takes its time: what breaks it comes one after another, and is mended once ----
@pytest.fixture(scope="module")
def secret(sound: Platform) -> Iterator[Callable[[str, str], None]]:
    """Puts a wrong value into LiteLLM's secret and starts the proxy with it. Afterwards the advised command mends it."""
    before = sound.objects("secret", "litellm")["data"]

    def put(name: str, value: str) -> None:
        data = {**before, name: base64.b64encode(value.encode()).decode()}
        sound.kubectl("patch", "secret", "litellm", "--type=merge", "--patch-file=/dev/stdin", text=json.dumps({"data": data}))
        restart(sound, "litellm", wait=False)

    yield put
    sound.run("litellm")
    restart(sound, "litellm")
    passes(sound, "litellm", limit=90)


def _wrong_password(platform: Platform) -> str:
    """The address of LiteLLM's database, with a password that is not its own."""
    host = platform.aws("rds").describe_db_clusters(DBClusterIdentifier=PREFIX)["DBClusters"][0]["Endpoint"]
    return f"postgresql://litellm:{'x' * 20}@{host}:5432/litellm?sslmode=require"


def test_a_wrong_database_password_is_seen(sound: Platform, secret: Callable[[str, str], None]) -> None:
    """The proxy does not become ready without its database: nothing it offers is there, and its log says why."""
    secret("DATABASE_URL", _wrong_password(sound))
    reason = "password authentication failed"
    wait_until(lambda: reason in _logs(sound), f"LiteLLM's log says: {reason}", limit=60, interval=1)
    fails(sound, "litellm.ready", "litellm.logged", "litellm.refuses")


def _logs(platform: Platform) -> str:
    """What the proxy wrote, in this start and in the one before."""
    texts = []
    for pod in platform.objects("pods", "--selector=app.kubernetes.io/component=proxy")["items"]:
        name = pod["metadata"]["name"]
        texts += [platform.kubectl("logs", name, *more, code=None).out for more in ([], ["--previous"])]
    return "\n".join(texts)


def test_a_stopped_proxy_is_seen(sound: Platform, secret: Callable[[str, str], None]) -> None:
    sound.kubectl("scale", "deployment/litellm", "--replicas=0")
    wait_until(lambda: not _ready(sound), "LiteLLM is gone", limit=150)
    result = fails(sound, "litellm")
    assert len(result.checks) == 8


def _ready(platform: Platform) -> Any:
    return platform.objects("deployment", "litellm")["status"].get("readyReplicas", 0)
