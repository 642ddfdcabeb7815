"""The clients of Azure: one object for a target, each client created when first used."""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from genai_platform.config.target import Target
from genai_platform.tools import libraries
from genai_platform.tools.azure import credentials
from genai_platform.tools.azure.apim import Apim
from genai_platform.tools.azure.arm import Arm
from genai_platform.tools.azure.cognitive import CognitiveAccounts
from genai_platform.tools.azure.entra import Entra
from genai_platform.tools.azure.listings import Listings
from genai_platform.tools.azure.named_values import NamedValues
from genai_platform.tools.azure.vaults import Vaults

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_lock = threading.RLock()
# What the SDK warns of, its errors say again, in a sentence with a remedy; without a handler Python prints the warnings.
logging.getLogger("azure").addHandler(logging.NullHandler())


class Azure:
    """Azure as one target sees it. Making it does no input or output."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    def tenant(self) -> str:
        """The pinned tenant. Raises ``ConfigError`` when there is none."""
        return credentials.pinned(self.target)[0]

    @property
    def subscription(self) -> str:
        """The pinned subscription. Raises ``ConfigError`` when there is none."""
        return credentials.pinned(self.target)[1]

    @cached_property
    def credential(self) -> TokenCredential:
        with _lock:
            return credentials.credential(self.target)

    @cached_property
    def identity(self) -> credentials.Identity:
        """Who won. Asks for a token the first time."""
        return credentials.identity(self.target, self.credential)

    @cached_property
    def arm(self) -> Arm:
        return Arm(self)

    @cached_property
    def listings(self) -> Listings:
        return Listings(self)

    @cached_property
    def graph(self) -> Entra:
        return Entra(self)

    @cached_property
    def vaults(self) -> Vaults:
        return Vaults(self)

    @cached_property
    def apim(self) -> Apim:
        return Apim(self)

    @cached_property
    def cognitive(self) -> CognitiveAccounts:
        libraries.load_cognitive()
        return CognitiveAccounts(self)

    @cached_property
    def named_values(self) -> NamedValues:
        return NamedValues(self.apim.client, self.apim.writes)
