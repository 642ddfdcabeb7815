"""langfuse.*: the application through the load balancer, and what this run's chat left in it."""

from __future__ import annotations

from genai_platform.advice import advice, genai, joined
from genai_platform.checks import buckets
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed, skipped
from genai_platform.render.langfuse import PROJECT

_LOGS = advice("see why: {}", genai("logs langfuse"))
_NO_CHAT = "no chat model is configured, so there is no chat to find"


def checks(platform: Platform) -> list[Check]:
    """The checks of this family."""
    return [
        FunctionCheck("langfuse.login", 90, lambda: _login(platform)),
        FunctionCheck("langfuse.closed", 60, lambda: _closed(platform)),
        FunctionCheck("langfuse.keys", 60, lambda: _keys(platform)),
        FunctionCheck("langfuse.trace", 180, lambda: _trace(platform)),
        FunctionCheck("langfuse.storage", 180, lambda: _storage(platform)),
    ]


def _login(platform: Platform) -> Outcome:
    answer = platform.langfuse().sign_in_page()
    text = answer.text.lower()
    if answer.status_code != 200 or "html" not in answer.headers.get("content-type", "") or "langfuse" not in text:
        text = f"/auth/sign-in answered {answer.status_code}, but not with Langfuse's page"
        return failed(text, joined("something else answers there", _LOGS))
    return passed(f"/auth/sign-in answers with Langfuse's page ({len(answer.content)} bytes)")


def _closed(platform: Platform) -> Outcome:
    status, message = platform.langfuse().sign_up()
    # Langfuse's words for all of it (signupErrors.ts). Where only signing up by password is closed, others of its messages
    # say "disabled", too; and what something in front refuses says nothing about who may sign up.
    closed = ["sign up is disabled"] if platform.settings.langfuse.passwords else ["sign up is disabled", "please use sso"]
    if status in (403, 422) and any(words in message.lower() for words in closed):
        return passed(f"sign-up answers {status}: {message}")
    hint = advice("anybody may open an account; run: {}; {}", genai("langfuse"), _LOGS)
    return failed(f"sign-up answers {status}: {message or 'nothing'}", hint)


def _keys(platform: Platform) -> Outcome:
    names = platform.langfuse().projects()
    if names != [PROJECT]:
        said = ", ".join(f"'{name}'" for name in names) or "no project"
        hint = advice("Langfuse's initial setup (LANGFUSE_INIT_*) did not run; run: {}", genai("langfuse"))
        return failed(f"the key pair belongs to {said}, not to '{PROJECT}'", hint)
    return passed(f"the key pair belongs to project '{PROJECT}'")


def _trace(platform: Platform) -> Outcome:
    if not platform.chat_models:
        return skipped(_NO_CHAT)
    chat = platform.run.chat()
    found = platform.langfuse().traces_of(platform.run.session)
    if not found:
        return failed(
            f"no trace of session {platform.run.session} yet",
            advice(
                "if ClickHouse lost its volume ({} says so at langfuse.traces), run: {}; without its role Langfuse stores "
                "nothing: run: {}; otherwise LiteLLM does not deliver or the worker does not read: {}, {}",
                genai("status"),
                genai("up"),
                genai("patch"),
                genai("logs litellm"),
                genai("logs langfuse-worker"),
            ),
        )
    complete = [one for one in found if one.model and one.input_tokens > 0 and one.output_tokens > 0]
    if not complete:
        hint = advice(
            "the traces arrive incomplete: litellm.callback is not for this version of Langfuse; run: {}, then {}",
            genai("litellm"), genai("logs litellm"),
        )  # fmt: skip
        return failed(f"trace {found[0].id} lacks model or token counts", hint)
    # All chats of this run share the session: show the one the other checks look for, where its model's name tells it.
    names = (chat.model, *(model.upstream for model in platform.settings.litellm.groups.get(chat.model, ())))
    one = next((one for one in complete if any(name in one.model for name in names)), complete[0])
    return passed(f"trace {one.id}: {one.model}, {one.input_tokens} + {one.output_tokens} tokens")


def _storage(platform: Platform) -> Outcome:
    if not platform.chat_models:
        return skipped(_NO_CHAT)
    chat, bucket = platform.run.chat(), platform.storage().langfuse_bucket
    seen = buckets.survey(platform.clients.aws, bucket, chat.began)
    if seen.newer == 0:
        hint = advice(
            "Langfuse cannot write to its bucket: its pods need their role; run: {}, then {}", genai("patch"), genai("logs langfuse-web")
        )
        return failed(f"{seen.said} in {bucket}, none newer than this run's chat", hint)
    return passed(f"{seen.newer} objects newer than this run's chat in {bucket}")
