"""An application's ingress at the shared load balancer, the wait for its address, and its name in the domain."""

from __future__ import annotations

from collections.abc import Callable

from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.render import addresses
from genai_platform.render.manifests import Document
from genai_platform.steps.clients import Clients
from genai_platform.steps.objects import Objects, Ref
from genai_platform.tools.aws import dns, load_balancers
from genai_platform.tools.kubernetes import obstacles
from genai_platform.tools.wait import wait_for

_API = "networking.k8s.io/v1"
_NETWORKS = "alb.ingress.kubernetes.io/inbound-cidrs"
_NAMED = ("litellm", "langfuse")
"""The ingresses that own a name in the domain, where there is one."""


def admitted(clients: Clients) -> tuple[str, ...]:
    """The networks that may come in: the configured ones, or the address this command comes from."""
    return clients.target.settings.ingress.allowed_cidrs or (clients.aws.my_address(),)


def ingress_step(
    clients: Clients, id: str, needs: tuple[str, ...], name: str, documents: Callable[[], list[Document]], service: bool = False
) -> Objects:  # fmt: skip
    """The step for one ingress (and, with ``service``, the Service of the same name)."""
    host = addresses.listener(clients.target.settings, name).host if name in _NAMED else None

    def get(name: str = name) -> Document | None:
        return clients.kube.get(_API, "Ingress", name, NAMESPACE)

    def waiting() -> str:
        reason = obstacles.of_ingress(clients.kube, name, NAMESPACE)
        return f"ingress {name}: waiting for the load balancer's address" + (f"; {reason}" if reason else "")

    def align() -> None:
        """With a domain both applications share a port, and the controller refuses two lists of networks for one port."""
        ours = (get() or {}).get("metadata", {}).get("annotations", {}).get(_NETWORKS)
        for other in _NAMED if host and ours else ():
            found = get(other) if other != name else None
            if found and found["metadata"].get("annotations", {}).get(_NETWORKS) != ours:
                clients.kube.patch(_API, "Ingress", other, NAMESPACE, {"metadata": {"annotations": {_NETWORKS: ours}}}, "merge")

    def settle(progress: Progress) -> str:
        align()
        url = wait_for(lambda: clients.address(name), progress, waiting, 600)
        if host:
            dns.point(clients.aws, host, addresses.load_balancer(get()) or "", clients.target.prefix)
        return url

    def health() -> str | None:
        balancer = addresses.load_balancer(get())
        if balancer is None:
            return f"ingress {name} has no address yet"
        if host and not dns.points(clients.aws, host, balancer):
            return f"{host} does not point to the load balancer"
        return None

    def after_destroy(progress: Progress) -> str:
        # The record lies outside the cluster: it goes though the cluster went before.
        done = [dns.remove(clients.aws, host)] if host else []
        # The load balancer is shared: the step that takes its last ingress away waits for it. While others have ingresses
        # of this class, too, that is the step that removes the class.
        there = clients.kube.list(_API, "Ingress") if clients.kube.exists() else None
        if there is not None and not any(one.get("spec", {}).get("ingressClassName") == "alb" for one in there):
            load_balancers.wait_gone(clients.aws, clients.target.prefix, progress, 600)
            done.append("its load balancer is gone")
        return "; ".join(filter(None, done))

    return Objects(
        id=id,
        needs=needs,
        minutes=2.5,
        limit=900,
        kube=lambda: clients.kube,
        documents=documents,
        refs=(Ref(_API, "Ingress", name), *((Ref("v1", "Service", name),) if service else ())),
        settle=settle,
        health=health,
        evidence=lambda: clients.address(name) or "",
        after_destroy=after_destroy,
        outside=lambda: f"{host} still has a record" if host and dns.exists(clients.aws, host) else "",
    )
