"""What the tokens of a signed-in person say: ID token claims reference of the Microsoft identity platform, version 2.0."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from typing import Any

from genai_platform.sandbox.azure.tenancy import Directory

MOST_GROUPS = 200
"""More groups than these are not in a token but behind an address (ID token claims reference, groups overage claim)."""


def pairwise(person: str, client: str) -> str:
    """The subject of a person, another one for each application."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"{person}/{client}".encode()).digest()).decode().rstrip("=")


def id_claims(
    directory: Directory, application: dict[str, Any], person: dict[str, Any], scopes: Collection[str], graph: str
) -> dict[str, Any]:
    """The claims of an ID token apart from issuer, times and nonce.

    Args:
        graph: base address of Microsoft Graph, where a person with too many groups is looked up.
    """
    claims: dict[str, Any] = {
        "aud": application["appId"],
        "oid": person["id"],
        "sub": pairwise(person["id"], application["appId"]),
        "tid": directory.tenant,
        "ver": "2.0",
    }
    if "profile" in scopes:
        claims |= {"name": person["displayName"], "preferred_username": person["userPrincipalName"]}
    if "email" in scopes and person.get("mail"):
        claims["email"] = person["mail"]
    if roles := roles_of(directory, application, holders(person)):
        claims["roles"] = roles
    return claims | _groups(directory, application, person, graph)


def holders(person: dict[str, Any]) -> set[str]:
    """A person and the groups that the person is in: whom something may be assigned to."""
    return {person["id"], *person.get("groups", [])}


def assigned(directory: Directory, application: dict[str, Any], holding: set[str]) -> list[dict[str, Any]]:
    """The assignments to an application that any of the holders has."""
    principal = directory.find("servicePrincipals", "appId", application["appId"])
    found = directory.all("appRoleAssignments", principal["id"] + "/") if principal else []
    return [entry for entry in found if entry["principalId"] in holding]


def roles_of(directory: Directory, application: dict[str, Any], holding: set[str]) -> list[str]:
    """The values of the application's roles that any of the holders has."""
    given = {entry["appRoleId"] for entry in assigned(directory, application, holding)}
    return [role["value"] for role in application.get("appRoles", []) if role["id"] in given and role.get("isEnabled", True)]


def _groups(directory: Directory, application: dict[str, Any], person: dict[str, Any], graph: str) -> dict[str, Any]:
    wanted = application.get("groupMembershipClaims")
    groups = list(person.get("groups", []))
    if wanted in (None, "None", "DirectoryRole"):
        return {}
    if wanted == "ApplicationGroup":
        groups = [entry["principalId"] for entry in assigned(directory, application, set(groups))]
    if len(groups) <= MOST_GROUPS:
        return {"groups": groups} if groups else {}
    address = f"{graph}/v1.0/users/{person['id']}/getMemberObjects"
    return {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": address}}}
