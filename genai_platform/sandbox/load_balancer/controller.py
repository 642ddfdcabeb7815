"""The controller: brings sockets, load balancers, finalizers and statuses to what the cluster's objects say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from genai_platform.sandbox.cluster.api import Api, ApiError, path_of
from genai_platform.sandbox.load_balancer.balancers import AwsBalancers
from genai_platform.sandbox.load_balancer.listeners import Listeners
from genai_platform.sandbox.load_balancer.routes import FINALIZER, Cluster, Document, Group, group_name, groups, key, ours

log = logging.getLogger("load-balancer")


class Controller:
    """One turn a call; called whenever something changed, and every few seconds.

    Args:
        api: the Kubernetes API, for finalizers, statuses and events.
        listeners: the sockets.
        balancers: the load balancers as AWS shows them.
    """

    def __init__(self, api: Api, listeners: Listeners, balancers: AwsBalancers) -> None:
        self._api, self._listeners, self._balancers = api, listeners, balancers
        self._told: dict[str, str] = {}

    async def turn(self, cluster: Cluster) -> bool:
        """Bring everything to what the objects say; ``False`` when something must be tried again."""
        wanted, wrong = groups(cluster)
        refused = await self._listeners.set([listener for group in wanted for listener in group.listeners])
        for group in wanted:
            faults = [refused[listener.port] for listener in group.listeners if listener.port in refused]
            try:
                for ingress in group.ingresses:
                    await self._hold(ingress)
                host = await asyncio.to_thread(self._balancers.ensure, group)
                if faults:
                    raise LookupError("; ".join(faults))
                for ingress in group.ingresses:
                    await self._publish(ingress, group, host)
            except Exception as error:
                wrong |= {key(ingress): f"{error}" for ingress in group.ingresses}
        settled = await self._release(cluster, {group.name for group in wanted})
        for name, reason in wrong.items():
            await self._tell(cluster, name, reason)
        self._told = {name: reason for name, reason in self._told.items() if name in wrong}
        return settled and not wrong

    async def _hold(self, ingress: Document) -> None:
        """Put our finalizer on it, before anything exists that must be cleaned up."""
        held = ingress["metadata"].get("finalizers") or []
        if FINALIZER not in held:
            await self._set_finalizers(ingress, [*held, FINALIZER])

    async def _publish(self, ingress: Document, group: Group, host: str) -> None:
        wanted = {"ingress": [{"hostname": host}]}
        if (ingress.get("status") or {}).get("loadBalancer") != wanted:
            await patch(self._api, _path(ingress) + "/status", {"status": {"loadBalancer": wanted}})
            log.info("%s is served on %s", key(ingress), ", ".join(str(listener.port) for listener in group.listeners))

    async def _release(self, cluster: Cluster, living: set[str]) -> bool:
        """Let go of ingresses that are being deleted: the last of a group goes after its load balancer."""
        settled = True
        for ingress in ours(cluster):
            held = ingress["metadata"].get("finalizers") or []
            if not ingress["metadata"].get("deletionTimestamp") or FINALIZER not in held:
                continue
            name = group_name(cluster, ingress)
            try:
                # Parameters that went first leave no name to go by; then whatever belongs to no existing group goes.
                for one in sorted(({name} | await asyncio.to_thread(self._balancers.stacks)) - living):
                    await asyncio.to_thread(self._balancers.remove, one)
                await self._set_finalizers(ingress, [one for one in held if one != FINALIZER])
            except Exception as error:
                log.warning("%s cannot be released yet: %s", key(ingress), error)
                settled = False
        return settled

    async def _set_finalizers(self, ingress: Document, finalizers: list[str]) -> None:
        version = ingress["metadata"]["resourceVersion"]
        await patch(self._api, _path(ingress), {"metadata": {"finalizers": finalizers, "resourceVersion": version}})

    async def _tell(self, cluster: Cluster, name: str, reason: str) -> None:
        """Say it once in the log and as an event, where people look."""
        if self._told.get(name) == reason:
            return
        self._told[name] = reason
        log.warning("%s: %s", name, reason)
        meta = next(one["metadata"] for one in cluster.ingresses if key(one) == name)
        about = {field: meta[field] for field in ("name", "namespace", "uid")}
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
            "involvedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **about},
            "type": "Warning",
            "reason": "FailedDeployModel",
            "message": reason[:900],
            "source": {"component": "eks-load-balancing"},
            "count": 1,
        }
        await asyncio.to_thread(self._api.create, path_of("events", meta["namespace"]), body)


async def patch(api: Api, path: str, body: Mapping[str, Any]) -> None:
    """Change an object; one that is gone, or was changed meanwhile, is seen by the next turn."""
    try:
        await asyncio.to_thread(api.patch, path, body)
    except ApiError as error:
        if error.status not in (404, 409):
            raise


def _path(ingress: Document) -> str:
    meta = ingress["metadata"]
    return f"/apis/networking.k8s.io/v1/namespaces/{meta['namespace']}/ingresses/{meta['name']}"
