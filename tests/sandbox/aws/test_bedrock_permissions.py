"""From a configured identifier to what a role may do: the product asks Bedrock's control plane, and the service holds the policy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from genai_platform.config.endpoints import AwsEndpoints, Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, Forbidden
from genai_platform.render.bedrock import Invocable, policy
from genai_platform.sandbox.aws.bedrock import catalog
from genai_platform.sandbox.aws.identity import ACCOUNT, administrator
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import bedrock as infra_bedrock
from genai_platform.steps.infra.prerequisites.actions import needs
from genai_platform.steps.infra.terraform import cluster_inputs
from genai_platform.tools.aws import bedrock
from genai_platform.tools.aws.client import Aws

HAIKU, NOVA, TITAN = "anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0", "amazon.titan-embed-text-v2:0"
SESSION = boto3.Session()
ROLE = "litellm-exactly"


def product(cloud: Any, folder: Path, key: dict[str, str] | None = None, *models: tuple[str, str]) -> Aws:
    """AWS as the product sees it, in a region of its own: the models' regions are others."""
    wanted = [{"name": id, "provider": "bedrock", "model": id, "region": region} for region, id in models]
    admin = administrator(cloud.layout)
    held = key or {"aws_access_key_id": admin.access_key_id, "aws_secret_access_key": admin.secret_access_key, "aws_session_token": ""}
    endpoints = AwsEndpoints(
        url=cloud.layout.url("aws"), access_key_id=held["aws_access_key_id"], secret_access_key=held["aws_secret_access_key"],
        session_token=held["aws_session_token"] or None,
    )  # fmt: skip
    return Aws(Target("work", Settings.model_validate({"litellm": {"models": wanted}}), Endpoints(aws=endpoints), folder))


@pytest.fixture
def aws(cloud: Any, tmp_path: Path) -> Aws:
    return product(cloud, tmp_path)


@pytest.fixture(scope="module")
def pod(cloud: Any) -> dict[str, str]:
    """Credentials of a pod with a role that has no policy yet."""
    token = cloud.token(sub="system:serviceaccount:genai-platform:litellm")
    return dict(cloud.assume(cloud.web_identity_role(ROLE), token))


def model_arn(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


@pytest.mark.parametrize(
    ("region", "identifier", "destinations"),
    [
        ("eu-central-1", f"eu.{HAIKU}", ["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"]),
        ("ap-northeast-1", f"jp.{HAIKU}", ["ap-northeast-1", "ap-northeast-3"]),
        ("us-west-1", f"us.{HAIKU}", ["us-east-1", "us-east-2", "us-west-2", "us-west-1"]),
        ("eu-west-1", f"global.{HAIKU}", ["eu-west-1", ""]),
    ],
)
def test_a_profile_is_itself_and_its_model_in_each_destination(aws: Aws, region: str, identifier: str, destinations: list[str]) -> None:
    found = bedrock.find(aws, region, identifier)
    assert found.arn == f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{identifier}"
    assert found.model_arns == tuple(model_arn(one, HAIKU) for one in destinations)
    assert bedrock.find(aws, region, found.arn) == found


def test_a_model_is_itself_in_its_region(aws: Aws) -> None:
    assert bedrock.find(aws, "us-east-1", NOVA) == Invocable(model_arn("us-east-1", NOVA))


def application(region: str, model: str) -> str:
    """The ARN of the stand-in's application inference profile of a model or of another profile."""
    return f"arn:aws:bedrock:{region}:{ACCOUNT}:application-inference-profile/{catalog.application_id(model)}"


def test_an_application_inference_profile_leads_where_what_it_was_made_of_leads(aws: Aws) -> None:
    found = bedrock.find(aws, "us-east-1", application("us-east-1", f"us.{HAIKU}"))
    assert found == Invocable(application("us-east-1", f"us.{HAIKU}"), bedrock.find(aws, "us-east-1", f"us.{HAIKU}").model_arns)
    of_a_model = bedrock.find(aws, "us-east-1", application("us-east-1", NOVA))
    assert of_a_model.model_arns == (model_arn("us-east-1", NOVA),)


def test_what_a_region_does_not_have_is_refused_with_what_it_has(aws: Aws) -> None:
    with pytest.raises(ConfigError, match=f"eu-central-1 has neither a foundation model nor an inference profile 'us.{HAIKU}'"):
        bedrock.find(aws, "eu-central-1", f"us.{HAIKU}")
    with pytest.raises(ConfigError, match=f"does not invoke '{HAIKU}' by its own id") as caught:
        bedrock.find(aws, "eu-central-1", HAIKU)
    assert str(caught.value.remedy) == f"use an inference profile: eu.{HAIKU}, global.{HAIKU}"


def test_what_a_region_offers_can_be_found_there(aws: Aws) -> None:
    offered = bedrock.offers(aws, "eu-central-1")
    assert {one.id: one.profile for one in offered}.items() >= {TITAN: False, f"eu.{HAIKU}": True}.items()
    assert HAIKU not in [one.id for one in offered], "it is invoked through a profile alone"
    for one in offered:
        assert (":inference-profile/" in bedrock.find(aws, "eu-central-1", one.id).arn) is one.profile


def test_not_allowed_to_look_is_not_taken_for_unknown(cloud: Any, pod: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match=f"could not look up {NOVA} on Amazon Bedrock in us-east-1"):
        bedrock.find(product(cloud, tmp_path, pod), "us-east-1", NOVA)


def test_a_role_may_do_what_is_configured_and_nothing_else(cloud: Any, aws: Aws, pod: dict[str, str]) -> None:
    configured = [
        ("eu-central-1", f"eu.{HAIKU}"), ("eu-west-1", f"global.{HAIKU}"), ("us-east-1", NOVA), ("eu-central-1", f"eu.{NOVA}"),
        ("eu-central-1", TITAN), ("us-west-2", application("us-west-2", f"us.{HAIKU}")),
    ]  # fmt: skip
    document = policy(bedrock.find(aws, *one) for one in configured)
    cloud.client("iam").put_role_policy(RoleName=ROLE, PolicyName="bedrock", PolicyDocument=document)

    def allowed(region: str, model: str) -> bool:
        runtime = SESSION.client(
            "bedrock-runtime", region_name=region, endpoint_url=cloud.layout.url("aws"), config=Config(retries={"max_attempts": 0}), **pod
        )
        try:
            if model == TITAN:
                runtime.invoke_model(modelId=model, body=json.dumps({"inputText": "hello"}))
            else:
                asked = {"modelId": model, "messages": [{"role": "user", "content": [{"text": "hello"}]}]}
                assert runtime.converse(**asked)["stopReason"] == "end_turn"
                assert list(runtime.converse_stream(**asked)["stream"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return False
        return True

    assert [one for one in configured if not allowed(*one)] == []
    others = [
        ("eu-west-1", f"eu.{HAIKU}"),  # the same profile in another region, which is a destination
        ("eu-central-1", f"global.{HAIKU}"), ("us-east-1", f"us.{NOVA}"), ("ap-northeast-1", NOVA), ("eu-west-1", TITAN),
        ("eu-central-1", NOVA),  # a profile's model without the profile
        ("us-east-1", "amazon.nova-micro-v1:0"),
        ("us-west-2", f"us.{HAIKU}"), ("us-west-2", application("us-west-2", HAIKU)),  # what a profile was made of, and another one of it
    ]  # fmt: skip
    assert [one for one in others if allowed(*one)] == []


def configured(cloud: Any, folder: Path, *models: tuple[str, str]) -> Clients:
    """The product's clients with these models of Amazon Bedrock, each with its region."""
    aws = product(cloud, folder, None, *models)
    return Clients(aws.target, aws=aws)


def test_the_clusters_root_is_given_exactly_what_is_configured(cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(cloud, tmp_path, ("us-east-1", NOVA), ("eu-west-1", TITAN), ("us-east-1", NOVA))
    text = infra_bedrock.litellm_policy(found)
    (statement,) = json.loads(text or "")["Statement"]
    assert statement["Resource"] == [model_arn("eu-west-1", TITAN), model_arn("us-east-1", NOVA)]
    assert infra_bedrock.look(found) == "3 models are offered by Amazon Bedrock in eu-west-1, us-east-1"
    for name in ("storage", "network"):
        monkeypatch.setattr(found, name, lambda: SimpleNamespace(langfuse_bucket="l", clickhouse_bucket="c", private_subnet_ids=[]))
    assert cluster_inputs(found)["litellm_policy"] == text
    none = configured(cloud, tmp_path)
    assert infra_bedrock.litellm_policy(none) is None


def test_a_model_that_a_region_does_not_have_is_refused_before_anything_is_made(cloud: Any, tmp_path: Path) -> None:
    found = configured(cloud, tmp_path, ("us-east-1", NOVA), ("eu-west-1", "amazon.nova-unheard-v1:0"))
    with pytest.raises(ConfigError, match=r"Amazon Bedrock in eu-west-1 has neither .* 'amazon\.nova-unheard-v1:0'"):
        infra_bedrock.look(found)


def test_an_application_inference_profile_of_another_model_is_refused(cloud: Any, tmp_path: Path) -> None:
    model = {"name": "sales", "provider": "bedrock", "application_inference_profile": application("us-east-1", f"us.{HAIKU}")}

    def look(id: str) -> str:
        settings = Settings.model_validate({"litellm": {"models": [model | {"model": id}]}})
        aws = product(cloud, tmp_path)
        return infra_bedrock.look(Clients(replace(aws.target, settings=settings), aws=aws))

    assert look(HAIKU) == look(f"us.{HAIKU}") == "1 model is offered by Amazon Bedrock in us-east-1"
    with pytest.raises(ConfigError, match=rf"configured as {NOVA}, but its application inference profile leads to {HAIKU}"):
        look(NOVA)


def test_rights_on_bedrock_are_asked_for_only_with_a_model_of_it(cloud: Any, tmp_path: Path) -> None:
    def rights(*models: tuple[str, str]) -> dict[str, list[str]]:
        wanted = needs(configured(cloud, tmp_path, *models).target, ACCOUNT)
        return {one.context["aws:RequestedRegion"]: sorted(one.actions) for one in wanted if one.area == "models"}

    asked = ["bedrock:GetFoundationModel", "bedrock:GetInferenceProfile", "bedrock:ListInferenceProfiles"]
    assert rights() == {}
    assert rights(("us-east-1", NOVA), ("eu-west-1", TITAN)) == {"eu-west-1": asked, "us-east-1": asked}
