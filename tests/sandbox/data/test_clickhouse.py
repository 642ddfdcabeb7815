"""ClickHouse as a pod gets it: asked over HTTP, configured by files, its disk in S3 under the pod's identity."""

from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from genai_platform.steps.langfuse.clickhouse import RESTORE_SETTINGS
from tests.ports import free_port

PASSWORD = "Geheim42"

DISK = """<clickhouse>
  <storage_configuration>
    <disks><s3disk>
      <type>s3</type><endpoint>{endpoint}/clickhouse-bucket/data/</endpoint><region>ap-northeast-1</region>
      <use_environment_credentials>true</use_environment_credentials>
    </s3disk></disks>
    <policies><s3_policy><volumes><main><disk>s3disk</disk></main>{last}</volumes></s3_policy></policies>
  </storage_configuration>
  <merge_tree><storage_policy>s3_policy</storage_policy></merge_tree>
</clickhouse>"""
LAST = "<local><disk>default</disk></local>"


class Server:
    """One ClickHouse process over a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "config.d"
        self.configuration.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"

    @contextlib.contextmanager
    def running(self, variables: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
        port = free_port()
        with self.start(port, variables or {}) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            try:
                until = time.monotonic() + 40
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if client.get("/ping").text == "Ok.\n":
                            break
                    assert process.poll() is None, self.log.read_text()
                    assert time.monotonic() < until
                    time.sleep(0.05)
                client.headers.update({"X-ClickHouse-User": "default", "X-ClickHouse-Key": PASSWORD})
                yield client
            finally:
                process.terminate()
                process.wait(10)

    def start(self, port: int, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "genai_platform.sandbox.data.clickhouse", "--address", "127.0.0.1"]
        argv += ["--data", str(self.folder / "data"), "--configuration", str(self.configuration)]
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        own = {"CLICKHOUSE_ADMIN_USER": "default", "CLICKHOUSE_ADMIN_PASSWORD_FILE": str(secret)}
        own |= {"CLICKHOUSE_HTTP_PORT": str(port), "CLICKHOUSE_TCP_PORT": str(free_port()), "PATH": os.environ["PATH"]}
        with self.log.open("wb") as log:
            return subprocess.Popen(argv, env={**own, **variables}, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with Server(tmp_path_factory.mktemp("clickhouse")).running() as client:
        yield client


def ask(client: httpx.Client, query: str, **parameters: str) -> str:
    response = client.post("/", content=query.encode(), params=parameters)
    assert response.status_code == 200, response.text
    return response.text


def test_tables_rows_and_formats(client: httpx.Client) -> None:
    ask(client, "CREATE DATABASE shop")
    ask(client, "CREATE TABLE items (id UInt64, name String) ENGINE = MergeTree ORDER BY id", database="shop")
    rows = '{"id": 1, "name": "りんご"}\n{"id": 2, "name": "it\'s"}'
    insert = client.post("/", params={"query": "INSERT INTO shop.items FORMAT JSONEachRow"}, content=rows.encode())
    assert insert.status_code == 200, insert.text
    packed = gzip.compress(b'{"id": 3, "name": "z"}')
    headers = {"Content-Encoding": "gzip"}
    query = "INSERT INTO shop.items FORMAT JSONEachRow"
    settings = {"async_insert": "1", "wait_for_async_insert": "1"}
    assert client.post("/", params={"query": query, **settings}, content=packed, headers=headers).status_code == 200
    assert ask(client, "SELECT count() FROM shop.items") == "3\n"
    answer = client.post("/", content="SELECT id, name FROM shop.items ORDER BY id LIMIT 1 FORMAT JSON")
    assert answer.json()["data"] == [{"id": 1, "name": "りんご"}]
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-clickhouse-format"] == "JSON"
    assert ask(client, "SELECT name FROM shop.items WHERE name = {n:String}", param_n="it's").strip() == "it\\'s"
    assert ask(client, "SELECT 1 AS a", default_format="JSONEachRow").strip() == '{"a":1}'


def test_a_setting_is_for_one_request(client: httpx.Client) -> None:
    assert ask(client, "SELECT getSetting('max_threads')", max_threads="7") == "7\n"
    assert ask(client, "SELECT getSetting('max_threads')") != "7\n"


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ("SELECT * FROM absent", "60", 404),
        ("SELECT FROM WHERE", "62", 400),
        ("SELECT 1/", "62", 400),
        ("SELECT nope()", "46", 404),
        ("", "62", 400),
    ],
)
def test_errors_have_their_code(client: httpx.Client, query: str, code: str, status: int) -> None:
    response = client.post("/", content=query)
    assert (response.headers["x-clickhouse-exception-code"], response.status_code) == (code, status)
    assert response.text.startswith(f"Code: {code}. DB::Exception")


def test_get_only_reads(client: httpx.Client) -> None:
    assert client.get("/", params={"query": "SELECT 5"}).text == "5\n"
    refused = client.get("/", params={"query": "CREATE DATABASE by_get"})
    assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (403, "164")


def test_who_may_ask(client: httpx.Client) -> None:
    url = str(client.base_url)
    accepted = [
        httpx.get(url, params={"query": "SELECT 1", "user": "default", "password": PASSWORD}),
        httpx.get(url, params={"query": "SELECT 1"}, auth=("default", PASSWORD)),
    ]
    assert [answer.text for answer in accepted] == ["1\n", "1\n"]
    for options in ({}, {"auth": ("default", "wrong")}, {"headers": {"X-ClickHouse-User": "other", "X-ClickHouse-Key": PASSWORD}}):
        refused = httpx.get(url, params={"query": "SELECT 1"}, **options)  # type: ignore[arg-type]
        assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (403, "516")
    assert httpx.get(url + "/ping").text == "Ok.\n"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_a_disk_in_s3_is_added_to_a_server_with_data(tmp_path: Path, aws: str) -> None:
    s3 = boto3.client("s3", endpoint_url=aws, region_name="ap-northeast-1", aws_access_key_id="x", aws_secret_access_key="x")
    s3.create_bucket(Bucket="clickhouse-bucket", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    server = Server(tmp_path)
    with server.running() as client:
        ask(client, "CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
        ask(client, "INSERT INTO t VALUES (1)")

    (server.configuration / "s3disk.xml").write_text(DISK.format(endpoint=aws, last=""))
    token = tmp_path / "token"
    token.write_text("e30.e30.c2ln")
    identity = {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/clickhouse", "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": "ap-northeast-1",
        "AWS_ENDPOINT_URL": aws,
    }  # fmt: skip
    # Without the default disk the old table's parts have no place: the server must not come up.
    with server.start(free_port(), identity) as process:
        assert process.wait(40) != 0
    assert "UNKNOWN_DISK" in server.log.read_text()

    (server.configuration / "s3disk.xml").write_text(DISK.format(endpoint=aws, last=LAST))
    with server.running(identity) as client:
        assert ask(client, "SELECT n FROM t") == "1\n"
        ask(client, "INSERT INTO t VALUES (2)")
        assert ask(client, "SELECT DISTINCT disk_name FROM system.parts WHERE table = 't' AND active ORDER BY 1") == "default\ns3disk\n"
        assert ask(client, "SELECT name FROM system.disks WHERE name = 's3disk'") == "s3disk\n"
    assert s3.list_objects_v2(Bucket="clickhouse-bucket")["KeyCount"] > 0
    with server.running(identity) as client:
        assert ask(client, "SELECT n FROM t ORDER BY n") == "1\n2\n"


def test_rows_kept_are_read_back_into_tables_made_anew(tmp_path: Path) -> None:
    """What ``langfuse.traces`` asks of ClickHouse: a newer Langfuse has made its table with one more column, and written to it."""
    server = Server(tmp_path)
    (server.configuration / "backups.xml").write_text(
        f"<clickhouse><backups><allowed_path>{tmp_path}/</allowed_path></backups></clickhouse>"
    )
    layout = f"File('{tmp_path}/kept')"
    with server.running() as client:
        for query in (
            "CREATE TABLE t (a UInt64, b String) ENGINE = ReplacingMergeTree ORDER BY a",
            "INSERT INTO t VALUES (1, 'kept')",
            f"BACKUP DATABASE default TO {layout}",
            "DROP TABLE t SYNC",
            "CREATE TABLE t (a UInt64, b String, c String DEFAULT 'new') ENGINE = ReplacingMergeTree ORDER BY a",
            "INSERT INTO t VALUES (2, 'today', 'x')",
            f"RESTORE DATABASE default FROM {layout} SETTINGS {RESTORE_SETTINGS}",
        ):
            answer = client.post("/", content=query)
            assert answer.status_code == 200, answer.text
        assert client.post("/", content="SELECT * FROM t ORDER BY a").text == "1\tkept\tnew\n2\ttoday\tx\n"
