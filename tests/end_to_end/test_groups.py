"""A model in two regions, asked while one of them is throttled, then down."""

from __future__ import annotations

import functools
from typing import Any

from genai_platform.sandbox.azure.openai_part import take_down, throttle
from genai_platform.sandbox.layout import SandboxLayout
from tests.end_to_end.conftest import TWO_REGIONS, Platform, wait_until

EAST, WEST = TWO_REGIONS


def test_no_caller_sees_that_a_region_is_throttled_or_down(platform: Platform) -> None:
    layout = SandboxLayout.open(platform.folder / ".genai" / "sandbox" / "world")
    with _litellm(platform) as http:

        def ask() -> tuple[str, str]:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is 6 x 7?"}]}
            answer = http.post("/v1/chat/completions", json=body)
            assert answer.status_code == 200, answer.text
            return answer.headers["x-litellm-model-id"], answer.json()["id"]

        def throttled() -> tuple[str, str]:
            throttle(layout, f"{EAST}/gpt-4o-mini", 10)  # again each time: longer than a chat takes on a busy machine
            return ask()

        well: list[tuple[str, str]] = []

        def both() -> bool:
            well.append(ask())
            return len({id for id, _ in well}) == 2

        wait_until(both, "both regions answer")
        try:
            over_quota = [throttled() for _ in range(4)]
            take_down(layout, EAST)
            down = [ask() for _ in range(4)]
        finally:
            take_down(layout)
    assert len({id for id, _ in over_quota}) == 1, "the other region alone"
    assert {id for id, _ in down} == {id for id, _ in over_quota}
    _booked_once(platform, [chat for _, chat in (*well, *over_quota, *down)])


def _booked_once(platform: Platform, chats: list[str]) -> None:
    """Each chat is in LiteLLM's books once, though some were sent to two regions."""
    with _litellm(platform) as http:

        def rows(chat: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = http.get("/spend/logs", params={"request_id": chat}).json()
            return found

        for chat in chats:
            (row,) = wait_until(functools.partial(rows, chat), f"{chat} is booked")
            assert row["spend"] > 0


def _litellm(platform: Platform) -> Any:
    key = platform.variables["OPENAI_API_KEY"]
    return platform.http(platform.variables["OPENAI_BASE_URL"].removesuffix("/v1"), headers={"Authorization": f"Bearer {key}"})
