"""The client of the cluster's Kubernetes API: read, apply, patch, delete. Waiting is in ``wait``.

Documents are plain dictionaries as ``kubectl -o json`` shows them. Only a 404 means "not there"; whatever else
goes wrong is an error, so that nothing is ever taken for absent because it could not be seen.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from genai_platform.advice import advice, genai, run_genai
from genai_platform.config.target import Target
from genai_platform.errors import Forbidden, NeverBuilt, ServiceFailed, StepError, Unauthenticated, Unreachable, of_status
from genai_platform.tools.kubernetes import webhooks
from genai_platform.tools.kubernetes.answers import REMEDIES, reason_of, unreached

if TYPE_CHECKING:
    import urllib3

    from genai_platform.tools.aws.client import Aws

Document = dict[str, Any]
Documents = list[Document]
Differences = list[str]
FIELD_MANAGER = "genai"
_TIMEOUT = (10, 60)
_PATCH_TYPES = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


class ClusterAbsent(NeverBuilt):
    """There is no cluster to talk to: what would live in it is absent, not unknown."""


@dataclass(frozen=True)
class _Request:
    """One request.

    Attributes:
        doing: what it is for, to go on after "could not".
        missing_ok: a 404 is an empty answer.
        secret: what is sent is a secret, so the server's words about it are not shown.
    """

    method: Literal["get", "post", "patch", "delete"]
    path: str
    doing: str
    query: Sequence[tuple[str, str]] = ()
    body: Any = None
    content_type: str | None = None
    missing_ok: bool = False
    secret: bool = False


class Kube:
    """The Kubernetes API of a target. Making one does no input or output; methods may be called from any thread.

    Args:
        target: where to work; ``endpoints.kubeconfig`` takes the place of the file made from EKS.
        aws: used to describe the EKS cluster; without it the given kubeconfig is used unasked.
    """

    def __init__(self, target: Target, aws: Aws | None = None) -> None:
        self.target = target
        self._aws = aws
        self._lock = threading.RLock()
        self._client: Any = None
        self._kubeconfig: Path | None = None
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}

    # -- where the cluster is ---------------------------------------------------------------------
    def kubeconfig(self) -> Path:
        """The kubeconfig file, written first when it is made from EKS.

        Raises:
            ClusterAbsent: EKS knows no cluster of this name.
        """
        with self._lock:
            if self._kubeconfig is None:
                self._kubeconfig = self._of_cluster()
            return self._kubeconfig

    def exists(self) -> bool:
        """Whether there is a cluster. Raises ``StepError`` when that could not be seen."""
        try:
            self.kubeconfig()
        except ClusterAbsent:
            return False
        return True

    def _of_cluster(self) -> Path:
        from genai_platform.tools.kubernetes import kubeconfig

        given = self.target.endpoints.kubeconfig
        if self._aws is None:
            if given is None:
                raise Unreachable("no way to find the cluster: neither a kubeconfig nor AWS was given", id="kube.unreachable")
            return given
        found = self._aws.describe_cluster(self.target.prefix)
        # One that is being deleted answers no more, and nothing that lived in it can come back.
        if found is None or not found.get("endpoint") or found.get("status") == "DELETING":
            raise ClusterAbsent(
                f"the cluster '{self.target.prefix}' does not exist", remedy=run_genai("infra --only infra.cluster"), id="kube.no_cluster"
            )
        return given or kubeconfig.write(self.target.folder / "kubeconfig", kubeconfig.document(self.target, found))

    def not_ready(self) -> str | None:
        """Why the API does not serve this identity just now; ``None`` when it does.

        Of a cluster that was just made the name does not resolve yet, or nothing listens, or its access entries do not count.

        Raises:
            StepError: something else is wrong, which time does not change.
            ClusterAbsent: there is no cluster.
        """
        try:
            self._text(_Request("get", "/readyz", "ask whether it is ready"))
            self._text(_Request("get", "/api/v1/namespaces/default", "read Namespace default"))
        except _NOT_YET as error:
            if isinstance(error, Unreachable):
                with self._lock:
                    self._client = None  # the next look starts from the kubeconfig, without connections that failed
            return error.message
        return None

    # -- reading ----------------------------------------------------------------------------------
    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Document | None:
        """One object, or ``None`` when the API says there is none (or does not know its kind)."""
        path = self._path(api_version, kind, name, namespace)
        return None if path is None else self._send(_Request("get", path, f"read {kind} {name}", missing_ok=True))

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> Documents:
        """All objects of a kind, in one namespace or (without one) everywhere."""
        path = self._path(api_version, kind, None, namespace)
        if path is None:
            return []
        query = [(key, value) for key, value in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if value]
        found = self._send(_Request("get", path, f"list {kind}", query=query, missing_ok=True)) or {}
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found.get("items") or []]

    def logs(self, pod: str, namespace: str, *, container: str | None = None, tail: int = 20, previous: bool = False) -> str:
        """The last lines a container wrote; empty when there are none to be had."""
        query = [
            ("tailLines", str(tail)),
            *([("container", container)] if container else []),
            *([("previous", "true")] if previous else []),
        ]
        try:
            return self._text(_Request("get", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", f"read the log of {pod}", query))
        except StepError:
            # Logs explain a failure; failing to get them must not take its place.
            return ""

    @contextmanager
    def open_log(self, pod: str, namespace: str, query: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """The response that a container's log is, to be read inside; nothing of it is read yet.

        Args:
            query: as the API has it: ``container``, ``follow``, ``previous``, ``sinceTime``, ``tailLines``, ``timestamps``.

        Raises:
            Invalid: the container has no log (yet): it waits to start, or has no previous run.
            StepError: the log could not be read, or not to its end.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        client = self._open()
        # Who follows waits as long as the container has nothing to say.
        timeout = (_TIMEOUT[0], None) if query.get("follow") == "true" else _TIMEOUT
        with self._told(f"read the log of {pod}"):
            response = client.request("get", path, query_params=list(query.items()), serialize=False, _request_timeout=timeout)
            try:
                yield response
            finally:
                response.close()

    def events(self, namespace: str, kind: str, name: str | None = None) -> Documents:
        """The events about one object, or about all of a kind, oldest first."""
        about = f"involvedObject.kind={kind}" + (f",involvedObject.name={name}" if name else "")
        found = self.list("v1", "Event", namespace, field_selector=about)
        return sorted(found, key=when)

    def version(self) -> str:
        """The API server's version, e.g. ``v1.35.4``."""
        return str(self._send(_Request("get", "/version", "read the version"))["gitVersion"])  # type: ignore[index]

    # -- changing ---------------------------------------------------------------------------------
    def apply(self, document: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        """Server-side apply under the field manager ``genai``; what others set on our fields is taken over."""
        name, kind = document["metadata"]["name"], document["kind"]
        query = [("fieldManager", FIELD_MANAGER), ("force", "true"), *([("dryRun", "All")] if dry_run else [])]
        doing, form = f"{'compare' if dry_run else 'apply'} {kind} {name}", "application/apply-patch+yaml"
        path = self._path_for(document, name)
        found = self._send(_Request("patch", path, doing, query, dict(document), form, secret=kind == "Secret"))
        assert found is not None
        return found

    def create(self, document: Mapping[str, Any]) -> Document:
        """Make a new object; one that exists already is an error."""
        kind, doing = document["kind"], f"create {document['kind']} {document['metadata']['name']}"
        found = self._send(_Request("post", self._path_for(document, None), doing, body=dict(document), secret=kind == "Secret"))
        assert found is not None
        return found

    def token(self, account: str, namespace: str, audience: str) -> SecretStr:
        """A token of a service account for one audience, valid for ten minutes."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": [audience], "expirationSeconds": 600}
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
        found = self._send(_Request("post", path, f"make a token of {account}", body=body, secret=True)) or {}
        return SecretStr(str(found["status"]["token"]))

    def patch(
        self, api_version: str, kind: str, name: str, namespace: str | None, body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        strategy: Literal["strategic", "merge", "json"] = "strategic",
    ) -> Document:  # fmt: skip
        """Change some fields of an object that exists. The body is a list of operations with ``json``."""
        path = self._path(api_version, kind, name, namespace)
        query = [("fieldManager", FIELD_MANAGER)]
        content = [dict(one) for one in body] if isinstance(body, Sequence) else dict(body)
        found = None
        if path is not None:
            found = self._send(
                _Request("patch", path, f"patch {kind} {name}", query, content, _PATCH_TYPES[strategy], secret=kind == "Secret")
            )
        if found is None:
            raise StepError(f"{kind} {name} does not exist", id="kube.missing")
        return found

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> bool:  # fmt: skip
        """Ask for deletion. ``False`` when it was not there. Waiting for its end: ``kube_wait.gone``."""
        path = self._path(api_version, kind, name, namespace)
        if path is None:
            return False
        body = {"propagationPolicy": propagation}
        return self._send(_Request("delete", path, f"delete {kind} {name}", body=body, missing_ok=True)) is not None

    def differs(self, document: Mapping[str, Any]) -> Differences | None:
        """What applying would change, as dotted paths: ``[]`` nothing, ``None`` when the object is absent.

        The API server is asked (a dry run), so defaults, admission and fields of others do not count as change.
        """
        name, namespace = document["metadata"]["name"], document["metadata"].get("namespace")
        now = self.get(document["apiVersion"], document["kind"], name, namespace)
        if now is None:
            return None
        return changed(now, self.apply(document, dry_run=True))

    # -- the wire ---------------------------------------------------------------------------------
    def _path_for(self, document: Mapping[str, Any], name: str | None) -> str:
        path = self._path(document["apiVersion"], document["kind"], name, document["metadata"].get("namespace"))
        if path is None:
            raise StepError(f"the cluster does not know the kind {document['kind']} ({document['apiVersion']})", id="kube.unknown_kind")
        return path

    def _path(self, api_version: str, kind: str, name: str | None, namespace: str | None) -> str | None:
        """The address of an object or a list; ``None`` when the API server does not know the kind."""
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        known = self._resources.get(api_version, {}).get(kind)
        if known is None:
            found = self._send(_Request("get", base, f"look up {kind}", missing_ok=True)) or {}
            names = {
                entry["kind"]: (entry["name"], entry["namespaced"]) for entry in found.get("resources", ()) if "/" not in entry["name"]
            }
            with self._lock:
                self._resources[api_version] = names
            known = names.get(kind)
            if known is None:
                return None
        plural, namespaced = known
        middle = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{base}{middle}/{plural}" + (f"/{name}" if name else "")

    def _send(self, request: _Request) -> Document | None:
        text = self._text(request)
        return json.loads(text) if text else None

    def _text(self, request: _Request) -> str:
        from kubernetes.client.rest import ApiException

        client = self._open()
        with self._told(request.doing, secret=request.secret):
            try:
                answer = client.request(
                    request.method, request.path, body=request.body, query_params=list(request.query),
                    content_type=request.content_type, serialize=False, _request_timeout=_TIMEOUT,
                )  # fmt: skip
            except ApiException as error:
                if error.status == 404 and request.missing_ok:
                    return ""
                raise
            return str(answer.data.decode("utf-8", "replace"))

    @contextmanager
    def _told(self, doing: str, *, secret: bool = False) -> Iterator[None]:
        """Whatever goes wrong inside becomes a ``StepError`` of its kind, in words."""
        import urllib3
        from kubernetes.client.rest import ApiException

        try:
            yield
        except ApiException as error:
            # The server may quote what was sent: for a secret its words are left out.
            reason = error.reason if secret else reason_of(error)
            if command := self._webhook(reason_of(error)):
                text = f"could not {doing}: a webhook refuses it ({reason}); to delete it: {command}"
                raise StepError(text, remedy=command, id="kube.webhook") from None
            status = error.status or 0
            raise of_status(status)(f"could not {doing}: {status} {reason}", remedy=REMEDIES.get(status, ""), id=f"kube.{status}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                f"could not {doing}: the Kubernetes API at {self._open().configuration.host} does not answer ({unreached(error)})",
                remedy=advice("check that the cluster runs and that this machine may reach it: {}", genai("status")),
                id="kube.unreachable",
            ) from None

    def _webhook(self, reason: str) -> str:
        """The command that deletes the configuration of the webhook that failed; empty when it was not a webhook, or is not found."""
        with suppress(StepError):
            return webhooks.removal(self.list, reason)
        return ""

    def _open(self) -> Any:
        path = self.kubeconfig()
        with self._lock:
            if self._client is None:
                from kubernetes import config
                from kubernetes.client import ApiClient, Configuration
                from kubernetes.dynamic import DynamicClient
                from urllib3 import Retry

                configuration = Configuration()
                configuration.connection_pool_maxsize = 16
                configuration.proxy = None
                # A young control plane is resized now and then, and drops a request. What may be sent twice is.
                configuration.retries = Retry(
                    4, connect=2, read=2, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504), raise_on_status=False,
                    allowed_methods=("GET", "PATCH", "DELETE"),
                )  # fmt: skip
                try:
                    config.load_kube_config(config_file=str(path), client_configuration=configuration)
                except (config.ConfigException, OSError) as error:
                    raise StepError(f"the kubeconfig {path} cannot be used: {error}", id="kube.kubeconfig") from None
                # Discovery is done here, without the library's cache file in the shared temporary folder.
                self._client = DynamicClient(ApiClient(configuration), discoverer=lambda client, cache: None)
            return self._client


_NOT_YET = (Unreachable, Unauthenticated, Forbidden, ServiceFailed)

_SERVER_FIELDS = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})


def changed(now: Any, then: Any, path: str = "") -> list[str]:
    """Dotted paths at which two versions of an object differ, other than status and what the server counts."""
    if isinstance(now, dict) and isinstance(then, dict):
        skipped = {"status"} if not path else _SERVER_FIELDS if path == "metadata" else frozenset()
        keys = [key for key in {**now, **then} if key not in skipped]
        return [line for key in keys for line in changed(now.get(key), then.get(key), f"{path}.{key}" if path else key)]
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [line for index, (a, b) in enumerate(zip(now, then, strict=True)) for line in changed(a, b, f"{path}[{index}]")]
    return [] if now == then else [path]


def when(event: Document) -> str:
    """When something happened last, as far as its event tells."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("metadata", {}).get("creationTimestamp") or "")
