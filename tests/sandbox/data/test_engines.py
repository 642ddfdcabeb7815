"""The engines behind the AWS names, driven by the clients people use."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from genai_platform.sandbox import ca
from genai_platform.sandbox.data.engines import Engines, rows
from genai_platform.sandbox.layout import SandboxLayout

HOST = "genai.cluster-abc.ap-northeast-1.rds.amazonaws.com"
CACHE = "master.genai.abc.apne1.cache.amazonaws.com"
PASSWORD = "S3cretPassword"
TOKEN = "T0kenT0kenT0ken"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> SandboxLayout:
    return SandboxLayout.create(
        tmp_path_factory.mktemp("a-rather-long-folder-name-so-that-paths-of-sockets-would-be-too-long-for-the-kernel") / "world", "sandbox"
    )


@pytest.fixture(scope="module")
def engines(layout: SandboxLayout) -> Iterator[Engines]:
    made = Engines(layout)
    up(made)
    yield made
    made.stop()


def up(engines: Engines) -> None:
    engines.postgres_up("genai", HOST, 5432, "platform", PASSWORD)
    engines.redis_up("genai", CACHE, 6379, TOKEN, True, {"maxmemory-policy": "noeviction", "reserved-memory-percent": "25"})


def address(layout: SandboxLayout, host: str) -> str:
    for line in layout.hosts_file.read_text().splitlines():
        found, name = line.split("\t")
        if name == host:
            return found
    raise AssertionError(f"{host} is not published")


def connect(layout: SandboxLayout, **changes: object) -> psycopg.Connection[tuple[object, ...]]:
    options: dict[str, object] = {
        "host": HOST, "hostaddr": address(layout, HOST), "port": 5432, "user": "platform", "password": PASSWORD, "dbname": "postgres",
        "sslmode": "verify-full", "sslrootcert": str(layout.ca_file), "autocommit": True, "gssencmode": "disable",
    }  # fmt: skip
    return psycopg.connect(**{**options, **changes})  # type: ignore[arg-type]


def cache(layout: SandboxLayout, token: str = TOKEN, **changes: object) -> redis.Redis:
    options = {
        "ssl": True,
        "ssl_ca_certs": str(layout.ca_file),
        "ssl_check_hostname": False,
        "decode_responses": True,
        "retry": Retry(NoBackoff(), 0),
    }
    return redis.Redis(address(layout, CACHE), 6379, password=token, **{**options, **changes})  # type: ignore[arg-type]


def test_the_master_is_what_an_aurora_master_is(engines: Engines, layout: SandboxLayout) -> None:
    with connect(layout) as session:
        row = session.execute("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'platform'").fetchone()
        assert row == (False, True, True)
        assert session.execute("SELECT pg_has_role('platform', 'rds_superuser', 'MEMBER')").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("COPY (SELECT 1) TO PROGRAM 'true'")


def test_a_stopped_cluster_is_not_there_and_keeps_its_data(engines: Engines, layout: SandboxLayout) -> None:
    with connect(layout) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS one")
    where = address(layout, HOST)
    engines.postgres_stop("genai")
    with pytest.raises(psycopg.OperationalError):
        connect(layout, hostaddr=where)
    up(engines)
    with connect(layout) as session:
        assert session.execute("SELECT one FROM kept").fetchone() == (1,)
        session.execute("DROP TABLE kept")


def test_a_role_and_its_database_can_be_made(engines: Engines, layout: SandboxLayout) -> None:
    with connect(layout) as session:
        session.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
        session.execute("GRANT app TO platform")
        session.execute("CREATE DATABASE app OWNER app")
    with connect(layout, user="app", password="app", dbname="app") as session:
        session.execute("CREATE TABLE t (v text)")
        session.execute("INSERT INTO t VALUES ('日本語')")
        assert session.execute("SELECT v FROM t").fetchone() == ("日本語",)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": "nobody"}, "password authentication failed"),
        ({"dbname": "absent"}, "does not exist"),
        ({"sslmode": "disable"}, "no pg_hba.conf entry for host .* no encryption"),
        ({"user": "rdsadmin"}, "password authentication failed"),
        ({"host": "other.example.com"}, "does not match host name"),
    ],
)
def test_a_wrong_value_fails_as_on_aurora(engines: Engines, layout: SandboxLayout, change: dict[str, str], text: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=text):
        connect(layout, **change)


async def _asyncpg(layout: SandboxLayout) -> object:
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    context.check_hostname = False
    session = await asyncpg.connect(
        host=address(layout, HOST), port=5432, user="platform", password=PASSWORD, database="postgres", ssl=context
    )
    try:
        return await session.fetchval("SELECT repeat('x', 3000000)")
    finally:
        await session.close()


def test_asyncpg_gets_a_large_answer_whole(engines: Engines, layout: SandboxLayout) -> None:
    import asyncio

    assert asyncio.run(_asyncpg(layout)) == "x" * 3_000_000


def test_a_running_query_can_be_cancelled(engines: Engines, layout: SandboxLayout) -> None:
    import threading

    with connect(layout) as session:
        threading.Timer(0.3, session.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            session.execute("SELECT pg_sleep(20)")


def test_redis_has_the_policy_the_token_and_no_clear_text(engines: Engines, layout: SandboxLayout) -> None:
    with cache(layout) as session:
        assert session.info("memory")["maxmemory_policy"] == "noeviction"
        assert session.info("server")["redis_version"].startswith("7.")
        with pytest.raises(redis.exceptions.NoPermissionError):
            session.config_get("*")
    with pytest.raises(redis.exceptions.AuthenticationError), cache(layout, "wrong") as session:
        session.ping()
    with pytest.raises(redis.exceptions.ConnectionError), cache(layout, ssl=False, socket_timeout=5) as session:
        session.ping()


def test_passwords_change_while_clients_are_connected(engines: Engines, layout: SandboxLayout) -> None:
    with cache(layout) as open_session:
        open_session.ping()
        engines.redis_set_token("genai", "NewTokenNewToken")
        assert open_session.ping()
        with pytest.raises(redis.exceptions.AuthenticationError), cache(layout) as session:
            session.ping()
        with cache(layout, "NewTokenNewToken") as session:
            assert session.ping()
        engines.redis_set_token("genai", TOKEN)
    engines.postgres_up("genai", HOST, 5432, "platform", "another")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(layout)
    engines.postgres_up("genai", HOST, 5432, "platform", PASSWORD)
    connect(layout).close()


def test_a_restart_keeps_data_addresses_and_passwords(engines: Engines, layout: SandboxLayout) -> None:
    before = address(layout, HOST)
    with connect(layout) as session:
        session.execute("CREATE TABLE kept AS SELECT 7 AS n")
    with cache(layout) as client:
        client.set("kept", "七")
        time.sleep(1.1)  # the server writes once a second
    engines.stop()
    up(engines)
    assert address(layout, HOST) == before
    with connect(layout) as session:
        assert session.execute("SELECT n FROM kept").fetchone() == (7,)
    with cache(layout) as client:
        assert client.get("kept") == "七"


def test_a_killed_engine_comes_back_with_its_data_and_passwords(engines: Engines, layout: SandboxLayout) -> None:
    with cache(layout) as client:
        client.set("before", "1")
        time.sleep(1.1)  # the server writes once a second
    pids = {row.name: row.pid for row in rows(layout, running=True)}
    for pid in pids.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def answers() -> bool:
        try:
            with connect(layout) as session, cache(layout) as client:
                return session.execute("SELECT 1").fetchone() == (1,) and client.get("before") == "1"
        except (psycopg.OperationalError, redis.exceptions.ConnectionError):
            return False

    def listed() -> bool:
        return all(row.pid not in (None, pids[row.name]) for row in rows(layout, running=True))

    until = time.monotonic() + 30
    # An engine answers a moment before it is written down.
    while not (answers() and listed()):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_no_secret_lies_readable_in_the_folder(engines: Engines, layout: SandboxLayout) -> None:
    for path in layout.folder("data").rglob("*"):
        if path.is_file() and os.access(path, os.R_OK):
            content = path.read_bytes()
            assert PASSWORD.encode() not in content, path
            assert TOKEN.encode() not in content, path


def test_down_leaves_neither_data_nor_listener(layout: SandboxLayout, tmp_path: Path) -> None:
    other = SandboxLayout.create(tmp_path / "world", "sandbox-other")
    made = Engines(other)
    made.redis_up("gone", "gone.cache.amazonaws.com", 6379, None, False)
    where = address(other, "gone.cache.amazonaws.com")
    assert redis.Redis(where, 6379).ping()
    (row,) = rows(other, running=True)
    assert (row.name, row.kind, row.state, row.port) == ("Redis gone", "real", "running", 6379)
    made.redis_down("gone")
    assert "gone" not in other.hosts_file.read_text()
    assert not (other.folder("data") / "redis" / "gone").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((where, 6379), timeout=1)
    assert not Path(f"/proc/{row.pid}").exists()
    assert list(rows(other, running=True)) == []
    assert ca.authority(other)


def test_a_database_made_from_a_snapshot_has_the_rows_of_then(layout: SandboxLayout, engines: Engines) -> None:
    host = HOST.replace("genai", "tomorrow")
    with connect(layout) as session:
        session.execute("CREATE TABLE nightly (word text)")
        session.execute("INSERT INTO nightly VALUES ('yesterday')")
    engines.postgres_snapshot("genai", "genai-kept-1")
    with connect(layout) as session:
        session.execute("INSERT INTO nightly VALUES ('later')")
    engines.postgres_restore("tomorrow", "genai-kept-1")
    engines.postgres_up("tomorrow", host, 5432, "platform", "An0therPassword")
    try:
        with connect(layout, host=host, hostaddr=address(layout, host), password="An0therPassword") as session:
            assert session.execute("SELECT word FROM nightly").fetchall() == [("yesterday",)]
        with connect(layout) as session:
            assert len(session.execute("SELECT word FROM nightly").fetchall()) == 2
            session.execute("DROP TABLE nightly")
    finally:
        engines.postgres_down("tomorrow")
        engines.snapshot_gone("genai-kept-1")
    assert not any((layout.folder("data") / "snapshots").iterdir())
