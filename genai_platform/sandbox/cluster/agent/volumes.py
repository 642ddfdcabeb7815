"""A pod's volumes: what lies in them, and which mounts a container gets."""

from __future__ import annotations

import os
import posixpath
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from genai_platform.sandbox.cluster.agent.environment import ConfigFault, Lookup, Source, entries_of, expand, field_of, resource_of
from genai_platform.sandbox.cluster.agent.process import Mount
from genai_platform.sandbox.cluster.api import Object

Token = Callable[[str, int], str]
"""A token of the pod's service account for an audience ("" is the API's own) that lives so many seconds."""
Claim = Callable[[str], Path]
"""The folder of a bound claim by name. Raises ``ConfigFault`` while there is none."""

_Files = dict[str, tuple[bytes, int]]
_TOKEN_AGE = 0.6
"""Part of its life after which a token is replaced."""


class Volumes:
    """The volumes of one pod below one folder."""

    def __init__(self, folder: Path, lookup: Lookup, token: Token, claim: Claim, capacity: Mapping[str, str]) -> None:
        self._folder, self._lookup, self._token, self._claim, self._capacity = folder, lookup, token, claim, capacity
        self._sources: dict[str, Path] = {}
        self._tokens: dict[tuple[str, int], tuple[float, str]] = {}

    def prepare(self, pod: Object) -> None:
        """Make or refresh every volume. What has not changed is left alone.

        Raises:
            ConfigFault: something a volume names is missing; nothing is mounted then.
        """
        for volume in pod["spec"].get("volumes") or ():
            self._sources[volume["name"]] = self._make(pod, volume)

    def tokens_expire(self) -> float | None:
        """When the first projected token should be replaced, as monotonic time."""
        return min((due for due, _ in self._tokens.values()), default=None)

    def mounts(self, container: Object, variables: Mapping[str, str]) -> list[Mount]:
        """The mounts of a container, in the order of its spec."""
        found = []
        for mount in container.get("volumeMounts") or ():
            if mount["name"] not in self._sources:
                raise ConfigFault(f'volume "{mount["name"]}" not found')
            root = self._sources[mount["name"]]
            inner = expand(mount["subPathExpr"], variables) if mount.get("subPathExpr") else mount.get("subPath", "")
            source = _inside(root, inner)
            target = posixpath.normpath("/" + mount["mountPath"].lstrip("/"))
            found.append(Mount(str(source), target, bool(mount.get("readOnly")) or (root / "..data").exists()))
        return found

    def _make(self, pod: Object, volume: Object) -> Path:
        folder: Path = self._folder / volume["name"]
        if "emptyDir" in volume:
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        if "persistentVolumeClaim" in volume:
            return self._claim(volume["persistentVolumeClaim"]["claimName"])
        if "ephemeral" in volume:
            return self._claim(f"{pod['metadata']['name']}-{volume['name']}")
        if "hostPath" in volume:
            raise ConfigFault(f'volume "{volume["name"]}": hostPath volumes are not provided in the sandbox')
        write(folder, self._files(pod, volume))
        return folder

    def _files(self, pod: Object, volume: Object) -> _Files:
        for kind in ("configMap", "secret", "downwardAPI"):
            if kind in volume:
                return self._projection(pod, kind, volume[kind], volume[kind].get("defaultMode", 0o644))
        if "projected" not in volume:
            raise ConfigFault(f'volume "{volume["name"]}": its kind is not provided in the sandbox')
        files: _Files = {}
        for source in volume["projected"].get("sources") or ():
            for kind, projection in source.items():
                files.update(self._projection(pod, kind, projection, volume["projected"].get("defaultMode", 0o644)))
        return files

    def _projection(self, pod: Object, kind: str, projection: Object, mode: int) -> _Files:
        if kind == "serviceAccountToken":
            token = self._fresh_token(projection.get("audience", ""), int(projection.get("expirationSeconds", 3600)))
            return {projection["path"]: (token.encode(), mode)}
        if kind == "downwardAPI":
            return {item["path"]: (self._downward(pod, item).encode(), item.get("mode", mode)) for item in projection.get("items") or ()}
        if kind not in ("configMap", "secret"):
            raise ConfigFault(f"projected volumes of {kind} are not provided in the sandbox")
        source: Source = "configmaps" if kind == "configMap" else "secrets"
        entries = entries_of(source, {"name": projection.get("secretName", ""), **projection}, self._lookup)
        if not projection.get("items"):
            return {key: (value, mode) for key, value in entries.items()}
        files: _Files = {}
        for item in projection["items"]:
            if item["key"] in entries:
                files[item["path"]] = (entries[item["key"]], item.get("mode", mode))
            elif not projection.get("optional"):
                raise ConfigFault(f"references non-existent {source[:-1]} key: {item['key']}")
        return files

    def _downward(self, pod: Object, item: Object) -> str:
        if "fieldRef" in item:
            return field_of(pod, item["fieldRef"]["fieldPath"])
        return resource_of(pod, item["resourceFieldRef"], self._capacity)

    def _fresh_token(self, audience: str, seconds: int) -> str:
        due, token = self._tokens.get((audience, seconds), (0.0, ""))
        if time.monotonic() >= due:
            token = self._token(audience, seconds)
            self._tokens[audience, seconds] = (time.monotonic() + seconds * _TOKEN_AGE, token)
        return token


def write(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Replace a folder's files all at once: they are links through ``..data``, which changes its target.

    So a process sees the old files or the new ones, never a mixture, and a mount of the folder follows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "..data"
    if data.exists() and _same(data, files):
        return
    before = data.resolve() if data.exists() else None
    version = folder / f"..{time.time_ns()}"
    for name, (content, mode) in files.items():
        path = version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        path.chmod(mode)
    version.mkdir(exist_ok=True)
    new = folder / "..data_new"
    new.unlink(missing_ok=True)
    new.symlink_to(version.name)
    new.replace(data)
    wanted = {name.partition("/")[0] for name in files}
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    for name in wanted:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)


def _same(data: Path, files: Mapping[str, tuple[bytes, int]]) -> bool:
    there = {str(path.relative_to(data.resolve())) for path in data.resolve().rglob("*") if path.is_file()}
    return there == set(files) and all((data / name).read_bytes() == content for name, (content, _) in files.items())


def _inside(root: Path, inner: str) -> Path:
    """A path below a volume, made as a folder when it is missing; never one that leads out of the volume."""
    if not inner:
        return root
    path = Path(os.path.realpath(root / inner))
    if not path.is_relative_to(os.path.realpath(root)):
        raise ConfigFault(f"subPath {inner} leads out of its volume")
    if not path.exists():
        if (root / "..data").exists():
            raise ConfigFault(f"subPath {inner} is not in its volume")
        path.mkdir(parents=True)
    return path
