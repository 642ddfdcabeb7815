"""Which Kubernetes versions EKS offers, until when, and which updates it takes: one minor version up at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.eks.exceptions import InvalidParameterException
from moto.eks.models import eks_backends

from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.rest_operations import Reply, reply

# Released, end of standard support, end of extended support: EKS user guide, release calendar as of April 2026. The last
# version was not in it: its dates follow from the rule of 14 and 12 months.
_CALENDAR = {
    "1.32": ("2025-01-23", "2026-03-23", "2027-03-23"),
    "1.33": ("2025-05-29", "2026-07-29", "2027-07-29"),
    "1.34": ("2025-10-02", "2026-12-02", "2027-12-02"),
    "1.35": ("2026-01-27", "2027-03-27", "2028-03-27"),
    "1.36": ("2026-06-02", "2027-08-02", "2028-08-02"),
}
_EXTENDED = frozenset({"1.32", "1.33"})
"""In extended support. It does not follow from the clock, so that a sandbox is the same on any day; ``end_standard`` moves it."""


def check_new(version: str | None) -> None:
    """Refuse a version that EKS does not offer. Raises moto's ``InvalidParameterException``."""
    if version is not None and version not in _CALENDAR:
        raise InvalidParameterException(message="unsupported Kubernetes version")


def check_update(running: str, wanted: str) -> None:
    """Refuse whatever is not the next minor version. Raises moto's ``InvalidParameterException``."""
    check_new(wanted)
    if _minor(wanted) != _minor(running) + 1:
        raise InvalidParameterException(message=f"Unsupported Kubernetes minor version update from {running} to {wanted}")


def end_standard(region: str, version: str) -> list[str]:
    """End a version's standard support: clusters that asked for no extended one are upgraded.

    Returns:
        The names of those clusters.
    """
    backend = eks_backends[ACCOUNT][region]
    _ended(backend).add(version)
    moved = [one for one in backend.clusters.values() if one.version == version and one.upgrade_policy["supportType"] == "STANDARD"]
    for cluster in moved:
        cluster.version = f"1.{_minor(version) + 1}"
    return [cluster.name for cluster in moved]


def cluster_versions(region: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> Reply:
    """``GET /cluster-versions``: what is offered, the newest first."""
    ended = _EXTENDED | _ended(eks_backends[ACCOUNT][region])
    wanted, statuses = body.get("clusterVersions"), body.get("versionStatus")
    found = []
    for version, (released, standard, extended) in reversed(_CALENDAR.items()):
        status = "EXTENDED_SUPPORT" if version in ended else "STANDARD_SUPPORT"
        if (wanted and version not in wanted) or (statuses and status not in statuses):
            continue
        found.append(
            {
                "clusterVersion": version, "clusterType": "eks", "defaultPlatformVersion": "eks.1", "defaultVersion": version == "1.35",
                "releaseDate": _seconds(released), "endOfStandardSupportDate": _seconds(standard),
                "endOfExtendedSupportDate": _seconds(extended), "versionStatus": status,
                "status": status.lower().replace("_", "-"), "kubernetesPatchVersion": f"{version}.0",
            }
        )  # fmt: skip
    return reply({"clusterVersions": found})


def _ended(backend: Any) -> set[str]:
    """The versions whose standard support was ended by ``end_standard``; kept with the rest of EKS's state."""
    found: set[str] | None = backend.__dict__.get("ended_versions")
    if found is None:
        found = backend.ended_versions = set()
    return found


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _seconds(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
