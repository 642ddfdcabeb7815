"""S3: which action and resource a request is, and bucket policies judged with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring
from moto.s3.models import FakeBucket, s3_backends

from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.stand_in import AwsStandIn

_BUCKET_SETTINGS = {
    "policy": "BucketPolicy", "policyStatus": "BucketPolicyStatus", "versioning": "BucketVersioning", "location": "BucketLocation",
    "tagging": "BucketTagging", "acl": "BucketAcl", "cors": "BucketCORS", "lifecycle": "LifecycleConfiguration",
    "encryption": "EncryptionConfiguration", "publicAccessBlock": "BucketPublicAccessBlock", "ownershipControls": "BucketOwnershipControls",
    "logging": "BucketLogging", "notification": "BucketNotification", "website": "BucketWebsite", "replication": "ReplicationConfiguration",
    "object-lock": "BucketObjectLockConfiguration", "accelerate": "AccelerateConfiguration", "requestPayment": "BucketRequestPayment",
}  # fmt: skip
_VERB = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Delete", "POST": "Put"}


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's S3: bucket policies are judged on entry, with their conditions, so moto's own judgement goes."""
    from moto.iam.access_control import PermissionResult

    FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL


def split(path: str) -> tuple[str, str]:
    """Bucket and key of a path-style address."""
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key


def wanted(method: str, path: str, query: str, source: str | None, body: bytes) -> list[tuple[str, str]]:
    """Actions with their resources, all of which must be allowed. ``source``: of a copy, bucket and key, percent-encoded."""
    bucket, key = split(path)
    asked = parse_qs(query, keep_blank_values=True)
    if not bucket:
        return [("s3:ListAllMyBuckets", "*")]
    arn = f"arn:aws:s3:::{bucket}"
    if key:
        return _object(method, f"{arn}/{key}", asked, source)
    if method == "POST" and "delete" in asked:
        return [("s3:DeleteObject" if version is None else "s3:DeleteObjectVersion", f"{arn}/{name}") for name, version in _deletions(body)]
    for parameter, name in _BUCKET_SETTINGS.items():
        if parameter in asked:
            return [(f"s3:{'Put' if method == 'DELETE' and parameter != 'policy' else _VERB[method]}{name}", arn)]
    if "versions" in asked:
        return [("s3:ListBucketVersions", arn)]
    if "uploads" in asked:
        return [("s3:ListBucketMultipartUploads", arn)]
    return [({"PUT": "s3:CreateBucket", "DELETE": "s3:DeleteBucket"}.get(method, "s3:ListBucket"), arn)]


def _object(method: str, arn: str, asked: Mapping[str, Any], source: str | None) -> list[tuple[str, str]]:
    version = "Version" if "versionId" in asked else ""
    for parameter, name in {"tagging": "Tagging", "acl": "Acl", "retention": "Retention", "legal-hold": "LegalHold"}.items():
        if parameter in asked:
            return [(f"s3:{_VERB[method]}Object{version}{name}", arn)]
    if method in ("GET", "HEAD"):
        return [("s3:ListMultipartUploadParts" if "uploadId" in asked else f"s3:GetObject{version}", arn)]
    if method == "DELETE":
        return [("s3:AbortMultipartUpload" if "uploadId" in asked else f"s3:DeleteObject{version}", arn)]
    copied = [("s3:GetObject", "arn:aws:s3:::" + unquote(source).lstrip("/").partition("?")[0])] if source else []
    return [("s3:PutObject", arn), *copied]


def _deletions(body: bytes) -> list[tuple[str, str | None]]:
    def text(parent: Element, name: str) -> str | None:
        return next((child.text for child in parent if child.tag.rpartition("}")[2] == name), None)

    root = fromstring(body)
    return [(text(one, "Key") or "", text(one, "VersionId")) for one in root if one.tag.rpartition("}")[2] == "Object"]


def bucket_policy(bucket: str) -> str | None:
    """The policy document of a bucket, if it has one."""
    held = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    return None if held is None or held.policy is None else held.policy.decode()


def has(bucket: str, key: str) -> bool:
    """Whether the bucket exists and holds this key."""
    held = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    return held is not None and held.keys.get(key) is not None
