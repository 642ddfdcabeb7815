"""Federated identity credentials of an application: whose tokens it signs in with instead of a secret.

Issuer, subject and audience are compared character by character (Microsoft Entra, "Important considerations and restrictions for
federated identity credentials"). A change is known to the token endpoint minutes later than to Graph.
"""

from __future__ import annotations

from dataclasses import dataclass

from genai_platform.errors import StepError
from genai_platform.render.workload_identity import AUDIENCE
from genai_platform.tools.azure.rest import Body, Rest

_FRESH = 90.0
"""Seconds; an application that was made a moment ago may not show yet."""


@dataclass(frozen=True)
class FederatedCredential:
    """One issuer's one subject. ``name`` cannot be changed, everything else can."""

    name: str
    issuer: str
    """As in the tokens' ``iss``: ``https://…``, with or without a slash at the end as they have it."""
    subject: str
    """``system:serviceaccount:NAMESPACE:NAME`` for a service account of Kubernetes."""
    audience: str = AUDIENCE


class FederatedCredentials:
    """The credentials of applications, which are given by their object id."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def of(self, application: str) -> list[FederatedCredential]:
        """All of an application; none when the application does not exist."""
        found = self._rest.pages(_path(application), "list the federated credentials of an application")
        return [
            FederatedCredential(str(one["name"]), str(one["issuer"]), str(one["subject"]), str((one.get("audiences") or [""])[0]))
            for one in found
        ]

    def ensure(self, application: str, wanted: FederatedCredential) -> bool:
        """Make the credential of this name what it is to be. Whether anything was changed. The application may be a moment old."""
        held = next((one for one in self.of(application) if one.name == wanted.name), None)
        if held == wanted:
            return False
        body: Body = {"issuer": wanted.issuer, "subject": wanted.subject, "audiences": [wanted.audience]}
        method, path = ("POST", _path(application)) if held is None else ("PATCH", f"{_path(application)}/{wanted.name}")
        body |= {"name": wanted.name} if held is None else {}
        done = self._rest.call(method, path, f"set the federated credential {wanted.name}", body=body, fresh=_FRESH)
        if done is None:
            raise StepError(
                f"could not set the federated credential {wanted.name}: Graph does not show its application",
                remedy="run the same command again",
                id="azure.not_visible",
            )
        return True

    def remove(self, application: str, name: str) -> None:
        """Remove a credential; gone already is fine."""
        self._rest.call("DELETE", f"{_path(application)}/{name}", f"remove the federated credential {name}")


def _path(application: str) -> str:
    return f"/v1.0/applications/{application}/federatedIdentityCredentials"
