"""How a container's variables are resolved."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from genai_platform.sandbox.cluster.agent.environment import ConfigFault, expand, field_of, parse_quantity, resolve

CAPACITY = {"cpu": "2", "memory": "8Gi"}
POD: dict[str, Any] = {
    "metadata": {"name": "web-0", "namespace": "demo", "uid": "u1", "labels": {"app": "web", "tier": 'a"b'}},
    "spec": {"nodeName": "node", "serviceAccountName": "web", "containers": []},
    "status": {"podIP": "10.77.0.12", "hostIP": "127.0.0.1"},
}
WORLD: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", "site"): {"data": {"COLOR": "blue", "SIZE": "1"}},
    ("secrets", "keys"): {"data": {"password": base64.b64encode(b"p$(COLOR)w").decode()}},
}


def _resolve(**container: Any) -> dict[str, str]:
    return resolve(POD, container, lambda source, name: WORLD.get((source, name)), CAPACITY)


def test_env_from_comes_first_and_env_wins() -> None:
    found = _resolve(envFrom=[{"prefix": "P_", "configMapRef": {"name": "site"}}], env=[{"name": "P_COLOR", "value": "red"}])
    assert found == {"P_COLOR": "red", "P_SIZE": "1"}


def test_a_value_refers_to_earlier_ones_and_secrets_are_not_expanded() -> None:
    found = _resolve(
        env=[
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
            {"name": "URL", "value": "pg://u:$(PASSWORD)@h $(LATER) $$(PASSWORD)"},
            {"name": "LATER", "value": "x"},
        ]
    )
    assert found["PASSWORD"] == "p$(COLOR)w"
    assert found["URL"] == "pg://u:p$(COLOR)w@h $(LATER) $(PASSWORD)"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"secretKeyRef": {"name": "gone", "key": "k"}}, 'secret "gone" not found'),
        ({"configMapKeyRef": {"name": "gone", "key": "k"}}, 'configmap "gone" not found'),
        ({"secretKeyRef": {"name": "keys", "key": "k"}}, "couldn't find key k in Secret demo/keys"),
    ],
)
def test_what_is_missing_is_said_as_a_kubelet_says_it(reference: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigFault, match=message):
        _resolve(env=[{"name": "A", "valueFrom": reference}])


def test_an_optional_reference_leaves_the_variable_out() -> None:
    assert _resolve(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k", "optional": True}}}]) == {}
    assert _resolve(envFrom=[{"secretRef": {"name": "gone", "optional": True}}]) == {}


def test_fields_of_the_pod() -> None:
    assert field_of(POD, "metadata.name") == "web-0"
    assert field_of(POD, "metadata.labels['app']") == "web"
    assert field_of(POD, "metadata.labels") == 'app="web"\ntier="a\\"b"'
    assert field_of(POD, "status.podIP") == "127.77.0.12"
    with pytest.raises(ConfigFault):
        field_of(POD, "spec.volumes")


def test_resources_fall_back_to_what_the_node_has() -> None:
    resources = {"limits": {"memory": "512Mi"}, "requests": {"cpu": "250m"}}
    references = {"M": ("limits.memory", "1Mi"), "C": ("limits.cpu", "1"), "R": ("requests.cpu", "1m"), "U": ("requests.cpu", "0")}
    env = [
        {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}
        for name, (resource, divisor) in references.items()
    ]
    assert _resolve(env=env, resources=resources) == {"M": "512", "C": "2", "R": "250", "U": "1"}


def test_expand_and_quantities() -> None:
    assert expand("$(A)-$(B)-$$-$A", {"A": "1"}) == "1-$(B)-$-$A"
    assert [int(parse_quantity(text)) for text in ("2", "1Ki", "3M", "1500m")] == [2, 1024, 3_000_000, 1]
    with pytest.raises(ConfigFault):
        parse_quantity("many")
