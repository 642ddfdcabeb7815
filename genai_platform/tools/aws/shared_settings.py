"""A copy of an environment's configuration next to its state in S3, so that another person can work on the same environment.

It holds settings, which are never secrets, and when and by whom the environment was last built. ``down`` removes it with the state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from genai_platform.advice import advice, genai
from genai_platform.errors import StepError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent

NAME = "environment.json"


@dataclass(frozen=True)
class SharedSettings:
    """What is kept of one environment."""

    platform: str
    environment: str
    up: str
    """When it was last built, ISO 8601 in UTC."""
    by: str
    """``user@host``"""
    settings: Mapping[str, Any]
    """The configured values, as genai.toml has them; what is not configured is not in it."""


def write(aws: Aws, bucket: str, prefix: str, shared: SharedSettings) -> bool:
    """Store the copy; False when the bucket does not exist. Raises ``GenaiError``."""
    body = json.dumps({"schema": 1, **asdict(shared)}, ensure_ascii=False, indent=1).encode()
    with explained(f"keep the configuration in {bucket}"):
        put = aws.client("s3").put_object
        return unless_absent(put, Bucket=bucket, Key=f"{prefix}/{NAME}", Body=body, ContentType="application/json") is not None


def read(aws: Aws, bucket: str, prefix: str) -> SharedSettings | None:
    """The copy of one environment; None when there is none. Raises ``GenaiError``, also for one that is damaged."""
    place = f"s3://{bucket}/{prefix}/{NAME}"
    with explained(f"read {place}"):
        answer = unless_absent(aws.client("s3").get_object, Bucket=bucket, Key=f"{prefix}/{NAME}")
        if answer is None:
            return None
        body = answer["Body"].read()
    try:
        found = json.loads(body)
        return SharedSettings(
            str(found["platform"]), str(found["environment"]), str(found["up"]), str(found["by"]), dict(found["settings"])
        )
    except (ValueError, KeyError, TypeError):
        raise StepError(
            f"{place} is not the copy of a configuration",
            remedy=advice("write it again, where it is configured: {}", genai("up")), id="env.damaged",
        ) from None  # fmt: skip


def every(aws: Aws, bucket: str) -> Iterator[tuple[str, SharedSettings | None]]:
    """The copies of all environments whose states lie in a bucket, by their prefix; None: a state without a copy.

    Raises:
        GenaiError: the bucket does not exist, or may not be read.
    """
    with explained(f"list the environments in {bucket}"):
        pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/")
        prefixes = [str(one["Prefix"]).rstrip("/") for page in pages for one in page.get("CommonPrefixes", [])]
    for prefix in prefixes:
        yield prefix, read(aws, bucket, prefix)
