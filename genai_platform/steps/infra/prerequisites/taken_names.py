"""Whether the names that the AWS half gives can be had: buckets are named in all of AWS, and a deleted secret keeps its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_platform.errors import GenaiError
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites.actions import bucket_names
from genai_platform.steps.infra.prerequisites.answer import Answer
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import absent, code, explained
from genai_platform.tools.aws.leftovers.items import pages
from genai_platform.tools.parallel import gather

_OTHER_NAME = "use another environment name (--env) or platform.name: names follow from them"


def look(clients: Clients) -> list[Answer]:
    """One answer for the buckets, one for the secrets."""
    return gather([buckets, secrets], lambda ask: ask(clients))


def buckets(clients: Clients) -> Answer:
    """Whether each bucket's name is free or ours."""
    names = bucket_names(clients.target, clients.aws.account_id())
    return _worst("name.buckets", gather(names, lambda name: _bucket(clients.aws, name)))


def secrets(clients: Clients) -> Answer:
    """Whether a secret's name is kept by one that is scheduled for deletion.

    Listed instead of asked for one by one: who may only touch this environment's secrets may be refused a name that nobody has yet.
    """
    aws, prefix = clients.aws, clients.target.prefix
    names = (aws.secret_name, *((f"{prefix}/callers",) if clients.target.settings.azure.enabled else ()))
    wanted = {"IncludePlannedDeletion": True, "Filters": [{"Key": "name", "Values": [f"{prefix}/"]}]}
    try:
        with explained("list the account's secrets"):
            held = {one["Name"]: one for one in pages(aws, "secretsmanager", "list_secrets", "SecretList", **wanted)}
    except GenaiError as error:
        return Answer("name.secrets", "unknown", error.message, error.remedy)
    return _worst("name.secrets", [_secret(aws, name, held.get(name)) for name in names])


def _bucket(aws: Aws, name: str) -> Answer:
    from botocore.exceptions import ClientError

    try:
        with explained(f"look at the bucket {name}"):
            try:
                aws.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=aws.account_id())
                return Answer(name, "pass", f"{name} is ours")
            except ClientError as error:
                if absent(error):
                    return Answer(name, "pass", f"{name} is free")
                if code(error) not in ("403", "301"):
                    raise
    except GenaiError as error:
        return Answer(name, "unknown", error.message, error.remedy)
    return _somebodys(aws, name)


def _somebodys(aws: Aws, name: str) -> Answer:
    """There is a bucket of that name that we may not look at, or in another region: ours, or another account's?"""
    try:
        with explained("list the account's buckets"):
            held = {one["Name"]: one for one in pages(aws, "s3", "list_buckets", "Buckets")}
    except GenaiError as error:
        return Answer(name, "unknown", f"the bucket {name} exists, and whose it is could not be found out: {error.message}", error.remedy)
    if name not in held:
        return Answer(name, "fail", f"the bucket name {name} is taken by another account", _OTHER_NAME)
    remedy = "the identity needs s3:ListBucket on it, or its policy denies it"
    return Answer(name, "unknown", f"{name} is this account's, and may not be looked at", remedy)


def _secret(aws: Aws, name: str, found: Mapping[str, Any] | None) -> Answer:
    if found is None or "DeletedDate" not in found:
        return Answer(name, "pass", f"{name} is {'free' if found is None else 'there'}")
    where = f"--region {aws.region} --secret-id {name}"
    return Answer(
        name,
        "fail",
        f"the secret {name} was deleted on {found['DeletedDate']:%Y-%m-%d} and keeps its name until its recovery window is over",
        f"with its values: aws secretsmanager restore-secret {where}; or for good: "
        f"aws secretsmanager delete-secret {where} --force-delete-without-recovery",
    )


def _worst(id: str, told: list[Answer]) -> Answer:
    """All of them as one: what is wrong of them, else what is unknown, else all."""
    for state in ("fail", "unknown"):
        if chosen := [one for one in told if one.state == state]:
            remedies = dict.fromkeys(str(one.remedy) for one in chosen)
            return Answer(id, chosen[0].state, "; ".join(one.text for one in chosen), "; ".join(remedies))
    return Answer(id, "pass", "; ".join(one.text for one in told))
