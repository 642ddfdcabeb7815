"""Observing a step: what it raises becomes a state, and what it saw becomes the lines of a plan. The only place for either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from genai_platform.engine.step import Change, Glancing, Observation, State, Step
from genai_platform.errors import GenaiError, NeverBuilt, StepError


def glance(step: Step) -> Observation:
    """Look at a step in a few calls: what exists, by the step's own quicker look where it has one. Errors as for ``observe``."""
    return _seen(step.glance if isinstance(step, Glancing) else step.observe)


def observe(step: Step) -> Observation:
    """Look at a step.

    ``NeverBuilt`` means that what holds the step's objects does not exist, so neither do they: *absent*. Any other
    ``GenaiError`` is a failure to look: *unknown*, with its message and remedy. A fault of this program is raised as it is.
    """
    return _seen(step.observe)


def _seen(look: Callable[[], Observation]) -> Observation:
    try:
        return look()
    except NeverBuilt as error:
        return Observation(State.ABSENT, error.message)
    except GenaiError as error:
        return Observation(State.UNKNOWN, error.message, error.remedy)


@contextmanager
def unknown_if_never_built() -> Iterator[None]:
    """For a look at what may exist though something that it is compared with was never built: that leaves it *unknown*.

    Taken for *absent*, it would be left behind when everything else is removed.
    """
    try:
        yield
    except NeverBuilt as error:
        raise StepError(error.message, remedy=error.remedy, id=error.id) from None


def changes(id: str, found: Observation) -> tuple[Change, ...]:
    """What ``apply`` would do to a step, from its observation; at least one line for each step.

    What an observation lists is given as it is. Where more takes a look of its own (``Observation.list_changes``), that
    look is made here; where it fails for want of what the step needs, what the observation lists remains, or a line at least.
    """
    if found.state is State.PRESENT:
        return (Change("none", id, found.evidence),)
    if found.state is State.UNKNOWN:
        # Nobody knows what would change; ``apply`` would stop here.
        return (Change("none", id, f"cannot be seen: {found.evidence}"),)
    listed, detail = found.changes, found.evidence
    if found.list_changes is not None:
        try:
            listed = tuple(found.list_changes())
        except GenaiError as error:
            detail = f"details once what it needs is there ({error.message})"
    return listed or (Change(found.action, id, detail),)
