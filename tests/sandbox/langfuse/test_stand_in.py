"""The stand-in as clients see it that this project did not write: Langfuse's SDK, an OTLP exporter, and plain HTTP."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from genai_platform.sandbox.langfuse.api import Backends, application
from genai_platform.sandbox.langfuse.clickhouse import ClickHouse
from genai_platform.sandbox.langfuse.configuration import Configuration, Misconfigured
from genai_platform.sandbox.langfuse.directory import Project, User
from genai_platform.sandbox.langfuse.entities import tables
from genai_platform.sandbox.langfuse.people import People
from genai_platform.sandbox.langfuse.storage import UploadFailed
from genai_platform.sandbox.langfuse.worker import process

PUBLIC, SECRET = "pk-lf-test", "sk-lf-test"
VARIABLES = {
    "DATABASE_HOST": "pg", "DATABASE_USERNAME": "langfuse", "DATABASE_PASSWORD": "abc123", "DATABASE_NAME": "langfuse",
    "DATABASE_ARGS": "sslmode=require&schema=public", "REDIS_CONNECTION_STRING": "rediss://default:token@redis:6379/0",
    "CLICKHOUSE_URL": "http://clickhouse:8123", "CLICKHOUSE_USER": "default", "CLICKHOUSE_PASSWORD": "password",
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "b", "LANGFUSE_S3_EVENT_UPLOAD_REGION": "ap-northeast-1", "SALT": "s", "NEXTAUTH_SECRET": "n",
    "NEXTAUTH_URL": "http://127.0.0.1", "AUTH_DISABLE_SIGNUP": "true",
}  # fmt: skip


@dataclass
class Someone:
    """One project with one key pair, and one person."""

    well: bool = True
    made: list[str] = field(default_factory=list)

    def project_of(self, public_key: str, secret_key: str) -> Project | None:
        return Project("genai", "Genai", "org", "Org") if (public_key, secret_key) == (PUBLIC, SECRET) else None

    def user_of(self, email: str, password: str) -> User | None:
        return User("u", email, "Ann") if (email, password) == ("ann@example.com", "password1") else None

    def sign_up(self, email: str, name: str, password: str) -> User | None:
        self.made.append(email)
        return User("v", email, name)

    def healthy(self) -> None:
        if not self.well:
            raise ConnectionError("refused")


@dataclass
class Stores:
    """Blob storage and queue of one test. Without a role, nothing can be uploaded."""

    role: bool = True
    files: dict[str, Any] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def put(self, key: str, document: Any) -> None:
        if not self.role:
            raise UploadFailed("NoCredentialsError: Unable to locate credentials")
        self.files[key] = json.loads(json.dumps(document))

    def get(self, key: str) -> Any:
        return self.files[key]

    def push(self, job: dict[str, Any]) -> None:
        self.jobs.append(job)

    def healthy(self) -> None: ...


@dataclass
class Running:
    url: str
    people: Someone
    stores: Stores
    store: ClickHouse

    def work(self) -> None:
        """What the worker does with everything that waits."""
        while self.stores.jobs:
            process(self.stores.jobs.pop(0), self.stores, self.store)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=(PUBLIC, SECRET), trust_env=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    program = Path(__file__).with_name("clickhouse_for_tests.py")
    with subprocess.Popen([sys.executable, str(program), str(tmp_path_factory.mktemp("ch"))], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        address = f"http://127.0.0.1:{int(engine.stdout.readline())}"
        made = ClickHouse(replace(Configuration.read(VARIABLES), clickhouse=address))
        made.migrate()
        yield made
        engine.terminate()


@pytest.fixture(scope="module")
def running(store: ClickHouse) -> Iterator[Running]:
    people, stores = Someone(), Stores()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    routes = People(people, "secret", url, sign_up_disabled=True, home="/project/genai")
    app = application(Backends(people, stores, stores, store), routes, version="3.135.0", public_url=url)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Running(url, people, stores, store)
    server.should_exit = True
    thread.join()


def test_the_sdk_traces_and_reads_back(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    from langfuse import Langfuse, propagate_attributes

    sdk = Langfuse(public_key=PUBLIC, secret_key=SECRET, host=running.url)
    assert sdk.auth_check()
    with (
        propagate_attributes(session_id="session-1", user_id="ann", trace_name="a trace", tags=["one", "two"]),
        sdk.start_as_current_observation(name="outer", as_type="span", input={"q": "こんにちは"}) as outer,
        sdk.start_as_current_observation(name="inner", as_type="generation", model="gpt-4o-mini") as inner,
    ):
        inner.update(output="it's a \\ test", usage_details={"input": 3, "output": 5})
        trace = outer.trace_id
    sdk.create_score(trace_id=trace, name="quality", value=0.9)
    sdk.flush()
    running.work()
    found = {one.name: one for one in sdk.api.observations.get_many(session_id="session-1").data}
    assert found["inner"].usage_details == {"input": 3, "output": 5, "total": 8}
    assert found["inner"].type == "GENERATION"
    with running.client() as http:
        [shown] = http.get("/api/public/traces", params={"sessionId": "session-1"}).json()["data"]
        whole = http.get(f"/api/public/traces/{trace}").json()
        sessions = http.get("/api/public/sessions").json()["data"]
    assert (shown["id"], shown["name"], shown["userId"], shown["tags"]) == (trace, "a trace", "ann", ["one", "two"])
    assert shown["input"] == {"q": "こんにちは"}
    assert {one["output"] for one in whole["observations"]} == {None, "it's a \\ test"}
    assert [score["value"] for score in whole["scores"]] == [0.9]
    assert "session-1" in [session["id"] for session in sessions]


def test_otlp_as_json_with_litellms_attributes(running: Running) -> None:
    attributes = {
        "langfuse.observation.type": "generation", "session.id": "session-2", "llm.model_name": "gpt-4o-mini",
        "langfuse.trace.name": "chat",
        "langfuse.observation.input": '[{"role": "user", "content": "日本語"}]',
    }  # fmt: skip
    listed: list[dict[str, Any]] = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    listed += [{"key": f"llm.token_count.{kind}", "value": {"intValue": count}} for kind, count in (("prompt", 10), ("completion", 20))]
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "litellm_request", "attributes": listed,
        "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225601500000000",
    }  # fmt: skip
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    with running.client() as http:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        assert http.post("/api/public/otel/v1/traces", content=gzip.compress(body), headers=headers).status_code == 200
        running.work()
        [shown] = http.get("/api/public/traces", params={"sessionId": "session-2"}).json()["data"]
        [observation] = http.get("/api/public/observations", params={"traceId": shown["id"]}).json()["data"]
    assert (shown["id"], shown["name"], shown["latency"]) == ("0af7651916cd43dd8448eb211c80319c", "chat", 1.5)
    assert (observation["model"], observation["usageDetails"]) == ("gpt-4o-mini", {"input": 10, "output": 20, "total": 30})
    assert observation["input"] == [{"role": "user", "content": "日本語"}]


def event(kind: str, **body: Any) -> dict[str, Any]:
    return {"id": f"event-{kind}-{body.get('id')}", "type": kind, "timestamp": "2026-01-01T00:00:00Z", "body": body}


def test_a_batch_is_taken_event_by_event_and_updates_are_merged(running: Running) -> None:
    batch = [
        event("trace-create", id="t-9", name="first", metadata={"a": 1}),
        event("generation-create", id="g-9", traceId="t-9", model="m", usage={"promptTokens": 2, "completionTokens": 3}),
        {"id": "bad", "type": "nothing", "body": {}},
    ]
    with running.client() as http:
        answer = http.post("/api/public/ingestion", json={"batch": batch})
        assert answer.status_code == 207
        assert [one["id"] for one in answer.json()["successes"]] == ["event-trace-create-t-9", "event-generation-create-g-9"]
        assert [one["id"] for one in answer.json()["errors"]] == ["bad"]
        running.work()
        later = [event("trace-create", id="t-9", metadata={"b": 2}), event("generation-update", id="g-9", traceId="t-9", output="done")]
        http.post("/api/public/ingestion", json={"batch": later})
        running.work()
        shown = http.get("/api/public/traces/t-9").json()
    assert (shown["name"], shown["metadata"]) == ("first", {"a": 1, "b": 2})
    [generation] = shown["observations"]
    assert (generation["model"], generation["output"], generation["usage"]["total"]) == ("m", "done", 5)


def test_without_a_role_nothing_is_stored(running: Running) -> None:
    running.stores.role = False
    before = dict(running.stores.files)
    try:
        with running.client() as http:
            answer = http.post("/api/public/ingestion", json={"batch": [event("trace-create", id="lost")]})
            assert answer.status_code == 500
            assert "Failed to upload events to blob storage" in answer.json()["message"]
    finally:
        running.stores.role = True
    assert (running.stores.files, running.stores.jobs) == (before, [])


def test_keys_are_checked(running: Running) -> None:
    with httpx.Client(base_url=running.url, trust_env=False) as http:
        assert http.get("/api/public/projects", auth=(PUBLIC, SECRET)).json()["data"][0]["name"] == "Genai"
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic ???"}, {"authorization": f"Basic {_basic('pk:no')}"}):
            assert http.get("/api/public/projects", headers=headers).status_code == 401
            assert http.post("/api/public/otel/v1/traces", headers=headers).status_code == 401


def _basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_hostile_filters_stay_values(running: Running) -> None:
    with running.client() as http:
        for text in ("' OR 1=1 --", "\\", "a'b\\'c", "日本"):
            assert http.get("/api/public/traces", params={"sessionId": text}).json()["data"] == []
        assert http.get("/api/public/traces", params={"limit": "x"}).status_code == 400
        assert http.get("/api/public/traces", params={"fromTimestamp": "soon"}).status_code == 400
        assert http.get("/api/public/traces", params={"fromTimestamp": "2999-01-01T00:00:00Z"}).json()["data"] == []
        assert http.get("/api/public/traces/none").status_code == 404


def test_sign_up_is_closed_and_sign_in_checks_the_person(running: Running) -> None:
    with httpx.Client(base_url=running.url, trust_env=False) as http:
        page = http.get("/auth/sign-in")
        assert page.status_code == 200
        assert "Sign in" in page.text
        assert http.post("/api/auth/signup", json={"email": "x@example.com", "password": "long enough"}).status_code == 422
        assert running.people.made == []
        token = http.get("/api/auth/csrf").json()["csrfToken"]
        form = {"csrfToken": token, "email": "ann@example.com", "password": "wrong"}
        assert "error=CredentialsSignin" in http.post("/api/auth/callback/credentials", data=form).headers["location"]
        assert http.get("/api/auth/session").json() == {}
        forged = {**form, "password": "password1", "csrfToken": "0" * 64}
        assert "csrf" in http.post("/api/auth/callback/credentials", data=forged).headers["location"]
        form["password"] = "password1"
        assert http.post("/api/auth/callback/credentials", data=form).headers["location"] == "/project/genai"
        assert http.get("/api/auth/session").json()["user"]["email"] == "ann@example.com"
        assert "ann@example.com" in http.get("/", follow_redirects=True).text


def test_not_ready_says_what_is_missing(running: Running) -> None:
    with httpx.Client(base_url=running.url, trust_env=False) as http:
        assert http.get("/api/public/ready").status_code == 200
        running.people.well = False
        try:
            answer = http.get("/api/public/ready")
            assert (answer.status_code, "PostgreSQL is not available" in answer.json()["status"]) == (503, True)
            assert http.get("/api/public/health").status_code == 200
        finally:
            running.people.well = True


def test_langfuse_4_has_no_traces_route(store: ClickHouse) -> None:
    from starlette.testclient import TestClient

    people, stores = Someone(), Stores()
    routes = People(people, "secret", "http://x", sign_up_disabled=True, home="/")
    app = application(Backends(people, stores, stores, store), routes, version="4.0.1", public_url="http://x")
    client = TestClient(app)
    assert client.get("/api/public/traces", auth=(PUBLIC, SECRET)).status_code == 404
    store.migrate(events=True)
    assert client.get("/api/public/v2/observations", auth=(PUBLIC, SECRET)).status_code == 200
    assert client.get("/api/public/health").json()["version"] == "4.0.1"


def test_every_fault_of_the_environment_is_named_without_its_value() -> None:
    broken = {**VARIABLES, "SALT": "", "ENCRYPTION_KEY": "hidden", "DATABASE_PASSWORD": "p@ss/word", "CLICKHOUSE_URL": "nowhere"}
    with pytest.raises(Misconfigured) as caught:
        Configuration.read(broken)
    said = str(caught.value)
    assert all(name in said for name in ("SALT", "ENCRYPTION_KEY", "DATABASE_PASSWORD", "CLICKHOUSE_URL"))
    assert not any(value in said for value in ("hidden", "p@ss/word"))


def test_only_what_libpq_knows_is_passed_on() -> None:
    assert Configuration.read(VARIABLES).postgres == "postgresql://langfuse:abc123@pg:5432/langfuse?connect_timeout=10&sslmode=require"


# -- Langfuse 4 -----------------------------------------------------------------------------------------
def four(store: ClickHouse, mode: str, late: float = 0.0) -> tuple[Any, Stores]:
    """Its web in one of its write modes, and what it queued."""
    from starlette.testclient import TestClient

    store.migrate(events=True)
    people, stores = Someone(), Stores()
    routes = People(people, "secret", "http://x", sign_up_disabled=True, home="/")
    backends = Backends(people, stores, stores, store)
    return TestClient(application(backends, routes, version="4.4.0", public_url="http://x", mode=mode, late=late)), stores


def send(client: Any, stores: Stores, store: ClickHouse, mode: str, span: str, headers: dict[str, str]) -> None:
    body = {
        "scopeSpans": [{"spans": [{"traceId": "ab" * 16, "spanId": span, "name": span, "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]}]
    }
    answer = client.post("/api/public/otel/v1/traces", json={"resourceSpans": [body]}, auth=(PUBLIC, SECRET), headers=headers)
    assert answer.status_code == 200
    while stores.jobs:
        process(stores.jobs.pop(0), stores, store, tables("4.4.0", mode))


def shown(client: Any) -> set[str]:
    return {one["name"] for one in client.get("/api/public/v2/observations?limit=1000", auth=(PUBLIC, SECRET)).json()["data"]}


def test_events_only_takes_scores_alone_by_the_batch_route_and_names_its_mode(store: ClickHouse) -> None:
    client, stores = four(store, "events_only")
    score = {"id": "s", "type": "score-create", "body": {"name": "n", "value": 1, "traceId": "t"}}
    trace = {"id": "t", "type": "trace-create", "body": {"id": "t"}}
    answer = client.post("/api/public/ingestion", json={"batch": [score, trace]}, auth=(PUBLIC, SECRET))
    assert answer.status_code == 207
    assert [one["id"] for one in answer.json()["successes"]] == ["s"]
    (error,) = answer.json()["errors"]
    assert (error["status"], "LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only" in error["error"]) == (400, True)
    assert len(stores.jobs) == 1


@pytest.mark.parametrize("mode", ["legacy", "dual"])
def test_the_other_modes_keep_the_old_routes(store: ClickHouse, mode: str) -> None:
    client, _ = four(store, mode)
    for route in ("traces", "observations", "sessions", "v2/scores"):
        assert client.get(f"/api/public/{route}", auth=(PUBLIC, SECRET)).status_code == 200
    trace = {"id": "t", "type": "trace-create", "body": {"id": "t"}}
    assert client.post("/api/public/ingestion", json={"batch": [trace]}, auth=(PUBLIC, SECRET)).json()["errors"] == []


def test_a_span_without_the_header_is_late(store: ClickHouse) -> None:
    client, stores = four(store, "events_only", late=3600)
    send(client, stores, store, "events_only", "aa" * 8, {"x-langfuse-ingestion-version": "4"})
    send(client, stores, store, "events_only", "bb" * 8, {})
    assert shown(client) & {"aa" * 8, "bb" * 8} == {"aa" * 8}


def test_legacy_writes_nothing_that_the_new_routes_read_until_it_is_rewritten(store: ClickHouse) -> None:
    client, stores = four(store, "legacy")
    send(client, stores, store, "legacy", "cc" * 8, {"x-langfuse-ingestion-version": "4"})
    assert "cc" * 8 not in shown(client)
    store.backfill()
    assert "cc" * 8 in shown(client)


def test_a_mode_that_is_none_ends_the_process() -> None:
    with pytest.raises(Misconfigured, match="must be legacy, dual or events_only"):
        Configuration.read({**VARIABLES, "LANGFUSE_MIGRATION_V4_WRITE_MODE": "both"})
