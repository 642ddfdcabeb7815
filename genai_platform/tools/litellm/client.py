"""LiteLLM's HTTP interface, as far as this program uses it."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import tenacity
from pydantic import SecretStr

from genai_platform.advice import advice, genai
from genai_platform.errors import AlreadyExists, BudgetSpent, StepError, Unreachable, of_status

BUDGET = "budget_exceeded"
"""LiteLLM's type of error where a budget is spent: 422, unless ``litellm_settings.budget_exceeded_status_code`` says otherwise."""
_SPENT = advice(
    "its budget is spent: wait for the next budget period, or raise max_budget under [azure.callers.NAME] and run: {}", genai("azure")
)
CHAT_PATH = "/v1/chat/completions"
EMBEDDING_PATH = "/v1/embeddings"


@dataclass(frozen=True)
class Answer:
    """A chat's answer."""

    id: str
    model: str
    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float


@dataclass(frozen=True)
class Piece:
    """One piece of a streamed answer: its text, and how many reads from the network came before it."""

    id: str
    text: str
    read: int


@dataclass(frozen=True)
class Litellm:
    """LiteLLM at one address with one key.

    Args:
        http: a client whose base address is LiteLLM's.
        key: the master key or a virtual key.
        patience: seconds for which a GET is sent again while the load balancer answers 502, 503 or 504, or none at all.
            What changes something is never sent twice.
    """

    http: httpx.Client
    key: SecretStr = field(repr=False)
    patience: float = 0.0

    # -- without a key ----------------------------------------------------------------------------
    def page(self, path: str) -> httpx.Response:
        """Any page, following redirects that stay on this host."""
        for _ in range(5):
            answer = self._send("GET", path)
            if not answer.is_redirect:
                return answer
            target = answer.request.url.join(answer.headers["location"])
            if target.host != answer.request.url.host:
                raise StepError(f"{path} redirects to another host: {target.host}", id="litellm.redirect")
            path = target.raw_path.decode()
        raise StepError(f"{path} redirects without end", id="litellm.redirect")

    def readiness(self) -> dict[str, Any]:
        """``/health/readiness``: the state of the proxy and of its database."""
        return _object(self._json(self._send("GET", "/health/readiness")))

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return _object(self._json(self._send("GET", "/openapi.json")))

    # -- with the key -----------------------------------------------------------------------------
    def models(self) -> list[str]:
        """The names of the models this key may use."""
        return [str(entry["id"]) for entry in self._json(self._send("GET", "/v1/models", key=self.key))["data"]]

    def chat(self, model: str, text: str, *, session: str | None = None, max_tokens: int | None = None) -> Answer:
        """Ask one question. Non-ASCII text is sent as it is, in UTF-8."""
        began = time.monotonic()
        answer = self._send("POST", CHAT_PATH, key=self.key, body=question(model, text, session, max_tokens), timeout=120)
        document = self._json(answer)
        try:
            choice, usage = document["choices"][0]["message"], document.get("usage") or {}
            return Answer(
                id=str(document["id"]),
                model=str(document.get("model") or model),
                text=str(choice.get("content") or ""),
                prompt_tokens=int(usage.get("prompt_tokens") or 0),
                completion_tokens=int(usage.get("completion_tokens") or 0),
                seconds=time.monotonic() - began,
            )
        except (KeyError, IndexError, TypeError) as error:
            raise StepError(f"{CHAT_PATH} gave an answer of another form: {error!r}", id="litellm.form") from None

    def embedding(self, model: str, text: str) -> tuple[float, ...]:
        """The embedding of one text."""
        document = self._json(self._send("POST", EMBEDDING_PATH, key=self.key, body={"model": model, "input": [text]}, timeout=120))
        try:
            return tuple(float(number) for number in document["data"][0]["embedding"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise StepError(f"{EMBEDDING_PATH} gave an answer of another form: {error!r}", id="litellm.form") from None

    def stream(self, model: str, text: str, *, session: str | None = None) -> Iterator[Piece]:
        """Ask one question and give the answer's pieces as they arrive."""
        body = json.dumps({**question(model, text, session), "stream": True}, ensure_ascii=False).encode()
        headers = {**self._headers(self.key), "Content-Type": "application/json"}
        try:
            with self.http.stream("POST", CHAT_PATH, content=body, headers=headers, timeout=120) as answer:
                if answer.is_error:
                    answer.read()
                    self._refuse(answer)
                yield from _pieces(answer.iter_bytes())
        except httpx.HTTPError as error:
            raise _unreachable(CHAT_PATH, self.http, error) from None

    def spend_logs(self, request_id: str) -> list[dict[str, Any]]:
        """What was logged for one request; empty while it is not written yet."""
        found = self._json(self._send("GET", "/spend/logs", key=self.key, params={"request_id": request_id}))
        return [entry for entry in (found if isinstance(found, list) else [found]) if entry]

    def status_of(self, key: SecretStr | None, model: str) -> int:
        """The status a chat gets with another key, or with none."""
        return self._send("POST", CHAT_PATH, key=key, body=question(model, "ping", None, 1), checked=False).status_code

    # -- virtual keys -----------------------------------------------------------------------------
    def create_key(self, alias: str, models: Sequence[str], **limits: Any) -> SecretStr:
        """Issue a virtual key. ``limits`` are LiteLLM's own names, e.g. ``max_budget`` and ``budget_duration``."""
        body = {"key_alias": alias, "models": list(models), **{name: value for name, value in limits.items() if value is not None}}
        return SecretStr(str(self._json(self._send("POST", "/key/generate", key=self.key, body=body))["key"]))

    def keys(self) -> list[dict[str, Any]]:
        """Every virtual key: alias, models, spend, budget, expiry, whether it is blocked. Never the key itself."""
        return [{**entry, "key_name": None} for entry in self._pages("/key/list", "keys", return_full_object="true", size="100")]

    def key_info(self, key_hash: str) -> dict[str, Any]:
        """What LiteLLM knows of one key, by its hash: alias, spend, budget, expiry."""
        return _object(_object(self._json(self._send("GET", "/key/info", key=self.key, params={"key": key_hash})))["info"])

    def block_key(self, key_hash: str, *, blocked: bool = True) -> None:
        """Block or unblock a key by its hash."""
        self._send("POST", "/key/block" if blocked else "/key/unblock", key=self.key, body={"key": key_hash})

    def delete_keys(self, aliases: Sequence[str]) -> None:
        """Delete virtual keys by alias."""
        self._send("POST", "/key/delete", key=self.key, body={"key_aliases": list(aliases)})

    # -- the wire ---------------------------------------------------------------------------------
    def _pages(self, path: str, entries: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every entry of a listing, over all its pages."""
        for page in itertools.count(1):
            document = self._json(self._send("GET", path, key=self.key, params={**query, "page": str(page)}))
            yield from document[entries]
            if page >= int(document.get("total_pages") or 1):
                return

    def _send(
        self, method: str, path: str, *, key: SecretStr | None = None, body: Any = None, params: dict[str, str] | None = None,
        checked: bool = True, timeout: float = 30,
    ) -> httpx.Response:  # fmt: skip
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = self._headers(key) | ({"Content-Type": "application/json; charset=utf-8"} if content is not None else {})
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(httpx.TransportError) | tenacity.retry_if_result(_not_yet),
            stop=tenacity.stop_after_delay(self.patience if method == "GET" else 0),
            wait=tenacity.wait_exponential(multiplier=0.25, max=4),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        try:
            answer: httpx.Response = again(
                self.http.request, method, path, content=content, headers=headers, params=params, timeout=timeout
            )
        except httpx.HTTPError as error:
            raise _unreachable(path, self.http, error) from None
        if checked and answer.is_error:
            self._refuse(answer)
        return answer

    @staticmethod
    def _headers(key: SecretStr | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        try:
            return json.loads(answer.content.decode("utf-8"))
        except ValueError:
            raise StepError(f"{answer.request.url.path} answered something that is not JSON in UTF-8", id="litellm.form") from None

    @staticmethod
    def _refuse(answer: httpx.Response) -> None:
        kind, message = _said(answer)
        text = f"{answer.request.url.path} answered {answer.status_code}: {message}"
        if kind == BUDGET:
            raise BudgetSpent(text, remedy=_SPENT, id=f"litellm.{BUDGET}", error_code=kind)
        # A user that exists has a status and no code of its own (``/user/new``: 409, in earlier versions 400).
        kind_of_error = AlreadyExists if "already exists" in message else of_status(answer.status_code)
        raise kind_of_error(text, id=f"litellm.{answer.status_code}", error_code=kind)


def _not_yet(answer: httpx.Response) -> bool:
    """Whether the load balancer speaks, and not LiteLLM: it has no healthy target, or the one it chose has just ended."""
    return answer.status_code in (502, 503, 504)


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise StepError("LiteLLM answered with a list where an object belongs", id="litellm.form")
    return document


def question(model: str, text: str, session: str | None = None, max_tokens: int | None = None) -> dict[str, Any]:
    """The body of a chat. The session lets Langfuse find its trace again."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if session:
        body["metadata"] = {"session_id": session}
    if max_tokens:
        body["max_tokens"] = max_tokens
    return body


def _pieces(reads: Iterator[bytes]) -> Iterator[Piece]:
    """Server-sent events from reads of the network; an event may be cut anywhere, even inside a character."""
    rest = b""
    for number, read in enumerate(reads):
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if not data or data == b"[DONE]":
                continue
            document = json.loads(data.decode("utf-8"))
            if "error" in document:
                raise StepError(f"{CHAT_PATH} broke off: {str(document['error'])[:200]}", id="litellm.stream")
            for choice in document.get("choices") or ():
                text = (choice.get("delta") or {}).get("content")
                if text:
                    yield Piece(str(document.get("id", "")), str(text), number)


def _said(answer: httpx.Response) -> tuple[str, str]:
    """The kind of error that the answer names, and what it says, shortened; what looks like a key is left out.

    LiteLLM and the policy say ``{"error": {"message"}}``, API Management itself ``{"statusCode", "message"}``, or nothing at all.
    """
    kind, text = "", answer.text
    try:
        document = answer.json()
        error = document.get("error", document)
        kind = str(error.get("type") or error.get("code") or "") if isinstance(error, dict) else ""
        text = str(error.get("message") or text) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        pass
    wait = answer.headers.get("retry-after")
    text = text.strip() or "it says nothing else" + (f", but to repeat after {wait} s" if wait else "")
    return kind, re.sub(r"\b(sk|pk)-[A-Za-z0-9_.*-]{4,}", "<key>", " ".join(text.split()))[:300]


def _unreachable(path: str, http: httpx.Client, error: httpx.HTTPError) -> StepError:
    return Unreachable(f"{http.base_url.join(path)} could not be reached: {type(error).__name__}: {error}"[:300], id="litellm.unreachable")
