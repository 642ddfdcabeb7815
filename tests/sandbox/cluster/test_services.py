"""Which addresses listen for a service, and under which names it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genai_platform.sandbox.cluster.agent.pods import Addresses
from genai_platform.sandbox.cluster.agent.services import endpoints_of, names_of, routes_of
from genai_platform.sandbox.cluster.images import Images, repository_of
from genai_platform.sandbox.image import Image
from genai_platform.sandbox.layout import SandboxLayout

PLACE = SandboxLayout(Path("/nowhere"), "test", 77, {"kubernetes": 6443})


def _service(name: str, cluster_ip: str, *ports: dict[str, Any], namespace: str = "demo") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": cluster_ip, "ports": list(ports)}}


SLICE = {
    "ports": [{"name": "http", "port": 8080}],
    "endpoints": [
        {"addresses": ["10.77.0.12"], "conditions": {"ready": True}, "hostname": "db-1"},
        {"addresses": ["10.77.0.11"], "conditions": {"ready": True}, "hostname": "db-0"},
        {"addresses": ["10.77.0.13"], "conditions": {"ready": False}, "hostname": "db-2"},
    ],
}


def test_a_service_listens_on_its_twin_and_reaches_ready_pods() -> None:
    service = _service("web", "10.77.16.9", {"name": "http", "port": 80}, {"name": "other", "port": 81})
    routes = routes_of(PLACE, service, endpoints_of([SLICE]))
    assert routes == {("127.77.16.9", 80): (("127.77.0.11", 8080), ("127.77.0.12", 8080))}


def test_without_a_ready_pod_nobody_listens() -> None:
    assert routes_of(PLACE, _service("web", "10.77.16.9", {"port": 80}), []) == {}


def test_names_of_a_service() -> None:
    names = names_of(PLACE, _service("web", "10.77.16.9"), [])
    assert names == dict.fromkeys(["web", "web.demo", "web.demo.svc", "web.demo.svc.cluster.local"], "127.77.16.9")


def test_a_headless_service_names_its_first_ready_pod_and_each_pod() -> None:
    names = names_of(PLACE, _service("db", "None"), endpoints_of([SLICE]))
    assert names["db.demo.svc"] == "127.77.0.11"
    assert names["db-1.db.demo.svc.cluster.local"] == "127.77.0.12"
    assert not [name for name in names if name.startswith("db-2")]


def test_the_api_itself_is_reached_where_it_listens() -> None:
    routes = routes_of(PLACE, _service("kubernetes", "10.77.16.1", {"name": "https", "port": 443}, namespace="default"), [])
    assert routes == {("127.77.16.1", 443): (("127.0.0.1", 6443),)}


def test_addresses_are_reused_late_and_kept_when_wanted() -> None:
    addresses = Addresses("10.77.0.0/20")
    first = addresses.take()
    addresses.give_back(first)
    assert addresses.take() != first
    assert addresses.take("10.77.3.3") == "10.77.3.3"
    assert addresses.take("10.77.3.3") != "10.77.3.3"
    assert addresses.take("10.9.0.1").startswith("10.77.")


def test_images_are_found_by_the_end_of_their_name() -> None:
    known = Image("berriai/litellm-database", "real", "1", lambda layout, container: [])
    images = Images([known])
    assert images.find("ghcr.io/berriai/litellm-database:v1.2@sha256:abc") is known
    assert images.find("localhost:5000/berriai/litellm-database") is known
    assert images.find("ghcr.io/notberriai/litellm-database2:v1") is None
    assert repository_of("localhost:5000/a/b:tag@sha256:x") == "localhost:5000/a/b"
