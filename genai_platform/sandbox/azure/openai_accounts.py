"""The accounts of Azure OpenAI that ARM made: who may use which, by Entra token or by key.

Codes and words: Microsoft Learn, "How to configure Azure OpenAI with Microsoft Entra ID authentication", and reports
(microsoft/sample-app-aoai-chatGPT#1000, microsoft/semantic-kernel#10020, microsoft/ai-agent-evals#43).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.requests import Request

from genai_platform.sandbox.azure import tenancy
from genai_platform.sandbox.azure.arm_call import region
from genai_platform.sandbox.azure.arm_cognitive_accounts import every, state
from genai_platform.sandbox.azure.arm_cognitive_deployments import serving
from genai_platform.sandbox.azure.entra_tokens import Entra
from genai_platform.sandbox.azure.openai import DENIED, OpenAI, Refusal, key_of
from genai_platform.sandbox.azure.roles import OPENAI_CONTRIBUTOR, OPENAI_USER, holds
from genai_platform.sandbox.azure.state import AzureState

AUDIENCE = "https://cognitiveservices.azure.com"
_UNAUTHORIZED = f"Unauthorized. Access token is missing, invalid, audience is incorrect ({AUDIENCE}), or have expired."
_ACTIONS = {
    "chat/completions": "deployments/chat/completions/action",
    "completions": "deployments/completions/action",
    "embeddings": "deployments/embeddings/action",
    "responses": "responses/write",
    "models": "models/read",
}


class Accounts:
    """All accounts, each under its subdomain; those without one under the host of their region, told apart by the key."""

    def __init__(self, azure: AzureState, entra: Entra) -> None:
        self._azure, self._entra = azure, entra

    def application(self) -> Starlette:
        return OpenAI(self._account_of, self._azure.layout.folder("openai") / "requests.jsonl").application()

    def _account_of(self, request: Request) -> _Account:
        name, _, domain = str(request.url.hostname).partition(".")
        for entry in every(self._azure.store):
            if state(entry) != "Succeeded":
                continue
            subdomain = entry["properties"].get("customSubDomainName")
            if domain == "openai.localhost" and str(subdomain).lower() == name.lower():
                return _Account(self._azure, self._entra, entry)
            if domain == "api.cognitive.localhost" and region(entry["location"]) == name and key_of(request) in entry["_keys"]:
                return _Account(self._azure, self._entra, entry)
        if domain == "api.cognitive.localhost" and "api-key" not in request.headers:
            raise Refusal(400, "BadRequest", "Please provide a custom subdomain for token authentication, otherwise API key is required.")
        raise Refusal(401, "401", DENIED) if domain == "api.cognitive.localhost" else Refusal(404, "404", "Resource not found")


@dataclass(frozen=True)
class _Account:
    """One account as ARM holds it now."""

    azure: AzureState
    entra: Entra
    entry: dict[str, Any]

    def admit(self, request: Request, operation: str) -> None:
        given, by_key = key_of(request), "api-key" in request.headers
        if not given:
            raise Refusal(401, "401", DENIED)
        if by_key or given.count(".") != 2:
            if self.entry["properties"].get("disableLocalAuth"):
                raise Refusal(403, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.")
            if not any(hmac.compare_digest(given.encode(), key.encode()) for key in self.entry["_keys"]):
                raise Refusal(401, "401", DENIED)
            return
        try:
            claims = self.entra.read(given, AUDIENCE)
        except jwt.PyJWTError:
            raise Refusal(401, "", _UNAUTHORIZED) from None
        if claims["tid"] != tenancy.tenant_of(self.azure.store, self.entry["id"]):
            raise Refusal(400, "BadRequest", "Tenant provided in token does not match resource token")
        if not holds(self.azure.store, str(claims["oid"]), self.entry["id"], {OPENAI_USER, OPENAI_CONTRIBUTOR}):
            action = f"Microsoft.CognitiveServices/accounts/OpenAI/{_ACTIONS.get(operation, operation)}"
            path = re.sub(r"/deployments/[^/]+/", "/deployments/{deployment-id}/", request.url.path)
            text = f"The principal `{claims['oid']}` lacks the required data action `{action}` to perform"
            raise Refusal(401, "PermissionDenied", f"{text} `{request.method} {path}` operation.")

    def deployments(self) -> Mapping[str, str]:
        return serving(self.azure.store.all("arm", self.entry["id"] + "/deployments/"))

    def throttled(self, deployment: str) -> int:
        return int(self.azure.throttle.refuses("openai") or 0)
