"""What the azure checks look at: one caller's way in, this run's own chat through it, and the policy that is deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from genai_platform.advice import advice, genai
from genai_platform.checks.azure_inventory import Inventory
from genai_platform.checks.chats import Chats
from genai_platform.checks.once import Once
from genai_platform.checks.platform import Platform
from genai_platform.errors import StepError
from genai_platform.tools import http
from genai_platform.tools.azure import control, token
from genai_platform.tools.azure.control import Control
from genai_platform.tools.azure.token import Client
from genai_platform.tools.litellm.client import Litellm


@dataclass(frozen=True)
class Expected:
    """What a token must say and the policy must demand."""

    issuer: str
    audience: str
    openid_config: str


class AzurePlatform:
    """Opened when first needed; what was found once is kept, what failed is tried again. Safe to use from any thread."""

    def __init__(self, platform: Platform, control: Callable[[], Control | None] | None = None) -> None:
        self.platform = platform
        self.settings = platform.settings.azure
        self._control = control
        self._once = Once()

    @property
    def per_caller(self) -> bool:
        return self.settings.apim.keys == "per-caller"

    def inventory(self) -> Inventory:
        return self._once("inventory", self.platform.inventory)

    def client(self) -> Client:
        """The caller whose way in is looked at. Raises ``StepError`` when there is none."""

        def make() -> Client:
            found = self.inventory().caller()
            if found is None:
                raise StepError(
                    "no configured caller has a valid key and a client secret that is known here",
                    remedy=advice("run: {}, then {}", genai("keys list"), genai("keys issue")),
                    id="azure.no_caller",
                )
            return found

        return self._once("client", make)

    def expected(self) -> Expected:
        client = self.client()
        issuer = f"{client.authority.rstrip('/')}/{client.tenant_id}/v2.0"
        audience = client.scope.removeprefix("api://").removesuffix("/.default")
        return Expected(issuer, audience, f"{issuer}/.well-known/openid-configuration")

    def token(self) -> SecretStr:
        """The caller's token, by client credentials."""

        def make() -> SecretStr:
            client = self.client()
            if client.secret is None:
                raise StepError(f"the client secret of '{client.caller}' is not known here", id="azure.no_secret")
            return token.fetch(self.platform.clients.target, client.tenant_id, client.client_id, client.secret, client.scope)

        return self._once("token", make)

    def gateway(self) -> httpx.Client:
        """API Management at the API's path, without any token."""
        return self._once("gateway", lambda: http.client(self.platform.clients.target, self.client().gateway_url))

    def litellm(self) -> Litellm:
        """LiteLLM through API Management, with the caller's token."""
        return Litellm(self.gateway(), self.token())

    def control(self) -> Control | None:
        """Control routes for tokens that Entra ID would never sign; None on the real cloud."""
        return self._once("probe", self._control or (lambda: control.find(self.platform.clients.target)))

    def chat_models(self) -> tuple[str, ...]:
        """The chat models that the caller may use."""
        allowed = self.settings.callers[self.client().caller].models
        return tuple(name for name in self.platform.chat_models if not allowed or name in allowed)

    def run(self) -> Chats:
        """This run's chats through API Management."""
        return self._once("run", lambda: Chats(self.litellm, self.chat_models()))
