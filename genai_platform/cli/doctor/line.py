"""One thing that ``doctor`` looked at, and the looks that every world shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from genai_platform.advice import Remedy
from genai_platform.errors import Forbidden, GenaiError, unexpected

if TYPE_CHECKING:
    from genai_platform.config.settings import Settings
    from genai_platform.steps.clients import Clients
    from genai_platform.steps.infra.prerequisites.answer import Answer


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    id: str
    state: Literal["pass", "fail", "skip", "warn", "unknown"]
    """``warn``: allowed, and worth knowing; not a problem that stops a start. ``unknown``: nobody may look, or nothing answered."""
    text: str
    remedy: Remedy = ""


def failed(id: str, error: Exception) -> Line:
    """What a look that raised an error has to tell."""
    fault = error if isinstance(error, GenaiError) else unexpected(error)
    return Line(id, "unknown" if isinstance(fault, Forbidden) else "fail", fault.message, fault.remedy or "see the message")


def look(id: str, ask: Callable[[], str]) -> Line:
    """What ``ask`` answers or raises, as a line."""
    try:
        return Line(id, "pass", ask())
    except Exception as error:
        return failed(id, error)


def to_lines(found: Iterable[Answer]) -> list[Line]:
    """What the AWS half found out, as lines."""
    return [Line(one.id, one.state, one.text, one.remedy) for one in found]


def langfuse(settings: Settings) -> Iterator[Line]:
    """Until when Langfuse's chart line gets security fixes. Nothing stops because of it."""
    from datetime import date

    from genai_platform.render.chart import support

    if text := support(settings, date.today()):
        yield Line("langfuse", "skip", text)


def prices(settings: Settings) -> Iterator[Line]:
    """The models that LiteLLM has no price for."""
    from genai_platform.render.prices import notices

    if unpriced := notices(settings):
        yield from (Line("models.price", "warn", text) for text in unpriced)
    elif settings.litellm.models:
        yield Line("models.price", "pass", "LiteLLM has a price for every model")


def kubernetes(clients: Clients) -> str:
    """What EKS says of the configured version."""
    from genai_platform.steps.infra import cluster_version

    found = cluster_version.look(clients)
    return found.notice or f"EKS offers {found.version}"
