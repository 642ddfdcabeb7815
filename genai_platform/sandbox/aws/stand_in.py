"""What the patches of moto share: the layout, and the data engines behind RDS and ElastiCache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from genai_platform.sandbox.aws.eks_endpoint import Endpoint
from genai_platform.sandbox.aws.oidc_issuer import OidcIssuer
from genai_platform.sandbox.data.engines import Engines
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import Duration


class NoEngines:
    """Where no server is wanted (tests of the API alone): every order is accepted."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments, **named: None


@dataclass(frozen=True)
class AwsStandIn:
    """Given to every patch of moto."""

    layout: SandboxLayout
    engines: Engines | NoEngines
    """The real servers behind the host names that RDS and ElastiCache hand out."""

    def later(self, duration: Duration, act: Callable[[], None]) -> None:
        """Do something when the real service would be done with it; not at all when the process ends first."""
        timer = threading.Timer(self.layout.pace.of(duration), act)
        timer.daemon = True
        timer.start()

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where the cluster's Kubernetes API is reached."""
        return Endpoint(self.layout)

    @cached_property
    def oidc_issuer(self) -> OidcIssuer:
        """Where the cluster's issuer publishes its keys."""
        return OidcIssuer(self.layout)
