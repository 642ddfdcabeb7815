from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from defusedxml import ElementTree

from genai_platform.checks.check import Result
from genai_platform.engine.events import Event, RunFinished, RunStarted, StepFinished, StepSaid, StepStarted, StopAsked
from genai_platform.engine.forecast import Forecast
from genai_platform.engine.graph import Graph
from genai_platform.engine.step import Observation, State
from genai_platform.engine.usual import Usual
from genai_platform.ui.html import Page, render
from genai_platform.ui.junit import write
from genai_platform.ui.lines import EventLines, line
from genai_platform.ui.rich_view import LiveSteps, draw_table
from genai_platform.ui.screen import Screen
from tests.worlds import World

RESULTS = (
    Result("litellm.chat", "pass", "gpt-4o-mini: 「こんにちは」", 1.25, ""),
    Result("langfuse.trace", "fail", "no trace <of> this & that\x00", 60, "run: genai logs langfuse-worker"),
    Result("azure.chat", "skip", "azure is not enabled", 0, ""),
)


def page(results: tuple[Result, ...] = RESULTS) -> str:
    world = World()
    graph = Graph([world.step("infra.network"), world.step("infra.cluster", "infra.network"), world.step("litellm.proxy", "infra.cluster")])
    states = {
        "infra.network": Observation(State.PRESENT, "vpc-1"),
        "infra.cluster": Observation(State.DRIFTED, "<script>alert(1)</script>"),
    }
    return render(
        Page(
            "'default': AWS account 123456789012", "genai", graph, states, {"litellm": "https://x.example.com"}, "not named", results, 61.0
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


def test_the_page_draws_what_was_looked_at_and_nothing_else() -> None:
    text = page()
    assert text.count("<rect") == 2
    assert text.count("<path") == 1
    assert "litellm.proxy" not in text
    assert "drifted" in text


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
