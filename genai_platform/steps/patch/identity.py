"""patch.identity: the roles of Langfuse and ClickHouse on their service accounts, and pods that carry them."""

from __future__ import annotations

from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import Progress
from genai_platform.render import langfuse
from genai_platform.steps.langfuse.chart import APPLICATION, CLICKHOUSE, Workload, tell_operator
from genai_platform.steps.langfuse.clickhouse import CLICKHOUSE_API
from genai_platform.steps.patch.step import Part, PatchStep
from genai_platform.tools.kubernetes.client import Document


class Identity(PatchStep):
    """Annotations first, then a restart of the pods that were made without them."""

    id = "patch.identity"
    needs = ("langfuse.chart",)

    def parts(self) -> list[Part]:
        cluster, first_line = self._clients.cluster(), self._line == 1
        return [
            self._account(langfuse.ACCOUNT, cluster.langfuse_role_arn, APPLICATION),
            *(self._running(workload, cluster.langfuse_role_arn) for workload in APPLICATION),
            self._account(langfuse.CLICKHOUSE_ACCOUNT, cluster.clickhouse_role_arn, (CLICKHOUSE,) if first_line else ()),
            self._running(CLICKHOUSE, cluster.clickhouse_role_arn) if first_line else self._second_line(),
        ]

    def _account(self, name: str, role: str, users: tuple[Workload, ...]) -> Part:
        found = self.the("v1", "ServiceAccount", name)
        now = (found["metadata"].get("annotations") or {}).get(langfuse.ROLE_ANNOTATION)
        if now == role:
            return Part(f"service account {name}", None)
        body = {"metadata": {"annotations": {langfuse.ROLE_ANNOTATION: role}}}
        return Part(
            f"service account {name}",
            "has no role" if now is None else f"has another role ({now})",
            lambda: self._clients.kube.patch("v1", "ServiceAccount", name, NAMESPACE, body, "merge"),
            users,
        )

    def _running(self, workload: Workload, role: str) -> Part:
        """Pods get the role when they are made: those from before the annotation are made again."""
        without = [pod["metadata"]["name"] for pod in self.pods(*workload) if carried_role(pod) != role]
        missing = f"{len(without)} running without the role" if without else None
        return Part(f"pods of {workload[1]}", missing, restart=(workload,))

    def _second_line(self) -> Part:
        """The operator makes the pods again itself when their account changes."""
        found = self.the(CLICKHOUSE_API, "ClickHouseCluster", langfuse.RELEASE)
        fits = found["spec"].get("podTemplate", {}).get("serviceAccountName") == langfuse.CLICKHOUSE_ACCOUNT
        return Part(
            "ClickHouseCluster langfuse",
            None if fits else "its pods use another service account",
            lambda: tell_operator(self._clients, own_account=True),
        )

    def destroy(self, progress: Progress) -> str:
        """Take the annotations away; running pods keep their identity until they are made again."""
        if not self._clients.kube.exists():
            return "there is no cluster"
        removed = []
        for name in (langfuse.ACCOUNT, langfuse.CLICKHOUSE_ACCOUNT):
            found = self._clients.kube.get("v1", "ServiceAccount", name, NAMESPACE)
            if found and langfuse.ROLE_ANNOTATION in (found["metadata"].get("annotations") or {}):
                body = {"metadata": {"annotations": {langfuse.ROLE_ANNOTATION: None}}}
                self._clients.kube.patch("v1", "ServiceAccount", name, NAMESPACE, body, "merge")
                removed.append(name)
        return f"took the role from {', '.join(removed)}" if removed else "no service account had a role"


def carried_role(pod: Document) -> str | None:
    """The role the admission webhook gave a pod's containers, when it made it."""
    for container in pod["spec"].get("containers", ()):
        for variable in container.get("env") or ():
            if variable["name"] == "AWS_ROLE_ARN":
                return str(variable.get("value"))
    return None
