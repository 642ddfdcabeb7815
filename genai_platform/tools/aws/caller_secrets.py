"""Where the client secrets of callers are kept: JSON documents in AWS Secrets Manager, as few as their size allows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from genai_platform.errors import StepError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.aws.tags import listed

_FULL = 45_000
"""Bytes at which a document takes no further caller: those in it may get a second client secret."""
_LIMIT = 60_000
"""Bytes at which a caller moves to another document; Secrets Manager takes 65,536."""


@dataclass(frozen=True)
class Password:
    """One client secret of an application."""

    key_id: str
    value: SecretStr = field(repr=False)
    expires: datetime
    remove_after: datetime | None = None
    """Set by a rotation: until then it works as well as the new one."""


@dataclass(frozen=True)
class StoredCaller:
    """What is kept for one caller."""

    client_id: str
    passwords: tuple[Password, ...] = ()
    """The newest last."""


class CallerSecrets:
    """The documents ``PREFIX/callers``, ``PREFIX/callers-2``, …; safe for several threads of one process.

    Writes of several threads that wait for each other go out together: a document is written once for all of them.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._first = f"{aws.target.prefix}/callers"
        self._documents: list[dict[str, Any]] | None = None
        self._pending: dict[str, dict[str, Any] | None] = {}
        self._gate, self._writing = threading.Lock(), threading.Lock()

    def read(self) -> dict[str, StoredCaller]:
        """Everything that is kept, by caller. Raises ``StepError`` when it cannot be read."""
        with self._writing:
            self._documents = self._load()
            found: dict[str, StoredCaller] = {}
            for document in self._documents:
                found |= {name: _kept(entry) for name, entry in document["callers"].items()}
            return found

    def put(self, name: str, kept: StoredCaller) -> None:
        """Keep this for a caller. On disk when the call returns."""
        with self._gate:
            self._pending[name] = _plain(kept)
        self._flush(name)

    def forget(self, names: Iterable[str]) -> None:
        """Keep nothing for these callers any more."""
        names = list(names)
        with self._gate:
            self._pending |= dict.fromkeys(names)
        if names:
            self._flush(names[-1])

    def delete_when_empty(self) -> None:
        """Remove the documents at once, without a recovery window, unless something is kept in one of them."""
        client = self._aws.client("secretsmanager")
        with self._writing:
            documents = self._load()
            if any(document["callers"] for document in documents):
                return
            for number in range(len(documents), 0, -1):
                with explained(f"delete the secret {self._name(number)}"):
                    client.delete_secret(SecretId=self._name(number), ForceDeleteWithoutRecovery=True)
            self._documents = None

    # -- inside -----------------------------------------------------------------------------------
    def _name(self, number: int) -> str:
        return self._first if number == 1 else f"{self._first}-{number}"

    def _load(self) -> list[dict[str, Any]]:
        client = self._aws.client("secretsmanager")
        documents: list[dict[str, Any]] = []
        while True:
            name = self._name(len(documents) + 1)
            with explained(f"read the secret {name}"):
                try:
                    text = client.get_secret_value(SecretId=name)["SecretString"]
                except client.exceptions.ResourceNotFoundException:
                    return documents
            try:
                document = json.loads(text)
                documents.append({"callers": dict(document["callers"])})
            except (ValueError, KeyError, TypeError):
                raise StepError(
                    f"the secret {name} is not a document of callers",
                    remedy="restore an earlier version of it in Secrets Manager, or delete it",
                    id="secrets.unreadable",
                ) from None

    def _flush(self, name: str) -> None:
        with self._writing:
            with self._gate:
                if name not in self._pending:
                    return  # another thread took it along
                changes, self._pending = self._pending, {}
            try:
                self._apply(changes)
            except BaseException:
                with self._gate:  # anyone waiting for one of these must not take it for done
                    self._pending = changes | self._pending
                self._documents = None
                raise

    def _apply(self, changes: dict[str, dict[str, Any] | None]) -> None:
        documents = self._load() if self._documents is None else self._documents
        self._documents = documents
        touched: set[int] = set()
        for caller, entry in changes.items():
            touched |= _place(documents, caller, entry)
        # The last ones first: where a caller is in two documents, the later one is read.
        for number in sorted(touched, reverse=True):
            self._write(number + 1, documents[number])

    def _write(self, number: int, document: dict[str, Any]) -> None:
        client, name, text = self._aws.client("secretsmanager"), self._name(number), json.dumps(document)
        with explained(f"store the secret {name}"):
            try:
                client.put_secret_value(SecretId=name, SecretString=text)
            except client.exceptions.ResourceNotFoundException:
                tags = listed(self._aws.target.tags)
                client.create_secret(Name=name, SecretString=text, Tags=tags, Description="Client secrets of the platform's callers")


def _place(documents: list[dict[str, Any]], caller: str, entry: dict[str, Any] | None) -> set[int]:
    """Put a caller's entry where it belongs; which documents changed."""
    changed = {number for number, document in enumerate(documents) if caller in document["callers"]}
    home = max(changed, default=None)
    for number in changed:
        del documents[number]["callers"][caller]
    if entry is None:
        return changed
    if home is not None:
        documents[home]["callers"][caller] = entry
        if _size(documents[home]) < _LIMIT:
            return changed
        del documents[home]["callers"][caller]
    after = range(0 if home is None else home + 1, len(documents))
    room = next((number for number in after if _size(documents[number]) < _FULL), len(documents))
    if room == len(documents):
        documents.append({"callers": {}})
    documents[room]["callers"][caller] = entry
    return changed | {room}


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document))


def documents(prefix: str) -> frozenset[str]:
    """The names that documents of an environment can have."""
    return frozenset({f"{prefix}/callers", *(f"{prefix}/callers-{number}" for number in range(2, 100))})


def _kept(entry: dict[str, Any]) -> StoredCaller:
    passwords = tuple(
        Password(
            one["key_id"],
            SecretStr(one["value"]),
            datetime.fromisoformat(one["expires"]),
            datetime.fromisoformat(one["remove_after"]) if one.get("remove_after") else None,
        )
        for one in entry.get("passwords", ())
    )
    return StoredCaller(entry["client_id"], passwords)


def _plain(kept: StoredCaller) -> dict[str, Any]:
    """The only place where the values leave their wrapping."""
    passwords = [
        {
            "key_id": one.key_id,
            "value": one.value.get_secret_value(),
            "expires": one.expires.isoformat(),
            **({"remove_after": one.remove_after.isoformat()} if one.remove_after else {}),
        }
        for one in kept.passwords
    ]
    return {"client_id": kept.client_id, "passwords": passwords}
