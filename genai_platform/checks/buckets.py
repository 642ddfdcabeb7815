"""What lies in a bucket: how many objects, under how many prefixes, how many of them new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_platform.tools.aws import Aws

_PAGES = 100
"""A thousand objects each. Enough to see what a day leaves; a bucket kept for years is not read to its end."""


@dataclass(frozen=True)
class Survey:
    """What was seen."""

    objects: int
    prefixes: int
    """Distinct folders that hold objects."""
    newer: int
    """Objects at least as new as the moment asked for."""


def survey(aws: Aws, bucket: str, since: datetime) -> Survey:
    """Look through a bucket. S3 tells whole seconds, so an object of the same second counts as newer."""
    from genai_platform.tools.aws import explained

    moment = since.replace(microsecond=0) - timedelta(seconds=1)
    objects = newer = 0
    prefixes: set[str] = set()
    with explained(f"list the bucket {bucket}"):
        pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for number, page in enumerate(pages):
            for one in page.get("Contents", ()):
                objects += 1
                prefixes.add(one["Key"].rpartition("/")[0])
                newer += one["LastModified"] >= moment
            if number + 1 >= _PAGES:
                break
    return Survey(objects, len(prefixes), newer)
