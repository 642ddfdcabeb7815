"""What the sandbox cannot do is refused by the API server itself, so that every client shows the reason."""

from __future__ import annotations

from genai_platform.sandbox.cluster.api import Api, ApiError, Object

_GROUP = "/apis/admissionregistration.k8s.io/v1"
_NAME = "sandbox.genai-platform"
_MESSAGE = "exec, attach, port-forward and debug are not available in the sandbox: its containers are local processes. Use kubectl logs."
_REFUSED = {"CONNECT": ["pods/exec", "pods/attach", "pods/portforward"], "UPDATE": ["pods/ephemeralcontainers"]}


def refuse_streams(api: Api) -> None:
    """Have exec, attach, port-forward and debug refused with a message. Idempotent.

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
