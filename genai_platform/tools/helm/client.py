"""The client of Helm: what is installed, install or upgrade, uninstall. Values travel on standard input, never in arguments."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from genai_platform import programs
from genai_platform.config.target import Target
from genai_platform.engine.step import Progress
from genai_platform.errors import ConfigError, GenaiError, StepError, WaitTimeout
from genai_platform.render.chart import ChartSource

if TYPE_CHECKING:
    from genai_platform.tools.kubernetes.client import Kube

T = TypeVar("T")
FETCH_LIMIT = 90.0
APPLY_LIMIT = 1200
_HISTORY = 10
_ELSEWHERE = ("HELM_KUBE", "HELM_NAMESPACE", "HELM_DRIVER", "HELM_DEBUG", "KUBECONFIG")
"""Variables that would lead Helm to another cluster, or elsewhere in this one, whatever the arguments say."""
_CREDENTIALS = ("AWS_", "AZURE_", "ARM_")
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


class HelmFailed(StepError):
    """Helm ended with an error.

    Args:
        doing: completes "could not …".
        reason: the last line of what Helm said.
    """

    def __init__(self, doing: str, reason: str) -> None:
        super().__init__(f"could not {doing}: {reason}", id="helm.failed")
        self.reason = reason


class VersionNotFound(HelmFailed):
    """The repository is there and has no such version of the chart."""


@dataclass(frozen=True)
class Release:
    """What Helm knows of an installed release."""

    name: str
    status: str
    revision: int
    chart: str
    version: str
    annotations: Mapping[str, str]
    values: Mapping[str, Any]

    def same(self, version: str, values: Mapping[str, Any]) -> bool:
        """Whether installing this version with these values would change nothing."""
        return self.status == "deployed" and self.version == version and dict(self.values) == dict(values)


@dataclass(frozen=True)
class ResolvedChart:
    """A chart that was found where its source says, and what it says of itself."""

    source: ChartSource
    name: str
    version: str
    annotations: Mapping[str, str]


class Helm:
    """Helm on a target's cluster. Making one does no input or output.

    Args:
        target: its settings name the chart; its endpoints may add variables for child processes.
        kube: gives the kubeconfig.
        executable: finds the program; default: on PATH or in the cache.
    """

    def __init__(self, target: Target, kube: Kube, executable: Callable[[], Path] | None = None) -> None:
        self._target = target
        self._kube = kube
        self._executable = executable or (lambda: programs.find("helm"))
        self._lock = threading.Lock()
        self._client: Any = None

    # -- looking ----------------------------------------------------------------------------------
    def release(self, name: str, namespace: str) -> Release | None:
        """The installed release, or ``None``. Raises ``StepError`` when that could not be seen."""
        from pyhelm3 import errors

        async def look(command: Any) -> Release | None:
            try:
                status = await command.status(name, namespace=namespace)
            except errors.ReleaseNotFoundError:
                return None
            revision = int(status["version"])
            metadata = await command.get_chart_metadata(name, namespace=namespace, revision=revision)
            # A release that was given none has no ``config`` here.
            values = status.get("config") or await command.get_values(name, namespace=namespace, revision=revision)
            return Release(
                name=name, status=str(status["info"]["status"]), revision=revision, chart=str(metadata["name"]),
                version=str(metadata["version"]), annotations=metadata.get("annotations") or {}, values=values,
            )  # fmt: skip

        return self._run(f"read the release {name}", look, 120)

    def resolve(self, source: ChartSource, limit: float = FETCH_LIMIT) -> ResolvedChart:
        """Find a chart and read what it says of itself. Changes nothing.

        Raises:
            ConfigError: a path that does not exist, or holds no chart.
            StepError: the repository cannot be reached, or has no such chart or version.
        """
        if source.local:
            check_path(source)
        version = None if source.local else source.version
        show = lambda command: command.show_chart(source.reference, repo=source.repository, version=version)  # noqa: E731
        try:
            metadata = self._run(f"fetch the chart {source}", show, limit, cluster=False)
        except StepError as error:
            raise _unfetched(source, error) from None
        found = ResolvedChart(source, str(metadata["name"]), str(metadata["version"]), metadata.get("annotations") or {})
        if found.version.split(".")[0] != source.version.split(".")[0]:
            # Values of one line do not fit the other, so the version must say which it is.
            raise ConfigError(
                f"{source.key}: {source.reference} holds version {found.version}, while langfuse.chart.version is {source.version}",
                remedy=f'set langfuse.chart.version = "{found.version}" or name another path',
                id="chart.version",
            )
        return found

    def template(self, chart: ResolvedChart, name: str, namespace: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The objects that installing would make. Needs no cluster."""
        found = self._run(
            f"render the chart {chart.name}",
            lambda command: command.template(
                name, chart.source.reference, dict(values), namespace=namespace, repo=chart.source.repository,
                version=None if chart.source.local else chart.version,
            ),
            FETCH_LIMIT,
            cluster=False,
        )  # fmt: skip
        return [document for document in found if document]

    # -- changing ---------------------------------------------------------------------------------
    def install_or_upgrade(
        self, name: str, namespace: str, chart: ResolvedChart, values: Mapping[str, Any], progress: Progress, *,
        wait: bool = False, limit: int = APPLY_LIMIT,
    ) -> Release:  # fmt: skip
        """Bring a release to this chart and these values. What is equal makes no new revision.

        Unless told so it does not wait for pods: the caller does, and can say what it waits for. A release that an earlier, killed run
        left half-way is cleaned up first. Nothing is rolled back on failure, since a rollback would kill migrations.
        """
        now = self.release(name, namespace)
        if now is not None and now.status in _PENDING:
            now = self._recover(now, namespace, progress)
        if now is not None and now.same(chart.version, values):
            return now
        progress.say(f"helm {'upgrade' if now else 'install'} {name} ({chart.name} {chart.version})")

        async def apply(command: Any) -> None:
            newer = command.client_version().major >= 4
            await command.install_or_upgrade(
                name,
                chart.source.reference,
                dict(values),
                create_namespace=False,
                namespace=namespace,
                repo=chart.source.repository,
                version=None if chart.source.local else chart.version,
                timeout=f"{limit}s",
                wait=wait,
                reset_values=True,
                # Fields that `genai patch` or a person set with other managers are taken over, not fought about.
                server_side="true" if newer else None,
                force_conflicts=newer,
            )

        # Without waiting it takes a moment, and is let finish; a wait is ended when the person asks for it.
        self._run(f"install the release {name}", apply, limit + 60, progress=progress if wait else None)
        found = self.release(name, namespace)
        if found is None:
            raise StepError(f"the release {name} is not there after it was installed", id="helm.vanished")
        return found

    def uninstall(self, name: str, namespace: str, limit: int = APPLY_LIMIT) -> bool:
        """Remove a release. ``False`` when it was not there."""
        if self.release(name, namespace) is None:
            return False
        self._run(
            f"uninstall the release {name}", lambda command: command.uninstall(name, namespace=namespace, timeout=f"{limit}s"), limit + 60
        )
        return True

    def _recover(self, now: Release, namespace: str, progress: Progress) -> Release | None:
        """A run that was killed left the release locked: undo what it was at."""
        progress.say(f"the release {now.name} is {now.status} since an earlier run ended early; cleaning up")
        if now.status in ("pending-install", "uninstalling"):
            self.uninstall(now.name, namespace)
            return None

        async def back(command: Any) -> None:
            history = await command.history(now.name, namespace=namespace)
            whole = [int(entry["revision"]) for entry in history if entry["status"] in ("deployed", "superseded")]
            # Where none ever succeeded, the last that ended: what matters is that the release is unlocked.
            ended = whole or [int(entry["revision"]) for entry in history if entry["status"] not in _PENDING]
            await command.rollback(now.name, max(ended), namespace=namespace)

        self._run(f"roll back the release {now.name}", back, APPLY_LIMIT)
        return self.release(now.name, namespace)

    # -- the program --------------------------------------------------------------------------------
    def _run(
        self, doing: str, act: Callable[[Any], Coroutine[Any, Any, T]], limit: float, *, cluster: bool = True,
        progress: Progress | None = None,
    ) -> T:  # fmt: skip
        from pyhelm3 import errors

        command = self._command(cluster)

        async def limited() -> T:
            work = asyncio.ensure_future(act(command))
            try:
                async with asyncio.timeout(limit):
                    while not (await asyncio.wait({work}, timeout=0.5))[0]:
                        if progress is not None:
                            progress.check()
                return work.result()
            finally:
                if work.cancel():
                    await asyncio.wait({work})

        try:
            return asyncio.run(limited())
        except errors.Error as error:
            raise _failure(doing, _last_line(error.stderr)) from None
        except TimeoutError:
            raise WaitTimeout(f"could not {doing}: no answer within {limit:g} s", id="helm.timeout") from None
        except GenaiError:
            raise
        except (OSError, ValueError, KeyError, AssertionError) as error:
            raise StepError(f"could not {doing}: helm answered something unexpected ({type(error).__name__})", id="helm.answer") from None

    def _command(self, cluster: bool) -> Any:
        from genai_platform.tools.helm.command import HelmCommand

        dropped = _ELSEWHERE if self._target.endpoints.real else (*_ELSEWHERE, *_CREDENTIALS)
        variables = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        variables |= self._target.endpoints.environment_variables
        with self._lock:
            program = self._executable()
        kubeconfig = self._kube.kubeconfig() if cluster else None
        return HelmCommand(program, kubeconfig, variables, history=_HISTORY)


def check_path(source: ChartSource) -> None:
    """Refuse a path that is not a chart, before anything changes. Raises ``ConfigError``."""
    path = Path(source.reference)
    if not path.exists():
        raise ConfigError(
            f"{source.key or 'langfuse.chart.path'}: {path} does not exist",
            remedy="name a chart folder or a .tgz archive, or leave langfuse.chart.path out to use the public chart",
            id="chart.path",
        )
    if path.is_dir() and not (path / "Chart.yaml").is_file():
        raise ConfigError(
            f"{source.key or 'langfuse.chart.path'}: {path} holds no Chart.yaml",
            remedy="name the folder of the chart itself",
            id="chart.path",
        )


def _unfetched(source: ChartSource, error: StepError) -> GenaiError:
    reason = error.reason if isinstance(error, HelmFailed) else error.message
    others = [key for key in ("langfuse.chart.repository", "langfuse.chart.oci", "langfuse.chart.path") if key != source.key]
    if isinstance(error, VersionNotFound):
        return StepError(
            f"the chart {source} was not found: {reason}",
            remedy="set langfuse.chart.version to a version that exists there",
            id="chart.version",
        )
    if isinstance(error, WaitTimeout):
        reason = "it does not answer"
    elif source.local:
        return ConfigError(f"{source.key}: {source.reference} is not a chart that Helm can read: {reason}", id="chart.path")
    named = f"{source.key} = {source.place}" if source.key else source.place
    return StepError(
        f"the chart {source} cannot be fetched from {named}: {reason}",
        remedy=f"name a place that can be reached with {', '.join(others[:-1])} or {others[-1]}",
        id="chart.unreachable",
    )


def _failure(doing: str, reason: str) -> HelmFailed:
    """Helm has no codes: it says ``chart "x" version "y" not found in …`` and ``…: not found`` after the versions it looked for."""
    unknown = "not found" in reason and ("version" in reason or "improper constraint" in reason)
    return (VersionNotFound if unknown else HelmFailed)(doing, reason)


def _last_line(stderr: bytes) -> str:
    said = (line.strip() for line in stderr.decode("utf-8", "replace").splitlines())
    lines = [line for line in said if line and not line.startswith(("WARNING", "level=", "Use --debug"))]
    text = lines[-1] if lines else "it gave no reason"
    return text.removeprefix("Error: ")[:600]
