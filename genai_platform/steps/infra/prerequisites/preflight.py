"""What ``up`` asks of these before it makes anything: what is cheap to ask, and certain where it refuses."""

from __future__ import annotations

from genai_platform.advice import Remedy, advice, genai, joined, typed
from genai_platform.errors import GenaiError, MissingError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites import permissions, quotas, taken_names
from genai_platform.steps.infra.prerequisites.answer import Answer
from genai_platform.tools.parallel import gather


def refuse(clients: Clients) -> Remedy:
    """Ask for quotas, names and rights, at the same time.

    Returns:
        What a person should know, empty when there is nothing: a quota that an estimate exceeds, and rights that the simulation
        misses. It judges without session and resource policies, so that is not a reason to refuse.

    Raises:
        MissingError: a quota is full or a name is taken, all of them at once.
    """
    quota, name, rights = gather([quotas.look, taken_names.look, _rights], lambda ask: ask(clients))
    if faults := [one for one in (*quota, *name) if one.state == "fail"]:
        told = "\n".join(f"  {one.text} -> {typed(one.remedy)}" for one in faults)
        message = faults[0].text if len(faults) == 1 else f"{len(faults)} problems must be fixed first:\n{told}"
        remedy = faults[0].remedy if len(faults) == 1 else "fix these, then run the same command again"
        raise MissingError(message, remedy=remedy, id=f"aws.{faults[0].id}")
    doubts: list[Remedy] = [advice("{} -> {}", one.text, one.remedy) for one in quota if one.state == "warn"]
    if lacking := ", ".join(one.text.partition(":")[0] for one in rights if one.state == "fail"):
        lacks = advice(
            "the identity in use seems to lack rights ({}); their names and the policy that grants them: {}", lacking, genai("doctor")
        )
        doubts.append(lacks)
    return joined(*doubts)


def _rights(clients: Clients) -> list[Answer]:
    """IAM may slow down who simulates often: a run that could begin does not end because of that."""
    try:
        return permissions.look(clients)
    except GenaiError:
        return []
