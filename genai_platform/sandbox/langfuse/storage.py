"""Event files in S3 and the queue in Redis: what lies between web and worker."""

from __future__ import annotations

import functools
import gzip
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3
import redis
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from genai_platform.sandbox.langfuse.configuration import Bucket, Configuration


class UploadFailed(Exception):
    """The events could not be written to blob storage. Nothing was stored."""


class S3Events:
    """Events in a bucket, with the pod's own identity (or the keys it was given)."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, key: str, document: Any) -> None:
        """Raises ``UploadFailed``."""
        body = json.dumps(document, ensure_ascii=False).encode()
        try:
            self._client.put_object(Bucket=self._bucket.name, Key=self._bucket.prefix + key, Body=body, ContentType="application/json")
        except (BotoCoreError, ClientError, OSError) as error:
            raise UploadFailed(f"{type(error).__name__}: {error}") from None

    def get(self, key: str) -> Any:
        body = self._client.get_object(Bucket=self._bucket.name, Key=self._bucket.prefix + key)["Body"].read()
        return json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)

    @functools.cached_property
    def _client(self) -> Any:
        bucket, style = self._bucket, {"addressing_style": "path" if self._bucket.path_style else "auto"}
        return boto3.session.Session().client(
            "s3",
            # What the chart calls "auto" is passed on as it is: S3 refuses such signatures, as it does for the real one.
            region_name=bucket.region or "auto",
            endpoint_url=bucket.endpoint,
            aws_access_key_id=bucket.access_key_id,
            aws_secret_access_key=bucket.secret_access_key,
            config=Config(s3=style, connect_timeout=5, read_timeout=20, retries={"max_attempts": 2}),
        )


class RedisQueue:
    """Langfuse's queue, under BullMQ's names: what is not due yet, what waits, what is being worked on.

    A worker that dies loses nothing.
    """

    DELAYED = "bull:ingestion-queue:delayed"
    WAITING = "bull:ingestion-queue:wait"
    ACTIVE = "bull:ingestion-queue:active"
    FAILED = "bull:ingestion-queue:failed"

    def __init__(self, configuration: Configuration, delay: float = 0.0) -> None:
        """``delay``: seconds until a batch may be taken."""
        self._delay = delay
        # Certificates are checked against SSL_CERT_FILE, as Node does with NODE_EXTRA_CA_CERTS.
        self._redis = redis.Redis.from_url(
            configuration.redis, socket_connect_timeout=5, socket_timeout=15, decode_responses=True, health_check_interval=15
        )

    def push(self, job: dict[str, Any]) -> None:
        self._redis.zadd(self.DELAYED, {json.dumps(job): time.time() + self._delay})

    def pop(self, seconds: int) -> str | None:
        """The next job, kept among the active ones until ``done``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for due in map(str, self._redis.zrangebyscore(self.DELAYED, "-inf", time.time())):
                with self._redis.pipeline(transaction=True) as both:
                    both.zrem(self.DELAYED, due)
                    both.lpush(self.WAITING, due)
                    both.execute()
            found = self._redis.blmove(self.WAITING, self.ACTIVE, timeout=0.5, src="RIGHT", dest="LEFT")  # type: ignore[arg-type]
            if found is not None:
                return str(found)
        return None

    def done(self, job: str, *, failed: bool = False) -> None:
        self._redis.lrem(self.ACTIVE, 1, job)
        if failed:
            self._redis.lpush(self.FAILED, job)
            self._redis.ltrim(self.FAILED, 0, 999)

    def recover(self) -> int:
        """Put back what an earlier worker left unfinished."""
        count = 0
        while self._redis.lmove(self.ACTIVE, self.WAITING, src="RIGHT", dest="RIGHT"):
            count += 1
        return count

    def healthy(self) -> None:
        self._redis.ping()


def batch_key(project: str, kind: str) -> str:
    """Where a batch is kept: ``kind/PROJECT/YYYY/MM/DD/HH/MM/ID.json``."""
    return f"{kind}/{project}/{datetime.now(UTC):%Y/%m/%d/%H/%M}/{uuid.uuid4()}.json"
