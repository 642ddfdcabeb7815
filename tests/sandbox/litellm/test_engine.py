"""LiteLLM's database: its own migrations, and its own client over the engine of this project, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genai_platform.sandbox.data import programs
from genai_platform.sandbox.data.engines import Engines
from genai_platform.sandbox.image import Container
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.litellm import image, prisma_client

HOST = "genai.cluster-abc.ap-northeast-1.rds.amazonaws.com"
EVERYWHERE = "0.0.0.0"  # noqa: S104
MIGRATION = ("python", "litellm/proxy/prisma_migration.py")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxLayout]:
    layout = SandboxLayout.create(tmp_path_factory.mktemp("litellm") / "world", "sandbox")
    engines = Engines(layout)
    engines.postgres_up("genai", HOST, 5432, "platform", "secret")
    yield layout
    engines.stop()


@pytest.fixture(scope="module")
def address(layout: SandboxLayout) -> str:
    (found,) = [line.split("\t")[0] for line in layout.hosts_file.read_text().splitlines() if line.endswith(HOST)]
    return found


@pytest.fixture(scope="module")
def database(layout: SandboxLayout, address: str) -> str:
    """Made by psql itself, as the platform's job does."""
    script = "CREATE ROLE litellm LOGIN PASSWORD 'p'; GRANT litellm TO platform;"
    environment = {"PATH": f"{programs.folder(layout)}:/usr/bin:/bin", "PGPASSWORD": "secret", "PGSSLMODE": "require", "PGHOST": address}
    for query in (script, "CREATE DATABASE litellm OWNER litellm"):
        subprocess.run(["psql", "-U", "platform", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", query], env=environment, check=True)
    return f"postgresql://litellm:p@{address}:5432/litellm?sslmode=require"


def run_job(layout: SandboxLayout, url: str) -> subprocess.CompletedProcess[str]:
    container = Container("migration", "ghcr.io/berriai/litellm-database:v1", MIGRATION, (), {"DATABASE_URL": url}, "127.0.0.1")
    environment = {"PATH": os.environ["PATH"], **container.env}
    return subprocess.run(image.IMAGES[0].argv(layout, container), env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_migration_applies_everything_once(layout: SandboxLayout, database: str) -> None:
    first = run_job(layout, database)
    assert first.returncode == 0, first.stderr
    assert "migrations applied" in first.stdout
    second = run_job(layout, database)
    assert (second.returncode, second.stdout.strip()) == (0, "no pending migrations")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((":p@", ":wrong@"), "P1000"),
        (("/litellm?", "/absent?"), "P1003"),
        (("=require", "=disable"), "P1011"),
        (("postgresql:", "mysql:"), "P1012"),
    ],
)
def test_the_migration_says_what_is_wrong(layout: SandboxLayout, database: str, change: tuple[str, str], code: str) -> None:
    job = run_job(layout, database.replace(*change))
    assert job.returncode == 1
    assert f"Error: {code}:" in job.stderr
    assert "wrong" not in job.stderr


def run_client(url: str) -> subprocess.CompletedProcess[str]:
    folder = prisma_client.prepare()
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url, **prisma_client.variables(folder)}
    argv = [sys.executable, str(Path(__file__).with_name("behaviour.py"))]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture(scope="module")
def seen(layout: SandboxLayout, database: str) -> dict[str, Any]:
    assert run_job(layout, database).returncode == 0
    done = run_client(database)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("made", ['a "q" \n é 😀', ["m1", "m2"], {"a": {"b": [1, None, 'x"y']}}, 2**40, 12.5]),
        ("duplicate", "UniqueViolationError"),
        ("absent", None),
        ("changed", [0.25, ["z"]]),
        ("joined", 3.0),
        ("in_json", 1),
        ("many", 2),
        ("batch", [["h2", 1.5], ["h3", 0.0]]),
        ("broken_batch", "UniqueViolationError"),
        ("after_broken_batch", 1.5),
        ("after_rollback", 4),
        ("raw_update", 2),
        ("slow_transaction", "TransactionExpiredError"),
        ("no_column", "RawQueryError"),
        ("no_table", "RawQueryError"),
        ("division", "RawQueryError"),
        ("foreign_key", "ForeignKeyViolationError"),
        ("parallel", 27.5),
        ("big", 2_000_000),
        ("deleted", 4),
        ("after_lost_connections", 0),
    ],
)
def test_the_client_sees_what_the_native_engine_would_show(seen: dict[str, Any], name: str, wanted: object) -> None:
    assert seen[name] == wanted


def test_raw_values_keep_their_types(seen: dict[str, Any]) -> None:
    assert seen["raw"]["j"] == {"x": [1, 2]}
    assert int(seen["raw"]["b"]) == 12345678901
    assert (seen["raw"]["a"], seen["raw"]["z"], seen["raw"]["n"]) == (["p", "q"], None, "n")


@pytest.mark.parametrize("change", [(":p@", ":wrong@"), ("=require", "=disable")])
def test_the_engine_really_checks_password_and_tls(database: str, change: tuple[str, str]) -> None:
    done = run_client(database.replace(*change))
    assert done.returncode != 0
    assert "authentication failed" in done.stderr.lower() or "no encryption" in done.stderr


@pytest.mark.parametrize(
    ("command", "args", "start", "end"),
    [
        ((), ("--config", "/c.yaml", "--port", "4000"), "genai_platform.sandbox.litellm.proxy", ["--host", "127.9.0.1"]),
        (("litellm",), ("--host", EVERYWHERE, "--port", "4000"), "genai_platform.sandbox.litellm.proxy", ["4000", "--host", "127.9.0.1"]),
        (MIGRATION, (), "genai_platform.sandbox.litellm.migrate", []),
    ],
)
def test_what_a_container_becomes(
    layout: SandboxLayout, command: tuple[str, ...], args: tuple[str, ...], start: str, end: list[str]
) -> None:
    container = Container("litellm", "berriai/litellm", command, args, {}, "127.9.0.1")
    argv = image.IMAGES[0].argv(layout, container)
    assert argv[1:3] == ["-m", start]
    assert argv[len(argv) - len(end) :] == end
    assert EVERYWHERE not in argv
