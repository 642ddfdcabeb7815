"""patch.disk: the S3 disk's file in ClickHouse's stateful set."""

from __future__ import annotations

from typing import Any

from genai_platform.config.target import NAMESPACE
from genai_platform.graph.step import Progress
from genai_platform.render import langfuse
from genai_platform.render.clickhouse_disk import check_policy
from genai_platform.steps.patch_step import CLICKHOUSE, NotInstalled, Part, PatchStep
from genai_platform.tools.kube import Document

_CLICKHOUSE_API = "clickhouse.com/v1alpha1"
_CONTAINER = "clickhouse"


class Disk(PatchStep):
    """The config map, then its mount. A mount made by hand counts, whatever its volume is called."""

    id = "patch.disk"
    needs = ("langfuse.chart", "patch.identity")

    def parts(self) -> list[Part]:
        if self._line == 2:
            return [self._second_line()]
        return [self._file(), self._mounted()]

    def _file(self) -> Part:
        """Raises ``ConfigError`` for a storage policy with which ClickHouse would not start."""
        name = f"config map {langfuse.DISK_CONFIG_MAP}"
        found = self._doors.kube.get("v1", "ConfigMap", langfuse.DISK_CONFIG_MAP, NAMESPACE)
        text = ((found or {}).get("data") or {}).get(langfuse.DISK_FILE)
        if text is not None:
            check_policy(text)
            return Part(name, None)
        document = langfuse.disk_config_map(self._doors.target, self._doors.outputs())
        return Part(
            name,
            "is not there" if found is None else f"has no {langfuse.DISK_FILE}",
            lambda: self._doors.kube.apply(document),
            (CLICKHOUSE,),
        )

    def _mounted(self) -> Part:
        kind, name = CLICKHOUSE
        found = self.the("apps/v1", kind, name)
        pod = found["spec"]["template"]["spec"]
        if mounted_volume(pod) is not None:
            return Part(f"stateful set {name}", None)
        body = mount_patch(pod)
        return Part(
            f"stateful set {name}",
            f"does not mount {langfuse.DISK_FILE}",
            lambda: self._doors.kube.patch("apps/v1", kind, name, NAMESPACE, body),
            restarts=(CLICKHOUSE,),  # the template changes, so the controller makes the pods again
        )

    def _second_line(self) -> Part:
        found = self._doors.kube.get(_CLICKHOUSE_API, "ClickHouseCluster", langfuse.RELEASE, NAMESPACE)
        if found is None:
            raise NotInstalled("ClickHouseCluster langfuse is not there: the chart is not installed", remedy="run: genai langfuse")
        wanted = langfuse.disk_settings(self._doors.target, self._doors.outputs())
        now = found["spec"].get("settings", {}).get("extraConfig") or {}
        fits = all(now.get(key) == value for key, value in wanted.items())
        body = {"spec": {"settings": {"extraConfig": wanted}}}
        return Part(
            "ClickHouseCluster langfuse",
            None if fits else "does not have the S3 disk",
            lambda: self._doors.kube.patch(_CLICKHOUSE_API, "ClickHouseCluster", langfuse.RELEASE, NAMESPACE, body, "merge"),
        )

    def destroy(self, progress: Progress) -> str:
        return "stays: ClickHouse's tables lie on this disk; it goes together with langfuse.chart"


def mounted_volume(pod: Document) -> str | None:
    """The name of the volume through which ClickHouse's container sees the file, if it does."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or ()}
    for mount in _container(pod).get("volumeMounts") or ():
        config = volumes.get(mount["name"], {}).get("configMap") or {}
        sees = mount["mountPath"] == langfuse.DISK_PATH and mount.get("subPath") == langfuse.DISK_FILE
        if sees and config.get("name") == langfuse.DISK_CONFIG_MAP:
            return str(mount["name"])
    return None


def mount_patch(pod: Document) -> dict[str, Any]:
    """A strategic merge patch that mounts the file. A volume of our name that is something else is left alone."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or ()}
    name = next(
        (key for key, one in volumes.items() if (one.get("configMap") or {}).get("name") == langfuse.DISK_CONFIG_MAP), langfuse.DISK_VOLUME
    )
    while name in volumes and (volumes[name].get("configMap") or {}).get("name") != langfuse.DISK_CONFIG_MAP:
        name = f"{name}-genai"
    added = [] if name in volumes else [langfuse.disk_volume(name)]
    mounts = [langfuse.disk_mount(name)]
    container = {"name": _container(pod)["name"], "volumeMounts": mounts}
    return {"spec": {"template": {"spec": {"volumes": added, "containers": [container]}}}}


def _container(pod: Document) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pod["containers"]
    return next((one for one in containers if one["name"] == _CONTAINER), containers[0])
