"""Azure OpenAI's accounts and deployments in ARM's stand-in: made with Microsoft's client, used without a key by OpenAI's."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential, get_bearer_token_provider
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.cognitiveservices import models as sdk

from genai_platform.sandbox.azure import arm_providers
from genai_platform.sandbox.azure.roles import CONTRIBUTOR, OPENAI_USER
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION, TENANT
from genai_platform.tools.http import LocalhostTransport
from tests.sandbox.azure.keyless_world import Cluster, Tenant
from tests.steps.azure_steps.world import ask, running

SCOPE = "https://cognitiveservices.azure.com/.default"
GROUP = "models"


class Subscription:
    """The first subscription, with a resource group, as the deployer reaches it."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant, self.arm = tenant, f"https://localhost:{tenant.layout.ports['arm']}"
        with tenant.store() as store:
            arm_providers.register(store, SUBSCRIPTION, "Microsoft.CognitiveServices")
        self.client = CognitiveServicesManagementClient(
            tenant.deployer,
            SUBSCRIPTION,
            base_url=self.arm,
            credential_scopes=["https://management.azure.com/.default"],
            connection_verify=str(tenant.layout.ca_file),
            polling_interval=0,
        )
        self.call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}", {"location": "japaneast"}, "2022-09-01")

    def call(self, method: str, path: str, body: Any, version: str) -> httpx.Response:
        token = self.tenant.deployer.get_token("https://management.azure.com/.default").token
        answer = self.tenant.http.request(
            method, self.arm + path, params={"api-version": version}, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        return answer.raise_for_status()

    def create(self, name: str, settle: bool = True, **properties: Any) -> Any:
        """An account of Azure OpenAI; finished unless it is not to be."""
        wanted = sdk.AccountProperties(**{"custom_sub_domain_name": name, "disable_local_auth": True, **properties})
        account = sdk.Account(kind="OpenAI", location="japaneast", sku=sdk.Sku(name="S0"), properties=wanted)
        self.client.accounts.begin_create(GROUP, name, account, polling=False)
        self.settle(name, -1 if settle else 3600)
        return self.client.accounts.get(GROUP, name)

    def deploy(
        self, account: str, name: str, model: str = "gpt-4o-mini", capacity: int = 1, sku: str = "Standard", settle: bool = True
    ) -> Any:
        wanted = sdk.DeploymentProperties(model=sdk.DeploymentModel(format="OpenAI", name=model, version=""))
        deployment = sdk.Deployment(sku=sdk.Sku(name=sku, capacity=capacity), properties=wanted)
        self.client.deployments.begin_create_or_update(GROUP, account, name, deployment, polling=False)
        if settle:
            self.settle(name)
        return self.client.deployments.get(GROUP, account, name)

    def settle(self, name: str, seconds: float = -1.0) -> None:
        """What bears this name is finished since then."""
        with self.tenant.store() as store:
            for entry in store.all("arm"):
                if entry["name"] == name and "_ready" in entry:
                    times = {key: time.time() + seconds for key in ("_ready", "_answers") if key in entry}
                    store.put("arm", entry["id"], entry | times)

    def allow(self, principal: str, account: str, role: str = OPENAI_USER, effective: float = -1.0) -> None:
        """Assign a role at an account; it is effective since then."""
        scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.CognitiveServices/accounts/{account}"
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{principal}"
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
        body = {"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}}
        self.call("PUT", path, body, "2022-04-01")
        self.effective(principal, effective)

    def effective(self, principal: str, seconds: float = -1.0) -> None:
        """The roles that were assigned to a principal take effect at a time from now."""
        with self.tenant.store() as store:
            for entry in store.all("roleAssignments"):
                if entry["principalId"] == principal:
                    store.put("roleAssignments", entry["id"], entry | {"effectiveAt": time.time() + seconds})


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscription]:
    with running(tmp_path_factory.mktemp("cognitive")) as layout:
        subscription = Subscription(Tenant(layout))
        yield subscription
        subscription.client.close()
        subscription.tenant.close()


@pytest.fixture(scope="module")
def cluster(azure: Subscription) -> Iterator[Cluster]:
    with Cluster(azure.tenant.layout).published() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def litellm(azure: Subscription, cluster: Cluster) -> dict[str, Any]:
    """LiteLLM's application, which trusts its service account of the cluster."""
    application = azure.tenant.application("litellm")
    azure.tenant.trust(application, cluster.address)
    return application


def chat(azure: Subscription, endpoint: str, deployment: str = "chat", **credential: Any) -> str:
    """One question by OpenAI's client."""
    transport = LocalhostTransport(verify=ssl.create_default_context(cafile=str(azure.tenant.layout.ca_file)))
    with (
        httpx.Client(transport=transport) as http,
        openai.AzureOpenAI(azure_endpoint=endpoint, api_version="2024-10-21", max_retries=0, http_client=http, **credential) as client,
    ):
        answer = client.chat.completions.create(model=deployment, messages=[{"role": "user", "content": "Hello"}])
        return str(answer.choices[0].message.content)


def refused(ask: Callable[[], Any]) -> HttpResponseError:
    with pytest.raises(HttpResponseError) as caught:
        ask()
    return caught.value


def code(ask: Callable[[], Any]) -> tuple[int | None, str]:
    error = refused(ask)
    assert error.error is not None
    return error.status_code, str(error.error.code)


def test_an_account_and_a_deployment_are_made_and_removed_by_microsofts_own_client(azure: Subscription) -> None:
    account = sdk.Account(
        kind="OpenAI",
        location="japaneast",
        sku=sdk.Sku(name="S0"),
        properties=sdk.AccountProperties(custom_sub_domain_name="whole", disable_local_auth=True),
    )
    made = azure.client.accounts.begin_create(GROUP, "whole", account).result()
    assert (made.properties.provisioning_state, made.properties.disable_local_auth) == ("Succeeded", True)
    assert made.properties.endpoint == f"https://whole.openai.localhost:{azure.tenant.layout.ports['cognitive']}/"
    wanted = sdk.DeploymentProperties(model=sdk.DeploymentModel(format="OpenAI", name="gpt-4o-mini", version="2024-07-18"))
    deployment = sdk.Deployment(sku=sdk.Sku(name="GlobalStandard", capacity=5), properties=wanted)
    done = azure.client.deployments.begin_create_or_update(GROUP, "whole", "chat", deployment).result()
    assert (done.properties.provisioning_state, done.sku.capacity, done.properties.model.version) == ("Succeeded", 5, "2024-07-18")
    assert code(lambda: azure.client.accounts.begin_delete(GROUP, "whole")) == (409, "CannotDeleteResource")
    azure.client.deployments.begin_delete(GROUP, "whole", "chat").result()
    azure.client.accounts.begin_delete(GROUP, "whole").result()
    assert "whole" not in [one.name for one in azure.client.accounts.list()]
    assert [one.name for one in azure.client.deleted_accounts.list()] == ["whole"]


def test_a_deleted_account_is_in_the_way_until_it_is_restored_or_purged(azure: Subscription) -> None:
    azure.create("kept")
    azure.client.accounts.begin_delete(GROUP, "kept", polling=False)
    assert code(lambda: azure.create("kept")) == (409, "FlagMustBeSetForRestore")
    assert azure.create("kept", restore=True).properties.custom_sub_domain_name == "kept"
    azure.client.accounts.begin_delete(GROUP, "kept", polling=False)
    assert azure.client.deleted_accounts.get("japaneast", GROUP, "kept").name == "kept"
    azure.client.deleted_accounts.begin_purge("japaneast", GROUP, "kept", polling=False)
    with azure.tenant.store() as store:
        store.put("freedSubdomains", "kept", {"name": "kept", "at": time.time() + 3600})
        assert code(lambda: azure.create("kept")) == (409, "CustomDomainInUse"), "the name is free later than the purge"
        store.delete("freedSubdomains", "kept")
    assert azure.create("kept")


def test_a_subdomain_belongs_to_one_account_of_the_world(azure: Subscription) -> None:
    azure.create("first", custom_sub_domain_name="shared-name")
    assert code(lambda: azure.create("second", custom_sub_domain_name="Shared-Name")) == (409, "CustomDomainInUse")
    kind = "Microsoft.CognitiveServices/accounts"
    assert azure.client.check_domain_availability("shared-name", type=kind).is_subdomain_available is False


def test_nothing_is_changed_while_the_account_or_another_deployment_changes(azure: Subscription) -> None:
    azure.create("busy", settle=False)
    assert azure.client.accounts.get(GROUP, "busy").properties.provisioning_state == "Creating"
    assert code(lambda: azure.deploy("busy", "chat")) == (409, "RequestConflict")
    azure.settle("busy")
    azure.deploy("busy", "chat")
    azure.settle("chat", 3600)
    assert azure.client.deployments.get(GROUP, "busy", "chat").properties.provisioning_state == "Creating"
    assert "Another operation is being performed" in str(refused(lambda: azure.deploy("busy", "embed", "text-embedding-3-small")))
    azure.settle("chat")
    assert azure.deploy("busy", "embed", "text-embedding-3-small").properties.model.version == "1"


def test_a_region_offers_what_it_offers_and_a_subscription_has_a_quota(azure: Subscription) -> None:
    azure.create("quota")
    offered = {one.model.name: {sku.name for sku in one.model.skus} for one in azure.client.models.list("japaneast")}
    assert "DataZoneStandard" not in offered["gpt-4o"]
    assert "DataZoneStandard" in {sku.name for one in azure.client.models.list("eastus2") for sku in one.model.skus}
    assert code(lambda: azure.deploy("quota", "chat", "gpt-4o", sku="DataZoneStandard")) == (400, "InvalidResourceProperties")
    assert code(lambda: azure.deploy("quota", "chat", "gpt-99")) == (400, "DeploymentModelNotSupported")
    azure.deploy("quota", "chat", "gpt-4.1", 600)

    def used() -> float:
        return next(one.current_value for one in azure.client.usages.list("japaneast") if one.name.value == "OpenAI.Standard.gpt-4.1")

    assert used() == 600
    assert "bigger than the current available capacity 400" in str(refused(lambda: azure.deploy("quota", "more", "gpt-4.1", 500)))
    assert azure.deploy("quota", "chat", "gpt-4.1", 900).sku.capacity == 900, "its own share counts once"
    azure.client.deployments.begin_delete(GROUP, "quota", "chat", polling=False)
    assert used() == 0


def test_a_removed_group_leaves_its_accounts_deleted_and_their_quota_taken(azure: Subscription) -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}-2"
    azure.call("PUT", group, {"location": "japaneast"}, "2022-09-01")
    body = {"kind": "OpenAI", "location": "japaneast", "sku": {"name": "S0"}, "properties": {"customSubDomainName": "in-group"}}
    path = f"{group}/providers/Microsoft.CognitiveServices/accounts/in-group"
    azure.call("PUT", path, body, "2025-09-01")
    azure.settle("in-group")
    deployment = {"sku": {"name": "Standard", "capacity": 7}, "properties": {"model": {"format": "OpenAI", "name": "gpt-4.1-mini"}}}
    azure.call("PUT", f"{path}/deployments/chat", deployment, "2025-09-01")
    azure.call("DELETE", group, None, "2022-09-01")
    with azure.tenant.store() as store:
        store.put("arm", group, (store.get("arm", group) or {}) | {"_gone": 0})
    azure.call("GET", f"/subscriptions/{SUBSCRIPTION}/resourceGroups", None, "2022-09-01")

    def used() -> float:
        return next(one.current_value for one in azure.client.usages.list("japaneast") if one.name.value == "OpenAI.Standard.gpt-4.1-mini")

    assert "in-group" in [one.name for one in azure.client.deleted_accounts.list()]
    assert used() == 7
    azure.client.deleted_accounts.begin_purge("japaneast", f"{GROUP}-2", "in-group", polling=False)
    assert used() == 0


def test_keys_exist_only_where_local_authentication_is_on(azure: Subscription) -> None:
    keyless, keyed = azure.create("keyless"), azure.create("keyed", disable_local_auth=False)
    azure.deploy("keyless", "chat")
    azure.deploy("keyed", "chat")
    assert code(lambda: azure.client.accounts.list_keys(GROUP, "keyless")) == (400, "BadRequest")
    old = azure.client.accounts.list_keys(GROUP, "keyed")
    assert "Hello" in chat(azure, keyed.properties.endpoint, api_key=old.key1)
    new = azure.client.accounts.regenerate_key(GROUP, "keyed", "Key1")
    assert refused(lambda: azure.client.accounts.regenerate_key(GROUP, "keyed", "Key3")).status_code == 400
    assert (new.key1 != old.key1, new.key2) == (True, old.key2)
    with pytest.raises(openai.AuthenticationError, match="invalid subscription key"):
        chat(azure, keyed.properties.endpoint, api_key=old.key1)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        chat(azure, keyless.properties.endpoint, api_key=new.key2)
    assert caught.value.code == "AuthenticationTypeDisabled"


def test_litellms_identity_uses_exactly_the_accounts_where_it_has_the_role(
    azure: Subscription, cluster: Cluster, litellm: dict[str, Any]
) -> None:
    own, other = azure.create("own"), azure.create("own-not")
    azure.deploy("own", "chat")
    azure.deploy("own-not", "chat")
    provider = get_bearer_token_provider(azure.tenant.workload(litellm, cluster.token), SCOPE)

    def ask(account: Any) -> str:
        return chat(azure, account.properties.endpoint, azure_ad_token_provider=provider)

    with pytest.raises(openai.AuthenticationError) as caught:
        ask(own)
    assert caught.value.code == "PermissionDenied"
    assert "deployments/chat/completions/action" in str(caught.value)
    azure.allow(litellm["principal"], "own", effective=3600)
    with pytest.raises(openai.AuthenticationError, match="PermissionDenied"):
        ask(own)
    azure.effective(litellm["principal"])
    assert "Hello" in ask(own)
    with pytest.raises(openai.AuthenticationError, match="PermissionDenied"):
        ask(other)
    azure.allow(litellm["principal"], "own-not", CONTRIBUTOR)
    with pytest.raises(openai.AuthenticationError, match="PermissionDenied"):
        ask(other)


def test_a_token_for_something_else_or_of_another_tenant_is_refused(azure: Subscription) -> None:
    account = azure.create("audience")
    azure.deploy("audience", "chat")
    other = get_bearer_token_provider(azure.tenant.deployer, "https://management.azure.com/.default")
    with pytest.raises(openai.AuthenticationError, match="audience is incorrect"):
        chat(azure, account.properties.endpoint, azure_ad_token_provider=other)
    regional = azure.create("regional", custom_sub_domain_name=None)
    provider = get_bearer_token_provider(azure.tenant.deployer, SCOPE)
    with pytest.raises(openai.BadRequestError, match="custom subdomain"):
        chat(azure, regional.properties.endpoint, azure_ad_token_provider=provider)
    foreign = ask(azure.tenant.layout, "subscription", name="foreign", tenant="33333333-3333-4333-8333-333333333333")
    credential = ClientSecretCredential(foreign["tenant_id"], foreign["client_id"], foreign["client_secret"], **azure.tenant.options)
    assert foreign["tenant_id"] != TENANT
    with pytest.raises(openai.BadRequestError, match="does not match resource"):
        chat(azure, account.properties.endpoint, azure_ad_token_provider=get_bearer_token_provider(credential, SCOPE))


def test_a_young_deployment_is_in_arm_before_it_answers(azure: Subscription) -> None:
    account = azure.create("young", disable_local_auth=False)
    azure.deploy("young", "chat")
    key = azure.client.accounts.list_keys(GROUP, "young").key1
    azure.settle("chat")
    with azure.tenant.store() as store:
        entry = next(one for one in store.all("arm") if one["id"].endswith("/young/deployments/chat"))
        store.put("arm", entry["id"], entry | {"_answers": time.time() + 3600})
    with pytest.raises(openai.NotFoundError) as caught:
        chat(azure, account.properties.endpoint, api_key=key)
    assert caught.value.code == "DeploymentNotFound"


def test_litellm_reaches_an_account_without_a_key_by_its_own_way(
    azure: Subscription, cluster: Cluster, litellm: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token provider that LiteLLM makes of the variables of its pod."""
    account, token = azure.create("by-litellm"), tmp_path / "token"
    azure.deploy("by-litellm", "chat")
    azure.allow(litellm["principal"], "by-litellm")
    azure.effective(litellm["principal"])
    token.write_text(cluster.token())
    variables = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "AZURE_CREDENTIAL": "WorkloadIdentityCredential",
        "AZURE_CLIENT_ID": litellm["appId"],
        "AZURE_TENANT_ID": TENANT,
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
        "AZURE_AUTHORITY_HOST": azure.tenant.authority,
        "REQUESTS_CA_BUNDLE": str(azure.tenant.layout.ca_file),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    from litellm.secret_managers.get_azure_ad_token_provider import get_azure_ad_token_provider

    provider = get_azure_ad_token_provider(azure_scope=SCOPE)
    assert "Hello" in chat(azure, account.properties.endpoint, azure_ad_token_provider=provider)
