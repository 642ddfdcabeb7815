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

# -- AWS: load balancer -----------------------------------------------------------------------------
TARGET_REGISTRATION = Duration(
    30, "from readiness to the first health check, in reports up to 2 minutes: kubernetes-sigs/aws-load-balancer-controller#1124"
)
TARGET_DEREGISTRATION = Duration(
    15, "a target gets requests for so long after its pod has ended: kubernetes-sigs/aws-load-balancer-controller#1064, #1719"
)
IMAGE_PULL_BACK_OFF = Duration(10, "doubled with each failure, 5 minutes at most: Kubernetes documentation, Images, ImagePullBackOff")
IMAGE_PULL_LONGEST = Duration(300, "the same")
NODE_CLAIM_RETRY = Duration(60, "an order that failed is made again within about a minute: aws/karpenter-provider-aws#5578")
TARGET_DRAINING = Duration(300, "deregistration_delay.timeout_seconds, default: ELB user guide, edit target group attributes")

# -- AWS: credentials, other services ---------------------------------------------------------------

# -- Azure: Entra ID, role assignments --------------------------------------------------------------

# -- Azure: Resource Manager, Key Vault, API Management service -------------------------------------

# -- Azure: gateway, Azure OpenAI -------------------------------------------------------------------

# -- Langfuse ---------------------------------------------------------------------------------------
