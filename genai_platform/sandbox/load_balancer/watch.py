"""A copy of the cluster's objects that follows them by watching, as controllers do."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Sequence
from typing import Any

import httpx

from genai_platform.sandbox.load_balancer.routes import Cluster

log = logging.getLogger("load-balancer")

KINDS = {
    "ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "classes": "/apis/networking.k8s.io/v1/ingressclasses",
    "parameters": "/apis/eks.amazonaws.com/v1/ingressclassparams",
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
}


class Mirror:
    """Objects of the kinds above, kept up to date. ``changed`` is set whenever one came, changed or went."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self.changed = asyncio.Event()
        self.client = httpx.AsyncClient(base_url=url, verify=context, trust_env=False, timeout=httpx.Timeout(15, read=330))
        self._objects: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KINDS}
        self._listed: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether every kind was listed once."""
        return len(self._listed) == len(KINDS)

    def cluster(self) -> Cluster:
        """The objects as they are now."""
        return Cluster(**{name: self._sorted(name) for name in KINDS})

    def _sorted(self, name: str) -> Sequence[dict[str, Any]]:
        return [one for _, one in sorted(self._objects[name].items())]

    async def follow(self, name: str) -> None:
        """List, then watch, until stopped; what breaks is started again."""
        while True:
            try:
                version = await self._list(name)
                await self._watch(name, version)
            except (httpx.HTTPError, ValueError, KeyError) as error:
                log.info("watching %s again: %s", name, type(error).__name__)
                await asyncio.sleep(1)

    async def _list(self, name: str) -> str:
        answer = await self.client.get(KINDS[name])
        answer.raise_for_status()
        document = answer.json()
        self._objects[name] = {one["metadata"]["uid"]: one for one in document["items"]}
        self._listed.add(name)
        self.changed.set()
        return str(document["metadata"]["resourceVersion"])

    async def _watch(self, name: str, version: str) -> None:
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "300"}
        async with self.client.stream("GET", KINDS[name], params=query) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                uid = event["object"]["metadata"]["uid"]
                if event["type"] == "DELETED":
                    self._objects[name].pop(uid, None)
                else:
                    self._objects[name][uid] = event["object"]
                self.changed.set()
