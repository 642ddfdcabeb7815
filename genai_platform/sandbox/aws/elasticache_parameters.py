"""ElastiCache's parameter groups, which moto does not have."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache.exceptions import ElastiCacheException
from moto.elasticache.responses import ElastiCacheResponse

from genai_platform.sandbox.aws.identity import ACCOUNT

_EVICTION = "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"
_VALUE = "InvalidParameterValueException"
_DEFAULTS = {
    "maxmemory-policy": ("volatile-lru", "string", _EVICTION),
    "timeout": ("0", "integer", "0,20-"),
    "tcp-keepalive": ("300", "integer", "0-"),
    "notify-keyspace-events": (None, "string", None),
    "cluster-enabled": ("no", "string", "yes,no"),
    "reserved-memory-percent": ("25", "integer", "0-100"),
}


class ParameterGroup:
    """A cache parameter group."""

    def __init__(self, name: str, family: str, description: str, region: str) -> None:
        self.cache_parameter_group_name = name
        self.cache_parameter_group_family = family
        self.description = description
        self.is_global = False
        self.arn = f"arn:aws:elasticache:{region}:{ACCOUNT}:parametergroup:{name}"
        self.values: dict[str, str] = {}


def groups(backend: Any) -> dict[str, ParameterGroup]:
    """The parameter groups of a region, those that AWS ships included."""
    held: dict[str, ParameterGroup] | None = backend.__dict__.get("parameter_groups")
    if held is None:
        held = backend.parameter_groups = {
            f"default.{family}": ParameterGroup(f"default.{family}", family, f"Default parameter group for {family}", backend.region_name)
            for family in ("redis6.x", "redis7", "valkey7", "valkey8")
        }
    return held


def defaults() -> dict[str, str]:
    """What a parameter has when no group says otherwise."""
    return {name: default for name, (default, _, _) in _DEFAULTS.items() if default is not None}


def patch() -> None:
    """Give moto's ElastiCache the operations."""
    for operation in (
        create_cache_parameter_group, describe_cache_parameter_groups, modify_cache_parameter_group,
        reset_cache_parameter_group, delete_cache_parameter_group, describe_cache_parameters,
    ):  # fmt: skip
        setattr(ElastiCacheResponse, operation.__name__, operation)


# -- operations: methods of moto's ElastiCacheResponse ---------------------------------------------
def _group(response: Any) -> ParameterGroup:
    name = response._get_param("CacheParameterGroupName")
    group = groups(response.elasticache_backend).get(name)
    if group is None:
        raise ElastiCacheException("CacheParameterGroupNotFoundFault", f"CacheParameterGroup {name} not found.")
    return group


def create_cache_parameter_group(self: Any) -> Any:
    name, backend = self._get_param("CacheParameterGroupName").lower(), self.elasticache_backend
    if name in groups(backend):
        raise ElastiCacheException("CacheParameterGroupAlreadyExistsFault", f"Parameter group {name} already exists")
    family = self._get_param("CacheParameterGroupFamily")
    if f"default.{family}" not in groups(backend):
        raise ElastiCacheException(_VALUE, f"CacheParameterGroupFamily {family} is not a valid parameter group family.")
    made = groups(backend)[name] = ParameterGroup(name, family, self._get_param("Description") or "", self.region)
    backend.tagging_service.tag_resource(made.arn, [dict(tag) for tag in self._get_param("Tags", [])])
    return ActionResult({"CacheParameterGroup": made})


def describe_cache_parameter_groups(self: Any) -> Any:
    named = self._get_param("CacheParameterGroupName")
    return ActionResult({"CacheParameterGroups": [_group(self)] if named else list(groups(self.elasticache_backend).values())})


def modify_cache_parameter_group(self: Any) -> Any:
    group = _group(self)
    for pair in self._get_param("ParameterNameValues", []):
        name, value = pair["ParameterName"], pair["ParameterValue"]
        allowed = _DEFAULTS.get(name)
        if allowed is None:
            raise ElastiCacheException(_VALUE, f"The parameter {name} is not supported in {group.cache_parameter_group_family}.")
        if name == "maxmemory-policy" and value not in (allowed[2] or "").split(","):
            raise ElastiCacheException(_VALUE, f"The parameter value {value} is not allowed for parameter {name}.")
        group.values[name] = value
    return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})


def reset_cache_parameter_group(self: Any) -> Any:
    group = _group(self)
    if self._get_bool_param("ResetAllParameters"):
        group.values.clear()
    for pair in self._get_param("ParameterNameValues", []):
        group.values.pop(pair["ParameterName"], None)
    return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})


def delete_cache_parameter_group(self: Any) -> Any:
    group, backend = _group(self), self.elasticache_backend
    name = group.cache_parameter_group_name
    if any(used.cache_parameter_group_name == name for used in backend.replication_groups.values()) or name.startswith("default."):
        text = f"The parameter group {name} cannot be deleted: it is in use or a default."
        raise ElastiCacheException("InvalidCacheParameterGroupStateFault", text)
    del groups(backend)[name]
    return EmptyResult()


def describe_cache_parameters(self: Any) -> Any:
    group, source = _group(self), self._get_param("Source")
    parameters = [
        {
            "ParameterName": name, "ParameterValue": group.values.get(name, default), "DataType": kind, "AllowedValues": allowed,
            "Source": "user" if name in group.values else "system", "IsModifiable": True, "ChangeType": "immediate",
            "MinimumEngineVersion": "2.6.13",
        }
        for name, (default, kind, allowed) in _DEFAULTS.items()
    ]  # fmt: skip
    return ActionResult({"Parameters": [one for one in parameters if source in (None, "", one["Source"])]})
