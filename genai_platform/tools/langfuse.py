"""Langfuse's HTTP interface, as far as this program uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from pydantic import SecretStr

from genai_platform.errors import StepError, Unreachable, of_status


@dataclass(frozen=True)
class Trace:
    """A trace and its generation, as far as both application lines tell."""

    id: str
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Langfuse:
    """Langfuse at one address with one project's key pair.

    Args:
        http: a client whose base address is Langfuse's.
        line: 1: Langfuse 3, which lists traces; 2: Langfuse 4, which lists observations only.
    """

    http: httpx.Client
    public_key: SecretStr = field(repr=False)
    secret_key: SecretStr = field(repr=False)
    line: Literal[1, 2] = 1

    def sign_in_page(self) -> httpx.Response:
        """The page people sign in on."""
        return self._send("/auth/sign-in", keys=False)

    def sign_up(self) -> tuple[int, str]:
        """Status and message of a sign-up that could never make an account: its address is not valid."""
        try:
            answer = self.http.post("/api/auth/signup", json={"name": "genai", "email": "not an address", "password": "x"})
        except httpx.HTTPError as error:
            raise _unreachable("/api/auth/signup", self.http, error) from None
        try:
            return answer.status_code, str(answer.json().get("message", ""))
        except (ValueError, AttributeError):
            return answer.status_code, answer.text[:200]

    def projects(self) -> list[str]:
        """The names of the projects the key pair belongs to: one."""
        return [str(entry["name"]) for entry in self._json("/api/public/projects")["data"]]

    def traces_of(self, session: str) -> list[Trace]:
        """The traces of a session that have a generation."""
        return self._from_traces(session) if self.line == 1 else self._from_observations(session)

    def _from_traces(self, session: str) -> list[Trace]:
        traces = [str(trace["id"]) for trace in self._json("/api/public/traces", sessionId=session, limit="50")["data"]]
        answers = {id: self._json("/api/public/observations", traceId=id, type="GENERATION") for id in traces}
        return [_trace(id, one) for id, answer in answers.items() for one in answer["data"]]

    def _from_observations(self, session: str) -> list[Trace]:
        fields = "core,basic,io,model,usage,trace_context"
        data = self._json("/api/public/v2/observations", sessionId=session, type="GENERATION", fields=fields)["data"]
        # A server that does not know the filter gives everybody's: the session is compared here, too.
        return [_trace(str(one["traceId"]), one) for one in data if one.get("sessionId") == session]

    # -- the wire ---------------------------------------------------------------------------------
    def _json(self, path: str, **query: str) -> Any:
        answer = self._send(path, query)
        try:
            return answer.json()
        except ValueError:
            raise StepError(f"{path} answered something that is not JSON", id="langfuse.form") from None

    def _send(self, path: str, query: Mapping[str, str] | None = None, *, keys: bool = True) -> httpx.Response:
        pair = (self.public_key.get_secret_value(), self.secret_key.get_secret_value()) if keys else None
        try:
            answer = self.http.get(path, params=query, auth=pair)
        except httpx.HTTPError as error:
            raise _unreachable(path, self.http, error) from None
        if answer.is_error:
            text = f"{path} answered {answer.status_code}: {_message(answer)}"
            raise of_status(answer.status_code)(text, id=f"langfuse.{answer.status_code}")
        return answer


def _trace(id: str, one: dict[str, Any]) -> Trace:
    details, usage = one.get("usageDetails") or {}, one.get("usage") or {}
    return Trace(
        id=id,
        model=str(one.get("model") or one.get("providedModelName") or ""),
        input_tokens=int(details.get("input") or usage.get("input") or usage.get("promptTokens") or 0),
        output_tokens=int(details.get("output") or usage.get("output") or usage.get("completionTokens") or 0),
    )


def _message(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        return str(document.get("message") or document.get("error") or "")[:200]
    except (ValueError, AttributeError):
        return " ".join(answer.text.split())[:200]


def _unreachable(path: str, http: httpx.Client, error: httpx.HTTPError) -> StepError:
    return Unreachable(f"{http.base_url.join(path)} could not be reached: {type(error).__name__}: {error}"[:300], id="langfuse.unreachable")
