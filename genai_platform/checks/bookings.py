"""A chat in LiteLLM's books, which are written some seconds after its answer."""

from __future__ import annotations

from typing import Any

from genai_platform.checks.chats import Chats
from genai_platform.checks.check import Outcome
from genai_platform.checks.platform import Platform, failed

_HINT = "spend is not written to the database; see why: genai logs litellm"


def of_chat(platform: Platform, chats: Chats) -> dict[str, Any] | Outcome:
    """What LiteLLM booked for the first chat of this run, or why that cannot be told yet.

    LiteLLM keeps what it has not written yet in memory. When a pod ends without a farewell, its node's end for one, that is
    lost, and waiting for it would say that nothing is ever booked: another chat takes its place.
    """
    chat = chats.chat()
    id = chat.answer.id
    before = platform.litellm_containers_at(id)
    found: dict[str, Any] | None = next((one for one in platform.litellm().spend_logs(id) if one.get("request_id") == id), None)
    if found is not None:
        return found
    if before - platform.litellm_containers():
        chats.forget(chat)
        return failed(f"a pod of LiteLLM ended before it had booked {id}, and what it had not written is lost; asking again", _HINT)
    return failed(f"/spend/logs does not have {id} yet", _HINT)
