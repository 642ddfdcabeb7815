"""Which foundation models and cross-region inference profiles each region has.

A selection with the real ids. Regions and destinations: Amazon Bedrock user guide, "Supported foundation models" and "Supported
Regions and models for inference profiles"; what a profile's destinations are depends on the region that is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from genai_platform.sandbox.aws.identity import ACCOUNT

Kind = Literal["claude", "nova", "titan-embedding", "cohere-embedding"]
"""The form of the bodies that ``InvokeModel`` takes and gives."""

_EU = ("eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3")
_US = ("us-east-1", "us-east-2", "us-west-2")
_EU_NOVA = ("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3")
_JP = ("ap-northeast-1", "ap-northeast-3")
_AU = ("ap-southeast-2", "ap-southeast-4")
_APAC = ("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2")
_CLAUDE = {"us": _US, "eu": _EU, "jp": _JP, "au": _AU, "global": ()}
_NOVA = {"us": _US, "eu": _EU_NOVA, "apac": _APAC}
_SOURCES = {"us": ("us-west-1", "ca-central-1"), "apac": ("ap-south-2", "ap-southeast-4")}
"""Regions that may use a geography's profiles and are destinations of their own requests alone."""
_EMBEDDING = (
    "us-east-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
)  # fmt: skip


@dataclass(frozen=True)
class FoundationModel:
    """A model, and where it is offered.

    Attributes:
        on_demand: regions in which it is invoked by its own id.
        profiles: geographies (the first part of a profile's id) with the regions that their requests go to.
    """

    id: str
    name: str
    provider: str
    kind: Kind
    on_demand: tuple[str, ...] = ()
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dimensions: tuple[int, ...] = ()

    @property
    def chats(self) -> bool:
        return self.kind in ("claude", "nova")

    def arn(self, region: str) -> str:
        """Its name in a region; with an empty region the one that global profiles are authorized against."""
        return f"arn:aws:bedrock:{region}::foundation-model/{self.id}"

    def is_offered_in(self, region: str) -> bool:
        """Whether the region lists it."""
        return region in self.on_demand or any(self.profile(geography, region) for geography in self.profiles)

    def profile(self, geography: str, region: str) -> InferenceProfile | None:
        """The profile of a geography as a region has it; ``None`` where it has none."""
        regions = self.profiles.get(geography)
        if regions is None:
            return None
        if geography == "global" and any(region in names for names in self.profiles.values()):
            return InferenceProfile(self, geography, region, (region, ""))
        if region in regions:
            return InferenceProfile(self, geography, region, regions)
        if region in _SOURCES.get(geography, ()):
            return InferenceProfile(self, geography, region, (*regions, region))
        return None


@dataclass(frozen=True)
class InferenceProfile:
    """A profile as one source region has it. A destination without a name is the global one.

    Attributes:
        application: the id of one that somebody made; empty: AWS defines it.
    """

    model: FoundationModel
    geography: str
    source: str
    destinations: tuple[str, ...]
    application: str = ""

    @property
    def id(self) -> str:
        return self.application or f"{self.geography}.{self.model.id}"

    @property
    def arn(self) -> str:
        kind = "application-inference-profile" if self.application else "inference-profile"
        return f"arn:aws:bedrock:{self.source}:{ACCOUNT}:{kind}/{self.id}"

    @property
    def name(self) -> str:
        if self.application:
            return self.application
        geography = self.geography.title() if self.geography == "global" else self.geography.upper()
        return f"{geography} {self.model.name if self.model.provider == 'Amazon' else f'{self.model.provider} {self.model.name}'}"

    @property
    def model_arns(self) -> tuple[str, ...]:
        return tuple(self.model.arn(region) for region in self.destinations)


Invoked = FoundationModel | InferenceProfile

MODELS: tuple[FoundationModel, ...] = (
    FoundationModel("anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5", "Anthropic", "claude", profiles=_CLAUDE),
    FoundationModel("anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5", "Anthropic", "claude", profiles=_CLAUDE),
    FoundationModel(
        "anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6", "Anthropic", "claude",
        profiles=_CLAUDE | {"eu": (*_EU, "eu-central-2", "eu-west-2")},
    ),
    FoundationModel(
        "amazon.nova-lite-v1:0", "Nova Lite", "Amazon", "nova", ("us-east-1", "ap-northeast-1"), _NOVA
    ),
    FoundationModel("amazon.nova-micro-v1:0", "Nova Micro", "Amazon", "nova", ("us-east-1",), _NOVA),
    FoundationModel(
        "amazon.titan-embed-text-v2:0", "Titan Text Embeddings V2", "Amazon", "titan-embedding", _EMBEDDING, dimensions=(1024, 512, 256)
    ),
    FoundationModel("cohere.embed-multilingual-v3", "Embed Multilingual", "Cohere", "cohere-embedding", _EMBEDDING, dimensions=(1024,)),
    FoundationModel("cohere.embed-english-v3", "Embed English", "Cohere", "cohere-embedding", _EMBEDDING, dimensions=(1024,)),
)  # fmt: skip


def models(region: str) -> Iterator[FoundationModel]:
    """The models that a region lists."""
    return (model for model in MODELS if model.is_offered_in(region))


def profiles(region: str) -> Iterator[InferenceProfile]:
    """The system-defined inference profiles of a region."""
    return (found for model in MODELS for geography in model.profiles if (found := model.profile(geography, region)))


def application_id(identifier: str) -> str:
    """The id of the application inference profile that a sandbox has of a model or a system-defined profile."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:12]


def _applications(region: str) -> Iterator[InferenceProfile]:
    """One of each model and each system-defined profile; of a model that is not on demand, through the first profile that leads there."""
    for profile in profiles(region):
        yield replace(profile, application=application_id(profile.id))
    for model in models(region):
        first = next((found for geography in model.profiles if (found := model.profile(geography, region))), None)
        on_demand = InferenceProfile(model, "", region, (region,)) if region in model.on_demand else None
        if copied := on_demand or first:
            yield replace(copied, application=application_id(model.id))


def find(identifier: str, region: str) -> Invoked | None:
    """What a region means by an id or an ARN; ``None`` where it has nothing of that name."""
    things: list[Invoked] = [*models(region), *profiles(region), *_applications(region)]
    return next(
        (thing for thing in things if identifier in (thing.id, thing.arn if isinstance(thing, InferenceProfile) else thing.arn(region))),
        None,
    )
