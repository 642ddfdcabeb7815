"""Sign-in without a secret: azure-identity shows tokens of a cluster to Entra's stand-in, which reads the issuer's keys itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import WorkloadIdentityCredential

from genai_platform.sandbox.azure.tenancy import TENANT
from genai_platform.sandbox.layout import SandboxLayout
from tests.sandbox.azure.keyless_world import AUDIENCE, LITELLM, Cluster, Tenant, claims
from tests.steps.azure_steps.world import running

SCOPE = "https://cognitiveservices.azure.com/.default"


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with running(tmp_path_factory.mktemp("federation")) as layout:
        tenant = Tenant(layout)
        yield tenant
        tenant.close()


@pytest.fixture(scope="module")
def cluster(tenant: Tenant) -> Iterator[Cluster]:
    with Cluster(tenant.layout).published() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def trusted(tenant: Tenant, cluster: Cluster) -> dict[str, Any]:
    """An application that trusts LiteLLM's service account of the cluster."""
    application = tenant.application("trusted")
    assert tenant.trust(application, cluster.address).status_code == 201
    return application


def refused(tenant: Tenant, application: dict[str, Any], assertion: str) -> str:
    with pytest.raises(ClientAuthenticationError) as caught:
        tenant.workload(application, lambda: assertion).get_token(SCOPE)
    return str(caught.value)


def test_a_service_account_of_the_cluster_gets_a_token_for_azure_openai(
    tenant: Tenant, cluster: Cluster, trusted: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(cluster.token())
    with WorkloadIdentityCredential(
        tenant_id=TENANT, client_id=trusted["appId"], token_file_path=str(file), **tenant.options
    ) as credential:
        found = claims(credential.get_token(SCOPE).token)
    assert (found["aud"], found["oid"], found["idtyp"]) == ("https://cognitiveservices.azure.com", trusted["principal"], "app")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/0"}, "AADSTS700211"),
        ({"sub": "system:serviceaccount:genai:other"}, "AADSTS700213"),
        ({"sub": "system:serviceaccount:genai:LiteLLM"}, "AADSTS7002138"),
        ({"aud": ["sts.amazonaws.com"]}, "AADSTS700212"),
        ({"iat": 1, "nbf": 1, "exp": 3600}, "AADSTS700024"),
        ({"exp": int(time.time()) + 3 * 86400}, "AADSTS70023"),
    ],
)
def test_what_does_not_match_is_refused_with_the_code_that_says_what(
    tenant: Tenant, cluster: Cluster, trusted: dict[str, Any], changed: dict[str, Any], code: str
) -> None:
    assert f"{code}:" in refused(tenant, trusted, cluster.token(**changed))


def test_a_signature_of_another_key_is_refused(tenant: Tenant, cluster: Cluster, trusted: dict[str, Any], tmp_path: Path) -> None:
    other = Cluster(SandboxLayout.create(tmp_path / "world", "sandbox", tenant=tenant.layout.root))
    assert other.address != cluster.address
    forged = cluster.token(tmp_path / "world" / "kubernetes" / "sa.key")
    assert "AADSTS700027:" in refused(tenant, trusted, forged)
    assert "AADSTS50027:" in refused(tenant, trusted, "not-a-token")


def test_a_cluster_of_somebody_else_is_trusted_only_where_a_credential_says_so(
    tenant: Tenant, cluster: Cluster, trusted: dict[str, Any], tmp_path: Path
) -> None:
    foreign = Cluster(SandboxLayout.create(tmp_path / "world", "sandbox", tenant=tenant.layout.root))
    application = tenant.application("foreign")
    tenant.trust(application, foreign.address)
    assert "AADSTS50166:" in refused(tenant, application, foreign.token()), "its issuer is not published: there is no cluster"
    with foreign.published():
        assert tenant.workload(application, foreign.token).get_token(SCOPE)
        assert "AADSTS700211:" in refused(tenant, trusted, foreign.token())
    assert "AADSTS50166:" in refused(tenant, application, foreign.token()), "after the cluster nobody can check its tokens"


def test_an_issuer_that_publishes_nothing_there_is_told_apart(tenant: Tenant, cluster: Cluster) -> None:
    application = tenant.application("empty")
    address = cluster.address + "/below"
    tenant.trust(application, address)
    assert "AADSTS501661:" in refused(tenant, application, cluster.token(iss=address))


def test_the_token_endpoint_hears_of_a_credential_and_of_its_end_later_than_graph(tenant: Tenant, cluster: Cluster) -> None:
    application = tenant.application("late")
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    body = {"name": "litellm", "issuer": cluster.address, "subject": LITELLM, "audiences": [AUDIENCE]}
    tenant.graph("POST", path, body)
    tenant.settle(3600)
    assert [one["name"] for one in tenant.graph("GET", path).json()["value"]] == ["litellm"]
    assert "AADSTS70025:" in refused(tenant, application, cluster.token())
    tenant.settle()
    assert tenant.workload(application, cluster.token).get_token(SCOPE)
    tenant.graph("DELETE", f"{path}/litellm")
    tenant.settle(3600)
    assert tenant.graph("GET", path).json()["value"] == []
    assert tenant.workload(application, cluster.token).get_token(SCOPE)
    tenant.settle()
    assert "AADSTS70025:" in refused(tenant, application, cluster.token())


def test_graph_keeps_credentials_as_entra_does(tenant: Tenant, cluster: Cluster) -> None:
    application = tenant.application("limits")
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    first = tenant.trust(application, cluster.address)
    assert first.json()["audiences"] == [AUDIENCE]
    again = tenant.trust(application, cluster.address, name="another")
    assert (again.status_code, again.json()["error"]["code"]) == (400, "InvalidFederatedIdentityCredentialValue")
    assert tenant.trust(application, cluster.address, "other").status_code == 409, "the name is taken"
    assert tenant.trust(application, "http://plain", "other", "plain").status_code == 400
    assert tenant.graph("PATCH", f"{path}/{first.json()['id']}", {"name": "renamed"}).status_code == 400
    assert tenant.graph("PATCH", f"{path}/litellm", {"subject": "another"}).status_code == 204
    upsert = f"{path}(name='second')"
    body = {"issuer": cluster.address, "subject": "second", "audiences": [AUDIENCE]}
    assert tenant.graph("PATCH", upsert, body).status_code == 404
    assert tenant.graph("PATCH", upsert, body, Prefer="create-if-missing").status_code == 201
    assert tenant.graph("PATCH", upsert, body, Prefer="create-if-missing").status_code == 204
    answers = [tenant.trust(application, cluster.address, f"s{number}", f"number-{number}").status_code for number in range(19)]
    assert answers == [201] * 18 + [400], "twenty are the limit"
