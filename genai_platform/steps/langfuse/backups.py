"""ClickHouse's backups in its bucket: which there are, what each holds, and which go.

ClickHouse writes ``.backup`` last. Next to it is ``genai.json``, written only after the backup was tried by restoring it:
what it holds, and which Langfuse wrote it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from genai_platform.render import langfuse
from genai_platform.render.langfuse import BACKUP_PREFIX
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws import buckets as aws_buckets
from genai_platform.tools.aws.errors import explained

KEPT = 2
"""So many backups stay: should the newest turn out to be worth less, the one before it is still there."""
_COMPLETE = "/.backup"
_RECORD = "/genai.json"


@dataclass(frozen=True)
class Backup:
    """One whole backup."""

    name: str
    """E.g. ``backup/20260102-180000``."""
    rows: Mapping[str, int] | None = None
    """What it held when it was tried; ``None``: nobody tried it."""
    line: Literal[1, 2] | None = None
    """The chart line that wrote it, where that was written down."""
    langfuse: str | None = None
    """The version of Langfuse that wrote it, e.g. ``3.224.1``."""


@dataclass(frozen=True)
class Backups:
    """Those of one environment. Every method raises ``StepError`` when the bucket cannot be asked."""

    clients: Clients

    def last(self) -> Backup | None:
        """The one to read back: the newest that was tried, or, where none was, the newest whole one."""
        found = self.all()
        return next((one for one in found if one.rows is not None), next(iter(found), None))

    def all(self) -> list[Backup]:
        """Every whole backup, the newest first."""
        if not self.clients.terraform.state.resources("storage"):
            return []
        return [backup for name in sorted(self._names(), reverse=True) if (backup := self._read(name)) is not None]

    def new_name(self) -> str:
        return f"{BACKUP_PREFIX}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"

    def place(self, name: str) -> str:
        """Where a backup lies, in ClickHouse's words. Its pod's role is what it signs with."""
        url = langfuse.backup_endpoint(self.clients.target, self._bucket, name.removeprefix(BACKUP_PREFIX))
        return f"S3('{url}')"

    def record(self, backup: Backup) -> None:
        """Write down what a backup holds, which makes it one that was tried."""
        body = json.dumps({"rows": backup.rows, "line": backup.line, "langfuse": backup.langfuse}).encode()
        with explained(f"write {backup.name}{_RECORD} to {self._bucket}"):
            self.clients.aws.client("s3").put_object(
                Bucket=self._bucket, Key=f"{backup.name}{_RECORD}", Body=body, ContentType="application/json"
            )  # fmt: skip

    def forget(self, progress: Progress) -> list[str]:
        """Delete all but the last backups that were tried. Returns the names of those that are left."""
        left = [one.name for one in self.all() if one.rows is not None][:KEPT]
        for name in self._names():
            # Without two that were tried, whatever an earlier version kept stays.
            if name not in left and (len(left) == KEPT or self._read(name) is None):
                aws_buckets.empty(self.clients.aws, self._bucket, progress, only=f"{name}/")
        return left

    # -- the bucket -------------------------------------------------------------------------------
    @property
    def _bucket(self) -> str:
        return self.clients.storage().clickhouse_bucket

    def _names(self) -> list[str]:
        with explained(f"list the backups in {self._bucket}"):
            pages = self.clients.aws.client("s3").get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=BACKUP_PREFIX, Delimiter="/"
            )  # fmt: skip
            return [str(entry["Prefix"]).rstrip("/") for page in pages for entry in page.get("CommonPrefixes", [])]

    def _read(self, name: str) -> Backup | None:
        with explained(f"look at {name} in {self._bucket}"):
            s3 = self.clients.aws.client("s3")
            here = {
                str(entry["Key"])
                for key in (_COMPLETE, _RECORD)
                for entry in s3.list_objects_v2(Bucket=self._bucket, Prefix=f"{name}{key}", MaxKeys=1).get("Contents", [])
            }
            if f"{name}{_COMPLETE}" not in here:
                return None
            if f"{name}{_RECORD}" not in here:
                return Backup(name)
            text = s3.get_object(Bucket=self._bucket, Key=f"{name}{_RECORD}")["Body"].read()
        try:
            said = json.loads(text)
            line = said["line"] if said["line"] in (1, 2) else None
            rows = {str(table): int(count) for table, count in said["rows"].items()}
            return Backup(name, rows, cast(Literal[1, 2] | None, line), said.get("langfuse"))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise StepError(
                f"{name}{_RECORD} in {self._bucket} cannot be read: what that backup holds is not known",
                remedy="restore that object's earlier version, or delete it: the backup then counts as one that was never tried",
                id="data.record",
            ) from None
