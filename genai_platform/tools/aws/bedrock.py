"""Amazon Bedrock's control plane: what a configured identifier means in a region, and where an inference profile leads.

AWS is asked rather than a table: which regions a profile leads to depends on the region in which it is invoked, and changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genai_platform.errors import ConfigError
from genai_platform.render.bedrock import Invocable
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import code, explained

_UNKNOWN = ("ResourceNotFoundException", "ValidationException")
"""What ``GetInferenceProfile`` and ``GetFoundationModel`` answer to an identifier that the region does not have."""


@dataclass(frozen=True)
class Offer:
    """What can be invoked in a region by an id."""

    id: str
    name: str
    """For people, e.g. ``US Anthropic Claude Haiku 4.5``."""
    profile: bool
    """Whether it is an inference profile, which may lead to other regions."""


def offers(aws: Aws, region: str) -> list[Offer]:
    """The foundation models that a region invokes on demand, and its system-defined inference profiles; deprecated models are left out.

    Raises:
        GenaiError: AWS could not be asked.
    """
    with explained(f"list the models of Amazon Bedrock in {region}"):
        models = aws.client("bedrock", region).list_foundation_models(byInferenceType="ON_DEMAND")["modelSummaries"]
    profiles = [one for one in _profiles(aws, region) if one["status"] == "ACTIVE"]
    # A model without a lifecycle is taken for an active one: what cannot be invoked is refused by `up` anyway.
    active = [one for one in models if one.get("modelLifecycle", {}).get("status", "ACTIVE") == "ACTIVE"]
    return [
        *(Offer(one["modelId"], one.get("modelName", one["modelId"]), profile=False) for one in active),
        *(Offer(one["inferenceProfileId"], one["inferenceProfileName"], profile=True) for one in profiles),
    ]


def find(aws: Aws, region: str, identifier: str) -> Invocable:
    """What a region can invoke by an id or an ARN: an inference profile, or a foundation model on demand.

    Raises:
        ConfigError: the region does not have it, or has it through an inference profile alone.
        GenaiError: AWS could not be asked.
    """
    profile = _ask(aws, region, "get_inference_profile", inferenceProfileIdentifier=identifier)
    if profile is not None:
        return Invocable(profile["inferenceProfileArn"], tuple(model["modelArn"] for model in profile["models"]))
    answer = _ask(aws, region, "get_foundation_model", modelIdentifier=identifier)
    if answer is None:
        raise ConfigError(
            f"Amazon Bedrock in {region} has neither a foundation model nor an inference profile '{identifier}'",
            remedy=f"see: aws bedrock list-inference-profiles --region {region}, and: aws bedrock list-foundation-models --region {region}",
            id="bedrock.unknown_model",
        )
    model = answer["modelDetails"]
    if "ON_DEMAND" not in model["inferenceTypesSupported"]:
        offered = _profiles_of(aws, region, model["modelArn"])
        raise ConfigError(
            f"Amazon Bedrock in {region} does not invoke '{identifier}' by its own id",
            remedy=f"use an inference profile: {', '.join(offered)}" if offered else "use a region that offers it on demand",
            id="bedrock.not_on_demand",
        )
    return Invocable(model["modelArn"])


def _ask(aws: Aws, region: str, operation: str, **identifier: str) -> dict[str, Any] | None:
    """An answer; ``None`` where the region does not know the identifier. Raises ``GenaiError``."""
    from botocore.exceptions import ClientError

    (value,) = identifier.values()
    with explained(f"look up {value} on Amazon Bedrock in {region}"):
        try:
            answer: dict[str, Any] = getattr(aws.client("bedrock", region), operation)(**identifier)
        except ClientError as error:
            if code(error) in _UNKNOWN:
                return None
            raise
    return answer


def _profiles_of(aws: Aws, region: str, model_arn: str) -> list[str]:
    """The ids of the region's inference profiles that lead to a model."""
    name = model_arn.rpartition("/")[2]
    return sorted(
        profile["inferenceProfileId"]
        for profile in _profiles(aws, region)
        if any(one["modelArn"].endswith(f"/{name}") for one in profile["models"])
    )


def _profiles(aws: Aws, region: str) -> list[dict[str, Any]]:
    """The region's inference profiles that AWS defines. Raises ``GenaiError``."""
    with explained(f"list the inference profiles of Amazon Bedrock in {region}"):
        pages = aws.client("bedrock", region).get_paginator("list_inference_profiles").paginate(typeEquals="SYSTEM_DEFINED")
        return [profile for page in pages for profile in page["inferenceProfileSummaries"]]
