"""One run of a command: its options, its screen, and on demand its target, clients and graph."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from genai_platform.advice import typed
from genai_platform.cli.options import Options
from genai_platform.cli.worlds import Purpose
from genai_platform.ui.screen import Screen

if TYPE_CHECKING:
    from genai_platform.cli.worlds import World
    from genai_platform.config.settings import Settings
    from genai_platform.config.target import Target
    from genai_platform.engine.events import Sink
    from genai_platform.engine.graph import Graph
    from genai_platform.engine.scheduler import Report, Scheduler
    from genai_platform.engine.step import Observation
    from genai_platform.engine.usual import Usual
    from genai_platform.steps.clients import Clients


class Run:
    """Made by the command line for each command; a context manager."""

    def __init__(self, options: Options, screen: Screen) -> None:
        self.options = options
        self.flags = options.flags
        """The options that choose the world, as one would type them again, with a leading blank."""
        self.screen = screen
        self.endless = False
        """Whether the command goes on until Ctrl-C, which is then its normal end: nothing is said about it."""
        self._stack = ExitStack()
        self._target: Target | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(_interruptible())
        self.screen.environment = self.options.environment
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    # -- the world --------------------------------------------------------------------------------
    @cached_property
    def world(self) -> World:
        """Where this command works."""
        from genai_platform.cli.worlds import choose

        return choose(self.options, self.screen)

    @property
    def settings(self) -> Settings:
        """As configured: known without looking at the world. Raises ``ConfigError``."""
        return self.world.loaded.settings

    def enter(self, purpose: Purpose = Purpose.LOOK) -> Target:
        """Verify the world; errors as ``World.enter`` has them."""
        self._target = self.world.enter(purpose)
        self.screen.target = self.world.describe()
        return self._target

    @property
    def target(self) -> Target:
        """The world this command works on; it is entered when it was not before."""
        return self._target or self.enter()

    @cached_property
    def clients(self) -> Clients:
        """The clients of the target's systems."""
        from genai_platform.steps.clients import Clients
        from genai_platform.tools import libraries

        target = self.target
        # Clients are soon used from many threads.
        libraries.load(azure=target.settings.azure.enabled)
        return Clients(target)

    @cached_property
    def graph(self) -> Graph:
        """All steps of this target."""
        from genai_platform.steps.catalog import build

        return build(self.clients)

    def find_unconfigured(self) -> None:
        """Add to the graph what exists though the configuration no longer has it. Looks at the world."""
        from genai_platform.steps.catalog import with_unconfigured

        self.graph = with_unconfigured(self.graph, self.clients)

    def look(self, ids: Sequence[str], *, glance: bool = False) -> dict[str, Observation]:
        """What is seen of these steps, while the screen tells how far it is. ``glance``: as ``engine/observe.py`` means it."""
        from genai_platform.engine.scheduler import glance_all, observe_all

        with self.screen.looking(ids) as seen:
            return (glance_all if glance else observe_all)((self.graph[id] for id in ids), seen)

    @property
    def project(self) -> Path:
        """The folder of genai.toml."""
        from genai_platform.config.layers import project_folder

        return project_folder()

    # -- work -------------------------------------------------------------------------------------
    def lock(self, folder: Path, command: str) -> None:
        """Hold the environment's lock until the command ends."""
        from genai_platform.engine.journal import last_run
        from genai_platform.engine.lock import hold
        from genai_platform.ui.at_work import at_work

        before = self._stack.enter_context(
            hold(folder / "lock", command, lambda holder: at_work(last_run(folder / "journal.jsonl"), holder))
        )
        if before:
            self.screen.say(f"replaced the stale lock of '{before.command}' (process {before.pid} is no longer running)")

    def execute(
        self,
        command: str,
        ids: tuple[str, ...],
        work: Callable[[Scheduler], Report],
        *,
        destroying: bool = False,
        events: Path | None = None,
    ) -> Report:
        """Run steps with the journal, the screen and, where asked for, a file of events listening.

        Args:
            destroying: the work removes them.
        """
        from genai_platform.engine.events import Bus
        from genai_platform.engine.forecast import Forecast
        from genai_platform.engine.journal import Journal
        from genai_platform.engine.scheduler import Scheduler

        bus, usual = Bus(), self.usual
        with ExitStack() as sinks:
            try:
                bus.add(sinks.enter_context(Journal(self.journal)))
            except OSError as fault:
                self.screen.warn(f"no log is written: {self.journal}: {fault.strerror}")
            if events is not None:
                events.unlink(missing_ok=True)
                bus.add(sinks.enter_context(Journal(events)))
            follow: Sink = sinks.enter_context(self.screen.follow(ids, forecast=Forecast(self.graph, ids, usual, destroying=destroying)))
            bus.add(follow)
            report = work(Scheduler(self.graph, bus, command, self.target.environment, usual=usual))
        for error in bus.lost:
            self.screen.warn(f"not all events could be written: {error.strerror or error}")
        return replace(report, results=tuple(replace(result, remedy=typed(result.remedy, self.flags)) for result in report.results))

    @property
    def usual(self) -> Usual:
        """How long steps usually take here."""
        from genai_platform.engine.journal import read
        from genai_platform.engine.usual import usual

        return usual(read(self.world.configured.folder / "journal.jsonl"), self.world.typical_minute)

    @property
    def journal(self) -> Path:
        """The environment's journal."""
        return self.target.folder / "journal.jsonl"


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM is a polite request like Ctrl-C, and both are heard though a shell started us in the background."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
