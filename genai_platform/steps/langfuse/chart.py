"""langfuse.chart: Langfuse's Helm release, from the place its chart can be had, and everything that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_platform.advice import run_genai
from genai_platform.config.target import NAMESPACE
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import NeverBuilt, StepError
from genai_platform.render import langfuse, sign_in
from genai_platform.render.chart import SMALL, chart_sources, may_be_small, small_chart
from genai_platform.render.manifests import UNDISTURBED
from genai_platform.steps.clients import Clients
from genai_platform.steps.langfuse import chart_line, writers
from genai_platform.steps.langfuse.clickhouse import CLICKHOUSE_API
from genai_platform.steps.objects import release_volumes, running, start_afresh
from genai_platform.tools.aws import buckets as aws_buckets
from genai_platform.tools.helm.client import Release, ResolvedChart
from genai_platform.tools.kubernetes import wait as kube_wait

_ROLLOUT = 1200
_SHORT_FETCH = 15.0
"""Where the small chart may replace it, the public repository is not waited for longer."""
Workload = tuple[str, str]
"""Kind and name."""
APPLICATION: tuple[Workload, ...] = (("Deployment", langfuse.WEB), ("Deployment", langfuse.WORKER))
CLICKHOUSE: Workload = ("StatefulSet", langfuse.CLICKHOUSE_STATEFUL_SET)
_LEFT_BY_CHART = ("langfuse-app", "langfuse-clickhouse-auth")
"""Secrets of line 2 that outlive an uninstall."""


def resolve(clients: Clients) -> ResolvedChart:
    """Langfuse's chart from the first of its sources that gives it.

    Raises:
        ConfigError: the configured path is not a chart.
        StepError: no source can be reached, or none has this version.
    """
    small = may_be_small(clients.target)
    faults: list[StepError] = []
    for source in chart_sources(clients.target)[: 1 if small else None]:
        try:
            return clients.helm.resolve(source, _SHORT_FETCH) if small else clients.helm.resolve(source)
        except StepError as error:
            faults.append(error)
    if small:
        return clients.helm.resolve(small_chart(clients.target.settings.langfuse.chart.line))
    first = faults[0]
    raise StepError("; ".join(fault.message for fault in faults), remedy=first.remedy, id=first.id)


class Chart:
    """The release ``langfuse``. Present when version and values are the wanted ones and its pods are ready."""

    id = "langfuse.chart"
    minutes = 6.0
    limit = 1800.0

    def __init__(self, clients: Clients, needs: tuple[str, ...]) -> None:
        self._clients = clients
        self.needs = needs
        self._line = clients.target.settings.langfuse.chart.line

    # -- looking ----------------------------------------------------------------------------------
    def observe(self) -> Observation:
        found, version = self._look(), self._clients.target.settings.langfuse.chart.version
        return found.with_change(f"helm release {langfuse.RELEASE}", f"chart {version}; {found.evidence}")

    def _look(self) -> Observation:
        if not self._clients.kube.exists():
            return absent("there is no cluster")
        release = self._clients.helm.release(langfuse.RELEASE, NAMESPACE)
        if release is None:
            return absent(f"helm release {langfuse.RELEASE}: not there")
        with unknown_if_never_built():
            faults = self._faults(release) or self._stopped() or self._unready()
        if faults:
            return drifted("; ".join(faults))
        return present(self._evidence(release))

    def _faults(self, release: Release) -> list[str]:
        if release.status != "deployed":
            return [f"helm release {release.name} is {release.status}"]
        wanted = self._wanted_version(release)
        if chart_line.line_of(release.version) != self._line:
            other = self._clients.target.settings.langfuse.chart.version
            return [f"chart {release.version} is installed, of another line than {other}; see: genai plan"]
        if release.version != wanted:
            return [f"chart {release.version} is installed; wanted is {wanted}"]
        paths = differences(release.values, self._values())
        return [f"values differ at {', '.join(paths[:3])}" + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")] if paths else []

    def _wanted_version(self, release: Release) -> str:
        source = chart_sources(self._clients.target)[0]
        if source.local:
            return self._clients.helm.resolve(source).version
        if release.annotations.get(SMALL) == "true" and may_be_small(self._clients.target):
            return small_chart(self._line).version
        return source.version

    def _unready(self) -> list[str]:
        return [fault for kind, name in self._workloads() if (fault := running(self._clients.kube, kind, name))]

    def _stopped(self) -> list[str]:
        return [f"Deployment {name} was stopped for a backup" for name in writers.stopped(self._clients.kube)]

    def _evidence(self, release: Release) -> str:
        own = " (the small chart of this project)" if release.annotations.get(SMALL) == "true" else ""
        return f"chart {release.version}{own}, revision {release.revision}, {len(self._workloads())} workloads ready"

    def _workloads(self) -> tuple[Workload, ...]:
        """In the order they become ready."""
        return APPLICATION if self._line == 2 else (("StatefulSet", "langfuse-zookeeper"), CLICKHOUSE, *APPLICATION)

    def _values(self) -> dict[str, Any]:
        clients, settings = self._clients, self._clients.target.settings
        # Without it the values hold nothing of what is secret, and it is not asked for.
        client = sign_in.client(settings, clients.secrets(), "langfuse") if "langfuse" in sign_in.tools(settings) else None
        return langfuse.values(clients.target, clients.outputs(), clients.need_address("langfuse"), client)

    def files(self) -> dict[str, str]:
        """What ``render`` shows: the values, as Helm gets them."""
        import yaml

        return {"values.yaml": str(yaml.safe_dump(self._values(), sort_keys=False, allow_unicode=True))}

    # -- doing ------------------------------------------------------------------------------------
    def apply(self, progress: Progress) -> str:
        clients, values = self._clients, self._values()
        chart = resolve(clients)
        chart_line.hold(clients)
        writers.start(clients.kube)
        if chart.source.small:
            progress.say("the public chart cannot be reached: using the small chart of this project")
        release = clients.helm.install_or_upgrade(langfuse.RELEASE, NAMESPACE, chart, values, progress)
        if self._line == 2:
            tell_operator(clients, own_account=clients.target.settings.langfuse.post_install == "values")
        redact = kube_wait.redactor(clients.secrets().values())
        for kind, name in self._workloads():
            if kind == "Deployment":
                start_afresh(clients.kube, kind, name)
            kube_wait.rollout(clients.kube, kind, name, NAMESPACE, progress, _ROLLOUT, redact)
        return self._evidence(release)

    def destroy(self, progress: Progress) -> str:
        clients = self._clients
        if not clients.kube.exists():
            return "there is no cluster"
        done = []
        # Custom resources first: their finalizers need the operator.
        for kind in ("ClickHouseCluster", "KeeperCluster"):
            for found in clients.kube.list(CLICKHOUSE_API, kind, NAMESPACE):
                kube_wait.delete(clients.kube, CLICKHOUSE_API, kind, found["metadata"]["name"], NAMESPACE, progress, 600)
                done.append(f"{kind} {found['metadata']['name']}")
        progress.check()
        progress.say("helm uninstall langfuse")
        if clients.helm.uninstall(langfuse.RELEASE, NAMESPACE):
            done.append(f"helm release {langfuse.RELEASE}")
        for name in _LEFT_BY_CHART:
            clients.kube.delete("v1", "Secret", name, NAMESPACE)
        if volumes := self._release_volumes(progress):
            done.append(f"{volumes} volumes")
        if objects := self._empty_disk(progress):
            done.append(f"{objects} objects of ClickHouse's disk")
        return f"removed {', '.join(done)}" if done else "nothing was there"

    def _empty_disk(self, progress: Progress) -> int:
        """The volumes held the names of the disk's objects: without them those are of no use. Backups stay."""
        if not self._clients.terraform.state.resources("storage"):
            return 0
        bucket = self._clients.storage().clickhouse_bucket
        return aws_buckets.empty(self._clients.aws, bucket, progress, keep=langfuse.BACKUP_PREFIX)

    def _release_volumes(self, progress: Progress) -> int:
        """Delete the claims of ClickHouse and its keeper, and wait until their volumes are gone."""
        kube = self._clients.kube
        claims = [claim for claim in kube.list("v1", "PersistentVolumeClaim", NAMESPACE) if is_own_claim(claim["metadata"]["name"])]
        volumes = [volume for claim in claims if (volume := claim["spec"].get("volumeName"))]
        release_volumes(kube, [claim["metadata"]["name"] for claim in claims], volumes, progress, 600)
        return len(volumes)


def tell_operator(clients: Clients, *, own_account: bool) -> bool:
    """Line 2: say to the operator what the chart has no keys for. Whether anything changed.

    Its pods are not to be moved, and ``default`` stays the database it is: otherwise the operator re-creates it as a
    Replicated one once ClickHouse is ready, and Langfuse's migrations may have been there first
    (https://github.com/ClickHouse/clickhouse-operator/pull/255). Said right after the install, before it is ready.

    Args:
        own_account: let ClickHouse's pods use the service account with the role.
    """
    cluster: dict[str, Any] = {"annotations": UNDISTURBED, "settings": {"enableDatabaseSync": False}}
    if own_account:
        cluster["podTemplate"] = {"serviceAccountName": langfuse.CLICKHOUSE_ACCOUNT}
    told = False
    for kind, spec in (("KeeperCluster", {"annotations": UNDISTURBED}), ("ClickHouseCluster", cluster)):
        found = clients.kube.get(CLICKHOUSE_API, kind, langfuse.RELEASE, NAMESPACE)
        if found is None:
            raise NeverBuilt(f"{kind} langfuse does not exist", remedy=run_genai("langfuse"), id="clickhouse.absent")
        if not _has(found["spec"], spec):
            clients.kube.patch(CLICKHOUSE_API, kind, langfuse.RELEASE, NAMESPACE, {"spec": spec}, "merge")
            told = True
    return told


def _has(now: Any, wanted: Any) -> bool:
    """Whether a merge patch would change nothing."""
    if isinstance(wanted, Mapping):
        return isinstance(now, Mapping) and all(_has(now.get(key), value) for key, value in wanted.items())
    return bool(now == wanted)


def is_own_claim(name: str) -> bool:
    """Whether a claim belongs to this release's stateful sets, of either line."""
    return name.startswith(
        ("data-langfuse-clickhouse-shard0-", "data-langfuse-zookeeper-", "clickhouse-storage-volume-", "keeper-storage-volume-")
    )


def differences(now: Any, then: Any, path: str = "") -> list[str]:
    """Dotted paths at which two sets of values differ."""
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        keys = list({**now, **then})
        return [line for key in keys for line in differences(now.get(key), then.get(key), f"{path}.{key}" if path else str(key))]
    return [] if now == then else [path]
