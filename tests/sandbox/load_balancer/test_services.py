"""Network load balancers for Services, as Auto Mode makes them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.load_balancer.routes import Cluster
from genai_platform.sandbox.load_balancer.services import FINALIZER, Services


class Networks:
    def __init__(self) -> None:
        self.there: set[str] = set()

    def ensure_network(self, stack: str, scheme: str, ports: list[int]) -> str:
        self.there.add(stack)
        return "k8s-demo-web.elb.example.com"

    def remove_network(self, stack: str) -> None:
        self.there.discard(stack)


def turn(networks: Networks, service: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={})

    async def scenario() -> bool:
        with httpx.Client(base_url="http://kubernetes", transport=httpx.MockTransport(answer)) as http:
            return await Services(Api(http), networks).turn(Cluster(services=[service]))

    assert asyncio.run(scenario())
    return sent


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "demo"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


@pytest.mark.parametrize("spec", [{}, {"loadBalancerClass": "eks.amazonaws.com/nlb"}])
def test_a_service_is_held_given_an_address_and_released_after_its_load_balancer(spec: dict[str, str]) -> None:
    networks, one = Networks(), service(**spec)
    held, published = turn(networks, one)
    assert held["metadata"]["finalizers"] == [FINALIZER]
    assert published == {"status": {"loadBalancer": {"ingress": [{"hostname": "k8s-demo-web.elb.example.com"}]}}}
    assert networks.there == {"demo/web"}
    one["metadata"] |= {"finalizers": ["other/one", FINALIZER], "deletionTimestamp": "now"}
    assert turn(networks, one) == [{"metadata": {"finalizers": ["other/one"]}}]
    assert networks.there == set()


@pytest.mark.parametrize("spec", [{"type": "ClusterIP"}, {"loadBalancerClass": "service.k8s.aws/nlb"}])
def test_a_service_of_another_kind_or_class_is_left_alone(spec: dict[str, str]) -> None:
    networks = Networks()
    assert turn(networks, service(**spec)) == []
    assert networks.there == set()
