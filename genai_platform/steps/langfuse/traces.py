"""langfuse.traces: ClickHouse's tables over the night: backed up by ``down --keep-data``, read back by the next ``up``.

The disk's own objects are useless without the volume that names them, so ClickHouse writes a backup of its own next to
them. Its parts: ``clickhouse`` asks ClickHouse, ``backups`` knows the bucket, ``writers`` stops what writes, ``chart_line`` is
the way from Langfuse 3 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from genai_platform.advice import Command, Remedy, advice, genai, joined, run_genai
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Change, Observation, Progress, Silent, State, Step, absent, drifted, present
from genai_platform.errors import NeverBuilt, StepError
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse import chart_line, writers
from genai_platform.steps.langfuse.backups import Backup, Backups
from genai_platform.steps.langfuse.clickhouse import LIMIT, ClickHouse, Contents, counted, fewer, installed_line, volume_state


def step(clients: Clients) -> Step:
    """Where the disk is mounted after the install, that restarts ClickHouse: not during a restore."""
    by_hand = clients.target.settings.langfuse.post_install == "patch"
    return TracesStep(clients, ("langfuse.chart", "patch.disk") if by_hand else ("langfuse.chart",))


@dataclass(frozen=True)
class TracesStep:
    """What Langfuse stored in ClickHouse. Present when its tables are there, with what was kept from an earlier day."""

    clients: Clients
    needs: tuple[str, ...] = ("langfuse.chart",)
    minutes: float = 0.5
    limit: float = 2 * LIMIT
    outlives: tuple[str, ...] = ("litellm.proxy",)
    """LiteLLM sends traces to the very end: it ends before the backup begins."""
    id: str = "langfuse.traces"

    # -- looking ----------------------------------------------------------------------------------
    def observe(self) -> Observation:
        found = self._look()
        if found.state is State.PRESENT:
            return found
        # Langfuse makes its tables itself: they are filled here, also where there are none yet.
        return replace(found, changes=(Change("update", "tables of ClickHouse", found.evidence),))

    def glance(self) -> Observation:
        last, clickhouse = Backups(self.clients).last(), self._clickhouse()
        if clickhouse is None:
            return _not_running(last)
        match volume_state(self.clients.kube, clickhouse.line):
            case "lost":
                return drifted("ClickHouse's claim has lost its volume")
            case "new":
                return self._look()  # only ClickHouse knows whether what was on an earlier volume is here again
        return present("ClickHouse exists; what it holds was not counted")

    def _look(self) -> Observation:
        last, clickhouse = Backups(self.clients).last(), self._clickhouse()
        if clickhouse is None:
            return _not_running(last)
        with unknown_if_never_built():
            held = clickhouse.holds(Silent())
        if fault := _fault(held, last):
            return drifted(fault)
        kept = f"what was kept in {last.name} is among it" if last else "nothing was kept from an earlier day"
        return present(f"ClickHouse holds {held}; {kept}")

    def _clickhouse(self) -> ClickHouse | None:
        """The one that exists, of either line: the configuration may name the next one already."""
        line = installed_line(self.clients.kube) if self.clients.kube.exists() else None
        return None if line is None else ClickHouse(self.clients, line)

    # -- doing ------------------------------------------------------------------------------------
    def apply(self, progress: Progress) -> str:
        last, clickhouse = Backups(self.clients).last(), self._clickhouse()
        if clickhouse is None:
            raise NeverBuilt("ClickHouse does not run", remedy=run_genai("langfuse"), id="clickhouse.absent")
        held, done = clickhouse.holds(progress), []
        if not held.tables:
            progress.say("ClickHouse has no tables: its volume is new; Langfuse starts again and makes them")
            writers.restart(self.clients.kube, progress)
            done.append("Langfuse started again and made its tables")
        if last is not None and held.backup != last.name:
            self._read_back(clickhouse, last, progress)
            done.append(f"read back from {last.name}")
            if chart_line.release(self.clients.kube, progress):
                done.append("Langfuse 4 rewrites it for its own tables in the background")
            clickhouse.mark(last.name, progress)
        return "; ".join(done) or "nothing was kept from an earlier day"

    def _read_back(self, clickhouse: ClickHouse, last: Backup, progress: Progress) -> None:
        progress.say(f"reading {last.name} back into ClickHouse")
        clickhouse.restore(Backups(self.clients).place(last.name), progress)

    def destroy(self, progress: Progress) -> str:
        lifecycle = self.clients.target.settings.lifecycle
        if lifecycle.down != "keep-data":
            return "ClickHouse's tables go with langfuse.chart"
        backups, clickhouse = Backups(self.clients), self._clickhouse()
        last = backups.last()
        if clickhouse is None:
            return f"kept: {last.name}" if last else "ClickHouse does not run"
        if lifecycle.backup == "last" and last is not None:
            return f"kept: {last.name}, without what was written since"
        try:
            return self._back_up(backups, clickhouse, last, progress, smaller=lifecycle.backup == "smaller")
        except StepError as error:
            raise error.said(remedy=_ways(error.remedy, last)) from None

    def _back_up(self, backups: Backups, clickhouse: ClickHouse, last: Backup | None, progress: Progress, *, smaller: bool) -> str:
        held = clickhouse.holds(progress)
        if last is not None and held.backup != last.name and held.empty:
            return f"kept: {last.name}, which was not read back since; ClickHouse holds nothing more"
        if last is not None and held.backup == last.name and not smaller:
            _refuse_less(held, last)
        writers.stop(self.clients, clickhouse, progress)
        if last is not None and held.backup != last.name:
            # A lost volume, or an `up` that did not get this far: today's traces are added to the earlier ones.
            self._read_back(clickhouse, last, progress)
        held, name = clickhouse.holds(progress), backups.new_name()
        progress.say(f"ClickHouse writes {name}: {held}")
        clickhouse.backup(backups.place(name), progress)
        progress.say(f"trying {name} by restoring it")
        restored = clickhouse.trial(backups.place(name), progress)
        if lacking := fewer(restored, held.rows):
            raise StepError(f"{name} does not give back what ClickHouse holds: {_told(lacking)}; it is not used", id="data.trial")
        backups.record(Backup(name, restored, clickhouse.line, writers.version(self.clients.kube)))
        clickhouse.mark(name, progress)
        left = backups.forget(progress)
        before = f"; the one before it, {left[1]}, is kept too" if len(left) > 1 else ""
        return f"kept: {name} ({counted(restored)}; restored once to be sure){before}"


def _not_running(last: Backup | None) -> Observation:
    return absent(f"ClickHouse does not run; its data is kept in {last.name}" if last else "ClickHouse does not run")


def _fault(held: Contents, last: Backup | None) -> str | None:
    """Why ClickHouse does not hold what it should."""
    kept = f"{last.name}{f' ({counted(last.rows)})' if last.rows is not None else ''}" if last else ""
    if not held.tables:
        return f"ClickHouse has no tables: its volume is new or was lost{f'; {kept} is read back by genai up' if last else ''}"
    if last is not None and held.backup != last.name:
        return f"{kept} was not read back yet, or was lost with ClickHouse's volume; genai up reads it back"
    return None


def _refuse_less(held: Contents, last: Backup) -> None:
    """Fewer rows than were kept, and nobody deleted any: that backup is not followed by a worse one."""
    lacking = {name: change for name, change in fewer(held.rows, last.rows or {}).items() if name not in held.deleted_from}
    if lacking:
        raise StepError(
            f"ClickHouse holds less than {last.name}, and nobody deleted anything: {_told(lacking)}; nothing was replaced",
            remedy=advice("to keep what ClickHouse holds now, in addition to that backup: {}", _down_with("smaller")),
            id="data.less",
        )


def _told(lacking: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"{name} {before} -> {now}" for name, (before, now) in lacking.items())


def _down_with(backup: str) -> Command:
    return genai("down --keep-data", set=f"lifecycle.backup={backup}")


def _ways(remedy: Remedy, last: Backup | None) -> Remedy:
    if last is None:
        return joined(remedy, "to remove everything all the same, run it without --keep-data")
    return joined(remedy, advice("to keep {} and go on without what was written since: {}", last.name, _down_with("last")))
