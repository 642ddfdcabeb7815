"""Bedrock as boto3 sees it: signature, policy, regions, Converse and its stream, the models' own bodies, the control plane."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from genai_platform.sandbox.aws.bedrock import catalog
from genai_platform.sandbox.aws.bedrock.faults import faults_file
from genai_platform.sandbox.aws.identity import ACCOUNT, administrator

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-multilingual-v3"
HAIKU, NOVA = "anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
SESSION = boto3.Session()  # reads the service's description once
INVOKE = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
ASK = [{"role": "user", "content": [{"text": "What is 6 × 7? ✓"}]}]
WEATHER = {
    "toolSpec": {
        "name": "weather", "description": "The weather of a place",
        "inputSchema": {"json": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}},
    }
}  # fmt: skip


def client(cloud: Any, service: str = "bedrock-runtime", region: str = "us-east-1", credentials: dict[str, str] | None = None) -> Any:
    key = administrator(cloud.layout)
    names = credentials or {"aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key}
    return SESSION.client(
        service, region_name=region, endpoint_url=cloud.layout.url("aws"), config=Config(retries={"max_attempts": 0}), **names
    )


def refusal(call: Any, **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.fixture(scope="module")
def allow(cloud: Any) -> Any:
    """Give LiteLLM's role statements and get its pod's credentials; the role has none before."""
    iam, role = cloud.client("iam"), cloud.web_identity_role("litellm")
    token = cloud.token(sub="system:serviceaccount:genai-platform:litellm")

    def give(*statements: dict[str, Any]) -> dict[str, str]:
        if statements:
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": INVOKE, **one} for one in statements]}
            iam.put_role_policy(RoleName="litellm", PolicyName="bedrock", PolicyDocument=json.dumps(document))
        return dict(cloud.assume(role, token))

    return give


@pytest.fixture
def faults(cloud: Any) -> Iterator[Any]:
    """Have Bedrock refuse: region/model and the error's name."""
    file = faults_file(cloud.layout)
    yield lambda **wanted: file.write_text(json.dumps(wanted["named"]))
    file.unlink(missing_ok=True)


# -- Converse ------------------------------------------------------------------------------------
def test_converse_answers_and_counts(cloud: Any) -> None:
    got = client(cloud).converse(modelId=f"us.{HAIKU}", messages=ASK, system=[{"text": "Be brief."}])
    assert got["output"]["message"] == {"role": "assistant", "content": [{"text": "You said: What is 6 × 7? ✓"}]}
    assert got["stopReason"] == "end_turn"
    usage = got["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert min(usage["inputTokens"], usage["outputTokens"]) > 5
    more = client(cloud).converse(modelId=f"us.{HAIKU}", messages=[{"role": "user", "content": [{"text": "longer " * 50}]}])
    assert more["usage"]["inputTokens"] > usage["inputTokens"]


def test_a_stream_brings_the_same_text_in_whole_frames(cloud: Any) -> None:
    """botocore checks both sums of every frame."""
    events = list(client(cloud).converse_stream(modelId=NOVA, messages=ASK)["stream"])
    assert [next(iter(one)) for one in (events[0], *events[-3:])] == ["messageStart", "contentBlockStop", "messageStop", "metadata"]
    deltas = [one["contentBlockDelta"]["delta"]["text"] for one in events if "contentBlockDelta" in one]
    assert "".join(deltas) == "You said: What is 6 × 7? ✓"
    assert len(deltas) > 1
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 5


def test_an_answer_ends_at_its_limit(cloud: Any) -> None:
    got = client(cloud).converse(modelId=NOVA, messages=ASK, inferenceConfig={"maxTokens": 2})
    assert (got["stopReason"], got["usage"]["outputTokens"]) == ("max_tokens", 2)


def test_a_tool_is_asked_for_and_its_result_is_read(cloud: Any) -> None:
    runtime, ask = client(cloud), [{"role": "user", "content": [{"text": "Use weather for Kyōto"}]}]
    got = runtime.converse(modelId=f"us.{HAIKU}", messages=ask, toolConfig={"tools": [WEATHER]})
    assert got["stopReason"] == "tool_use"
    (block,) = got["output"]["message"]["content"]
    assert block["toolUse"]["name"] == "weather"
    assert block["toolUse"]["input"] == {"place": "Use weather for Kyōto"}
    result = {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"json": {"sky": "clear"}}]}}
    turns = [*ask, got["output"]["message"], {"role": "user", "content": [result]}]
    ended = runtime.converse(modelId=f"us.{HAIKU}", messages=turns, toolConfig={"tools": [WEATHER]})
    assert ended["output"]["message"]["content"][0]["text"] == 'The tool said: {"sky": "clear"}'
    foreign = {"toolResult": {"toolUseId": "tooluse_other", "content": [{"text": "rain"}]}}
    turns[-1] = {"role": "user", "content": [result, foreign]}
    assert (
        "exceeds the number of toolUse blocks"
        in refusal(runtime.converse, modelId=NOVA, messages=turns, toolConfig={"tools": [WEATHER]})[2]
    )
    turns[-1] = {"role": "user", "content": [{"text": "never mind"}]}
    assert "Expected toolResult blocks" in refusal(runtime.converse, modelId=NOVA, messages=turns, toolConfig={"tools": [WEATHER]})[2]


def test_a_streamed_tool_has_its_input_in_pieces(cloud: Any) -> None:
    config = {"tools": [WEATHER], "toolChoice": {"tool": {"name": "weather"}}}
    events = list(client(cloud).converse_stream(modelId=NOVA, messages=ASK, toolConfig=config)["stream"])
    started = next(one["contentBlockStart"]["start"]["toolUse"] for one in events if "contentBlockStart" in one)
    assert started["name"] == "weather"
    pieces = [one["contentBlockDelta"]["delta"]["toolUse"]["input"] for one in events if "contentBlockDelta" in one]
    assert json.loads("".join(pieces)) == {"place": "What is 6 × 7? ✓"}
    assert {"messageStop": {"stopReason": "tool_use"}} in events


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"messages": [{"role": "assistant", "content": [{"text": "I begin"}]}]}, "must start with a user message"),
        ({"messages": [*ASK, *ASK]}, "must alternate between user and assistant roles"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "messages.0.content.0 is blank"),
        ({"messages": ASK, "inferenceConfig": {"temperature": 1.5}}, "'inferenceConfig.temperature' failed to satisfy constraint"),
        ({"messages": ASK, "modelId": TITAN}, "Try again with a supported text or chat model"),
        ({"messages": ASK, "modelId": "amazon.nova-lite-v9:0"}, "The provided model identifier is invalid."),
        ({"messages": ASK, "modelId": f"eu.{HAIKU}"}, "The provided model identifier is invalid."),
        ({"messages": ASK, "modelId": HAIKU}, f"Invocation of model ID {HAIKU} with on-demand throughput isn’t supported."),
    ],
    ids=["first turn", "turns", "blank", "temperature", "no chat", "unknown", "other geography", "needs a profile"],
)
def test_what_the_service_refuses(cloud: Any, arguments: dict[str, Any], said: str) -> None:
    status, code, message = refusal(client(cloud).converse, **({"modelId": NOVA} | arguments))
    assert (status, code) == (400, "ValidationException")
    assert said in message


def test_each_region_has_its_own_models(cloud: Any) -> None:
    runtime = client(cloud, region="ap-northeast-1")
    assert runtime.converse(modelId=f"jp.{HAIKU}", messages=ASK)["stopReason"] == "end_turn"
    assert refusal(runtime.converse, modelId=f"us.{HAIKU}", messages=ASK)[1] == "ValidationException"
    assert refusal(client(cloud, region="eu-west-1").converse, modelId=NOVA, messages=ASK)[1] == "ValidationException"


# -- the models' own bodies ----------------------------------------------------------------------
def invoked(cloud: Any, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    got = client(cloud).invoke_model(modelId=model, body=json.dumps(body))
    return json.loads(got["body"].read()), got["ResponseMetadata"]["HTTPHeaders"]


def test_titan_embeds_one_text(cloud: Any) -> None:
    got, headers = invoked(cloud, TITAN, {"inputText": "hello world", "dimensions": 256})
    assert len(got["embedding"]) == 256
    assert sum(value * value for value in got["embedding"]) == pytest.approx(1)
    assert got == invoked(cloud, TITAN, {"inputText": "hello world", "dimensions": 256})[0]
    assert str(got["inputTextTokenCount"]) == headers["x-amzn-bedrock-input-token-count"]
    runtime = client(cloud)
    for wrong in ({"text": "x"}, {"inputText": "x", "dimensions": 100}, {"inputText": "x", "model": "y"}):
        assert "Malformed input request" in refusal(runtime.invoke_model, modelId=TITAN, body=json.dumps(wrong))[2]
    assert refusal(runtime.invoke_model_with_response_stream, modelId=TITAN, body="{}")[1] == "ValidationException"


def test_cohere_embeds_many(cloud: Any) -> None:
    body = {"texts": ["one", "two"], "input_type": "search_document"}
    assert [len(one) for one in invoked(cloud, COHERE, body)[0]["embeddings"]] == [1024, 1024]
    typed = invoked(cloud, COHERE, body | {"embedding_types": ["float"]})[0]
    assert len(typed["embeddings"]["float"]) == 2
    assert "input_type" in refusal(client(cloud).invoke_model, modelId=COHERE, body='{"texts": ["one"]}')[2]


def test_claude_speaks_the_messages_api(cloud: Any) -> None:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
    got, headers = invoked(cloud, f"us.{HAIKU}", body)
    assert got["content"] == [{"type": "text", "text": "You said: hello"}]
    assert (got["stop_reason"], str(got["usage"]["output_tokens"])) == ("end_turn", headers["x-amzn-bedrock-output-token-count"])
    stream = client(cloud).invoke_model_with_response_stream(modelId=f"us.{HAIKU}", body=json.dumps(body))["body"]
    events = [json.loads(one["chunk"]["bytes"]) for one in stream]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    assert "".join(one["delta"]["text"] for one in events if one["type"] == "content_block_delta") == "You said: hello"
    call = client(cloud).invoke_model
    for wrong, said in (({"model": "x"}, "model: Extra inputs"), ({"anthropic_version": "1"}, "bedrock-2023-05-31")):
        assert said in refusal(call, modelId=f"us.{HAIKU}", body=json.dumps(body | wrong))[2]


# -- who may -------------------------------------------------------------------------------------
def test_a_wrong_secret_and_no_signature_are_refused(cloud: Any) -> None:
    liar = {"aws_access_key_id": administrator(cloud.layout).access_key_id, "aws_secret_access_key": "x" * 40}
    assert refusal(client(cloud, credentials=liar).converse, modelId=NOVA, messages=ASK)[:2] == (403, "InvalidSignatureException")
    stranger = liar | {"aws_access_key_id": "AKIA" + "X" * 16}
    assert refusal(client(cloud, credentials=stranger).converse, modelId=NOVA, messages=ASK)[:2] == (403, "UnrecognizedClientException")
    for path in (f"/model/{NOVA}/converse", "/foundation-models"):
        with pytest.raises(HTTPError) as caught:
            cloud.get(path)
        assert caught.value.code == 403
        assert caught.value.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_a_role_without_a_policy_may_do_nothing(cloud: Any, allow: Any) -> None:
    status, code, message = refusal(client(cloud, credentials=allow()).converse, modelId=NOVA, messages=ASK)
    assert (status, code) == (403, "AccessDeniedException")
    assert f"bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/{NOVA}" in message
    assert refusal(client(cloud, "bedrock", credentials=allow()).list_foundation_models)[1] == "AccessDeniedException"


def test_a_role_may_use_its_model_in_its_region_alone(cloud: Any, allow: Any) -> None:
    pod = allow({"Resource": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"})
    runtime = client(cloud, credentials=pod)
    assert runtime.converse(modelId=NOVA, messages=ASK)["stopReason"] == "end_turn"
    assert list(runtime.converse_stream(modelId=NOVA, messages=ASK)["stream"])
    assert refusal(runtime.converse, modelId="amazon.nova-micro-v1:0", messages=ASK)[1] == "AccessDeniedException"
    assert refusal(runtime.converse, modelId=f"us.{NOVA}", messages=ASK)[1] == "AccessDeniedException"
    assert (
        refusal(client(cloud, region="ap-northeast-1", credentials=pod).converse, modelId=NOVA, messages=ASK)[1] == "AccessDeniedException"
    )
    only = allow({"Resource": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}", "Action": "bedrock:InvokeModel"})
    denied = refusal(client(cloud, credentials=only).converse_stream, modelId=NOVA, messages=ASK)
    assert "bedrock:InvokeModelWithResponseStream" in denied[2]


def test_a_profile_needs_itself_and_its_model_in_every_destination(cloud: Any, allow: Any) -> None:
    profile = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.{HAIKU}"
    there = [f"arn:aws:bedrock:{region}::foundation-model/{HAIKU}" for region in ("us-east-1", "us-east-2", "us-west-2")]

    def ask(*statements: dict[str, Any]) -> Any:
        return client(cloud, credentials=allow(*statements)).converse(modelId=f"us.{HAIKU}", messages=ASK)

    only = {"Condition": {"StringEquals": {"bedrock:InferenceProfileArn": profile}}}
    assert ask({"Resource": [profile, *there]})["stopReason"] == "end_turn"
    assert ask({"Resource": profile}, {"Resource": there, **only})["stopReason"] == "end_turn"
    for lacking, named in (([profile], "us-east-1"), ([profile, *there[:2]], "us-west-2"), (there, "inference-profile")):
        with pytest.raises(ClientError, match=f"AccessDeniedException.*{named}"):
            ask({"Resource": lacking})
    other = {"Condition": {"StringEquals": {"bedrock:InferenceProfileArn": profile.replace("us.", "eu.")}}}
    with pytest.raises(ClientError, match="AccessDeniedException"):
        ask({"Resource": profile}, {"Resource": there, **other})


def test_a_global_profile_needs_the_model_without_a_region(cloud: Any, allow: Any) -> None:
    name = f"global.{HAIKU}"
    wanted = [
        f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/{name}",
        f"arn:aws:bedrock:eu-west-1::foundation-model/{HAIKU}",
        f"arn:aws:bedrock:::foundation-model/{HAIKU}",
    ]
    runtime = client(cloud, region="eu-west-1", credentials=allow({"Resource": wanted}))
    assert runtime.converse(modelId=name, messages=ASK)["stopReason"] == "end_turn"
    assert (
        "arn:aws:bedrock:::foundation-model"
        in refusal(client(cloud, region="eu-west-1", credentials=allow({"Resource": wanted[:2]})).converse, modelId=name, messages=ASK)[2]
    )


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("ThrottlingException", 429, "Too many requests"), ("ModelNotReadyException", 429, "not ready"),
        ("AccessDeniedException", 403, "aws-marketplace:Subscribe"), ("ResourceNotFoundException", 404, "use case details"),
        ("ServiceUnavailableException", 503, "unable to process"),
    ],
)  # fmt: skip
def test_what_happens_to_a_model_in_one_region(cloud: Any, faults: Any, code: str, status: int, said: str) -> None:
    faults(named={f"us-east-1/{NOVA}": code})
    found = refusal(client(cloud).converse, modelId=NOVA, messages=ASK)
    assert found[:2] == (status, code)
    assert said in found[2]
    assert client(cloud, region="ap-northeast-1").converse(modelId=NOVA, messages=ASK)


def test_a_stream_may_end_with_an_error(cloud: Any, faults: Any) -> None:
    faults(named={f"us-east-1/{NOVA}": "stream:ThrottlingException"})
    with pytest.raises(EventStreamError, match=r"throttlingException.*Too many requests"):
        list(client(cloud).converse_stream(modelId=NOVA, messages=ASK)["stream"])


# -- control plane -------------------------------------------------------------------------------
def test_a_region_lists_its_models_and_profiles(cloud: Any) -> None:
    control = client(cloud, "bedrock", "eu-central-1")
    models = {one["modelId"]: one for one in control.list_foundation_models()["modelSummaries"]}
    assert models[TITAN]["inferenceTypesSupported"] == ["ON_DEMAND"]
    assert models[HAIKU]["inferenceTypesSupported"] == ["INFERENCE_PROFILE"]
    assert models[HAIKU]["modelArn"] == f"arn:aws:bedrock:eu-central-1::foundation-model/{HAIKU}"
    embedding = control.list_foundation_models(byOutputModality="EMBEDDING", byProvider="cohere")["modelSummaries"]
    assert {one["providerName"] for one in embedding} == {"Cohere"}
    assert {one["modelId"] for one in control.list_foundation_models(byInferenceType="ON_DEMAND")["modelSummaries"]} >= {TITAN}
    assert control.list_foundation_models(byCustomizationType="FINE_TUNING")["modelSummaries"] == []
    pages = control.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 2})
    listed = [one["inferenceProfileId"] for page in pages for one in page["inferenceProfileSummaries"]]
    assert {f"eu.{HAIKU}", f"global.{HAIKU}", f"eu.{NOVA}"} <= set(listed)
    assert len(listed) == len(set(listed))
    assert not any(name.startswith(("us.", "jp.", "apac.")) for name in listed)
    assert refusal(control.list_inference_profiles, nextToken="elsewhere")[1] == "ValidationException"


@pytest.mark.parametrize(
    ("region", "name", "destinations"),
    [
        ("eu-central-1", f"eu.{HAIKU}", ["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"]),
        ("us-west-1", f"us.{HAIKU}", ["us-east-1", "us-east-2", "us-west-2", "us-west-1"]),
        ("ap-northeast-1", f"jp.{HAIKU}", ["ap-northeast-1", "ap-northeast-3"]),
        ("ap-northeast-1", f"global.{HAIKU}", ["ap-northeast-1", ""]),
    ],
)
def test_a_profile_names_its_destinations(cloud: Any, region: str, name: str, destinations: list[str]) -> None:
    control = client(cloud, "bedrock", region)
    found = control.get_inference_profile(inferenceProfileIdentifier=name)
    assert found["models"] == [{"modelArn": f"arn:aws:bedrock:{one}::foundation-model/{HAIKU}"} for one in destinations]
    assert control.get_inference_profile(inferenceProfileIdentifier=found["inferenceProfileArn"])["inferenceProfileId"] == name
    assert refusal(control.get_inference_profile, inferenceProfileIdentifier="eu.amazon.none-v1:0")[:2] == (
        404,
        "ResourceNotFoundException",
    )


# -- LiteLLM -------------------------------------------------------------------------------------
def test_litellm_uses_it_with_its_pod_s_role(cloud: Any, allow: Any, faults: Any, tmp_path: Path) -> None:
    """The pinned LiteLLM, with what a pod's web identity gives it and nothing else: no key, no role and no endpoint of its own."""
    profiles = [f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.{model}" for model in (HAIKU, "anthropic.claude-sonnet-4-6")]
    there = [f"arn:aws:bedrock:us-*::foundation-model/{model}" for model in (HAIKU, "anthropic.claude-sonnet-4-6")]
    own = [f"arn:aws:bedrock:us-east-1::foundation-model/{model}" for model in (NOVA, TITAN, COHERE)]
    application = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/{catalog.application_id(f'us.{HAIKU}')}"
    allow({"Resource": [*profiles, application, *there, *own]})
    faults(named={"us-east-1/us.anthropic.claude-sonnet-4-6": "ThrottlingException"})
    (tmp_path / "token").write_text(cloud.token(sub="system:serviceaccount:genai-platform:litellm"))
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": cloud.layout.url("aws"), "AWS_BEDROCK_RUNTIME_ENDPOINT": cloud.layout.url("aws"),
        "AWS_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/litellm", "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    program = Path(__file__).with_name("bedrock_by_litellm.py")
    done = subprocess.run([sys.executable, program, application], env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    got = json.loads(done.stdout.splitlines()[-1])  # LiteLLM itself prints hints
    said = "You said: What is 6 x 7?"
    for kind in ("chat", "converse", "invoke", "application"):
        assert got[kind][:2] == [said, "stop"], kind
        assert got[kind][2] > 5, kind
    for kind in ("stream", "invoke stream"):
        assert got[kind][:2] == [said, True], kind
        assert got[kind][-1] > 5, kind
    for kind in ("tool", "streamed tool"):
        assert got[kind] == ["weather", {"place": "What is 6 x 7?"}, "tool_calls", "The tool said: clear"], kind
    assert got["titan"] == [2, 512, 2]
    assert got["cohere"][:2] == [2, 1024]
    assert "ap-northeast-1::foundation-model" in got["elsewhere"][2]
    assert "is not authorized to perform: bedrock:InvokeModel" in got["other"][2]
    assert got["throttled"][:2] == ["RateLimitError", 429]
