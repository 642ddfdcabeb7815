"""The controller: finalizers, load balancers, statuses and events as the objects say."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx

from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.load_balancer.controller import Controller
from genai_platform.sandbox.load_balancer.listeners import Listeners
from genai_platform.sandbox.load_balancer.routes import FINALIZER
from tests.ports import free_port

from .objects import cluster, ingress, service


class ApiServer:
    """Takes the controller's patches and events."""

    def __init__(self) -> None:
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.events: list[str] = []
        self.client = Api(httpx.Client(base_url="http://kubernetes", transport=httpx.MockTransport(self._answer)))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.method == "POST":
            self.events.append(body["message"])
        else:
            self.patches.append((request.url.path.rsplit("/genai-platform/", 1)[1], body))
        return httpx.Response(200, json={})


class Balancers:
    def __init__(self, *faults: Exception) -> None:
        self.there: set[str] = set()
        self.faults = list(faults)

    def ensure(self, group: Any) -> str:
        if self.faults:
            raise self.faults.pop()
        self.there.add(group.name)
        return "localhost"

    def remove(self, name: str) -> None:
        self.there.discard(name)

    def stacks(self) -> set[str]:
        return set(self.there)


def test_an_ingress_is_held_served_and_given_its_address_then_released_after_its_load_balancer():
    async def scenario() -> None:
        api, balancers = ApiServer(), Balancers()
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, balancers)
        one = ingress("litellm", free_port(), tls=False)
        try:
            assert await controller.turn(cluster(one))
            assert api.patches[0][1]["metadata"]["finalizers"] == [FINALIZER]
            assert api.patches[1] == ("ingresses/litellm/status", {"status": {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}})
            assert balancers.there == {"genai"}
            api.patches.clear()
            one["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "now"}
            assert await controller.turn(cluster(one))
            assert balancers.there == set()
            assert api.patches[0][1]["metadata"]["finalizers"] == []
        finally:
            await listeners.close()

    asyncio.run(scenario())


def test_a_restarted_front_removes_what_the_one_before_it_made_although_the_class_is_gone():
    async def scenario() -> None:
        api, balancers = ApiServer(), Balancers()
        balancers.there = {"genai"}
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        one = ingress("litellm", free_port(), tls=False)
        one["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "now"}
        given = cluster(one, parameters=[])
        assert await Controller(api.client, listeners, balancers).turn(replace(given, classes=[]))
        assert balancers.there == set()
        assert api.patches[0][1]["metadata"]["finalizers"] == []

    asyncio.run(scenario())


def test_the_load_balancer_stays_while_another_ingress_needs_it():
    async def scenario() -> None:
        api, balancers = ApiServer(), Balancers()
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, balancers)
        one, other = ingress("litellm", free_port(), tls=False), ingress("langfuse", free_port(), tls=False)
        try:
            await controller.turn(cluster(one, other))
            one["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "now"}
            await controller.turn(cluster(one, other))
            assert balancers.there == {"genai"}
        finally:
            await listeners.close()

    asyncio.run(scenario())


def test_what_goes_wrong_is_told_once_and_tried_again():
    async def scenario() -> None:
        api, balancers = ApiServer(), Balancers(LookupError("EKS has no cluster"), LookupError("EKS has no cluster"))
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, balancers)
        given = cluster(ingress("litellm", free_port(), tls=False), services=[service("litellm", 4000)])
        try:
            assert not await controller.turn(given)
            assert not await controller.turn(given)
            assert api.events == ["EKS has no cluster"]
            assert await controller.turn(given)
            assert any(path.endswith("/status") for path, _ in api.patches)
        finally:
            await listeners.close()

    asyncio.run(scenario())


def test_no_address_is_published_while_the_certificate_cannot_be_had():
    async def scenario() -> None:
        api = ApiServer()
        listeners = Listeners(lambda arn: 1 / 0, lambda address: address)
        controller = Controller(api.client, listeners, Balancers())
        try:
            assert not await controller.turn(cluster(ingress("litellm", free_port())))
            assert "certificate" in api.events[0]
            assert not any(path.endswith("/status") for path, _ in api.patches)
        finally:
            await listeners.close()

    asyncio.run(scenario())
