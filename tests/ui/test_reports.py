from __future__ import annotations

import io
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from genai_platform.checks.check import Result
from genai_platform.engine.events import Event, RunFinished, RunStarted, StepFinished, StepSaid, StepStarted, StopAsked
from genai_platform.engine.forecast import Forecast
from genai_platform.engine.graph import Graph
from genai_platform.engine.step import Observation, State
from genai_platform.engine.timeline import last_up
from genai_platform.engine.usual import Usual
from genai_platform.ui.architecture import architecture
from genai_platform.ui.checks import FollowChecks
from genai_platform.ui.html import Page, render
from genai_platform.ui.junit import write
from genai_platform.ui.lines import EventLines, line
from genai_platform.ui.rich_view import LiveSteps, draw_table
from genai_platform.ui.screen import Screen
from genai_platform.ui.text import width
from genai_platform.ui.timeline import timeline
from tests.render.diagrams import AZURE, EVERYTHING, drawn
from tests.worlds import World

RESULTS = (
    Result("litellm.chat", "pass", "gpt-4o-mini: 「こんにちは」", 1.25, ""),
    Result("langfuse.trace", "fail", "no trace <of> this & that\x00", 60, "run: genai logs langfuse-worker"),
    Result("azure.chat", "skip", "azure is not enabled", 0, ""),
)


NEEDS = {"infra.cluster": ("infra.network",), "infra.data": ("infra.network",), "litellm.proxy": ("infra.cluster", "infra.data")}


def at(second: int, event: str, step: str = "", **more: str) -> dict[str, str]:
    return {"time": f"2026-11-29T04:00:{second:02d}.000+00:00", "event": event, "step": step, **more}


JOURNAL = (
    at(0, "run.started", command="genai up"),
    at(0, "step.started", "infra.network", action="probe"),
    at(1, "step.started", "infra.network", action="apply"),
    at(10, "step.finished", "infra.network", outcome="done"),
    at(10, "step.started", "infra.cluster", action="probe"),
    at(10, "step.started", "infra.data", action="probe"),
    at(20, "step.finished", "infra.cluster", outcome="done"),
    at(40, "step.finished", "infra.data", outcome="done"),
    at(40, "step.started", "litellm.proxy", action="probe"),
    at(50, "step.finished", "litellm.proxy", outcome="done"),
    at(50, "run.finished"),
)


def page(results: tuple[Result, ...] = RESULTS) -> str:
    states = {
        "infra.network": Observation(State.PRESENT, "vpc-1"),
        "infra.cluster": Observation(State.DRIFTED, "<script>alert(1)</script>"),
    }
    return render(
        Page(
            "'default': AWS account 123456789012",
            "genai",
            drawn({"azure": AZURE}, looked_at=True),
            states,
            {"litellm": "https://x.example.com"},
            "not named",
            results,
            61.0,
            last_up(JOURNAL, lambda id: NEEDS.get(id, ())),
        )
    )


def test_the_page_is_self_contained_and_escaped() -> None:
    text = page()
    assert "<script" not in text
    assert "src=" not in text
    assert "@import" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "「こんにちは」" in text
    assert "run: genai logs langfuse-worker" in text
    assert "AWS account 123456789012" in text
    assert "<p>not named</p>" in text


def boxes(svg: str) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Each box's and area's name, and where its left, upper, right and lower edges are."""
    found = re.findall(r'<title>([^<]*)</title><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    return [(unescape(name), (float(x), float(y), float(x) + float(w), float(y) + float(h))) for name, x, y, w, h in found]


def pictures(text: str) -> dict[str, str]:
    return dict(re.findall(r'<svg class="arch (\w+)"(.*?)</svg>', text, re.DOTALL))


@pytest.mark.parametrize("settings", [{}, {"azure": AZURE}, EVERYTHING], ids=["default", "azure", "everything"])
@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_architecture_is_drawn_with_every_box_in_its_area_and_none_over_another(settings: Any, name: str) -> None:
    made = drawn(settings, looked_at=True)
    svg = pictures(architecture(made))[name]
    found = boxes(svg)
    assert sorted(label for label, _ in found) == sorted(node.label for node in made.nodes)
    assert svg.count('class="arrow') == len(made.arrows) > 20
    assert set(re.findall(r'class="state"[^>]*>(\w+)<', svg)) == {node.state for node in made.nodes if node.state}
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size is not None
    whole = (0.0, 0.0, float(size[1]), float(size[2]))
    if name == "narrow":
        assert whole[2] <= 358  # a telephone's 390 pixels without the page's margins: one pixel is one pixel
    parents = {node.label: node.inside for node in made.nodes}
    ids = {node.label: node.id for node in made.nodes}
    for label, one in found:
        assert inside(one, whole)
        for other_label, other in found:
            if label != other_label and not inside(one, other) and not inside(other, one):
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, f"{label} and {other_label} lie over each other"
        for area, other in found:
            if ids.get(area) == parents.get(label):
                assert inside(one, other)


def inside(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] >= other[0] and one[1] >= other[1] and one[2] <= other[2] and one[3] <= other[3]


def test_names_in_the_picture_are_escaped_and_cut_to_fit() -> None:
    long = "日本語" * 40
    model = {"name": "<script>&", "azure_deployment": long, "api_base": "https://acme.openai.azure.com"}
    text = architecture(drawn({"litellm": {"models": [model]}}))
    assert "<script" not in text
    assert "&lt;script&gt;&amp;" in text
    narrow = [line for line in re.findall(r"<text[^>]*>([^<]*)", pictures(text)["narrow"]) if "日本" in line]
    assert len(narrow) > 3
    assert "".join(narrow).count("日本語") >= 38
    assert max(width(line) for line in narrow) <= 48  # of the 350 pixels


def test_the_timeline_shows_each_step_and_the_chain_that_decided_how_long_it_took() -> None:
    text = page()
    assert "Critical path (bold): infra.network → infra.data → litellm.proxy" in text
    bars = dict(re.findall(r'title="(\S+): done after [^"]*"><i style="([^"]*)"', text))
    assert bars["infra.data"] == "left:20.00%;width:60.00%"
    assert bars["infra.cluster"] == "left:20.00%;width:20.00%"
    critical = re.findall(r'class="name critical">([^<]*)', text)
    assert critical == ["infra.network", "infra.data", "litellm.proxy"]


def test_the_last_up_that_changed_something_is_the_one_that_is_shown() -> None:
    later = [
        at(55, "run.started", command="genai up"), at(55, "step.started", "infra.network"),
        at(56, "step.finished", "infra.network", outcome="present"), at(57, "run.started", command="genai down"),
        at(57, "step.started", "infra.network"), at(58, "step.finished", "infra.network", outcome="done"),
    ]  # fmt: skip
    shown = last_up([*JOURNAL, *later], lambda id: ())
    assert shown is not None
    assert (shown.seconds, shown.finished, len(shown.bars)) == (50, True, 4)
    idle = last_up(later, lambda id: ())
    assert idle is not None
    assert [bar.outcome for bar in idle.bars] == ["present"]


def test_a_run_that_was_killed_shows_what_was_under_way() -> None:
    shown = last_up(JOURNAL[:7], lambda id: NEEDS.get(id, ()))
    assert shown is not None
    assert not shown.finished
    assert {bar.step: bar.outcome for bar in shown.bars} == {"infra.network": "done", "infra.cluster": "done", "infra.data": ""}
    assert "none is known" in timeline(last_up([], lambda id: ()))


def test_the_page_says_whether_checks_passed() -> None:
    assert "1 of 3 checks failed" in page()
    assert "all checks passed" in page(RESULTS[:1])
    assert "all checks passed" not in page(RESULTS[2:])  # skipped never counts as passed


def test_junit_counts_and_survives_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "junit.xml"
    write(path, "default", "'default': AWS account 123456789012", RESULTS, 61.0)
    suite = ElementTree.parse(path).getroot()[0]
    assert suite.findall("properties/property[@value=\"'default': AWS account 123456789012\"]")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [case.get("name") for case in suite.findall("testcase")] == ["litellm.chat", "langfuse.trace", "azure.chat"]
    failure = suite[2].find("failure")
    assert failure is not None
    assert failure.text == "run: genai logs langfuse-worker"


EVENTS: tuple[Event, ...] = (
    RunStarted("genai up", "default", ("a.one", "b.two")),
    StepStarted("a.one", "probe"),
    StepStarted("a.one", "apply"),
    StepSaid("a.one", "2/3 ポッド\n\x1b[31mlast event: ImagePullBackOff"),
    StopAsked(("a.one",)),
    StepFinished("a.one", "failed", 65, "[bold]not markup[/bold]"),
    StepFinished("b.two", "skipped", 0, "not attempted: 'a.one' failed"),
    RunFinished(False, 65),
)


def test_plain_lines_are_one_per_event_without_control_characters() -> None:
    stream = io.StringIO()
    lines = EventLines(stream)
    for event in EVENTS:
        lines(event)
    text = stream.getvalue()
    assert len(text.splitlines()) == 6
    assert "\x1b" not in text
    assert "2/3 ポッド last event: ImagePullBackOff" in text
    assert "a.one: failed after 1 min 05 s: [bold]not markup[/bold]" in text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_table_leaves_the_last_state_as_words() -> None:
    stream = Terminal()
    with LiveSteps(stream, ["a.one", "b.two"]) as live:
        for event in EVENTS:
            live(event)
    shown = stream.getvalue()
    assert "a.one" in shown
    assert "failed" in shown
    assert "skipped" in shown
    assert shown.endswith("\x1b[?25h")  # the cursor is given back


def test_a_live_table_survives_an_ascii_terminal() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace", write_through=True)
    draw_table(stream, ["step", "state"], [["a.one", "present"], ["日本語", "absent"]], "")
    assert b"\\u65e5" in raw.getvalue()


def test_a_table_longer_than_the_terminal_shows_what_happens_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "16")
    stream, ids = Terminal(), [f"step.{number:02d}" for number in range(40)]
    with LiveSteps(stream, ids) as live:
        for id in ids[:30]:
            live(StepFinished(id, "done", 1.0, "made"))
        live(StepStarted("step.30", "apply"))
        stream.truncate(0)
        live._live.refresh()
        now = stream.getvalue()
    assert "step.30" in now
    assert "step.31" in now
    assert "step.00" not in now
    assert all(id in stream.getvalue() for id in ids)  # at the end all of it


def test_a_line_of_a_long_wait_says_since_when_and_how_long_it_usually_takes() -> None:
    def said(end: str, usual: float | None = 720.0) -> str:
        return line(StepSaid("a.one", "2/3 pods", "2026-11-29T04:05:10.000+00:00", usual, time=f"2026-11-29T04:{end}.000+00:00"))

    assert said("05:14") == "a.one: 2/3 pods"
    assert re.fullmatch(r"a\.one: 2/3 pods \(since \d\d:\d\d:10, usually 12 min\)", said("05:15"))
    assert "longer than the usual 12 min" in said("30:00")
    assert said("30:00", None).endswith(":10)")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_live_table_has_a_bar_for_the_whole_and_the_time_left(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    world, stream = World(), Terminal()
    graph = Graph([world.step("a.one", minutes=12), world.step("azure.check_applications", "a.one", minutes=5)])
    with LiveSteps(stream, graph.ids, forecast=Forecast(graph, graph.ids, Usual())) as live:
        live(StepStarted("a.one", "apply", "absent"))
        live(StepSaid("a.one", "aws_eks_cluster.this: creating (10 s)"))
        stream.truncate(0)
        live._live.refresh()
        shown = stream.getvalue()
        assert "0 of 2 steps" in shown
        assert "about 17 min left" in shown
        assert "0:00/12:00" in shown
        assert "/5:00" in shown
        assert "aws_eks" in shown
        for id in graph.ids:
            live(StepFinished(id, "done", 1.0, "made"))
    assert "100%" in stream.getvalue()
    assert "left" not in stream.getvalue().rpartition("2 of 2 steps")[2]


def test_what_is_in_the_way_of_a_step_at_work_is_shown_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream, reason = Terminal(), "litellm: 0/1 pods; no pod is made: FailedCreate: exceeded quota: compute, requested: pods=1, used: pods=4"
    with LiveSteps(stream, ["litellm.proxy"]) as live:
        live(StepStarted("litellm.proxy", "apply", "absent"))
        live(StepSaid("litellm.proxy", reason))
        stream.truncate(0)
        live._live.refresh()
        words = " ".join(stream.getvalue().split())
        live(StepFinished("litellm.proxy", "done", 1.0, reason))
        stream.truncate(0)
    assert all(word in words for word in reason.split())
    assert "used: pods=4" not in stream.getvalue()  # what is over takes one line


def test_a_look_that_takes_long_elsewhere_than_on_a_terminal_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_platform.ui.screen.QUIET", 0.0)
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    screen = Screen(plain=True)
    with screen.looking(["a.one", "b.two"]) as seen:
        seen("a.one")
        while "looking" not in err.getvalue():
            pass
    assert err.getvalue() in ("looking: 0 of 2; still at a.one, b.two\n", "looking: 1 of 2; still at b.two\n")


def test_without_a_terminal_a_check_is_heard_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with FollowChecks(Screen(plain=True), ["a.one"]) as follow:
        follow.status("a.one", "no trace yet")
        assert out.getvalue() == ""
        monkeypatch.setattr("genai_platform.ui.checks.QUIET", 0.0)
        for seen in range(3):
            follow.status("a.one", f"no trace yet, looked {seen} times")
    (line,) = out.getvalue().splitlines()
    assert line.endswith("a.one: no trace yet, looked 0 times")
