"""What the Azure stand-ins remember: objects by kind and identifier, in one SQLite file that survives a restart."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Object = dict[str, Any]
_SOUGHT = ("appId", "uniqueName", "userPrincipalName", "principalId", "resourceId")
"""Fields by which objects are found without reading all of their kind: directories grow to thousands."""


class Store:
    """Thread-safe. Every change is on disk when the call returns; ``exclusively`` makes several one."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        file.touch(mode=0o600, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
            "CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;"
            + "".join(f"CREATE INDEX IF NOT EXISTS by_{field} ON objects (kind, {_of(field)});" for field in _SOUGHT)
        )

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Nobody else reads or writes inside this block."""
        with self._lock:
            yield

    def get(self, kind: str, id: str) -> Object | None:
        with self._lock:
            row = self._connection.execute("SELECT body FROM objects WHERE kind = ? AND id = ?", (kind, id.lower())).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, id: str, body: Object) -> None:
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (kind, id.lower(), json.dumps(body)))

    def delete(self, kind: str, id: str) -> None:
        with self._lock:
            self._connection.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, id.lower()))

    def all(self, kind: str, prefix: str = "") -> list[Object]:
        """Every object of a kind whose identifier begins with ``prefix``, by identifier."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM objects WHERE kind = ?1 AND id >= ?2 AND id < ?2 || char(0x10FFFF) ORDER BY id", (kind, prefix.lower())
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def find(self, kind: str, field: str, value: str) -> Object | None:
        """The first object of a kind whose ``field`` has this value."""
        return next(iter(self.matching(kind, field, value)), None)

    def matching(self, kind: str, field: str, value: str) -> list[Object]:
        """The objects of a kind whose ``field`` has this value; the field is one of ``_SOUGHT``."""
        with self._lock:
            rows = self._connection.execute(
                f"SELECT body FROM objects INDEXED BY by_{field} WHERE kind = ? AND {_of(field)} = ? ORDER BY id",  # noqa: S608
                (kind, value),
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _of(field: str) -> str:
    return f"json_extract(body, '$.{field}')"
