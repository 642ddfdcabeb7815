"""clickhouse.storage: the traces really lie in the bucket."""

from __future__ import annotations

from genai_platform.advice import advice, genai
from genai_platform.checks import buckets
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed, skipped
from genai_platform.render.langfuse import BACKUP_PREFIX

_ENOUGH = 10
"""ClickHouse spreads its parts over random prefixes: fewer means that its tables lie elsewhere."""


def checks(platform: Platform) -> list[Check]:
    """The checks of this family."""
    return [FunctionCheck("clickhouse.storage", 240, lambda: _storage(platform))]


def _storage(platform: Platform) -> Outcome:
    if not platform.chat_models:
        return skipped("no chat model is configured, so nothing new can be expected")
    chat, bucket = platform.run.chat(), platform.storage().clickhouse_bucket
    # A backup of another day is many folders, too, and proves nothing about today's disk.
    seen = buckets.survey(platform.clients.aws, bucket, chat.began, without=BACKUP_PREFIX)
    said = f"{seen.said} under {seen.prefixes} prefixes in {bucket}, {seen.newer} newer than this run's chat"
    if seen.prefixes < _ENOUGH or seen.newer == 0:
        hint = advice(
            "ClickHouse writes to its volume, not to the bucket: run: {}, then {}; "
            "or it lost its volume ({} says so at langfuse.traces): run: {}",
            genai("patch"), genai("verify --only patch"), genai("status"), genai("up"),
        )  # fmt: skip
        return failed(said, hint)
    return passed(said)
