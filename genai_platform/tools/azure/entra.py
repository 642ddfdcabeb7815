"""Microsoft Graph v1.0: the applications, service principals and app role assignments of the tenant.

Fresh objects answer 404 for seconds, so whatever follows a creation asks again for a while. What refers to one by its
identifier is answered 400 or 403 instead, in words of its own: those are waited for, too.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from genai_platform.errors import AlreadyExists, StepError
from genai_platform.tools.azure.credentials import GRAPH_SCOPE
from genai_platform.tools.azure.errors import TemporaryRefusal, explained
from genai_platform.tools.azure.federated_credentials import FederatedCredentials
from genai_platform.tools.azure.rest import Body, Rest
from genai_platform.tools.azure.token import claims

if TYPE_CHECKING:
    from genai_platform.tools.azure import Azure

_FRESH = 90.0
_SHOWN = 10.0
"""Seconds; for what another call has shown already, though perhaps not from every replica."""
_REPLICATED = 600.0
"""Seconds; a service principal is known to role assignments last of all."""
_QUOTA = "Directory_QuotaExceeded"
_NOT_ALLOWED = "AsPerAppPolicy"
"""How Graph's codes end where a tenant forbids client secrets, or caps how long they last (application management policies)."""
_KINDS: tuple[tuple[int, str, type[StepError]], ...] = (
    # An application whose uniqueName is in use, an app role that was given already; the appId of a service principal that exists.
    (400, r"property uniqueName already exists", AlreadyExists),
    (400, r"Permission being assigned already exists", AlreadyExists),
    (0, r"service principal .*(already in use|already exists)", AlreadyExists),
    # What was made a moment ago is not known everywhere: the application, then its service principal.
    (400, r"does not reference a valid", TemporaryRefusal),
    (403, r"backing application", TemporaryRefusal),
    (400, r"not a valid reference update", TemporaryRefusal),
    (400, r"was not found on application", TemporaryRefusal),
)
"""Graph's status (0: any) and words, and what they mean: all have the code ``Request_BadRequest`` or ``Authorization_RequestDenied``.

The azuread provider of Terraform reads the same words.
"""
_COUNTED = {"ConsistencyLevel": "eventual"}
CLOUD_APPLICATION_ADMINISTRATOR = "158c047a-c907-4556-b7ef-446551a6b5f7"
APPLICATION_ADMINISTRATORS = frozenset(
    {CLOUD_APPLICATION_ADMINISTRATOR, "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "62e90394-69f5-4237-9190-012177145e10"}
)
"""Template ids of the directory roles that may do it: Cloud Application, Application and Global Administrator (Entra built-in roles)."""
_DELETED = "/v1.0/directory/deletedItems"


class Entra:
    """One tenant's directory. This environment's objects have a ``uniqueName``, which is their display name too."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._rest = Rest(azure.target.endpoints.azure.graph, GRAPH_SCOPE, azure.credential, azure.target.endpoints, kind=_kind)
        self.federated_credentials = FederatedCredentials(self._rest)

    # -- applications -----------------------------------------------------------------------------
    def application(self, unique_name: str, *, fresh: float = 0.0) -> Body | None:
        """One of our applications; None when there is none, after ``fresh`` seconds: one just made may not show yet."""
        path = f"/v1.0/applications(uniqueName='{quote(unique_name)}')"
        return self._rest.call("GET", path, f"read the application {unique_name}", fresh=fresh)

    def applications(self, prefix: str) -> list[Body]:
        """Our applications whose name begins with ``prefix``."""
        query = {"$filter": f"startswith(displayName,'{prefix}')", "$top": "999"}
        found = self._rest.pages("/v1.0/applications", f"list the applications {prefix}*", query)
        return [entry for entry in found if str(entry.get("uniqueName") or "").startswith(prefix)]

    def ensure_application(self, unique_name: str, body: Body, change: Callable[[Body], Body] | None = None) -> Body:
        """The application of this name, made when missing, with these properties.

        Args:
            change: what to send to one that is there already, from how it is; raises for one that is not to be changed. Default: the
                same properties.

        It is made by POST: an identity that makes one by PATCH with ``create-if-missing`` does not become its owner, and with
        ``Application.ReadWrite.OwnedBy`` alone may not change it afterwards.
        """
        path = f"/v1.0/applications(uniqueName='{quote(unique_name)}')"
        what = f"make the application {unique_name}"
        wanted: Body = {"displayName": unique_name, **body}
        try:
            return _there(self._rest.call("POST", "/v1.0/applications", what, body={"uniqueName": unique_name, **wanted}), unique_name)
        except AlreadyExists:
            pass
        except StepError as error:
            if error.error_code != _QUOTA:
                raise
            raise StepError(
                error.message,
                remedy="an identity without a directory role may own 250 objects, deleted ones included: purge some, or work as "
                "an administrator of applications",
                id="azure.directory_quota",
            ) from None
        if change is not None:
            there = _there(self._rest.call("GET", path, what, fresh=_FRESH), unique_name)
            wanted = {"displayName": unique_name, **change(there)}
        _there(self._rest.call("PATCH", path, what, body=wanted, fresh=_FRESH), unique_name)
        return _there(self._rest.call("GET", path, what, fresh=_FRESH), unique_name)

    def change_application(self, id: str, body: Body) -> None:
        """Change an application, also one that was made a moment ago."""
        _there(self._rest.call("PATCH", f"/v1.0/applications/{id}", "change an application", body=body, fresh=_FRESH), id)

    def delete_application(self, id: str) -> None:
        """Delete an application and its service principal; both can be restored for 30 days."""
        self._rest.call("DELETE", f"/v1.0/applications/{id}", "delete an application")

    def add_password(self, id: str, name: str, until: datetime) -> tuple[str, SecretStr]:
        """A new client secret: its key id, and the value, which is shown this once."""
        body: Body = {"passwordCredential": {"displayName": name, "endDateTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        path = f"/v1.0/applications/{id}/addPassword"
        try:
            what = f"make a client secret for {name}"
            made = _there(self._rest.post_once(path, what, body, fresh=_FRESH), name)
        except StepError as error:
            if not error.error_code.endswith(_NOT_ALLOWED):
                raise
            raise StepError(
                f"{error.message} (a policy of the tenant limits client secrets)",
                remedy="use an application with credentials of its own: azure.callers.NAME.client_id; or ask for an exemption",
                id="azure.secret_policy",
            ) from None
        return str(made["keyId"]), SecretStr(str(made["secretText"]))

    def remove_password(self, id: str, key_id: str) -> None:
        """Remove a client secret by its key id."""
        path = f"/v1.0/applications/{id}/removePassword"
        self._rest.post_once(path, "remove a client secret", {"keyId": key_id}, fresh=_FRESH)

    # -- service principals -----------------------------------------------------------------------
    def principal(self, app_id: str, *, fresh: float = 0.0) -> Body | None:
        """The service principal of an application; None when there is none. ``fresh`` as for ``application``."""
        path = f"/v1.0/servicePrincipals(appId='{app_id}')"
        return self._rest.call("GET", path, f"read the service principal of {app_id}", fresh=fresh)

    def principals(self, prefix: str) -> list[Body]:
        """The service principals whose display name begins with ``prefix``."""
        query = {"$filter": f"startswith(displayName,'{prefix}')", "$top": "999"}
        return list(self._rest.pages("/v1.0/servicePrincipals", f"list the service principals {prefix}*", query))

    def ensure_principal(self, app_id: str) -> Body:
        """The service principal of an application, made when missing: by POST, so that it is ours."""
        what = f"make the service principal of {app_id}"
        found = self.principal(app_id)
        if found is not None:
            return found
        try:
            make = lambda: self._rest.call("POST", "/v1.0/servicePrincipals", what, body={"appId": app_id})  # noqa: E731
            return _there(self._again(make, _FRESH), app_id)
        except AlreadyExists:
            # Made a moment ago, and not shown yet.
            return _there(self.principal(app_id, fresh=_FRESH), app_id)

    def change_principal(self, id: str, body: Body) -> None:
        """Change a service principal, also one that was made a moment ago."""
        _there(self._rest.call("PATCH", f"/v1.0/servicePrincipals/{id}", "change a service principal", body=body, fresh=_FRESH), id)

    # -- app role assignments -----------------------------------------------------------------------
    def assignments(self, api_principal: str) -> list[Body]:
        """Who holds a role of this API."""
        path = f"/v1.0/servicePrincipals/{api_principal}/appRoleAssignedTo"
        return list(self._rest.pages(path, "list the app role assignments", {"$top": "999"}))

    def assign(self, api_principal: str, principal: str, role: str, check: Callable[[], None] = lambda: None) -> None:
        """Give an app role; given already is fine. Principals that were made a moment ago are waited for, 600 s at most.

        Args:
            check: called between two tries; what it raises ends the wait.
        """
        with contextlib.suppress(AlreadyExists):
            _there(self._give(api_principal, principal, role, "assign an app role", _FRESH, check), principal)

    def admit(self, application: str, holder: str, role: str, check: Callable[[], None]) -> bool:
        """Assign a person or a group to an application; assigned already is fine. False where the person or group does not exist.

        Args:
            application: object id of the application's service principal, which may be new.
            check: called between two tries; what it raises ends the wait.
        """
        try:
            return self._give(application, holder, role, f"assign {holder}", _SHOWN, check) is not None
        except AlreadyExists:
            return True

    def _give(self, api: str, holder: str, role: str, what: str, fresh: float, check: Callable[[], None]) -> Body | None:
        body: Body = {"principalId": holder, "resourceId": api, "appRoleId": role}
        path = f"/v1.0/servicePrincipals/{api}/appRoleAssignedTo"
        return self._again(lambda: self._rest.call("POST", path, what, body=body, fresh=fresh), _REPLICATED, check)

    def person(self, name: str) -> str | None:
        """The object id of the person with this user principal name; None when there is none. Raises ``Forbidden``."""
        found = self._rest.call("GET", f"/v1.0/users/{quote(name)}", f"look up {name}", query={"$select": "id"})
        return None if found is None else str(found["id"])

    def unassign(self, api_principal: str, assignment: str) -> None:
        """Take an app role away."""
        path = f"/v1.0/servicePrincipals/{api_principal}/appRoleAssignedTo/{assignment}"
        self._rest.call("DELETE", path, "remove an app role assignment")

    # -- deleted items ------------------------------------------------------------------------------
    def deleted(self, prefix: str) -> list[Body]:
        """Our soft-deleted applications."""
        query = {"$filter": f"startswith(displayName,'{prefix}')", "$count": "true"}
        path = f"{_DELETED}/microsoft.graph.application"
        found = self._rest.pages(path, "list the deleted applications", query, _COUNTED)
        return [entry for entry in found if str(entry.get("uniqueName") or entry.get("displayName") or "").startswith(prefix)]

    def deleted_principals(self, prefix: str) -> list[Body]:
        """Our soft-deleted service principals: they are kept apart from their applications."""
        query = {"$filter": f"startswith(displayName,'{prefix}')", "$count": "true"}
        path = f"{_DELETED}/microsoft.graph.servicePrincipal"
        return list(self._rest.pages(path, "list the deleted service principals", query, _COUNTED))

    def purge(self, id: str, *, fresh: float = 0.0) -> None:
        """Remove a soft-deleted object for good; gone already is fine. ``fresh``: seconds to ask again for one that was just deleted."""
        self._rest.call("DELETE", f"{_DELETED}/{id}", "purge a deleted directory object", fresh=fresh)

    def restore(self, id: str) -> None:
        """Bring a soft-deleted object back."""
        self._rest.call("POST", f"{_DELETED}/{id}/restore", "restore a deleted directory object", body={})

    # -- who we are -----------------------------------------------------------------------------------
    def permissions(self) -> set[str]:
        """The Graph permissions in our own token: an application's; a person's rights come from directory roles."""
        return set(self._claims().get("roles") or ())

    def directory_roles(self) -> set[str] | None:
        """Template ids of the directory roles a person holds; None when the token does not say."""
        found = self._claims().get("wids")
        return None if found is None else set(found)

    def directory_size(self) -> tuple[int, int] | None:
        """Objects in the directory, and how many it may have; None where Graph does not tell. Raises ``Forbidden``.

        Graph has this in its beta alone (directorySizeQuota resource type).
        """
        for found in self._rest.pages("/beta/organization", "read how full the directory is", {"$select": "id,directorySizeQuota"}):
            size = found.get("directorySizeQuota") or {}
            if "used" in size and "total" in size:
                return int(size["used"]), int(size["total"])
        return None

    def _claims(self) -> Body:
        with explained("sign in to Graph"):
            token = self._azure.credential.get_token(GRAPH_SCOPE).token
        return claims(SecretStr(token))

    @staticmethod
    def _again(ask: Callable[[], Body | None], limit: float, check: Callable[[], None] = lambda: None) -> Body | None:
        """Ask until the answer is not a temporary refusal, ``limit`` seconds at most."""
        again = Retrying(
            retry=retry_if_exception_type(TemporaryRefusal),
            wait=wait_exponential(multiplier=0.05, exp_base=1.7, max=5),
            stop=stop_after_delay(limit),
            before_sleep=lambda state: check(),
            reraise=True,
        )
        return again(ask)


def _kind(number: int, text: str) -> type[StepError] | None:
    """What a refusal of Graph means, where its words alone say it."""
    fitting = (kind for known, words, kind in _KINDS if known in (0, number) and re.search(words, text, re.IGNORECASE))
    return next(fitting, None)


def _there(found: Body | None, name: str) -> Body:
    if found is None:
        raise StepError(
            f"Graph does not show {name} although it was just made", remedy="run the same command again", id="azure.not_visible"
        )
    return found
