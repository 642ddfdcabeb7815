"""A local copy of a collection of the Kubernetes API that follows it by watching, as controllers do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Literal

from genai_platform.sandbox.cluster.api import Api, ApiError, Object

Change = Literal["set", "gone"]
_PAUSE = 0.5
_log = logging.getLogger(__name__)


class Watch(threading.Thread):
    """Keeps the copy across disconnects and expired versions, and reports each change.

    Args:
        path: of the collection.
        changed: called for each object that came, changed or went; in this thread, in order.
        listed: called when the whole collection was listed, an empty one as well.
    """

    def __init__(self, api: Api, path: str, changed: Callable[[Change, Object], None], listed: Callable[[], None] = lambda: None) -> None:
        super().__init__(name=f"watch {path}", daemon=True)
        self._api, self._path, self._changed, self._listed = api, path, changed, listed
        self._objects: dict[str, Object] = {}
        self._ended = threading.Event()
        self.ready = threading.Event()
        """Set once the collection was listed for the first time."""

    def objects(self) -> list[Object]:
        return list(self._objects.values())

    def wait(self, seconds: float) -> None:
        """Until the collection was listed for the first time.

        Raises:
            ApiError: it was not in time, so that nothing is known of what exists.
        """
        if not self.ready.wait(seconds):
            raise ApiError(0, f"the Kubernetes API did not list {self._path} within {seconds:g} s")

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        version = ""
        while not self._ended.is_set():
            try:
                version = self._follow(version or self._list())
            except Exception as error:
                if not isinstance(error, ApiError):
                    _log.exception("watch of %s", self._path)
                version = ""
                self._ended.wait(_PAUSE)

    def _list(self) -> str:
        answer = self._api.get(self._path)
        found = {_key(item): item for item in answer["items"]}
        for key in [key for key in self._objects if key not in found]:
            self._tell("gone", self._objects[key])
        for key, item in found.items():
            if key not in self._objects or _version(self._objects[key]) != _version(item):
                self._tell("set", item)
        self.ready.set()
        self._listed()
        return str(answer["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        for event in self._api.watch(self._path, version):
            item = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(int(item.get("code", 0)), str(item.get("message", "")))
            version = _version(item)
            if event["type"] == "DELETED":
                self._tell("gone", item)
            elif event["type"] != "BOOKMARK":
                self._tell("set", item)
            if self._ended.is_set():
                break
        return version

    def _tell(self, change: Change, item: Object) -> None:
        if change == "set":
            self._objects[_key(item)] = item
        else:
            self._objects.pop(_key(item), None)
        try:
            self._changed(change, item)
        except Exception:
            # One object that cannot be handled must not stop the others.
            _log.exception("%s %s", self._path, _key(item))


def _key(item: Object) -> str:
    meta = item["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"


def _version(item: Object) -> str:
    return str(item["metadata"].get("resourceVersion", ""))
