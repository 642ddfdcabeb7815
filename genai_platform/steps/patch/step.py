"""What both post-install steps do alike: look, add what is missing, restart what changed, wait for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genai_platform.advice import run_genai
from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Change, Observation, Progress, State, absent, present
from genai_platform.errors import NeverBuilt
from genai_platform.steps import objects
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse.chart import Workload
from genai_platform.tools.kubernetes import wait as kube_wait
from genai_platform.tools.kubernetes.client import Document

_ROLLOUT = 900


@dataclass(frozen=True)
class Part:
    """One object of a step: whether it is as wanted, and how to make it so."""

    object: str
    missing: str | None
    """What is missing; ``None`` when it is in place."""
    fix: Callable[[], Any] = lambda: None
    restart: tuple[Workload, ...] = ()
    """What must be restarted to see the change."""
    restarts: tuple[Workload, ...] = ()
    """What the change itself restarts."""


class PatchStep(ABC):
    """A post-install step over some objects."""

    id: str
    needs: tuple[str, ...]
    minutes = 1.5
    limit = 1800.0

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._line = clients.target.settings.langfuse.chart.line

    @abstractmethod
    def parts(self) -> list[Part]:
        """Look at every object. Raises ``NotInstalled`` while the chart's objects are not there."""

    def observe(self) -> Observation:
        if not self._clients.kube.exists():
            return absent("there is no cluster")
        parts = self.parts()
        missing = [f"{part.object}: {part.missing}" for part in parts if part.missing]
        if not missing:
            return present("; ".join(f"{part.object}: in place" for part in parts))
        state = State.ABSENT if len(missing) == len(parts) else State.DRIFTED
        changes = tuple(Change("update" if part.missing else "none", part.object, part.missing or "in place") for part in parts)
        return Observation(state, "; ".join(missing), changes=changes)

    def apply(self, progress: Progress) -> str:
        said: list[str] = []
        restart: dict[Workload, None] = {}
        restarting: dict[Workload, None] = {}
        for part in self.parts():
            progress.check()
            if part.missing is None:
                said.append(f"{part.object}: was in place")
                continue
            progress.say(f"{part.object}: {part.missing}")
            part.fix()
            said.append(f"{part.object}: done ({part.missing})")
            restart.update(dict.fromkeys(part.restart))
            restarting.update(dict.fromkeys(part.restarts))
        for kind, name in restart:
            if (kind, name) not in restarting:
                objects.restart(self._clients.kube, kind, name)
        if waited := {**restart, **restarting}:
            for kind, name in waited:
                kube_wait.rollout(self._clients.kube, kind, name, NAMESPACE, progress, _ROLLOUT)
            said.append(f"restarted {', '.join(name for _, name in waited)}")
        return "; ".join(said)

    # -- reading ----------------------------------------------------------------------------------
    def the(self, api_version: str, kind: str, name: str) -> Document:
        """One object of the chart. Raises ``NotInstalled`` when it is not there."""
        found = self._clients.kube.get(api_version, kind, name, NAMESPACE)
        if found is None:
            text = f"{kind} {name} is not there: the chart is not installed"
            raise NotInstalled(text, remedy=run_genai("langfuse"), id="langfuse.absent")
        return found

    def pods(self, kind: str, name: str) -> list[Document]:
        """The pods of a workload that are to stay."""
        found = kube_wait.pods_of(self._clients.kube, self.the("apps/v1", kind, name), NAMESPACE)
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


class NotInstalled(NeverBuilt):
    """The chart's objects are not there yet."""
