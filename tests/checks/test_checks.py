"""Each check passes on a platform that works, and fails when what it guards is broken."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from genai_platform.checks import clickhouse, langfuse, litellm, patch
from genai_platform.checks.catalog import build
from genai_platform.checks.check import Outcome
from genai_platform.checks.run import SENTENCE
from genai_platform.checks.runner import run
from genai_platform.config.settings import Settings
from genai_platform.errors import GenaiError
from genai_platform.render import langfuse as names
from genai_platform.render.clickhouse_disk import POLICY

from .platform import ANSWER, SETTINGS, Platform, event

IDS = [
    "litellm.ready", "litellm.openapi", "litellm.ui", "litellm.models", "litellm.chat", "litellm.stream", "litellm.logged",
    "litellm.refuses",
    "langfuse.login", "langfuse.closed", "langfuse.keys", "langfuse.trace", "langfuse.storage", "clickhouse.storage", "patch.identity",
    "patch.disk",
]  # fmt: skip


def look(platform: Platform, id: str) -> Outcome:
    world = platform.world()
    found = [check for family in (litellm, langfuse, clickhouse, patch) for check in family.checks(world)]
    try:
        return next(check for check in found if check.id == id).look()
    except GenaiError as error:
        return Outcome("fail", error.message, error.remedy)


@pytest.mark.parametrize("id", IDS)
def test_it_passes_on_a_platform_that_works(id):
    outcome = look(Platform(), id)
    assert outcome.status == "pass", outcome
    assert outcome.evidence
    assert outcome.hint == ""


def broken(id: str, words: str, change: Callable[[Platform], object]) -> object:
    return pytest.param(id, words, change, id=f"{id}: {words}")


def role(name: str, value: str) -> Callable[[Platform], object]:
    return lambda platform: platform.roles.__setitem__(name, value)


def asked(**change: object) -> Callable[[Platform], object]:
    return lambda platform: setattr(platform, "clickhouse", json.dumps(json.loads(platform.clickhouse) | change))


def put(**change: object) -> Callable[[Platform], object]:
    return lambda platform: [setattr(platform, name, value) for name, value in change.items()]


@pytest.mark.parametrize(
    ("id", "words", "change"),
    [
        broken("litellm.ready", "Not connected", put(readiness={"status": "healthy", "db": "Not connected"})),
        broken("litellm.ready", "not named", put(readiness={"status": "healthy"})),
        broken("litellm.openapi", "no OpenAPI document", put(openapi={"hello": "world"})),
        broken("litellm.ui", "404", put(ui=httpx.Response(404, text="nothing"))),
        broken("litellm.models", "missing: embed", put(models=["chat-a", "chat-b"])),
        broken("litellm.models", "not configured: more", put(models=["chat-a", "chat-b", "embed", "more"])),
        broken("litellm.chat", "chat-b: /v1/chat/completions answered 500", put(broken_models={"chat-b": "wrong deployment"})),
        broken("litellm.chat", "no JSON in UTF-8", put(answer=ANSWER.encode("euc-jp"))),
        broken("litellm.chat", "characters were lost", put(answer="\N{REPLACEMENT CHARACTER}".encode())),
        broken("litellm.chat", "empty", put(answer=b"  ")),
        broken("litellm.stream", "one piece", put(stream=[event("東") + event("京")])),
        broken("litellm.stream", "no readable answer", put(stream=[b"data: [DONE]\n\n"])),
        broken("litellm.logged", "does not have chatcmpl-chat-a", put(logged=False)),
        broken("litellm.refuses", "no key gets 200", put(checks_keys=False)),
        broken("langfuse.login", "not with Langfuse's page", put(sign_in=httpx.Response(200, html="<html>welcome</html>"))),
        broken("langfuse.login", "503", put(sign_in=httpx.Response(503, text="no target"))),
        broken("langfuse.closed", "422: Invalid", put(sign_up=httpx.Response(422, json={"message": "Invalid email"}))),
        broken("langfuse.keys", "0 projects", put(projects=[])),
        broken("langfuse.trace", "no trace of session", put(delivers=False)),
        broken("langfuse.trace", "lacks model or token counts", put(generation={"model": "dep-a"})),
        broken("langfuse.storage", "none newer", put(langfuse_objects=[("events/a", -3600.0)])),
        broken("clickhouse.storage", "9 prefixes", put(clickhouse_objects=[(f"disk/{n}/x", 1.0) for n in range(9)])),
        broken("clickhouse.storage", "0 newer", put(clickhouse_objects=[(f"disk/{n}/x", -3600.0) for n in range(20)])),
        broken("patch.identity", "langfuse-web-0 has AWS_ROLE_ARN not set", role(names.WEB, "")),
        broken("patch.identity", "arn:langfuse, not arn:clickhouse", role(names.CLICKHOUSE_STATEFUL_SET, "arn:langfuse")),
        broken("patch.identity", "has no running pod", lambda platform: platform.roles.pop(names.WORKER)),
        broken("patch.disk", "does not mount", put(mounted=False)),
        broken("patch.disk", "not s3disk", asked(disks=[["default", "Local"]])),
        broken("patch.disk", "does not know the policy", asked(policies=[["default", "default", ["default"]]])),
        broken("patch.disk", "lists s3disk", asked(policies=[[POLICY, "s3", ["s3disk"]]])),
        broken("patch.disk", "could not be asked", put(job_ends="Failed", clickhouse="password is incorrect")),
    ],
)
def test_it_fails_when_what_it_guards_is_broken(id, words, change):
    platform = Platform()
    change(platform)
    outcome = look(platform, id)
    assert outcome.status == "fail"
    assert words in outcome.evidence


def test_the_catalog_has_every_check_once_and_in_order():
    assert [check.id for check in build(Platform())] == IDS


def test_the_sentence_is_sent_in_utf_8_as_it_is():
    platform = Platform()
    look(platform, "litellm.chat")
    assert all(SENTENCE.encode() in body for body in platform.sent)
    assert len(platform.sent) == 2  # the chat models, and no other


def test_one_chat_serves_all_checks():
    platform = Platform()
    world = platform.world()
    for family in (litellm, langfuse, clickhouse):
        for check in family.checks(world):
            check.look()
    assert platform.sessions.count(world.run.session) == 2


def test_without_a_chat_model_what_needs_one_is_skipped_with_its_reason():
    embeddings = {"litellm": {"models": [model.model_dump() for model in SETTINGS.litellm.models if model.mode == "embedding"]}}
    platform = Platform(settings=Settings.model_validate(embeddings), models=["embed"])
    for id in ("litellm.chat", "litellm.stream", "litellm.logged", "langfuse.trace", "langfuse.storage", "clickhouse.storage"):
        outcome = look(platform, id)
        assert (outcome.status, outcome.evidence[:13]) == ("skip", "no chat model")


def test_no_evidence_holds_a_secret():
    platform = Platform(broken_models={"chat-a": "bad key sk-abcdefgh123456"}, job_ends="Failed")
    known = [value.get_secret_value() for _, value in platform._secrets if hasattr(value, "get_secret_value")]
    for result in run(build_quick(platform), interval=0.01):
        assert not any(secret in result.evidence + result.hint for secret in known)
        assert "sk-abcdefgh" not in result.evidence


def test_the_question_to_clickhouse_leaves_no_job_behind():
    platform = Platform(job_ends="Failed")
    look(platform, "patch.disk")
    assert len(platform.deleted) == 1


def build_quick(platform: Platform) -> list:
    from dataclasses import replace

    world = platform.world()
    return [replace(check, deadline=0.0) for family in (litellm, langfuse, clickhouse, patch) for check in family.checks(world)]
