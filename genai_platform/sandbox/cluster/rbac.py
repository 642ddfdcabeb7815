"""What the sandbox's own programs may do in the cluster. People use the administrator's certificate, as with EKS access entries."""

from __future__ import annotations

from typing import Any

from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.cluster.control_plane import API_SERVER, WEBHOOK

_GROUP = "rbac.authorization.k8s.io"


def install(api: Api) -> None:
    """The webhook reads service accounts; the API server reads logs from the node agent."""
    _grant(api, "genai:pod-identity-webhook", WEBHOOK[0], [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]}])
    _bind(api, "genai:kubelet-api", API_SERVER[0], "system:kubelet-api-admin")


def _grant(api: Api, name: str, user: str, rules: list[dict[str, Any]]) -> None:
    role = {"apiVersion": f"{_GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    api.apply(f"/apis/{_GROUP}/v1/clusterroles", role)
    _bind(api, name, user, name)


def _bind(api: Api, name: str, user: str, role: str) -> None:
    binding = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user}],
    }
    api.apply(f"/apis/{_GROUP}/v1/clusterrolebindings", binding)
