"""The public API: health, keys, ingestion, OpenTelemetry, reading."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_platform.sandbox.langfuse import ingestion, otel
from genai_platform.sandbox.langfuse.clickhouse import ClickHouse, StoreError
from genai_platform.sandbox.langfuse.directory import Directory, Project
from genai_platform.sandbox.langfuse.entities import is_four
from genai_platform.sandbox.langfuse.people import People
from genai_platform.sandbox.langfuse.reads import Reader, Refused
from genai_platform.sandbox.langfuse.storage import RedisQueue, S3Events, UploadFailed, batch_key

log = logging.getLogger("langfuse-web")
_OTLP_OK = {"application/x-protobuf": b"", "application/json": b"{}"}


@dataclass(frozen=True)
class Backends:
    """Everything behind the routes."""

    directory: Directory
    events: S3Events
    queue: RedisQueue
    store: ClickHouse


class Unauthorised(Exception):
    pass


def application(
    backends: Backends, people: People, *, version: str, public_url: str, mode: str = "events_only", late: float = 0.0
) -> Starlette:  # fmt: skip
    """The web application of one pod.

    Args:
        mode: what Langfuse 4 writes (``LANGFUSE_MIGRATION_V4_WRITE_MODE``).
        late: seconds until Langfuse 4 shows what came without the header ``x-langfuse-ingestion-version: 4``.
    """
    api = _Api(backends, version, public_url, mode, late)
    routes = [
        Route("/api/public/health", api.health),
        Route("/api/public/ready", api.ready),
        Route("/api/public/projects", api.reading(api.projects)),
        Route("/api/public/ingestion", api.ingest, methods=["POST"]),
        Route("/api/public/otel/v1/traces", api.otel, methods=["POST"]),
        Route("/api/public/v2/observations", api.reading(lambda reader, request: reader.observations_v2(request.query_params))),
        Route("/api/public/scores", api.score, methods=["POST"]),
        *people.routes(),
    ]
    if is_four(version):
        routes.append(Route("/api/public/v3/scores", api.reading(lambda reader, request: reader.scores(request.query_params))))
    if not api.events_only:  # else Langfuse 4 answers 404 here
        routes += [
            Route("/api/public/traces", api.reading(lambda reader, request: reader.traces(request.query_params))),
            Route("/api/public/traces/{id}", api.reading(lambda reader, request: reader.trace(request.path_params["id"]))),
            Route("/api/public/observations", api.reading(lambda reader, request: reader.observations(request.query_params))),
            Route("/api/public/observations/{id}", api.reading(lambda reader, request: reader.observation(request.path_params["id"]))),
            Route("/api/public/sessions", api.reading(lambda reader, request: reader.sessions(request.query_params))),
            Route("/api/public/sessions/{id}", api.reading(lambda reader, request: reader.session(request.path_params["id"]))),
            Route("/api/public/v2/scores", api.reading(lambda reader, request: reader.scores(request.query_params))),
        ]
    return Starlette(routes=routes, exception_handlers={Unauthorised: _unauthorised})


async def _unauthorised(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "UnauthorizedError", "message": str(error)}, 401)


class _Api:
    def __init__(self, backends: Backends, version: str, public_url: str, mode: str, late: float) -> None:
        self._backends, self._version, self._url, self._late = backends, version, public_url, late
        self._four = is_four(version)
        self.events_only = self._four and mode == "events_only"

    # -- is it well? -------------------------------------------------------------------------------------
    def health(self, request: Request) -> Response:
        looks = request.query_params.get("failIfDatabaseUnavailable", "").lower() == "true"
        return self._state(self._faults() if looks else [])

    def ready(self, request: Request) -> Response:
        if faults := self._faults():
            log.error("not ready: %s", "; ".join(faults))
        return self._state(faults)

    def _faults(self) -> list[str]:
        backends = self._backends
        return unavailable(PostgreSQL=backends.directory.healthy, Redis=backends.queue.healthy, ClickHouse=backends.store.healthy)

    def _state(self, faults: list[str]) -> Response:
        return JSONResponse({"status": "; ".join(faults) or "OK", "version": self._version}, 503 if faults else 200)

    # -- who asks? ---------------------------------------------------------------------------------------
    def project(self, request: Request) -> Project:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if not text:
            raise Unauthorised("No authorization header")
        if kind.lower() != "basic":
            raise Unauthorised("Only basic authorization with the public key and the secret key is allowed here")
        try:
            public, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthorised("Invalid authorization header") from None
        found = self._backends.directory.project_of(public, secret)
        if found is None:
            raise Unauthorised("Invalid credentials. Confirm that you've configured the correct host.")
        return found

    def projects(self, reader: Reader, request: Request) -> dict[str, Any]:
        project = request.state.project
        organisation = {"id": project.organisation_id, "name": project.organisation_name}
        return {"data": [{"id": project.id, "name": project.name, "organization": organisation, "metadata": {}}]}

    def reading(self, read: Callable[[Reader, Request], dict[str, Any] | None]) -> Callable[[Request], Response]:
        """A route that answers what ``read`` found, 404 when it found nothing."""

        def endpoint(request: Request) -> Response:
            project = request.state.project = self.project(request)
            try:
                found = read(Reader(self._backends.store, project.id, self._url, events=self._four), request)
            except Refused as reason:
                return JSONResponse({"error": "InvalidRequestError", "message": f"Invalid request data: {reason}"}, 400)
            except StoreError as error:
                log.error("%s", error)
                return JSONResponse({"error": "InternalServerError", "message": "ClickHouse is not available"}, 500)
            if found is None:
                return JSONResponse({"error": "LangfuseNotFoundError", "message": "Not found within the authorized project"}, 404)
            return JSONResponse(found)

        return endpoint

    # -- taking in ---------------------------------------------------------------------------------------
    async def ingest(self, request: Request) -> Response:
        project = await run_in_threadpool(self.project, request)
        try:
            batch = json.loads(await _body(request))["batch"]
        except (ValueError, KeyError, TypeError, OSError, EOFError):
            return JSONResponse({"error": "InvalidRequestError", "message": "Invalid request data: batch is required"}, 400)
        if not isinstance(batch, list):
            return JSONResponse({"error": "InvalidRequestError", "message": "Invalid request data: batch must be a list"}, 400)
        good, successes, errors = [], [], []
        for event in batch:
            try:
                id, kind = ingestion.check(event)
                if self.events_only and kind not in ("score-create", "sdk-log"):
                    raise ingestion.Invalid(
                        f'Event type "{kind}" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only'
                    )
            except ingestion.Invalid as reason:
                id = str(event.get("id", "")) if isinstance(event, dict) else ""
                errors.append({"id": id, "status": 400, "message": "Invalid request data", "error": str(reason)})
                continue
            good.append(event)
            successes.append({"id": id, "status": 201})
        if good and (fault := await run_in_threadpool(self._keep, project.id, "ingestion", good, self._late)):
            return fault
        return JSONResponse({"successes": successes, "errors": errors}, 207)

    async def score(self, request: Request) -> Response:
        """One score, or (what newer SDKs send) a list of them."""
        project = await run_in_threadpool(self.project, request)
        try:
            asked = json.loads(await _body(request))
        except ValueError:
            return JSONResponse({"error": "InvalidRequestError", "message": "Invalid request data: not JSON"}, 400)
        listed = asked if isinstance(asked, list) else [asked]
        good = [{"id": str(uuid.uuid4()), **one} for one in listed if isinstance(one, dict) and "name" in one and "value" in one]
        rejected = len(listed) - len(good)
        if not good:
            return JSONResponse({"error": "InvalidRequestError", "message": "Invalid request data: name and value are required"}, 400)
        events = [{"id": one["id"], "type": "score-create", "body": one} for one in good]
        if fault := await run_in_threadpool(self._keep, project.id, "ingestion", events):
            return fault
        if not isinstance(asked, list):
            return JSONResponse({"id": good[0]["id"]})
        if rejected:
            errors = [{"message": "name and value are required"}] * rejected
            return JSONResponse({"accepted": len(good), "rejected": rejected, "errors": errors}, 207)
        return JSONResponse({"message": "Accepted"}, 202)

    async def otel(self, request: Request) -> Response:
        project = await run_in_threadpool(self.project, request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        try:
            spans = otel.decode(await request.body(), kind, request.headers.get("content-encoding", ""))
        except ingestion.Invalid as reason:
            return JSONResponse({"error": "InvalidRequestError", "message": str(reason)}, 400)
        prompt = request.headers.get("x-langfuse-ingestion-version") == "4"
        if spans and (fault := await run_in_threadpool(self._keep, project.id, "otel", spans, 0.0 if prompt else self._late)):
            return fault
        return Response(_OTLP_OK.get(kind, b""), media_type=kind)

    def _keep(self, project: str, kind: str, events: list[Any], late: float = 0.0) -> Response | None:
        """S3 first, then the queue: what is not in blob storage is nowhere."""
        key = batch_key(project, kind)
        try:
            self._backends.events.put(key, {"project": project, "kind": kind, "events": events})
        except UploadFailed as error:
            log.error("Failed to upload events to blob storage: %s", error)
            return JSONResponse(
                {"error": "InternalServerError", "message": "Failed to upload events to blob storage, aborting event processing"}, 500
            )
        job = {"project": project, "kind": kind, "key": key, "visible_from": time.time() + late}
        if fault := failure(lambda: self._backends.queue.push(job)):
            log.error("could not queue events: %s", fault)
            return JSONResponse({"error": "InternalServerError", "message": "Redis is not available"}, 500)
        return None


def failure(look: Callable[[], object]) -> str | None:
    """What went wrong, in one line without addresses' secrets; ``None`` when nothing did."""
    try:
        look()
    except Exception as error:  # whatever a driver throws is "not available"
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no answer'}"
    return None


def unavailable(**looks: Callable[[], object]) -> list[str]:
    """A sentence for each service that does not answer."""
    return [f"{name} is not available: {fault}" for name, look in looks.items() if (fault := failure(look))]


async def _body(request: Request) -> bytes:
    raw = await request.body()
    return gzip.decompress(raw) if request.headers.get("content-encoding") == "gzip" else raw
