"""The program in a root's working folder: the folder is brought up to date, the command line built, run, heard, and explained.

python-terraform builds the command lines; ``tools/process.py`` runs them, since only it can stream and be interrupted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from genai_platform import programs
from genai_platform.config.files import shipped
from genai_platform.config.target import Target
from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from genai_platform.files import write_private
from genai_platform.programs.cache import cache_folder
from genai_platform.tools import process
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.terraform import mirror as terraform_mirror
from genai_platform.tools.terraform import unfinished_run as terraform_run
from genai_platform.tools.terraform.credentials_watch import EndsWithCredentials
from genai_platform.tools.terraform.events import Events

Root = Literal["network", "cluster", "data", "storage"]
VARIABLES = "terraform.tfvars.json"
_BACKEND = "backend.tf.json"
_INIT = threading.Lock()
# What would change our commands; and TF_LOG, whose lines quote requests with what is secret in them.
_DROPPED = ("TF_CLI_ARGS", "TF_VAR_", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_LOG", "TF_REATTACH_PROVIDERS")

COLLECTOR = {"GOGC": "400"}
"""Each command reads the provider's schema, hundreds of megabytes that stay: with Go's default the garbage collector goes over them
again and again. Measured with hashicorp/aws 5.100: a quarter less processor time, an eighth less time (``python -m benchmarks
terraform``), 7 % more memory.
"""


@dataclass(frozen=True)
class Command:
    """One of Terraform's commands.

    Attributes:
        name: e.g. ``apply``.
        timeout: seconds until it is ended.
        arguments: what follows its options.
        options: as python-terraform writes them, e.g. ``{"lock_timeout": "1800s"}``.
        stdin: what it reads.
    """

    name: str
    timeout: float
    arguments: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    stdin: str | None = None


class Program:
    """Terraform's program for one target, with the credentials of ``aws``. Making it does no I/O; several threads may use it."""

    def __init__(self, target: Target, aws: Aws) -> None:
        self.target = target
        self._aws = aws
        self._ready: set[str] = set()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    def folder(self, root: Root) -> Path:
        """The root's working folder; it may not exist yet."""
        return self.target.folder / "terraform" / root

    @cached_property
    def path(self) -> str:
        """Terraform's path. Raises ``MissingError`` when there is none, or one too old."""
        return str(programs.find("terraform"))

    @cached_property
    def environment(self) -> dict[str, str]:
        """The program's whole environment."""
        variables = {name: value for name, value in self._aws.environment().items() if not name.startswith(_DROPPED)}
        named = "TF_CLI_CONFIG_FILE" in self.target.endpoints.environment_variables
        variables |= {} if named else terraform_mirror.prepare(self.target.folder / "terraform", variables)
        if not variables.get("TF_PLUGIN_CACHE_DIR") and not variables.get("TF_CLI_CONFIG_FILE"):
            cache = cache_folder() / "terraform-plugins"
            cache.mkdir(exist_ok=True)
            # Without a lock file in the root the cache would only be written, never read.
            variables |= {"TF_PLUGIN_CACHE_DIR": str(cache), "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1"}
        return COLLECTOR | variables | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}

    def prepare(
        self, root: Root, variables: Mapping[str, Any] | None, backend: Mapping[str, Any] | None, progress: Progress | None
    ) -> Path:  # fmt: skip
        """Bring the root's folder up to date: its files, its variables (None: those of the last run), its backend, its provider."""
        folder = self.folder(root)
        with self._locks[root]:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            source = shipped("terraform") / root
            for stale in {path.name for path in folder.glob("*.tf")} - {path.name for path in source.glob("*.tf")}:
                (folder / stale).unlink(missing_ok=True)
            for path in source.glob("*.tf"):
                write_private(folder / path.name, path.read_text(encoding="utf-8"))
            if backend is None:
                (folder / _BACKEND).unlink(missing_ok=True)
            else:
                write_private(folder / _BACKEND, json.dumps(backend, indent=1))
            if variables is not None:
                write_private(folder / VARIABLES, json.dumps(dict(variables), indent=1, sort_keys=True))
            elif not (folder / VARIABLES).exists():
                write_private(folder / VARIABLES, "{}")
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
        if progress is not None:
            progress.say("terraform init" + (", after another root's: one at a time" if _INIT.locked() else ""))
        with _INIT, FileLock(cache_folder() / "terraform-init.lock"):
            self.run(folder, Command("init", 900, options={"reconfigure": True}), progress)
        write_private(mark, wanted)

    def _fingerprint(self, folder: Path) -> str:
        """What ``init`` depends on: what is configured, by which program, with providers from where."""
        digest = hashlib.sha256(self.path.encode())
        for path in sorted((*folder.glob("*.tf"), *folder.glob(_BACKEND))):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        for name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"):
            digest.update(f"{name}={self.environment.get(name, '')}\0".encode())
        return digest.hexdigest()

    def run(self, folder: Path, command: Command, progress: Progress | None, events: Events | None = None) -> process.Finished:
        """Run one of its commands in a root's folder.

        Args:
            events: hears what the program tells as JSON; None: it is not asked to.

        Raises:
            StepError: it failed, took too long, or the credentials ended meanwhile.
        """
        options = dict(command.options)
        if command.name not in ("output", "show", "state", "force-unlock"):
            options["input"] = False
        if events is not None:
            options["json"] = True
        elif command.name != "state":
            options["no_color"] = True
        mark: tuple[int, ...] = ()
        try:
            with terraform_run.marked(folder) if "lock_timeout" in options else contextlib.nullcontext(()) as mark:
                # A minute and a half of grace: interrupted, Terraform still writes down what it made.
                finished = process.run(
                    process.Command(self._argv(folder, command, options), self.environment, folder, command.stdin, inherited=mark),
                    timeout=command.timeout,
                    progress=None if progress is None else EndsWithCredentials(progress, self._aws),
                    on_line=None if events is None else events.hear,
                    # Exit code 2 of a plan that is asked for one says that there is something to change.
                    good=(0, 2) if "detailed_exitcode" in options else (0,),
                    grace=90,
                )
        except process.CommandError as error:
            told = error.tail if events is None else json.dumps(events.errors)
            # Another run's mark stays: this one may have failed because that one is still at work.
            if mark and error.code is not None and error.code >= 0 and "releasing the state lock" not in told:
                terraform_run.unmark(folder)
            if events is not None and events.errors:
                raise events.failure(command.name, folder) from None
            raise StepError(
                f"terraform root '{folder.name}': {error.message}",
                remedy="run the same command again: it goes on where it stopped",
                id=f"terraform.{command.name}",
            ) from None
        if mark:
            terraform_run.unmark(folder)
        return finished

    def _argv(self, folder: Path, command: Command, options: Mapping[str, Any]) -> list[str]:
        from python_terraform import IsFlagged
        from python_terraform import Terraform as CommandLines

        flags = ("auto_approve", "detailed_exitcode", "force", "json", "no_color", "reconfigure")
        written = {name: IsFlagged if name in flags else value for name, value in options.items()}
        # Its constructor reads a state file where there is one; a name that never exists keeps it from doing so.
        lines = CommandLines(working_dir=str(folder), state=".none", terraform_bin_path=self.path)
        argv: list[str] = lines.generate_cmd_string(command.name, *command.arguments, **written)
        return argv
