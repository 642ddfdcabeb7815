"""Commands that only look: each is run once, and every test reads what it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genai_platform.sandbox.aws.identity import control_key
from genai_platform.sandbox.layout import SandboxLayout

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Platform, Result

LOOKS = (("status", "--exit-code"), ("plan", "--exit-code"), ("doctor",))
"""Commands that compare the platform with what is configured, and change nothing."""
Requests = dict[str, list[dict[str, Any]]]
"""A cloud and what it was asked."""


def requests(platform: Platform, after: Requests | None = None) -> Requests:
    """Every request that the clouds were asked so far, or since ``after``: read off the stand-ins' own logs."""
    layout = SandboxLayout.open(platform.folder / ".genai" / "sandbox" / "world")
    key = {"Authorization": f"Bearer {control_key(layout)}"}
    with platform.http(layout.url("aws"), headers=key) as aws, platform.http(layout.url("entra", "https")) as azure:
        found = {cloud: client.get("/_sandbox/requests").raise_for_status().json() for cloud, client in (("aws", aws), ("azure", azure))}
    if after is None:
        return found
    last = {cloud: max(entry["number"] for entry in entries) for cloud, entries in after.items()}
    return {cloud: [entry for entry in entries if entry["number"] > last[cloud]] for cloud, entries in found.items()}


@dataclass(frozen=True)
class Look:
    """What a command gave, and what it asked of the clouds."""

    result: Result
    asked: Requests


@dataclass
class Looks:
    """``looks("status", "--exit-code")``: what this command says of the platform, with ``--verbose``; asked at the first call."""

    platform: Platform
    _seen: dict[tuple[str, ...], Look] = field(default_factory=dict)

    def __call__(self, *words: str) -> Look:
        if words not in self._seen:
            before = requests(self.platform)
            result = self.platform.run(*words, "--verbose")
            self._seen[words] = Look(result, requests(self.platform, before))
        return self._seen[words]
