"""Who began an environment, when, and how long it is meant to exist, kept as tags of its VPC: anyone who may read the account
finds it there.

The VPC is made in the first seconds of the first ``up`` and goes with every ``down``, also with one that keeps data. The tags
are set through the API and not by Terraform (``ignore_tags`` in the root ``network``): an end that moves makes nothing drift.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from genai_platform.engine.lock import user
from genai_platform.tools.aws import tags as aws_tags
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained

_OWNERS = ("owner", "createdby", "created-by", "creator")
"""Tags, in any case, in which organisations write down who made something."""
ENDS, STARTED, STARTED_BY = "genai:ends", "genai:started", "genai:started-by"


@dataclass(frozen=True)
class Lifetime:
    """What is known of it; None: unknown."""

    ends: datetime | None = None
    started: datetime | None = None
    started_by: str | None = None
    """``user@host``"""


def read(aws: Aws) -> Lifetime | None:
    """What the VPC's tags say; None when there is no VPC.

    Raises:
        GenaiError: AWS could not be asked.
    """
    found = _networks(aws)
    if not found:
        return None
    # Several: one is left over from earlier, and what has an end comes before what has none.
    tags = next((one for one in found.values() if ENDS in one), next(iter(found.values())))
    return Lifetime(_moment(tags.get(ENDS)), _moment(tags.get(STARTED)), tags.get(STARTED_BY) or None)


def owner(aws: Aws) -> str | None:
    """Who made it, as far as a tag of the VPC tells: this tool's own, else one that organisations write. Raises ``GenaiError``."""
    return next(filter(None, (tags.get(STARTED_BY) or owner_of(tags) for tags in _networks(aws).values())), None)


def owner_of(tags: Mapping[str, str]) -> str | None:
    """Who made something, as the tags of organisations tell."""
    return next((value for name in _OWNERS for key, value in sorted(tags.items()) if key.lower() == name and value), None)


def since(aws: Aws) -> datetime | None:
    """When the oldest of what tells its age was made: the cluster, else the secret, which comes first and is kept with the data.

    Raises:
        GenaiError: AWS could not be asked.
    """
    made = (aws.describe_cluster(aws.target.prefix) or {}).get("createdAt")
    if made is None:
        client = aws.client("secretsmanager")
        with explained(f"look at the secret {aws.secret_name}"), suppress(client.exceptions.ResourceNotFoundException):
            made = client.describe_secret(SecretId=aws.secret_name).get("CreatedDate")
    return made.astimezone(UTC) if isinstance(made, datetime) else None


def write(aws: Aws, lifetime: Lifetime) -> bool:
    """Tag the VPC with what is known; False when there is none yet.

    Raises:
        GenaiError: AWS could not be asked, or refused.
    """
    found = _networks(aws)
    values = {ENDS: iso(lifetime.ends), STARTED: iso(lifetime.started), STARTED_BY: lifetime.started_by}
    if found:
        with explained("write down who started the environment and when it ends"):
            tags = aws_tags.listed({key: value for key, value in values.items() if value})
            aws.client("ec2").create_tags(Resources=list(found), Tags=tags)
    return bool(found)


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC to the second, e.g. ``2027-03-31T09:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def who() -> str:
    """``user@host`` of this process, in the characters and the length that a tag may have."""
    return re.sub(r"[^A-Za-z0-9+=._:/@-]", "_", f"{user()}@{socket.gethostname()}")[:256]


def _networks(aws: Aws) -> dict[str, dict[str, str]]:
    """The tags of this environment's VPCs by their id."""
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in aws.target.tags.items()]
    with explained("look up when the environment ends"):
        found = aws.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]
    return {vpc["VpcId"]: aws_tags.values(vpc.get("Tags")) for vpc in found}


def _moment(text: str | None) -> datetime | None:
    """A tag's moment; None for what a person wrote there and is not one."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
