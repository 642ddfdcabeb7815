"""What is left in the account: every service looked at, at the same time, and nothing taken for gone that was not seen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from genai_platform.engine.step import Progress
from genai_platform.errors import GenaiError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.aws.leftovers import items
from genai_platform.tools.aws.leftovers.finders import FINDERS
from genai_platform.tools.aws.leftovers.items import Item, Scope
from genai_platform.tools.parallel import gather
from genai_platform.tools.wait import wait_for


@dataclass(frozen=True)
class Found:
    """What exists, and where nobody could look."""

    items: tuple[Item, ...]
    unseen: tuple[str, ...]
    """One line for each kind of thing that could not be listed. Not empty: the rest proves nothing."""


def scope(aws: Aws) -> Scope:
    """How this target's things are recognised. Raises ``StepError`` when its networks cannot be listed."""
    with explained("list the networks"):
        found = items.networks(aws, aws.target.tags)
    return Scope(aws.target.prefix, aws.region, aws.target.tags, found)


def _with_tagged(aws: Aws, ours: Scope) -> tuple[Scope, str]:
    """The scope with what the tagging service knows; or as it was, and why that could not be had."""
    try:
        with explained("list what carries our tags"):
            return replace(ours, tagged=items.tagged(aws, ours.tags)), ""
    except GenaiError as error:
        return ours, error.message


def look(aws: Aws, kinds: Collection[str] | None = None) -> Found:
    """Look for everything of this target, or for some kinds only (names in ``finders.FINDERS``).

    Some kinds are found by the tags of the things themselves: what has its tags elsewhere needs the whole look.
    """
    blind = ""
    try:
        ours = scope(aws)
        if kinds is None:
            ours, blind = _with_tagged(aws, ours)
    except GenaiError as error:
        return Found((), (error.message,))

    def one(kind: str) -> tuple[list[Item], str]:
        try:
            with explained(f"list the {kind}"):
                return list(FINDERS[kind](aws, ours)), ""
        except GenaiError as error:
            return [], error.message

    answers = gather(list(FINDERS if kinds is None else kinds), one, at_once=4)
    items = [item for found, _ in answers for item in found]
    return Found(tuple(items), tuple(filter(None, (blind, *(fault for _, fault in answers)))))


def _wait_while(remaining: Callable[[], Collection[Item]], progress: Progress, timeout: float) -> None:
    """Wait until ``remaining`` gives nothing. A look that failed counts as still there."""
    left: list[str] = []

    def gone() -> bool | None:
        nonlocal left
        try:
            left = [f"{item.kind} {item.id}" for item in remaining()]
        except GenaiError as error:
            left = [error.message]
        return None if left else True

    def status() -> str:
        more = f" and {len(left) - 2} more" if len(left) > 2 else ""
        return f"waiting for {', '.join(left[:2])}{more} to go"

    wait_for(gone, progress, status, timeout, interval=10)


def _sure(aws: Aws, *kinds: str) -> tuple[Item, ...]:
    seen = look(aws, kinds)
    if seen.unseen:
        raise GenaiError(seen.unseen[0])
    return seen.items


def wait_for_interfaces(aws: Aws, progress: Progress, timeout: float = 1200) -> None:
    """Until the cluster has no instance and no interface in the network any more, so that the network can go.

    Raises:
        StepError: one of them could not be looked at, or the time ran out.
    """

    def users() -> list[Item]:
        return [item for item in _sure(aws, "instances", "load balancers") if item.by in ("cluster", "network")]

    def interfaces() -> list[Item]:
        # Those of NAT gateways and endpoints go with what Terraform removes.
        return [item for item in _sure(aws, "parts of networks") if item.kind == "ec2:network-interface" and item.by == "cluster"]

    for remaining in (users, interfaces):
        _wait_while(remaining, progress, timeout)
