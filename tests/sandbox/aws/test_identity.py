"""Who may call, and what a pod's web identity may do."""

from __future__ import annotations

import datetime
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from genai_platform.sandbox.aws.identity import administrator, issuer

SUBJECT = "system:serviceaccount:genai-platform:langfuse"


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def role(cloud: Any) -> str:
    """A role trusted by the cluster's issuer for one service account, allowed to read and write under one prefix of one bucket."""
    iam, provider = cloud.client("iam"), cloud.identity_provider()
    name = issuer(cloud.layout).removeprefix("https://")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{name}:aud": "sts.amazonaws.com"}, "StringLike": {f"{name}:sub": SUBJECT}},
            }
        ],
    }  # fmt: skip
    arn: str = iam.create_role(RoleName="langfuse", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allowed = [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::events"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::events/up/*"},
    ]
    iam.put_role_policy(RoleName="langfuse", PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed}))
    s3 = cloud.client("s3")
    for bucket in ("events", "foreign"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        s3.put_object(Bucket=bucket, Key="up/there", Body=b"here")
    return arn


def test_the_administrator_is_known_by_name(cloud: Any) -> None:
    who = cloud.client("sts").get_caller_identity()
    assert who["Account"] == "123456789012"
    assert who["Arn"].endswith(":user/administrator")


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "forged"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("ec2", "describe_vpcs", "AuthFailure", "AuthFailure"),
        ("secretsmanager", "list_secrets", "UnrecognizedClientException", "InvalidSignatureException"),
    ],
)
def test_an_unknown_key_and_a_wrong_secret_are_refused(cloud: Any, service: str, operation: str, unknown: str, forged: str) -> None:
    stranger = {"aws_access_key_id": "AKIAAAAAAAAAAAAAAAAA", "aws_secret_access_key": "x" * 40}
    with pytest.raises(ClientError) as error:
        getattr(cloud.client(service, stranger), operation)()
    assert code(error) == unknown
    liar = {"aws_access_key_id": administrator(cloud.layout).access_key_id, "aws_secret_access_key": "x" * 40}
    with pytest.raises(ClientError) as error:
        getattr(cloud.client(service, liar), operation)()
    assert code(error) == forged


def test_a_pod_with_the_right_token_becomes_the_role(cloud: Any, role: str) -> None:
    session = cloud.assume(role, cloud.token())
    assert cloud.client("sts", session).get_caller_identity()["Arn"].endswith(":assumed-role/langfuse/pod")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "system:serviceaccount:genai-platform:litellm"}, "AccessDenied"),
        ({"aud": ["kubernetes"]}, "InvalidIdentityToken"),
        ({"iss": "https://oidc.eks.ap-northeast-1.amazonaws.com/id/FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"}, "InvalidIdentityToken"),
        ({"exp": int(time.time()) - 60}, "ExpiredTokenException"),
        ({"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}, "InvalidIdentityToken"),
    ],
    ids=["other account", "other audience", "other issuer", "expired", "other signer"],
)
def test_a_wrong_token_is_refused(cloud: Any, role: str, claims: dict[str, Any], expected: str) -> None:
    with pytest.raises(ClientError) as error:
        cloud.assume(role, cloud.token(**claims))
    assert code(error) == expected


def test_a_role_that_does_not_exist_is_refused(cloud: Any, role: str) -> None:
    with pytest.raises(ClientError) as error:
        cloud.assume(role + "-other", cloud.token())
    assert code(error) == "AccessDenied"


def test_a_pod_may_do_in_s3_what_its_role_allows_and_no_more(cloud: Any, role: str) -> None:
    s3 = cloud.client("s3", cloud.assume(role, cloud.token()))
    s3.put_object(Bucket="events", Key="up/日本 語.json", Body="✓".encode())
    assert s3.get_object(Bucket="events", Key="up/日本 語.json")["Body"].read() == "✓".encode()
    assert s3.list_objects_v2(Bucket="events")["KeyCount"] >= 2
    refused = [
        lambda: s3.put_object(Bucket="events", Key="elsewhere", Body=b""),
        lambda: s3.delete_object(Bucket="events", Key="up/there"),
        lambda: s3.get_object(Bucket="foreign", Key="up/there"),
        lambda: s3.list_objects_v2(Bucket="foreign"),
        lambda: s3.copy_object(Bucket="events", Key="up/copy", CopySource="foreign/up/there"),
        lambda: s3.list_buckets(),
        lambda: s3.delete_objects(Bucket="events", Delete={"Objects": [{"Key": "up/there"}]}),
        lambda: cloud.client("ec2", cloud.assume(role, cloud.token())).describe_vpcs(),
    ]
    for attempt in refused:
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) in ("AccessDenied", "UnauthorizedOperation")


def test_a_presigned_address_works_for_its_object_alone(cloud: Any, role: str) -> None:
    s3 = cloud.client("s3", cloud.assume(role, cloud.token()))
    address = s3.generate_presigned_url("get_object", Params={"Bucket": "events", "Key": "up/there"})
    path = address.removeprefix(cloud.layout.url("aws"))
    assert cloud.get(path) == b"here"
    with pytest.raises(OSError, match="403"):
        cloud.get(path.replace("up/there", "up/elsewhere"))


def test_a_presigned_address_ends_with_its_time(cloud: Any, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = cloud.client("s3")
    now = datetime.datetime.now(datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: (now - datetime.timedelta(hours=1)).replace(tzinfo=None))
    address = s3.generate_presigned_url("get_object", Params={"Bucket": "events", "Key": "up/there"}, ExpiresIn=60)
    with pytest.raises(OSError, match="403"):
        cloud.get(address.removeprefix(cloud.layout.url("aws")))


def test_a_condition_that_is_not_judged_is_refused_loudly(cloud: Any, role: str) -> None:
    iam, name = cloud.client("iam"), issuer(cloud.layout).removeprefix("https://")
    statement = {
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{name}"},
        "Condition": {"StringEquals": {f"{name}:sub": SUBJECT}},
    }  # fmt: skip
    document = {"Version": "2012-10-17", "Statement": [statement]}
    arn = iam.create_role(RoleName="timed", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    assert cloud.assume(arn, cloud.token())
    statement["Condition"] |= {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}  # type: ignore[operator]
    iam.update_assume_role_policy(RoleName="timed", PolicyDocument=json.dumps(document))
    with pytest.raises(ClientError, match="DateGreaterThan is not judged in the sandbox"):
        cloud.assume(arn, cloud.token())


def test_secrets_are_guarded_by_the_role_too(cloud: Any, role: str) -> None:
    manager = cloud.client("secretsmanager")
    arn = manager.create_secret(Name="guarded", SecretString="hush")["ARN"]
    pod = cloud.client("secretsmanager", cloud.assume(role, cloud.token()))
    with pytest.raises(ClientError) as error:
        pod.get_secret_value(SecretId="guarded")
    assert code(error) == "AccessDeniedException"
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "secretsmanager:Get*", "Resource": arn}}
    cloud.client("iam").put_role_policy(RoleName="langfuse", PolicyName="secret", PolicyDocument=json.dumps(document))
    assert pod.get_secret_value(SecretId="guarded")["SecretString"] == "hush"


def test_a_bucket_policy_that_demands_tls_is_content_and_one_that_denies_is_obeyed(cloud: Any, role: str) -> None:
    s3 = cloud.client("s3")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::foreign", "arn:aws:s3:::foreign/*"]}
    tls = deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket="foreign", Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls]}))
    assert s3.get_object(Bucket="foreign", Key="up/there")["Body"].read() == b"here"
    denied = deny | {"Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::foreign/*"}
    s3.put_bucket_policy(Bucket="foreign", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    with pytest.raises(ClientError) as error:
        s3.delete_object(Bucket="foreign", Key="up/there")
    assert code(error) == "AccessDenied"


def test_nobody_gets_in_unsigned(cloud: Any) -> None:
    for path in ("/events/up/there", "/moto-api/data.json", "/_sandbox/save"):
        with pytest.raises(OSError, match=r"40[134]"):
            cloud.get(path)
    assert cloud.get("/_sandbox/checkip").decode().strip() == "127.0.0.1"


@pytest.mark.parametrize(
    ("service", "operation", "word"),
    [
        ("ec2", "describe_vpcs", "RequestExpired"), ("s3", "list_buckets", "ExpiredToken"), ("iam", "list_roles", "ExpiredToken"),
        ("rds", "describe_db_clusters", "ExpiredToken"), ("eks", "list_clusters", "ExpiredTokenException"),
        ("secretsmanager", "list_secrets", "ExpiredTokenException"), ("sts", "get_caller_identity", "ExpiredToken"),
    ],
)  # fmt: skip
def test_session_credentials_end_in_each_service_s_own_words(cloud: Any, service: str, operation: str, word: str) -> None:
    alive, ended = (
        {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }
        for made in (cloud.session(600), cloud.session(0))
    )
    getattr(cloud.client(service, alive), operation)()
    with pytest.raises(ClientError) as refused:
        getattr(cloud.client(service, ended), operation)()
    assert refused.value.response["Error"]["Code"] == word


def test_sts_gives_session_credentials_of_the_administrator(cloud: Any) -> None:
    made = cloud.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    own = {
        "aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }  # fmt: skip
    assert cloud.client("sts", own).get_caller_identity()["Arn"].endswith(":user/administrator")
    assert datetime.timedelta(minutes=14) < made["Expiration"] - datetime.datetime.now(datetime.UTC) < datetime.timedelta(minutes=16)
