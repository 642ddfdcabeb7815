"""LiteLLM's users and virtual keys, as far as callers need them. Values of keys are seen once, when they are made."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from genai_platform.errors import AlreadyExists, Invalid, NotFound
from genai_platform.tools.litellm.client import Litellm


@dataclass(frozen=True)
class User:
    """An internal user: it carries budget and spend, so that a new key does not reset them."""

    id: str
    name: str
    budget: float | None
    duration: str | None
    spend: float


@dataclass(frozen=True)
class VirtualKey:
    """A virtual key without its value."""

    alias: str
    hash: str
    user: str | None
    models: tuple[str, ...]
    routes: tuple[str, ...]
    rpm: int | None
    tpm: int | None
    expires: datetime | None
    blocked: bool
    spend: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)

    def live(self, now: datetime) -> bool:
        """Whether LiteLLM takes it."""
        return not self.blocked and (self.expires is None or self.expires > now)


@dataclass(frozen=True)
class Limits:
    """What a key may do."""

    models: tuple[str, ...]
    routes: tuple[str, ...]
    rpm: int | None = None
    tpm: int | None = None

    def same(self, key: VirtualKey) -> bool:
        """Whether a key has exactly these limits."""
        return (sorted(key.models), sorted(key.routes), key.rpm, key.tpm) == (sorted(self.models), sorted(self.routes), self.rpm, self.tpm)

    def body(self) -> dict[str, Any]:
        """As LiteLLM names them."""
        return {"models": list(self.models), "allowed_routes": list(self.routes), "rpm_limit": self.rpm, "tpm_limit": self.tpm}


class KeyAdmin(Litellm):
    """LiteLLM with the master key, for users and keys."""

    # -- users ------------------------------------------------------------------------------------
    def users(self) -> dict[str, User]:
        """Every internal user by identifier."""
        found = map(_user, self._pages("/user/list", "users", page_size="100"))
        return {user.id: user for user in found}

    def create_user(self, id: str, name: str, budget: float | None, duration: str | None) -> None:
        """Make a user without a key. One that exists already keeps its spend and gets this budget."""
        body: dict[str, Any] = {
            "user_id": id, "user_alias": name, "user_role": "internal_user", "max_budget": budget, "budget_duration": duration,
            "auto_create_key": False, "models": [], "metadata": {"caller": name},
        }  # fmt: skip
        try:
            self._send("POST", "/user/new", key=self.key, body=body)
        except AlreadyExists:
            self.update_user(id, budget, duration)

    def update_user(self, id: str, budget: float | None, duration: str | None) -> None:
        """Change a user's budget; what was spent stays."""
        self._send("POST", "/user/update", key=self.key, body={"user_id": id, "max_budget": budget, "budget_duration": duration})

    def delete_users(self, ids: Sequence[str]) -> None:
        """Delete users and their keys; unknown ones are fine."""
        with contextlib.suppress(NotFound, Invalid):
            self._send("POST", "/user/delete", key=self.key, body={"user_ids": list(ids)})

    # -- keys -------------------------------------------------------------------------------------
    def virtual_keys(self) -> list[VirtualKey]:
        """Every virtual key that has an alias."""
        return [_virtual(entry) for entry in self.keys() if entry.get("key_alias")]

    def generate(self, alias: str, user: str, caller: str, limits: Limits, seconds: int | None) -> tuple[SecretStr, str]:
        """A new key for a user: its value, shown this once, and its hash."""
        body = {"key_alias": alias, "user_id": user, "metadata": {"caller": user, "name": caller}, **limits.body()}
        if seconds is not None:
            body["duration"] = f"{seconds}s"
        document = self._json(self._send("POST", "/key/generate", key=self.key, body=body))
        value = str(document["key"])
        return SecretStr(value), hashlib.sha256(value.encode()).hexdigest()  # so LiteLLM names a key by its value

    def change(self, hash: str, **values: Any) -> None:
        """Change a key by its hash."""
        self._send("POST", "/key/update", key=self.key, body={"key": hash, **values})

    def expire(self, hash: str, seconds: int) -> None:
        """Let a key expire after some seconds."""
        self.change(hash, duration=f"{seconds}s")

    def forget(self, hashes: Sequence[str]) -> None:
        """Delete keys by hash; unknown ones are fine."""
        if not hashes:
            return
        with contextlib.suppress(NotFound, Invalid):
            self._send("POST", "/key/delete", key=self.key, body={"keys": list(hashes)})


def _user(entry: dict[str, Any]) -> User:
    duration, spend = entry.get("budget_duration"), float(entry.get("spend") or 0)
    return User(str(entry["user_id"]), str(entry.get("user_alias") or ""), entry.get("max_budget"), duration, spend)


def _virtual(entry: dict[str, Any]) -> VirtualKey:
    return VirtualKey(
        alias=str(entry["key_alias"]),
        hash=str(entry.get("token") or ""),
        user=entry.get("user_id"),
        models=tuple(entry.get("models") or ()),
        routes=tuple(entry.get("allowed_routes") or ()),
        rpm=entry.get("rpm_limit"),
        tpm=entry.get("tpm_limit"),
        expires=moment(entry.get("expires")),
        blocked=bool(entry.get("blocked")),
        spend=float(entry.get("spend") or 0),
        metadata=dict(entry.get("metadata") or {}),
    )


def moment(text: object) -> datetime | None:
    """A point in time as LiteLLM writes it; without an offset it means UTC."""
    if not text:
        return None
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
