"""Each check passes on a platform that works, and fails when what it guards is broken."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from genai_platform.advice import run_genai
from genai_platform.checks import clickhouse, langfuse, litellm, patch
from genai_platform.checks.catalog import build
from genai_platform.checks.chats import SENTENCE
from genai_platform.checks.check import Outcome
from genai_platform.checks.platform import FunctionCheck, Platform
from genai_platform.checks.runner import run
from genai_platform.config.settings import Settings
from genai_platform.errors import BudgetSpent, NeverBuilt, StepError, Unreachable
from genai_platform.render import langfuse as names
from genai_platform.render.clickhouse_disk import POLICY
from genai_platform.tools.kubernetes.client import ClusterAbsent

from .platform import ANSWER, SECOND_LINE, SETTINGS, PlatformWorld, event, without_azure

IDS = [
    "litellm.ready", "litellm.openapi", "litellm.ui", "litellm.models", "litellm.chat", "litellm.stream", "litellm.logged",
    "litellm.refuses",
    "langfuse.login", "langfuse.closed", "langfuse.keys", "langfuse.trace", "langfuse.storage", "clickhouse.storage", "patch.identity",
    "patch.disk",
]  # fmt: skip


def look(platform: PlatformWorld, id: str) -> Outcome:
    platform = platform.platform()
    found = [check for family in (litellm, langfuse, clickhouse, patch) for check in family.checks(platform)]
    return next(check for check in found if check.id == id).look()


MOJIBAKE = ANSWER.encode().decode("latin-1")
GUARDED_BY_PATCH = ("patch.identity", "patch.disk", "langfuse.trace", "langfuse.storage", "clickhouse.storage")


@pytest.mark.parametrize("settings", [SETTINGS, SECOND_LINE], ids=["Langfuse 3", "Langfuse 4"])
@pytest.mark.parametrize("id", IDS)
def test_it_passes_on_a_platform_that_works(id, settings):
    outcome = look(PlatformWorld(settings=settings, mounted=settings is SETTINGS), id)
    assert outcome.status == "pass", outcome
    assert outcome.evidence
    assert outcome.hint == ""


def broken(id: str, words: str, change: Callable[[PlatformWorld], object]) -> object:
    return pytest.param(id, words, change, id=f"{id}: {words}")


def role(name: str, value: str) -> Callable[[PlatformWorld], object]:
    return lambda platform: platform.roles.__setitem__(name, value)


def asked(**change: object) -> Callable[[PlatformWorld], object]:
    return lambda platform: setattr(platform, "clickhouse", json.dumps(json.loads(platform.clickhouse) | change))


def refused(message: str) -> httpx.Response:
    return httpx.Response(422, json={"message": message})


def put(**change: object) -> Callable[[PlatformWorld], object]:
    return lambda platform: [setattr(platform, name, value) for name, value in change.items()]


@pytest.mark.parametrize(
    ("id", "words", "change"),
    [
        broken("litellm.ready", "Not connected", put(readiness={"status": "healthy", "db": "Not connected"})),
        broken("litellm.ready", "not named", put(readiness={"status": "healthy"})),
        broken("litellm.openapi", "not an OpenAPI document", put(openapi={"hello": "world"})),
        broken("litellm.ui", "404", put(ui=httpx.Response(404, text="nothing"))),
        broken("litellm.models", "missing: embed", put(models=["chat-a", "chat-b"])),
        broken("litellm.models", "not configured: more", put(models=["chat-a", "chat-b", "embed", "more"])),
        broken("litellm.chat", "chat-b: /v1/chat/completions answered 500", put(broken_models={"chat-b": "wrong deployment"})),
        broken("litellm.chat", "not JSON in UTF-8", put(answer=ANSWER.encode("euc-jp"))),
        broken("litellm.chat", "characters were lost", put(answer="\N{REPLACEMENT CHARACTER}".encode())),
        broken("litellm.chat", "empty", put(answer=b"  ")),
        broken("litellm.chat", "no Japanese character", put(answer=MOJIBAKE.encode())),
        broken("litellm.stream", "no Japanese character", put(stream=[event(MOJIBAKE[:9]), event(MOJIBAKE[9:])])),
        broken("litellm.stream", "JSONDecodeError", put(stream=[b"data: {half\n\n"])),
        broken("litellm.stream", "one piece", put(stream=[event("東") + event("京")])),
        broken("litellm.stream", "the answer is empty", put(stream=[b"data: [DONE]\n\n"])),
        broken("litellm.logged", "does not have chatcmpl-chat-a", put(logged=False)),
        broken("litellm.refuses", "no key gets 200", put(checks_keys=False)),
        broken("litellm.refuses", "a wrong key gets 400", put(wrong_key=400)),
        broken("langfuse.login", "not with Langfuse's page", put(sign_in=httpx.Response(200, html="<html>welcome</html>"))),
        broken("langfuse.login", "503", put(sign_in=httpx.Response(503, text="no target"))),
        broken("langfuse.closed", "422: Invalid", put(sign_up=httpx.Response(422, json={"message": "Invalid email"}))),
        broken(
            "langfuse.closed",
            "use SSO",
            put(sign_up=refused("Sign up with email and password is disabled for this instance. Please use SSO.")),
        ),
        broken(
            "langfuse.closed", "verification", put(sign_up=refused("Direct signup is disabled. Please use the email verification flow."))
        ),
        broken("langfuse.closed", "404", put(sign_up=httpx.Response(404, text="no rule for this path"))),
        broken("langfuse.closed", "200", put(sign_up=httpx.Response(200, json={"message": "User created"}))),
        broken("langfuse.keys", "no project", put(projects=[])),
        broken("langfuse.keys", "'other', not to 'genai'", put(projects=["other"])),
        broken("langfuse.trace", "no trace of session", put(delivers=False)),
        broken("langfuse.trace", "lacks model or token counts", put(generation={"model": "dep-a"})),
        broken("langfuse.storage", "none newer", put(langfuse_objects=[("events/a", -3600.0)])),
        broken("clickhouse.storage", "9 prefixes", put(clickhouse_objects=[(f"disk/{n}/x", 1.0) for n in range(9)])),
        broken("clickhouse.storage", "0 newer", put(clickhouse_objects=[(f"disk/{n}/x", -3600.0) for n in range(20)])),
        broken("clickhouse.storage", "0 prefixes", put(clickhouse_objects=[(f"backup/{n}/x", 1.0) for n in range(20)])),
        broken("patch.identity", "langfuse-web-0 has AWS_ROLE_ARN not set", role(names.WEB, "")),
        broken("patch.identity", "arn:langfuse, not arn:clickhouse", role(names.CLICKHOUSE_STATEFUL_SET, "arn:langfuse")),
        broken("patch.identity", "has no running pod", lambda platform: platform.roles.pop(names.WORKER)),
        broken("patch.disk", "does not mount", put(mounted=False)),
        broken("patch.disk", "not s3disk", asked(disks=[["default", "Local"]])),
        broken("patch.disk", "is a local one", asked(disks=[["default", "Local"], ["s3disk", "Local"]])),
        broken("patch.disk", "does not know the policy", asked(policies=[["default", "default", ["default"]]])),
        broken("patch.disk", "lists s3disk", asked(policies=[[POLICY, "s3", ["s3disk"]]])),
        broken("patch.disk", "could not be asked", put(job_ends="Failed", clickhouse="password is incorrect")),
    ],
)
def test_it_fails_when_what_it_guards_is_broken(id, words, change):
    platform = PlatformWorld()
    change(platform)
    outcome = look(platform, id)
    assert outcome.status == "fail"
    assert words in outcome.evidence
    assert "genai " in str(outcome.hint)  # a command that mends it, or shows why
    assert ("genai patch" in str(outcome.hint)) == (id in GUARDED_BY_PATCH and words != "lacks model or token counts")


def test_the_catalog_has_every_check_once_and_in_order():
    ids = [check.id for check in build(PlatformWorld(), without_azure)]
    models = ["models.chat-a", "models.chat-b", "models.embed"]
    assert ids == [*IDS[:8], *models, *IDS[8:]]


def test_the_sentence_is_sent_in_utf_8_as_it_is():
    platform = PlatformWorld()
    look(platform, "litellm.chat")
    assert all(SENTENCE.encode() in body for body in platform.sent)
    assert len(platform.sent) == 2  # the chat models, and no other


def test_one_chat_serves_all_checks():
    platform = PlatformWorld()
    observed = platform.platform()
    for family in (litellm, langfuse, clickhouse):
        for check in family.checks(observed):
            check.look()
    assert platform.sessions.count(observed.run.session) == 2


def test_without_a_chat_model_what_needs_one_is_skipped_with_its_reason():
    embeddings = {"litellm": {"models": [model.model_dump() for model in SETTINGS.litellm.models if model.mode == "embedding"]}}
    platform = PlatformWorld(settings=Settings.model_validate(embeddings), models=["embed"])
    for id in ("litellm.chat", "litellm.stream", "litellm.logged", "langfuse.trace", "langfuse.storage", "clickhouse.storage"):
        outcome = look(platform, id)
        assert (outcome.status, outcome.evidence[:13]) == ("skip", "no chat model")


def test_no_evidence_holds_a_secret():
    platform = PlatformWorld(broken_models={"chat-a": "bad key sk-abcdefgh123456"}, job_ends="Failed")
    known = [value.get_secret_value() for _, value in platform._secrets if hasattr(value, "get_secret_value")]
    for result in run(build_quick(platform), interval=0.01):
        assert not any(secret in result.evidence + str(result.hint) for secret in known)
        assert "sk-abcdefgh" not in result.evidence


def test_the_question_to_clickhouse_leaves_no_job_behind():
    platform = PlatformWorld(job_ends="Failed")
    look(platform, "patch.disk")
    assert len(platform.deleted) == 1


def build_quick(platform: PlatformWorld) -> list:
    from dataclasses import replace

    platform = platform.platform()
    return [replace(check, deadline=0.0) for family in (litellm, langfuse, clickhouse, patch) for check in family.checks(platform)]


@pytest.mark.parametrize("settings", [SETTINGS, SECOND_LINE], ids=["Langfuse 3", "Langfuse 4"])
def test_a_check_alone_makes_the_chat_it_looks_for(settings):
    platform = PlatformWorld(settings=settings)
    assert look(platform, "langfuse.trace").status == "pass"
    assert len(platform.sent) == 1


def test_a_trace_of_another_run_does_not_count():
    platform = PlatformWorld(settings=SECOND_LINE, delivers=False)
    assert "no trace of session" in look(platform, "langfuse.trace").evidence


@pytest.mark.parametrize("id", ["langfuse.storage", "clickhouse.storage"])
def test_a_clock_that_is_ahead_does_not_make_new_objects_old(id):
    assert look(PlatformWorld(clock_ahead=600.0), id).status == "pass"
    assert look(PlatformWorld(clock_ahead=-600.0), id).status == "pass"


@pytest.mark.parametrize("id", ["langfuse.storage", "clickhouse.storage"])
def test_a_clock_that_is_behind_does_not_make_old_objects_new(id):
    old = [(f"disk/{n}/x", -60.0) for n in range(20)]
    assert look(PlatformWorld(clock_ahead=-600.0, langfuse_objects=old, clickhouse_objects=old), id).status == "fail"


def test_hundreds_of_models_are_asked_and_the_ones_that_fail_are_named():
    models = [{"name": f"m{n:03}", "azure_deployment": "d", "api_base": "https://a.example"} for n in range(300)]
    platform = PlatformWorld(settings=Settings.model_validate({"litellm": {"models": models}}), broken_models={"m007": "x", "m299": "x"})
    outcome = look(platform, "litellm.chat")
    assert outcome.status == "fail"
    assert [name for name in ("m007", "m008", "m299") if name in outcome.evidence] == ["m007", "m299"]
    assert len(platform.sent) == 300


def test_each_deployment_of_a_group_is_asked_and_the_one_that_fails_is_named():
    models = [{"name": "gpt", "azure_deployment": "d", "api_base": f"https://{region}.example"} for region in ("east", "west")]
    settings = Settings.model_validate({"litellm": {"models": models}})
    east, west = (model.id for model in settings.litellm.models)
    platform = PlatformWorld(settings=settings, models=["gpt"], broken_models={west: "no such deployment"})
    outcome = look(platform, "litellm.chat")
    assert outcome.status == "fail"
    assert "gpt (d at https://west.example): /v1/chat/completions answered 500" in outcome.evidence
    assert "east" not in outcome.evidence
    assert {json.loads(content)["model"] for content in platform.sent} == {east, west}
    assert look(PlatformWorld(settings=settings, models=["gpt"]), "litellm.models").status == "pass"


@pytest.mark.parametrize("kind", [NeverBuilt, ClusterAbsent, BudgetSpent])
def test_before_anything_stands_a_check_says_so_and_does_not_wait(kind):
    def absent():
        raise kind("it was never made", remedy=run_genai("up"))

    outcome = FunctionCheck("litellm.ready", 90, absent).look()
    assert (outcome.status, str(outcome.hint), outcome.final) == ("fail", "run: genai up", True)


@pytest.mark.parametrize("remedy", ["", "add one under [[litellm.models]]"])
def test_advice_without_a_command_gets_the_family_s(remedy):
    def wrong():
        raise StepError("it is not as it should be", remedy=remedy, id="litellm.no_model")

    hint = str(FunctionCheck("litellm.chat", 90, wrong).look().hint)
    assert hint.startswith(remedy)
    assert hint.endswith("why: genai logs litellm; make it again: genai litellm")


@pytest.mark.parametrize("id", ["litellm.ready", "litellm.chat"])
@pytest.mark.parametrize(("ingress", "final"), [(None, True), ({"status": {}}, False)])
def test_an_ingress_may_still_get_its_address_but_only_one_that_exists(id, ingress, final, monkeypatch):
    platform = PlatformWorld()
    observed = Platform(platform, without_azure)
    monkeypatch.setattr(platform, "get", lambda *names: ingress)
    outcome = next(check for check in litellm.checks(observed) if check.id == id).look()
    assert "the ingress 'litellm' has no address" in outcome.evidence
    assert str(outcome.hint) == "run: genai up --only litellm.ingress"
    assert outcome.final is final


def test_who_is_not_let_in_hears_that_the_address_may_have_changed():
    def closed():
        raise Unreachable("https://litellm could not be reached: ConnectTimeout")

    outcome = FunctionCheck("litellm.ready", 90, closed).look()
    assert "your address may have changed" in str(outcome.hint)
    assert "genai up" in str(outcome.hint)
    assert not outcome.final


def test_a_chat_whose_booking_ended_with_its_pod_is_made_again():
    world = PlatformWorld(logged=False)
    (check,) = [check for check in litellm.checks(world.platform()) if check.id == "litellm.logged"]
    assert "does not have chatcmpl-chat-a yet" in check.look().evidence
    world.restarts = 1
    assert "lost; asking again" in check.look().evidence
    assert len(world.sent) == 1
    world.logged = True
    assert check.look().status == "pass"
    assert len(world.sent) == 2


@pytest.mark.parametrize(("base_model", "spend", "status"), [("gpt-4o", 0.0, "fail"), ("gpt-4o", 1e-7, "pass"), (None, 0.0, "pass")])
def test_a_chat_that_cost_nothing_is_wrong_where_there_is_a_price(base_model: str | None, spend: float, status: str) -> None:
    model = {"name": "chat-a", "azure_deployment": "dep-a", "api_base": "https://a.example", "base_model": base_model}
    platform = PlatformWorld(settings=Settings.model_validate({"litellm": {"models": [model]}}), models=["chat-a"], spend=spend)
    (check,) = [check for check in litellm.checks(platform.platform()) if check.id == "litellm.logged"]
    outcome = check.look()
    assert outcome.status == status
    if base_model is None:
        assert "no price for 'dep-a'" in outcome.evidence
