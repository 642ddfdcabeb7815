"""What the webhook adds to a pod, and what it leaves as it is."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.sandbox.cluster.webhook import changes

ROLE = "arn:aws:iam::123456789012:role/app"


def account(**more: str) -> dict[str, Any]:
    return {
        "metadata": {
            "annotations": {"eks.amazonaws.com/role-arn": ROLE, **{f"eks.amazonaws.com/{k.replace('_', '-')}": v for k, v in more.items()}}
        }
    }


def pod(**more: Any) -> dict[str, Any]:
    return {"metadata": more.pop("metadata", {}), "spec": {"containers": [{"name": "app", "image": "x"}], **more}}


def changed(given: dict[str, Any], who: dict[str, Any]) -> dict[str, Any]:
    """The pod's spec with the patch applied."""
    for change in changes(given, who, "eu-west-1"):
        assert change["op"] == "add"
        *path, last = change["path"].strip("/").split("/")
        here: Any = given
        for part in path:
            here = here[int(part)] if isinstance(here, list) else here[part]
        here[last] = change["value"]
    spec: dict[str, Any] = given["spec"]
    return spec


def env(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


@pytest.mark.parametrize("who", [{"metadata": {}}, {"metadata": {"annotations": {"other": "x"}}}, {}])
def test_an_account_without_a_role_changes_nothing(who: dict[str, Any]) -> None:
    assert changes(pod(), who, "eu-west-1") == []


def test_every_container_gets_variables_and_the_token() -> None:
    spec = changed(pod(initContainers=[{"name": "first"}], volumes=[{"name": "own"}]), account())
    for container in (*spec["containers"], *spec["initContainers"]):
        assert env(container) == {
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_REGION": "eu-west-1",
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
        }
        assert container["volumeMounts"] == [
            {"name": "aws-iam-token", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount", "readOnly": True}
        ]
    own, token = spec["volumes"]
    assert own == {"name": "own"}
    source = token["projected"]["sources"][0]["serviceAccountToken"]
    assert source == {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}


def test_what_the_pod_says_itself_stays() -> None:
    given = pod(containers=[{"name": "app", "env": [{"name": "AWS_REGION", "value": "us-east-1"}]}])
    spec = changed(given, account())
    assert env(spec["containers"][0])["AWS_REGION"] == "us-east-1"
    assert env(spec["containers"][0])["AWS_ROLE_ARN"] == ROLE


def test_asking_twice_changes_nothing_more() -> None:
    given = pod()
    changed(given, account())
    assert changes(given, account(), "eu-west-1") == []


def test_annotations_choose_audience_and_lifetime_and_skip_containers() -> None:
    given = pod(metadata={"annotations": {"eks.amazonaws.com/skip-containers": "side"}}, containers=[{"name": "app"}, {"name": "side"}])
    spec = changed(given, account(audience="other", token_expiration="60"))
    assert "env" not in spec["containers"][1]
    token = spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    assert (token["audience"], token["expirationSeconds"]) == ("other", 600)
