"""What the sandbox's own programs may do in the cluster. People use the administrator's certificate, as with EKS access entries."""

from __future__ import annotations

from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.cluster.control_plane import API_SERVER, WEBHOOK

_GROUP = "rbac.authorization.k8s.io"


def install(api: Api) -> None:
    """The webhook reads service accounts; the API server reads logs from the node agent."""
    own = "genai:pod-identity-webhook"
    rules = [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]}]
    role = {"apiVersion": f"{_GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": own}, "rules": rules}
    api.apply(f"/apis/{_GROUP}/v1/clusterroles", role)
    for name, user, granted in ((own, WEBHOOK[0], own), ("genai:kubelet-api", API_SERVER[0], "system:kubelet-api-admin")):
        binding = {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": granted},
            "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user}],
        }
        api.apply(f"/apis/{_GROUP}/v1/clusterrolebindings", binding)
