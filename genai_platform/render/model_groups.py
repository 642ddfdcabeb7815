"""The models that several deployments share or that another model replaces when they fail, as ``plan`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from genai_platform.config.models import Model
from genai_platform.config.settings import Settings

_SHOWN = 10


@dataclass(frozen=True)
class Group:
    """A model that is more than one deployment.

    Attributes:
        deployments: each as ``DEPLOYMENT at HOST``, with its share if that is configured.
        fallbacks: the models asked when all deployments failed, in their order.
    """

    name: str
    deployments: tuple[str, ...]
    fallbacks: tuple[str, ...]


def groups(settings: Settings) -> list[Group]:
    """Those with several deployments or with fallbacks, in the order of the configuration."""
    fallbacks = settings.litellm.fallbacks.fallbacks
    return [
        Group(name, tuple(_described(model) for model in models), fallbacks.get(name, ()))
        for name, models in settings.litellm.groups.items()
        if len(models) > 1 or name in fallbacks
    ]


def lines(found: Sequence[Group]) -> list[str]:
    """One line for each group, the first ones of many."""
    shown = [
        f"model {one.name}: {', '.join(one.deployments)}{''.join(f'; else {name}' for name in one.fallbacks)}" for one in found[:_SHOWN]
    ]
    return [*shown, *([f"and {len(found) - _SHOWN} more models with several deployments or fallbacks"] if len(found) > _SHOWN else [])]


def _described(model: Model) -> str:
    shares = [f"{name} {value}" for name in ("weight", "rpm", "tpm", "order") if (value := getattr(model, name)) is not None]
    return f"{model.upstream} at {urlsplit(model.address).netloc or model.address}{' (' + ', '.join(shares) + ')' if shares else ''}"
