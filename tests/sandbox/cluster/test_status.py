"""The status of a pod, where it may run, and which lines of a log are wanted."""

from __future__ import annotations

from typing import Any

import pytest

from genai_platform.sandbox.cluster.agent.kubelet import select
from genai_platform.sandbox.cluster.agent.scheduler import unfit
from genai_platform.sandbox.cluster.agent.status import State, phase_of, restarts, status_of

RUNNING = {"running": {"startedAt": "2030-01-01T00:00:00Z"}}


def _ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code}}


def _state(current: dict[str, Any], *, ready: bool = False) -> State:
    return State({"name": "main", "image": "x"}, None, current=current, ready=ready)


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [{"waiting": {}}], "Pending"),
        ("Always", [RUNNING], "Running"),
        ("Always", [_ended(0)], "Running"),
        ("Never", [_ended(0), RUNNING], "Running"),
        ("Never", [_ended(0), _ended(0)], "Succeeded"),
        ("Never", [_ended(0), _ended(2)], "Failed"),
        ("OnFailure", [_ended(2)], "Running"),
        ("OnFailure", [_ended(0)], "Succeeded"),
    ],
)
def test_phases(policy: str, states: list[dict[str, Any]], phase: str) -> None:
    assert phase_of(policy, [], [_state(current) for current in states], initialized=True) == phase


def test_a_failed_init_container_fails_the_pod_only_when_it_is_not_repeated() -> None:
    failed, waiting = State({"name": "i", "image": "x"}, None, init=True, current=_ended(1)), _state({"waiting": {}})
    assert phase_of("Never", [failed], [waiting], initialized=False) == "Failed"
    assert phase_of("Always", [failed], [waiting], initialized=False) == "Pending"
    assert [restarts("OnFailure", code) for code in (0, 1)] == [False, True]


def _status(pod: dict[str, Any], state: State) -> dict[str, Any]:
    return status_of(pod, [], [state], initialized=True, phase="Running", address="10.9.0.1", node="127.0.0.1")


def test_conditions_keep_their_time_until_they_change() -> None:
    before = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}
    pod = {"metadata": {}, "spec": {}, "status": before}
    ready = {c["type"]: c for c in _status(pod, _state(RUNNING, ready=True))["conditions"]}["Ready"]
    assert (ready["status"], ready["lastTransitionTime"]) == ("True", "2020-01-01T00:00:00Z")
    unready = {c["type"]: c for c in _status(pod, _state(RUNNING))["conditions"]}["Ready"]
    assert unready["status"] == "False"
    assert unready["lastTransitionTime"] > "2020-01-01T00:00:00Z"
    assert unready["message"] == "containers with unready status: [main]"


def test_a_closed_readiness_gate_holds_the_pod() -> None:
    pod: dict[str, Any] = {"metadata": {}, "spec": {"readinessGates": [{"conditionType": "lb"}]}, "status": {}}
    conditions = {c["type"]: c["status"] for c in _status(pod, _state(RUNNING, ready=True))["conditions"]}
    assert (conditions["ContainersReady"], conditions["Ready"]) == ("True", "False")
    pod["status"] = {"conditions": [{"type": "lb", "status": "True"}]}
    assert {c["type"]: c["status"] for c in _status(pod, _state(RUNNING, ready=True))["conditions"]}["Ready"] == "True"


def test_selectors_and_affinity() -> None:
    labels = {"kubernetes.io/os": "linux"}
    assert unfit({"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}}, labels) == ""
    assert "node affinity/selector" in unfit({"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}}}, labels)

    def required(**rule: Any) -> dict[str, Any]:
        terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/os", **rule}]}]}
        return {"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}}

    assert unfit(required(operator="In", values=["linux"]), labels) == ""
    assert unfit(required(operator="NotIn", values=["linux"]), labels)
    assert unfit(required(operator="DoesNotExist"), labels)


LINES = [b"2030-01-01T00:00:0%d.000000000Z F line %d" % (n, n) for n in range(5)]


def _text(lines: list[bytes], **query: str) -> bytes:
    return b"".join(select(lines, query))


def test_log_lines() -> None:
    assert _text(LINES, tailLines="2") == b"line 3\nline 4\n"
    assert _text(LINES, sinceTime="2030-01-01T00:00:03Z") == b"line 3\nline 4\n"
    assert _text(LINES[:1], timestamps="true") == b"2030-01-01T00:00:00.000000000Z line 0\n"
    assert _text([b"2030-01-01T00:00:00.000000000Z P no end"]) == b"no end"


def test_a_followed_tail_comes_before_what_is_new() -> None:
    assert _text([*LINES[:3], b"", *LINES[3:]], tailLines="1") == b"line 2\nline 3\nline 4\n"
