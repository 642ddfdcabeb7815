"""People sign in by Entra's stand-in: MSAL's authorization code flow, with the page in between as a browser would fill it in."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import msal
import pytest
import requests

from genai_platform.sandbox.azure.tenancy import TENANT
from tests.sandbox.azure.keyless_world import Tenant, claims
from tests.steps.azure_steps.world import running

REDIRECT = "https://litellm.example.com/sso/callback"
pytestmark = pytest.mark.filterwarnings("ignore:response_mode=.form_post. is recommended")  # LiteLLM and Langfuse ask for the query
TEAM = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with running(tmp_path_factory.mktemp("sign-in")) as layout:
        tenant = Tenant(layout)
        yield tenant
        tenant.close()


@pytest.fixture(scope="module")
def web(tenant: Tenant) -> dict[str, Any]:
    """A web application with a secret, which wants its people's groups."""
    role = {"id": str(uuid4()), "value": "admin", "displayName": "Administrators", "isEnabled": True, "allowedMemberTypes": ["User"]}
    made = tenant.application("web", web={"redirectUris": [REDIRECT]}, groupMembershipClaims="SecurityGroup", appRoles=[role])
    secret = tenant.graph("POST", f"/applications/{made['id']}/addPassword", {}).json()["secretText"]
    with tenant.store() as store:
        held = store.get("applications", made["id"]) or {}
        store.put("applications", made["id"], held | {"secrets": [one | {"from": 0} for one in held["secrets"]]})
    return {**made, "secret": secret, "role": role["id"]}


@pytest.fixture(scope="module")
def people(tenant: Tenant) -> dict[str, dict[str, Any]]:
    """Ann is in one group, Bob in very many, Eve in none."""
    many = [str(uuid4()) for _ in range(201)]
    return {
        "ann": tenant.user("ann@example.com", [TEAM]),
        "bob": tenant.user("bob@example.com", many),
        "eve": tenant.user("eve@example.com"),
    }


def session(tenant: Tenant) -> requests.Session:
    session = requests.Session()
    session.verify, session.trust_env = str(tenant.layout.ca_file), False
    return session


def client(tenant: Tenant, application: dict[str, Any]) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        application["appId"],
        client_credential=application["secret"],
        authority=f"{tenant.authority}/{TENANT}",
        instance_discovery=False,
        http_client=session(tenant),
    )


def submitted(tenant: Tenant, address: str, login: str) -> httpx.Response:
    """What the browser gets once the page was filled in."""
    page = tenant.http.get(address)
    assert page.status_code == 200, page.text
    assert '<form method="post">' in page.text
    return tenant.http.post(address, data={"login": login})


def signed_in(tenant: Tenant, application: dict[str, Any], login: str) -> dict[str, Any]:
    """The tokens that MSAL has in the end; it checks state, nonce and PKCE itself."""
    app = client(tenant, application)
    flow = app.initiate_auth_code_flow(["User.Read", "email"], redirect_uri=REDIRECT)
    answer = submitted(tenant, flow["auth_uri"], login)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(REDIRECT + "?")
    result: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(answer.headers["location"]).query)))
    assert "error" not in result, result
    return result


def authorize(tenant: Tenant, application: dict[str, Any], **changed: str | None) -> str:
    values: dict[str, str | None] = {
        "client_id": application["appId"], "response_type": "code", "redirect_uri": REDIRECT, "scope": "openid", "state": "s", **changed,
    }  # fmt: skip
    query = httpx.QueryParams({name: value for name, value in values.items() if value is not None})
    return f"{tenant.authority}/{TENANT}/oauth2/v2.0/authorize?{query}"


def redeem(tenant: Tenant, application: dict[str, Any], code: str, **more: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "client_id": application["appId"], "code": code, "redirect_uri": REDIRECT, **more}
    return tenant.http.post(f"{tenant.authority}/{TENANT}/oauth2/v2.0/token", data=form)


def code_for(tenant: Tenant, application: dict[str, Any], **changed: str | None) -> str:
    answer = submitted(tenant, authorize(tenant, application, **changed), "ann@example.com")
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))["code"]


def test_msal_signs_a_person_in_and_sees_who_it_is_and_in_which_group(
    tenant: Tenant, web: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    result = signed_in(tenant, web, "ann@example.com")
    told = result["id_token_claims"]
    assert (told["oid"], told["preferred_username"], told["email"]) == (people["ann"]["object_id"], "ann@example.com", "ann@example.com")
    assert (told["aud"], told["tid"], told["iss"]) == (web["appId"], TENANT, f"{tenant.authority}/{TENANT}/v2.0")
    assert told["groups"] == [TEAM]
    bearer = {"Authorization": f"Bearer {result['access_token']}"}
    document = tenant.http.get(f"{tenant.authority}/{TENANT}/v2.0/.well-known/openid-configuration").json()
    said = tenant.http.get(document["userinfo_endpoint"], headers=bearer).json()
    assert (said["sub"], said["name"], said["email"]) == (told["sub"], "ann", "ann@example.com")
    graph = f"https://localhost:{tenant.layout.ports['graph']}/v1.0"
    assert tenant.http.get(f"{graph}/me", headers=bearer).json()["id"] == people["ann"]["object_id"]
    assert tenant.http.get(f"{graph}/applications", headers=bearer).status_code == 403, "a signed-in person's token reads no more than that"
    again = client(tenant, web).acquire_token_by_refresh_token(result["refresh_token"], ["User.Read"])
    assert again["id_token_claims"]["oid"] == people["ann"]["object_id"]


def test_more_than_200_groups_are_behind_an_address(tenant: Tenant, web: dict[str, Any], people: dict[str, dict[str, Any]]) -> None:
    result = signed_in(tenant, web, "bob@example.com")
    told = result["id_token_claims"]
    assert "groups" not in told
    assert told["_claim_names"] == {"groups": "src1"}
    address = told["_claim_sources"]["src1"]["endpoint"]
    assert address.endswith(f"/users/{people['bob']['object_id']}/getMemberObjects")
    own = f"https://localhost:{tenant.layout.ports['graph']}/v1.0/me/getMemberObjects"
    bearer = {"Authorization": f"Bearer {result['access_token']}"}
    assert len(tenant.http.post(own, json={"securityEnabledOnly": True}, headers=bearer).json()["value"]) == 201
    assert tenant.graph("POST", urlsplit(address).path.removeprefix("/v1.0"), {}).status_code == 403, "a right that nobody has by itself"


def test_only_who_is_assigned_signs_in_where_assignment_is_required(
    tenant: Tenant, web: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    principal = f"/servicePrincipals/{web['principal']}"
    tenant.graph("PATCH", principal, {"appRoleAssignmentRequired": True})
    try:
        body = {"principalId": TEAM, "resourceId": web["principal"], "appRoleId": web["role"]}
        assert tenant.graph("POST", f"{principal}/appRoleAssignedTo", body).json()["principalType"] == "Group"
        assert signed_in(tenant, web, "ann@example.com")["id_token_claims"]["roles"] == ["admin"]
        refused = submitted(tenant, authorize(tenant, web), "eve@example.com")
        assert "AADSTS50105" in refused.text
        assert "location" not in refused.headers
        tenant.graph("POST", f"{principal}/appRoleAssignedTo", body | {"principalId": people["eve"]["object_id"]})
        assert signed_in(tenant, web, "eve@example.com")["id_token_claims"]["roles"] == ["admin"]
    finally:
        tenant.graph("PATCH", principal, {"appRoleAssignmentRequired": False})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"redirect_uri": "https://elsewhere.example.com/"}, "AADSTS50011"),
        ({"redirect_uri": REDIRECT + "/"}, "AADSTS50011"),
        ({"client_id": str(uuid4())}, "AADSTS700016"),
    ],
)
def test_what_may_not_be_sent_back_is_said_on_entras_own_page(
    tenant: Tenant, web: dict[str, Any], changed: dict[str, str], code: str
) -> None:
    answer = tenant.http.get(authorize(tenant, web, **changed))
    assert code in answer.text
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"scope": "User.Read"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_what_the_application_did_wrong_is_sent_back_to_it(
    tenant: Tenant, web: dict[str, Any], changed: dict[str, str], error: str
) -> None:
    answer = tenant.http.get(authorize(tenant, web, **changed))
    sent = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert (sent["error"], sent["state"]) == (error, "s")


def test_who_does_not_exist_stays_on_the_page(tenant: Tenant, web: dict[str, Any], people: dict[str, dict[str, Any]]) -> None:
    answer = submitted(tenant, authorize(tenant, web), '"><script>')
    assert answer.status_code == 200
    assert "username may be incorrect" in answer.text
    assert "<script>" not in answer.text
    assert "ann@example.com" in answer.text, "the page offers the people of the directory"


def test_an_answer_can_be_posted_by_the_browser(tenant: Tenant, web: dict[str, Any], people: dict[str, dict[str, Any]]) -> None:
    answer = submitted(tenant, authorize(tenant, web, response_mode="form_post"), "ann@example.com")
    assert f'action="{REDIRECT}"' in answer.text
    fields = {html.unescape(name): html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', answer.text)}
    assert fields["state"] == "s"
    assert redeem(tenant, web, fields["code"], client_secret=web["secret"]).status_code == 200


def test_a_code_is_good_once_for_its_own_client_address_and_verifier(
    tenant: Tenant, web: dict[str, Any], people: dict[str, dict[str, Any]]
) -> None:
    secret = {"client_secret": web["secret"]}

    def said(answer: httpx.Response) -> str:
        assert answer.status_code >= 400
        return str(answer.json()["error_description"])

    code = code_for(tenant, web, nonce="n-1")
    first = redeem(tenant, web, code, **secret).json()
    assert claims(first["id_token"])["nonce"] == "n-1"
    assert "refresh_token" not in first, "without offline_access there is none"
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    graph = f"https://localhost:{tenant.layout.ports['graph']}"
    assert tenant.http.get(f"{graph}/oidc/userinfo", headers=bearer).status_code == 200
    assert tenant.http.get(f"{graph}/v1.0/me", headers=bearer).status_code == 403, "without User.Read"
    assert "AADSTS54005" in said(redeem(tenant, web, code, **secret))
    assert "AADSTS7000218" in said(redeem(tenant, web, code_for(tenant, web)))
    assert "AADSTS7000215" in said(redeem(tenant, web, code_for(tenant, web), client_secret="wrong"))
    assert "AADSTS500112" in said(redeem(tenant, web, code_for(tenant, web), redirect_uri="https://elsewhere.example.com/", **secret))
    bound = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    assert "AADSTS501481" in said(redeem(tenant, web, code_for(tenant, web, **bound), code_verifier="another", **secret))
    assert "AADSTS70000" in said(redeem(tenant, web, "guessed", **secret))


def test_a_program_without_a_secret_signs_in_with_pkce_on_any_port_of_this_machine(
    tenant: Tenant, people: dict[str, dict[str, Any]]
) -> None:
    public = tenant.application("public", publicClient={"redirectUris": ["http://localhost/"]})
    app = msal.PublicClientApplication(
        public["appId"], authority=f"{tenant.authority}/{TENANT}", instance_discovery=False, http_client=session(tenant)
    )
    flow = app.initiate_auth_code_flow(["User.Read"], redirect_uri="http://localhost:51234/")
    answer = submitted(tenant, flow["auth_uri"], "ann@example.com")
    result = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(answer.headers["location"]).query)))
    assert result["id_token_claims"]["oid"] == people["ann"]["object_id"]


def test_graph_takes_no_plain_redirect_address(tenant: Tenant, web: dict[str, Any]) -> None:
    refused = tenant.graph("PATCH", f"/applications/{web['id']}", {"web": {"redirectUris": ["http://litellm.example.com/sso/callback"]}})
    assert refused.status_code == 400
    assert "must start with https://" in refused.text
