"""What the sandbox cannot do is refused by the API server itself, so that every client shows the reason."""

from __future__ import annotations

from genai_platform.sandbox.cluster.api import Api

_GROUP = "admissionregistration.k8s.io/v1"
_NAME = "sandbox.genai-platform"
_MESSAGE = "exec, attach, port-forward and debug are not available in the sandbox: its containers are local processes. Use kubectl logs."
_REFUSED = {"CONNECT": ["pods/exec", "pods/attach", "pods/portforward"], "UPDATE": ["pods/ephemeralcontainers"]}


def refuse_streams(api: Api) -> None:
    """Have exec, attach, port-forward and debug refused with a message.

    A kubelet's own refusal would reach people as "unknown error"; a debug container would be waited for in vain.
    """
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": resources}
        for operation, resources in _REFUSED.items()
    ]
    policy = {
        "failurePolicy": "Ignore",
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "false", "message": _MESSAGE}],
    }
    binding = {"policyName": _NAME, "validationActions": ["Deny"]}
    for kind, plural, spec in (
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies", policy),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", binding),
    ):
        api.apply(f"/apis/{_GROUP}/{plural}", {"apiVersion": _GROUP, "kind": kind, "metadata": {"name": _NAME}, "spec": spec})
