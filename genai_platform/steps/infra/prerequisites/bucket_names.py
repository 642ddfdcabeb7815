"""The names of the buckets that a target makes. Known before anything exists, and unique in all of AWS."""

from __future__ import annotations

import hashlib

from genai_platform.config.target import Target


def bucket_names(target: Target, account: str) -> tuple[str, ...]:
    """As ``terraform/storage`` and ``terraform.backend`` form them; a state bucket that the configuration names is among them."""
    suffix = hashlib.sha256(f"{account}/{target.settings.platform.region}".encode()).hexdigest()[:6]
    names = tuple(f"{target.prefix}-{use}-{suffix}" for use in ("langfuse", "clickhouse"))
    terraform = target.settings.terraform
    return names if terraform.backend != "s3" else (*names, terraform.bucket or f"{target.prefix}-state-{account}")
