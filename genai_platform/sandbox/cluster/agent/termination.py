"""The end of a pod: its containers' preStop hooks, the last kill, and the removal of its object."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt, wait_fixed

from genai_platform.sandbox.cluster.agent.process import Command, Process, run_inside
from genai_platform.sandbox.cluster.api import Api, ApiError, Object, path_of

_log = logging.getLogger(__name__)
_KILLED = 5.0


def pre_stop(process: Process, container: Object, variables: Mapping[str, str], seconds: float) -> str:
    """Run a container's preStop hook.

    Args:
        container: as the pod's spec has it.
        variables: the environment of the hook's command.
        seconds: what is left of the grace period.

    Returns:
        Why the hook failed; "" where it did not, or where the container has none.
    """
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if "exec" in hook:
        ok, message = run_inside(process.pid, Command(hook["exec"]["command"], dict(variables)), max(seconds, 1))
        return "" if ok else message
    if "sleep" in hook:
        process.wait(min(float(hook["sleep"]["seconds"]), max(seconds, 0)))
    return ""


def kill(processes: Iterable[Process]) -> None:
    """SIGKILL to all, then wait for each."""
    ending = list(processes)
    for process in ending:
        process.kill()
    for process in ending:
        process.wait(_KILLED)


def remove(api: Api, pod: Object) -> None:
    """Delete a pod's object, as a kubelet does once the containers have ended. Tried for half a minute.

    Raises:
        ApiError: the API did not do it until then.
    """
    meta = pod["metadata"]
    body = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
    Retrying(
        retry=retry_if_exception_type(ApiError),
        wait=wait_fixed(1),
        stop=stop_after_attempt(30),
        before_sleep=before_sleep_log(_log, logging.WARNING),
        reraise=True,
    )(api.delete, path_of("pods", meta["namespace"], meta["name"]), body)
