"""LiteLLM's migration job: its own migrations, applied in order and booked as Prisma books them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

# The number Prisma locks while it migrates: two jobs at once become one after the other.
_LOCK = 72707369

_TABLE = """
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)
"""


class MigrationError(Exception):
    """The database cannot be migrated; the text says why and holds no password."""


def migrations() -> list[Path]:
    """Every migration of the installed LiteLLM, in the order in which they are applied."""
    found = importlib.util.find_spec("litellm_proxy_extras")
    if found is None or found.origin is None:
        raise MigrationError("litellm_proxy_extras is not installed; it carries LiteLLM's migrations")
    return sorted((Path(found.origin).parent / "migrations").glob("*/migration.sql"), key=lambda path: path.parent.name)


def options(variables: Mapping[str, str]) -> dict[str, Any]:
    """What DATABASE_URL, or DATABASE_HOST and its companions, say, in PostgreSQL's own words.

    Raises:
        MigrationError: nothing names a database.
    """
    if url := variables.get("DATABASE_URL"):
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
            raise MigrationError("P1012: DATABASE_URL must start with the protocol `postgresql://` or `postgres://` and name a host")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        given = {"user": parts.username, "password": parts.password, "host": parts.hostname, "dbname": parts.path.lstrip("/")}
        found: dict[str, Any] = {key: unquote(value) for key, value in given.items() if value}
        found["port"] = parts.port or 5432
    elif variables.get("DATABASE_HOST"):
        query = {}
        names = {"user": "DATABASE_USERNAME", "password": "DATABASE_PASSWORD", "dbname": "DATABASE_NAME"}
        found = {key: variables[name] for key, name in names.items() if variables.get(name)}
        host, _, port = variables["DATABASE_HOST"].partition(":")
        found.update(host=host, port=int(port or variables.get("DATABASE_PORT") or 5432))
    else:
        raise MigrationError("P1012: environment variable not found: DATABASE_URL")
    found.update(sslmode=query.get("sslmode", "prefer"), connect_timeout=5, gssencmode="disable")
    if query.get("sslcert"):  # Prisma's name for the server's authority
        found["sslrootcert"] = query["sslcert"]
    if query.get("schema", "public") != "public":
        found["options"] = f"-c search_path={query['schema']}"
    return found


def connect(how: Mapping[str, Any], say: Callable[[str], None], seconds: float = 60.0) -> Any:
    """A session. Waits for a database that does not answer yet, not for one that says no.

    Raises:
        MigrationError: refused, or not reached in time.
    """
    where = f"`{how['host']}:{how['port']}`"
    until = time.monotonic() + seconds
    while True:
        try:
            return psycopg.connect(**how, autocommit=True)
        except psycopg.OperationalError as error:
            text = " ".join(str(error).split())
            if "authentication failed" in text:
                raise MigrationError(f"P1000: Authentication failed against database server at {where}: {text}") from None
            if "does not exist" in text:
                name = how.get("dbname", "")
                raise MigrationError(f"P1003: Database `{name}` does not exist on the database server at {where}") from None
            if "no encryption" in text or "SSL" in text or "certificate" in text:
                raise MigrationError(f"P1011: Error opening a TLS connection to {where}: {text}") from None
            if time.monotonic() > until:
                raise MigrationError(f"P1001: Can't reach database server at {where}: {text}") from None
            say(f"waiting for the database at {where}: {text}")
            time.sleep(1)


def missing(session: Any) -> list[Path]:
    """The migrations a database does not have yet.

    Raises:
        MigrationError: one failed in an earlier run (P3009).
    """
    if session.execute("SELECT to_regclass('_prisma_migrations')").fetchone()[0] is None:
        return migrations()
    rows = session.execute('SELECT migration_name, finished_at FROM "_prisma_migrations" WHERE rolled_back_at IS NULL').fetchall()
    if failed := [name for name, finished in rows if finished is None]:
        raise MigrationError(f"P3009: migrate found failed migrations in the target database: {', '.join(failed)}")
    done = {name for name, _ in rows}
    return [file for file in migrations() if file.parent.name not in done]


def migrate(session: Any, say: Callable[[str], None]) -> int:
    """Apply what is missing and answer how many that were.

    Raises:
        MigrationError: one failed, now (P3018) or in an earlier run (P3009).
    """
    session.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    session.execute(_TABLE)
    wanted = missing(session)
    for file in wanted:
        name, text, identifier = file.parent.name, file.read_text(), str(uuid.uuid4())
        insert = 'INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES (%s, %s, %s)'
        session.execute(insert, (identifier, hashlib.sha256(text.encode()).hexdigest(), name))
        try:
            session.execute(text)
        except psycopg.Error as error:
            session.execute('UPDATE "_prisma_migrations" SET logs = %s WHERE id = %s', (str(error), identifier))
            raise MigrationError(f"P3018: migration {name} failed: {' '.join(str(error).split())}") from None
        session.execute('UPDATE "_prisma_migrations" SET finished_at = now(), applied_steps_count = 1 WHERE id = %s', (identifier,))
    say(f"{len(wanted)} migrations applied" if wanted else "no pending migrations")
    return len(wanted)


def main() -> int:
    """The job. Exit code 1 with one line that says why."""
    try:
        with connect(options(os.environ), _say) as session:
            migrate(session, _say)
    except MigrationError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
