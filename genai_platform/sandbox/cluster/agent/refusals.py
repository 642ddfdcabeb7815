"""What the sandbox cannot do is refused by the API server itself, so that every client shows the reason."""

from __future__ import annotations

from genai_platform.sandbox.cluster.agent.api import Api, ApiError, Object

_GROUP = "/apis/admissionregistration.k8s.io/v1"
_NAME = "sandbox.genai-platform"
_MESSAGE = "exec, attach and port-forward are not available in the sandbox: its containers are local processes. Use kubectl logs."


def refuse_streams(api: Api) -> None:
    """Have exec, attach and port-forward refused with a message. Idempotent.

    A kubelet's own refusal would reach people as "unknown error".
    """
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CONNECT"],
        "resources": ["pods/exec", "pods/attach", "pods/portforward"],
    }
    policy = {
        "failurePolicy": "Ignore",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": _MESSAGE}],
    }
    _ensure(api, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", policy)
    binding = {"policyName": _NAME, "validationActions": ["Deny"]}
    _ensure(api, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", binding)


def _ensure(api: Api, kind: str, resource: str, spec: Object) -> None:
    body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": _NAME}, "spec": spec}
    try:
        api.create(f"{_GROUP}/{resource}", body)
    except ApiError as error:
        if error.status != 409:
            raise
