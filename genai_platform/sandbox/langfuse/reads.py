"""The reading half of the public API, answered from ClickHouse."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from genai_platform.sandbox.langfuse.clickhouse import ClickHouse, Row, literal
from genai_platform.sandbox.langfuse.entities import EVENTS, iso, moment

Answer = dict[str, Any]
_LIMIT = 1000


class Refused(Exception):
    """A parameter is not valid. Answered with 400."""


class Reader:
    """Reads for one project."""

    def __init__(self, store: ClickHouse, project: str, public_url: str, *, events: bool = False) -> None:
        """``events``: Langfuse 4, whose newer routes read one table of events."""
        self._store, self._project, self._url, self._events = store, project, public_url, events

    # -- traces ---------------------------------------------------------------------------------------
    def traces(self, query: Mapping[str, str]) -> Answer:
        conditions = [
            *_equal(query, {"sessionId": "session_id", "userId": "user_id", "name": "name", "environment": "environment"}),
            *_between(query, "fromTimestamp", "toTimestamp"),
            *(f"has(tags, {literal(tag)})" for tag in filter(None, query.get("tags", "").split(","))),
        ]
        field, way = [*query.get("orderBy", "timestamp.desc").split("."), "asc"][:2]
        if field not in ("timestamp", "name", "id", "userId", "sessionId") or way not in ("asc", "desc"):
            raise Refused("orderBy: expected FIELD.asc or FIELD.desc")
        column = {"userId": "user_id", "sessionId": "session_id"}.get(field, field)
        rows, meta = self._page("traces", conditions, query, f"{column} {way}")
        return {"data": self._traces(rows), "meta": meta}

    def trace(self, id: str) -> Answer | None:
        rows = self._rows("traces", [f"id = {literal(id)}"])
        if not rows:
            return None
        found = self._traces(rows)[0]
        of_it = [f"trace_id = {literal(id)}"]
        found["observations"] = [_observation(row, self._project) for row in self._rows("observations", of_it, "timestamp")]
        found["scores"] = [_score(row, self._project) for row in self._rows("scores", of_it, "timestamp")]
        return found

    def _traces(self, rows: Sequence[Row]) -> list[Answer]:
        ids = ", ".join(literal(row["id"]) for row in rows) or "''"
        children: dict[str, list[Answer]] = defaultdict(list)
        for row in self._rows("observations", [f"trace_id IN ({ids})"], "timestamp"):
            children[row["trace_id"]].append(_observation(row, self._project))
        scores: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("scores", [f"trace_id IN ({ids})"]):
            scores[row["trace_id"]].append(row["id"])
        return [self._trace(row, children[row["id"]], scores[row["id"]]) for row in rows]

    def _trace(self, row: Row, observations: Sequence[Answer], scores: Sequence[str]) -> Answer:
        body = json.loads(row["body"])
        starts = [found for one in observations if (found := moment(one["startTime"]))]
        ends = [found for one in observations if (found := moment(one["endTime"] or one["startTime"]))]
        said = ("name", "input", "output", "sessionId", "release", "version", "userId")
        return {
            **_shared(row, body, self._project, said),
            "timestamp": _stamp(row),
            "tags": body.get("tags") or [],
            "public": bool(body.get("public")),
            "bookmarked": False,
            "externalId": None,
            "htmlPath": f"/project/{self._project}/traces/{row['id']}",
            "latency": (max(ends) - min(starts)).total_seconds() if starts and ends else 0,
            "totalCost": sum(one["calculatedTotalCost"] or 0 for one in observations),
            "observations": [one["id"] for one in observations],
            "scores": list(scores),
        }

    # -- observations -----------------------------------------------------------------------------------
    _FILTERS: Mapping[str, str] = {
        "traceId": "trace_id", "name": "name", "type": "type", "userId": "user_id", "environment": "environment", "sessionId": "session_id",
        "parentObservationId": "parent_observation_id",
    }  # fmt: skip

    def observations(self, query: Mapping[str, str]) -> Answer:
        conditions = [*_equal(query, self._FILTERS), *_between(query, "fromStartTime", "toStartTime")]
        rows, meta = self._page("observations", conditions, query, "timestamp desc")
        return {"data": [_observation(row, self._project) for row in rows], "meta": meta}

    def observations_v2(self, query: Mapping[str, str]) -> Answer:
        """Pages by cursor; what Langfuse 4 has in place of ``/traces``."""
        conditions = [*_equal(query, self._FILTERS), *_between(query, "fromStartTime", "toStartTime")]
        limit, start = _number(query, "limit", 50), _number(query, "cursor", 0, least=0)
        table = EVENTS if self._events else "observations"
        if self._events:
            conditions.append("visible_from <= now64(3)")
        rows = self._rows(table, conditions, f"timestamp desc, id LIMIT {limit + 1} OFFSET {start}")
        meta = {"cursor": str(start + limit)} if len(rows) > limit else {}
        found = [_observation(row, self._project) | self._trace_fields(row) for row in rows[:limit]]
        return {"data": found, "meta": meta}

    def observation(self, id: str) -> Answer | None:
        rows = self._rows("observations", [f"id = {literal(id)}"])
        return _observation(rows[0], self._project) if rows else None

    @staticmethod
    def _trace_fields(row: Row) -> Answer:
        body = json.loads(row["body"])
        return {"sessionId": body.get("sessionId") or row["session_id"] or None, "userId": body.get("userId") or row["user_id"] or None}

    # -- sessions and scores ------------------------------------------------------------------------------
    def sessions(self, query: Mapping[str, str]) -> Answer:
        conditions = ["session_id != ''", *_between(query, "fromTimestamp", "toTimestamp"), *_equal(query, {"environment": "environment"})]
        where = self._where(conditions)
        limit, page = _number(query, "limit", 50), _number(query, "page", 1)
        rows = self._store.select(
            f"SELECT session_id, min(timestamp) AS first, any(environment) AS env FROM traces FINAL WHERE {where} "  # noqa: S608
            f"GROUP BY session_id ORDER BY first DESC LIMIT {limit} OFFSET {(page - 1) * limit}"
        )
        total = int(self._store.select(f"SELECT uniqExact(session_id) AS n FROM traces FINAL WHERE {where}")[0]["n"])  # noqa: S608
        data = [
            {"id": row["session_id"], "createdAt": _stamp(row, "first"), "projectId": self._project, "environment": row["env"]}
            for row in rows
        ]
        return {"data": data, "meta": _meta(page, limit, total)}

    def session(self, id: str) -> Answer | None:
        rows = self._rows("traces", [f"session_id = {literal(id)}"], "timestamp")
        if not rows:
            return None
        shown = {"id": id, "createdAt": _stamp(rows[0]), "projectId": self._project, "environment": rows[0]["environment"]}
        return {**shown, "traces": self._traces(rows)}

    def scores(self, query: Mapping[str, str]) -> Answer:
        conditions = [
            *_equal(query, {"name": "name", "traceId": "trace_id", "environment": "environment"}),
            *_between(query, "fromTimestamp", "toTimestamp"),
        ]
        rows, meta = self._page("scores", conditions, query, "timestamp desc")
        return {"data": [_score(row, self._project) for row in rows], "meta": meta}

    # -- SQL ----------------------------------------------------------------------------------------------
    def _where(self, conditions: Sequence[str]) -> str:
        return " AND ".join([f"project_id = {literal(self._project)}", *conditions])

    def _rows(self, table: str, conditions: Sequence[str], order: str = "id") -> list[Row]:
        return self._store.select(f"SELECT * FROM {table} FINAL WHERE {self._where(conditions)} ORDER BY {order}")  # noqa: S608

    def _page(self, table: str, conditions: Sequence[str], query: Mapping[str, str], order: str) -> tuple[list[Row], Answer]:
        limit, page = _number(query, "limit", 50), _number(query, "page", 1)
        rows = self._rows(table, conditions, f"{order}, id LIMIT {limit} OFFSET {(page - 1) * limit}")
        total = int(self._store.select(f"SELECT count() AS n FROM {table} FINAL WHERE {self._where(conditions)}")[0]["n"])  # noqa: S608
        return rows, _meta(page, limit, total)


def _meta(page: int, limit: int, total: int) -> Answer:
    return {"page": page, "limit": limit, "totalItems": total, "totalPages": -(-total // limit)}


def _equal(query: Mapping[str, str], columns: Mapping[str, str]) -> list[str]:
    return [f"{column} = {literal(query[name])}" for name, column in columns.items() if query.get(name)]


def _between(query: Mapping[str, str], since: str, until: str) -> list[str]:
    found = []
    for name, sign in ((since, ">="), (until, "<")):
        if query.get(name):
            # A plus sign that was not encoded arrives as a space.
            stamp = moment(query[name].replace(" ", "+"))
            if stamp is None:
                raise Refused(f"{name}: not a time: {query[name]}")
            found.append(f"timestamp {sign} fromUnixTimestamp64Milli({int(stamp.timestamp() * 1000)})")
    return found


def _number(query: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    text = query.get(name) or str(default)
    if not text.isdigit() or int(text) < least or (name == "limit" and int(text) > _LIMIT):
        raise Refused(f"{name}: expected a whole number from {least}" + (f" to {_LIMIT}" if name == "limit" else ""))
    return int(text)


def _stamp(row: Row, column: str = "timestamp") -> str:
    found = moment(row[column])
    return iso(found) if found else str(row[column])


def _shared(row: Row, body: Answer, project: str, said: Sequence[str]) -> Answer:
    """What everything is shown with, and fields as they were reported."""
    return {
        **{name: body.get(name) for name in said},
        "id": row["id"], "projectId": project, "createdAt": _stamp(row), "updatedAt": _stamp(row, "event_ts"),
        "environment": body.get("environment") or "default", "metadata": body.get("metadata") or {},
    }  # fmt: skip


def _score(row: Row, project: str) -> Answer:
    body: Answer = json.loads(row["body"])
    unset = dict.fromkeys(("authorUserId", "configId", "queueId"))
    return body | _shared(row, body, project, ("observationId", "sessionId", "comment")) | unset | {"timestamp": _stamp(row)}


def _observation(row: Row, project: str) -> Answer:
    body = json.loads(row["body"])
    usage = {key: int(value) for key, value in (body.get("usageDetails") or {}).items()}
    cost = {key: float(value) for key, value in (body.get("costDetails") or {}).items()}
    start, end, first = moment(body.get("startTime")), moment(body.get("endTime")), moment(body.get("completionStartTime"))
    total_cost = cost.get("total", sum(cost.values())) if cost else None
    said = ("name", "model", "input", "output", "version", "statusMessage", "parentObservationId", "promptName", "promptVersion")
    return {
        **_shared(row, body, project, said),
        **dict.fromkeys(("promptId", "modelId", "inputPrice", "outputPrice", "totalPrice")),
        "traceId": row["trace_id"],
        "type": row["type"],
        "startTime": _stamp(row),
        "endTime": iso(end) if end else None,
        "completionStartTime": iso(first) if first else None,
        "providedModelName": body.get("model"),
        "modelParameters": body.get("modelParameters") or {},
        "level": body.get("level") or "DEFAULT",
        "usage": {"unit": "TOKENS", **{key: usage.get(key, 0) for key in ("input", "output", "total")}},
        "usageDetails": usage,
        "costDetails": cost,
        "promptTokens": usage.get("input", 0),
        "completionTokens": usage.get("output", 0),
        "totalTokens": usage.get("total", 0),
        "calculatedInputCost": cost.get("input"),
        "calculatedOutputCost": cost.get("output"),
        "calculatedTotalCost": total_cost,
        "totalCost": total_cost or 0,
        "latency": (end - start).total_seconds() if start and end else None,
        "timeToFirstToken": (first - start).total_seconds() if start and first else None,
    }
