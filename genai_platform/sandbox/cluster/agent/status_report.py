"""Writes a pod's status into the API."""

from __future__ import annotations

from genai_platform.sandbox.cluster.api import STRATEGIC, Api, ApiError, Object, path_of


class StatusReport:
    """Of one pod: a status is written when it is another than the one written before."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._sent: Object = {}
        self.pending = False
        """Whether the last one has not reached the API."""

    def send(self, pod: Object, status: Object) -> Object | None:
        """Write it.

        Returns:
            The pod with its new status; None where there was nothing to write, or no such pod any more.

        Raises:
            ApiError: the API did not take it.
        """
        if status == self._sent:
            return None
        meta = pod["metadata"]
        self.pending = True
        body = {"metadata": {"uid": meta["uid"]}, "status": status}
        try:
            answer = self._api.patch(path_of("pods", meta["namespace"], meta["name"]) + "/status", body, STRATEGIC)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            self.pending = False
            return None
        self.pending = False
        self._sent = status
        return answer
