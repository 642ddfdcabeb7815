"""Runs steps: each as soon as what it needs is there, all at the same time.

The thread that calls ``apply`` or ``destroy`` here only decides; each step works in a thread of its own and reports
through one queue. That keeps every decision in one place. Ctrl-C goes into the same queue, so it never comes between two
halves of a decision. Nothing is remembered: a step is probed right before it would be applied.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

from genai_platform.advice import Remedy, run_genai, typed
from genai_platform.engine.events import Bus, Outcome, RunFinished, RunStarted, StepFinished, StepResult, StepStarted, StopAsked
from genai_platform.engine.graph import Graph, Selection
from genai_platform.engine.observe import glance, observe
from genai_platform.engine.running import Running
from genai_platform.engine.step import Observation, State, Step
from genai_platform.engine.usual import Usual, Work
from genai_platform.errors import GenaiError, Interrupted, StepError, unexpected

GRACE = 60.0
"""Seconds a step may take beyond its limit to notice it; then it is given up, and its thread left behind."""


@dataclass(frozen=True)
class Report:
    """How a run ended."""

    results: tuple[StepResult, ...]
    seconds: float
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is there (or gone)."""
        return not self.interrupted and all(result.outcome != "failed" for result in self.results)

    @property
    def failed(self) -> tuple[StepResult, ...]:
        """The steps that failed themselves."""
        return tuple(result for result in self.results if result.outcome == "failed")


@dataclass
class Scheduler:
    """Runs a graph's steps. ``command`` and ``environment`` are for the events."""

    graph: Graph
    bus: Bus = field(default_factory=Bus)
    command: str = ""
    environment: str = ""
    clock: Callable[[], float] = time.monotonic
    usual: Usual = field(default_factory=Usual)
    """How long steps take, for what is said of those that take long."""

    def apply(self, selection: Selection) -> Report:
        """Make the selected steps present. What else they need must be there already."""
        return _Run(self, "apply", selection, frozenset(), {}).go()

    def destroy(self, ids: Iterable[str], retained: Iterable[str] = (), inside: Mapping[str, str] | None = None) -> Report:
        """Remove these steps, what depends on them first.

        Args:
            retained: kept on purpose.
            inside: steps that exist only inside another, and that other: where it is removed in the same run, one of them that
                fails stops nothing, because it goes with it.
        """
        return _Run(self, "destroy", Selection(self.graph.ordered(ids)), frozenset(retained), inside or {}).go()


class _Run:
    def __init__(
        self, scheduler: Scheduler, action: Literal["apply", "destroy"], selection: Selection, retained: frozenset[str],
        inside: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._graph, self._bus, self._clock, self._scheduler = scheduler.graph, scheduler.bus, scheduler.clock, scheduler
        self._action: Literal["apply", "destroy"] = action
        self._selection, self._retained = selection, retained
        self._inside = {id: other for id, other in inside.items() if other in selection.ids and other not in retained}
        order = selection.ids if action == "apply" else tuple(reversed(selection.ids))
        self._waiting: dict[str, Step] = {id: self._graph[id] for id in order}
        self._running: dict[str, Running] = {}
        self._results: dict[str, StepResult] = {}
        # None: Ctrl-C. A SimpleQueue may be written to by a signal handler while the same thread reads it.
        self._ended: queue.SimpleQueue[StepResult | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._outside: dict[str, Observation] = {}
        self._outside_lock = threading.Lock()

    # -- the deciding thread ----------------------------------------------------------------------
    def go(self) -> Report:
        started, ids = self._clock(), tuple(self._waiting)
        self._bus(RunStarted(self._scheduler.command, self._scheduler.environment, ids))
        with self._listening():
            while self._waiting or self._running:
                self._start_ready()
                if self._running:
                    self._collect()
        report = Report(tuple(self._results[id] for id in ids), self._clock() - started, self._stop.is_set())
        self._bus(RunFinished(report.ok, report.seconds))
        return report

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Ctrl-C (or SIGTERM) once asks to stop, twice raises ``KeyboardInterrupt``."""
        asked = False

        def hear(number: int, frame: FrameType | None) -> None:
            nonlocal asked
            if asked:
                raise KeyboardInterrupt
            asked = True
            self._ended.put(None)

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self) -> None:
        self._stop.set()
        self._bus(StopAsked(tuple(self._running)))
        for id in tuple(self._waiting):
            self._end(StepResult(id, "skipped", 0.0, "not started: interrupted"))

    def _before(self, id: str) -> tuple[str, ...]:
        """What must have ended well before this step."""
        return self._graph.needs(id) if self._action == "apply" else self._graph.removed_before(id)

    def _start_ready(self) -> None:
        for id, step in tuple(self._waiting.items()):
            before = [self._results.get(other) for other in self._before(id) if other in self._selection.ids]
            bad = next((result for result in before if result and result.outcome in ("failed", "skipped")), None)
            if bad:
                self._end(StepResult(id, "skipped", 0.0, self._blame(bad)))
            elif id in self._retained:
                if all(before):
                    self._end(StepResult(id, "retained", 0.0, "kept"))
            elif all(before):
                work: Work = "create" if self._action == "apply" else "destroy"
                running = Running(step, work, self._bus, self._stop, self._clock, self._scheduler.usual)
                thread = threading.Thread(target=self._work, args=(running,), name=id, daemon=True)
                self._running[id] = running
                del self._waiting[id]
                thread.start()

    def _blame(self, bad: StepResult) -> str:
        if bad.outcome == "skipped":
            return bad.evidence  # names the step that failed first
        return (
            f"not attempted: '{bad.id}' failed" if self._action == "apply" else f"not attempted: '{bad.id}', which uses it, is still there"
        )

    def _collect(self) -> None:
        for running in self._running.values():
            running.remind()
        try:
            result = self._ended.get(timeout=0.5)
        except queue.Empty:
            now = self._clock()
            for id, running in tuple(self._running.items()):
                if now - running.started > running.step.limit + GRACE:
                    text = f"gave no answer for {now - running.started:.0f} s (its limit is {running.step.limit:.0f} s); given up"
                    self._end(StepResult(id, "failed", now - running.started, text, "run the same command again"))
            return
        if result is None:
            self._interrupt()
        elif result.id in self._running:  # else it was given up before
            self._end(result)

    def _end(self, result: StepResult) -> None:
        container = self._inside.get(result.id)
        if container and result.outcome == "failed" and not self._stop.is_set():
            evidence = f"left to '{container}', which goes with everything in it: {result.evidence}"
            result = StepResult(result.id, "done", result.seconds, evidence, result.remedy)
        self._running.pop(result.id, None)
        self._waiting.pop(result.id, None)
        self._results[result.id] = result
        self._bus(StepFinished(result.id, result.outcome, result.seconds, result.evidence, typed(result.remedy)))

    # -- the step's own thread --------------------------------------------------------------------
    def _work(self, running: Running) -> None:
        step, started = running.step, self._clock()
        outcome: Outcome = "failed"
        remedy: Remedy = ""
        try:
            outcome, evidence = self._applied(running) if self._action == "apply" else self._destroyed(running)
        except GenaiError as error:
            evidence, remedy = error.message, error.remedy
        except Exception as error:
            # A fault of this program or a library: the step failed, the others go on.
            fault = unexpected(error)
            evidence, remedy = fault.message, fault.remedy
        self._ended.put(StepResult(step.id, outcome, self._clock() - started, evidence, remedy))

    def _applied(self, running: Running) -> tuple[Outcome, str]:
        step = running.step
        if missing := self._missing(step):
            return missing
        self._bus(StepStarted(step.id, "probe"))
        finding = observe(step)
        if finding.state is State.PRESENT:
            return "present", finding.evidence
        if finding.state is State.UNKNOWN:
            raise _unknown(step.id, finding)
        if self._stop.is_set():
            raise Interrupted
        running.begin("apply", finding.state)
        return "done", step.apply(running)

    def _destroyed(self, running: Running) -> tuple[Outcome, str]:
        step = running.step
        self._bus(StepStarted(step.id, "probe"))
        finding = glance(step)  # what is removed is not compared first
        if finding.state is State.ABSENT:
            return "absent", finding.evidence
        if self._stop.is_set():
            raise Interrupted
        # UNKNOWN is not taken for absent: what cannot be seen is removed, and says itself when that fails.
        running.begin("destroy", finding.state)
        return "done", step.destroy(running)

    def _missing(self, step: Step) -> tuple[Outcome, str] | None:
        """Whether something the step needs, and this run does not make, is not there. Its settings are not compared."""
        for need in step.needs:
            if need in self._selection.ids:
                continue
            with self._outside_lock:
                if need not in self._outside:
                    self._outside[need] = glance(self._graph[need])
                finding = self._outside[need]
            if finding.state is State.ABSENT:
                if need in self._selection.skipped:
                    return "skipped", f"not attempted: '{need}' is absent and was left out"
                raise StepError(
                    f"needs '{need}', which is absent: {finding.evidence}", remedy=run_genai(f"up --only {need}"), id="step.need_absent"
                )
            if finding.state is State.UNKNOWN:
                raise _unknown(need, finding)
        return None


def _unknown(id: str, finding: Observation) -> StepError:
    return StepError(
        f"cannot see the state of '{id}': {finding.evidence}",
        remedy=finding.remedy or "fix that and run the same command again",
        id="step.unknown",
    )


OBSERVE_LIMIT = 300.0
"""Seconds after which a look that gave no answer counts as unknown. Each call in it has a limit of its own."""
GLANCE_LIMIT = 15.0
"""The same for a glance. It takes one to five seconds; a person who waits for more learns nothing that ``observe`` does not say better."""


def observe_all(
    steps: Iterable[Step], seen: Callable[[str], None] = lambda id: None, limit: float = OBSERVE_LIMIT, *,
    how: Callable[[Step], Observation] = observe,
) -> dict[str, Observation]:  # fmt: skip
    """Look at steps at the same time.

    Args:
        seen: called with the id of each that gave an answer.
        limit: seconds to wait for all of them; what has given no answer by then is ``UNKNOWN``.
        how: how to look at one.
    """
    chosen = list(steps)
    found: queue.SimpleQueue[tuple[str, Observation]] = queue.SimpleQueue()
    silent = Observation(State.UNKNOWN, f"no answer within {limit:.0f} s")
    findings = {step.id: silent for step in chosen}

    def look(step: Step) -> None:
        try:
            finding = how(step)
        except Exception as error:
            finding = Observation(State.UNKNOWN, unexpected(error).message)
        found.put((step.id, finding))

    for step in chosen:
        threading.Thread(target=look, args=(step,), name=f"probe {step.id}", daemon=True).start()
    deadline = time.monotonic() + limit
    for _ in chosen:
        try:
            id, finding = found.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        findings[id] = finding
        seen(id)
    return findings


def glance_all(steps: Iterable[Step], seen: Callable[[str], None] = lambda id: None) -> dict[str, Observation]:
    """The same where what exists is enough to know. Takes at most ``GLANCE_LIMIT``, whatever does not answer."""
    return observe_all(steps, seen, GLANCE_LIMIT, how=glance)
