"""This run's own chats: made once, whoever asks first, and found again by their session in every log."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from genai_platform.errors import GenaiError, StepError

if TYPE_CHECKING:
    from genai_platform.tools.litellm import Answer, Litellm

SENTENCE = "日本の首都はどこですか。一文で答えてください。"
"""The handbook's sentence: it arrives intact only where nothing on the way takes UTF-8 for something else."""
_PATIENCE = 3.0
"""Seconds in which a failure is not tried again: several checks ask for the same chat."""


@dataclass(frozen=True)
class Chat:
    """One chat of this run."""

    model: str
    answer: Answer
    began: datetime
    """When it was sent; what it caused elsewhere is newer."""


class Run:
    """The chats of one ``genai verify``. Safe to use from any thread.

    Args:
        client: LiteLLM, opened when first needed.
        models: the configured chat models; the first one's chat is the one looked for in logs and buckets.
    """

    def __init__(self, client: Callable[[], Litellm], models: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.session = f"genai-verify-{uuid.uuid4()}"
        self._client, self._clock = client, clock
        self.models = tuple(models)
        self._locks = {model: threading.Lock() for model in self.models}
        self._done: dict[str, Chat] = {}
        self._failed: dict[str, tuple[float, GenaiError]] = {}

    def chat(self, model: str | None = None) -> Chat:
        """The chat with a model (default: the first), made now if it was not made yet.

        Raises:
            GenaiError: it has no answer so far; a later call tries again.
        """
        name = model or self._first()
        with self._locks[name]:
            if name in self._done:
                return self._done[name]
            when, error = self._failed.get(name, (0.0, None))
            if error is not None and self._clock() - when < _PATIENCE:
                raise error
            began = datetime.now(UTC)
            try:
                answer = self._client().chat(name, SENTENCE, session=self.session)
            except GenaiError as failure:
                self._failed[name] = (self._clock(), failure)
                raise
            self._done[name] = Chat(name, answer, began)
            return self._done[name]

    def chats(self) -> tuple[list[Chat], dict[str, str]]:
        """The chats with every model, a few at a time: those answered, and why others were not."""
        answered: list[Chat] = []
        wrong: dict[str, str] = {}
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="chat") as pool:
            asked = {name: pool.submit(self.chat, name) for name in self.models}
        for name, one in asked.items():
            try:
                answered.append(one.result())
            except GenaiError as error:
                wrong[name] = error.message
        return answered, wrong

    def _first(self) -> str:
        if not self.models:
            raise StepError("no chat model is configured", remedy="add one under [[litellm.models]]", id="litellm.no_model")
        return self.models[0]
