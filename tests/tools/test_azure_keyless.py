"""What a keyless LiteLLM needs of Azure, made by the product's own clients: federated credentials, accounts, deployments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from genai_platform.errors import AlreadyExists
from genai_platform.sandbox.azure import arm_providers
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.azure.tenancy import SUBSCRIPTION
from genai_platform.tools.azure import Azure
from genai_platform.tools.azure.cognitive import READY, Deployment, Offer, Quota, QuotaExceeded
from genai_platform.tools.azure.errors import TemporaryRefusal
from genai_platform.tools.azure.federated_credentials import FederatedCredential
from tests.steps.azure_steps.world import AzureWorld, running, until

GROUP = "group-keyless"
CLUSTER = FederatedCredential("litellm", "https://oidc.eks.ap-northeast-1.amazonaws.com/id/1", "system:serviceaccount:genai:litellm")


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    folder: Path = tmp_path_factory.mktemp("keyless")
    with running(folder) as layout:
        azure = Azure(AzureWorld(layout, "keyless").target)
        assert azure.cognitive.in_group(GROUP) == [], "the provider is not registered"
        opened = Store(layout.root / "azure" / "world.sqlite")
        arm_providers.register(opened, SUBSCRIPTION, "Microsoft.CognitiveServices")
        opened.close()
        azure.arm.make_group(GROUP, "japaneast", {})
        yield azure


def ready(azure: Azure, name: str) -> bool:
    found = azure.cognitive.account(GROUP, name)
    return found is not None and found.state == READY


def test_an_application_trusts_exactly_what_it_is_told_to(azure: Azure) -> None:
    application = azure.graph.ensure_application("keyless", {})
    credentials = azure.graph.federated_credentials
    assert credentials.ensure(application["id"], CLUSTER)
    assert credentials.of(application["id"]) == [CLUSTER]
    assert not credentials.ensure(application["id"], CLUSTER)
    tomorrow = FederatedCredential("litellm", CLUSTER.issuer[:-1] + "2", CLUSTER.subject)
    assert credentials.ensure(application["id"], tomorrow), "a new cluster has another issuer"
    assert credentials.of(application["id"]) == [tomorrow]
    credentials.remove(application["id"], "litellm")
    credentials.remove(application["id"], "litellm")
    assert credentials.of(application["id"]) == []
    assert credentials.of("00000000-0000-4000-8000-000000000000") == []


def test_an_account_takes_no_keys_and_its_deployments_show_what_they_are(azure: Azure) -> None:
    cognitive = azure.cognitive
    assert cognitive.account(GROUP, "models") is None
    assert cognitive.deployments(GROUP, "models") == []
    assert cognitive.taken("models") is None
    cognitive.begin(GROUP, "models", "japaneast", {"environment": "keyless"})
    until(lambda: ready(azure, "models"))
    (account,) = cognitive.in_group(GROUP)
    assert (account.keyless, account.location, dict(account.tags)) == (True, "japaneast", {"environment": "keyless"})
    assert account.endpoint.startswith("https://models.openai.")
    assert "already used" in str(cognitive.taken("models"))
    wanted = Deployment("chat", "gpt-4o-mini", "", "GlobalStandard", 10)
    offered = Offer("gpt-4o-mini", "2024-07-18", "GlobalStandard", "OpenAI.GlobalStandard.gpt-4o-mini")
    assert offered in cognitive.offers("japaneast")
    cognitive.deploy(GROUP, "models", wanted)
    until(lambda: cognitive.deployments(GROUP, "models")[0].state == READY)
    assert cognitive.deployments(GROUP, "models") == [Deployment("chat", "gpt-4o-mini", "2024-07-18", "GlobalStandard", 10, READY)]
    quotas = cognitive.quotas("japaneast")
    assert quotas[offered.quota] == Quota(10, 1000)
    assert "OpenAI.GlobalStandard.no-model" not in quotas
    with pytest.raises(QuotaExceeded, match="current quota usage"):
        cognitive.deploy(GROUP, "models", Deployment("more", "gpt-4o-mini", "", "GlobalStandard", 991))
    cognitive.remove(GROUP, "models", "chat")
    cognitive.delete(GROUP, "models")
    assert cognitive.account(GROUP, "models") is None


def test_a_deleted_account_is_restored_or_purged(azure: Azure) -> None:
    cognitive = azure.cognitive
    cognitive.begin(GROUP, "kept", "japaneast", {})
    until(lambda: ready(azure, "kept"))
    cognitive.delete(GROUP, "kept")
    with pytest.raises(AlreadyExists, match="soft-deleted"):
        cognitive.begin(GROUP, "kept", "japaneast", {})
    cognitive.begin(GROUP, "kept", "japaneast", {}, restore=True)
    until(lambda: ready(azure, "kept"))
    cognitive.delete(GROUP, "kept")
    (found,) = cognitive.deleted("kept")
    assert (found.group, found.location, bool(found.until)) == (GROUP, "japaneast", True)
    cognitive.purge(found)
    cognitive.purge(found)
    assert cognitive.deleted("kept") == []


def test_a_refusal_that_passes_is_told_from_one_that_stays(azure: Azure) -> None:
    cognitive = azure.cognitive
    cognitive.begin(GROUP, "busy", "japaneast", {})
    until(lambda: ready(azure, "busy"))
    opened = Store(azure.target.endpoints.ca_bundle.parents[1] / "azure" / "world.sqlite")  # type: ignore[union-attr]
    entry = next(one for one in opened.all("arm") if one["name"] == "busy")
    opened.put("arm", entry["id"], entry | {"_ready": entry["_ready"] + 3600})
    opened.close()
    with pytest.raises(TemporaryRefusal, match="not terminal"):
        cognitive.deploy(GROUP, "busy", Deployment("chat", "gpt-4o", "", "Standard", 1))
