"""What the load balancer knows of the cluster: a copy of its objects, kept by watching."""

from __future__ import annotations

import asyncio
from typing import Any

from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.cluster.watch import Watch
from genai_platform.sandbox.load_balancer.routes import Cluster

KINDS = {
    "ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "classes": "/apis/networking.k8s.io/v1/ingressclasses",
    "parameters": "/apis/eks.amazonaws.com/v1/ingressclassparams",
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
}


class Mirror:
    """Objects of the kinds above, kept up to date in threads. ``changed`` is set whenever one came, changed or went.

    Made and read in one event loop.
    """

    def __init__(self, api: Api) -> None:
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._watches = {name: Watch(api, path, self._tell, self._tell) for name, path in KINDS.items()}

    def start(self) -> None:
        for watch in self._watches.values():
            watch.start()

    def end(self) -> None:
        for watch in self._watches.values():
            watch.end()

    @property
    def complete(self) -> bool:
        """Whether every kind was listed once."""
        return all(watch.ready.is_set() for watch in self._watches.values())

    def cluster(self) -> Cluster:
        """The objects as they are now."""
        return Cluster(**{name: sorted(watch.objects(), key=lambda one: one["metadata"]["uid"]) for name, watch in self._watches.items()})

    def _tell(self, *change: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.changed.set)
