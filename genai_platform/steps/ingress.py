"""A door at the shared load balancer: an ingress, the wait for its address, and its name in the domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from genai_platform.config.settings import Settings
from genai_platform.config.target import NAMESPACE
from genai_platform.graph.step import Progress
from genai_platform.render import addresses
from genai_platform.render.manifests import Document
from genai_platform.steps.doors import Doors
from genai_platform.steps.objects import Objects, Ref
from genai_platform.tools import dns, kube_wait, load_balancers
from genai_platform.tools.wait import wait_for

_API = "networking.k8s.io/v1"
_NETWORKS = "alb.ingress.kubernetes.io/inbound-cidrs"


_HOSTS: dict[str, Callable[[Settings], str | None]] = {"litellm": addresses.litellm_host, "langfuse": addresses.langfuse_host}
"""The names in the domain, each by the ingress that owns it; ``None`` without a domain."""


def admitted(doors: Doors) -> tuple[str, ...]:
    """The networks that may come in: the configured ones, or the address this command comes from."""
    return doors.target.settings.ingress.allowed_cidrs or (doors.aws.my_address(),)


def ingress_step(
    doors: Doors, id: str, needs: tuple[str, ...], name: str, documents: Callable[[], list[Document]], service: bool = False
) -> Objects:  # fmt: skip
    """The step for one ingress (and, with ``service``, the Service of the same name)."""
    host = _HOSTS[name](doors.target.settings) if name in _HOSTS else None

    def waiting() -> str:
        reason = kube_wait.last_warning(doors.kube, NAMESPACE, "Ingress", name)
        return f"ingress {name}: waiting for the load balancer's address" + (f"; {reason}" if reason else "")

    def align() -> None:
        """With a domain both applications share a port, and the controller refuses two lists of networks for one port."""
        others = [other for other in _HOSTS if host and other != name]
        ours = (doors.kube.get(_API, "Ingress", name, NAMESPACE) or {}).get("metadata", {}).get("annotations", {}).get(_NETWORKS)
        for other in others:
            found = doors.kube.get(_API, "Ingress", other, NAMESPACE)
            if ours and found and found["metadata"].get("annotations", {}).get(_NETWORKS) != ours:
                doors.kube.patch(_API, "Ingress", other, NAMESPACE, {"metadata": {"annotations": {_NETWORKS: ours}}}, "merge")

    def settle(progress: Progress) -> str:
        align()
        url = wait_for(lambda: doors.address(name), progress, waiting, 600)
        if host:
            found = doors.kube.get(_API, "Ingress", name, NAMESPACE)
            dns.point(doors.aws, host, addresses.load_balancer(found) or "", doors.target.prefix)
        return url

    def health() -> str | None:
        found = doors.kube.get(_API, "Ingress", name, NAMESPACE)
        balancer = addresses.load_balancer(found)
        if balancer is None:
            return f"ingress {name} has no address yet"
        if host and not dns.points(doors.aws, host, balancer):
            return f"{host} does not point to the load balancer"
        return None

    def after_destroy(progress: Progress) -> str:
        # The record lies outside the cluster: it goes though the cluster went before.
        record = dns.remove(doors.aws, host) if host else ""
        return "; ".join(filter(None, (record, wait_for_balancer(progress))))

    def wait_for_balancer(progress: Progress) -> str:
        # The load balancer is shared: the step that takes its last ingress away waits for it. While others have ingresses
        # of this class, too, that is the step that removes the class.
        if not doors.kube.exists() or any(one.get("spec", {}).get("ingressClassName") == "alb" for one in doors.kube.list(_API, "Ingress")):
            return ""
        load_balancers.wait_gone(doors.aws, doors.target.prefix, progress, 600)
        return "its load balancer is gone"

    step = Objects(
        id=id,
        needs=needs,
        minutes=2.5,
        limit=900,
        kube=lambda: doors.kube,
        documents=documents,
        refs=(Ref(_API, "Ingress", name),),
        settle=settle,
        health=health,
        evidence=lambda: doors.address(name) or "",
        after_destroy=after_destroy,
        outside=lambda: f"{host} still has a record" if host and dns.exists(doors.aws, host) else "",
    )
    return replace(step, refs=(*step.refs, Ref("v1", "Service", name))) if service else step
