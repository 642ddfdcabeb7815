"""The door to Terraform: one root at a time by name, each in a folder of the environment, its progress in words.

python-terraform builds the command lines; the process door runs them, since only it can stream and be interrupted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from platformdirs import user_cache_path

from genai_platform import toolchain
from genai_platform.config.files import shipped
from genai_platform.config.target import Target
from genai_platform.errors import GenaiError, StepError
from genai_platform.graph.step import Change, Finding, Progress, State
from genai_platform.tools import terraform_inventory, terraform_mirror, terraform_run, terraform_state, terraform_takeover
from genai_platform.tools.aws import Aws
from genai_platform.tools.process import CommandError, Finished, run
from genai_platform.tools.terraform_events import REPLACED, Events, unlock
from genai_platform.tools.terraform_inventory import Inventory
from genai_platform.tools.terraform_orphans import Orphan, completed, incomplete, orphans, settled
from genai_platform.tools.terraform_watch import Watched
from genai_platform.tools.wait import wait_for

Root = Literal["network", "cluster", "data", "storage"]
ROOTS: tuple[Root, ...] = ("network", "storage", "cluster", "data")
_INIT = threading.Lock()
# What would change our commands; and TF_LOG, whose lines quote requests with what is secret in them.
_DROPPED = ("TF_CLI_ARGS", "TF_VAR_", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_LOG", "TF_REATTACH_PROVIDERS")


class Terraform:
    """Terraform for one target. Making it does no input or output; roots may be worked on by several threads.

    Args:
        target: the world to work on.
        aws: the door whose credentials Terraform gets; default: the target's.
    """

    def __init__(self, target: Target, aws: Aws | None = None) -> None:
        self.target = target
        self.state = terraform_state.States(target, aws or Aws(target))
        self._aws = self.state.aws
        self._ready: set[str] = set()
        self._outputs: dict[str, Mapping[str, Any]] = {}
        # Several steps ask for the same root at once: one of them looks, the others hear what it saw.
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    # -- what others ask --------------------------------------------------------------------------
    def probe(self, root: Root, variables: Callable[[], Mapping[str, Any]]) -> Finding:
        """Compare the root with the world. Never raises for an expected failure to look.

        Args:
            root: which one.
            variables: gives the root's variables; asked only when there is something to compare.
        """
        try:
            if left := self.state.errored(root):
                return Finding(State.DRIFTED, f"an earlier run could not store its state; {left} is stored before anything else is done")
            held = self.state.resources(root)
            if not held:
                return self._without_state(root)
            if holder := self.state.holder(root):
                return Finding(
                    State.DRIFTED, f"terraform of another run is at work on root '{root}': {holder['Who']}, {holder['Created'][:19]}"
                )
            changes = [change for change in self._planned(root, variables()) if change.action != "none"]
        except GenaiError as error:
            if "acquiring the state lock" in error.message:
                # What a killed run left at work ends by itself: ``apply`` and ``destroy`` wait for it.
                return Finding(State.DRIFTED, f"terraform of an earlier run is still at work on root '{root}'")
            return Finding(State.UNKNOWN, error.message)
        if changes:
            return Finding(State.DRIFTED, f"{len(changes)} to change, e.g. {changes[0].action} {changes[0].object}")
        return Finding(State.PRESENT, f"{held} resources as configured")

    def existing(self, root: Root) -> Inventory:
        """What exists of the root in AWS, whatever its state knows. Raises ``GenaiError`` when AWS cannot be asked."""
        return terraform_inventory.look(self._aws, root)

    def _without_state(self, root: Root) -> Finding:
        """Absent is only what neither a state nor AWS knows. Raises ``GenaiError`` when AWS cannot be asked."""
        found = self.existing(root)
        if not found:
            return Finding(State.ABSENT, "nothing in Terraform's state, and nothing with this environment's tags in AWS")
        ids = [thing.id for thing in found.things] + [id for ids in found.doubtful.values() for id in ids]
        return Finding(State.DRIFTED, f"{len(ids)} resources with this environment's tags exist, e.g. {ids[0]}, but no state knows them")

    def plan(self, root: Root, variables: Mapping[str, Any]) -> list[Change]:
        """What ``apply`` would do. Raises ``StepError``."""
        return self._planned(root, variables)

    def apply(self, root: Root, variables: Mapping[str, Any], progress: Progress, timeout: float) -> str:
        """Make the root as configured; answers how much changed. Raises ``StepError``."""
        taken = self.recover(root, lambda: variables, progress)
        folder = self._prepare(root, variables, progress)
        self._outputs.pop(root, None)
        seen: set[Orphan] = set()
        while True:
            events = self._events(root, folder, progress)
            try:
                self._run(folder, "apply", events, progress, timeout, auto_approve=True, lock_timeout="1800s", var_file=_VARIABLES)
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
            root: which one.
            variables: gives the root's variables; asked only when there is something to take over.
            progress: hears what is done.
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
        folder = self.target.folder / "terraform" / root
        held = self.state.holder(root)
        if held is not None and terraform_run.abandoned(folder, held):
            progress.say(f"releasing the lock of a run that has ended ({held['Who']}, {held['Created'][:19]})")
            self._run(self._prepare(root, None, progress), "force-unlock", None, progress, 300, held["ID"], force=True)
            held = None
        if held is None:
            terraform_run.unmark(folder)
        left = folder / terraform_state.ERRORED
        if self.state.errored(root):
            progress.say(f"storing the state that an earlier run could not store: {left}")
            self._run(self._prepare(root, None, progress), "state", None, progress, 2100, "push", "-lock-timeout=1800s", left.name)
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
            _write(folder / terraform_takeover.BLOCKS, terraform_takeover.blocks(there))
            events, targets = Events(root, progress), [thing.address for thing in there]
            self._run(
                folder, "plan", events, progress, 900,
                out=terraform_takeover.PLAN, target=targets, lock_timeout="1800s", var_file=_VARIABLES,
            )  # fmt: skip
            shown = self._run(folder, "show", None, progress, 120, terraform_takeover.PLAN, json=True)
            terraform_takeover.refuse(root, json.loads(shown.out), self.target.tags)
            self._run(folder, "apply", events, progress, 3600, terraform_takeover.PLAN, lock_timeout="1800s")
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
        self._run(folder, "import", None, progress, 900, orphan.address, orphan.id, lock_timeout="1800s", var_file=_VARIABLES)
        if not self.target.tags.items() <= self.state.tags(root, orphan.address).items():
            self._run(folder, "state", None, progress, 300, "rm", orphan.address)
            raise StepError(
                f"terraform root '{root}': {orphan.address}: '{orphan.id}' exists already and does not carry this environment's tags",
                remedy="remove it, or choose another platform.name or --env: names follow from them",
                id="terraform.foreign",
            )
        if document := completed(self.state.read(root) or {}, orphan.address):
            self._run(folder, "state", None, progress, 300, "push", "-", stdin=json.dumps(document))
        return True

    def _settled(self, orphan: Orphan, progress: Progress) -> bool:
        """Wait until AWS has done with it; False when it is gone then. Raises ``GenaiError`` when it cannot be seen."""
        progress.say(f"{orphan.address}: '{orphan.id}' exists already; taking it over")
        waiting = f"{orphan.address}: '{orphan.id}' exists already; waiting until AWS has done with it"
        return wait_for(lambda: settled(self._aws, orphan), progress, lambda: waiting, 1800, interval=10) == "there"

    def _keep(self, root: Root, folder: Path, variables: Mapping[str, Any], taken: Sequence[Orphan], progress: Progress) -> None:
        """See that the next ``apply`` leaves what was taken over standing: it may be in use. Raises ``StepError``."""
        replaced = {change.object for change in self._planned(root, variables) if change.detail == REPLACED}
        for orphan in taken:
            if orphan.address in replaced:
                self._run(folder, "state", None, progress, 300, "rm", orphan.address)
                raise StepError(
                    f"terraform root '{root}': {orphan.address}: '{orphan.id}' stands already, and would have to be made anew "
                    "to be as configured",
                    remedy="remove it when nobody needs it (genai audit gives the command), then run the same command again",
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
        protected = self.state.protected(root)
        if protected:
            # Deletion follows what the state says, not the configuration: bring those arguments there first.
            progress.say(f"lifting the protection of {', '.join(protected)}")
            self._run(
                folder, "apply", self._events(root, folder, progress), progress, timeout,
                auto_approve=True, lock_timeout="1800s", var_file=_VARIABLES, target=list(protected),
            )  # fmt: skip
        events = self._events(root, folder, progress)
        chosen: dict[str, Any] = {"target": list(only)} if only else {}
        self._run(folder, "destroy", events, progress, timeout, auto_approve=True, lock_timeout="1800s", var_file=_VARIABLES, **chosen)
        return events.summary()

    def outputs(self, root: Root) -> Mapping[str, Any]:
        """The document of ``terraform output -json``.

        Raises:
            StepError: the root was not applied yet, or its state cannot be read.
        """
        with self._locks[f"{root} outputs"]:
            if root not in self._outputs:
                if not self.state.resources(root):
                    raise StepError(
                        f"terraform root '{root}' was not applied yet",
                        remedy=f"run: genai infra --only infra.{root}",
                        id="terraform.absent",
                    )
                folder = self._prepare(root, None, None)
                finished = self._run(folder, "output", None, None, 120, json=True)
                try:
                    self._outputs[root] = json.loads(finished.out)
                except ValueError:
                    raise StepError(f"terraform root '{root}' gave outputs that are no JSON", id="terraform.outputs") from None
            return self._outputs[root]

    def variables(self, root: Root) -> dict[str, Any]:
        """The root's variables as they were written down at the last run; empty when none were."""
        try:
            found = json.loads((self.target.folder / "terraform" / root / _VARIABLES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    # -- how it is done ---------------------------------------------------------------------------
    @cached_property
    def program(self) -> str:
        """Terraform's path. Raises ``MissingError`` when there is none, or one too old."""
        return str(toolchain.find("terraform"))

    @cached_property
    def _environment(self) -> dict[str, str]:
        variables = {name: value for name, value in self._aws.environment().items() if not name.startswith(_DROPPED)}
        named = "TF_CLI_CONFIG_FILE" in self.target.endpoints.environment_variables
        variables |= {} if named else terraform_mirror.prepare(self.target.folder / "terraform", variables)
        if not variables.get("TF_PLUGIN_CACHE_DIR") and not variables.get("TF_CLI_CONFIG_FILE"):
            cache = Path(os.environ.get("GENAI_CACHE_DIR") or user_cache_path("genai"), "terraform-plugins")
            cache.mkdir(parents=True, exist_ok=True)
            # Without a lock file in the root the cache would only be written, never read.
            variables |= {"TF_PLUGIN_CACHE_DIR": str(cache), "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1"}
        return variables | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}

    def _prepare(self, root: Root, variables: Mapping[str, Any] | None, progress: Progress | None) -> Path:
        """Bring the root's folder up to date: its files, its variables, its backend, its provider."""
        folder = self.target.folder / "terraform" / root
        with self._locks[root]:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            source = shipped("terraform") / root
            for stale in {path.name for path in folder.glob("*.tf")} - {path.name for path in source.glob("*.tf")}:
                (folder / stale).unlink(missing_ok=True)
            for path in source.glob("*.tf"):
                _write(folder / path.name, path.read_text(encoding="utf-8"))
            backend = self.state.backend(root)
            if backend is None:
                (folder / _BACKEND).unlink(missing_ok=True)
            else:
                _write(folder / _BACKEND, json.dumps(backend, indent=1))
            if variables is not None:
                _write(folder / _VARIABLES, json.dumps(dict(variables), indent=1, sort_keys=True))
            elif not (folder / _VARIABLES).exists():
                _write(folder / _VARIABLES, "{}")
            if root not in self._ready:
                self._init(folder, progress)
                self._ready.add(root)
        return folder

    def _init(self, folder: Path, progress: Progress | None) -> None:
        """Run ``terraform init`` unless it was run for exactly these files and its provider is still there."""
        mark, wanted = folder / ".terraform" / "genai-init", self._fingerprint(folder)
        providers = any((folder / ".terraform" / "providers").glob("*/*/*/*/*/terraform-provider-*"))
        if providers and mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
            return
        # The plugin cache is not safe to be written by two at once, be they threads or programs.
        lock = Path(os.environ.get("GENAI_CACHE_DIR") or user_cache_path("genai", ensure_exists=True), "terraform-init.lock")
        with _INIT, FileLock(str(lock)):
            if progress is not None:
                progress.say("terraform init")
            self._run(folder, "init", None, progress, 900, reconfigure=True)
        _write(mark, wanted)

    def _fingerprint(self, folder: Path) -> str:
        """What ``init`` depends on: what is configured, by which program, with providers from where."""
        digest = hashlib.sha256(self.program.encode())
        for path in sorted((*folder.glob("*.tf"), *folder.glob(_BACKEND))):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        for name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"):
            digest.update(f"{name}={self._environment.get(name, '')}\0".encode())
        return digest.hexdigest()

    def _events(self, root: Root, folder: Path, progress: Progress) -> Events:
        def locked() -> str:
            held = self.state.holder(root)
            return f"{held['Who']} has it since {held['Created'][:19]}; if that run ended: {unlock(folder, held['ID'])}" if held else ""

        return Events(root, progress, locked)

    def _planned(self, root: Root, variables: Mapping[str, Any]) -> list[Change]:
        events = Events(root, None)
        folder = self._prepare(root, variables, None)
        # A look writes nothing, also no lock into a bucket; a state in a file is locked by the system.
        lock = {"lock": False} if self.state.remote else {"lock_timeout": "20s"}
        finished = self._run(folder, "plan", events, None, 900, detailed_exitcode=True, var_file=_VARIABLES, good=(0, 2), **lock)
        if finished.code == 2 and not events.changes:
            return [Change("update", f"outputs of {root}")]
        return events.changes

    def _run(
        self, folder: Path, command: str, events: Events | None, progress: Progress | None, timeout: float,
        *arguments: str, good: Sequence[int] = (0,), stdin: str | None = None, **options: Any,
    ) -> Finished:  # fmt: skip
        if command not in ("output", "show", "state", "force-unlock"):
            options["input"] = False
        if events is not None:
            options["json"] = True
        elif command != "state":
            options["no_color"] = True
        try:
            with terraform_run.marked(folder) if "lock_timeout" in options else contextlib.nullcontext(()) as mark:
                # A minute and a half of grace: interrupted, Terraform still writes down what it made.
                finished = run(
                    self._argv(folder, command, arguments, options),
                    env=self._environment,
                    timeout=timeout,
                    cwd=folder,
                    progress=None if progress is None else Watched(progress, self._aws),
                    on_line=None if events is None else events.hear,
                    stdin=stdin,
                    good=good,
                    grace=90,
                    inherited=mark,
                )
        except CommandError as error:
            told = error.tail if events is None else json.dumps(events.errors)
            if error.code is not None and error.code >= 0 and "releasing the state lock" not in told:
                terraform_run.unmark(folder)
            if events is not None and events.errors:
                raise events.failure(command, folder) from None
            raise StepError(
                f"terraform root '{folder.name}': {error.message}",
                remedy="run the same command again: it goes on where it stopped",
                id=f"terraform.{command}",
            ) from None
        if mark:
            terraform_run.unmark(folder)
        return finished

    def _argv(self, folder: Path, command: str, arguments: Sequence[str], options: Mapping[str, Any]) -> list[str]:
        from python_terraform import IsFlagged
        from python_terraform import Terraform as CommandLines

        flags = ("auto_approve", "detailed_exitcode", "force", "json", "no_color", "reconfigure")
        written = {name: IsFlagged if name in flags else value for name, value in options.items()}
        # Its constructor reads a state file where there is one; a name that never exists keeps it from doing so.
        lines = CommandLines(working_dir=str(folder), state=".none", terraform_bin_path=self.program)
        argv: list[str] = lines.generate_cmd_string(command, *arguments, **written)
        return argv


_VARIABLES = "terraform.tfvars.json"
_BACKEND = "backend.tf.json"


def _write(path: Path, text: str) -> None:
    """Write with mode 0600, whole or not at all. What is there already as wanted is left alone."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == text:
            return
    # A name of its own for each writer: threads of one process share its number.
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
