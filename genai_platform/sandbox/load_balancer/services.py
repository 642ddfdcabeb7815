"""Network load balancers for Services of type LoadBalancer, as EKS Auto Mode's controller makes them.

Shown in AWS alone: nothing listens at their addresses. Auto Mode sets its class where a Service names none (EKS user
guide, "Use Service Annotations to configure Network Load Balancers"); a Service of another class is not its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from genai_platform.sandbox.cluster.api import Api, path_of
from genai_platform.sandbox.load_balancer.balancers import AwsBalancers
from genai_platform.sandbox.load_balancer.controller import patch
from genai_platform.sandbox.load_balancer.routes import Cluster, Document, key

log = logging.getLogger("load-balancer")

_CLASS = "eks.amazonaws.com/nlb"
FINALIZER = "service.eks.amazonaws.com/resources"
_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"


class Services:
    """One turn a call, next to the controller of Ingresses."""

    def __init__(self, api: Api, balancers: AwsBalancers) -> None:
        self._api, self._balancers = api, balancers

    async def turn(self, cluster: Cluster) -> bool:
        """Bring load balancers, finalizers and statuses to what the Services say; ``False``: try again."""
        settled = True
        for service in cluster.services:
            try:
                if _wanted(service):
                    await self._make(service)
                elif FINALIZER in (service["metadata"].get("finalizers") or ()):
                    await self._release(service)
            except Exception as error:
                log.warning("service %s: %s", key(service), error)
                settled = False
        return settled

    async def _make(self, service: Document) -> None:
        held = service["metadata"].get("finalizers") or []
        if FINALIZER not in held:
            await self._patch(service, {"metadata": {"finalizers": [*held, FINALIZER]}})
        scheme = (service["metadata"].get("annotations") or {}).get(_SCHEME, "internal")
        ports = [one["port"] for one in service["spec"].get("ports") or ()]
        host = await asyncio.to_thread(self._balancers.ensure_network, key(service), scheme, ports)
        wanted = {"ingress": [{"hostname": host}]}
        if (service.get("status") or {}).get("loadBalancer") != wanted:
            await self._patch(service, {"status": {"loadBalancer": wanted}}, "/status")

    async def _release(self, service: Document) -> None:
        await asyncio.to_thread(self._balancers.remove_network, key(service))
        rest = [one for one in service["metadata"]["finalizers"] if one != FINALIZER]
        await self._patch(service, {"metadata": {"finalizers": rest}})

    async def _patch(self, service: Document, body: Mapping[str, Any], below: str = "") -> None:
        meta = service["metadata"]
        await patch(self._api, path_of("services", meta["namespace"], meta["name"]) + below, body)


def _wanted(service: Document) -> bool:
    spec, going = service["spec"], service["metadata"].get("deletionTimestamp")
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass", _CLASS) == _CLASS and not going
