"""``[sign_in]``: who may sign in with Entra ID, and as what. Which application asks Entra ID says its own table (``sign_in``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from genai_platform.config.merged import Contradiction, table
from genai_platform.config.values import Guid, Table, guid

TOOLS = ("litellm", "langfuse")
FREE_SEATS = 5
"""How many users LiteLLM's open edition may know while people sign in with SSO: with one more it refuses everybody. Callers are users, too
(``_raise_if_sso_exceeds_free_user_limit`` in LiteLLM's ``ui_sso.py``)."""
Way = Literal["password", "entra"]


def _person(value: str) -> str:
    if "@" in value:
        return value.lower()
    try:
        return guid(value)
    except ValueError:
        raise ValueError("a person's user principal name, e.g. anna@example.com, or object id") from None


Person = Annotated[str, AfterValidator(_person)]
LitellmRole = Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]


class SignIn(Table):
    groups: tuple[Guid, ...] = ()
    """Object ids of the groups whose direct members may sign in."""
    people: tuple[Person, ...] = ()
    """User principal names or object ids of people who may sign in."""
    litellm_role: LitellmRole = "internal_user_viewer"
    """LiteLLM's role of everybody who is not named in ``litellm_roles``."""
    litellm_roles: dict[Person, LitellmRole] = {}
    """LiteLLM's role by an entry of ``groups`` or ``people``; of several roles the one with more rights counts."""
    langfuse_role: Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"] = "VIEWER"
    """The role in Langfuse's organisation that everybody gets at the first sign-in."""


def contradictions(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """What contradicts signing in with Entra ID."""
    tools = [name for name in TOOLS if table(values, name).get("sign_in") == "entra"]
    langfuse, who = table(values, "langfuse"), table(values, "sign_in")
    if langfuse.get("password_sign_in") is False and "langfuse" not in tools:
        yield ("langfuse", "password_sign_in"), "false leaves no way to sign in; set langfuse.sign_in to 'entra', or leave it out"
    known = {str(one).lower() for kind in ("groups", "people") for one in who.get(kind) or ()}
    for name in table(values, "sign_in", "litellm_roles"):
        if str(name).lower() not in known:
            yield ("sign_in", "litellm_roles", name), "is in neither sign_in.groups nor sign_in.people; add it there, or remove it here"
    if not tools:
        return
    if table(values, "azure").get("enabled") is not True:
        yield (tools[0], "sign_in"), "'entra' needs azure.enabled = true with the tenant and the subscription of this environment"
    if table(values, "ingress").get("tls") == "none":
        yield (tools[0], "sign_in"), "'entra' needs https: Entra ID sends nobody back to an http address; leave ingress.tls 'auto'"
    if not known:
        yield ("sign_in", "groups"), "is empty, and so is sign_in.people: nobody could sign in; name groups by object id, or people"
