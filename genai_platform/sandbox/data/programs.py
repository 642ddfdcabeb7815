"""PostgreSQL's client programs for jobs, able to speak TLS.

The server's package was built without TLS. PostgreSQL's client library keeps its interface from version to version, so
the one that came with psycopg, which has TLS, is loaded in front of the package's own.
"""

from __future__ import annotations

import importlib.util
import secrets
import shlex
from pathlib import Path

from genai_platform.sandbox.data import postgres
from genai_platform.sandbox.layout import SandboxLayout

_NAMES = (
    "psql", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready", "createdb", "dropdb", "createuser", "dropuser", "vacuumdb", "pgbench",
)  # fmt: skip


def folder(layout: SandboxLayout) -> Path:
    """A folder for PATH, made when missing.

    Raises:
        RuntimeError: a package that is needed is not installed.
    """
    target = layout.folder("programs")
    library = _library()
    for name in _NAMES:
        text = f'#!/bin/sh\nLD_PRELOAD={shlex.quote(str(library))} exec {shlex.quote(str(postgres.programs() / name))} "$@"\n'
        file = target / name
        if not file.exists() or file.read_text() != text:
            draft = file.with_name(f".{name}.{secrets.token_hex(4)}")  # several jobs may begin at once
            draft.write_text(text)
            draft.chmod(0o755)
            draft.replace(file)
    return target


def _library() -> Path:
    found = importlib.util.find_spec("psycopg_binary")
    if found is None or found.origin is None:
        raise RuntimeError("psycopg-binary is not installed; it carries PostgreSQL's client library with TLS")
    libraries = sorted((Path(found.origin).parent.parent / "psycopg_binary.libs").glob("libpq-*.so*"))
    if not libraries:
        raise RuntimeError("psycopg-binary carries no client library here")
    return libraries[0]
