"""Buckets: empty one with all its versions, and make the one that holds Terraform's states."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import code, explained, unless_absent
from genai_platform.tools.aws.tags import listed
from genai_platform.tools.wait import wait_for

_BATCH = 1000
_VERSIONING, _CLOSED, _ENCRYPTION, _POLICY, _TAGS = "versioning", "public access block", "encryption", "policy", "tags"
_DOORS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def exists(aws: Aws, bucket: str) -> bool:
    """Whether it is there. Raises ``StepError`` when it belongs to somebody else or could not be looked at."""
    with explained(f"look at the bucket {bucket}"):
        return unless_absent(aws.client("s3").head_bucket, Bucket=bucket) is not None


def empty(aws: Aws, bucket: str, progress: Progress, *, keep: str | None = None, only: str = "") -> int:
    """Delete every version of every object, and what is half uploaded; answers how many. A bucket that does not exist is empty.

    Args:
        keep: a prefix whose objects stay.
        only: a prefix; objects outside it stay.
    """
    if not exists(aws, bucket):
        return 0
    client = aws.client("s3")
    gone = 0
    with explained(f"empty the bucket {bucket}"):
        for batch in _batches(client, bucket, keep, only):
            progress.check()
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            for error in answer.get("Errors", [])[:1]:
                raise StepError(f"could not delete {error.get('Key')} from {bucket}: {error.get('Code')}", id="aws.bucket")
            gone += len(batch)
            progress.say(f"{bucket}: {gone} objects deleted")
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=only):
            for upload in page.get("Uploads", []):
                client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return gone


def delete(aws: Aws, bucket: str) -> None:
    """Delete an empty bucket. One that is already gone is not an error."""
    with explained(f"delete the bucket {bucket}"):
        unless_absent(aws.client("s3").delete_bucket, Bucket=bucket)


def size(aws: Aws, bucket: str) -> int:
    """Bytes of everything in it, earlier versions included. One that does not exist has none."""
    if not exists(aws, bucket):
        return 0
    with explained(f"measure the bucket {bucket}"):
        pages = aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket)
        return sum(int(entry.get("Size", 0)) for page in pages for entry in page.get("Versions", []))


_LEFTOVERS = {
    "ID": "leftovers", "Status": "Enabled", "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 7}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}  # fmt: skip


def expires_leftovers(aws: Aws, bucket: str) -> bool:
    """Whether S3 itself removes earlier versions and broken uploads after a week. Raises ``GenaiError``."""
    client = aws.client("s3")
    with explained(f"read the lifecycle rules of the bucket {bucket}"):
        try:
            rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        except client.exceptions.ClientError as error:
            if code(error) != "NoSuchLifecycleConfiguration":
                raise
            return False
    return any(rule.get("ID") == _LEFTOVERS["ID"] and rule.get("Status") == "Enabled" for rule in rules)


def expire_leftovers(aws: Aws, bucket: str) -> None:
    """Have S3 remove earlier versions and broken uploads after a week. It takes the place of other lifecycle rules.

    Through the API, since Terraform's resource waits about a minute for each bucket, while everything else waits for it.
    """
    with explained(f"set the lifecycle rules of the bucket {bucket}"):
        aws.client("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [_LEFTOVERS]})


def _batches(client: Any, bucket: str, keep: str | None, only: str) -> Iterator[list[dict[str, str]]]:
    batch: list[dict[str, str]] = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=only):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if keep is None or not entry["Key"].startswith(keep):
                batch.append({"Key": entry["Key"], "VersionId": entry["VersionId"]})
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def state_bucket_faults(aws: Aws, bucket: str) -> list[str]:
    """What a state bucket still lacks, e.g. ``versioning``. Empty: nothing."""
    client = aws.client("s3")
    faults = []
    # A bucket that the configuration names may be everybody's: our tags would have the audit call it ours.
    ours = aws.target.settings.terraform.bucket is None
    with explained(f"look at the bucket {bucket}"):
        if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            faults.append(_VERSIONING)
        for what, look, missing in (
            (_CLOSED, client.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
            (_ENCRYPTION, client.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
            *([(_TAGS, client.get_bucket_tagging, "NoSuchTagSet")] if ours else []),
            (_POLICY, client.get_bucket_policy, "NoSuchBucketPolicy"),
        ):
            try:
                look(Bucket=bucket)
            except client.exceptions.ClientError as error:
                if code(error) != missing:
                    raise
                faults.append(what)
    return faults


def make_state_bucket(aws: Aws, bucket: str, progress: Progress) -> None:
    """Make it: versioned, encrypted, private, TLS only, tagged. One that exists gets what it lacks, and keeps its own policy and tags."""
    if not exists(aws, bucket):
        _create(aws, bucket, progress)
    client = aws.client("s3")
    aes = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    fix: dict[str, Callable[[], Any]] = {
        _VERSIONING: lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        _CLOSED: lambda: client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(_DOORS, True)),
        _ENCRYPTION: lambda: client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [aes]}),
        _POLICY: lambda: client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_tls_only(f"arn:{aws.partition}:s3:::{bucket}"))),
        _TAGS: lambda: client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": listed(aws.target.tags)}),
    }
    for fault in state_bucket_faults(aws, bucket):
        with explained(f"set up the bucket {bucket}"):
            fix[fault]()


def _create(aws: Aws, bucket: str, progress: Progress) -> None:
    """Make it. A name that was ours until lately is not free at once: S3 answers ``OperationAborted``, for up to an hour."""
    client = aws.client("s3")
    # us-east-1 is the one region that must not be named.
    place = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}

    def make() -> bool | None:
        try:
            client.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **place)
        except client.exceptions.BucketAlreadyExists:
            raise StepError(
                f"the bucket name {bucket} belongs to somebody else", remedy="set terraform.bucket to another name", id="aws.bucket"
            ) from None
        except client.exceptions.BucketAlreadyOwnedByYou:
            pass
        except client.exceptions.ClientError as error:
            if code(error) == "OperationAborted":
                return None
            raise
        return True

    with explained(f"make the bucket {bucket}"):
        wait_for(make, progress, lambda: f"waiting until S3 gives the name {bucket} free: a bucket of that name was just deleted", 3600, 10)


def _tls_only(arn: str) -> dict[str, Any]:
    statement = {
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    return {"Version": "2012-10-17", "Statement": [statement]}
