"""Changing the app roles and scopes of an application that exists.

Graph neither removes nor changes one that is enabled (``CannotDeleteOrUpdateEnabledEntitlement``), and no two may have one
value: one that is to be removed, changed or replaced is disabled first. Roles and scopes that somebody else added are left as they are.
"""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def disabled(found: Body, wanted: Body) -> Body:
    """What to send first: the roles and scopes that must be disabled, disabled; empty when none must.

    Args:
        found: the application as it is.
        wanted: the properties it is to have.
    """
    first: Body = {}
    roles, scopes = _roles(found), _scopes(found)
    if "appRoles" in wanted and (blocking := _blocking(roles, _roles(wanted))):
        first["appRoles"] = [_off(one, blocking) for one in roles]
    if "oauth2PermissionScopes" in (wanted.get("api") or {}) and (blocking := _blocking(scopes, _scopes(wanted))):
        first["api"] = {"oauth2PermissionScopes": [_off(one, blocking) for one in scopes]}
    return first


def merged(found: Body, wanted: Body) -> Body:
    """The wanted properties, with the roles and scopes that are there and in nobody's way."""
    full = dict(wanted)
    if "appRoles" in wanted:
        full["appRoles"] = _together(_roles(found), _roles(wanted))
    if "oauth2PermissionScopes" in (wanted.get("api") or {}):
        full["api"] = {**wanted["api"], "oauth2PermissionScopes": _together(_scopes(found), _scopes(wanted))}
    return full


def _roles(body: Body) -> list[Body]:
    return list(body.get("appRoles") or ())


def _scopes(body: Body) -> list[Body]:
    return list((body.get("api") or {}).get("oauth2PermissionScopes") or ())


def _blocking(there: list[Body], wanted: list[Body]) -> set[str]:
    """Identifiers of those that are there with the same value or the same identifier, and are not the wanted ones."""
    pairs = {(one["id"], one["value"]) for one in wanted}
    ids, values = {id for id, _ in pairs}, {value for _, value in pairs}
    return {one["id"] for one in there if (one["id"], one.get("value")) not in pairs and (one["id"] in ids or one.get("value") in values)}


def _off(one: Body, ids: set[str]) -> Body:
    return {**one, "isEnabled": False} if one["id"] in ids else one


def _together(there: list[Body], wanted: list[Body]) -> list[Body]:
    blocking, ids = _blocking(there, wanted), {one["id"] for one in wanted}
    return [*wanted, *(one for one in there if one["id"] not in blocking | ids)]
