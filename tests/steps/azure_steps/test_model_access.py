"""LiteLLM's own way to models without a key: whom its application trusts, what it may do, and what is left of it afterwards."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from genai_platform.audit import azure as audit
from genai_platform.checks.keyless import SCOPE
from genai_platform.config.models import AzureModel
from genai_platform.engine.observe import observe
from genai_platform.engine.step import Observation, State
from genai_platform.errors import MissingError
from genai_platform.render.workload_identity import SUBJECT
from genai_platform.sandbox.azure import existing_accounts
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure import entra_applications, model_accounts, prerequisites
from genai_platform.steps.azure.model_access import ModelAccessStep, identity
from genai_platform.tools.azure import token
from genai_platform.tools.azure.arm import OPENAI_USER
from genai_platform.tools.azure.federated_credentials import FederatedCredential
from tests.sandbox.azure.keyless_world import Cluster

from .changed import without
from .world import AzureWorld, Quiet, down, states, until, up


@pytest.fixture(scope="module")
def cluster(layout: SandboxLayout) -> Iterator[Cluster]:
    """Today's cluster."""
    with Cluster(layout).published() as cluster:
        yield cluster


@pytest.fixture
def keyless(world: AzureWorld, cluster: Cluster) -> AzureWorld:
    """An environment whose only model has no key."""
    world.issuer = cluster.address
    return using(world, f"{world.environment}-models")


def using(world: AzureWorld, *accounts: str, made: bool = True) -> AzureWorld:
    """The environment with a keyless model in each of these accounts."""
    port = world.layout.ports["cognitive"]
    world.models = [
        {"name": name, "azure_deployment": "gpt-4o-mini", "api_base": f"https://{name}.openai.localhost:{port}", "auth": "entra"}
        for name in accounts
    ]
    world.configure(callers={"team-a": {}})
    if made:
        existing_accounts.offer(world.layout, world.target.settings.litellm.keyless)
    return world


def look(world: AzureWorld) -> Observation:
    return observe(ModelAccessStep(world.clients()))


def make(world: AzureWorld) -> None:
    ModelAccessStep(world.clients()).apply(Quiet())
    assert look(world).state is State.PRESENT


def own(cluster: Cluster, **claims: object) -> str:
    """A token of LiteLLM's service account."""
    return cluster.token(**{"sub": SUBJECT, **claims})


def sign_in(world: AzureWorld, assertion: str) -> str:
    """What Entra ID gives for a token of a service account; or its refusal."""
    own = identity(world.clients())
    assert own
    try:
        return token.exchange(world.target, own.tenant_id, own.client_id, SecretStr(assertion), SCOPE).get_secret_value()
    except token.Refused as error:
        return error.message


def ask(model: AzureModel, world: AzureWorld, bearer: str) -> httpx.Response:
    """A chat as LiteLLM asks for it."""
    url = f"https://127.0.0.1:{world.layout.ports['cognitive']}/openai/deployments/{model.azure_deployment}/chat/completions"
    host = model.api_base.removeprefix("https://")
    verify = ssl.create_default_context(cafile=str(world.layout.ca_file))
    with httpx.Client(verify=verify, trust_env=False) as http:
        return http.post(
            url, params={"api-version": model.api_version}, json={"messages": [{"role": "user", "content": "Hello"}]},
            headers={"Host": host, "Authorization": f"Bearer {bearer}"}, extensions={"sni_hostname": host.partition(":")[0]},
        )  # fmt: skip


def scopes(world: AzureWorld) -> set[str]:
    """The accounts at which LiteLLM's application holds the role through this environment, by name."""
    clients = world.clients()
    application = entra_applications.application(clients, entra_applications.models_name(world.target))
    assert application
    principal = clients.azure.graph.principal(application["appId"])
    assert principal
    return {scope.rsplit("/", 1)[1] for scope in clients.azure.arm.own_assignments(principal["id"], OPENAI_USER)}


def test_litellms_service_account_asks_a_model_and_nobody_else_does(keyless: AzureWorld, cluster: Cluster) -> None:
    assert look(keyless).state is State.ABSENT
    make(keyless)
    (model,) = keyless.target.settings.litellm.keyless
    until(lambda: ask(model, keyless, sign_in(keyless, own(cluster))).status_code == 200)
    refused = {
        "AADSTS700213": cluster.token(sub="system:serviceaccount:genai-platform:default"),
        "AADSTS700212": own(cluster, aud=["sts.amazonaws.com"]),
        "AADSTS700211": own(cluster, iss="https://oidc.eks.ap-northeast-1.amazonaws.com/id/FOREIGN"),
    }
    assert [code for code, assertion in refused.items() if code not in sign_in(keyless, assertion)] == []


def test_a_role_that_was_taken_away_is_noticed_and_given_back(keyless: AzureWorld, cluster: Cluster) -> None:
    make(keyless)
    clients, (model,) = keyless.clients(), keyless.target.settings.litellm.keyless
    until(lambda: ask(model, keyless, sign_in(keyless, own(cluster))).status_code == 200)
    application = entra_applications.application(clients, entra_applications.models_name(keyless.target))
    assert application
    principal = clients.azure.graph.principal(application["appId"])
    assert principal
    for assignment in clients.azure.arm.own_assignments(principal["id"], OPENAI_USER).values():
        clients.azure.arm.unassign(assignment)
    assert ask(model, keyless, sign_in(keyless, own(cluster))).status_code == 401
    found = look(keyless)
    assert (found.state, "lacks Cognitive Services OpenAI User at" in found.evidence) == (State.DRIFTED, True)
    make(keyless)


def test_a_new_clusters_issuer_is_followed_and_the_old_one_is_trusted_no_longer(keyless: AzureWorld, cluster: Cluster) -> None:
    make(keyless)
    until(lambda: "AADSTS" not in sign_in(keyless, own(cluster)))
    keyless.issuer = "https://oidc.eks.ap-northeast-1.amazonaws.com/id/TOMORROW"
    found = look(keyless)
    assert (found.state, f"trusts {cluster.address}, which is not this cluster's issuer" in found.evidence) == (State.DRIFTED, True)
    make(keyless)
    until(lambda: "AADSTS700211" in sign_in(keyless, own(cluster)))


def test_nobody_else_is_trusted_too(keyless: AzureWorld) -> None:
    make(keyless)
    graph = keyless.clients().azure.graph
    application = graph.application(entra_applications.models_name(keyless.target))
    assert application
    other = FederatedCredential("other", str(keyless.issuer), "system:serviceaccount:genai-platform:default")
    graph.federated_credentials.ensure(application["id"], other)
    found = look(keyless)
    assert (found.state, "system:serviceaccount:genai-platform:default" in found.evidence) == (State.DRIFTED, True)
    make(keyless)
    assert [one.name for one in graph.federated_credentials.of(application["id"])] == ["litellm"]


def test_the_role_follows_the_models_and_what_others_gave_stays(keyless: AzureWorld) -> None:
    name = keyless.environment
    make(keyless)
    assert scopes(keyless) == {f"{name}-models"}
    using(keyless, f"{name}-models", f"{name}-more")
    assert look(keyless).state is State.DRIFTED
    make(keyless)
    assert scopes(keyless) == {f"{name}-models", f"{name}-more"}
    using(keyless, f"{name}-more")
    found = look(keyless)
    assert (found.state, f"at {name}-models, too" in found.evidence) == (State.DRIFTED, True)
    make(keyless)
    assert scopes(keyless) == {f"{name}-more"}


def test_an_account_that_is_not_in_the_subscription_is_said_before_anything_is_made(keyless: AzureWorld) -> None:
    using(keyless, f"{keyless.environment}-elsewhere", made=False)
    (told,) = [found for found in prerequisites.looks(keyless.clients()) if found.id == "azure.model_access"]
    assert told.error
    assert told.error.message.startswith(f"the model '{keyless.environment}-elsewhere' (litellm.models) is to be asked without a key")
    assert "azure.subscription_id" in str(told.error.remedy)
    with pytest.raises(MissingError, match="no account of Azure OpenAI at"):
        ModelAccessStep(keyless.clients()).apply(Quiet())
    assert keyless.clients().azure.graph.application(entra_applications.models_name(keyless.target)) is None


def test_the_right_to_assign_roles_at_the_account_is_asked_for_first(keyless: AzureWorld) -> None:
    with without(keyless, "seededRoles", '"Role Based Access Control Administrator"'):
        (told,) = [found for found in prerequisites.looks(keyless.clients()) if found.id == "azure.model_access"]
    (account,) = model_accounts.used(keyless.clients())
    assert told.error
    assert f"--scope {account.id}" in str(told.error.remedy)
    assert "azure.model_access" not in {found.id for found in prerequisites.looks(AzureWorld(keyless.layout, "with-key").clients())}


def test_without_a_cluster_nothing_is_known_of_the_trust(keyless: AzureWorld) -> None:
    make(keyless)
    keyless.issuer = None
    assert look(keyless).state is State.UNKNOWN


def test_down_removes_application_and_roles_and_audit_names_them_until_then(keyless: AzureWorld) -> None:
    up(keyless)
    assert states(keyless) == {State.PRESENT}
    clients, name = keyless.clients(), entra_applications.models_name(keyless.target)
    application = clients.azure.graph.application(name)
    assert application
    principal = clients.azure.graph.principal(application["appId"])
    assert principal
    standing = {id: (kind, remove) for kind, id, _, remove in audit.look(clients).standing}
    assert standing[name][0] == "azure:application"
    (assignment,) = clients.azure.arm.own_assignments(principal["id"], OPENAI_USER).values()
    assert standing[assignment] == ("azure:role-assignment", f"az role assignment delete --ids {assignment}")
    down(keyless)
    assert clients.azure.graph.application(name) is None
    assert clients.azure.arm.own_assignments(principal["id"], OPENAI_USER) == {}
    (account,) = model_accounts.used(keyless.clients())
    assert account.name == f"{keyless.environment}-models", "the account is somebody else's"
    assert states(keyless) == {State.ABSENT}


def test_the_roles_of_an_application_that_somebody_deleted_go_too(keyless: AzureWorld) -> None:
    make(keyless)
    clients = keyless.clients()
    application = clients.azure.graph.application(entra_applications.models_name(keyless.target))
    assert application
    principal = clients.azure.graph.principal(application["appId"])
    assert principal
    clients.azure.graph.delete_application(application["id"])
    until(lambda: clients.azure.graph.deleted_principals(entra_applications.models_name(keyless.target)))
    assert "azure:role-assignment" in {kind for kind, *_ in audit.look(clients).standing}
    ModelAccessStep(keyless.clients()).destroy(Quiet())
    assert clients.azure.arm.own_assignments(principal["id"], OPENAI_USER) == {}
