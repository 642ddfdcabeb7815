"""What Terraform says with ``-json``: one document a line, turned into progress, changes and errors."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from genai_platform.advice import Remedy, advice, genai
from genai_platform.engine.step import Change, Progress
from genai_platform.errors import StepError
from genai_platform.tools.aws.errors import EXPIRED, INVALID, SIGN_IN_AGAIN

_DOING = {"create": "creating", "update": "updating", "delete": "deleting", "replace": "replacing", "read": "reading"}
REPLACED = "replaced"
"""The detail of a change that deletes what exists and re-creates it."""
_ACTIONS: dict[str, Literal["create", "update", "delete", "none"]] = {
    "create": "create", "update": "update", "delete": "delete", "replace": "update", "noop": "none", "read": "none",
}  # fmt: skip

_NOT_LOCKED = "Error acquiring the state lock"
_REMEDIES: tuple[tuple[str, Remedy], ...] = (
    (_NOT_LOCKED, "wait for the other run to end, then run the same command again"),
    ("DependencyViolation", advice("something outside Terraform still uses it; run: {}", genai("audit"))),
    ("AddressLimitExceeded", "release an Elastic IP address, or raise the quota"),
    ("LimitExceeded", "raise the quota in Service Quotas, or remove what is not needed"),
    ("Failed to query available provider packages", "allow registry.terraform.io, or unpack a provider mirror below /opt"),
    ("No valid credential sources", "sign in, e.g. with: aws sso login"),
    ("AuthFailure.", "the identity lacks a permission; the message names it"),
    *((word, SIGN_IN_AGAIN) for word in (*sorted(EXPIRED | INVALID), "security token included in the request")),
    ("AccessDenied", "the identity lacks a permission; the message names it"),
    ("UnauthorizedOperation", "the identity lacks a permission; the message names it"),
)
"""Advice by what the message says, specific first."""
_LOCK = re.compile(r"Lock Info:\s+ID:\s+([0-9a-f-]{36})")
"""How Terraform names the lock it did not get."""


class StateLocked(StepError):
    """Another run has the lock of a root's state."""


class Events:
    """Hears one run.

    Args:
        progress: told which resource is worked on, for how long, and how many are done; None: nobody.
        locked: says more of a lock that is waited for.
    """

    def __init__(self, root: str, progress: Progress | None, locked: Callable[[], str] = lambda: "") -> None:
        self._root, self._progress, self._locked = root, progress, locked
        self.changes: list[Change] = []
        self.errors: list[dict[str, Any]] = []
        self._running: dict[str, tuple[str, float]] = {}
        self._done = 0
        self._counts: dict[str, int] = {}

    def hear(self, stream: str, line: str) -> None:
        """One line. Lines that are not a document of Terraform's are left alone."""
        if stream != "out" or not line.startswith("{"):
            return
        try:
            event = json.loads(line)
        except ValueError:
            return
        handler = getattr(self, f"_on_{event.get('type')}", None)
        # Reading is not work that a person waits for.
        if handler is not None and event.get("hook", {}).get("action") != "read":
            handler(event)

    def summary(self) -> str:
        """``24 added, 0 changed, 0 removed``."""
        counts = self._counts
        return f"{counts.get('add', 0)} added, {counts.get('change', 0)} changed, {counts.get('remove', 0)} removed"

    def failure(self, command: str, folder: Path) -> StepError:
        """The first errors with their addresses, and what helps. ``folder`` is where the root lies, for commands."""
        texts = [_told(error) for error in self.errors]
        more = f" (and {len(texts) - 3} more)" if len(texts) > 3 else ""
        text = "; ".join(texts[:3]) + more
        remedy = next((helps for words, helps in _REMEDIES if words in text), "run the same command again: it goes on where it stopped")
        if lock := next((found[1] for error in self.errors if (found := _LOCK.search(str(error.get("detail"))))), None):
            remedy = f"wait for the other run to end; if there is none, e.g. after a power cut: {unlock(folder, lock)}"
        # Terraform has no codes: the summary is how it names this (its ``Error acquiring the state lock``).
        locked = any(error.get("summary") == _NOT_LOCKED for error in self.errors)
        kind = StateLocked if locked else StepError
        return kind(f"terraform root '{self._root}': {text}", remedy=remedy, id=f"terraform.{command}")

    # -- documents by type ------------------------------------------------------------------------
    def _on_planned_change(self, event: dict[str, Any]) -> None:
        change = event["change"]
        action = str(change["action"])
        detail = REPLACED if action == "replace" else ""
        self.changes.append(Change(_ACTIONS.get(action, "update"), change["resource"]["addr"], detail))

    def _on_change_summary(self, event: dict[str, Any]) -> None:
        self._counts = event["changes"]

    def _on_diagnostic(self, event: dict[str, Any]) -> None:
        diagnostic = event["diagnostic"]
        if diagnostic.get("severity") == "error" and diagnostic not in self.errors:
            self.errors.append(diagnostic)

    def _on_state_lock_acquire(self, event: dict[str, Any]) -> None:
        if self._progress is not None:
            more = self._locked()
            self._progress.say(f"waiting until another terraform releases the state of root '{self._root}'" + (f"; {more}" if more else ""))

    def _on_apply_start(self, event: dict[str, Any]) -> None:
        hook = event["hook"]
        self._running[hook["resource"]["addr"]] = (_DOING.get(hook["action"], "working"), time.monotonic())
        self._say(hook["resource"]["addr"])

    def _on_apply_progress(self, event: dict[str, Any]) -> None:
        self._say(event["hook"]["resource"]["addr"])

    def _on_apply_complete(self, event: dict[str, Any]) -> None:
        self._running.pop(event["hook"]["resource"]["addr"], None)
        self._done += 1
        if self._running:
            # What is still going on says more than what has just ended: the longest.
            self._say(min(self._running, key=lambda address: self._running[address][1]))

    def _on_apply_errored(self, event: dict[str, Any]) -> None:
        self._running.pop(event["hook"]["resource"]["addr"], None)

    def _say(self, address: str) -> None:
        if self._progress is None or address not in self._running:
            return
        doing, since = self._running[address]
        seconds = time.monotonic() - since
        lasting = f" ({seconds:.0f} s)" if seconds >= 1 else ""
        done = f"; {self._done} done" if self._done else ""
        self._progress.say(f"{address}: {doing}{lasting}{done}")


def unlock(folder: Path, lock: str) -> str:
    """The command that takes away a lock whose holder has ended."""
    return f"terraform -chdir={folder} force-unlock {lock}"


def _told(diagnostic: dict[str, Any]) -> str:
    """``aws_eks_cluster.this: creating EKS Cluster (genai): …``."""
    address = diagnostic.get("address") or (diagnostic.get("range") or {}).get("filename") or ""
    summary = " ".join(str(diagnostic.get("summary", "")).split())
    detail = " ".join(str(diagnostic.get("detail", "")).split())
    text = summary if not detail or detail == summary else f"{summary}: {detail}"
    if len(text) > 600:
        text = text[:600] + "…"
    return f"{address}: {text}" if address else text
