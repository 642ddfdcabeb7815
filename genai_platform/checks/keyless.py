"""models.keyless: models of Azure OpenAI that LiteLLM asks without a key, and that nobody else in the cluster can ask like it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from genai_platform.advice import advice, genai
from genai_platform.checks.chats import flaw
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed
from genai_platform.config.keyless import DEFAULT_KEYS
from genai_platform.config.target import NAMESPACE
from genai_platform.errors import NeverBuilt
from genai_platform.render.workload_identity import AUDIENCE, SERVICE_ACCOUNT, WorkloadIdentity
from genai_platform.tools.azure import token

SCOPE = "https://cognitiveservices.azure.com/.default"
"""Of which Azure OpenAI takes tokens (Microsoft Learn, "Use Azure OpenAI with Microsoft Entra ID authentication")."""
_SECRETS = frozenset({*DEFAULT_KEYS, "AZURE_AD_TOKEN", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_SECRET", "AZURE_PASSWORD"})
"""Variables that LiteLLM or azure-identity would sign in with instead of the service account's token."""
_OTHER = "default"
"""A service account that every namespace has and no pod of the platform uses."""
_RENDERED = advice("the proxy runs with another configuration; run: {}", genai("litellm"))
_ACCESS = advice("run: {}, then {}", genai("azure --only model_access"), genai("verify --only models.keyless"))


def checks(platform: Platform) -> list[Check]:
    """The check; none while every model has a key."""
    if not platform.settings.litellm.keyless:
        return []
    return [FunctionCheck("models.keyless", 150, lambda: _keyless(platform))]


def _keyless(platform: Platform) -> Outcome:
    identity = platform.inventory().model_identity()
    if identity is None:
        raise NeverBuilt("the application that LiteLLM signs in with does not exist", remedy=_ACCESS, id="azure.no_model_access")
    for look in (_no_key, _same_identity, _exchange, _answers):
        if wrong := look(platform, identity):
            return wrong
    refused = _refusal(platform, identity, _OTHER)
    if refused is None:
        text = f"the service account '{_OTHER}' of {NAMESPACE} gets a token of {identity.client_id}; only LiteLLM's may"
        return failed(text, _ACCESS)
    count, code = len(platform.keyless_chat_deployments), re.search(r"AADSTS\d+", refused)
    answered = f"{count} chat deployment{'' if count == 1 else 's'} answered" if count else "Entra ID gives LiteLLM a token"
    gets = code[0] if code else refused[:80]
    return passed(f"no key of Azure OpenAI in LiteLLM's pods; {answered}; the service account '{_OTHER}' gets {gets}")


def _no_key(platform: Platform, identity: WorkloadIdentity) -> Outcome | None:
    """No variable by which a key or another secret would be taken, and no key at a model without one."""
    seen = sorted({name for pod in platform.pods_of("Deployment", "litellm") for name in _variables(platform, pod)} & _SECRETS)
    if seen:
        return failed(f"LiteLLM's pods hold {', '.join(seen)}, which would be used instead of a token of Entra ID", _RENDERED)
    found = platform.clients.kube.get("v1", "ConfigMap", "litellm-config", NAMESPACE) or {}
    entries = (yaml.safe_load((found.get("data") or {}).get("config.yaml", "")) or {}).get("model_list") or ()
    places: dict[bool, set[tuple[str, str, str]]] = {True: set(), False: set()}
    for model in platform.settings.litellm.models:
        places[bool(model.key_variable)].add((model.name, f"azure/{model.upstream}", model.address))
    wanted = places[False] - places[True]
    with_key = [one["model_name"] for one in entries if _place(one) in wanted and "api_key" in one["litellm_params"]]
    return failed(f"{', '.join(sorted(with_key))}: LiteLLM's configuration names a key", _RENDERED) if with_key else None


def _place(entry: dict[str, Any]) -> tuple[str, str, str]:
    params = entry["litellm_params"]
    return str(entry["model_name"]), str(params.get("model")), str(params.get("api_base"))


def _variables(platform: Platform, pod: dict[str, Any]) -> Iterator[str]:
    """The names of a pod's variables; values stay where they are."""
    for container in pod["spec"]["containers"]:
        yield from (entry["name"] for entry in container.get("env") or ())
        for source in container.get("envFrom") or ():
            if name := (source.get("secretRef") or {}).get("name"):
                yield from (platform.clients.kube.get("v1", "Secret", name, NAMESPACE) or {}).get("data") or ()


def _same_identity(platform: Platform, identity: WorkloadIdentity) -> Outcome | None:
    wanted = identity.variables().items()
    for pod in platform.pods_of("Deployment", "litellm"):
        given = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0].get("env") or ()}
        wrong = sorted(name for name, value in wanted if given.get(name) != value)
        if wrong:
            return failed(f"pod {pod['metadata']['name']} signs in to Entra ID otherwise than configured: {', '.join(wrong)}", _RENDERED)
    return None


def _exchange(platform: Platform, identity: WorkloadIdentity) -> Outcome | None:
    refused = _refusal(platform, identity, SERVICE_ACCOUNT)
    return failed(f"Entra ID gives LiteLLM's service account no token: {refused}", _ACCESS) if refused else None


def _answers(platform: Platform, identity: WorkloadIdentity) -> Outcome | None:
    wanted = platform.keyless_chat_deployments
    if not wanted:
        return None
    answered, wrong = platform.run.chats()
    for chat in answered:
        if seen := flaw(chat.answer.text):
            wrong[chat.model] = seen
    said = [f"{wanted[name]}: {reason}" for name, reason in sorted(wrong.items()) if name in wanted]
    return failed("; ".join(said[:3]), _ACCESS) if said else None


def _refusal(platform: Platform, identity: WorkloadIdentity, service_account: str) -> str | None:
    """Why Entra ID gives a service account no token of the application; None when it gives one."""
    own = platform.clients.kube.token(service_account, NAMESPACE, AUDIENCE)
    try:
        token.exchange(platform.clients.target, identity.tenant_id, identity.client_id, own, SCOPE)
    except token.Refused as error:
        return error.message
    return None
