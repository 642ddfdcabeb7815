"""The agent's client of the Kubernetes API: plain documents in and out, and watches that keep a local copy."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

Object = dict[str, Any]
Change = Literal["set", "gone"]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """The API refused, or could not be reached (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """Requests with the connections and credentials of the kubernetes client. Safe for threads."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import client, config

        configuration = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        configuration.proxy = None
        configuration.connection_pool_maxsize = 64
        self._host: str = configuration.host
        self._headers = {"Accept": "application/json"}
        for setting in configuration.auth_settings().values():
            self._headers[setting["key"]] = setting["value"]
        self._pool = client.ApiClient(configuration).rest_client.pool_manager

    def get(self, path: str, **query: str) -> Object:
        return self._send("GET", path, None, query)

    def find(self, path: str) -> Object | None:
        """``get``, with None for what does not exist."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: Object) -> Object:
        return self._send("POST", path, body, {})

    def patch(self, path: str, body: Object, kind: str = MERGE) -> Object:
        return self._send("PATCH", path, body, {}, kind)

    def delete(self, path: str, body: Object | None = None) -> None:
        """Delete; what does not exist any more is fine."""
        try:
            self._send("DELETE", path, body, {})
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def follow(self, path: str, query: Mapping[str, str]) -> Iterator[Object]:
        """The events of a watch, until the server ends it."""
        answer = self._open("GET", path, None, {**query, "watch": "true"}, None, read_timeout=None)
        try:
            rest = b""
            for piece in answer.stream(65536, decode_content=True):
                *lines, rest = (rest + piece).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        finally:
            answer.close()

    def _send(self, method: str, path: str, body: Object | None, query: Mapping[str, str], kind: str | None = None) -> Object:
        import urllib3

        answer = self._open(method, path, body, query, kind, read_timeout=30.0)
        try:
            document: Object = json.loads(answer.read())
            return document
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise ApiError(0, f"the Kubernetes API's answer broke off ({type(error).__name__})") from error
        finally:
            answer.release_conn()

    def _open(
        self, method: str, path: str, body: Object | None, query: Mapping[str, str], kind: str | None, *, read_timeout: float | None
    ) -> Any:
        import urllib3

        url = self._host + path + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = kind or "application/json"
        try:
            answer = self._pool.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                preload_content=False,
                timeout=urllib3.Timeout(connect=5.0, read=read_timeout),
                retries=urllib3.Retry(total=1, redirect=0, status=0, allowed_methods=["GET", "PATCH", "DELETE"]),
            )
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, f"the Kubernetes API does not answer ({type(error).__name__})") from error
        if answer.status >= 400:
            text = ""
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                text = answer.read().decode(errors="replace")
            answer.release_conn()
            with contextlib.suppress(ValueError, KeyError, TypeError):
                text = json.loads(text)["message"]
            raise ApiError(answer.status, text)
        return answer


class Watch(threading.Thread):
    """A local copy of one collection and a call for each change, across disconnects and expired versions.

    ``changed`` is called in this thread, in order.
    """

    def __init__(self, api: Api, path: str, changed: Callable[[Change, Object], None]) -> None:
        super().__init__(name=f"watch {path}", daemon=True)
        self._api, self._path, self._changed = api, path, changed
        self._objects: dict[str, Object] = {}
        self._ended = threading.Event()
        self.ready = threading.Event()

    def objects(self) -> list[Object]:
        return list(self._objects.values())

    def wait(self, seconds: float) -> None:
        """Until the first list was taken over.

        Raises:
            ApiError: it could not be had in time, so that nothing is known of what there is.
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
            except ApiError as error:
                version = ""
                if error.status != 410:
                    self._ended.wait(0.5)
            except Exception as error:
                import urllib3

                if not isinstance(error, (urllib3.exceptions.HTTPError, OSError, ValueError)):
                    _log.exception("watch of %s", self._path)
                version = ""
                self._ended.wait(0.5)

    def _list(self) -> str:
        answer = self._api.get(self._path)
        found = {_key(item): item for item in answer["items"]}
        for key in [key for key in self._objects if key not in found]:
            self._tell("gone", self._objects[key])
        for key, item in found.items():
            if key not in self._objects or _version(self._objects[key]) != _version(item):
                self._tell("set", item)
        self.ready.set()
        return str(answer["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        query = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": "600"}
        for event in self._api.follow(self._path, query):
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


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The address of a namespaced core object or collection, e.g. ``path_of("pods", "default", "web-0")``."""
    return f"/api/v1/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")
