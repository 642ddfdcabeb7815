"""Which Kubernetes version the cluster gets: the configured one, or a newer one that EKS chose when standard support ended.

EKS offers some versions, takes one minor version up at a time and none down (EKS user guide, "Update existing cluster to new
Kubernetes version"). A cluster with support type STANDARD is upgraded by EKS itself when its version's standard support ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from genai_platform.advice import Remedy, advice, genai, joined
from genai_platform.errors import ConfigError
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained


@dataclass(frozen=True)
class Offer:
    """A version that EKS offers."""

    standard: bool
    """Whether it is in standard support."""
    until: date | None
    """The end of its standard support."""


@dataclass(frozen=True)
class Choice:
    """What the cluster is to run, and what a person should know about it."""

    version: str
    notice: str = ""


def offers(aws: Aws) -> dict[str, Offer]:
    """The versions that EKS offers in the region. Raises ``GenaiError``."""
    client, found = aws.client("eks"), []
    more: dict[str, str] = {}
    with explained("list the Kubernetes versions that EKS offers"):
        while True:
            page = client.describe_cluster_versions(**more)
            found += page["clusterVersions"]
            if not page.get("nextToken"):
                break
            more = {"nextToken": page["nextToken"]}
    return {one["clusterVersion"]: _offer(one) for one in found}


def _offer(one: Mapping[str, Any]) -> Offer:
    status = one.get("versionStatus") or str(one.get("status", "")).upper().replace("-", "_")
    until = one.get("endOfStandardSupportDate")
    return Offer(status == "STANDARD_SUPPORT", until.date() if until else None)


def choose(wanted: str, running: str | None, offered: Mapping[str, Offer]) -> Choice:
    """What EKS would take.

    Args:
        wanted: the configured version.
        running: the cluster's; ``None``: there is no cluster yet.

    Raises:
        ConfigError: EKS would refuse it.
    """
    current = ", ".join(version for version in sorted(offered, key=_minor) if offered[version].standard)
    offer = offered.get(wanted)
    if running is None:
        if offer is None or not offer.standard:
            why = "EKS does not offer it" if offer is None else f"its standard support ended{_on(offer)}"
            raise _refused(wanted, why, f"set it to one of: {current}")
        return Choice(wanted, _soon(wanted, offer))
    if wanted == running:
        return Choice(wanted, _soon(wanted, offer) if offer else "")
    if _minor(wanted) < _minor(running):
        between = [f"1.{minor}" for minor in range(_minor(wanted), _minor(running))]
        if any(offered[version].standard for version in between if version in offered):
            over = advice("for {}, start over: {}, then {}", wanted, genai("down"), genai("up")) if offer and offer.standard else ""
            raise _refused(wanted, f"the cluster runs {running}, and EKS never goes back", joined(f"set it to {running}", over))
        return Choice(
            running,
            f"cluster.version is {wanted}, whose standard support ended{_on(offer)}: EKS upgraded the cluster to {running}, which stays; "
            f"set cluster.version to {running}",
        )
    following = f"1.{_minor(running) + 1}"
    if offer is None:
        other = f", or set it to {following}" if following in offered else ""
        raise _refused(wanted, "EKS does not offer it", f"leave it at {running}{other}")
    if wanted != following:
        why = f"the cluster runs {running}, and EKS goes up by one minor version at a time"
        raise _refused(wanted, why, advice("set it to {} first, and run {} for each version", following, genai("up")))
    return Choice(wanted)


def look(clients: Clients) -> Choice:
    """Ask EKS what is offered and what runs. Raises ``ConfigError`` as ``choose`` does, and other ``GenaiError``."""
    return choose(clients.target.settings.cluster.version, of_cluster(clients), offers(clients.aws))


def effective(clients: Clients) -> str:
    """The version for the cluster's root: EKS is asked for its list only when the cluster does not run what is configured."""
    wanted, running = clients.target.settings.cluster.version, of_cluster(clients)
    return wanted if running in (None, wanted) else choose(wanted, running, offers(clients.aws)).version


def of_cluster(clients: Clients) -> str | None:
    """The cluster's version; ``None``: there is no cluster. Raises ``GenaiError``."""
    found = clients.aws.describe_cluster(clients.target.prefix)
    return None if found is None or found.get("status") == "DELETING" else str(found["version"])


def _refused(wanted: str, why: str, remedy: Remedy) -> ConfigError:
    return ConfigError(f"cluster.version: '{wanted}' is not allowed: {why}", remedy=remedy, id="config.cluster_version")


_WARNING_DAYS = 60


def _soon(version: str, offer: Offer | None) -> str:
    if offer is None or offer.until is None or (offer.until - date.today()).days > _WARNING_DAYS:
        return ""
    return f"standard support of Kubernetes {version} ends on {offer.until}: EKS then upgrades the cluster by itself"


def _on(offer: Offer | None) -> str:
    return f" on {offer.until}" if offer and offer.until else ""


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
