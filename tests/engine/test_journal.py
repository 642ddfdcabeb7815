from __future__ import annotations

import json
from pathlib import Path

from genai_platform.engine.events import RunFinished, RunStarted, StepFinished, StepSaid
from genai_platform.engine.journal import Journal, last_run, read


def test_each_event_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal(RunStarted("genai up", "default", ("a.one",)))
        journal(StepSaid("a.one", "ポッド 2/3"))
        # still open: another process can already read it
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["run.started", "step.said"]
    assert lines[1]["text"] == "ポッド 2/3"
    assert all("time" in line for line in lines)


def test_it_is_private_and_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "journal.jsonl"
    for number in range(2):
        with Journal(path) as journal:
            journal(StepFinished("a.one", "done", number, "there"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [event["seconds"] for event in read(path)] == [0, 1]


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "run.started", "command": "genai up"}\n{"event": "step.sa')
    assert [event["event"] for event in last_run(path)] == ["run.started"]


def test_the_last_run_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal(RunStarted("genai up", "default", ()))
        journal(RunFinished(True, 1))
        journal(RunStarted("genai down", "default", ()))
    assert [event.get("command") for event in last_run(path)] == ["genai down"]
    assert last_run(tmp_path / "none") == []
