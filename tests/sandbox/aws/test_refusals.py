"""What AWS refuses, refused here too: what is in use, protected, full, or on its way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def refused(attempt: Callable[[], Any]) -> str:
    """The code AWS refuses it with."""
    with pytest.raises(ClientError) as error:
        attempt()
    return code(error)


def test_what_is_in_use_is_not_deleted(cloud: Any) -> None:
    ec2, balancers = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{number}.0/24", AvailabilityZone=f"ap-northeast-1{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ac")
    ]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    balancer = balancers.create_load_balancer(Name="lb", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"]
    assert {one["Description"].split("/")[1] for one in interfaces} == {"lb"}
    attempts: list[Callable[[], Any]] = [
        lambda: ec2.delete_vpc(VpcId=vpc),
        lambda: ec2.delete_subnet(SubnetId=subnets[0]),
        lambda: ec2.delete_security_group(GroupId=group),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "DependencyViolation"
    balancers.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    with pytest.raises(ClientError) as error:
        ec2.delete_vpc(VpcId=vpc)
    assert code(error) == "DependencyViolation"
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)


def test_a_machine_takes_its_interface_along(cloud: Any) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.6.0.0/24")["Subnet"]["SubnetId"]
    machine = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]
    assert refused(lambda: ec2.delete_subnet(SubnetId=subnet)) == "DependencyViolation"
    ec2.terminate_instances(InstanceIds=[machine])
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_what_auto_mode_made_is_listed_only_when_asked_for(cloud: Any) -> None:
    ec2 = cloud.client("ec2")
    marks = [{"ResourceType": "launch-template", "Tags": [{"Key": "eks:eks-cluster-name", "Value": "genai"}]}]
    made = ec2.create_launch_template(
        LaunchTemplateName="of-auto-mode", LaunchTemplateData={"InstanceType": "t3.micro"}, TagSpecifications=marks
    )["LaunchTemplate"]["LaunchTemplateId"]
    assert made not in [one["LaunchTemplateId"] for one in ec2.describe_launch_templates()["LaunchTemplates"]]
    assert made in [one["LaunchTemplateId"] for one in ec2.describe_launch_templates(IncludeManagedResources=True)["LaunchTemplates"]]
    ec2.delete_launch_template(LaunchTemplateId=made)


def test_a_network_with_a_database_a_cache_or_a_cluster_in_it_is_not_deleted(cloud: Any) -> None:
    ec2, rds, cache, eks = (cloud.client(name) for name in ("ec2", "rds", "elasticache", "eks"))
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24", AvailabilityZone=f"ap-northeast-1{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ac")
    ]
    group = ec2.create_security_group(GroupName="in-use", Description="d", VpcId=vpc)["GroupId"]
    rds.create_db_subnet_group(DBSubnetGroupName="used", DBSubnetGroupDescription="d", SubnetIds=subnets)
    cache.create_cache_subnet_group(CacheSubnetGroupName="used", CacheSubnetGroupDescription="d", SubnetIds=subnets)

    def both() -> set[str]:
        return {refused(lambda: ec2.delete_subnet(SubnetId=subnets[0])), refused(lambda: ec2.delete_security_group(GroupId=group))}

    rds.create_db_cluster(
        DBClusterIdentifier="guarded", Engine="aurora-postgresql", EngineVersion="16", MasterUsername="platform",
        MasterUserPassword="x" * 16, DBSubnetGroupName="used", VpcSecurityGroupIds=[group], DeletionProtection=True,
    )  # fmt: skip
    assert both() == {"DependencyViolation"}
    again = {"DBSubnetGroupName": "used", "DBSubnetGroupDescription": "d", "SubnetIds": subnets}
    assert refused(lambda: rds.create_db_subnet_group(**again)) == "DBSubnetGroupAlreadyExists"
    assert refused(lambda: rds.delete_db_subnet_group(DBSubnetGroupName="used")) == "InvalidDBSubnetGroupStateFault"
    assert refused(lambda: rds.delete_db_cluster(DBClusterIdentifier="guarded")) == "InvalidParameterCombination"
    assert refused(lambda: rds.delete_db_cluster(DBClusterIdentifier="guarded", SkipFinalSnapshot=True)) == "InvalidParameterCombination"
    rds.modify_db_cluster(DBClusterIdentifier="guarded", DeletionProtection=False, ApplyImmediately=True)
    rds.delete_db_cluster(DBClusterIdentifier="guarded", SkipFinalSnapshot=True)
    rds.delete_db_subnet_group(DBSubnetGroupName="used")

    cache.create_replication_group(
        ReplicationGroupId="guarded", ReplicationGroupDescription="d", CacheNodeType="cache.t4g.small", CacheSubnetGroupName="used",
        SecurityGroupIds=[group],
    )  # fmt: skip
    assert both() == {"DependencyViolation"}
    assert refused(lambda: cache.delete_cache_subnet_group(CacheSubnetGroupName="used")) == "CacheSubnetGroupInUse"
    cache.delete_replication_group(ReplicationGroupId="guarded")
    cache.delete_cache_subnet_group(CacheSubnetGroupName="used")

    eks.create_cluster(
        name="guarded", roleArn="arn:aws:iam::123456789012:role/cluster",
        resourcesVpcConfig={"subnetIds": subnets, "securityGroupIds": [group]}, deletionProtection=True,
    )  # fmt: skip
    assert both() == {"DependencyViolation"}
    assert refused(lambda: eks.delete_cluster(name="guarded")) == "InvalidRequestException"
    eks.update_cluster_config(name="guarded", deletionProtection=False)
    eks.delete_cluster(name="guarded")
    assert both() == {"DependencyViolation"}
    eks.get_waiter("cluster_deleted").wait(name="guarded", WaiterConfig={"Delay": 1})

    ec2.delete_security_group(GroupId=group)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_a_secret_on_its_way_out_holds_its_name(cloud: Any) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="leaving", SecretString="x")
    secrets.delete_secret(SecretId="leaving", RecoveryWindowInDays=7)
    for attempt in (
        lambda: secrets.create_secret(Name="leaving", SecretString="y"),
        lambda: secrets.get_secret_value(SecretId="leaving"),
        lambda: secrets.put_secret_value(SecretId="leaving", SecretString="y"),
    ):
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "InvalidRequestException"
    secrets.restore_secret(SecretId="leaving")
    secrets.delete_secret(SecretId="leaving", ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name="leaving", SecretString="y")
    secrets.delete_secret(SecretId="leaving", ForceDeleteWithoutRecovery=True)


def test_a_bucket_with_anything_in_it_stays(cloud: Any) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="versioned", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="versioned", Key="a", Body=b"1")
    s3.delete_object(Bucket="versioned", Key="a")
    for kind in ("Versions", "DeleteMarkers"):
        with pytest.raises(ClientError) as error:
            s3.delete_bucket(Bucket="versioned")
        assert code(error) == "BucketNotEmpty"
        for one in s3.list_object_versions(Bucket="versioned")[kind]:
            s3.delete_object(Bucket="versioned", Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket="versioned")
