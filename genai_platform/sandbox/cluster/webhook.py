"""The admission webhook that gives pods their web identity, as EKS's does.

A pod whose service account carries ``eks.amazonaws.com/role-arn`` gets the AWS variables and a projected token at its
creation, so its spec shows them. The API server asks over HTTPS; when nobody answers, the pod is made without them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.control_plane import ADMIN, WEBHOOK
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import PythonPart, told_layout

_PREFIX = "eks.amazonaws.com/"
_VOLUME = "aws-iam-token"
_FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
_AUDIENCE = "sts.amazonaws.com"
_SECONDS = 86400


def changes(pod: Mapping[str, Any], account: Mapping[str, Any], region: str) -> list[dict[str, Any]]:
    """The JSON patch that gives ``pod`` the identity of its service account; empty when there is nothing to give."""
    marks = account.get("metadata", {}).get("annotations") or {}
    role = marks.get(f"{_PREFIX}role-arn")
    if not role:
        return []
    variables = {
        "AWS_STS_REGIONAL_ENDPOINTS": "legacy" if marks.get(f"{_PREFIX}sts-regional-endpoints") == "false" else "regional",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{_FOLDER}/token",
    }
    own = pod.get("metadata", {}).get("annotations") or {}
    skipped = {name.strip() for name in own.get(f"{_PREFIX}skip-containers", "").split(",")}
    spec = pod["spec"]
    patch = []
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or []):
            if container["name"] not in skipped:
                patch += _for_container(f"/spec/{kind}/{index}", container, variables)
    volumes = spec.get("volumes") or []
    if patch and not any(volume["name"] == _VOLUME for volume in volumes):
        token = {
            "audience": marks.get(f"{_PREFIX}audience") or _AUDIENCE,
            "expirationSeconds": _seconds(own.get(f"{_PREFIX}token-expiration") or marks.get(f"{_PREFIX}token-expiration")),
            "path": "token",
        }
        volume = {"name": _VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}
        patch.append({"op": "add", "path": "/spec/volumes", "value": [*volumes, volume]})
    return patch


def _for_container(path: str, container: Mapping[str, Any], variables: Mapping[str, str]) -> list[dict[str, Any]]:
    patch = []
    given: Sequence[Mapping[str, Any]] = container.get("env") or []
    known = {entry["name"] for entry in given}
    if new := [{"name": name, "value": value} for name, value in variables.items() if name not in known]:
        patch.append({"op": "add", "path": f"{path}/env", "value": [*given, *new]})
    mounts: Sequence[Mapping[str, Any]] = container.get("volumeMounts") or []
    if not any(mount["name"] == _VOLUME for mount in mounts):
        mount = {"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}
        patch.append({"op": "add", "path": f"{path}/volumeMounts", "value": [*mounts, mount]})
    return patch


def _seconds(wanted: str | None) -> int:
    """Kubernetes allows ten minutes or more."""
    return max(600, int(wanted)) if wanted and wanted.isdigit() else _SECONDS


class Webhook(PythonPart):
    """The part. Before it starts, what the cluster must have from its first minute is put there."""

    module = "genai_platform.sandbox.cluster.webhook"
    name = "webhook"
    version = "1"
    port = "webhook"

    def prepare(self, layout: SandboxLayout) -> None:
        from genai_platform.sandbox.cluster import crds, rbac
        from genai_platform.sandbox.cluster.api import Api

        _certificate(layout)
        with Api.connect(layout, ADMIN) as api:
            crds.install(api)
            rbac.install(api)
            api.apply("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", _configuration(layout))

    def ready(self, layout: SandboxLayout) -> bool:
        import ssl

        import httpx

        from genai_platform.sandbox.cluster import crds
        from genai_platform.sandbox.cluster.api import Api, ApiError

        trusted = ssl.create_default_context(cafile=str(layout.ca_file))
        try:
            if not httpx.get(layout.url("webhook", "https") + "/healthz", verify=trusted, trust_env=False, timeout=3).is_success:
                return False
            with Api.connect(layout, ADMIN) as api:
                return crds.established(api)
        except (httpx.HTTPError, ApiError):
            return False


PART = Webhook()


def _certificate(layout: SandboxLayout) -> ca.Issued:
    return ca.issue(layout, ["pod-identity-webhook.sandbox", "localhost", "127.0.0.1"])


def _configuration(layout: SandboxLayout) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pod-identity-webhook"},
        "webhooks": [
            {
                "name": "iam-for-pods.amazonaws.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "timeoutSeconds": 10,
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                "clientConfig": {
                    "url": layout.url("webhook", "https") + "/mutate",
                    "caBundle": base64.b64encode(layout.ca_file.read_bytes()).decode(),
                },
            }
        ],
    }


def main() -> None:
    """Answer the API server until SIGTERM."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    from genai_platform.sandbox.cluster.api import Api

    layout = told_layout()
    api = Api.connect(layout, WEBHOOK)

    def answer(review: Mapping[str, Any]) -> dict[str, Any]:
        request = review["request"]
        pod = request["object"]
        name = pod["spec"].get("serviceAccountName") or "default"
        found = api.get(f"/api/v1/namespaces/{request['namespace']}/serviceaccounts/{name}")
        patch = changes(pod, found, layout.region)
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if patch:
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
            print(f"{request['namespace']}/{pod['metadata'].get('name') or pod['metadata'].get('generateName')}: identity of {name}")
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

    async def mutate(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(answer, await request.json()))

    async def health(request: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/mutate", mutate, methods=["POST"]), Route("/healthz", health)])
    cert, key = _certificate(layout)
    uvicorn.run(
        app, host="127.0.0.1", port=layout.ports["webhook"], ssl_certfile=cert, ssl_keyfile=key,
        log_level="warning", lifespan="off", timeout_graceful_shutdown=2,
    )  # fmt: skip


if __name__ == "__main__":
    main()
