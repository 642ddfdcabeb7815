"""Traces, observations and scores as the API shows them, and how two reports of the same one become one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from genai_platform.sandbox.langfuse.clickhouse import ClickHouse, Row, literal

Kind = Literal["trace", "observation", "score"]
Tables = Mapping[Kind, tuple[str, ...]]
EVENTS = "events_full"
TABLES: Tables = {"trace": ("traces",), "observation": ("observations",), "score": ("scores",)}
"""Which tables an object is written to by Langfuse 3."""
_DUAL: Tables = {**TABLES, "observation": ("observations", EVENTS)}
_EVENTS_ONLY: Tables = {"trace": (), "observation": (EVENTS,), "score": ("scores",)}


def is_four(version: str) -> bool:
    """Whether this is Langfuse 4, by its image's tag."""
    return version.split(".")[0].lstrip("v") == "4"


def tables(version: str, mode: str) -> Tables:
    """Which tables an object is written to, by Langfuse's version and its write mode."""
    return {"legacy": TABLES, "dual": _DUAL}.get(mode, _EVENTS_ONLY) if is_four(version) else TABLES


@dataclass
class Entity:
    """What one event says about one object. Fields it does not mention are absent."""

    kind: Kind
    id: str
    body: dict[str, Any]


def now() -> str:
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def moment(text: object) -> datetime | None:
    """A time in any ISO 8601 form; ``None`` when it is not one."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The newer report wins where it says something; metadata is added to, tags are united."""
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            continue
        before = merged.get(key)
        if key == "metadata" and isinstance(before, dict) and isinstance(value, dict):
            merged[key] = {**before, **value}
        elif key == "tags" and isinstance(before, list) and isinstance(value, list):
            merged[key] = sorted({*map(str, before), *map(str, value)})
        else:
            merged[key] = value
    return merged


def write(store: ClickHouse, project: str, entities: Iterable[Entity], into: Tables = TABLES, visible_from: datetime | None = None) -> int:
    """Merge entities with what is stored and store the result. Returns how many there were.

    Args:
        into: the tables to write to.
        visible_from: when Langfuse 4 shows them; default: at once.
    """
    wanted: dict[tuple[Kind, str], dict[str, Any]] = {}
    for entity in entities:
        key = (entity.kind, entity.id)
        wanted[key] = merge(wanted.get(key, {}), entity.body)
    for kind, names in into.items():
        ids = [id for found, id in wanted if found == kind]
        for id, body in _stored(store, names[0], project, ids).items() if names else ():
            wanted[kind, id] = merge(body, wanted[kind, id])
    shown = (visible_from or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    for kind, names in into.items():
        rows = [_row(kind, project, id, body) for (found, id), body in wanted.items() if found == kind]
        for name in names:
            store.insert(name, [{**row, "visible_from": shown} for row in rows] if name == EVENTS else rows)
    return len(wanted)


def _stored(store: ClickHouse, table: str, project: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    listed = ", ".join(literal(id) for id in ids)
    rows = store.select(f"SELECT id, body FROM {table} FINAL WHERE project_id = {literal(project)} AND id IN ({listed})")  # noqa: S608
    return {row["id"]: json.loads(row["body"]) for row in rows}


def _row(kind: Kind, project: str, id: str, body: Mapping[str, Any]) -> Row:
    def text(name: str) -> str:
        return str(body.get(name) or "")

    stamp = moment(body.get("startTime" if kind == "observation" else "timestamp")) or datetime.now(UTC)
    row: Row = {
        "project_id": project,
        "id": id,
        "name": text("name"),
        "timestamp": stamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "environment": text("environment") or "default",
        "body": json.dumps(body, ensure_ascii=False),
        "event_ts": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    if kind == "trace":
        row |= {"user_id": text("userId"), "session_id": text("sessionId"), "tags": list(body.get("tags") or ())}
    elif kind == "score":
        row["trace_id"] = text("traceId")
    else:
        row |= {
            "trace_id": text("traceId"), "parent_observation_id": text("parentObservationId"), "type": text("type") or "SPAN",
            "session_id": text("sessionId"), "user_id": text("userId"), "model": text("model"),
            "usage_details": {key: int(value) for key, value in (body.get("usageDetails") or {}).items()},
        }  # fmt: skip
    return row
