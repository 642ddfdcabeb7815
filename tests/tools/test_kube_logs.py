"""Logs of many pods at once, against an API server that cuts, breaks and ends them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.tools.kubernetes import logs
from genai_platform.tools.kubernetes.client import Kube
from genai_platform.tools.kubernetes.logs import Follow, whole_lines
from tests.pods_api import Pod, PodsApi


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_PAUSE", 0.02)


@pytest.fixture
def api() -> PodsApi:
    return PodsApi(web_1=Pod([f"line {number}" for number in range(5)]), web_2=Pod(["other"]), db_1=Pod(["not asked for"]))


@pytest.fixture
def kube(api: PodsApi, tmp_path: Path) -> Iterator[Kube]:
    with api.serving(tmp_path) as kubeconfig:
        yield Kube(Target("default", Settings(), Endpoints(kubeconfig=kubeconfig), tmp_path))


def follow(kube: Kube, tail: int = 2, *, only: str = "web-") -> Follow:
    pods = [pod for pod in kube.list("v1", "Pod", "genai") if pod["metadata"]["name"].startswith(only)]
    return Follow(kube, "genai", lambda name: name.startswith(only), pods, tail)


def until(lines: Follow, text: str) -> list[tuple[str, str]]:
    """Pods and texts of the lines that come, up to this one."""
    found = []
    for line in lines:
        found.append((line.pod, line.text))
        if line.text == text:
            return found
    raise AssertionError("a follower ended")


def test_each_pod_s_tail_and_then_what_it_writes(api: PodsApi, kube: Kube) -> None:
    with follow(kube) as lines:
        first = [next(iter(lines)) for _ in range(3)]
        assert sorted((line.pod, line.text) for line in first) == [("web-1", "line 3"), ("web-1", "line 4"), ("web-2", "other")]
        assert {line.time for line in first if line.pod == "web-1"} == {"2026-11-29T10:00:00.000000001Z", "2026-11-29T10:00:00.000000002Z"}
        with api.change() as pods:
            pods["web-2"].lines.append("日本語 too")
        assert until(lines, "日本語 too") == [("web-2", "日本語 too")]


def test_a_new_pod_is_followed_from_its_first_line(api: PodsApi, kube: Kube) -> None:
    with follow(kube, only="web-2") as lines:
        until(lines, "other")
        with api.change() as pods:
            pods["web-20"] = Pod(["a", "b", "c"], uid="2")
            pods["db-2"] = Pod(["not asked for"], uid="3")
        assert until(lines, "c") == [("web-20", text) for text in ("new pod", "a", "b", "c")]


def test_a_new_pod_of_the_same_name_is_another_one(api: PodsApi, kube: Kube) -> None:
    with follow(kube, only="web-2") as lines:
        until(lines, "other")
        with api.change() as pods:
            pods["web-2"] = Pod(["again"], uid="2")
        seen = until(lines, "again")
    assert sorted(seen) == [("web-2", "again"), ("web-2", "new pod"), ("web-2", "the pod is gone")]


def test_after_a_broken_connection_no_line_is_lost_and_none_is_shown_twice(api: PodsApi, kube: Kube) -> None:
    api.pods["web-1"].breaks = 2
    with follow(kube, 5, only="web-1") as lines:
        while len(api.pods["web-1"].asked) < 3:  # lines come while connections break
            threading.Event().wait(0.01)
        with api.change() as pods:
            pods["web-1"].lines += ["line 5", "line 6"]
        seen = [text for _, text in until(lines, "line 6") if text.startswith("line")]
    assert seen == [f"line {number}" for number in range(7)]
    assert "tailLines" in api.pods["web-1"].asked[0]
    assert api.pods["web-1"].asked[2]["sinceTime"] == "2026-11-29T10:00:00.000000002Z"


def test_the_end_of_a_pod_is_said_with_its_exit_code(api: PodsApi, kube: Kube) -> None:
    with follow(kube, only="web-2") as lines:
        until(lines, "other")
        with api.change() as pods:
            pods["web-2"].open, pods["web-2"].phase = False, "Failed"
            pods["web-2"].state = {"terminated": {"exitCode": 3, "reason": "Error"}}
        assert until(lines, "the pod ended: Error, exit code 3") == [("web-2", "the pod ended: Error, exit code 3")]


def test_a_container_that_starts_again_is_followed_over_its_restart(api: PodsApi, kube: Kube) -> None:
    with follow(kube, only="web-2") as lines:
        until(lines, "other")
        with api.change() as pods:
            pod = pods["web-2"]
            pod.open, pod.previous = False, list(pod.lines)
            pod.state = {"waiting": {"reason": "CrashLoopBackOff"}}
        until(lines, "waiting: CrashLoopBackOff (its last run ended with exit code 1)")
        with api.change() as pods:
            pod.open, pod.state = True, {"running": {}}
            pod.lines += ["-", "up"]
        assert until(lines, "up")[-1] == ("web-2", "up")


def test_who_stops_listening_leaves_no_thread(api: PodsApi, kube: Kube) -> None:
    api.pods["web-1"].lines = ["much"] * 5000  # more than may wait
    with follow(kube, 5000) as lines:
        next(iter(lines))
        threads = [thread for thread in threading.enumerate() if thread.name == "logs"]
    for thread in threads:
        thread.join(5)
    assert len(threads) == 3
    assert [thread for thread in threads if thread.is_alive()] == []


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_lines_are_whole_however_they_were_cut(size: int) -> None:
    text = "t1 質問 one\nt2 \nt3 the end".encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(whole_lines(pieces)) == [("t1", "質問 one"), ("t2", ""), ("t3", "the end")]


def test_a_line_that_is_too_long_is_left_out_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST", 100)
    pieces = [b"t1 ", *[b"secret " * 10] * 5, b"\nt2 short\n"]
    assert list(whole_lines(pieces)) == [("t1", logs.TOO_LONG), ("t2", "short")]
