"""Things of every kind that a day may leave behind, made by hand as somebody might."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.end_to_end.conftest import Platform

_ZONE = "ap-northeast-1a"
_NOBODY = '{"Version":"2012-10-17","Statement":[]}'
_ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]})
_PARAMETER = "left-behind"
_TEMPLATE = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"}


@dataclass(frozen=True)
class Land:
    """Where they are made, and what marks them."""

    platform: Platform
    tags: list[dict[str, str]]
    network: str
    subnets: list[str]

    @classmethod
    def of(cls, platform: Platform) -> Land:
        folder = platform.folder / ".genai/sandbox/terraform/network"
        outputs = json.loads((folder / "terraform.tfstate").read_text())["outputs"]
        given = json.loads((folder / "terraform.tfvars.json").read_text())["tags"]
        tags = [{"Key": key, "Value": value} for key, value in given.items()]
        return cls(platform, tags, outputs["vpc_id"]["value"], outputs["private_subnet_ids"]["value"])

    def spec(self, kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": self.tags}]


def plant(land: Land) -> set[tuple[str, str]]:
    """One leftover of each kind, tagged or named: kind and identifier."""
    made: set[tuple[str, str]] = set()
    for planter in (
        _storage, _network, _machines, _balancers, _buckets, _cluster, _databases, _database, _caches, _cache_groups, _identities, _rest,
        _unthought_of,
    ):  # fmt: skip
        made |= set(planter(land).items())
    return made


def clear(land: Land) -> None:
    """What a person removes in a console: for a service nobody thought of there is no command."""
    land.platform.aws("ssm").delete_parameters(Names=[_PARAMETER])


def _storage(land: Land) -> dict[str, str]:
    ec2 = land.platform.aws("ec2")
    volume = ec2.create_volume(AvailabilityZone=_ZONE, Size=100, TagSpecifications=land.spec("volume"))["VolumeId"]
    return {
        "ec2:volume": volume,
        "ec2:snapshot": ec2.create_snapshot(VolumeId=volume, TagSpecifications=land.spec("snapshot"))["SnapshotId"],
        "ec2:elastic-ip": ec2.allocate_address(Domain="vpc", TagSpecifications=land.spec("elastic-ip"))["AllocationId"],
    }


def _network(land: Land) -> dict[str, str]:
    """A network of its own, in use."""
    ec2 = land.platform.aws("ec2")
    network = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=land.spec("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.9.1.0/24", TagSpecifications=land.spec("subnet"))["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=land.spec("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network)
    table = ec2.create_route_table(VpcId=network, TagSpecifications=land.spec("route-table"))["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    endpoint = ec2.create_vpc_endpoint(
        VpcId=network, ServiceName="com.amazonaws.ap-northeast-1.s3", VpcEndpointType="Gateway", RouteTableIds=[table],
        TagSpecifications=land.spec("vpc-endpoint"),
    )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip
    interface = ec2.create_network_interface(SubnetId=subnet, TagSpecifications=land.spec("network-interface"))
    group = ec2.create_security_group(GroupName="left", Description="left", VpcId=network, TagSpecifications=land.spec("security-group"))
    return {
        "ec2:vpc": network,
        "ec2:subnet": subnet,
        "ec2:internet-gateway": gateway,
        "ec2:route-table": table,
        "ec2:vpc-endpoint": endpoint,
        "ec2:network-interface": interface["NetworkInterface"]["NetworkInterfaceId"],
        "ec2:security-group": group["GroupId"],
    }


def _machines(land: Land) -> dict[str, str]:
    ec2 = land.platform.aws("ec2")
    run = ec2.run_instances(**_TEMPLATE, MinCount=1, MaxCount=1, SubnetId=land.subnets[0], TagSpecifications=land.spec("instance"))
    template = ec2.create_launch_template(
        LaunchTemplateName="left", LaunchTemplateData=_TEMPLATE, TagSpecifications=land.spec("launch-template")
    )
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=land.subnets[0], AllocationId=address, TagSpecifications=land.spec("natgateway"))
    return {
        "ec2:instance": run["Instances"][0]["InstanceId"],
        "ec2:launch-template": template["LaunchTemplate"]["LaunchTemplateId"],
        "ec2:nat-gateway": gateway["NatGateway"]["NatGatewayId"],
    }


def _balancers(land: Land) -> dict[str, str]:
    elb = land.platform.aws("elbv2")
    balancer = elb.create_load_balancer(Name="left", Subnets=land.subnets, Tags=land.tags)
    group = elb.create_target_group(Name="left", Protocol="HTTP", Port=80, VpcId=land.network, Tags=land.tags)
    return {
        "elbv2:load-balancer": balancer["LoadBalancers"][0]["LoadBalancerArn"],
        "elbv2:target-group": group["TargetGroups"][0]["TargetGroupArn"],
    }


def _buckets(land: Land) -> dict[str, str]:
    """One that has only our tags, and an earlier version of an object."""
    s3 = land.platform.aws("s3")
    s3.create_bucket(Bucket="left-behind", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    s3.put_bucket_tagging(Bucket="left-behind", Tagging={"TagSet": land.tags})
    s3.put_bucket_versioning(Bucket="left-behind", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket="left-behind", Key="a name with spaces", Body=body)
    return {"s3:bucket": "left-behind"}


def _cluster(land: Land) -> dict[str, str]:
    eks = land.platform.aws("eks")
    tags = {tag["Key"]: tag["Value"] for tag in land.tags}
    role = eks.describe_cluster(name="genai-sandbox")["cluster"]["roleArn"]
    eks.create_cluster(name="left-behind", roleArn=role, resourcesVpcConfig={"subnetIds": land.subnets}, tags=tags)
    return {"eks:cluster": "left-behind"}


def _databases(land: Land) -> dict[str, str]:
    """A snapshot of ours, what a cluster needs, and a cluster with its instance. MySQL's: the stand-in starts no server for it."""
    rds = land.platform.aws("rds")
    cluster = rds.describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="left-behind", DBClusterIdentifier=cluster, Tags=land.tags)
    rds.create_db_subnet_group(
        DBSubnetGroupName="left-behind", DBSubnetGroupDescription="left", SubnetIds=land.subnets, Tags=land.tags
    )  # fmt: skip
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="left-behind", DBParameterGroupFamily="aurora-postgresql16", Description="left", Tags=land.tags
    )
    rds.create_db_cluster(
        DBClusterIdentifier="left-behind", Engine="aurora-mysql", MasterUsername="left", MasterUserPassword="left-behind", Tags=land.tags
    )
    rds.create_db_instance(
        DBInstanceIdentifier="left-behind-1", DBInstanceClass="db.t4g.medium", Engine="aurora-mysql", DBClusterIdentifier="left-behind",
        Tags=land.tags,
    )  # fmt: skip
    return {
        "rds:cluster-snapshot": "left-behind",
        "rds:subnet-group": "left-behind",
        "rds:parameter-group": "left-behind",
        "rds:cluster": "left-behind",
        "rds:instance": "left-behind-1",
    }


def _database(land: Land) -> dict[str, str]:
    """One without a cluster: its snapshots are of another kind."""
    rds = land.platform.aws("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="left-alone", DBInstanceClass="db.t4g.micro", Engine="mysql", AllocatedStorage=20, MasterUsername="left",
        MasterUserPassword="left-behind", Tags=land.tags,
    )  # fmt: skip
    rds.create_db_snapshot(DBSnapshotIdentifier="left-alone", DBInstanceIdentifier="left-alone", Tags=land.tags)
    return {"rds:instance": "left-alone", "rds:snapshot": "left-alone"}


def _caches(land: Land) -> dict[str, str]:
    cache, kind = land.platform.aws("elasticache"), "cache.t4g.micro"
    cache.create_replication_group(
        ReplicationGroupId="left-behind", ReplicationGroupDescription="left", Engine="redis", CacheNodeType=kind, NumCacheClusters=1,
        Tags=land.tags,
    )  # fmt: skip
    cache.create_snapshot(SnapshotName="left-behind", ReplicationGroupId="left-behind", Tags=land.tags)
    cache.create_cache_cluster(CacheClusterId="left-alone", Engine="memcached", CacheNodeType=kind, NumCacheNodes=1, Tags=land.tags)
    return {
        "elasticache:replication-group": "left-behind",
        "elasticache:snapshot": "left-behind",
        "elasticache:cluster": "left-alone",
    }


def _cache_groups(land: Land) -> dict[str, str]:
    """By their names: as a run leaves them that was ended before it had written down what it made."""
    cache = land.platform.aws("elasticache")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="genai-sandbox-postgres", CacheSubnetGroupDescription="left", SubnetIds=land.subnets
    )
    cache.create_cache_parameter_group(
        CacheParameterGroupName="genai-sandbox-redis", CacheParameterGroupFamily="redis7", Description="left"
    )  # fmt: skip
    return {"elasticache:subnet-group": "genai-sandbox-postgres", "elasticache:parameter-group": "genai-sandbox-redis"}


def _identities(land: Land) -> dict[str, str]:
    iam = land.platform.aws("iam")
    iam.create_role(RoleName="genai-sandbox-1", AssumeRolePolicyDocument=_NOBODY)
    iam.put_role_policy(RoleName="genai-sandbox-1", PolicyName="inside", PolicyDocument=_ANYTHING)
    policy = iam.create_policy(PolicyName="genai-sandbox-left", PolicyDocument=_ANYTHING, Tags=land.tags)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="genai-sandbox-1", PolicyArn=policy)
    iam.create_instance_profile(InstanceProfileName="eks-genai-sandbox-left", Tags=land.tags)
    iam.add_role_to_instance_profile(InstanceProfileName="eks-genai-sandbox-left", RoleName="genai-sandbox-1")
    provider = iam.create_open_id_connect_provider(Url="https://left.example.com", ThumbprintList=["0" * 40], Tags=land.tags)
    return {
        "iam:role": "genai-sandbox-1",
        "iam:policy": policy,
        "iam:instance-profile": "eks-genai-sandbox-left",
        "iam:oidc-provider": provider["OpenIDConnectProviderArn"],
    }


def _rest(land: Land) -> dict[str, str]:
    aws = land.platform.aws
    aws("secretsmanager").create_secret(Name="left-behind", SecretString="x", Tags=land.tags)
    aws("logs").create_log_group(logGroupName="/aws/eks/genai-sandbox/left")
    key = aws("kms").create_key(Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in land.tags])
    certificate = aws("acm").request_certificate(DomainName="left.example.com", Tags=land.tags)["CertificateArn"]
    return {
        "secretsmanager:secret": "left-behind",
        "logs:log-group": "/aws/eks/genai-sandbox/left",
        "kms:key": key["KeyMetadata"]["KeyId"],
        "acm:certificate": certificate,
    }


def _unthought_of(land: Land) -> dict[str, str]:
    """A thing of a service that the platform does not use, with our tags on it."""
    ssm = land.platform.aws("ssm")
    ssm.put_parameter(Name=_PARAMETER, Type="String", Value="x", Tags=land.tags)
    return {"ssm:parameter": ssm.get_parameter(Name=_PARAMETER)["Parameter"]["ARN"]}
