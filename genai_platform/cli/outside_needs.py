"""What the chosen steps need and this run does not make: looked at before anything waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_platform.advice import advice, genai, typed
from genai_platform.engine.scheduler import glance_all
from genai_platform.engine.step import State

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.engine.graph import Selection


def warn(run: Run, selection: Selection) -> None:
    """Say of each step that the chosen ones rest on, directly or not, and that is not there as it should be, what is wrong and what helps.

    The run goes on: the scheduler stops exactly the steps that cannot be made without it. Where all of the chosen steps are there
    already, nothing will wait, and nothing else is looked at. A glance is enough: a plan of every Terraform root would take longer
    than most of what is asked for, and ``status --drift`` compares settings for those who want to know.
    """
    ids = [id for id in run.graph.closure(selection.ids) if id not in selection.ids]
    if not ids:
        return
    own = glance_all(run.graph[id] for id in selection.ids)
    if all(one.state is State.PRESENT for one in own.values()):
        return
    found = run.look(ids, glance=True)
    for id in ids:
        if found[id].state is State.PRESENT:
            continue
        user = next(one for one in selection.ids if id in run.graph.closure([one]))
        remedy = found[id].remedy or advice("to change that first: {}", genai(f"up --only {id}"))
        if found[id].state is State.UNKNOWN:
            what = f"cannot see the state of '{id}', which '{user}' needs: {found[id].evidence}"
        else:
            what = f"'{id}', which '{user}' needs, is {found[id].state.value}: {found[id].evidence}"
        run.screen.warn(f"{what}\n  -> {typed(remedy, run.flags)}")
