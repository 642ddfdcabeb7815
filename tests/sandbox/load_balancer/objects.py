"""Objects as a cluster would hold them, and a port to serve them on."""

from __future__ import annotations

import json
from typing import Any

from genai_platform.sandbox.load_balancer.routes import CONTROLLER, Cluster

_NOTE = "alb.ingress.kubernetes.io/"
PORTS = {"litellm": 4000, "langfuse": 3000}
ADDRESSES = {"litellm": "10.7.0.5", "langfuse": "10.7.0.6"}


def ingress(
    name: str, port: int, *, tls: bool = True, host: str | None = None, path: str = "/", cidrs: str = "0.0.0.0/0"
) -> dict[str, Any]:
    backend = {"service": {"name": name, "port": {"number": PORTS[name]}}}
    rule: dict[str, Any] = {"http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    return {
        "metadata": {
            "name": name, "namespace": "genai-platform", "uid": f"uid-{name}", "resourceVersion": "1",
            "annotations": {
                f"{_NOTE}listen-ports": json.dumps([{"HTTPS" if tls else "HTTP": port}]),
                f"{_NOTE}target-type": "ip",
                f"{_NOTE}inbound-cidrs": cidrs,
                f"{_NOTE}healthcheck-path": "/healthy",
                f"{_NOTE}healthcheck-interval-seconds": "10",
            },
        },
        "spec": {"ingressClassName": "alb", "rules": [rule | ({"host": host} if host else {})]},
    }  # fmt: skip


def params(certificates: list[str] | None = None, idle: int = 600) -> dict[str, Any]:
    return {
        "metadata": {"name": "genai-platform"},
        "spec": {
            "scheme": "internet-facing",
            "group": {"name": "genai"},
            "certificateARNs": ["arn:a"] if certificates is None else certificates,
            "loadBalancerAttributes": [{"key": "idle_timeout.timeout_seconds", "value": str(idle)}],
        },
    }


def service(name: str, port: int, *, port_name: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {"port": port} | ({"name": port_name} if port_name else {})
    return {"metadata": {"name": name, "namespace": "genai-platform"}, "spec": {"ports": [entry]}}


def slice_of(service: str, address: str, port: int, *, ready: bool = True, name: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": f"{service}-{name or 'x'}", "namespace": "genai-platform", "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"port": port, "name": name}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
    }


def cluster(*ingresses: dict[str, Any], parameters: Any = None, services: Any = None, slices: Any = None) -> Cluster:
    names = ("litellm", "langfuse")
    return Cluster(
        ingresses=ingresses,
        classes=[
            {
                "metadata": {"name": "alb"},
                "spec": {"controller": CONTROLLER, "parameters": {"kind": "IngressClassParams", "name": "genai-platform"}},
            },
            {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}},
        ],
        parameters=[params()] if parameters is None else parameters,
        services=[service(name, PORTS[name]) for name in names] if services is None else services,
        slices=[slice_of(name, ADDRESSES[name], PORTS[name]) for name in names] if slices is None else slices,
    )
