"""langfuse.operator: what keeps ClickHouse in chart line 2. Its custom resources go before it does (see ``steps/langfuse/chart.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from genai_platform.engine.step import Change, Observation, Progress, State, absent, drifted, present
from genai_platform.errors import StepError
from genai_platform.render.chart import ChartSource, pinned, pins
from genai_platform.steps.clients import Clients
from genai_platform.tools.helm.client import ResolvedChart

CRD = "clickhouseclusters.clickhouse.com"
_CHARTS = ("cert_manager", "clickhouse_operator")
_VALUES = {"cert_manager": {"crds": {"enabled": True}}, "clickhouse_operator": {}}


class Operator:
    """cert-manager and the ClickHouse operator, each a Helm release; or what already serves their kinds."""

    id = "langfuse.operator"
    needs = ("infra.kubernetes",)
    minutes = 2.0
    limit = 1200.0

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def observe(self) -> Observation:
        found = self._look()
        if found.state is State.PRESENT:
            return found
        wanted = [pins()[key] for key in _CHARTS]
        return replace(found, changes=tuple(Change("create", f"helm release {pin['name']}", pin["version"]) for pin in wanted))

    def _look(self) -> Observation:
        if not self._clients.kube.exists():
            return absent("there is no cluster")
        served = self._clients.kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD) is not None
        seen = []
        for key in _CHARTS:
            pin = pins()[key]
            release = self._clients.helm.release(pin["name"], pin["namespace"])
            if release is None:
                seen.append(f"{pin['name']} is not installed")
            elif release.status != "deployed" or release.version.lstrip("v") != pin["version"].lstrip("v"):
                return drifted(f"{release.name} {release.version} is {release.status}; wanted is {pin['version']}")
        if not seen:
            return present("cert-manager and the ClickHouse operator are installed")
        if served and len(seen) == len(_CHARTS):
            return present("the cluster already serves ClickHouseCluster, from an operator that is not ours")
        return Observation(State.DRIFTED if served or len(seen) == 1 else State.ABSENT, "; ".join(seen))

    def apply(self, progress: Progress) -> str:
        if (found := self.observe()).state is State.PRESENT:
            return found.evidence
        done = []
        for key in _CHARTS:
            progress.check()
            sources, namespace = pinned(key)
            name = pins()[key]["name"]
            chart = self._resolve(name, sources)
            self._clients.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            release = self._clients.helm.install_or_upgrade(name, namespace, chart, _VALUES[key], progress, wait=True)
            done.append(f"{release.name} {release.version}")
        return " and ".join(done)

    def _resolve(self, name: str, sources: Sequence[ChartSource]) -> ResolvedChart:
        """The chart from the first place that gives it. Raises ``StepError`` when none does."""
        faults = []
        for source in sources:
            try:
                return self._clients.helm.resolve(source)
            except StepError as error:
                faults.append(error.message)
        places = " or ".join(source.place for source in sources)
        raise StepError(
            "; ".join(faults),
            remedy=f"let this machine reach {places}; or install {name} yourself: an operator that is there is used",
            id="chart.unreachable",
        )

    def destroy(self, progress: Progress) -> str:
        if not self._clients.kube.exists():
            return "there is no cluster"
        removed = []
        for key in reversed(_CHARTS):
            progress.check()
            name, namespace = pins()[key]["name"], pins()[key]["namespace"]
            if self._clients.helm.uninstall(name, namespace):
                removed.append(name)
                self._clients.kube.delete("v1", "Namespace", namespace)
        return f"removed {', '.join(removed)}" if removed else "nothing of this environment was there"
