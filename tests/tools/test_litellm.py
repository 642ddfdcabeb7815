"""LiteLLM behind a load balancer that has no target for it yet."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from genai_platform.errors import StepError
from genai_platform.tools.litellm.keys import KeyAdmin


class Balancer:
    """Answers as said, one after the other; then as LiteLLM with no keys."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        if not self.answers:
            return httpx.Response(200, json={"keys": [], "total_pages": 1, "key": "sk-1"})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, text="no target is healthy")


def admin(balancer: Balancer, patience: float) -> KeyAdmin:
    client = httpx.Client(base_url="https://litellm.test", transport=httpx.MockTransport(balancer))
    return KeyAdmin(client, SecretStr("sk-master"), patience)


def test_a_look_is_repeated_until_the_load_balancer_serves() -> None:
    balancer = Balancer(503, 502, httpx.ConnectError("refused"), 504)
    assert admin(balancer, 60).keys() == []
    assert balancer.asked == ["GET"] * 5


def test_what_changes_something_is_sent_once() -> None:
    balancer = Balancer(503, 503)
    with pytest.raises(StepError, match="503"):
        admin(balancer, 60).create_key("a", ["m"])
    assert balancer.asked == ["POST"]


@pytest.mark.parametrize("answer", [401, 404, 500])
def test_what_litellm_itself_refuses_is_not_asked_again(answer: int) -> None:
    balancer = Balancer(answer, answer)
    with pytest.raises(StepError, match=str(answer)):
        admin(balancer, 60).keys()
    assert balancer.asked == ["GET"]


def test_patience_ends_with_what_was_answered_last() -> None:
    with pytest.raises(StepError) as caught:
        admin(Balancer(*[503] * 50), 0.5).keys()
    assert "answered 503" in caught.value.message
    with pytest.raises(StepError) as caught:
        admin(Balancer(*[httpx.ConnectError("refused")] * 50), 0.5).keys()
    assert caught.value.id == "litellm.unreachable"
