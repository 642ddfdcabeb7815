"""What an error of Terraform's says of things that stand already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from moto.eks.models import eks_backends

from genai_platform.tools.terraform.adoption import Orphan, completed, orphans, settled
from tests.tools.aws_world import world


def error(address: str, summary: str) -> dict[str, Any]:
    return {"severity": "error", "address": address, "summary": summary, "detail": ""}


@pytest.mark.parametrize(
    ("address", "summary", "id"),
    [
        ("aws_rds_cluster.this", "creating RDS Cluster (genai): operation error RDS: DBClusterAlreadyExistsFault: …", "genai"),
        ("aws_rds_cluster.this", "creating RDS Cluster (restore from snapshot) (genai): DBClusterAlreadyExistsFault: …", "genai"),
        ('aws_s3_bucket.this["langfuse"]', "creating S3 Bucket (genai-1): BucketAlreadyExists", "genai-1"),
        (
            "aws_rds_cluster_instance.this",
            "creating RDS Cluster (genai) Instance (genai-1): operation error RDS (x): DBInstanceAlreadyExists: DB instance already exists",
            "genai-1",
        ),
        ("aws_elasticache_replication_group.this", "creating Replication Group (genai): ReplicationGroupAlreadyExists", "genai"),
        ('aws_iam_role.application["a"]', "creating IAM Role (genai-a): Role with name genai-a already exists.", "genai-a"),
        ('aws_s3_bucket.this["langfuse"]', "creating S3 Bucket (genai-1): BucketAlreadyOwnedByYou: …", "genai-1"),
    ],
)  # fmt: skip
def test_a_thing_that_stands_already_is_named_with_its_address(address: str, summary: str, id: str) -> None:
    assert orphans([error(address, summary)]) == [Orphan(address, id)]


@pytest.mark.parametrize(
    ("address", "summary"),
    [
        ("aws_rds_cluster.this", "creating RDS Cluster (genai): api error InvalidParameterValue: …"),
        ("aws_vpc.this", "creating EC2 VPC (a): already exists"),
    ],
)
def test_other_errors_are_left_as_they_are(address: str, summary: str) -> None:
    assert orphans([error(address, summary)]) == []


def state(type: str, **attributes: Any) -> dict[str, Any]:
    return {"serial": 7, "resources": [{"mode": "managed", "type": type, "name": "this", "instances": [{"attributes": attributes}]}]}


def test_an_imported_group_gets_what_aws_does_not_answer() -> None:
    address = "aws_elasticache_replication_group.this"
    imported = state("aws_elasticache_replication_group", id="genai", auth_token_update_strategy=None)
    whole = {**state("aws_elasticache_replication_group", id="genai", auth_token_update_strategy="ROTATE"), "serial": 8}
    assert completed(imported, address) == whole
    assert imported["serial"] == 7
    assert completed(whole, address) is None
    assert completed(imported, "aws_elasticache_replication_group.other") is None
    assert completed(state("aws_eks_cluster", id="genai"), "aws_eks_cluster.this") is None


# -- waiting until it can be taken over -----------------------------------------------------------
KINDS = ("aws_eks_cluster", "aws_rds_cluster", "aws_rds_cluster_instance", "aws_elasticache_replication_group")


def test_what_is_gone_by_now_is_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        assert {settled(clients.aws, Orphan(f"{kind}.this", "genai")) for kind in KINDS} == {"gone"}
        assert settled(clients.aws, Orphan("aws_db_subnet_group.this", "genai")) == "there"  # made at once, or not at all


@pytest.mark.parametrize(
    ("status", "said"), [("CREATING", None), ("DELETING", None), ("UPDATING", None), ("ACTIVE", "there"), ("FAILED", "there")]
)
def test_aws_may_still_be_at_work_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, said: str | None) -> None:
    with world(tmp_path, monkeypatch) as clients:
        network = {"subnetIds": [], "securityGroupIds": []}
        clients.aws.client("eks").create_cluster(name="genai", roleArn="arn:aws:iam::123456789012:role/a", resourcesVpcConfig=network)
        eks_backends["123456789012"]["ap-northeast-1"].clusters["genai"].status = status
        assert settled(clients.aws, Orphan("aws_eks_cluster.this", "genai")) == said


def test_a_bucket_is_there_when_it_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        orphan = Orphan('aws_s3_bucket.this["langfuse"]', "genai-1")
        assert settled(clients.aws, orphan) == "gone"
        clients.aws.client("s3").create_bucket(Bucket="genai-1", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        assert settled(clients.aws, orphan) == "there"


def test_a_database_is_there_when_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        rds = clients.aws.client("rds")
        rds.create_db_cluster(
            DBClusterIdentifier="genai", Engine="aurora-postgresql", MasterUsername="platform", MasterUserPassword="a" * 16
        )
        assert settled(clients.aws, Orphan("aws_rds_cluster.this", "genai")) == "there"
