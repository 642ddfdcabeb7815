"""What the gateway knows of one API Management service: its APIs, policies, backends and named values, as ARM holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from genai_platform.sandbox.azure.gateway.program import SECTIONS, Program, compile_policy, inherited
from genai_platform.sandbox.azure.store import Object, Store


@dataclass(frozen=True)
class Api:
    """One API: the path it answers under, its closed list of operations and its policy."""

    path: str
    operations: tuple[tuple[str, str], ...]
    """Pairs of method and URL template."""
    program: Program
    key_header: str
    key_required: bool

    def accepts(self, method: str, path: str) -> bool:
        """Whether an operation matches; what matches none is answered 404."""
        return any(method == verb and _matches(template, path) for verb, template in self.operations)


@dataclass(frozen=True)
class Backend:
    """Where requests go."""

    url: str
    verified: bool
    """Whether the certificate is checked (``validateCertificateChain``)."""


@dataclass(frozen=True)
class Service:
    """One service as it is now."""

    name: str
    apis: tuple[Api, ...]
    backends: Mapping[str, Backend]
    named_values: Mapping[str, str]
    principal_id: str

    def api_for(self, path: str) -> tuple[Api, str] | None:
        """The API whose path is the longest prefix of ``path``, and the rest of the path."""
        for api in sorted(self.apis, key=lambda entry: -len(entry.path)):
            if not api.path or path.strip("/") == api.path or path.lstrip("/").startswith(api.path + "/"):
                return api, "/" + path.lstrip("/")[len(api.path) :].lstrip("/")
        return None


def _matches(template: str, path: str) -> bool:
    pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template)).replace(r"/\*", "(/.*)?")
    return re.fullmatch(pattern, path) is not None


def read_service(store: Store, name: str) -> Service | None:
    """The service as ARM holds it; None when there is none of this name."""
    known = store.get("services", name)
    resource = store.get("arm", known["id"]) if known else None
    if known is None or resource is None:
        return None
    inside = store.all("arm", known["id"] + "/")

    def kind(name: str, among: list[Object] = inside) -> list[Object]:
        return [entry for entry in among if entry["type"].lower().endswith("/" + name)]

    own = [entry for entry in kind("policies") if entry["id"].lower() == f"{known['id']}/policies/policy".lower()]
    base = compile_policy(own[0]["properties"]["value"]) if own else dict.fromkeys(SECTIONS, ())
    apis = []
    for api in kind("apis"):
        below = [entry for entry in inside if entry["id"].lower().startswith(api["id"].lower() + "/")]
        policies = kind("policies", below)
        operations = [entry["properties"] for entry in kind("operations", below)]
        properties = api["properties"]
        apis.append(
            Api(
                path=str(properties.get("path", "")).strip("/"),
                operations=tuple((operation["method"], operation["urlTemplate"]) for operation in operations),
                program=inherited(compile_policy(policies[0]["properties"]["value"]), base) if policies else base,
                key_header=(properties.get("subscriptionKeyParameterNames") or {}).get("header") or "Ocp-Apim-Subscription-Key",
                key_required=bool(properties.get("subscriptionRequired", True)),
            )
        )
    return Service(
        name=name,
        apis=tuple(apis),
        backends={entry["name"]: _backend(entry["properties"]) for entry in kind("backends")},
        named_values={entry["properties"]["displayName"]: entry["_value"] or "" for entry in kind("namedvalues")},
        principal_id=(resource.get("identity") or {}).get("principalId", ""),
    )


def _backend(properties: Object) -> Backend:
    return Backend(properties["url"].rstrip("/"), (properties.get("tls") or {}).get("validateCertificateChain", True))
