"""The client of Terraform: one root at a time by name, compared, applied, taken over and removed, its progress in words."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genai_platform.advice import advice, genai, run_genai
from genai_platform.config.target import Target
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Change, Observation, Progress, State
from genai_platform.errors import NeverBuilt, StepError
from genai_platform.files import write_private
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.terraform import inventory as terraform_inventory
from genai_platform.tools.terraform import state as terraform_state
from genai_platform.tools.terraform import takeover as terraform_takeover
from genai_platform.tools.terraform import unfinished_run as terraform_run
from genai_platform.tools.terraform.adoption import Orphan, completed, incomplete, orphans, settled
from genai_platform.tools.terraform.events import REPLACED, Events, StateLocked, unlock
from genai_platform.tools.terraform.inventory import Inventory
from genai_platform.tools.terraform.program import VARIABLES, Command, Program, Root
from genai_platform.tools.wait import wait_for

ROOTS: tuple[Root, ...] = ("network", "storage", "cluster", "data")
_NAMED = 5
"""As many changes are named in one line."""
_WITH_LOCK = {"lock_timeout": "1800s", "var_file": VARIABLES}
_CHANGING = {"auto_approve": True, **_WITH_LOCK}


class Terraform:
    """Terraform for one target, with the credentials of ``aws``. Making it does no I/O; roots may be worked on by several threads."""

    def __init__(self, target: Target, aws: Aws | None = None) -> None:
        self.target = target
        self.state = terraform_state.States(target, aws or Aws(target))
        self._aws = self.state.aws
        self._program = Program(target, self._aws)
        self._outputs: dict[str, Mapping[str, Any]] = {}
        # Several steps ask for the same root at once: one of them looks, the others hear what it saw.
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    # -- what others ask --------------------------------------------------------------------------
    def observe(self, root: Root, variables: Callable[[], Mapping[str, Any]]) -> Observation:
        """Compare the root with the world, with ``terraform plan`` where it has a state: the changes are what that said.

        Args:
            variables: gives the root's variables; asked only when there is something to compare.

        Returns:
            Without changes where no state knows anything: ``plan`` lists them.

        Raises:
            GenaiError: state or world could not be looked at.
        """
        if unlike := self._incomparable(root):
            return unlike
        held = self.state.resources(root)
        try:
            with unknown_if_never_built():
                planned = self.plan(root, variables())
        except StateLocked:
            # What a killed run left at work ends by itself: ``apply`` and ``destroy`` wait for it.
            evidence = f"terraform of an earlier run is still at work on root '{root}'"
            return Observation(State.DRIFTED, evidence).with_change(f"terraform root {root}")
        moving = [change for change in planned if change.action != "none"]
        if not moving:
            return Observation(State.PRESENT, f"{held} resources as configured")
        named = ", ".join(f"{change.action} {change.object}" for change in moving[:_NAMED])
        evidence = f"{len(moving)} to change: {named}" + (f" and {len(moving) - _NAMED} more" if len(moving) > _NAMED else "")
        return Observation(State.DRIFTED, evidence, changes=tuple(planned))

    def glance(self, root: Root) -> Observation:
        """Compare what the root's state knows with what exists in AWS, without Terraform: settings are not compared.

        Raises:
            GenaiError: state or AWS could not be asked.
        """
        if unlike := self._incomparable(root):
            return unlike
        known, found = self.state.addresses(root), self.existing(root)
        there = {thing.address for thing in found.things} | set(found.doubtful)
        if gone := sorted(terraform_inventory.recognised(root, known) - there):
            evidence = f"{len(gone)} of {len(known)} resources are gone or have lost this environment's tags, e.g. {gone[0]}"
            return Observation(State.DRIFTED, evidence)
        if unknown := found.without(known):
            address = next(iter((*(thing.address for thing in unknown.things), *unknown.doubtful)))
            return Observation(State.DRIFTED, f"exists more often than Terraform's state knows: {address}")
        return Observation(State.PRESENT, f"{len(known)} resources exist; their settings were not compared")

    def _incomparable(self, root: Root) -> Observation | None:
        """What is seen before state and world can be compared. ``None``: they can be."""
        if left := self.state.errored(root):
            evidence = f"an earlier run could not store its state; {left} is stored first"
        elif not self.state.resources(root):
            return self._without_state(root)
        elif holder := self.state.holder(root):
            whose = f"{holder['Who']}, since {holder['Created'][:19]}{terraform_run.doing(holder)}"
            evidence = f"terraform of another run is at work on root '{root}': {whose}"
        else:
            return None
        return Observation(State.DRIFTED, evidence).with_change(f"terraform root {root}")

    def existing(self, root: Root) -> Inventory:
        """What exists of the root in AWS, whatever its state knows. Raises ``GenaiError`` when AWS cannot be asked."""
        return terraform_inventory.look(self._aws, root)

    def _without_state(self, root: Root) -> Observation:
        """Absent is only what neither a state nor AWS knows. Raises ``GenaiError`` when AWS cannot be asked."""
        found = self.existing(root)
        if not found:
            return Observation(State.ABSENT, "not in Terraform's state, and nothing in AWS has this environment's tags")
        ids = [thing.id for thing in found.things] + [id for ids in found.doubtful.values() for id in ids]
        evidence = f"{len(ids)} resources with this environment's tags exist, e.g. {ids[0]}, but no state knows them"
        return Observation(State.DRIFTED, evidence)

    def plan(self, root: Root, variables: Mapping[str, Any]) -> list[Change]:
        """What ``apply`` would do. Raises ``StepError``."""
        events = Events(root, None)
        folder = self._prepare(root, variables, None)
        # A look writes nothing, also no lock into a bucket; a state in a file is locked by the system.
        lock = {"lock": False} if self.state.remote else {"lock_timeout": "20s"}
        options = {"detailed_exitcode": True, "var_file": VARIABLES, **lock}
        finished = self._program.run(folder, Command("plan", 900, options=options), None, events)
        if finished.code == 2 and not events.changes:
            return [Change("update", f"outputs of {root}")]
        return events.changes

    def apply(self, root: Root, variables: Mapping[str, Any], progress: Progress, timeout: float) -> str:
        """Make the root as configured; answers how much changed. Raises ``StepError``."""
        taken = self.recover(root, lambda: variables, progress)
        folder = self._prepare(root, variables, progress)
        self._outputs.pop(root, None)
        seen: set[Orphan] = set()
        while True:
            events = self._events(root, folder, progress)
            try:
                self._program.run(folder, Command("apply", timeout, options=_CHANGING), progress, events)
            except StepError:
                fresh = [orphan for orphan in orphans(events.errors) if orphan not in seen]
                if not fresh:
                    raise
                there = [orphan for orphan in fresh if self._adopt(root, folder, orphan, progress)]
                if there:
                    self._keep(root, folder, variables, there, progress)
                seen |= set(fresh)
                taken += there
                continue
            return events.summary() + (f", {len(taken)} found and taken over" if taken else "")

    def recover(self, root: Root, variables: Callable[[], Mapping[str, Any]], progress: Progress, *, strict: bool = True) -> list[Orphan]:
        """Bring the state up to what exists: what an earlier run could not store, and what carries this environment's tags.

        Args:
            variables: gives the root's variables; asked only when there is something to take over.
            strict: refuse where several things could be meant by one address; else they are left to the audit.

        Returns:
            What was taken over from AWS.

        Raises:
            StepError: see ``strict``; or the state cannot be stored, AWS cannot be asked, or what exists is not as configured.
        """
        with self._locks[f"{root} recovery"]:
            self._store(root, progress)
            found = self.existing(root).without(self.state.addresses(root))
            if strict and found.doubtful:
                raise terraform_takeover.doubtful(root, found, self.state.place(root))
            return self._take_over(root, found.things, variables, progress) if found.things else []

    def _store(self, root: Root, progress: Progress) -> None:
        """Release the lock that an ended run in this folder left, and store the state that it could not store."""
        folder = self._program.folder(root)
        # A run whose `genai` was killed goes on for a while, and writes into the state what it has made.
        waiting = f"waiting until the terraform of an earlier run has ended in {folder}"
        wait_for(lambda: None if terraform_run.running(folder) else True, progress, lambda: waiting, 1800)
        held = self.state.holder(root)
        if held is not None and terraform_run.abandoned(folder, held):
            progress.say(f"releasing the lock of a run that has ended ({held['Who']}, {held['Created'][:19]})")
            unlocking = Command("force-unlock", 300, (held["ID"],), {"force": True})
            self._program.run(self._prepare(root, None, progress), unlocking, progress)
            held = None
        if held is None:
            terraform_run.unmark(folder)
        left = folder / terraform_state.ERRORED
        if self.state.errored(root):
            progress.say(f"storing the state that an earlier run could not store: {left}")
            storing = Command("state", 2100, ("push", "-lock-timeout=1800s", left.name))
            self._program.run(self._prepare(root, None, progress), storing, progress)
        if left.exists():  # it is stored now, or what is stored was newer
            left.replace(left.with_name(f"{left.name}.stored"))

    def _take_over(
        self, root: Root, things: Sequence[Orphan], variables: Callable[[], Mapping[str, Any]], progress: Progress
    ) -> list[Orphan]:
        """Import things of this environment in one go, after a look at what that would do. Raises ``StepError``."""
        there = [thing for thing in things if not incomplete(thing) and self._settled(thing, progress)]
        known = variables()
        folder = self._prepare(root, known, progress)
        progress.say(f"taking over {len(things)} resources that exist and that no state knows")
        if there:
            self._import_all(root, folder, there, progress)
        # What an import leaves incomplete must be completed before it is first compared with the configuration.
        alone = [thing for thing in things if incomplete(thing) and self._adopt(root, folder, thing, progress)]
        if alone:
            self._keep(root, folder, known, alone, progress)
        self._outputs.pop(root, None)
        return [*there, *alone]

    def _import_all(self, root: Root, folder: Path, there: Sequence[Orphan], progress: Progress) -> None:
        try:
            write_private(folder / terraform_takeover.BLOCKS, terraform_takeover.blocks(there))
            events, targets = Events(root, progress), [thing.address for thing in there]
            options = {"out": terraform_takeover.PLAN, "target": targets, **_WITH_LOCK}
            self._program.run(folder, Command("plan", 900, options=options), progress, events)
            shown = self._program.run(folder, Command("show", 120, (terraform_takeover.PLAN,), {"json": True}), progress)
            terraform_takeover.refuse(root, json.loads(shown.out), self.target.tags)
            taking = Command("apply", 3600, (terraform_takeover.PLAN,), {"lock_timeout": "1800s"})
            self._program.run(folder, taking, progress, events)
        finally:
            for name in (terraform_takeover.BLOCKS, terraform_takeover.PLAN):
                (folder / name).unlink(missing_ok=True)

    def _adopt(self, root: Root, folder: Path, orphan: Orphan, progress: Progress) -> bool:
        """Take what exists into the state; False when it was just being removed and is gone now.

        Raises:
            StepError: it is not this environment's.
        """
        if not self._settled(orphan, progress):
            return False
        self._program.run(folder, Command("import", 900, (orphan.address, orphan.id), _WITH_LOCK), progress)
        if not self.target.tags.items() <= self.state.tags(root, orphan.address).items():
            self._program.run(folder, Command("state", 300, ("rm", orphan.address)), progress)
            raise terraform_takeover.foreign(root, orphan.address, orphan.id)
        if document := completed(self.state.read(root) or {}, orphan.address):
            self._program.run(folder, Command("state", 300, ("push", "-"), stdin=json.dumps(document)), progress)
        return True

    def _settled(self, orphan: Orphan, progress: Progress) -> bool:
        """Wait until AWS has done with it; False when it is gone then. Raises ``GenaiError`` when it cannot be seen."""
        progress.say(f"{orphan.address}: '{orphan.id}' exists already; taking it over")
        waiting = f"{orphan.address}: '{orphan.id}' exists already; waiting until AWS has done with it"
        return wait_for(lambda: settled(self._aws, orphan), progress, lambda: waiting, 1800, interval=10) == "there"

    def _keep(self, root: Root, folder: Path, variables: Mapping[str, Any], taken: Sequence[Orphan], progress: Progress) -> None:
        """See that the next ``apply`` keeps what was taken over: it may be in use. Raises ``StepError``."""
        replaced = {change.object for change in self.plan(root, variables) if change.detail == REPLACED}
        for orphan in taken:
            if orphan.address in replaced:
                self._program.run(folder, Command("state", 300, ("rm", orphan.address)), progress)
                raise StepError(
                    f"terraform root '{root}': {orphan.address}: '{orphan.id}' exists already, and would have to be re-created "
                    "to be as configured",
                    remedy=advice("remove it when nobody needs it ({} gives the command), then run the same command again", genai("audit")),
                    id="terraform.differs",
                )

    def destroy(
        self, root: Root, variables: Mapping[str, Any] | None, progress: Progress, timeout: float, only: Sequence[str] = ()
    ) -> str:  # fmt: skip
        """Remove all the root made; answers how much that was.

        Args:
            variables: None: those of the last run.
            only: addresses of resources; nothing else is removed then, but for what depends on them.

        Raises:
            StepError: something could not be removed; the message names it.
        """
        if not self.state.resources(root):
            return "nothing in Terraform's state"
        folder = self._prepare(root, variables, progress)
        self._outputs.pop(root, None)
        if protected := self.state.protected(root):
            # Deletion follows what the state says, not the configuration: bring those arguments there first.
            progress.say(f"lifting the protection of {', '.join(protected)}")
            lifting = Command("apply", timeout, options={**_CHANGING, "target": list(protected)})
            self._program.run(folder, lifting, progress, self._events(root, folder, progress))
        events = self._events(root, folder, progress)
        options = {**_CHANGING, "target": list(only)} if only else _CHANGING
        self._program.run(folder, Command("destroy", timeout, options=options), progress, events)
        return events.summary()

    def outputs(self, root: Root) -> Mapping[str, Any]:
        """The document of ``terraform output -json``, read from the state: each value is the same there, and Terraform need not start.

        Raises:
            NeverBuilt: the root was not applied yet.
            StepError: its state cannot be read.
        """
        with self._locks[f"{root} outputs"]:
            if root not in self._outputs:
                found = self.state.outputs(root)
                if found is None:
                    remedy = run_genai(f"infra --only infra.{root}")
                    raise NeverBuilt(f"terraform root '{root}' was not applied yet", remedy=remedy, id="terraform.absent")
                self._outputs[root] = found
            return self._outputs[root]

    def variables(self, root: Root) -> dict[str, Any]:
        """The root's variables as they were written down at the last run; empty when none were."""
        try:
            found = json.loads((self._program.folder(root) / VARIABLES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    # -- how it is done ---------------------------------------------------------------------------
    def _prepare(self, root: Root, variables: Mapping[str, Any] | None, progress: Progress | None) -> Path:
        return self._program.prepare(root, variables, self.state.backend(root), progress)

    def _events(self, root: Root, folder: Path, progress: Progress) -> Events:
        def locked() -> str:
            held = self.state.holder(root)
            if not held:
                return ""
            about = f"{held['Who']} has it since {held['Created'][:19]}{terraform_run.doing(held)}"
            return f"{about}; if that run ended: {unlock(folder, held['ID'])}"

        return Events(root, progress, locked)
