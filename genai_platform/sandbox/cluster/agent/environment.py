"""The environment of a container: its spec's variables resolved as a kubelet resolves them. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from genai_platform.sandbox.cluster.api import Object

Source = Literal["configmaps", "secrets"]
Lookup = Callable[[Source, str], "Object | None"]
"""A config map or secret of the pod's namespace by name."""

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z0-9_.-]+)\))")
_QUANTITY = re.compile(r"^([0-9.]+(?:e[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_FACTORS = {"m": Decimal("0.001"), "": Decimal(1)}
_FACTORS.update({unit: Decimal(1000) ** (power + 1) for power, unit in enumerate(("k", "M", "G", "T", "P", "E"))})
_FACTORS.update({unit: Decimal(1024) ** (power + 1) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))})


class ConfigFault(Exception):
    """Something a container's configuration names is missing; the text is what a kubelet says."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``$(NAME)`` becomes its value, ``$$`` a dollar sign; an unknown name stays as written."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def resolve(pod: Object, container: Object, lookup: Lookup, capacity: Mapping[str, str]) -> dict[str, str]:
    """Every variable the spec gives: ``envFrom`` first, then ``env`` in order.

    Raises:
        ConfigFault: a secret, config map or key that is not optional is missing.
    """
    variables: dict[str, str] = {}
    for block in container.get("envFrom") or ():
        prefix = block.get("prefix", "")
        for field, source in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if field in block:
                entries = entries_of(source, block[field], lookup)  # type: ignore[arg-type]
                variables.update({prefix + key: value.decode(errors="replace") for key, value in entries.items()})
    for item in container.get("env") or ():
        if "valueFrom" in item:
            value = _value_from(pod, container, item["valueFrom"], lookup, capacity)
            if value is not None:
                variables[item["name"]] = value
        else:
            variables[item["name"]] = expand(item.get("value") or "", variables)
    return variables


def entries_of(source: Source, reference: Object, lookup: Lookup) -> dict[str, bytes]:
    """The entries of a config map or secret; none where it is missing and optional.

    Raises:
        ConfigFault: it is missing and not optional.
    """
    found = lookup(source, reference.get("name", ""))
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigFault(f'{source[:-1]} "{reference.get("name", "")}" not found')
    if source == "secrets":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    texts = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}


def _value_from(pod: Object, container: Object, origin: Object, lookup: Lookup, capacity: Mapping[str, str]) -> str | None:
    for field, source in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if field in origin:
            reference = origin[field]
            entries = entries_of(source, reference, lookup)  # type: ignore[arg-type]
            if reference["key"] in entries:
                return entries[reference["key"]].decode(errors="replace")
            if reference.get("optional"):
                return None
            kind = "Secret" if source == "secrets" else "ConfigMap"
            namespace = pod["metadata"]["namespace"]
            raise ConfigFault(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference.get('name', '')}")
    if "fieldRef" in origin:
        return field_of(pod, origin["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in origin:
        return resource_of(pod, origin["resourceFieldRef"], capacity, container)
    raise ConfigFault("a variable's source is not known")


def field_of(pod: Object, path: str) -> str:
    """A field of the pod for the downward API. Addresses are the ones a process can use: 127.N.x.y."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    address = "127" + status["podIP"][status["podIP"].index(".") :] if status.get("podIP") else ""
    plain = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": status.get("hostIP", ""),
    }
    if path in plain:
        return str(plain[path])
    match = re.fullmatch(r"metadata\.(labels|annotations)(?:\['(.+)'\])?", path)
    if match is None:
        raise ConfigFault(f"unsupported fieldPath: {path}")
    entries = meta.get(match[1]) or {}
    if match[2]:
        return str(entries.get(match[2], ""))
    return "\n".join(f'{key}="{_escape(value)}"' for key, value in sorted(entries.items()))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_of(pod: Object, reference: Object, capacity: Mapping[str, str], container: Object | None = None) -> str:
    """``limits.cpu`` and the like as a whole number of its divisor; an absent limit is what the node has."""
    if reference.get("containerName"):
        named = [c for c in pod["spec"]["containers"] if c["name"] == reference["containerName"]]
        container = named[0] if named else None
    group, _, name = reference["resource"].partition(".")
    resources = (container or {}).get("resources") or {}
    quantity = (resources.get(group) or {}).get(name)
    if quantity is None:
        quantity = capacity.get(name, "0") if group == "limits" else "0"
    divisor = parse_quantity(str(reference.get("divisor") or "0")) or Decimal(1)
    return str(int((parse_quantity(str(quantity)) / divisor).to_integral_value(ROUND_CEILING)))


def parse_quantity(text: str) -> Decimal:
    """``500m``, ``1Gi``, ``2`` as a number."""
    match = _QUANTITY.match(text)
    if match is None:
        raise ConfigFault(f"not a quantity: {text}")
    return Decimal(match[1]) * _FACTORS[match[2] or ""]
