"""What every client of Azure shares between its caller and the transport: patience with a throttling service, and nothing that writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from genai_platform.tools.azure.credentials import ARM_SCOPE
from genai_platform.tools.azure.transport import transport

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.policies import RetryPolicy

    from genai_platform.tools.azure import Azure

RETRIES: dict[str, Any] = {"retry_total": 12, "retry_status": 12}
"""Resource Manager, Key Vault and Graph answer 429 to whatever is too much and say in ``Retry-After`` how long to wait. A subscription
that many people work in answers so more often in a row than the three times that azure.core forgives by itself."""


def normalized(location: str) -> str:
    """``japaneast`` for ``Japan East``: some services answer with the display name, and none takes it in a path."""
    return location.replace(" ", "").lower()


def retry() -> RetryPolicy[Any, Any]:
    """Waits as long as a service asks for, twelve times."""
    from azure.core.pipeline.policies import RetryPolicy

    return RetryPolicy(**RETRIES)


def management_client(kind: Callable[..., Any], azure: Azure, **options: Any) -> Any:
    """A management SDK's client for a subscription. ``options`` go to its constructor."""
    endpoints = azure.target.endpoints
    there = {"base_url": endpoints.azure.arm, "policies": _policies(azure.credential), "transport": transport(endpoints)}
    return kind(azure.credential, azure.subscription, **there, **options)


def _policies(credential: TokenCredential) -> list[Any]:
    """The policies of a management SDK's client, without the one that registers resource providers.

    ``ARMAutoResourceProviderRegistrationPolicy`` (azure-mgmt-core) answers a look at an unregistered provider by registering it, and
    waits for that without a limit. Here a look never writes; ``azure.group`` registers what is needed.
    """
    from azure.core.pipeline import policies
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy, ARMHttpLoggingPolicy

    return [
        policies.RequestIdPolicy(),
        policies.HeadersPolicy(),
        policies.UserAgentPolicy("genai"),
        policies.ProxyPolicy(),
        policies.ContentDecodePolicy(),
        policies.RedirectPolicy(),
        retry(),
        ARMChallengeAuthenticationPolicy(credential, ARM_SCOPE),
        policies.DistributedTracingPolicy(),
        policies.SensitiveHeaderCleanupPolicy(),
        ARMHttpLoggingPolicy(),
    ]
