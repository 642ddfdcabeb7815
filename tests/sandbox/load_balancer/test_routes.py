"""What the load balancer should do, from the objects alone."""

from __future__ import annotations

import json

import pytest

from genai_platform.sandbox.load_balancer.routes import Cluster, groups

from .objects import cluster, ingress, params, service, slice_of


def only(given: Cluster):
    found, wrong = groups(given)
    assert wrong == {}
    assert len(found) == 1
    return found[0]


def test_one_load_balancer_serves_both_ingresses_on_their_own_ports():
    group = only(cluster(ingress("litellm", 443), ingress("langfuse", 8443)))
    assert (group.name, group.scheme) == ("genai", "internet-facing")
    assert [(one.port, one.idle, one.certificates) for one in group.listeners] == [(443, 600.0, ("arn:a",)), (8443, 600.0, ("arn:a",))]
    assert all(len(one.rules) == 1 for one in group.listeners)


def test_ready_endpoints_become_targets_and_others_do_not():
    one = only(cluster(ingress("litellm", 443))).listeners[0]
    assert one.find("any", "/v1/models").group.targets == (("10.7.0.5", 4000),)
    unready = cluster(ingress("litellm", 443), slices=[slice_of("litellm", "10.7.0.5", 4000, ready=False)])
    assert only(unready).listeners[0].find("any", "/").group.targets == ()


def test_a_service_that_does_not_exist_yet_leaves_the_listener_without_targets():
    assert only(cluster(ingress("litellm", 443), services=[])).listeners[0].find("any", "/").group.targets == ()


def test_hosts_are_told_apart_on_one_port():
    group = only(cluster(ingress("litellm", 443, host="a.example.com"), ingress("langfuse", 443, host="b.example.com")))
    listener = group.listeners[0]
    assert listener.find("a.example.com", "/").group.targets == (("10.7.0.5", 4000),)
    assert listener.find("b.example.com", "/").group.targets == (("10.7.0.6", 3000),)
    assert listener.find("c.example.com", "/") is None


def test_a_prefix_ends_at_a_slash():
    listener = only(cluster(ingress("litellm", 443, path="/v1"))).listeners[0]
    assert listener.find("x", "/v1") is not None
    assert listener.find("x", "/v1/chat") is not None
    assert listener.find("x", "/v10") is None


def header_demanded(value: str, field: str = "http-header"):
    made = ingress("litellm", 8444, path="/v1/models")
    condition = {"field": field, "httpHeaderConfig": {"httpHeaderName": "X-Proof", "values": [value]}}
    made["metadata"]["annotations"]["alb.ingress.kubernetes.io/conditions.litellm"] = json.dumps([condition])
    return cluster(made)


def test_a_header_that_is_demanded_opens_the_rule_and_nothing_else_does():
    listener = only(header_demanded("secret")).listeners[0]
    assert listener.find("x", "/v1/models", {"x-proof": "secret"}).group.targets == (("10.7.0.5", 4000),)
    assert listener.find("x", "/v1/models", {"x-proof": "other"}) is None
    assert listener.find("x", "/v1/models") is None
    assert listener.find("x", "/key/generate", {"x-proof": "secret"}) is None


@pytest.mark.parametrize("condition", [("s*t", "http-header"), ("secret", "source-ip")])
def test_a_condition_of_another_kind_is_refused(condition):
    found, wrong = groups(header_demanded(*condition))
    assert found == []
    assert "http-header" in wrong["genai-platform/litellm"]


def test_only_admitted_networks_come_in():
    listener = only(cluster(ingress("litellm", 443, cidrs="10.0.0.0/8, 192.0.2.7/32"))).listeners[0]
    assert listener.admits("10.1.2.3")
    assert listener.admits("192.0.2.7")
    assert not listener.admits("192.0.2.8")


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        ("listen-ports", "nonsense", "listen-ports"),
        ("listen-ports", '[{"QUIC":443}]', "listen-ports"),
        ("inbound-cidrs", "10.0.0.0/33", "inbound-cidrs"),
        ("target-type", "instance", "target type 'instance'"),
    ],
)
def test_what_the_controller_would_refuse_is_named(annotation, value, words):
    made = ingress("litellm", 443)
    made["metadata"]["annotations"][f"alb.ingress.kubernetes.io/{annotation}"] = value
    found, wrong = groups(cluster(made))
    assert found == []
    assert words in wrong["genai-platform/litellm"]


def test_tls_without_a_certificate_is_refused():
    found, wrong = groups(cluster(ingress("litellm", 443), parameters=[params(certificates=[])]))
    assert found == []
    assert "no certificate" in wrong["genai-platform/litellm"]


def test_an_ingress_of_another_class_or_being_deleted_takes_no_part():
    other = ingress("litellm", 443)
    other["spec"]["ingressClassName"] = "nginx"
    leaving = ingress("langfuse", 8443)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert groups(cluster(other, leaving)) == ([], {})


def test_the_port_is_found_by_its_name_when_the_target_port_differs():
    given = cluster(
        ingress("litellm", 443),
        services=[service("litellm", 4000, port_name="http")],
        slices=[slice_of("litellm", "10.7.0.5", 4711, name="http"), slice_of("litellm", "10.7.0.5", 9, name="metrics")],
    )
    assert only(given).listeners[0].find("x", "/").group.targets == (("10.7.0.5", 4711),)
