"""Kubernetes objects: whatever a value holds, it stays that value."""

from __future__ import annotations

import base64

import jinja2
import pytest
import yaml

from genai_platform.render import clickhouse_job, manifests
from genai_platform.render.addresses import Listener

HOSTILE = [
    'a"b',
    "a'b", "a: b", "{{ x }}", "{% if %}", "- x", "#c", "a\nkind: Secret", "日本語", "\u2028\u0085\x7f", "\U0001f600", "yes", "null", "1e3",
    "&a", "*a", "!!python/object:os.system", "%TAG", "\\n", "a\tb", "", " ",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_never_changes_the_shape_of_a_document(value):
    made = manifests.ingress("litellm", manifests.Backend(value, 4000, value), Listener(443, tls=True, host=value or None), [value])
    assert len(made) == 1
    rule = made[0]["spec"]["rules"][0]
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == value
    assert rule.get("host", "") == value
    assert made[0]["metadata"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == value


def test_a_template_cannot_print_an_unquoted_value_or_a_missing_one():
    environment = manifests._environment()
    with pytest.raises(TypeError, match="tojson"):
        environment.from_string("a: {{ b }}").render(b="x")
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("a: {{ b | tojson }}").render()


def test_a_certificate_is_named_only_with_tls():
    with_tls, without = manifests.ingress_class("g", ["arn:x"])[0], manifests.ingress_class("g", [])[0]
    assert with_tls["spec"]["certificateARNs"] == ["arn:x"]
    assert with_tls["spec"]["sslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    assert not {"certificateARNs", "sslPolicy"} & set(without["spec"])
    assert with_tls["spec"]["loadBalancerAttributes"] == [{"key": "idle_timeout.timeout_seconds", "value": "600"}]


def database(**change):
    server = {"id": "cluster-A", "host": "h", "port": 5432, "admin": "boss", "admin_password": "top-secret-1"}
    given = {"image": "postgres", "role": "r", "database": "d", "password": "top-secret-2"} | server | change
    server = manifests.DatabaseServer(**{name: given.pop(name) for name in server})
    return manifests.database("x-database", server, **given)


def test_passwords_are_in_the_secret_only():
    secret, *rest = database()
    assert base64.b64decode(secret["data"]["password"]) == b"top-secret-2"
    assert "top-secret" not in yaml.safe_dump_all(rest)
    assert "top-secret" not in manifests.as_text([secret, *rest])
    assert base64.b64encode(b"top-secret-2").decode() not in manifests.as_text([secret, *rest])
    assert sorted(manifests.secret_values([secret, *rest])) == ["top-secret-1", "top-secret-2"]


def test_a_database_job_reads_its_passwords_from_a_mounted_secret():
    job = database()[-1]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert not any("valueFrom" in variable for variable in container["env"])
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (mounted,) = [volume["name"] for volume in pod["volumes"] if volume.get("secret") == {"secretName": "x-database"}]
    assert f"{places[mounted]}/admin-password" in container["command"][-1]
    assert container["image"] == "postgres"


def test_a_jobs_mark_follows_its_inputs_and_nothing_else():
    mark = lambda made: made[-1]["metadata"]["annotations"][manifests.INPUTS]  # noqa: E731
    assert mark(database()) == mark(database())
    for change in (
        {"id": "cluster-B"},
        {"password": "other-secret"},
        {"host": "i"},
        {"admin_password": "other-secret"},
        {"image": "postgres:18"},
    ):
        assert mark(database(**change)) != mark(database())


def test_shown_text_reads_back_as_the_same_document():
    made = manifests.namespace(1) + manifests.storage_class()
    assert list(yaml.safe_load_all(manifests.as_text(made))) == made


def test_the_pod_security_level_is_the_one_the_chart_line_needs():
    level = lambda line: {  # noqa: E731
        name.rpartition("/")[2]: value
        for name, value in manifests.namespace(line)[0]["metadata"]["labels"].items()
        if name.startswith("pod-security.kubernetes.io/")
    }
    assert level(1) == {"enforce": "baseline", "warn": "baseline"}
    assert level(2) == {"enforce": "privileged", "warn": "baseline"}


def test_no_job_is_ended_because_its_node_is_underused():
    jobs = [
        database()[-1],
        clickhouse_job.job("x", purpose="p", script="", line=1, limits=clickhouse_job.Limits(0, 1), variables={}),
        *manifests.objects("litellm-migration", namespace="n", image="i", variables={}),
    ]
    for job in jobs:
        assert job["kind"] == "Job"
        assert job["spec"]["template"]["metadata"]["annotations"] == {"karpenter.sh/do-not-disrupt": "true"}
