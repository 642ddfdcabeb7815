"""What ``genai keys`` does: issue, list, rotate and revoke the keys of the configured callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import SecretStr

from genai_platform.errors import ConfigError
from genai_platform.graph.step import Progress
from genai_platform.steps.doors import Doors

KeyState = Literal["active", "revoked", "expired", "missing"]


@dataclass(frozen=True)
class Key:
    """One caller's key as a person may see it: never a value."""

    caller: str
    client_id: str | None
    state: KeyState
    alias: str | None = None
    """``<client id>.<n>``: LiteLLM's name of the key."""
    expires: str | None = None
    """ISO 8601, UTC; None: never."""
    spend: float | None = None
    """US dollars booked to the caller in this budget period; None: not known to LiteLLM."""
    budget: float | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rotation:
    """A key that took the place of another one."""

    key: Key
    old_alias: str | None
    overlap_seconds: int
    """How long the old key still works: longer than the gateway keeps a key."""


@dataclass(frozen=True)
class SecretRotation:
    """A client secret that was added; the old ones work until ``old_until``."""

    caller: str
    client_id: str
    expires: str
    old_until: str | None


@dataclass(frozen=True)
class Revocation:
    """What a revocation closed. ``vault_version`` is the disabled secret's."""

    key: Key
    closed: tuple[str, ...]
    """What was done, one short line each."""


@dataclass(frozen=True)
class Client:
    """How a caller signs in. ``secret`` is None for an existing application named by ``client_id``."""

    caller: str
    tenant_id: str
    client_id: str
    scope: str
    """``api://<application id of the API>/.default``."""
    authority: str
    gateway_url: str
    """``https://SERVICE.azure-api.net/PATH``: the base address; model routes follow as ``/v1/...``."""
    secret: SecretStr | None = field(repr=False, default=None)


def known(doors: Doors, name: str) -> None:
    """Raise ``ConfigError`` unless the configuration has this caller."""
    callers = doors.target.settings.azure.callers
    if name not in callers:
        raise ConfigError(
            f"there is no caller '{name}'; configured are: {', '.join(sorted(callers)) or 'none'}",
            remedy=f"add [azure.callers.{name}] to genai.toml",
            id="keys.unknown_caller",
        )


def issue(doors: Doors, names: Sequence[str] = (), *, reinstate: bool = False, progress: Progress | None = None) -> list[Key]:
    """Make sure that these callers (none named: all) have identity, key and stored secret.

    Args:
        reinstate: undo a revocation. Without it a revoked caller is left alone (named ones: ``StepError``).
    """
    from genai_platform.steps.azure.callers_work import Callers

    for name in names:
        known(doors, name)
    work = Callers(doors)
    work.ensure_all(tuple(names) or tuple(doors.target.settings.azure.callers), quiet(progress), reinstate=reinstate, named=bool(names))
    return [key for key in Callers(doors).listed() if not names or key.caller in names]


def listed(doors: Doors) -> list[Key]:
    """Every configured caller, in the order of their names, and what the world knows of its key."""
    from genai_platform.steps.azure.callers_work import Callers

    return Callers(doors).listed()


def show(doors: Doors, name: str) -> Key:
    """One caller's key."""
    known(doors, name)
    return next(key for key in listed(doors) if key.caller == name)


def rotate(doors: Doors, name: str, *, progress: Progress | None = None) -> Rotation:
    """Give a caller a new key. The old one works until no gateway can still have it; spend and budget stay."""
    from genai_platform.steps.azure.callers_change import rotate as work

    known(doors, name)
    return work(doors, name, quiet(progress))


def rotate_secret(doors: Doors, name: str, *, overlap_hours: float = 24, progress: Progress | None = None) -> SecretRotation:
    """Give a caller's application a new client secret; the old ones are removed by the first rotation or ``up`` after the overlap."""
    from genai_platform.steps.azure.callers_change import rotate_secret as work

    known(doors, name)
    return work(doors, name, overlap_hours, quiet(progress))


def revoke(doors: Doors, name: str, *, progress: Progress | None = None) -> Revocation:
    """Close both entrances to a caller: block the key, disable the stored secret, remove the role assignment."""
    from genai_platform.steps.azure.callers_change import revoke as work

    known(doors, name)
    return work(doors, name, quiet(progress))


def client(doors: Doors, name: str) -> Client:
    """How this caller signs in: for ``token``, ``chat`` and ``azure env``."""
    from genai_platform.steps.azure.callers_change import client as work

    known(doors, name)
    return work(doors, name)


class _Quiet:
    def say(self, text: str) -> None:
        return

    def check(self) -> None:
        return


def quiet(progress: Progress | None, make: Callable[[], Progress] = _Quiet) -> Progress:
    """The given progress, or one that says nothing."""
    return progress or make()
