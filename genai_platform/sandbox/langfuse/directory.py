"""Who may do what: organisations, projects, key pairs and users, in PostgreSQL."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from genai_platform.sandbox.langfuse.configuration import Configuration, Initial

_MIGRATIONS = (
    """
    CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE projects (
        id text PRIMARY KEY, org_id text NOT NULL REFERENCES organizations ON DELETE CASCADE, name text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE api_keys (
        id text PRIMARY KEY, public_key text NOT NULL UNIQUE, fast_hashed_secret_key text NOT NULL, display_secret_key text NOT NULL,
        project_id text NOT NULL REFERENCES projects ON DELETE CASCADE, created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE users (
        id text PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, password text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE organization_memberships (
        org_id text NOT NULL REFERENCES organizations ON DELETE CASCADE, user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
        role text NOT NULL, PRIMARY KEY (org_id, user_id));
    """,
    "CREATE TABLE background_migrations (name text PRIMARY KEY, finished_at timestamptz NOT NULL DEFAULT now())",
    """
    ALTER TABLE users ALTER COLUMN password DROP NOT NULL;
    CREATE TABLE accounts (subject text PRIMARY KEY, user_id text NOT NULL REFERENCES users ON DELETE CASCADE);
    """,
)


@dataclass(frozen=True)
class Project:
    id: str
    name: str
    organisation_id: str
    organisation_name: str


@dataclass(frozen=True)
class User:
    id: str
    email: str
    name: str


class Directory:
    """One connection to PostgreSQL, made again when it breaks."""

    def __init__(self, configuration: Configuration) -> None:
        self._url = configuration.postgres
        self._salt = configuration.salt
        self._lock = threading.Lock()
        self._connection: Any = None

    def migrate(self) -> int:
        """Bring the schema up to date; several processes may try at once. Returns how many migrations ran."""
        with self._lock, self._open().transaction():
            connection = self._open()
            connection.execute("SELECT pg_advisory_xact_lock(72707369)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS _migrations (number int PRIMARY KEY, finished_at timestamptz NOT NULL DEFAULT now())"
            )
            done: int = connection.execute("SELECT coalesce(max(number), 0) FROM _migrations").fetchone()[0]
            for number, text in enumerate(_MIGRATIONS[done:], start=done + 1):
                connection.execute(text)
                connection.execute("INSERT INTO _migrations (number) VALUES (%s)", (number,))
            return len(_MIGRATIONS) - done

    def initialise(self, initial: Initial) -> None:
        """The headless start: makes what is missing, changes nothing that is there."""
        with self._lock, self._open().transaction():
            run = self._open().execute
            run(
                "INSERT INTO organizations (id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (initial.organisation_id, initial.organisation_name),
            )
            run(
                "INSERT INTO projects (id, org_id, name) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (initial.project_id, initial.organisation_id, initial.project_name),
            )
            if initial.public_key and initial.secret_key:
                shown = f"{initial.secret_key[:6]}...{initial.secret_key[-4:]}"
                run(
                    "INSERT INTO api_keys (id, public_key, fast_hashed_secret_key, display_secret_key, project_id) "
                    "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    (secrets.token_hex(12), initial.public_key, self._hashed(initial.secret_key), shown, initial.project_id),
                )
            if initial.user_email and initial.user_password:
                run(
                    "INSERT INTO users (id, email, name, password) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    (secrets.token_hex(12), initial.user_email.lower(), initial.user_name, _password(initial.user_password)),
                )
                run(
                    "INSERT INTO organization_memberships SELECT %s, id, 'OWNER' FROM users WHERE email = %s ON CONFLICT DO NOTHING",
                    (initial.organisation_id, initial.user_email.lower()),
                )

    def project_of(self, public_key: str, secret_key: str) -> Project | None:
        row = self._one(
            "SELECT k.fast_hashed_secret_key, p.id, p.name, o.id, o.name FROM api_keys k JOIN projects p ON p.id = k.project_id "
            "JOIN organizations o ON o.id = p.org_id WHERE k.public_key = %s",
            (public_key,),
        )
        if row is None or not hmac.compare_digest(row[0], self._hashed(secret_key)):
            return None
        return Project(*row[1:])

    def user_of(self, email: str, password: str) -> User | None:
        row = self._one("SELECT id, email, name, password FROM users WHERE email = %s", (email.lower(),))
        return User(*row[:3]) if row is not None and row[3] and _fits(password, row[3]) else None

    def sign_up(self, email: str, name: str, password: str) -> User | None:
        """A new user; ``None`` when there is one with this address."""
        row = self._one(
            "INSERT INTO users (id, email, name, password) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id, email, name",
            (secrets.token_hex(12), email.lower(), name, _password(password)),
        )
        return None if row is None else User(*row)

    def of_provider(self, subject: str, email: str, name: str, *, linking: bool, create: bool) -> User | str:
        """The person known by this identity of another provider; made when missing and ``create``. Else why there is none."""
        known = self._one("SELECT u.id, u.email, u.name FROM accounts a JOIN users u ON u.id = a.user_id WHERE a.subject = %s", (subject,))
        if known is not None:
            return User(*known)
        row = self._one("SELECT id, email, name FROM users WHERE email = %s", (email,))
        if row is not None and not linking:
            return "OAuthAccountNotLinked"
        if row is None and not create:
            return "Sign up is disabled."
        row = row or self._one(
            "INSERT INTO users (id, email, name) VALUES (%s, %s, %s) RETURNING id, email, name", (secrets.token_hex(12), email, name)
        )
        self._one("INSERT INTO accounts (subject, user_id) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING subject", (subject, row[0]))
        return User(*row)

    def join(self, user: User, organisation: str, role: str) -> None:
        """Make somebody a member; a role that is held already stays."""
        self._one(
            "INSERT INTO organization_memberships SELECT id, %s, %s FROM organizations WHERE id = %s ON CONFLICT DO NOTHING RETURNING role",
            (user.id, role, organisation),
        )

    def once(self, name: str, act: Callable[[], None]) -> None:
        """Do a background migration unless it was done before, whenever that was."""
        if self._one("SELECT 1 FROM background_migrations WHERE name = %s", (name,)) is None:
            act()
            self._one("INSERT INTO background_migrations (name) VALUES (%s) ON CONFLICT DO NOTHING RETURNING name", (name,))

    def healthy(self) -> None:
        self._one("SELECT 1", ())

    def _hashed(self, secret: str) -> str:
        return hmac.new(self._salt.encode(), secret.encode(), hashlib.sha256).hexdigest()

    def _one(self, statement: str, values: tuple[Any, ...]) -> Any:
        with self._lock:
            try:
                return self._open().execute(statement, values).fetchone()
            except psycopg.OperationalError:
                self._connection = None  # the server was restarted: once more, with a new connection
                return self._open().execute(statement, values).fetchone()

    def _open(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None)
        return self._connection


def _password(text: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_stretched(text, salt)}"


def _fits(text: str, stored: str) -> bool:
    salt, _, digest = stored.partition("$")
    return hmac.compare_digest(digest, _stretched(text, bytes.fromhex(salt)))


def _stretched(text: str, salt: bytes) -> str:
    return hashlib.scrypt(text.encode(), salt=salt, n=2**12, r=8, p=1).hex()
