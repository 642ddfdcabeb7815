"""The clients of Azure: one object for a target, each client created when first used."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from genai_platform.config.target import Target

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from genai_platform.tools.azure.apim import Apim
    from genai_platform.tools.azure.arm import Arm
    from genai_platform.tools.azure.cognitive import CognitiveAccounts
    from genai_platform.tools.azure.credentials import Identity
    from genai_platform.tools.azure.entra import Entra
    from genai_platform.tools.azure.listings import Listings
    from genai_platform.tools.azure.named_values import NamedValues
    from genai_platform.tools.azure.vaults import Vaults

_lock = threading.RLock()


class Azure:
    """Azure as one target sees it. Making it does no input or output."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    def tenant(self) -> str:
        """The pinned tenant. Raises ``ConfigError`` when there is none."""
        from genai_platform.tools.azure.credentials import pinned

        return pinned(self.target)[0]

    @property
    def subscription(self) -> str:
        """The pinned subscription. Raises ``ConfigError`` when there is none."""
        from genai_platform.tools.azure.credentials import pinned

        return pinned(self.target)[1]

    @cached_property
    def credential(self) -> TokenCredential:
        from genai_platform.tools.azure.credentials import credential

        with _lock:
            return credential(self.target)

    @cached_property
    def identity(self) -> Identity:
        """Who won. Asks for a token the first time."""
        from genai_platform.tools.azure.credentials import identity

        return identity(self.target, self.credential)

    @cached_property
    def arm(self) -> Arm:
        """Resource groups, role assignments, the subscription."""
        from genai_platform.tools.azure.arm import Arm

        return Arm(self)

    @cached_property
    def listings(self) -> Listings:
        """What exists in the subscription."""
        from genai_platform.tools.azure.listings import Listings

        return Listings(self)

    @cached_property
    def graph(self) -> Entra:
        """Applications and service principals of the tenant."""
        from genai_platform.tools.azure.entra import Entra

        return Entra(self)

    @cached_property
    def vaults(self) -> Vaults:
        """Key Vaults and their secrets."""
        from genai_platform.tools.azure.vaults import Vaults

        return Vaults(self)

    @cached_property
    def apim(self) -> Apim:
        """API Management services and what lies inside them."""
        from genai_platform.tools.azure.apim import Apim

        return Apim(self)

    @cached_property
    def cognitive(self) -> CognitiveAccounts:
        """Accounts and deployments of Azure OpenAI."""
        from genai_platform.tools import libraries
        from genai_platform.tools.azure.cognitive import CognitiveAccounts

        libraries.load_cognitive()
        return CognitiveAccounts(self)

    @cached_property
    def named_values(self) -> NamedValues:
        """What policies of API Management name."""
        from genai_platform.tools.azure.named_values import NamedValues

        return NamedValues(self.apim.client, self.apim.writes)
