"""models.keyless: it passes where LiteLLM's service account alone signs in, and says what is wrong where it does not."""

from __future__ import annotations

import copy
import json
import ssl
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from genai_platform.checks import keyless
from genai_platform.checks.check import Outcome
from genai_platform.checks.platform import Platform
from genai_platform.config.target import NAMESPACE
from genai_platform.engine.step import State
from genai_platform.render import litellm
from genai_platform.render.outputs import DataOutputs
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.render.workload_identity import AUDIENCE, SERVICE_ACCOUNT
from genai_platform.sandbox.azure import existing_accounts
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.steps.azure import entra_applications
from genai_platform.steps.azure.inventory import Inventory
from genai_platform.steps.azure.model_access import ModelAccessStep, identity
from genai_platform.tools.azure import token
from genai_platform.tools.azure.arm import OPENAI_USER
from genai_platform.tools.azure.federated_credentials import FederatedCredential
from genai_platform.tools.litellm.client import Litellm
from tests.checks.platform import ANSWER, PlatformWorld
from tests.sandbox.azure.keyless_world import Cluster
from tests.steps.azure_steps.world import AzureWorld, Quiet, running, until

DATA = DataOutputs(
    postgres_cluster_id="c", postgres_host="db", postgres_port=5432, postgres_admin="boss", redis_replication_group_id="r",
    redis_host="redis", redis_port=6379,
)  # fmt: skip
_numbers = count(1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("keyless-check")) as layout, Cluster(layout).published() as cluster:
        yield cluster


class KeylessWorld:
    """A platform in the Azure stand-ins: what is rendered for LiteLLM's pod is what runs, and the pod asks as LiteLLM does."""

    def __init__(self, cluster: Cluster, layout: SandboxLayout) -> None:
        self.cluster, self.azure = cluster, AzureWorld(layout, f"k{next(_numbers)}")
        self.azure.issuer = cluster.address
        host = f"{self.azure.environment}.openai.localhost:{layout.ports['cognitive']}"
        self.azure.models = [{"name": "chat", "azure_deployment": "gpt-4o-mini", "api_base": f"https://{host}", "auth": "entra"}]
        self.clients = self.azure.configure(callers={"team-a": {}})
        self.settings = self.azure.target.settings
        existing_accounts.offer(layout, self.settings.litellm.keyless)
        ModelAccessStep(self.clients).apply(Quiet())
        self.secrets = PlatformSecrets(upstream_keys={"SOME_KEY": SecretStr("k")})
        self.claims: dict[str, Any] = {}
        """What is otherwise in the tokens of the cluster's service accounts."""
        self.documents = [
            *litellm.config(self.settings, DATA, "arn", self.secrets),
            *litellm.proxy(self.settings, DATA, "arn", self.secrets, identity(self.clients)),
        ]
        verify = ssl.create_default_context(cafile=str(layout.ca_file))
        self._models = httpx.Client(verify=verify, trust_env=False)

    # -- Kubernetes -------------------------------------------------------------------------------
    def document(self, kind: str) -> dict[str, Any]:
        return next(one for one in self.documents if one["kind"] == kind)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return next((one for one in self.documents if (one["kind"], one["metadata"]["name"]) == (kind, name)), None)

    def list(self, *ref: Any, **more: Any) -> list[dict[str, Any]]:
        pod = self.document("Deployment")["spec"]["template"]
        return [{**pod, "metadata": {"name": "litellm-0"}, "status": {"phase": "Running"}}]

    def token(self, account: str, namespace: str, audience: str) -> SecretStr:
        claims = {"sub": f"system:serviceaccount:{namespace}:{account}", "aud": [audience], **self.claims}
        return SecretStr(self.cluster.token(**claims))

    # -- LiteLLM ----------------------------------------------------------------------------------
    def _chat(self, request: httpx.Request) -> httpx.Response:
        (model,), own = self.settings.litellm.keyless, identity(self.clients)
        assert own
        try:
            bearer = token.exchange(
                self.azure.target, own.tenant_id, own.client_id, self.token(SERVICE_ACCOUNT, NAMESPACE, AUDIENCE), keyless.SCOPE
            )
        except token.Refused as error:
            return httpx.Response(500, json={"error": {"message": error.message}})
        url = httpx.URL(f"{model.api_base}/openai/deployments/{model.azure_deployment}/chat/completions?api-version={model.api_version}")
        answer = self._models.post(
            url.copy_with(host="127.0.0.1"),
            json={"messages": json.loads(request.content)["messages"]},
            headers={"Host": url.netloc.decode(), "Authorization": f"Bearer {bearer.get_secret_value()}"},
            extensions={"sni_hostname": url.host},
        )
        if answer.is_error:
            return httpx.Response(answer.status_code, json={"error": {"message": answer.text}})
        return httpx.Response(200, json={"id": "c", "model": "chat", "choices": [{"message": {"content": ANSWER}}]})

    def look(self) -> Outcome:
        world = self

        class Clients:
            target, kube = world.azure.target, world

        platform = Platform(cast(Any, Clients), lambda: Inventory(self.clients))
        http = httpx.Client(base_url="https://litellm", transport=httpx.MockTransport(self._chat))
        platform._kept["litellm"] = Litellm(http, SecretStr("sk-master"))
        (check,) = keyless.checks(platform)
        return check.look()


@pytest.fixture(scope="module")
def made(cluster: Cluster) -> KeylessWorld:
    made = KeylessWorld(cluster, cluster.layout)
    until(lambda: made.look().status == "pass")
    return made


@pytest.fixture
def world(made: KeylessWorld) -> Iterator[KeylessWorld]:
    """One that works; what a test changes in it is put right afterwards."""
    world = copy.copy(made)
    world.documents, world.claims = copy.deepcopy(made.documents), {}
    yield world
    step = ModelAccessStep(made.clients)
    if step.observe().state is not State.PRESENT:
        step.apply(Quiet())
        until(lambda: made.look().status == "pass")


def test_it_says_who_signs_in_and_who_does_not(world: KeylessWorld) -> None:
    said = "no key of Azure OpenAI in LiteLLM's pods; 1 chat deployment answered; the service account 'default' gets AADSTS700213"
    assert world.look() == Outcome("pass", said)


def test_models_with_keys_have_no_such_check() -> None:
    assert keyless.checks(PlatformWorld().platform()) == []


def key_in_secret(world: KeylessWorld) -> None:
    world.document("Secret")["data"]["AZURE_API_KEY"] = "c2VjcmV0"


def key_in_variable(world: KeylessWorld) -> None:
    world.document("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "AZURE_CLIENT_SECRET", "value": "x"})


def key_in_configuration(world: KeylessWorld) -> None:
    data = world.document("ConfigMap")["data"]
    data["config.yaml"] = data["config.yaml"].replace("api_version:", "api_key: os.environ/SOME_KEY\n    api_version:")


def another_application(world: KeylessWorld) -> None:
    env = world.document("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    next(one for one in env if one["name"] == "AZURE_CLIENT_ID")["value"] = "another"


def subject(world: KeylessWorld) -> None:
    world.claims["sub"] = f"system:serviceaccount:{NAMESPACE}:langfuse"


def audience(world: KeylessWorld) -> None:
    world.claims["aud"] = ["sts.amazonaws.com"]


def issuer(world: KeylessWorld) -> None:
    world.claims["iss"] = "https://oidc.eks.eu-west-1.amazonaws.com/id/FOREIGN"


def role(world: KeylessWorld) -> None:
    azure = world.clients.azure
    application = azure.graph.application(entra_applications.models_name(world.azure.target))
    assert application
    principal = azure.graph.principal(application["appId"])
    assert principal
    for assignment in azure.arm.own_assignments(principal["id"], OPENAI_USER).values():
        azure.arm.unassign(assignment)


def anybody(world: KeylessWorld) -> None:
    graph = world.clients.azure.graph
    application = graph.application(entra_applications.models_name(world.azure.target))
    assert application
    trusted = FederatedCredential("other", world.cluster.address, f"system:serviceaccount:{NAMESPACE}:default")
    graph.federated_credentials.ensure(application["id"], trusted)
    until(lambda: world.look().status == "fail")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (key_in_secret, "LiteLLM's pods hold AZURE_API_KEY"),
        (key_in_variable, "LiteLLM's pods hold AZURE_CLIENT_SECRET"),
        (key_in_configuration, "chat: LiteLLM's configuration names a key"),
        (another_application, "pod litellm-0 signs in to Entra ID otherwise than configured: AZURE_CLIENT_ID"),
        (subject, "AADSTS700213"),
        (audience, "AADSTS700212"),
        (issuer, "AADSTS700211"),
        (role, "lacks the required data action"),
        (anybody, "the service account 'default' of genai-platform gets a token"),
    ],
)
def test_what_is_wrong_is_named(world: KeylessWorld, change: Callable[[KeylessWorld], None], said: str) -> None:
    change(world)
    outcome = world.look()
    assert (outcome.status, said in outcome.evidence) == ("fail", True), outcome
    assert outcome.hint


def test_an_application_that_was_never_made_is_final(made: KeylessWorld) -> None:
    world, never = copy.copy(made), AzureWorld(made.cluster.layout, "never")
    never.models = made.azure.models
    world.clients = never.configure(callers={"team-a": {}})
    outcome = world.look()
    assert (outcome.status, outcome.final) == ("fail", True)
