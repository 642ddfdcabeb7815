"""Azure Resource Manager, as far as no small SDK covers it: the subscription, resource groups, role assignments."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from genai_platform.errors import Forbidden, MissingError, StepError
from genai_platform.tools.azure.credentials import ARM_SCOPE
from genai_platform.tools.azure.rest import Body, Rest

if TYPE_CHECKING:
    from genai_platform.tools.azure import Azure

_RESOURCES = {"api-version": "2021-04-01"}
_ROLES = {"api-version": "2022-04-01"}
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
"""Built-in role definition ids (Azure built-in roles)."""


class Arm:
    """One subscription."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._rest = Rest(azure.target.endpoints.azure.arm, ARM_SCOPE, azure.credential, azure.target.endpoints)

    @property
    def _root(self) -> str:
        return f"/subscriptions/{self._azure.subscription}"

    def confirm(self) -> str:
        """The subscription's name. Raises ``MissingError`` when it cannot be seen or belongs to another tenant."""
        found = self._rest.call("GET", self._root, f"read the subscription {self._azure.subscription}", query={"api-version": "2022-12-01"})
        if found is None:
            raise MissingError(
                f"the subscription {self._azure.subscription} (azure.subscription_id) is not visible to {self._azure.identity.name}",
                remedy="check azure.subscription_id, or sign in as somebody who may see it: az account list",
                id="azure.other_subscription",
            )
        tenant = str(found.get("tenantId", self._azure.tenant)).lower()
        if tenant != self._azure.tenant:
            raise MissingError(
                f"the subscription belongs to tenant {tenant}, azure.tenant_id pins {self._azure.tenant}",
                remedy="correct azure.tenant_id or azure.subscription_id",
                id="azure.other_tenant",
            )
        return str(found.get("displayName") or self._azure.subscription)

    # -- resource providers -----------------------------------------------------------------------
    def registration(self, namespace: str) -> str:
        """How far a resource provider is registered: ``Registered``, ``Registering``, ``NotRegistered``, ``Unregistered``, …

        Empty when we may not ask: that is a right at the subscription.
        """
        path = f"{self._root}/providers/{namespace}"
        try:
            found = self._rest.call("GET", path, f"read the resource provider {namespace}", query=_RESOURCES)
        except Forbidden:
            return ""
        return str((found or {}).get("registrationState") or "")

    def register(self, namespace: str) -> None:
        """Begin to register a resource provider; ``registration`` tells how far it is."""
        path = f"{self._root}/providers/{namespace}/register"
        self._rest.call("POST", path, f"register the resource provider {namespace}", query=_RESOURCES)

    # -- resource groups --------------------------------------------------------------------------
    def group(self, name: str) -> Body | None:
        """The resource group; None when there is none."""
        return self._rest.call("GET", f"{self._root}/resourcegroups/{name}", f"read the resource group {name}", query=_RESOURCES)

    def make_group(self, name: str, location: str, tags: dict[str, str]) -> None:
        """Make a resource group (or set its tags)."""
        body: Body = {"location": location, "tags": tags}
        self._rest.call("PUT", f"{self._root}/resourcegroups/{name}", f"make the resource group {name}", body=body, query=_RESOURCES)

    def delete_group(self, name: str) -> None:
        """Begin to delete a resource group and all that is in it."""
        self._rest.call("DELETE", f"{self._root}/resourcegroups/{name}", f"delete the resource group {name}", query=_RESOURCES)

    def contents(self, name: str) -> list[str]:
        """What lies in a resource group: names with their types."""
        path = f"{self._root}/resourceGroups/{name}/resources"
        return [f"{entry['name']} ({entry['type']})" for entry in self._rest.pages(path, f"list what is in {name}", _RESOURCES)]

    def tagged(self, tags: dict[str, str]) -> list[tuple[str, str, str]]:
        """Everything in the subscription that carries these tags: identifier, type and name."""
        # The service searches by one tag at a time, and its answer then leaves the tags out (Resources - List): one query for each.
        found: dict[str, tuple[str, str, str]] | None = None
        for name, value in tags.items():
            query = {**_RESOURCES, "$filter": f"tagName eq '{name}' and tagValue eq '{value}'"}
            entries = self._rest.pages(f"{self._root}/resources", "list what carries our tags", query)
            those = {str(entry["id"]).lower(): (str(entry["id"]), str(entry["type"]), str(entry["name"])) for entry in entries}
            found = those if found is None else {id: entry for id, entry in found.items() if id in those}
        return list((found or {}).values())

    def permissions(self, scope: str) -> list[Body]:
        """The signed-in identity's effective permissions at a scope. Raises ``Forbidden`` where it may not even ask."""
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        return list(self._rest.pages(path, f"read our permissions at {_last(scope)}", _ROLES))

    def may(self, scope: str, action: str) -> bool:
        """Whether the signed-in identity's effective permissions at a scope allow an action; not, where it may not even ask."""
        try:
            return allows(self.permissions(scope), action)
        except Forbidden:
            return False

    # -- role assignments -------------------------------------------------------------------------
    def assignment(self, scope: str, principal: str, role: str) -> Body | None:
        """The assignment of a role to a principal at exactly this scope; None when there is none."""
        query = {**_ROLES, "$filter": f"principalId eq '{principal}'"}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        for entry in self._rest.pages(path, f"read the role assignments of {_last(scope)}", query):
            properties = entry["properties"]
            if str(properties["roleDefinitionId"]).lower().endswith(role) and str(properties.get("scope", scope)).lower() == scope.lower():
                return entry
        return None

    def own_assignments(self, principal: str, role: str) -> dict[str, str]:
        """The scopes at which ``assign`` gave a role to a principal, each with the assignment's id. What others gave is not among them."""
        query = {**_ROLES, "$filter": f"principalId eq '{principal}'"}
        path = f"{self._root}/providers/Microsoft.Authorization/roleAssignments"
        found: dict[str, str] = {}
        for entry in self._rest.pages(path, "read the role assignments of the subscription", query):
            id = str(entry["id"])
            scope = str(entry["properties"].get("scope") or id.partition("/providers/Microsoft.Authorization/")[0])
            if _last(id).lower() == _name(scope, principal, role):
                found[scope] = id
        return found

    def assign(self, scope: str, principal: str, role: str, kind: str = "ServicePrincipal") -> None:
        """Give a role. The assignment's name follows from its content, so doing it twice makes one."""
        name = _name(scope, principal, role)
        definition = f"{self._root}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        body: Body = {"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": kind}}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        try:
            self._rest.call("PUT", path, f"assign a role at {_last(scope)}", body=body, query=_ROLES)
        except StepError as error:
            if error.error_code != "RoleAssignmentExists":
                raise

    def unassign(self, assignment_id: str) -> None:
        """Take a role away."""
        self._rest.call("DELETE", assignment_id, "remove a role assignment", query=_ROLES)


def allows(held: list[Body], action: str) -> bool:
    """Whether one of these permissions allows an action and does not take it out again."""
    for entry in held:
        allowed = any(_matches(pattern, action) for pattern in entry.get("actions") or ())
        if allowed and not any(_matches(pattern, action) for pattern in entry.get("notActions") or ()):
            return True
    return False


def _matches(pattern: str, action: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def _name(scope: str, principal: str, role: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{scope.lower()}|{principal}|{role}"))


def _last(scope: str) -> str:
    return scope.rsplit("/", 1)[1]
