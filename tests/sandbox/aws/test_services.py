"""What moto lacks and the platform needs, one patch after the other."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from botocore.exceptions import ClientError

from genai_platform.sandbox.aws.identity import control_key, issuer

TAGS = {"genai:platform": "genai", "genai:environment": "test"}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def network(cloud: Any) -> tuple[str, list[str]]:
    ec2 = cloud.client("ec2")
    vpc: str = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"ap-northeast-1{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ac")
    ]
    return vpc, subnets


@pytest.fixture(scope="module")
def cluster(cloud: Any, network: tuple[str, list[str]]) -> dict[str, Any]:
    """An Auto Mode cluster, as EKS describes it."""
    eks = cloud.client("eks")
    node = "arn:aws:iam::123456789012:role/node"
    eks.create_cluster(
        name="genai", version="1.35", roleArn="arn:aws:iam::123456789012:role/cluster", tags=TAGS, bootstrapSelfManagedAddons=False,
        resourcesVpcConfig={"subnetIds": network[1], "endpointPrivateAccess": True},
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
        computeConfig={"enabled": True, "nodePools": ["general-purpose"], "nodeRoleArn": node},
        storageConfig={"blockStorage": {"enabled": True}}, upgradePolicy={"supportType": "STANDARD"},
        kubernetesNetworkConfig={"elasticLoadBalancing": {"enabled": True}},
    )  # fmt: skip
    found: dict[str, Any] = eks.describe_cluster(name="genai")["cluster"]
    return found


def test_a_cluster_states_what_it_was_asked_for(cluster: dict[str, Any]) -> None:
    assert cluster["status"] == "ACTIVE"
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert cluster["computeConfig"] == {
        "enabled": True, "nodePools": ["general-purpose"], "nodeRoleArn": "arn:aws:iam::123456789012:role/node",
    }  # fmt: skip
    assert cluster["storageConfig"]["blockStorage"]["enabled"]
    assert cluster["upgradePolicy"]["supportType"] == "STANDARD"
    assert cluster["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"]


def test_a_cluster_points_to_the_sandbox_api_server(cloud: Any, cluster: dict[str, Any]) -> None:
    assert cluster["endpoint"] == cloud.layout.url("endpoint", "https")
    assert base64.b64decode(cluster["certificateAuthority"]["data"]) == cloud.layout.ca_file.read_bytes()
    assert cluster["identity"]["oidc"]["issuer"] == issuer(cloud.layout)
    assert cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].startswith("sg-")


def test_access_entries_and_their_policies(cloud: Any, cluster: dict[str, Any]) -> None:
    eks, who = cloud.client("eks"), "arn:aws:iam::123456789012:role/team/admin"
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    made = eks.create_access_entry(clusterName="genai", principalArn=who)["accessEntry"]
    assert made["type"] == "STANDARD"
    eks.associate_access_policy(clusterName="genai", principalArn=who, policyArn=policy, accessScope={"type": "cluster"})
    assert who in eks.list_access_entries(clusterName="genai")["accessEntries"]
    held = eks.list_associated_access_policies(clusterName="genai", principalArn=who)["associatedAccessPolicies"]
    assert [one["policyArn"] for one in held] == [policy]
    with pytest.raises(ClientError) as error:
        eks.create_access_entry(clusterName="genai", principalArn=who)
    assert code(error) == "ResourceInUseException"
    eks.disassociate_access_policy(clusterName="genai", principalArn=who, policyArn=policy)
    eks.delete_access_entry(clusterName="genai", principalArn=who)
    with pytest.raises(ClientError) as error:
        eks.describe_access_entry(clusterName="genai", principalArn=who)
    assert code(error) == "ResourceNotFoundException"


def test_the_creator_and_the_nodes_have_entries_of_their_own(cloud: Any, cluster: dict[str, Any]) -> None:
    entries = cloud.client("eks").list_access_entries(clusterName="genai")["accessEntries"]
    assert {entry.rsplit("/", 1)[-1] for entry in entries} == {"administrator", "node"}


def test_an_update_is_applied_and_can_be_followed(cloud: Any, cluster: dict[str, Any]) -> None:
    eks = cloud.client("eks")
    update = eks.update_cluster_config(name="genai", upgradePolicy={"supportType": "EXTENDED"})["update"]
    assert eks.describe_update(name="genai", updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name="genai")["cluster"]["upgradePolicy"]["supportType"] == "EXTENDED"


def test_clusters_are_found_by_tag(cloud: Any, cluster: dict[str, Any]) -> None:
    tagging = cloud.client("resourcegroupstaggingapi")
    found = tagging.get_resources(TagFilters=[{"Key": "genai:environment", "Values": ["test"]}])["ResourceTagMappingList"]
    assert cluster["arn"] in {one["ResourceARN"] for one in found}


def test_aurora_serverless_v2(cloud: Any) -> None:
    rds = cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="aurora", Engine="aurora-postgresql", EngineVersion="16", MasterUsername="platform",
        MasterUserPassword="x" * 16,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4}, Tags=PAIRS,
    )  # fmt: skip
    found = rds.describe_db_clusters(DBClusterIdentifier="aurora")["DBClusters"][0]
    assert found["Status"] == "available"
    assert found["EngineVersion"].startswith("16.")
    assert "ScalingConfigurationInfo" not in found
    assert found["Endpoint"].startswith("aurora.cluster-")
    assert found["Endpoint"].endswith(".ap-northeast-1.rds.amazonaws.com")
    rds.modify_db_cluster(DBClusterIdentifier="aurora", MasterUserPassword="y" * 16, ApplyImmediately=True)
    rds.delete_db_cluster(DBClusterIdentifier="aurora", SkipFinalSnapshot=True)
    with pytest.raises(ClientError) as error:
        rds.describe_db_clusters(DBClusterIdentifier="aurora")
    assert code(error) == "DBClusterNotFoundFault"
    assert rds.describe_db_cluster_snapshots()["DBClusterSnapshots"] == []


def test_a_cluster_comes_back_from_its_snapshot_and_can_be_changed(cloud: Any) -> None:
    rds = cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="kept", Engine="aurora-postgresql", EngineVersion="16", MasterUsername="platform",
        MasterUserPassword="x" * 16, ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4},
    )  # fmt: skip
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="kept-1", DBClusterIdentifier="kept")
    rds.delete_db_cluster(DBClusterIdentifier="kept", SkipFinalSnapshot=True)
    # As Terraform's provider does: restore, then give it the scaling and the password.
    scaling = {"MinCapacity": 0.5, "MaxCapacity": 2}
    rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="kept", SnapshotIdentifier="kept-1", Engine="aurora-postgresql", ServerlessV2ScalingConfiguration=scaling
    )
    rds.modify_db_cluster(DBClusterIdentifier="kept", MasterUserPassword="y" * 16, ServerlessV2ScalingConfiguration=scaling)
    found = rds.describe_db_clusters(DBClusterIdentifier="kept")["DBClusters"][0]
    assert found["ServerlessV2ScalingConfiguration"] == scaling
    assert found["MasterUsername"] == "platform"
    rds.delete_db_cluster(DBClusterIdentifier="kept", SkipFinalSnapshot=True)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="kept-1")
    assert rds.describe_db_cluster_snapshots()["DBClusterSnapshots"] == []


def test_cache_parameter_groups(cloud: Any) -> None:
    cache = cloud.client("elasticache")
    cache.create_cache_parameter_group(CacheParameterGroupName="own", CacheParameterGroupFamily="redis7", Description="d", Tags=PAIRS)
    change = {"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"}
    cache.modify_cache_parameter_group(CacheParameterGroupName="own", ParameterNameValues=[change])
    user = cache.describe_cache_parameters(CacheParameterGroupName="own", Source="user")["Parameters"]
    assert [(one["ParameterName"], one["ParameterValue"]) for one in user] == [("maxmemory-policy", "noeviction")]
    wrong = {"ParameterName": "maxmemory-policy", "ParameterValue": "whenever"}
    with pytest.raises(ClientError) as error:
        cache.modify_cache_parameter_group(CacheParameterGroupName="own", ParameterNameValues=[wrong])
    assert code(error) == "InvalidParameterValue"
    cache.delete_cache_parameter_group(CacheParameterGroupName="own")
    with pytest.raises(ClientError) as error:
        cache.describe_cache_parameter_groups(CacheParameterGroupName="own")
    assert code(error) == "CacheParameterGroupNotFound"


def test_a_replication_group_has_members_takes_a_token_and_goes(cloud: Any) -> None:
    cache = cloud.client("elasticache")
    cache.create_replication_group(
        ReplicationGroupId="queue", ReplicationGroupDescription="d", Engine="redis", EngineVersion="7.1", CacheNodeType="cache.t4g.small",
        NumCacheClusters=1, TransitEncryptionEnabled=True, Tags=PAIRS,
    )  # fmt: skip
    group = cache.describe_replication_groups(ReplicationGroupId="queue")["ReplicationGroups"][0]
    assert group["NodeGroups"][0]["PrimaryEndpoint"]["Address"].startswith("master.queue.")
    assert not group["AuthTokenEnabled"]
    member = cache.describe_cache_clusters(CacheClusterId=group["MemberClusters"][0], ShowCacheNodeInfo=True)["CacheClusters"][0]
    assert member["CacheNodes"][0]["Endpoint"]["Port"] == 6379
    assert member["EngineVersion"] == "7.1.0"
    with pytest.raises(ClientError) as error:
        cache.modify_replication_group(ReplicationGroupId="queue", AuthToken="short", AuthTokenUpdateStrategy="SET")
    assert code(error) == "InvalidParameterValue"

    def take(strategy: str) -> None:
        cache.modify_replication_group(
            ReplicationGroupId="queue", AuthToken="t" * 32, AuthTokenUpdateStrategy=strategy, ApplyImmediately=True
        )

    for before in ([], ["ROTATE", "SET"]):
        for strategy in before:
            take(strategy)
        with pytest.raises(ClientError, match="SET is allowed only after ROTATE"):
            take("SET")
    with pytest.raises(ClientError, match="another one than the one in use"):
        take("ROTATE")
    assert cache.describe_replication_groups(ReplicationGroupId="queue")["ReplicationGroups"][0]["AuthTokenEnabled"]
    cache.delete_replication_group(ReplicationGroupId="queue")
    assert "queue" not in {one["ReplicationGroupId"] for one in cache.describe_replication_groups()["ReplicationGroups"]}
    assert cache.describe_cache_clusters()["CacheClusters"] == []


def test_managed_policies_are_known(cloud: Any) -> None:
    found = cloud.client("iam").get_policy(PolicyArn="arn:aws:iam::aws:policy/AmazonEKSComputePolicy")
    assert found["Policy"]["PolicyName"] == "AmazonEKSComputePolicy"


def test_an_imported_certificate_can_be_served_by_who_holds_the_key_of_the_door(cloud: Any) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("genai.example.com")
    pem, key = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
    acm = cloud.client("acm")
    arn = acm.import_certificate(Certificate=pem, PrivateKey=key, CertificateChain=authority.cert_pem.bytes(), Tags=PAIRS)["CertificateArn"]
    path = "/_sandbox/acm/" + arn.replace("/", "%2F")
    with pytest.raises(OSError, match="401"):
        cloud.get(path)
    served = json.loads(cloud.get(path, Authorization=f"Bearer {control_key(cloud.layout)}"))
    assert served == {"certificate": pem.decode(), "chain": authority.cert_pem.bytes().decode(), "key": key.decode()}
    acm.delete_certificate(CertificateArn=arn)


def test_a_certificate_is_issued_when_its_record_exists(cloud: Any) -> None:
    acm, route53 = cloud.client("acm"), cloud.client("route53")
    arn = acm.request_certificate(DomainName="litellm.example.com", ValidationMethod="DNS")["CertificateArn"]
    found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert found["Status"] == "PENDING_VALIDATION"
    record = found["DomainValidationOptions"][0]["ResourceRecord"]
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    entry = {"Name": record["Name"], "Type": record["Type"], "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": entry}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"


def test_a_stopped_server_goes_on_where_it_was(new_cloud: Callable[[], Any]) -> None:
    cloud = new_cloud()
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="kept", Key="a", Body=b"one")
    s3.put_object(Bucket="kept", Key="a", Body=b"2" * 6_000_000)
    leaf = trustme.CA().issue_cert("a.example.com")
    pem, key = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
    certificate = cloud.client("acm").import_certificate(Certificate=pem, PrivateKey=key)
    cloud.client("secretsmanager").create_secret(Name="s", SecretString="hush")
    cloud.client("elasticache").create_replication_group(
        ReplicationGroupId="q", ReplicationGroupDescription="d", CacheNodeType="cache.t4g.small", TransitEncryptionEnabled=True
    )
    before = cloud.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert cloud.stop() == 0
    cloud.start()
    assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"2" * 6_000_000
    assert len(s3.list_object_versions(Bucket="kept")["Versions"]) == 2
    assert cloud.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "hush"
    assert cloud.client("acm").describe_certificate(CertificateArn=certificate["CertificateArn"])["Certificate"]["Status"] == "ISSUED"
    assert cloud.client("elasticache").describe_replication_groups()["ReplicationGroups"] == before
