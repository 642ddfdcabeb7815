"""One request to Azure Resource Manager, and how it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

Body = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request to ARM. ``id`` is the resource's path; ``body`` what was sent."""

    method: str
    id: str
    body: Body
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base: str
    """``https://host:port`` that the client used."""
    caller: str = ""
    """Object id of who calls."""

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]

    @property
    def subscription(self) -> str:
        """The subscription in the path; empty for a path that names none."""
        words = self.id.split("/")
        return words[2] if len(words) > 2 else ""


class Refusal(Exception):
    """An error answer, as ARM words it."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None, additional: list[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers, self.additional = status, code, headers, additional

    def answer(self) -> JSONResponse:
        more = {"additionalInfo": self.additional} if self.additional else {}
        return JSONResponse({"error": {"code": self.code, "message": str(self), **more}}, self.status, self.headers)


def region(location: object) -> str:
    """A region as paths name it: ``Japan East`` is ``japaneast``."""
    return str(location or "").replace(" ", "").lower()


def in_subscription(resource: Body, subscription: str) -> bool:
    """Whether a resource is, or was, in a subscription."""
    return str(resource["id"]).split("/")[2].lower() == subscription.lower()


def not_found(call: Call) -> Refusal:
    return Refusal(404, "ResourceNotFound", f"The resource '{call.id}' was not found.")
