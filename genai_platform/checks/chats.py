"""This run's own chats: made once, by the first check that asks, and found again by their session in every log."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from genai_platform.checks.once import Once
from genai_platform.errors import GenaiError, StepError
from genai_platform.tools.litellm.client import Answer, Litellm
from genai_platform.tools.parallel import AT_ONCE, gather

T = TypeVar("T")
SENTENCE = "日本の首都はどこですか。一文で答えてください。"
"""The handbook's sentence: it arrives intact only where nothing on the way takes UTF-8 for something else."""
_KANA = ("\u3040", "\u30ff")
_KANJI = ("\u4e00", "\u9fff")


@dataclass(frozen=True)
class Chat:
    """One chat of this run."""

    model: str
    answer: Answer
    began: datetime
    """When it was sent; what it caused elsewhere is newer."""


def flaw(text: str) -> str:
    """What is wrong with an answer to the sentence; empty when it arrived intact.

    Bytes that are not UTF-8 become the replacement character. UTF-8 that was taken for Latin-1, in the question or in the
    answer, is made of legal characters: it is known by having no Japanese left.
    """
    if not text.strip():
        return "the answer is empty"
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "characters were lost on the way"
    if not any(first <= character <= last for character in text for first, last in (_KANA, _KANJI)):
        return f"the answer has no Japanese character: {line(text)}"
    return ""


def line(text: str) -> str:
    """The text on one line, shortened."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


class Chats:
    """The chats of one ``genai verify``. Safe to use from any thread.

    Args:
        client: LiteLLM, opened when first needed.
        models: the configured chat models; the first one's chat is the one looked for in logs and buckets.
        deployments: what each of their deployments is asked by; default: the models' names.
    """

    def __init__(self, client: Callable[[], Litellm], models: Sequence[str], deployments: Sequence[str] = ()) -> None:
        self.session = f"genai-verify-{uuid.uuid4()}"
        self.models = tuple(models)
        self.deployments = tuple(deployments) or self.models
        self._client = client
        self._once = Once()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def chat(self, model: str | None = None) -> Chat:
        """The chat with a model (default: the first), made now if it was not made yet.

        Raises:
            GenaiError: it has no answer so far; a later call tries again.
        """
        if not (model or self.models):
            raise StepError("no chat model is configured", remedy="add one under [[litellm.models]]", id="litellm.no_model")
        name = model or self.models[0]
        return self._once(name, lambda: self._ask(name))

    def embedding(self, model: str) -> tuple[float, ...]:
        """The embedding of the sentence by a model, made now if it was not made yet. Raises ``GenaiError``."""
        return self._once(f"embedding {model}", lambda: self._limited(lambda: self._client().embedding(model, SENTENCE)))

    def forget(self, chat: Chat) -> None:
        """What it should have caused was lost: the next who asks makes another."""
        self._once.forget(chat.model)

    def chats(self) -> tuple[list[Chat], dict[str, str]]:
        """The chats with every deployment, a few at a time: those answered, and why others were not.

        Raises:
            GenaiError: there is no way to any of them.
        """
        self._client()

        def ask(name: str) -> Chat | str:
            try:
                return self.chat(name)
            except GenaiError as error:
                return error.message
            except Exception as error:
                return f"{type(error).__name__}: {error}"[:300]

        found = dict(zip(self.deployments, gather(self.deployments, ask), strict=True))
        wrong = {name: one for name, one in found.items() if isinstance(one, str)}
        return [one for one in found.values() if isinstance(one, Chat)], wrong

    def _ask(self, name: str) -> Chat:
        began = datetime.now(UTC)
        return self._limited(lambda: Chat(name, self._client().chat(name, SENTENCE, session=self.session), began))

    def _limited(self, ask: Callable[[], T]) -> T:
        """A few at a time, as each check has a thread of its own."""
        with self._places:
            return ask()
