"""litellm.*: the proxy as its users meet it, through the load balancer."""

from __future__ import annotations

import secrets

from pydantic import SecretStr

from genai_platform.advice import advice, genai, joined
from genai_platform.checks import bookings
from genai_platform.checks.chats import SENTENCE, flaw, line
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed, skipped
from genai_platform.config.azure_models import VERSION

_LOGS = advice("see why: {}", genai("logs litellm"))
_NO_CHAT = "no chat model is configured"


def checks(platform: Platform) -> list[Check]:
    """The checks of this family."""
    return [
        FunctionCheck("litellm.ready", 90, lambda: _ready(platform)),
        FunctionCheck("litellm.openapi", 60, lambda: _openapi(platform)),
        FunctionCheck("litellm.ui", 60, lambda: _ui(platform)),
        FunctionCheck("litellm.models", 60, lambda: _models(platform)),
        FunctionCheck("litellm.chat", 120, lambda: _chat(platform)),
        FunctionCheck("litellm.stream", 120, lambda: _stream(platform)),
        FunctionCheck("litellm.logged", 150, lambda: _logged(platform)),
        FunctionCheck("litellm.refuses", 60, lambda: _refuses(platform)),
    ]


def _ready(platform: Platform) -> Outcome:
    document = platform.litellm().readiness()
    database = str(document.get("db", "not named"))
    if database.lower() != "connected":
        hint = advice("the database cannot be reached; run: {}, then {}", genai("status"), genai("litellm"))
        return failed(f"readiness says db: {database}", hint)
    return passed(f"status {document.get('status', 'unknown')}, db {database}")


def _openapi(platform: Platform) -> Outcome:
    document = platform.litellm().openapi()
    paths = document.get("paths") or {}
    if not str(document.get("openapi", "")).startswith("3.") or not any(path.endswith("/chat/completions") for path in paths):
        return failed("/openapi.json is not an OpenAPI document with a chat route", joined("something else answers at this address", _LOGS))
    return passed(f"OpenAPI {document['openapi']}, {len(paths)} paths")


def _ui(platform: Platform) -> Outcome:
    answer = platform.litellm().page("/ui")
    kind = answer.headers.get("content-type", "")
    if answer.status_code != 200 or "html" not in kind or "<html" not in answer.text.lower():
        return failed(f"/ui answered {answer.status_code} {kind}".strip(), joined("the pages could not be unpacked", _LOGS))
    return passed(f"/ui answers with a page of {len(answer.content)} bytes")


def _models(platform: Platform) -> Outcome:
    wanted = sorted(platform.settings.litellm.names)
    listed = sorted(set(platform.litellm().models()))
    if listed == wanted:
        return passed(f"{len(listed)} models: {_short(listed)}")
    missing, extra = [name for name in wanted if name not in listed], [name for name in listed if name not in wanted]
    words = [f"missing: {_short(missing)}"] if missing else []
    words += [f"not configured: {_short(extra)}"] if extra else []
    return failed("; ".join(words), advice("the proxy runs with another configuration; run: {}", genai("litellm")))


def _chat(platform: Platform) -> Outcome:
    if not platform.chat_models:
        return skipped(_NO_CHAT)
    names = platform.chat_deployments
    answered, wrong = platform.run.chats()
    for chat in answered:
        if seen := flaw(chat.answer.text):
            wrong[chat.model] = seen
    if wrong:
        said = "; ".join(f"{names[name]}: {reason}" for name, reason in sorted(wrong.items())[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        return failed(said + more, advice("check that model's address, deployment or id, and its key; run: {}", genai("litellm")))
    first = answered[0]
    rest = f" (and {len(answered) - 1} more models)" if len(answered) > 1 else ""
    return passed(f"{names[first.model]} answered in {first.answer.seconds:.1f} s: {line(first.answer.text)}{rest}")


def _stream(platform: Platform) -> Outcome:
    if not platform.chat_models:
        return skipped(_NO_CHAT)
    pieces = list(platform.litellm().stream(platform.chat_models[0], SENTENCE, session=f"{platform.run.session}-stream"))
    reads = len({piece.read for piece in pieces})
    text = "".join(piece.text for piece in pieces)
    if seen := flaw(text):
        return failed(f"{len(pieces)} pieces, but {seen}", joined("the model gave nothing readable back", _LOGS))
    if len(pieces) < 2 or reads < 2:
        hint = joined("something between here and the model collects answers", _LOGS)
        return failed(f"the whole answer came in one piece ({len(pieces)} events)", hint)
    return passed(f"{len(pieces)} pieces in {reads} reads: {line(text)}")


def _logged(platform: Platform) -> Outcome:
    if not platform.chat_models:
        return skipped(_NO_CHAT)
    entry = bookings.of_chat(platform, platform.run)
    if isinstance(entry, Outcome):
        return entry
    what, spend = f"{entry['request_id']}: {entry.get('total_tokens', 0)} tokens", float(entry.get("spend") or 0)
    if spend > 0:
        return passed(f"{what}, {spend:.8f} USD")
    # It must have cost something where LiteLLM has a price for its model.
    model = next(one for one in platform.settings.litellm.models if one.name == platform.chat_models[0])
    if not model.priced:
        return passed(f"{what}, 0 USD: LiteLLM has no price for '{model.priced_as}', and no budget closes on it")
    hint = advice("budgets do not close; compare base_model and litellm.image with docs, configuration; then run: {}", genai("litellm"))
    return failed(f"{what}, 0 USD, although LiteLLM {VERSION} has a price for '{model.priced_as}'", hint)


def _refuses(platform: Platform) -> Outcome:
    model = (*platform.chat_models, "none")[0]
    client = platform.litellm()
    seen = {"no key": client.status_of(None, model), "a wrong key": client.status_of(SecretStr(f"sk-{secrets.token_hex(20)}"), model)}
    wrong = [f"{what} gets {status}" for what, status in seen.items() if status != 401]
    if wrong:
        hint = advice("keys are not checked against the database; run: {}, then {}", genai("litellm"), genai("verify --only litellm"))
        return failed(", ".join(wrong), hint)
    return passed("no key and a wrong key get 401")


def _short(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
