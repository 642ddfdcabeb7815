"""Events as a kubelet writes them: the same event again raises its count. Written by one thread, in order."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Literal

from genai_platform.sandbox.cluster.api import Api, ApiError, Object, path_of

Severity = Literal["Normal", "Warning"]
_REMEMBERED = 4096
_log = logging.getLogger(__name__)


def now() -> str:
    """This second, as Kubernetes writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Events(threading.Thread):
    """``emit`` returns at once."""

    def __init__(self, api: Api, node: str) -> None:
        super().__init__(name="events", daemon=True)
        self._api, self._node = api, node
        self._waiting: queue.SimpleQueue[Object] = queue.SimpleQueue()
        self._known: OrderedDict[tuple[str, str, str], tuple[str, int]] = OrderedDict()

    def emit(self, about: Object, reason: str, message: str, severity: Severity = "Normal", component: str = "kubelet") -> None:
        """Record that ``reason`` happened to the object ``about`` (a whole pod, claim or node)."""
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        stamp = now()
        self._waiting.put(
            {
                "metadata": {"generateName": f"{meta['name']}.", "namespace": namespace},
                "involvedObject": {
                    "apiVersion": about.get("apiVersion", "v1"),
                    "kind": about.get("kind", "Pod"),
                    "name": meta["name"],
                    "uid": meta.get("uid", ""),
                    **({"namespace": namespace} if "namespace" in meta else {}),
                },
                "reason": reason,
                "message": message[:1024],
                "type": severity,
                "source": {"component": component, "host": self._node},
                "reportingComponent": component,
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "count": 1,
            }
        )

    def run(self) -> None:
        while True:
            event = self._waiting.get()
            try:
                self._write(event)
            except ApiError:
                pass  # a lost event does not stop anything; the namespace may be on its way out
            except Exception:
                _log.exception("event %s", event["reason"])

    def _write(self, event: Object) -> None:
        key = (event["involvedObject"]["uid"], event["reason"], event["message"])
        namespace = event["metadata"]["namespace"]
        if key in self._known:
            name, count = self._known[key]
            try:
                self._api.patch(path_of("events", namespace, name), {"count": count + 1, "lastTimestamp": event["lastTimestamp"]})
            except ApiError as error:
                if error.status != 404:
                    raise
            else:
                self._known[key] = (name, count + 1)
                return
        made = self._api.create(path_of("events", namespace), event)
        self._known[key] = (made["metadata"]["name"], 1)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
