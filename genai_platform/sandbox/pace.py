"""How late the real services are: every duration of the stand-ins, with its source, times one factor, the pace.

A stand-in waits ``place.pace.of(EKS_ENDPOINT_NAME)`` seconds and never a number of its own. At pace 1.0 it is as late as
the real service, at the default pace a rehearsal stays short; nothing is ever immediate.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from genai_platform.errors import ConfigError

VARIABLE = "GENAI_SANDBOX_PACE"
"""The environment variable that chooses the pace of a sandbox when it is started."""
DEFAULT = 0.02
SLOWEST = 1.0


@dataclass(frozen=True)
class Duration:
    """How long something takes on the real service."""

    seconds: float
    source: str
    """Document, issue or measurement that the figure comes from."""


@dataclass(frozen=True)
class Pace:
    """The factor between a real duration and the sandbox's."""

    factor: float = DEFAULT

    def of(self, duration: Duration) -> float:
        """Seconds that the sandbox takes for it."""
        return duration.seconds * self.factor


def chosen(environ: Mapping[str, str] | None = None) -> float | None:
    """The factor that ``GENAI_SANDBOX_PACE`` asks for; ``None`` when it is not set.

    Raises:
        ConfigError: it is not a number greater than 0 and at most 1.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= SLOWEST:
        raise ConfigError(
            f"{VARIABLE}: '{text}' is not valid: expected a number greater than 0 and at most {SLOWEST:g}",
            remedy=f"{SLOWEST:g} is as slow as the real clouds, {DEFAULT:g} the default",
            id="sandbox.pace",
        )
    return factor


# -- AWS: EKS ---------------------------------------------------------------------------------------
EKS_ENDPOINT_NAME = Duration(60, "awslabs/eks-perf-tests PR#599: 'no such host' after ACTIVE; the record's TTL is 60 s")
EKS_ENDPOINT_LISTENS = Duration(30, "aws/containers-roadmap#654: about 30 s more until the endpoint takes connections")
EKS_ACCESS_ENTRY = Duration(30, "EKS user guide, access entries: eventually consistent; the creator's own is answered 401 until then")
EKS_DELETION = Duration(300, "vmware-archive/kube-prod-runtime#512: usually within 5 min; rancher/rancher#26101: about 10 with nodes")

# -- AWS: load balancer -----------------------------------------------------------------------------

# -- AWS: credentials, other services ---------------------------------------------------------------
RDS_STOP = Duration(120, "Aurora user guide, stopping and starting a cluster: takes a few minutes")
RDS_START = Duration(240, "Aurora user guide, stopping and starting a cluster: several minutes")

# -- Azure: Entra ID, role assignments --------------------------------------------------------------

# -- Azure: Resource Manager, Key Vault, API Management service -------------------------------------

# -- Azure: gateway, Azure OpenAI -------------------------------------------------------------------

# -- Langfuse ---------------------------------------------------------------------------------------
