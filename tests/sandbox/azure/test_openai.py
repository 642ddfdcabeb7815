"""Azure OpenAI's stand-in, driven by OpenAI's own client."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Iterator

import httpx
import openai
import pytest

from genai_platform.sandbox.azure.openai_part import PART, key_file, offer, regenerate_key, throttle
from genai_platform.sandbox.layout import SandboxLayout

SENTENCE = "こんにちは。2+3は?「漢字」と😀"
VERSION = "2024-10-21"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    layout = SandboxLayout.create(tmp_path_factory.mktemp("openai") / "world", "sandbox")
    PART.prepare(layout)
    offer(layout, ["gpt-4o-mini", "gpt-4o", "text-embedding-3-small"])
    PART.prepare(layout)
    process = subprocess.Popen(PART.argv(layout), env={"PATH": os.environ["PATH"], **PART.variables(layout)})
    try:
        until = time.monotonic() + 30
        while not PART.ready(layout):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield layout
    finally:
        process.terminate()
        assert process.wait(5) in (0, -15)


@pytest.fixture
def client(layout: SandboxLayout) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        azure_endpoint=layout.url("openai"), api_key=key_file(layout).read_text(), api_version=VERSION, max_retries=0
    ) as client:
        yield client


def ask(client: openai.AzureOpenAI, model: str = "gpt-4o-mini") -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": SENTENCE}])


def test_a_chat_is_answered_with_its_own_text(client: openai.AzureOpenAI) -> None:
    answer = ask(client)
    assert SENTENCE in (answer.choices[0].message.content or "")
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 10
    assert answer.choices[0].message.content == ask(client).choices[0].message.content


def test_a_stream_comes_in_pieces_and_ends_with_the_usage(client: openai.AzureOpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": SENTENCE}], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    whole = ask(client)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage
    assert whole.usage
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 2


def test_pieces_are_sent_as_they_come(layout: SandboxLayout) -> None:
    url = f"{layout.url('openai')}/openai/deployments/gpt-4o/chat/completions?api-version={VERSION}"
    body = {"stream": True, "messages": [{"role": "user", "content": "x" * 60}]}
    with httpx.stream("POST", url, json=body, headers={"api-key": key_file(layout).read_text()}) as response:
        pieces = list(response.iter_raw())
    assert len(pieces) > 5
    assert pieces[-1].endswith(b"data: [DONE]\n\n")


def test_a_limit_cuts_the_answer(client: openai.AzureOpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "one two three four"}], max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage
    assert answer.usage.completion_tokens <= 3


def test_embeddings_are_stable_and_of_length_one(client: openai.AzureOpenAI) -> None:
    first, second = client.embeddings.create(model="text-embedding-3-small", input=["猫", "犬"]).data
    again = client.embeddings.create(model="text-embedding-3-small", input="猫", dimensions=8).data[0]
    assert len(first.embedding) == 1536
    assert first.embedding != second.embedding
    assert sum(value * value for value in again.embedding) == pytest.approx(1, abs=1e-5)


def test_completions_and_responses(client: openai.AzureOpenAI, layout: SandboxLayout) -> None:
    assert SENTENCE in client.completions.create(model="gpt-4o", prompt=SENTENCE).choices[0].text
    with openai.OpenAI(base_url=f"{layout.url('openai')}/openai/v1", api_key=key_file(layout).read_text(), max_retries=0) as modern:
        assert SENTENCE in modern.responses.create(model="gpt-4o", input=SENTENCE).output_text
        with modern.responses.stream(model="gpt-4o", input=SENTENCE) as stream:
            assert SENTENCE in stream.get_final_response().output_text
        assert {model.id for model in modern.models.list()} >= {"gpt-4o", "gpt-4o-mini"}


def test_a_wrong_key_is_refused(layout: SandboxLayout) -> None:
    with openai.AzureOpenAI(azure_endpoint=layout.url("openai"), api_key="wrong", api_version=VERSION, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            ask(client)
        assert caught.value.code == "401"
        assert "invalid subscription key" in str(caught.value)


def test_an_unknown_deployment_is_named_by_its_code(client: openai.AzureOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "gpt-9")
    assert caught.value.code == "DeploymentNotFound"


def test_a_deployment_may_come_while_it_runs_and_does_not_go(client: openai.AzureOpenAI, layout: SandboxLayout) -> None:
    offer(layout, ["チャット"])
    offer(layout, ["another"])
    assert ask(client, "チャット").choices


@pytest.mark.parametrize("name", ["does-not-exist", "no-such-model", "gpt-nonexistent", "non-existent", "Missing"])
def test_some_names_can_be_configured_and_are_not_there(client: openai.AzureOpenAI, layout: SandboxLayout, name: str) -> None:
    offer(layout, [name])
    with pytest.raises(openai.NotFoundError):
        ask(client, name)


@pytest.mark.parametrize("query", ["", "?api-version=", "?api-version=soon"])
def test_the_version_is_needed(layout: SandboxLayout, query: str) -> None:
    url = f"{layout.url('openai')}/openai/deployments/gpt-4o/chat/completions{query}"
    response = httpx.post(url, json={"messages": []}, headers={"api-key": key_file(layout).read_text()})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "404")


def test_a_body_without_messages_is_a_bad_request(layout: SandboxLayout) -> None:
    url = f"{layout.url('openai')}/openai/deployments/gpt-4o/chat/completions?api-version={VERSION}"
    headers = {"api-key": key_file(layout).read_text()}
    assert httpx.post(url, content=b"{", headers=headers).status_code == 400
    assert httpx.post(url, json={}, headers=headers).json()["error"]["param"] == "messages"


def test_the_log_shows_requests_and_no_key(client: openai.AzureOpenAI, layout: SandboxLayout) -> None:
    ask(client)
    log = layout.root / "openai" / "requests.jsonl"
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["status"], last["deployment"]) == (200, "gpt-4o-mini")
    assert SENTENCE in last["text"]
    assert key_file(layout).read_text() not in log.read_text()
    assert stat.S_IMODE(key_file(layout).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("given", "code"),
    [({"max_tokens": 5}, "unsupported_parameter"), ({"temperature": 0.2}, "unsupported_value"), ({"temperature": 1}, None)],
)
def test_a_reasoning_model_refuses_what_azure_refuses(
    layout: SandboxLayout, client: openai.AzureOpenAI, given: dict[str, float], code: str
) -> None:
    offer(layout, {"thinks": "o4-mini"})

    def question(model: str) -> openai.types.chat.ChatCompletion:
        return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], **given)  # type: ignore[call-overload,no-any-return]

    assert question("gpt-4o").choices
    if code is None:
        assert question("thinks").model == "o4-mini"
        return
    with pytest.raises(openai.BadRequestError) as refused:
        question("thinks")
    assert refused.value.code == code


def test_responses_are_there_from_the_version_on_that_has_them(layout: SandboxLayout) -> None:
    body, headers = {"model": "gpt-4o", "input": "x"}, {"api-key": key_file(layout).read_text()}

    def status(path: str) -> int:
        return httpx.post(layout.url("openai") + path, json=body, headers=headers).status_code

    assert status("/openai/responses?api-version=2024-10-21") == 404
    assert status("/openai/responses?api-version=2025-02-01-preview") == 404
    assert status("/openai/responses?api-version=2025-03-01-preview") == 200
    assert status("/openai/v1/responses") == 200


def test_a_deployment_over_its_quota_says_when_to_come_back(layout: SandboxLayout, client: openai.AzureOpenAI) -> None:
    offer(layout, ["busy"])
    throttle(layout, "busy")
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client, "busy")
    assert int(refused.value.response.headers["retry-after"]) >= 1
    assert refused.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert ask(client).choices


def test_a_regenerated_key_ends_the_old_one_at_once(layout: SandboxLayout, client: openai.AzureOpenAI) -> None:
    regenerate_key(layout)
    with pytest.raises(openai.AuthenticationError, match="invalid subscription key"):
        ask(client)
    assert stat.S_IMODE(key_file(layout).stat().st_mode) == 0o600
    client.api_key = key_file(layout).read_text()
    assert ask(client).choices
