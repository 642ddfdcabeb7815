"""Starts, watches and stops the processes of a sandbox.

There is no process of its own: each part runs detached, and what is known about it lies in files of the sandbox's
folder, so any later command finds it again. A part's process is recognised by its number *and* the moment it began;
a number that the system gave to somebody else is never signalled. Every process also carries the sandbox's folder in
its environment, so one that lost its parent is still found and stopped.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Literal

import psutil

from genai_platform.advice import advice, genai
from genai_platform.engine.step import Progress
from genai_platform.errors import Interrupted, MissingError, StepError
from genai_platform.sandbox import processes, programs
from genai_platform.sandbox.aws import part as aws
from genai_platform.sandbox.cluster.agent import part as agent
from genai_platform.sandbox.data import engines
from genai_platform.sandbox.layout import SandboxLayout, claim_network
from genai_platform.sandbox.part import Part, PartStatus, ports_of
from genai_platform.sandbox.parts import PartSpec, parts

START_SECONDS = 120.0
"""Until a part must answer. A cold start on a busy machine takes long; a part that ended is noticed at once."""
STOP_SECONDS = 8.0
_INSIDE = {5432: "PostgreSQL", 6379: "Redis", 8123: "ClickHouse", 9000: "ClickHouse", 4000: "LiteLLM", 3000: "Langfuse", 3030: "Langfuse"}
"""Ports that databases and pods listen on, as their images and outputs say."""


def start(layout: SandboxLayout, progress: Progress, plan: Sequence[PartSpec] | None = None, limit: float = START_SECONDS) -> list[str]:
    """Start what is not running and wait until every part answers.

    Args:
        plan: the parts; default: all of ``parts.py``.

    Returns:
        The names of the parts that were started; empty when all ran already.

    Raises:
        StepError: a port is taken, or a part ended or does not answer; the message holds its last log line.
        Interrupted: the person asked to stop. What runs stays; the same command goes on.
    """
    plan = parts(layout) if plan is None else plan
    with layout.lock("supervisor"):
        # Not next to another sandbox with the same addresses (a restored copy, say).
        claim_network(layout.root, layout.network, lambda holder: running(SandboxLayout.open(holder)))
        _refuse_taken_ports(layout, plan)
        run = _Start(layout, plan, limit)
        with ThreadPoolExecutor(max_workers=len(plan), thread_name_prefix="part") as pool:
            pending: set[Future[None]] = {pool.submit(run.one, planned) for planned in plan}
            failures: list[BaseException] = []
            said = ""
            try:
                while pending:
                    done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                    failures += [error for future in done if (error := future.exception()) is not None]
                    progress.check()
                    waiting = run.waiting()
                    if waiting and waiting != said:
                        progress.say(f"waiting for {waiting}")
                        said = waiting
            except BaseException:
                run.give_up.set()
                raise
        real = [error for error in failures if not isinstance(error, Interrupted)]
        if real:
            raise real[0]
        return run.started


class _Start:
    """One call of ``start``: who is ready, who was started, whether to give up."""

    def __init__(self, layout: SandboxLayout, plan: Sequence[PartSpec], limit: float) -> None:
        self.layout, self.limit = layout, limit
        self.answered = {planned.part.name: threading.Event() for planned in plan}
        self.begun: set[str] = set()
        self.started: list[str] = []
        self.give_up = threading.Event()

    def waiting(self) -> str:
        return ", ".join(name for name, answered in self.answered.items() if name in self.begun and not answered.is_set())

    def one(self, planned: PartSpec) -> None:
        """Bring one part up. Runs in a thread of its own."""
        for need in planned.needs:
            while not self.answered[need].wait(0.1):
                if self.give_up.is_set():
                    raise Interrupted
        try:
            self._bring_up(planned.part)
        except BaseException:
            self.give_up.set()
            raise
        self.answered[planned.part.name].set()

    def _bring_up(self, part: Part) -> None:
        layout, name = self.layout, part.name
        self.begun.add(name)
        process = processes.recorded(layout, name) or self._launch(part)
        until = time.monotonic() + self.limit
        while not part.ready(layout):
            if not processes.alive(process):
                if name not in self.started:  # it was about to end when it was found
                    process = self._launch(part)
                    continue
                raise StepError(
                    f"the sandbox's part '{name}' ended: {processes.last_line(layout, name)}",
                    remedy=f"read {processes.log_file(layout, name)}",
                    id="sandbox.part_ended",
                )
            if time.monotonic() > until:
                raise StepError(
                    f"the sandbox's part '{name}' does not answer after {self.limit:.0f} s; its last log line: "
                    f"{processes.last_line(layout, name)}",
                    remedy=f"read {processes.log_file(layout, name)}, then run the same command again",
                    id="sandbox.part_silent",
                )
            if self.give_up.wait(0.1):
                raise Interrupted

    def _launch(self, part: Part) -> psutil.Process:
        # A part that was killed may have left children behind, which hold its addresses.
        processes.end_marked(self.layout, STOP_SECONDS, part.name)
        part.prepare(self.layout)
        _refuse_taken(self.layout, part)
        process = processes.launch(self.layout, part.name, part.argv(self.layout), part.variables(self.layout))
        self.started.append(part.name)
        return process


def stop(layout: SandboxLayout, plan: Sequence[PartSpec] | None = None) -> list[str]:
    """Stop every part, those that others need last, and whatever it started. Twice is fine.

    Returns:
        The names of the parts that ran.
    """
    plan = parts(layout) if plan is None else plan
    stopped: set[str] = set()
    with layout.lock("supervisor"):
        left = list(plan)
        while left:
            needed = {need for planned in left for need in planned.needs}
            wave = [planned.part.name for planned in left if planned.part.name not in needed]
            left = [planned for planned in left if planned.part.name not in wave]
            with ThreadPoolExecutor(max_workers=len(wave)) as pool:
                ended = pool.map(lambda name: processes.end(layout, name, STOP_SECONDS), wave)
                stopped |= {name for name, ran in zip(wave, ended, strict=True) if ran}
        processes.end_marked(layout, STOP_SECONDS)
    return [planned.part.name for planned in plan if planned.part.name in stopped]


def status(layout: SandboxLayout, plan: Sequence[PartSpec] | None = None) -> list[PartStatus]:
    """Every part, every data engine, every container of the pods, and the programs that run when they are called."""
    rows = [_row(layout, planned.part) for planned in (parts(layout) if plan is None else plan)]
    rows += engines.rows(layout, running=processes.recorded(layout, aws.PART.name) is not None)
    # The node agent writes down what it runs; when it does not run, neither does any of it.
    rows += list(agent.rows(layout)) if processes.recorded(layout, agent.PART.name) else []
    return rows + (list(programs.rows()) if plan is None else [])


def _row(layout: SandboxLayout, part: Part) -> PartStatus:
    process, state = processes.recorded(layout, part.name), _state(layout, part.name)
    port = None if part.port is None else layout.ports[part.port]
    return PartStatus(part.name, part.kind, part.version, process.pid if process else None, port, state)


def _state(layout: SandboxLayout, name: str) -> Literal["running", "ended", "stopped"]:
    if processes.recorded(layout, name) is not None:
        return "running"
    # Who stops a part forgets it.
    return "ended" if name in processes.names(layout) else "stopped"


def running(layout: SandboxLayout) -> bool:
    """Whether any part of it runs."""
    return any(processes.recorded(layout, name) is not None for name in processes.names(layout))


def ended(layout: SandboxLayout, plan: Sequence[PartSpec] | None = None) -> list[str]:
    """The parts that were started and have ended by themselves."""
    # Not by ``_row``: it starts the programs to ask for their versions.
    names = [planned.part.name for planned in (parts(layout) if plan is None else plan)]
    return [name for name in names if _state(layout, name) == "ended"]


def remove(layout: SandboxLayout, plan: Sequence[PartSpec] | None = None) -> None:
    """Stop it and delete its folder. Nothing of it can be started again."""
    stop(layout, plan)
    shutil.rmtree(layout.root)


def _refuse_taken_ports(layout: SandboxLayout, plan: Sequence[PartSpec]) -> None:
    """Look at every port before anything is started."""
    if any(planned.part.name == agent.PART.name for planned in plan) and not running(layout):
        refuse_covered_ports(layout)
    for part in (planned.part for planned in plan):
        if processes.recorded(layout, part.name) is not None:
            continue
        if any(processes.port_holder(layout.ports[port]) is not None for port in ports_of(part)):
            # It may be what a part that was killed left behind.
            processes.end_marked(layout, STOP_SECONDS, part.name)
            _refuse_taken(layout, part)


def refuse_covered_ports(layout: SandboxLayout) -> None:
    """Databases and pods listen on addresses of this sandbox alone, unless somebody has their port on every address.

    Raises:
        MissingError: somebody has; the message says who.
    """
    for number, who in _INSIDE.items():
        holder = processes.port_holder(number, layout.spare_address)
        if holder is not None:
            raise MissingError(
                f"port {number}, which the sandbox's {who} needs on an address of its own, is taken on every address by {holder}",
                remedy="stop that program, or have it listen on 127.0.0.1 alone",
                id="sandbox.port_taken",
            )


def _refuse_taken(layout: SandboxLayout, part: Part) -> None:
    for number in (layout.ports[port] for port in ports_of(part)):
        holder = processes.port_holder(number)
        if holder is not None:
            raise MissingError(
                f"port {number}, which the sandbox's part '{part.name}' needs, is taken by {holder}",
                remedy=advice("stop that program, or re-create the sandbox: {}", genai("sandbox remove")),
                id="sandbox.port_taken",
            )


@contextlib.contextmanager
def halted(layout: SandboxLayout, progress: Progress, plan: Sequence[PartSpec] | None = None) -> Iterator[None]:
    """Stop what runs, do something with the files at rest, start it again when it ran before."""
    was_running = running(layout)
    stop(layout, plan)
    try:
        yield
    finally:
        if was_running:
            start(layout, progress, plan)
