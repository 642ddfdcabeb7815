"""``bedrock``: which models and inference profiles a region has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_platform.sandbox.aws.bedrock import catalog
from genai_platform.sandbox.aws.bedrock.faults import Fault, invalid

_SINCE = "2025-10-15T00:00:00Z"
_FILTERS = {
    "byOutputModality": "outputModalities", "byInferenceType": "inferenceTypesSupported", "byCustomizationType": "customizationsSupported",
}  # fmt: skip
"""Parameters of ``ListFoundationModels``, and the lists that they are looked up in."""


def list_foundation_models(region: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The models of the region that pass the request's filters. Nothing here can be customized."""
    found = [_model(model, region) for model in catalog.models(region)]
    if provider := query.get("byProvider"):
        found = [one for one in found if one["providerName"].lower() == provider.lower()]
    for name, listed in _FILTERS.items():
        found = [one for one in found if name not in query or query[name] in one[listed]]
    return {"modelSummaries": found}


def get_foundation_model(region: str, identifier: str) -> dict[str, Any]:
    found = catalog.find(identifier, region)
    if not isinstance(found, catalog.FoundationModel):
        raise invalid("The provided model identifier is invalid.")
    return {"modelDetails": _model(found, region)}


def list_inference_profiles(region: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Page by page; application inference profiles can be asked for by name and are not listed here."""
    found = [] if query.get("type") == "APPLICATION" else [_profile(profile) for profile in catalog.profiles(region)]
    token, size = query.get("nextToken", "0"), int(query.get("maxResults", 100))
    if not token.isdecimal():
        raise invalid("The provided nextToken is invalid.")
    start = int(token)
    more = {"nextToken": str(start + size)} if start + size < len(found) else {}
    return {"inferenceProfileSummaries": found[start : start + size], **more}


def get_inference_profile(region: str, identifier: str) -> dict[str, Any]:
    found = catalog.find(identifier, region)
    if not isinstance(found, catalog.InferenceProfile):
        raise Fault("ResourceNotFoundException", "The specified inference profile was not found.")
    return _profile(found)


def _model(model: catalog.FoundationModel, region: str) -> dict[str, Any]:
    types = ["ON_DEMAND" if region in model.on_demand else "INFERENCE_PROFILE"]
    return {
        "modelArn": model.arn(region), "modelId": model.id, "modelName": model.name, "providerName": model.provider,
        "inputModalities": ["TEXT"], "outputModalities": ["TEXT" if model.chats else "EMBEDDING"],
        "responseStreamingSupported": model.chats, "customizationsSupported": [], "inferenceTypesSupported": types,
        "modelLifecycle": {"status": "ACTIVE"},
    }  # fmt: skip


def _profile(profile: catalog.InferenceProfile) -> dict[str, Any]:
    where = "all supported commercial regions" if profile.geography == "global" else ", ".join(profile.destinations)
    return {
        "inferenceProfileName": profile.name, "inferenceProfileId": profile.id, "inferenceProfileArn": profile.arn,
        "description": f"Routes requests to {profile.model.name} in {where}.",
        "models": [{"modelArn": arn} for arn in profile.model_arns], "status": "ACTIVE",
        "type": "APPLICATION" if profile.application else "SYSTEM_DEFINED",
        "createdAt": _SINCE, "updatedAt": _SINCE,
    }  # fmt: skip
