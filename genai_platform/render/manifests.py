"""Kubernetes objects from templates. Pure: the same values give the same documents, and no value can change their shape."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

from genai_platform.config.files import shipped
from genai_platform.config.target import NAMESPACE
from genai_platform.render.addresses import Listener
from genai_platform.render.outputs import DataOutputs
from genai_platform.render.secrets import PlatformSecrets

Document = dict[str, Any]
_CONDITIONS = "alb.ingress.kubernetes.io/conditions."
INPUTS = "genai/inputs"
"""Annotation of a Job: the checksum of everything it was made from."""
UNDISTURBED = {"karpenter.sh/do-not-disrupt": "true"}
"""Annotation of every pod. EKS Auto Mode's general-purpose pool empties nodes that it finds underused, 30 seconds after it
finds them so: without this it would end migrations and jobs half-way (https://karpenter.sh/docs/concepts/disruption/).
Draining a node by hand still moves these pods, and so does a node's age: the pool's nodes expire after 14 days
(``expireAfter: 336h``), and a day later (``terminationGracePeriod: 24h``) this annotation stops holding them."""
IDLE_TIMEOUT = 600
"""Seconds the load balancer keeps a connection on which nothing passes, and waits for an answer's next byte."""
KEEP_ALIVE = IDLE_TIMEOUT + 10
"""Seconds our servers keep one: longer than the load balancer, or its callers get 502 whenever it sends a request on a
connection that is just being closed (user guide for Application Load Balancers, "Connection idle timeout")."""


@dataclass(frozen=True)
class Backend:
    """The Service that an ingress leads to, and the path at which the load balancer asks whether it is well."""

    service: str
    port: int
    health_path: str


@dataclass(frozen=True)
class DatabaseServer:
    """A PostgreSQL server and its administrator.

    Attributes:
        id: tells one server from another of the same name: a new one is empty.
    """

    id: str
    host: str
    port: int
    admin: str
    admin_password: str

    @classmethod
    def of(cls, data: DataOutputs, secrets: PlatformSecrets) -> Self:
        """The platform's own server."""
        password = secrets.postgres_admin_password.get_secret_value()
        return cls(data.postgres_cluster_id, data.postgres_host, data.postgres_port, data.postgres_admin, password)


class Quoted(str):
    """Text that has been made one YAML value."""


def quoted(value: Any) -> Quoted:
    """A value as one line of JSON that every YAML reader takes for the same value."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=_no_json)
    # JSON allows some characters raw that YAML does not; beyond them text stays as it is.
    return Quoted(
        "".join(one if one.isprintable() else f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}" for one in text)
    )


def _no_json(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # says which name the template asked for
    raise TypeError(f"a template was given a {type(value).__name__}, which is not plain data")


def _only_quoted(value: Any) -> Any:
    if not isinstance(value, Quoted):
        raise TypeError(f"a template prints a value that did not pass through 'tojson': {type(value).__name__}")
    return value


def environment(folder: Path, **more: Any) -> Environment:
    """The templates of a folder. YAML, not HTML: quoting is done by ``tojson``."""
    made = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, **more  # noqa: S701
    )  # fmt: skip
    made.filters["tojson"] = quoted
    return made


@cache
def _environment() -> Environment:
    made = environment(shipped("manifests"), finalize=_only_quoted)  # which refuses whatever was not quoted
    made.globals["undisturbed"] = UNDISTURBED
    made.filters["b64encode"] = lambda text: base64.b64encode(text.encode()).decode()
    return made


def objects(template: str, **values: Any) -> list[Document]:
    """The documents of one template, e.g. ``objects("namespace", namespace="genai-platform")``.

    Raises:
        jinja2.UndefinedError: the template names a value that was not given.
    """
    return parsed(_environment().get_template(f"{template}.yaml.j2").render(**values))


def parsed(text: str) -> list[Document]:
    """The documents of a YAML text that was rendered here, without the empty ones."""
    # libyaml's loader, where PyYAML was built with it, is ten times as fast as its twin in Python.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, Loader=loader) if document]


def checksum(*parts: Any) -> str:
    """A short checksum of plain data, the same on every machine."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def namespace(line: Literal[1, 2]) -> list[Document]:
    """The namespace, with the Pod Security level that Langfuse's chart line needs.

    The operator of line 2 gives ClickHouse's pods the capabilities IPC_LOCK, PERFMON and SYS_PTRACE, which "baseline"
    refuses (https://github.com/ClickHouse/clickhouse-operator/issues/174).
    """
    return objects("namespace", namespace=NAMESPACE, enforced="baseline" if line == 1 else "privileged")


def storage_class() -> list[Document]:
    return objects("storage-class")


def ingress_class(group: str, certificate_arns: Sequence[str]) -> list[Document]:
    """The class of both ingresses and its parameters: one load balancer for the group."""
    return objects("ingress-class", group=group, certificate_arns=list(certificate_arns), idle_timeout=IDLE_TIMEOUT)


def ingress(
    name: str,
    backend: Backend,
    listener: Listener,
    inbound_cidrs: Sequence[str],
    *,
    exact_paths: Sequence[str] = (),
    header: tuple[str, str] | None = None,
) -> list[Document]:
    """One application's ingress on one port of the shared load balancer.

    Args:
        inbound_cidrs: the networks that may come in.
        exact_paths: the only paths that are served; default: all.
        header: name and value of a request header without which nothing is served. The value is a secret.
    """
    condition = {"field": "http-header", "httpHeaderConfig": {"httpHeaderName": header[0], "values": [header[1]]}} if header else None
    return objects(
        "ingress",
        name=name,
        namespace=NAMESPACE,
        service=backend.service,
        service_port=backend.port,
        listen_ports=json.dumps([{"HTTPS" if listener.tls else "HTTP": listener.port}]),
        host=listener.host,
        health_path=backend.health_path,
        inbound_cidrs=",".join(sorted(inbound_cidrs)),
        exact_paths=list(exact_paths),
        conditions=json.dumps([condition]) if condition else None,
    )


def database(name: str, server: DatabaseServer, *, image: str, role: str, database: str, password: str) -> list[Document]:
    """The Secret, ConfigMap and Job that make one application's role and database. The Job carries its inputs' checksum."""
    sql = (shipped("manifests") / "database.sql").read_text(encoding="utf-8")
    made = objects(
        "database", name=name, namespace=NAMESPACE, image=image, host=server.host, port=server.port, admin=server.admin,
        admin_password=server.admin_password, role=role, database=database, password=password, sql=sql,
    )  # fmt: skip
    return stamped(made, server.id)


def stamped(made: Sequence[Document], *more: Any) -> list[Document]:
    """The same documents; each Job carries a checksum of all of them and of ``more``, so that a change of any makes a new run."""
    mark = checksum(list(made), *more)
    return [_annotated(document, mark) if document["kind"] == "Job" else document for document in made]


def without_secrets(document: Mapping[str, Any]) -> Document:
    """A copy fit for showing: the values of a Secret, and of a header that an Ingress demands, are ``(secret)``."""
    if document["kind"] == "Ingress":
        metadata = document["metadata"]
        notes = {name: "(secret)" if name.startswith(_CONDITIONS) else value for name, value in (metadata.get("annotations") or {}).items()}
        return {**document, "metadata": {**metadata, "annotations": notes}}
    if document["kind"] != "Secret":
        return dict(document)
    return {**document, **{field: dict.fromkeys(document[field], "(secret)") for field in ("data", "stringData") if field in document}}


def as_text(documents: Sequence[Mapping[str, Any]], *, secrets: bool = False) -> str:
    """YAML as a person would write it, long text in blocks; secrets hidden unless they are asked for."""
    shown = [dict(document) if secrets else without_secrets(document) for document in documents]
    return "---\n".join(yaml.dump(one, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000) for one in shown)


def secret_values(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every value of the Secrets among them, for hiding them in logs."""
    for document in documents:
        if document["kind"] == "Secret":
            yield from (base64.b64decode(value).decode() for value in document.get("data", {}).values())


def _annotated(document: Document, mark: str) -> Document:
    metadata = document["metadata"]
    return {**document, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), INPUTS: mark}}}


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)
)
