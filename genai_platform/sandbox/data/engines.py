"""The engines behind the AWS names: real servers at the host names, ports and passwords that AWS's answers state.

The AWS stand-in calls this when a cluster or replication group comes, changes or goes. Engines end with the process
that made ``Engines``; what they hold lies in the sandbox's ``data`` folder, and the next ``*_up`` finds it again.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from genai_platform.files import write_private
from genai_platform.sandbox import ca
from genai_platform.sandbox.data import postgres_tls
from genai_platform.sandbox.data.postgres import Postgres
from genai_platform.sandbox.data.redis import Redis
from genai_platform.sandbox.data.tls_proxy import Fronts, server_context
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import PartStatus

log = logging.getLogger("genai.sandbox.data")
_FIRST_ADDRESS = 10
_LOOK = 1.0
_LIST = "engines.json"
_TITLES = {"postgres": "PostgreSQL", "redis": "Redis"}


@dataclass
class _Open:
    engine: Postgres | Redis
    close: Callable[[], None] = lambda: None
    """Ends its listener."""
    record: dict[str, Any] = field(default_factory=dict)

    def end(self) -> None:
        self.close()
        self.engine.stop()


class Engines:
    """Every engine of one sandbox. Safe to call from several threads; every call may be repeated."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._layout = layout
        self._fronts = Fronts()
        self._open: dict[str, _Open] = {}
        self._lock = threading.RLock()
        threading.Thread(target=self._keep_up, name="engines", daemon=True).start()

    # -- PostgreSQL -------------------------------------------------------------------------------
    def postgres_up(self, cluster_id: str, host: str, port: int, admin: str, password: str | None, database: str | None = None) -> None:
        """Start a cluster, or change its master's password. ``password`` None leaves the password as it is.

        Raises:
            RuntimeError: the server did not start; the message says why.
        """
        with self._lock:
            engine = self._entry("postgres", cluster_id).engine
            assert isinstance(engine, Postgres)
            engine.start()
            engine.set_master(admin, password)
            if database:
                engine.make_database(database, admin)
            self._publish("postgres", cluster_id, {"host": host, "port": port, "admin": admin, "tls": True, "version": engine.version()})

    def postgres_snapshot(self, cluster_id: str, snapshot: str) -> None:
        """Copy a cluster's data. The server stops meanwhile, so that the copy is whole."""
        with self._lock:
            entry = self._entry("postgres", cluster_id)
            engine = entry.engine
            assert isinstance(engine, Postgres)
            engine.stop()
            try:
                self.snapshot_gone(snapshot)
                engine.copy_to(self._folder("snapshots", snapshot))
            finally:
                engine.start()
                self._publish("postgres", cluster_id, entry.record)

    def postgres_restore(self, cluster_id: str, snapshot: str) -> None:
        """Lay a copied cluster's data where a new cluster will look for it; ``postgres_up`` starts it."""
        with self._lock:
            Postgres(self._folder("snapshots", snapshot)).copy_to(self._folder("postgres", cluster_id))

    def snapshot_gone(self, snapshot: str) -> None:
        """Delete a copy."""
        shutil.rmtree(self._folder("snapshots", snapshot), ignore_errors=True)

    def postgres_stop(self, cluster_id: str) -> None:
        """Stop a cluster and keep its data; ``postgres_up`` starts it again."""
        with self._lock:
            entry = self._open.pop(f"postgres/{cluster_id}", None)
            if entry:
                entry.end()
                self._write(f"postgres/{cluster_id}", {**entry.record, "pid": None})

    def postgres_down(self, cluster_id: str) -> None:
        """Stop a cluster and delete its data."""
        self._down("postgres", cluster_id)

    # -- Redis ------------------------------------------------------------------------------------
    def redis_up(
        self, group_id: str, host: str, port: int, token: str | None, tls: bool, parameters: Mapping[str, str] | None = None
    ) -> None:
        """Start a replication group, or bring a running one to these values."""
        with self._lock:
            engine = self._entry("redis", group_id).engine
            assert isinstance(engine, Redis)
            engine.start(parameters or {})
            engine.set_token(token)
            record = {"host": host, "port": port, "tls": tls, "version": engine.version(), "parameters": dict(parameters or {})}
            self._publish("redis", group_id, record)

    def redis_set_token(self, group_id: str, token: str | None, keep_old: bool = False) -> None:
        """Change the token of a running group. ``keep_old``: the one before stays valid too (strategy ROTATE)."""
        with self._lock:
            engine = self._entry("redis", group_id).engine
            assert isinstance(engine, Redis)
            engine.set_token(token, keep_old)

    def redis_down(self, group_id: str) -> None:
        """Stop a replication group and delete its data."""
        self._down("redis", group_id)

    # -- all --------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Stop every engine and keep its data."""
        with self._lock:
            for entry in self._open.values():
                entry.end()
            self._open.clear()
            self._publish_hosts()

    # -- inside -----------------------------------------------------------------------------------
    def _keep_up(self) -> None:
        """Start what has died again, as the services do."""
        while True:
            time.sleep(_LOOK)
            with self._lock:
                for key, entry in self._open.items():
                    if not entry.record or entry.engine.pid is not None:
                        continue
                    log.warning("%s ended and is started again", key)
                    try:
                        if isinstance(entry.engine, Postgres):
                            entry.engine.start()
                        else:
                            entry.engine.start(entry.record["parameters"])
                        kind, name = key.split("/", 1)
                        self._publish(kind, name, entry.record)
                    except (RuntimeError, OSError) as error:
                        log.error("%s: %s", key, error)

    def _entry(self, kind: str, name: str) -> _Open:
        key = f"{kind}/{name}"
        if key not in self._open:
            folder = self._folder(kind, name)
            self._open[key] = _Open(Postgres(folder) if kind == "postgres" else Redis(folder))
        return self._open[key]

    def _folder(self, kind: str, name: str) -> Path:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"not a name of a database: {name!r}")
        return self._layout.folder("data") / kind / name

    def _publish(self, kind: str, name: str, record: dict[str, Any]) -> None:
        """Listen at the host's address, once, and make the name known."""
        key = f"{kind}/{name}"
        entry = self._open[key]
        address = self._address(record["host"])
        wanted = {**record, "address": address, "pid": entry.engine.pid}
        where = ("host", "port", "tls", "address")
        if any(entry.record.get(word) != wanted[word] for word in where):
            entry.close()
            tls = server_context(*ca.issue(self._layout, [record["host"]])) if record["tls"] else None
            greeting = postgres_tls.greeting(tls) if kind == "postgres" and tls else None
            entry.close = self._fronts.open(address, record["port"], entry.engine.socket_file, tls, greeting)
        entry.record = wanted
        self._write(key, wanted)
        self._publish_hosts()

    def _publish_hosts(self) -> None:
        self._layout.publish_hosts("data", {e.record["host"]: e.record["address"] for e in self._open.values() if e.record})

    def _down(self, kind: str, name: str) -> None:
        with self._lock:
            key = f"{kind}/{name}"
            entry = self._open.pop(key, None)
            if entry:
                entry.end()
            shutil.rmtree(self._folder(kind, name), ignore_errors=True)
            self._write(key, None)
            self._publish_hosts()

    def _address(self, host: str) -> str:
        """The host's loopback address: the same for as long as the sandbox exists."""
        file = self._layout.folder("data") / "addresses.json"
        known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        if host not in known:
            known[host] = max(known.values(), default=_FIRST_ADDRESS - 1) + 1
            write_private(file, json.dumps(known, indent=1))
        return self._layout.aws_address(known[host])

    def _write(self, key: str, record: dict[str, Any] | None) -> None:
        records = _records(self._layout)
        if record is None:
            records.pop(key, None)
        else:
            records[key] = record
        write_private(self._layout.folder("data") / _LIST, json.dumps(records, indent=1))


def rows(layout: SandboxLayout, *, running: bool) -> Iterator[PartStatus]:
    """Every engine there is, as ``Engines`` wrote it down.

    Args:
        running: whether the process that made them runs; without it none of them does.
    """
    for key, record in sorted(_records(layout).items()):
        kind, _, name = key.partition("/")
        pid = record.get("pid") if running else None
        if pid is not None and not psutil.pid_exists(pid):
            pid = None
        state: Literal["running", "stopped"] = "stopped" if pid is None else "running"
        yield PartStatus(f"{_TITLES[kind]} {name}", "real", record["version"], pid, record["port"], state)


def _records(layout: SandboxLayout) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads((layout.root / "data" / _LIST).read_text())
    except FileNotFoundError:
        return {}
    return found
