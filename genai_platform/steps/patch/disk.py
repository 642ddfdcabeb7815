"""patch.disk: the S3 disk's file in ClickHouse's stateful set."""

from __future__ import annotations

import posixpath
from typing import Any

from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.render import langfuse
from genai_platform.render.clickhouse_disk import check_policy
from genai_platform.steps.langfuse.chart import CLICKHOUSE
from genai_platform.steps.langfuse.clickhouse import CLICKHOUSE_API
from genai_platform.steps.patch.step import Part, PatchStep
from genai_platform.tools.kubernetes.client import Document

_CONTAINER = "clickhouse"
_SEEN_AT = (langfuse.DISK_PATH, langfuse.DISK_PATH.replace("/etc/clickhouse-server", "/opt/bitnami/clickhouse/etc", 1))
"""Where the file lies: Bitnami's image links the first folder to the second, and its chart mounts a volume there."""


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
        found = self._clients.kube.get("v1", "ConfigMap", langfuse.DISK_CONFIG_MAP, NAMESPACE)
        text = ((found or {}).get("data") or {}).get(langfuse.DISK_FILE)
        if text is not None:
            check_policy(text)
            return Part(name, None)
        document = langfuse.disk_config_map(self._clients.target, self._clients.outputs())
        return Part(
            name,
            "is not there" if found is None else f"has no {langfuse.DISK_FILE}",
            lambda: self._clients.kube.apply(document),
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
            f"does not mount {langfuse.DISK_FILE} where ClickHouse sees it",
            lambda: self._clients.kube.patch("apps/v1", kind, name, NAMESPACE, body, "json"),
            restarts=(CLICKHOUSE,),  # the template changes, so the controller makes the pods again
        )

    def _second_line(self) -> Part:
        found = self.the(CLICKHOUSE_API, "ClickHouseCluster", langfuse.RELEASE)
        wanted = langfuse.disk_settings(self._clients.target, self._clients.outputs())
        now = found["spec"].get("settings", {}).get("extraConfig") or {}
        fits = all(now.get(key) == value for key, value in wanted.items())
        body = {"spec": {"settings": {"extraConfig": wanted}}}
        return Part(
            "ClickHouseCluster langfuse",
            None if fits else "does not have the S3 disk",
            lambda: self._clients.kube.patch(CLICKHOUSE_API, "ClickHouseCluster", langfuse.RELEASE, NAMESPACE, body, "merge"),
        )

    def destroy(self, progress: Progress) -> str:
        return "stays: ClickHouse's tables lie on this disk; it goes together with langfuse.chart"


def mounted_volume(pod: Document) -> str | None:
    """The name of the volume through which ClickHouse's container sees the file, if it does."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or ()}
    mounts = _container(pod).get("volumeMounts") or []
    for at, mount in enumerate(mounts):
        config = volumes.get(mount["name"], {}).get("configMap") or {}
        sees = mount["mountPath"] == langfuse.DISK_PATH and mount.get("subPath") == langfuse.DISK_FILE
        if sees and config.get("name") == langfuse.DISK_CONFIG_MAP and not any(_covers(later) for later in mounts[at + 1 :]):
            return str(mount["name"])
    return None


def _covers(mount: Document) -> bool:
    """Whether a mount that is made later hides the file."""
    above = posixpath.normpath(mount["mountPath"]).rstrip("/")
    return any(f"{place}/".startswith(f"{above}/") for place in _SEEN_AT)


def mount_patch(pod: Document) -> list[dict[str, Any]]:
    """A JSON patch that mounts the file after everything else. A volume of our name that is something else is left alone.

    The order decides: the chart's own volume on Bitnami's configuration folder covers what is mounted before it, and a
    strategic merge patch would put ours there (``mergeSortedSlice`` in k8s.io/apimachinery's strategicpatch).
    """
    spec = "/spec/template/spec"
    # Which config map is behind each volume; None for a volume of another kind.
    volumes = {volume["name"]: (volume.get("configMap") or {}).get("name") for volume in pod.get("volumes") or ()}
    name = next((key for key, behind in volumes.items() if behind == langfuse.DISK_CONFIG_MAP), langfuse.DISK_VOLUME)
    while name in volumes and volumes[name] != langfuse.DISK_CONFIG_MAP:
        name = f"{name}-genai"
    container = _container(pod)
    place = f"{spec}/containers/{pod['containers'].index(container)}"
    mounts = container.get("volumeMounts") or []
    # Lists are addressed by number: should one have changed meanwhile, nothing is patched.
    operations: list[dict[str, Any]] = [{"op": "test", "path": f"{place}/name", "value": container["name"]}]
    if name not in volumes:
        operations += _appended(f"{spec}/volumes", langfuse.disk_volume(name), empty=not volumes)
    for at in reversed(range(len(mounts))):
        if mounts[at]["mountPath"] == langfuse.DISK_PATH:
            path = f"{place}/volumeMounts/{at}"
            operations += [{"op": "test", "path": f"{path}/mountPath", "value": langfuse.DISK_PATH}, {"op": "remove", "path": path}]
    return [*operations, *_appended(f"{place}/volumeMounts", langfuse.disk_mount(name), empty=not mounts)]


def _appended(path: str, value: Document, *, empty: bool) -> list[dict[str, Any]]:
    """One more entry at the end of a list, which may have to be made first."""
    made = [{"op": "add", "path": path, "value": []}] if empty else []
    return [*made, {"op": "add", "path": f"{path}/-", "value": value}]


def _container(pod: Document) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pod["containers"]
    return next((one for one in containers if one["name"] == _CONTAINER), containers[0])
