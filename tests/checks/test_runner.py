"""The runner: at the same time, each until its own deadline."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from genai_platform.checks.check import Outcome
from genai_platform.checks.runner import run
from genai_platform.errors import StepError


@dataclass
class Fake:
    id: str
    outcomes: list
    deadline: float = 60.0
    looks: int = 0
    gate: threading.Barrier | None = field(default=None)

    def look(self) -> Outcome:
        self.looks += 1
        if self.gate:
            self.gate.wait(5)
        found = self.outcomes[min(self.looks, len(self.outcomes)) - 1]
        if isinstance(found, Exception):
            raise found
        return found


GOOD, BAD = Outcome("pass", "seen"), Outcome("fail", "not yet", "wait")


def test_checks_run_at_the_same_time_and_come_back_in_order():
    gate = threading.Barrier(3)
    checks = [Fake(name, [GOOD], gate=gate) for name in ("c", "a", "b")]
    assert [result.id for result in run(checks)] == ["c", "a", "b"]


def test_a_failing_look_is_tried_again_until_it_passes():
    said = []
    check = Fake("a", [BAD, RuntimeError("boom"), GOOD])
    result = run([check], on_status=lambda id, text: said.append((id, text)), interval=0.01)[0]
    assert (result.status, check.looks) == ("pass", 3)
    assert said == [("a", "not yet"), ("a", "RuntimeError: boom")]


def test_after_its_deadline_a_failure_is_the_result_with_its_hint():
    result = run([Fake("a", [BAD], deadline=0.05)], interval=0.01)[0]
    assert (result.status, result.evidence, result.hint) == ("fail", "not yet", "wait")


def test_an_expected_error_gives_its_remedy_as_hint():
    result = run([Fake("a", [StepError("no address", remedy="run: genai up")], deadline=0)], interval=0.01)[0]
    assert (result.status, result.evidence, result.hint) == ("fail", "no address", "run: genai up")


def test_a_skip_is_final():
    check = Fake("a", [Outcome("skip", "not configured")])
    assert run([check])[0].status == "skip"
    assert check.looks == 1


def test_a_failure_that_cannot_pass_any_more_ends_at_once():
    check = Fake("a", [Outcome("fail", "there is no cluster", "run: genai up", final=True)])
    result = run([check])[0]
    assert (result.status, result.hint, check.looks) == ("fail", "run: genai up", 1)


def test_fail_fast_ends_the_others_as_skipped():
    checks = [Fake("a", [BAD], deadline=0), Fake("b", [BAD])]
    first, second = run(checks, fail_fast=True, interval=0.01)
    assert (first.status, second.status) == ("fail", "skip")
    assert "another check failed" in second.evidence


def test_results_are_heard_as_they_come_in_the_callers_thread():
    heard = []
    run([Fake("a", [GOOD]), Fake("b", [GOOD])], on_result=lambda result: heard.append((result.id, threading.current_thread())))
    assert {id for id, _ in heard} == {"a", "b"}
    assert {thread for _, thread in heard} == {threading.current_thread()}


def test_what_a_listener_raises_reaches_the_caller():
    def stop(result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([Fake("a", [GOOD]), Fake("b", [BAD])], on_result=stop, interval=0.01)
