"""What AWS refuses of a cluster, a database or a security group that exists, and how long it takes with the rest."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from genai_platform.sandbox.aws.identity import control_key

ROLE = "arn:aws:iam::123456789012:role/cluster"
REGION = "ap-northeast-1"


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


# -- EKS --------------------------------------------------------------------------------------------
def make(eks: Any, name: str, version: str = "1.35", **network: Any) -> None:
    eks.create_cluster(name=name, version=version, roleArn=ROLE, resourcesVpcConfig=network, upgradePolicy={"supportType": "STANDARD"})


def test_a_version_that_is_not_offered(cloud: Any) -> None:
    eks = cloud.client("eks")
    with pytest.raises(ClientError, match="unsupported Kubernetes version"):
        make(eks, "old", "1.20")
    assert "old" not in eks.list_clusters()["clusters"]


def test_an_update_goes_up_by_one_minor_version(new_cloud: Callable[[], Any]) -> None:
    cloud = new_cloud()
    eks = cloud.client("eks")
    make(eks, "one", "1.34")
    for version in ("1.33", "1.34", "1.36"):
        with pytest.raises(ClientError, match=f"Unsupported Kubernetes minor version update from 1.34 to {version}"):
            eks.update_cluster_version(name="one", version=version)
    with pytest.raises(ClientError, match="unsupported Kubernetes version"):
        eks.update_cluster_version(name="one", version="1.99")
    eks.update_cluster_version(name="one", version="1.35")
    offered = {one["clusterVersion"]: one["versionStatus"] for one in eks.describe_cluster_versions()["clusterVersions"]}
    assert offered["1.35"] == "STANDARD_SUPPORT"
    assert offered["1.33"] == "EXTENDED_SUPPORT"
    assert [one["clusterVersion"] for one in eks.describe_cluster_versions(clusterVersions=["1.34"])["clusterVersions"]] == ["1.34"]
    # The day comes on which EKS upgrades it by itself.
    request = urllib.request.Request(
        cloud.layout.url("aws") + "/_sandbox/eks/end-standard-support",
        json.dumps({"region": REGION, "version": "1.35"}).encode(),
        {"Authorization": f"Bearer {control_key(cloud.layout)}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer) == {"upgraded": ["one"]}
    assert eks.describe_cluster(name="one")["cluster"]["version"] == "1.36"
    assert eks.describe_cluster_versions(clusterVersions=["1.35"])["clusterVersions"][0]["versionStatus"] == "EXTENDED_SUPPORT"


def test_more_than_40_public_networks(cloud: Any) -> None:
    eks = cloud.client("eks")
    with pytest.raises(ClientError, match="at most 40"):
        make(eks, "wide", publicAccessCidrs=[f"198.51.100.{number}/32" for number in range(41)])


def test_a_cluster_is_deleting_for_a_while(new_cloud: Callable[[], Any]) -> None:
    eks = new_cloud().client("eks")
    make(eks, "going")
    eks.delete_cluster(name="going")
    assert eks.describe_cluster(name="going")["cluster"]["status"] == "DELETING"
    assert eks.delete_cluster(name="going")["cluster"]["status"] == "DELETING"
    with pytest.raises(ClientError, match="ResourceInUse"):
        make(eks, "going")
    until(lambda: "going" not in eks.list_clusters()["clusters"])
    make(eks, "going")


# -- RDS --------------------------------------------------------------------------------------------
def database(rds: Any, name: str) -> None:
    rds.create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", EngineVersion="16", MasterUsername="platform", MasterUserPassword="x" * 16
    )
    rds.create_db_instance(
        DBInstanceIdentifier=f"{name}-1", DBClusterIdentifier=name, Engine="aurora-postgresql", DBInstanceClass="db.serverless"
    )


def status(rds: Any, name: str) -> str:
    return str(rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"])


def test_a_snapshot_is_not_restored_to_an_earlier_version(cloud: Any) -> None:
    rds = cloud.client("rds")
    database(rds, "upgraded")
    default = rds.describe_db_engine_versions(Engine="aurora-postgresql", EngineVersion="16", DefaultOnly=True)["DBEngineVersions"]
    assert [one["EngineVersion"] for one in default] == ["16.9"]
    rds.modify_db_cluster(DBClusterIdentifier="upgraded", EngineVersion="16.10", ApplyImmediately=True)
    with pytest.raises(ClientError, match=r"Cannot upgrade aurora-postgresql from 16\.10 to 16\.9"):
        rds.modify_db_cluster(DBClusterIdentifier="upgraded", EngineVersion="16", ApplyImmediately=True)
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="newer", DBClusterIdentifier="upgraded")
    asked = {"DBClusterIdentifier": "again", "SnapshotIdentifier": "newer", "Engine": "aurora-postgresql"}
    with pytest.raises(ClientError, match=r"\(16.9\) is earlier than the engine version of the DB cluster snapshot \(16.10\)"):
        rds.restore_db_cluster_from_snapshot(**asked, EngineVersion="16")
    rds.restore_db_cluster_from_snapshot(**asked, EngineVersion="16.10")
    assert rds.describe_db_clusters(DBClusterIdentifier="again")["DBClusters"][0]["EngineVersion"] == "16.10"
    rds.delete_db_instance(DBInstanceIdentifier="upgraded-1", SkipFinalSnapshot=True)
    for name in ("upgraded", "again"):
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="newer")


def test_a_stopped_database_can_only_be_started(cloud: Any) -> None:
    rds = cloud.client("rds")
    database(rds, "resting")
    rds.stop_db_cluster(DBClusterIdentifier="resting")
    until(lambda: status(rds, "resting") == "stopped")
    attempts: list[Callable[[], Any]] = [
        lambda: rds.stop_db_cluster(DBClusterIdentifier="resting"),
        lambda: rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="s", DBClusterIdentifier="resting"),
        lambda: rds.modify_db_cluster(DBClusterIdentifier="resting", BackupRetentionPeriod=2),
        lambda: rds.delete_db_instance(DBInstanceIdentifier="resting-1", SkipFinalSnapshot=True),
        lambda: rds.delete_db_cluster(DBClusterIdentifier="resting", SkipFinalSnapshot=True),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="InvalidDBClusterStateFault"):
            attempt()
    rds.start_db_cluster(DBClusterIdentifier="resting")
    until(lambda: status(rds, "resting") == "available")
    rds.delete_db_instance(DBInstanceIdentifier="resting-1", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="resting", SkipFinalSnapshot=True)


# -- EC2 --------------------------------------------------------------------------------------------
def test_a_security_group_takes_60_rules(cloud: Any) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="many", Description="d", VpcId=vpc)["GroupId"]

    def allow(first: int, last: int) -> None:
        networks = [{"CidrIp": f"198.51.100.{number}/32"} for number in range(first, last)]
        permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": networks}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    allow(0, 60)
    with pytest.raises(ClientError, match="RulesPerSecurityGroupLimitExceeded"):
        allow(60, 61)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
