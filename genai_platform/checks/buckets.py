"""What lies in a bucket: how many objects, under how many prefixes, how many of them new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained

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
    whole: bool = True
    """Whether the bucket was read to its end."""

    @property
    def said(self) -> str:
        """How many objects, in words."""
        return f"{self.objects} objects" if self.whole else f"{self.objects} objects (the bucket holds more)"


def survey(aws: Aws, bucket: str, since: datetime, *, without: str = "") -> Survey:
    """Look through a bucket.

    Args:
        since: by this machine's clock; what S3's own clock says at the first answer is taken into account.
        without: a prefix whose objects do not count.
    """
    objects = newer = pages = 0
    whole = True
    prefixes: set[str] = set()
    moment: datetime | None = None
    with explained(f"list the bucket {bucket}"):
        for page in aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket):
            # S3 tells whole seconds: an object of the same second counts as newer.
            moment = moment or (since - _ahead(page)).replace(microsecond=0)
            for one in page.get("Contents", ()):
                if without and one["Key"].startswith(without):
                    continue
                objects += 1
                prefixes.add(one["Key"].rpartition("/")[0])
                newer += one["LastModified"] >= moment
            pages += 1
            if pages >= _PAGES:
                whole = not page.get("IsTruncated", False)
                break
    return Survey(objects, len(prefixes), newer, whole)


def _ahead(page: dict[str, Any]) -> timedelta:
    """How far this machine's clock is ahead of the service's, as the answer just received tells; nothing where they agree."""
    told = page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not told:
        return timedelta()
    # The header has whole seconds and is as old as the answer: small differences are no difference.
    ahead = datetime.now(UTC) - parsedate_to_datetime(told)
    return ahead if abs(ahead) > timedelta(seconds=3) else timedelta()
